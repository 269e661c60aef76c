//! The rules of the house, as tests: what may import what, how long a file may be, and what every file says of itself.
//! `src/ARCHITECTURE.md` explains them.
#![expect(clippy::panic, reason = "a test reports by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

/// Longest file, in lines.
const MAX_LINES: usize = 500;
/// What the middle file may have, in lines.
const MAX_MEDIAN: usize = 200;

struct Source {
    /// Relative to the repository, with slashes.
    path: String,
    text: String,
}

impl Source {
    /// Lines that name modules or crates outside of comments, with their numbers. Unit tests at the end of a file
    /// may use what they like.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let until = self.text.lines().position(|line| line.starts_with("#[cfg(test)]")).unwrap_or(usize::MAX);
        let numbered = self.text.lines().enumerate().take(until).map(|(n, line)| (n + 1, line.trim()));
        numbered.filter(|(_, line)| !line.starts_with("//"))
    }
}

fn sources(folder: &str) -> Vec<Source> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        let Ok(entries) = fs::read_dir(folder) else { return };
        for entry in entries.flatten().map(|entry| entry.path()) {
            if entry.is_dir() {
                walk(&entry, found);
            } else if entry.extension().is_some_and(|ending| ending == "rs") {
                found.push(entry);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    walk(&root.join(folder), &mut found);
    found.sort();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let path = path.strip_prefix(root).unwrap_or(&path).display().to_string();
        Source { path, text }
    };
    found.into_iter().map(read).collect()
}

/// Fails with every place under `folder` whose code contains one of `words`.
fn forbid(folder: &str, words: &[&str], why: &str) {
    let mut broken = Vec::new();
    for source in sources(folder) {
        for (number, line) in source.code() {
            for word in words.iter().filter(|word| line.contains(*word)) {
                broken.push(format!("{}:{number}: `{word}`", source.path));
            }
        }
    }
    assert!(broken.is_empty(), "{why}\n{}", broken.join("\n"));
}

const OUTSIDE: [&str; 9] = [
    "axum::",
    "sqlx::",
    "reqwest::",
    "hyper::",
    "tokio::net",
    "tokio::process",
    "std::net::Tcp",
    "std::fs",
    "utoipa",
];

#[test]
fn the_domain_imports_nothing_of_ours_and_does_nothing() {
    let inner = ["crate::ports", "crate::app", "crate::adapters", "crate::runtime"];
    forbid("src/domain", &inner, "the domain imports domain only");
    forbid("src/domain", &OUTSIDE, "the domain does no I/O");
    forbid(
        "src/domain",
        &["async fn", ".await", "tokio::", "Utc::now", "SystemTime", "Instant"],
        "the domain is synchronous and has no clock",
    );
}

#[test]
fn ports_import_the_domain_only() {
    forbid("src/ports", &["crate::app", "crate::adapters", "crate::runtime"], "ports import domain only");
    forbid("src/ports", &OUTSIDE, "ports know no vendor");
}

#[test]
fn the_application_imports_domain_and_ports_only() {
    forbid(
        "src/app",
        &["crate::adapters", "crate::runtime"],
        "the application imports domain and ports only",
    );
    forbid("src/app", &OUTSIDE, "the application talks to the outside through ports");
}

#[test]
fn adapters_do_not_see_each_other() {
    let all = ["http", "sql", "memory", "mediamtx", "kick", "cli"];
    for adapter in all.iter().filter(|adapter| **adapter != "cli") {
        let others: Vec<String> =
            all.iter().filter(|other| *other != adapter).map(|other| format!("adapters::{other}")).collect();
        let others: Vec<&str> = others.iter().map(String::as_str).collect();
        forbid(&format!("src/adapters/{adapter}"), &others, "an adapter sees no other adapter");
    }
}

#[test]
fn outbound_adapters_import_ports_and_domain_only() {
    for folder in ["src/adapters/sql", "src/adapters/memory", "src/adapters/mediamtx", "src/adapters/kick"] {
        forbid(
            folder,
            &["crate::app", "crate::runtime"],
            "an outbound adapter imports ports and domain only",
        );
    }
    forbid(
        "src/adapters/http",
        &["crate::runtime", "sqlx::", "reqwest::"],
        "HTTP calls use-cases and nothing else",
    );
    forbid(
        "src/adapters/cli",
        &[
            "sqlx::",
            "adapters::sql",
            "adapters::http",
            "adapters::mediamtx",
            "adapters::memory",
            "adapters::kick",
            "crate::runtime",
        ],
        "the command line calls use-cases, never SQL",
    );
}

#[test]
fn files_are_short_and_say_what_lives_in_them() {
    let files: Vec<Source> = ["src", "tests", "benches"].into_iter().flat_map(sources).collect();
    let mut lengths: Vec<usize> = files.iter().map(|file| file.text.lines().count()).collect();
    for (file, lines) in files.iter().zip(&lengths) {
        assert!(
            *lines <= MAX_LINES,
            "{} has {lines} lines, {MAX_LINES} are allowed: find the second file in it",
            file.path
        );
        assert!(
            file.text.starts_with("//!"),
            "{} does not begin with a //! line that says what lives there",
            file.path
        );
    }
    lengths.sort_unstable();
    let median = lengths[lengths.len() / 2];
    assert!(median <= MAX_MEDIAN, "the middle file has {median} lines, {MAX_MEDIAN} are allowed");
}

#[test]
fn nothing_is_allowed_without_a_reason() {
    forbid(
        "src",
        &["#[allow(", "#![allow("],
        "use #[expect(lint, reason = \"…\")], which goes away when it is no longer needed",
    );
    forbid("src", &["unsafe "], "there is no unsafe code");
}

/// A rule that cannot fail is no rule: the check itself finds what it is to find.
#[test]
fn the_checks_find_what_they_look_for() {
    let source = Source {
        path: String::new(),
        text: "// axum:: in a comment\nuse axum::Router;\n#[cfg(test)]\nmod tests { use sqlx::Pool; }\n"
            .into(),
    };
    let found: Vec<usize> =
        source.code().filter(|(_, line)| line.contains("axum::")).map(|(n, _)| n).collect();
    assert_eq!(found, [2]);
    assert!(!source.code().any(|(_, line)| line.contains("sqlx::")));
    assert!(sources("src/domain").len() > 10);
}
