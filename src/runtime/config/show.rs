//! The effective configuration for people (`streamward config`), in the form of `streamward.toml`, secrets masked.

use std::fmt;

use serde_json::{Map, Value};

use super::keys::find_key;
use super::load::Loaded;
use super::values::MASK;

/// The configuration as it can be shown.
pub struct Shown<'a>(pub &'a Loaded);

impl Shown<'_> {
    /// As one JSON document.
    pub fn to_json(&self) -> Value {
        let mut value = self.masked();
        strip_absent(&mut value);
        value
    }

    fn masked(&self) -> Value {
        let mut value = serde_json::to_value(&self.0.config).unwrap_or_default();
        mask(&[], &mut value);
        value
    }

    /// Plain values first, then the tables inside, as TOML wants it.
    fn table(&self, f: &mut fmt::Formatter<'_>, path: &[&str], map: &Map<String, Value>) -> fmt::Result {
        let (tables, plain): (Vec<_>, Vec<_>) = map.iter().partition(|(_, value)| value.is_object());
        if !path.is_empty() && !plain.is_empty() {
            writeln!(f, "\n[{}]", path.join("."))?;
        }
        for (key, value) in plain {
            let path = [path, &[key]].concat();
            let (line, note) = if value.is_null() {
                (format!("# {key} ="), find_key(&path).map_or("not set", |key| key.unset))
            } else {
                let origin = self.0.origins.get(&path.join("."));
                (format!("{key} = {value}"), origin.map_or("default", String::as_str))
            };
            writeln!(f, "{line:<44} # {note}")?;
        }
        tables.into_iter().try_for_each(|(key, inner)| match inner {
            Value::Object(inner) => self.table(f, &[path, &[key]].concat(), inner),
            _ => Ok(()),
        })
    }
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.file {
            Some(file) => writeln!(f, "# read from {}", file.display())?,
            None => writeln!(f, "# There is no streamward.toml here. This is an example.")?,
        }
        self.masked().as_object().map_or(Ok(()), |map| self.table(f, &[], map))
    }
}

/// Masks every value that is not known to be public.
pub(super) fn mask(path: &[&str], value: &mut Value) {
    match value {
        Value::Object(map) => map.iter_mut().for_each(|(key, value)| mask(&[path, &[key]].concat(), value)),
        Value::Null => {}
        _ if find_key(path).is_some_and(|key| !key.is_secret) => {}
        _ => *value = MASK.into(),
    }
}

fn strip_absent(value: &mut Value) {
    if let Value::Object(map) = value {
        map.retain(|_, value| !value.is_null());
        map.values_mut().for_each(strip_absent);
    }
}
