//! One line that names the key, says what is wrong with it, what is allowed, and where it was set.

use std::fmt;

use figment::error::{Actual, Kind};

use super::layers::{KEYS, is_secret, origin};

/// Why the configuration cannot be used, in one line without secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The key, e.g. `auth.claim_ttl`; empty if it is the file as a whole.
    pub key: String,
    /// What is wrong, and what is allowed.
    pub message: String,
    /// Where it was set, if it was.
    pub origin: Option<String>,
}

impl std::error::Error for ConfigError {}

impl fmt::Display for ConfigError {
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
    /// A key and what is wrong with it.
    pub(super) fn new(key: impl Into<String>, message: impl Into<String>) -> Self {
        Self { key: key.into(), message: message.into(), origin: None }
    }

    /// The same, set there.
    #[must_use]
    pub(super) fn set_in(mut self, origin: Option<String>) -> Self {
        self.origin = self.origin.or(origin);
        self
    }
}

impl From<figment::Error> for ConfigError {
    fn from(error: figment::Error) -> Self {
        // Several errors are possible; one is enough to go on with.
        let Some(error) = error.into_iter().next() else { return Self::new("", "cannot be read") };
        let mut path = error.path.clone();
        let message = match &error.kind {
            Kind::UnknownField(name, known) => {
                if path.last() != Some(name) {
                    path.push(name.clone());
                }
                unknown(&path, known)
            }
            Kind::MissingField(name) => {
                path.push(name.to_string());
                "is missing".to_owned()
            }
            Kind::UnknownVariant(given, known) => {
                format!("must be one of {}, not {given:?}", known.join(", "))
            }
            Kind::InvalidType(actual, expected) | Kind::InvalidValue(actual, expected) => {
                if is_secret(&path) {
                    "must be a text in quotes".to_owned()
                } else {
                    format!("must be {expected}, not {}", plain(actual))
                }
            }
            Kind::Message(text) => one_line(text),
            other => one_line(&other.to_string()),
        };
        let origin = error.metadata.as_ref().and_then(|metadata| origin(metadata, &path));
        Self { key: path.join("."), message, origin }
    }
}

fn plain(actual: &Actual) -> String {
    match actual {
        Actual::Str(text) => format!("{text:?}"),
        Actual::Unsigned(number) => number.to_string(),
        Actual::Signed(number) => number.to_string(),
        Actual::Map => "a table".to_owned(),
        Actual::Seq => "a list".to_owned(),
        other => other.to_string(),
    }
}

/// A parser shows the line it stumbled over in the middle, which may hold a secret: only the first line (where) and
/// the last (what) are kept.
fn one_line(text: &str) -> String {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let first = lines.next().unwrap_or_default();
    lines.next_back().map_or_else(|| first.to_owned(), |last| format!("{first}: {last}"))
}

/// What is said of a key that does not exist.
fn unknown(path: &[String], here: &[&str]) -> String {
    let bare = |key: &str| key.replace(['.', '-', '_'], "");
    let given = bare(&path.join("."));
    let alike = KEYS.iter().find(|key| {
        let key = bare(key);
        key == given || (key.len() > 6 && (given.starts_with(&key) || key.starts_with(&given)))
    });
    match alike {
        Some(key) if given.len() > 6 => format!("is not a key; did you mean {key}?"),
        _ => format!("is not a key; known here: {}", here.join(", ")),
    }
}
