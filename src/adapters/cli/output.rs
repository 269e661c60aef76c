//! Output of commands: tables and texts for people, JSON for machines.

use std::io::{self, Write};

use serde_json::Value;

/// The output of a command, as text or JSON.
pub struct Output {
    to: Box<dyn Write + Send>,
    json: bool,
}

impl Output {
    /// To standard output.
    pub fn stdout(json: bool) -> Self {
        Self { to: Box::new(io::stdout()), json }
    }

    /// Whether the output is JSON.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Prints one object, as JSON or as `text`. A closed pipe is no error.
    pub fn thing(&mut self, json: &Value, text: impl FnOnce() -> String) -> anyhow::Result<()> {
        let text = if self.json { format!("{json:#}") } else { text() };
        self.text(&text)
    }

    /// Prints a list, as JSON under `name` with its `count`, or as a table of these columns of the same JSON.
    pub fn list(&mut self, name: &str, items: &[Value], columns: &[&str]) -> anyhow::Result<()> {
        let text = if self.json {
            format!("{:#}", serde_json::json!({ name: items, "count": items.len() }))
        } else if items.is_empty() {
            format!("no {}", name.replace('_', " "))
        } else {
            table(items, columns)
        };
        self.text(&text)
    }

    /// Prints one line. Returns whether the pipe is still open.
    pub fn line(&mut self, line: &str) -> anyhow::Result<bool> {
        match writeln!(self.to, "{line}").and_then(|()| self.to.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
            done => Ok(done.map(|()| true)?),
        }
    }

    /// Prints a text and a line feed.
    pub fn text(&mut self, text: &str) -> anyhow::Result<()> {
        self.line(text.trim_end()).map(drop)
    }
}

/// A table. Columns are as wide as their widest cell.
fn table(items: &[Value], columns: &[&str]) -> String {
    let head = columns.iter().map(|column| column.replace('_', " ").to_uppercase()).collect();
    let body = items.iter().map(|item| columns.iter().map(|column| cell(&item[*column])).collect());
    let rows: Vec<Vec<String>> = std::iter::once(head).chain(body).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Bool(yes) => if *yes { "yes" } else { "no" }.to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn columns_of_a_table_are_aligned() {
        let items = [json!({"name": "Zoë", "in_use": true}), json!({"name": "Bartholomew", "in_use": null})];
        assert_eq!(
            table(&items, &["name", "in_use"]),
            "NAME         IN USE\nZoë          yes\nBartholomew  -"
        );
    }
}
