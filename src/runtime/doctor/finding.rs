//! Findings, and what the checks need to make them.

use std::fmt::{self, Display};

use serde::Serialize;

use crate::domain::secret::Secret;
use crate::runtime::config::Config;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// No fault.
    Good,
    /// It works, but not well or not for long.
    Warning,
    /// Broadcasts fail because of it.
    Failure,
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

impl Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match self.severity {
            Severity::Good => "ok  ",
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

/// The findings so far.
#[derive(Default)]
pub(super) struct Findings(pub(super) Vec<Finding>);

impl Findings {
    pub(super) fn good(&mut self, check: impl Display, found: impl Display) {
        self.add(Severity::Good, check, found, "");
    }

    pub(super) fn warning(&mut self, check: impl Display, found: impl Display, advice: impl Display) {
        self.add(Severity::Warning, check, found, advice);
    }

    pub(super) fn failure(&mut self, check: impl Display, found: impl Display, advice: impl Display) {
        self.add(Severity::Failure, check, found, advice);
    }

    pub(super) fn add(
        &mut self,
        severity: Severity,
        check: impl Display,
        found: impl Display,
        advice: impl Display,
    ) {
        let [check, found, advice] = [check.to_string(), found.to_string(), advice.to_string()];
        self.0.push(Finding { check, severity, found, advice });
    }
}

/// What the checks need of the configuration and of the secrets in the database.
pub(super) struct Setup<'a> {
    pub(super) config: &'a Config,
    pub(super) http: reqwest::Client,
    /// The secret that media servers must send. Unknown if the database cannot be read.
    pub(super) hook_secret: Option<Secret>,
}
