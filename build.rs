//! Makes cargo notice new files of the page, which the program contains.

fn main() {
    for path in ["index.html", "app.css", "screens.css", "icon.svg", "src", "vendor"] {
        println!("cargo::rerun-if-changed=web/{path}");
    }
}
