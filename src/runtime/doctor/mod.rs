//! The doctor: looks at everything a working setup needs, and says of each thing that is wrong what to do about it.
//!
//! It looks from outside, as the media server and the callers do, and changes nothing. Each check stands by itself and
//! yields one [`Finding`]; a check that cannot be made because of an earlier one says so instead of guessing.

mod media;
mod service;
mod store;
#[cfg(test)]
mod tests;

use std::fmt;

use serde::Serialize;

use super::config::Loaded;
use crate::domain::secret::Secret;

/// How grave a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// As it should be.
    Good,
    /// It works, but not as well as it could, or not for long.
    Warning,
    /// Broadcasts fail because of this.
    Failure,
}

/// What one check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at, e.g. `database`.
    pub check: String,
    /// How grave it is.
    pub severity: Severity,
    /// What was found.
    pub found: String,
    /// What to do about it; empty if there is nothing to do.
    pub advice: String,
}

impl Finding {
    fn good(check: impl Into<String>, found: impl Into<String>) -> Self {
        Self { check: check.into(), severity: Severity::Good, found: found.into(), advice: String::new() }
    }

    fn warning(check: impl Into<String>, found: impl Into<String>, advice: impl Into<String>) -> Self {
        let (check, found, advice) = (check.into(), found.into(), advice.into());
        Self { check, severity: Severity::Warning, found, advice }
    }

    fn failure(check: impl Into<String>, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { severity: Severity::Failure, ..Self::warning(check, found, advice) }
    }
}

impl fmt::Display for Finding {
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

/// What the checks need of the configuration and of the secrets in the database.
struct Patient<'a> {
    config: &'a Loaded,
    http: reqwest::Client,
    /// What media servers must show; unknown if the database could not be read.
    hook_secret: Option<Secret>,
}

/// Examines the setup. Ends within about a minute whatever is broken.
pub async fn examine(config: &Loaded, env: &[(std::ffi::OsString, std::ffi::OsString)]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let records = store::examine(config, env, &mut findings).await;
    let client = || reqwest::Client::builder().timeout(std::time::Duration::from_secs(5)).no_proxy();
    // A system without root certificates can still be looked at over plain HTTP.
    let http = client().build().or_else(|_| client().tls_certs_only([]).build());
    let Ok(http) = http else {
        findings.push(Finding::failure(
            "network",
            "no HTTP client could be made",
            "check the system's certificates",
        ));
        return findings;
    };
    let hook_secret = records.as_ref().and_then(|records| records.hook_secret.clone());
    let patient = Patient { config, http, hook_secret };
    let running = service::examine(&patient, &mut findings).await;
    for (name, server) in &config.config.media_servers {
        media::examine(&patient, records.as_ref(), running, name, server, &mut findings).await;
    }
    findings
}
