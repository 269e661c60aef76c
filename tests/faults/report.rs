//! The table of results: `FAULTS_REPORT=<file>` writes it as Markdown.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Mutex;

use crate::load::lock;

/// The result of one fault.
pub(crate) struct Row {
    pub(crate) injected: String,
    pub(crate) promised: String,
    pub(crate) seen: String,
}

/// The rows so far, by their place in the list of tests.
static ROWS: Mutex<BTreeMap<usize, (&'static str, Row)>> = Mutex::new(BTreeMap::new());

pub(crate) fn add(place: usize, test: &'static str, row: Row) {
    lock(&ROWS).insert(place, (test, row));
}

/// Writes the table, if that is wanted.
pub(crate) fn write() -> std::io::Result<()> {
    let Some(file) = std::env::var_os("FAULTS_REPORT").filter(|file| !file.is_empty()) else {
        return Ok(());
    };
    let mut table = String::from("| Fault | Injected | Promised | Seen | Test |\n|---|---|---|---|---|\n");
    for (test, row) in lock(&ROWS).values() {
        let Row { injected, promised, seen } = row;
        let name = test.replace("::", ": ").replace('_', " ");
        let _ = writeln!(table, "| {name} | {injected} | {promised} | {seen} | `{test}` |");
    }
    std::fs::write(file, table)
}
