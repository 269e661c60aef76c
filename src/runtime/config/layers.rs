//! Where values come from: the file, the environment, the command line, and files that hold one secret each.

use std::ffi::OsString;
use std::path::Path;

use toml::{Table, Value};

use super::error::ConfigError;
use super::keys::find_key;

const PREFIX: &str = "STREAMWARD_";

/// A value for the key at `path`, and the place that sets it, in words.
pub(super) struct Entry {
    pub(super) path: Vec<String>,
    pub(super) value: Value,
    pub(super) origin: String,
}

impl Entry {
    fn refuse(&self, message: impl Into<String>) -> ConfigError {
        ConfigError::new(self.path.join("."), message).set_in(Some(&self.origin))
    }

    /// The path of the secret, if this names a file that holds it.
    fn secret_in_file(&self) -> Option<Vec<String>> {
        let mut path = self.path.clone();
        let name = path.pop()?.strip_suffix("_file")?.to_owned();
        path.push(name);
        find_key(&path).filter(|key| key.is_secret).map(|_| path)
    }
}

/// The values of one place, with secrets read from their files.
pub(super) type Layer = Result<Vec<Entry>, ConfigError>;

/// The file `streamward.toml`. File names in it are relative to its folder.
pub(super) fn file(file: &Path) -> Layer {
    let origin = file.display().to_string();
    let refuse = |message: String| ConfigError::new("", message).set_in(Some(&origin));
    let text = std::fs::read_to_string(file).map_err(|error| refuse(format!("cannot be read: {error}")))?;
    let table: Table = text.parse().map_err(|error: toml::de::Error| {
        // The text of the error shows the line, which may hold a secret.
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        refuse(format!("line {}: {}", before.matches('\n').count() + 1, error.message().replace('\n', ", ")))
    })?;
    let mut entries = Vec::new();
    flatten(table, &[], &origin, &mut entries);
    read_files(entries, file.parent().unwrap_or(Path::new("")))
}

fn flatten(table: Table, section: &[String], origin: &str, entries: &mut Vec<Entry>) {
    for (key, value) in table {
        let path = [section, &[key]].concat();
        match value {
            Value::Table(inner) => flatten(inner, &path, origin, entries),
            value => entries.push(Entry { path, value, origin: origin.to_owned() }),
        }
    }
}

/// The environment: `STREAMWARD_<SECTION>__<KEY>`. An empty value counts as not set.
pub(super) fn environment(env: &[(OsString, OsString)]) -> Layer {
    let mut entries = Vec::new();
    for (name, value) in env {
        let Some(name) = name.to_str() else { continue };
        let Some(key) = name.strip_prefix(PREFIX).filter(|key| !value.is_empty() && is_ours(key)) else {
            continue;
        };
        let path = key.to_lowercase().split("__").map(str::to_owned).collect();
        let mut entry = Entry { path, value: Value::String(String::new()), origin: name.to_uppercase() };
        entry.value = value.to_str().ok_or_else(|| entry.refuse("must be UTF-8 text"))?.into();
        entries.push(entry);
    }
    read_files(entries, Path::new(""))
}

/// Whether a variable with our prefix is a configuration key. Others are read by `main`, needed by tests, or set by
/// Kubernetes in every container beside a service called `streamward`.
fn is_ours(key: &str) -> bool {
    const OTHERS: [&str; 8] =
        ["CONFIG", "MASTER_KEY", "MASTER_KEY_FILE", "PORT", "SERVICE_HOST", "SERVICE_PORT", "TOKEN", "URL"];
    !OTHERS.contains(&key) && !["TEST_", "PORT_", "SERVICE_PORT_"].iter().any(|start| key.starts_with(start))
}

/// Keys and their values from another place.
pub(super) fn given<'a>(origin: &str, values: impl IntoIterator<Item = (&'a str, &'a str)>) -> Layer {
    let entry = |(key, value): (&str, &str)| Entry {
        path: key.split('.').map(str::to_owned).collect(),
        value: value.into(),
        origin: origin.to_owned(),
    };
    read_files(values.into_iter().map(entry).collect(), Path::new(""))
}

/// Replaces `<secret>_file` by what the file holds. This is done for each layer by itself, so that a file named in the
/// environment wins over a secret in `streamward.toml`, and the other way round.
fn read_files(mut entries: Vec<Entry>, base: &Path) -> Layer {
    for at in 0..entries.len() {
        let Some(path) = entries[at].secret_in_file() else { continue };
        if let Some(secret) = entries.iter().find(|other| other.path == path).and_then(|e| e.path.last()) {
            return Err(entries[at].refuse(format!("and {secret} are both set; set one of them")));
        }
        let entry = &mut entries[at];
        let text = read_secret(base, &entry.value).map_err(|message| entry.refuse(message))?;
        (entry.path, entry.value) = (path, text.into());
    }
    Ok(entries)
}

fn read_secret(base: &Path, file: &Value) -> Result<String, String> {
    let file = base.join(file.as_str().ok_or("must be the name of a file")?);
    let text = std::fs::read_to_string(&file)
        .map_err(|error| format!("names {}, which cannot be read: {error}", file.display()))?;
    match text.trim_end_matches(['\r', '\n']) {
        "" => Err(format!("names {}, which is empty", file.display())),
        text => Ok(text.to_owned()),
    }
}
