//! Findings, and what the checks need to make them.

use std::fmt::Display;

use crate::domain::finding::{Finding, Severity};
use crate::domain::secret::Secret;
use crate::runtime::config::Config;

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

    /// A check that could not be made.
    pub(super) fn skipped(&mut self, check: impl Display, found: impl Display, advice: impl Display) {
        self.add(Severity::Skipped, check, found, advice);
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
