//! Output of commands: tables and texts for people, JSON for machines.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Value;
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

    /// Prints one line. Returns whether the pipe is still open.
    pub fn line(&mut self, line: &str) -> anyhow::Result<bool> {
        self.raw(&format!("{line}\n"))
    }

    /// Prints a part of a text. Returns whether the pipe is still open.
    pub(super) fn raw(&mut self, text: &str) -> anyhow::Result<bool> {
        match self.to.write_all(text.as_bytes()).and_then(|()| self.to.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
            done => Ok(done.map(|()| true)?),
        }
    }

    /// Prints a text and a line feed.
    pub fn text(&mut self, text: &str) -> anyhow::Result<()> {
        self.line(text.trim_end()).map(drop)
    }
}

/// How many columns the terminal has, if standard output is one.
pub(super) fn terminal_width() -> Option<usize> {
    rustix::termios::tcgetwinsize(io::stdout()).ok().map(|size| size.ws_col.into())
}

/// The JSON of a view, with `null` for each documented field that is absent: scripts then find every field.
pub(super) fn with_nulls<T: Serialize + ToSchema>(view: &T) -> Value {
    // Plain structs: serialising them cannot fail.
    add_nulls_of::<T>(serde_json::to_value(view).unwrap_or_default())
}

/// The JSON of an answer of the API, in the same way.
pub(super) fn add_nulls_of<T: ToSchema>(mut json: Value) -> Value {
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
