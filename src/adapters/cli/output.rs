//! Output of commands: tables and texts for people, JSON for machines.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;

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
    pub fn thing<T: Serialize + ToSchema>(
        &mut self,
        view: &T,
        text: impl FnOnce() -> String,
    ) -> anyhow::Result<()> {
        let text = if self.json { format!("{:#}", with_nulls(view)) } else { text() };
        self.text(&text)
    }

    /// Prints a list, as JSON under `name` with its `count`, or as a table of these columns of the same JSON.
    pub fn list<T: Serialize + ToSchema>(
        &mut self,
        name: &str,
        items: &[T],
        columns: &[&str],
    ) -> anyhow::Result<()> {
        let items = items.iter().map(with_nulls).collect::<Vec<Value>>();
        let text = if self.json {
            format!("{:#}", json!({ name: items, "count": items.len() }))
        } else if items.is_empty() {
            format!("no {}", name.replace('_', " "))
        } else {
            table(&items, columns)
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

/// The JSON of a view, with `null` for each documented field that is absent: scripts then find every field.
pub(super) fn with_nulls<T: Serialize + ToSchema>(view: &T) -> Value {
    // Plain structs: serialising them cannot fail.
    let mut json = serde_json::to_value(view).unwrap_or_default();
    let mut named = Vec::new();
    T::schemas(&mut named);
    add_nulls(&mut json, &T::schema(), &named);
    json
}

fn add_nulls(json: &mut Value, schema: &RefOr<Schema>, named: &[(String, RefOr<Schema>)]) {
    match schema {
        RefOr::Ref(reference) => {
            let name = reference.ref_location.rsplit('/').next();
            if let Some((_, schema)) = named.iter().find(|(known, _)| Some(known.as_str()) == name) {
                add_nulls(json, schema, named);
            }
        }
        RefOr::T(Schema::Object(object)) => {
            let Value::Object(fields) = json else { return };
            for (name, schema) in &object.properties {
                add_nulls(fields.entry(name).or_insert(Value::Null), schema, named);
            }
        }
        RefOr::T(Schema::AllOf(parts)) => parts.items.iter().for_each(|part| add_nulls(json, part, named)),
        RefOr::T(Schema::OneOf(parts)) => parts.items.iter().for_each(|part| add_nulls(json, part, named)),
        RefOr::T(_) => {}
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
