//! What a check of the installation found.

use std::fmt::{self, Display};

use serde::Serialize;
use strum::IntoStaticStr;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, IntoStaticStr)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// No fault.
    #[strum(serialize = "ok")]
    Good,
    /// It was not checked, because something else is missing.
    #[strum(serialize = "skip")]
    Skipped,
    /// It works, but not well or not for long.
    #[strum(serialize = "warn")]
    Warning,
    /// Broadcasts fail because of it.
    #[strum(serialize = "fail")]
    Failure,
}

impl Severity {
    /// In one short word.
    pub fn word(self) -> &'static str {
        self.into()
    }
}

/// The result of a check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The subject of the check, e.g. `database`.
    pub check: String,
    /// How bad it is.
    pub severity: Severity,
    /// The result.
    pub found: String,
    /// The remedy; empty if none is needed.
    pub advice: String,
}

impl Finding {
    /// Names the check in programs and links, e.g. `media-server-default`. It does not depend on what was found.
    pub fn id(&self) -> String {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { ' ' };
        let words: String = self.check.chars().map(plain).collect();
        words.split_whitespace().collect::<Vec<_>>().join("-")
    }
}

impl Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match self.severity {
            Severity::Good => "ok  ",
            Severity::Skipped => "skip",
            Severity::Warning => "warn",
            Severity::Failure => "FAIL",
        };
        write!(f, "{mark}  {:<24} {}", self.check, self.found)?;
        if !self.advice.is_empty() {
            write!(f, "\n      {:<24} → {}", "", self.advice)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_has_the_same_id_whatever_it_finds() {
        for (check, id) in [
            ("database", "database"),
            ("media server eu-1", "media-server-eu-1"),
            ("HTTP API of default", "http-api-of-default"),
            ("clock of the service", "clock-of-the-service"),
        ] {
            let finding = |severity, found: &str| Finding {
                check: check.into(),
                severity,
                found: found.into(),
                advice: String::new(),
            };
            assert_eq!(finding(Severity::Good, "is fine").id(), id);
            assert_eq!(finding(Severity::Failure, "is gone").id(), id);
        }
    }
}
