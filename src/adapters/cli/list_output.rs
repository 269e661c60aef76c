//! Output of lists: each page is printed as it is read, so that a long list needs no more memory than a short one.
//! Tables fit 100 columns, or the terminal if that is wider: ids are left out and long cells are cut, and JSON has all.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::Output;
use super::api::Pages as ApiPages;
use super::output::{terminal_width, with_nulls};
use crate::app::list::{List, Pages};

/// Prints the list of a service page by page, as JSON under `name` with its `count`, or as a table of these columns of the
/// same JSON.
pub(super) async fn print<L: List, T: Serialize + ToSchema>(
    out: &mut Output,
    (name, columns): (&str, &[&str]),
    (list, mut pages): (&L, Pages<L>),
    view: impl Fn(L::Row) -> T,
) -> anyhow::Result<()> {
    let mut printed = ListOutput::new(out.is_json(), name, columns).at_width(terminal_width());
    while !pages.is_over() {
        let rows: Vec<Value> =
            pages.next(list).await?.into_iter().map(|row| with_nulls(&view(row))).collect();
        if !out.raw(&printed.rows(&rows))? {
            // Nobody reads the rest.
            return Ok(());
        }
    }
    out.raw(&printed.end()).map(drop)
}

/// Prints a list of the API page by page, in the same way. `complete` adds the cells that only the table has.
pub(super) async fn print_pages(
    out: &mut Output,
    (name, columns): (&str, &[&str]),
    mut pages: ApiPages<'_>,
    complete: impl Fn(&mut Value),
) -> anyhow::Result<()> {
    let mut printed = ListOutput::new(out.is_json(), name, columns).at_width(terminal_width());
    while let Some(mut rows) = pages.next().await? {
        if !out.is_json() {
            rows.iter_mut().for_each(&complete);
        }
        if !out.raw(&printed.rows(&rows))? {
            return Ok(());
        }
    }
    out.raw(&printed.end()).map(drop)
}

/// Prints a list that is in memory.
pub(super) fn print_rows(
    out: &mut Output,
    (name, columns): (&str, &[&str]),
    rows: &[Value],
) -> anyhow::Result<()> {
    let mut printed = ListOutput::new(out.is_json(), name, columns).at_width(terminal_width());
    if out.raw(&printed.rows(rows))? {
        out.raw(&printed.end())?;
    }
    Ok(())
}

/// The most characters of a line of a table, unless the terminal is wider.
const LINE: usize = 100;
/// What is left of a cell at least.
const SHORTEST: usize = 8;

/// A list that is being printed.
struct ListOutput<'a> {
    is_json: bool,
    name: &'a str,
    /// Fields; `heading=field` has another heading.
    columns: &'a [&'a str],
    /// As wide as the widest cell so far.
    widths: Vec<usize>,
    /// The most characters of a line.
    line: usize,
    /// Whether there was no room for the ids.
    is_without_id: bool,
    count: usize,
}

impl<'a> ListOutput<'a> {
    fn new(is_json: bool, name: &'a str, columns: &'a [&'a str]) -> Self {
        Self {
            is_json,
            name,
            columns,
            widths: vec![0; columns.len()],
            line: LINE,
            is_without_id: false,
            count: 0,
        }
    }

    /// For an output of this many columns, if that is known.
    fn at_width(self, width: Option<usize>) -> Self {
        Self { line: width.map_or(LINE, |width| width.max(LINE)), ..self }
    }

    /// The text of the next rows.
    fn rows(&mut self, rows: &[Value]) -> String {
        let is_first = self.count == 0;
        self.count += rows.len();
        if rows.is_empty() {
            String::new()
        } else if self.is_json {
            let head = if is_first { format!("{{\n  \"{}\": [", self.name) } else { ",".to_owned() };
            let rows: Vec<String> = rows
                .iter()
                .map(|row| format!("\n    {}", format!("{row:#}").replace('\n', "\n    ")))
                .collect();
            head + &rows.join(",")
        } else {
            self.table(rows, is_first)
        }
    }

    /// What stands after all rows.
    fn end(&self) -> String {
        match (self.is_json, self.count) {
            (true, 0) => format!("{{\n  \"{}\": [],\n  \"count\": 0\n}}\n", self.name),
            (true, count) => format!("\n  ],\n  \"count\": {count}\n}}\n"),
            (false, 0) => format!("no {}\n", self.name.replace('_', " ")),
            (false, _) => String::new(),
        }
    }

    fn table(&mut self, rows: &[Value], with_head: bool) -> String {
        let parts = |column: &'a str| column.split_once('=').unwrap_or((column, column));
        let mut fields: Vec<(&str, &str)> = self.columns.iter().map(|column| parts(column)).collect();
        let head = || fields.iter().map(|(heading, _)| heading.replace('_', " ").to_uppercase()).collect();
        let body = rows.iter().map(|row| fields.iter().map(|(_, field)| cell(&row[*field])).collect());
        let mut lines: Vec<Vec<String>> = with_head.then(head).into_iter().chain(body).collect();
        for line in &lines {
            for (width, cell) in self.widths.iter_mut().zip(line) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let id = fields.iter().position(|(_, field)| *field == "id");
        if let Some(id) = id
            && (self.is_without_id || (with_head && needed(&self.widths) > self.line))
        {
            self.is_without_id = true;
            self.widths.remove(id);
            lines.iter_mut().for_each(|line| drop(line.remove(id)));
            fields.remove(id);
        }
        let importance: Vec<Importance> = fields.iter().map(|(_, field)| importance(field)).collect();
        let least: Vec<usize> =
            fields.iter().map(|(heading, _)| heading.chars().count().max(SHORTEST)).collect();
        fit(&mut self.widths, &least, &importance, self.line);
        let text = |line: Vec<String>| {
            let cells = line.iter().zip(&self.widths).map(|(cell, width)| {
                let cell = cut(cell, *width);
                format!("{cell:<width$}")
            });
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
        };
        lines.into_iter().map(text).collect()
    }
}

/// How much a person needs a whole cell.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Importance {
    /// Its beginning says the most.
    Cut,
    /// It tells rows apart: a path, a name.
    CutLast,
    /// A part of it is of no use: an id, a time, a word of a few.
    Whole,
}

fn importance(field: &str) -> Importance {
    match field {
        "id" | "at" | "timestamp" | "status" | "outcome" | "action" | "end_reason" => Importance::Whole,
        _ if field.ends_with("_at") => Importance::Whole,
        "path" | "name" | "display_name" | "username" | "email" | "about" => Importance::CutLast,
        _ => Importance::Cut,
    }
}

fn needed(widths: &[usize]) -> usize {
    widths.iter().sum::<usize>() + 2 * widths.len().saturating_sub(1)
}

/// Makes the widest columns narrower until a line fits: first those that may be cut, then names.
fn fit(widths: &mut [usize], least: &[usize], importance: &[Importance], line: usize) {
    for shrunk in [Importance::Cut, Importance::CutLast] {
        while needed(widths) > line {
            let columns = widths.iter_mut().zip(least).zip(importance);
            let columns = columns.filter(|((width, least), found)| **found == shrunk && **width > **least);
            let Some(((width, _), _)) = columns.max_by_key(|((width, _), _)| **width) else { break };
            *width -= 1;
        }
    }
}

fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

/// A time without its fraction of a second.
fn short_time(text: &str) -> Option<String> {
    let (whole, fraction) = text.strip_suffix('Z')?.split_once('.')?;
    let is_time = whole.len() == 19 && whole.get(10..11) == Some("T");
    (is_time && fraction.chars().all(|c| c.is_ascii_digit())).then(|| format!("{whole}Z"))
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => short_time(text)
            // Names come from other people.
            .unwrap_or_else(|| text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()),
        Value::Bool(yes) => if *yes { "yes" } else { "no" }.to_owned(),
        Value::Array(all) => all.iter().map(cell).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::slice;

    use serde_json::json;

    use super::*;

    #[test]
    fn columns_of_a_table_are_aligned_and_grow_with_later_pages() {
        let mut list = ListOutput::new(false, "streams", &["name", "in_use"]);
        let first = [json!({"name": "Zoë", "in_use": true}), json!({"name": "Bartholomew", "in_use": null})];
        assert_eq!(list.rows(&first), "NAME         IN USE\nZoë          yes\nBartholomew  -\n");
        let second =
            [json!({"name": "Al", "in_use": false}), json!({"name": "A much longer name", "in_use": true})];
        assert_eq!(list.rows(&second), "Al                  no\nA much longer name  yes\n");
        assert_eq!(list.end(), "");
        assert_eq!(ListOutput::new(false, "stream_keys", &[]).end(), "no stream keys\n");
    }

    #[test]
    fn pages_join_to_one_json_object() {
        for pages in [
            vec![],
            vec![vec![json!({"a": [1]})]],
            vec![vec![json!({}), json!("x\ny")], vec![json!(3)], vec![]],
        ] {
            let mut list = ListOutput::new(true, "things", &[]);
            let mut text: String = pages.iter().map(|page: &Vec<Value>| list.rows(page)).collect();
            text += &list.end();
            let rows = pages.concat();
            let expected = json!({"things": rows, "count": rows.len()});
            assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn lines_of_a_table_fit_100_columns_and_names_are_cut_last() {
        let (id, at) = ("01890000-0000-7000-8000-000000000000", "2026-01-31T12:00:00.123456Z");
        let row =
            |name: &str| json!({"id": id, "name": name, "note": "a\u{1b}\nb".repeat(30), "created_at": at});
        let columns = ["id", "name", "why=note", "created_at"];
        for name in [&"n".repeat(200), &"n".repeat(60)] {
            let mut list = ListOutput::new(false, "things", &columns);
            let text = list.rows(&[row(name)]) + &list.rows(&[row("second")]);
            for line in text.lines() {
                assert!(line.chars().count() <= LINE, "{line}");
            }
            assert!(text.starts_with("NAME ") && text.contains("  WHY ") && !text.contains(id), "{text}");
            assert!(text.contains("2026-01-31T12:00:00Z") && !text.contains('\u{1b}'), "{text}");
            let is_whole = text.lines().any(|line| line.starts_with(&format!("{name}  ")));
            assert_eq!(is_whole, name.len() == 60, "{text}");
        }
    }

    #[test]
    fn ids_are_shown_if_there_is_room() {
        let id = "01890000-0000-7000-8000-000000000000";
        let mut list = ListOutput::new(false, "things", &["id", "name"]);
        assert!(list.rows(&[json!({"id": id, "name": "a"})]).contains(id));
    }

    #[test]
    fn a_wide_terminal_is_used_and_a_narrow_one_gets_100_columns() {
        let row = json!({"name": "n".repeat(200)});
        let longest = |width| {
            let mut list = ListOutput::new(false, "things", &["name"]).at_width(width);
            list.rows(slice::from_ref(&row)).lines().map(|line| line.chars().count()).max()
        };
        assert_eq!([None, Some(80), Some(150)].map(longest), [Some(100), Some(100), Some(150)]);
    }
}
