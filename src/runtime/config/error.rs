//! One line with the key, the fault, the allowed values, and the place where it was set.

use std::fmt::{self, Display};

/// Why the configuration cannot be used, in one line without secrets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    /// The key, e.g. `auth.claim_ttl`; empty if it is the file as a whole.
    pub key: String,
    /// The fault, and the allowed values.
    pub message: String,
    /// Where it was set, if it was.
    pub origin: Option<String>,
}

impl Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let space = if self.key.is_empty() { "" } else { " " };
        write!(f, "configuration: {}{space}{}", self.key, self.message)?;
        self.origin.as_ref().map_or(Ok(()), |origin| write!(f, " (set in {origin})"))
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
    pub(super) fn set_in(mut self, origin: Option<&String>) -> Self {
        self.origin = self.origin.or_else(|| origin.cloned());
        self
    }
}
