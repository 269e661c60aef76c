//! What the sources say that the program does not: doc comments, and texts in calls.

use std::fs;
use std::path::{Path, PathBuf};

use syn::{Attribute, Expr, ExprLit, Lit, Meta};

/// The files of a folder of `src` and of those in it, sorted, with their texts. Not those of tests.
pub(super) fn files(folder: &str) -> Vec<(PathBuf, String)> {
    let mut all = Vec::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(folder), &mut all);
    all.sort();
    all
}

fn walk(folder: &Path, all: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            walk(&path, all);
        } else if path.extension().is_some_and(|kind| kind == "rs") && !path.ends_with("tests.rs") {
            let text = fs::read_to_string(&path).expect("a text");
            // What is behind it is for tests only.
            let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_owned();
            all.push((path, text));
        }
    }
}

/// The doc comment, in one line.
pub(super) fn doc(attributes: &[Attribute]) -> String {
    let lines = attributes.iter().filter_map(|attribute| match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("doc") => text(&pair.value),
        _ => None,
    });
    lines.map(|line| line.trim().to_owned()).collect::<Vec<_>>().join(" ")
}

/// The text of a literal.
pub(super) fn text(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value()),
        _ => None,
    }
}

/// The arguments of each call that begins with `call`, such as `core.entry(`.
pub(super) fn calls<'a>(source: &'a str, call: &str) -> Vec<Vec<&'a str>> {
    source.split(call).skip(1).map(arguments).collect()
}

/// The arguments up to the bracket that closes them.
fn arguments(text: &str) -> Vec<&str> {
    let (mut depth, mut quoted, mut from, mut all) = (0, false, 0, Vec::new());
    for (at, sign) in text.char_indices() {
        match sign {
            '"' => quoted = !quoted,
            _ if quoted => {}
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' if depth > 0 => depth -= 1,
            ',' | ')' if depth == 0 => {
                all.push(text.get(from..at).unwrap_or_default().trim());
                from = at + 1;
                if sign == ')' {
                    break;
                }
            }
            _ => {}
        }
    }
    all.retain(|one| !one.is_empty());
    all
}

/// What is between the quotation marks of a literal.
pub(super) fn quoted(argument: &str) -> Option<&str> {
    argument.strip_prefix('"')?.strip_suffix('"')
}

#[test]
fn calls_are_read_with_their_arguments() {
    let found = calls("a.entry(x(1, 2), \"b, c\", KIND).on(3); a.entry(y)", "a.entry(");
    assert_eq!(found, [vec!["x(1, 2)", "\"b, c\"", "KIND"], vec!["y"]]);
    assert_eq!((quoted("\"b\""), quoted("b")), (Some("b"), None));
}
