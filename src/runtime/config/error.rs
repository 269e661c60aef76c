//! One line with the key, the fault, the allowed values, and the place where it was set.

use std::fmt::{self, Display};

use super::layers::KEYS;
use super::section::Key;

/// Why the configuration cannot be used, in one line without secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The key, e.g. `auth.claim_ttl`; empty if it is the file as a whole.
    pub key: String,
    /// The fault, and the allowed values.
    pub message: String,
    /// Where it was set, if it was.
    pub origin: Option<String>,
}

impl std::error::Error for ConfigError {}

impl Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("configuration: ")?;
        if !self.key.is_empty() {
            write!(f, "{} ", self.key)?;
        }
        f.write_str(&self.message)?;
        match &self.origin {
            Some(origin) => write!(f, " (set in {origin})"),
            None => Ok(()),
        }
    }
}

impl ConfigError {
    /// An error of `key`.
    pub(super) fn new(key: impl Into<String>, message: impl Into<String>) -> Self {
        Self { key: key.into(), message: message.into(), origin: None }
    }

    /// The same, with its key inside the section `name`.
    pub(super) fn inside(self, name: impl Display) -> Self {
        Self { key: format!("{name}.{}", self.key).trim_end_matches('.').to_owned(), ..self }
    }

    /// The same, with the place where the value was set.
    pub(super) fn set_in(mut self, origin: Option<String>) -> Self {
        self.origin = self.origin.or(origin);
        self
    }
}

/// The message for a key that does not exist.
pub(super) fn unknown(path: &[String]) -> String {
    let bare = |key: &str| key.replace(['.', '-', '_'], "");
    let given = bare(&path.join("."));
    let alike = KEYS.iter().map(|key| key.name.as_str()).find(|key| {
        let key = bare(key);
        key == given || (key.len() > 6 && (given.starts_with(&key) || key.starts_with(&given)))
    });
    if let Some(key) = alike.filter(|_| given.len() > 6) {
        return format!("is not a key; did you mean {key}?");
    }
    let section: Vec<&str> = path.iter().take(path.len().saturating_sub(1)).map(String::as_str).collect();
    let within = |key: &'static Key| {
        let mut parts = key.name.split('.');
        section
            .iter()
            .all(|name| parts.next().is_some_and(|part| part == "*" || part == *name))
            .then_some(parts.next()?)
    };
    let mut known: Vec<&str> = KEYS.iter().filter_map(within).collect();
    known.dedup();
    format!("is not a key; known here: {}", known.join(", "))
}
