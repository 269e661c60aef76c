//! Tells Cargo that a release contains the files of `web/`. A debug build reads them at run time.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("PROFILE").is_ok_and(|profile| profile == "release") {
        for part in ["index.html", "app.css", "src", "vendor"] {
            println!("cargo::rerun-if-changed=web/{part}");
        }
    }
}
