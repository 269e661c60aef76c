//! `docs/reference/`: each page is made from what the code knows, and compared with the file.

mod audit;
mod commands;
mod configuration;
mod doctor;
mod events;
mod metrics;
mod source;

use std::fs;
use std::path::Path;

use serde_json::Value;
use streamward::adapters::http::problems_json;

use crate::document::difference;

/// Fails with the lines that differ. With `REFERENCE=write` the file is written instead.
#[track_caller]
fn assert_page(name: &str, title: &str, body: &str) {
    let note = "<!-- Made from the code: REFERENCE=write cargo test --test api reference. Changes by hand are lost. -->";
    let page = format!("{note}\n# {title}\n\n{}\n", body.trim());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference").join(name);
    if std::env::var("REFERENCE").is_ok_and(|wish| wish == "write") {
        fs::write(&path, page).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        return;
    }
    let difference = difference(&fs::read_to_string(&path).unwrap_or_default(), &page);
    assert!(
        difference.is_empty(),
        "docs/reference/{name} differs from the code:\n{difference}If the change is meant:\n    \
         REFERENCE=write cargo test --test api reference"
    );
}

/// A table of Markdown.
fn table<const N: usize>(head: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let mut text = line(&head.map(str::to_owned)) + &line(&head.map(|_| "---".to_owned()));
    for row in rows {
        text += &line(&row.map(|text| cell(&text)));
    }
    text
}

/// A text that stays within its cell. What is not code is not HTML either.
fn cell(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|");
    let parts = text.split('`').enumerate();
    let parts = parts.map(|(n, part)| if n % 2 == 0 { part.replace('<', "&lt;") } else { part.to_owned() });
    parts.collect::<Vec<_>>().join("`")
}

fn code(text: &str) -> String {
    format!("`{text}`")
}

#[test]
fn cells_keep_their_text() {
    assert_eq!(cell("a | b\nc <d> `<e>`"), "a \\| b c &lt;d> `<e>`");
    assert_eq!(
        table(["A", "B"], [["1".to_owned(), "2".to_owned()]]),
        "| A | B |\n| --- | --- |\n| 1 | 2 |\n"
    );
}

#[test]
fn problems() {
    let all: Vec<Value> = serde_json::from_str(&problems_json()).expect("JSON");
    let text = |problem: &Value, field: &str| problem[field].as_str().expect("a text").to_owned();
    let rows = all.iter().map(|problem| {
        let (title, description) = (text(problem, "title"), text(problem, "description"));
        [code(&text(problem, "slug")), problem["status"].to_string(), format!("{title}. {description}")]
    });
    let intro = "Every answer that is not a success is a problem document (RFC 9457): `type`, `title`, `status`, `detail` (what happened, to \
        what, what to do), `instance` (the path of the request), `request_id`, and `errors` with each refused field. `type` is \
        `/problems/` and a name of this list; `GET /problems/{name}` explains it. The log has the same `request_id`.";
    let table = table(["Name", "Status", "Meaning"], rows);
    assert_page("problems.md", "Problems", &format!("{intro}\n\n{table}"));
}
