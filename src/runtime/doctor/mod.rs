//! `streamward doctor`: checks everything that a working setup needs, and advises how to repair each fault.
//!
//! It checks from outside, as media servers and API clients do, and changes nothing. Each check adds one [`Finding`], also
//! when it is not possible because an earlier one failed.

mod media;
mod service;
mod store;
#[cfg(test)]
mod tests;

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::config::Loaded;
use crate::domain::secret::Secret;

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
    /// What was checked, e.g. `database`.
    pub check: String,
    /// How bad it is.
    pub severity: Severity,
    /// What was found.
    pub found: String,
    /// What to do; empty if there is nothing to do.
    pub advice: String,
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

/// The findings so far.
#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn good(&mut self, check: impl Into<String>, found: impl Into<String>) {
        self.add(Severity::Good, check, found, "");
    }

    fn warning(&mut self, check: impl Into<String>, found: impl Into<String>, advice: impl Into<String>) {
        self.add(Severity::Warning, check, found, advice);
    }

    fn failure(&mut self, check: impl Into<String>, found: impl Into<String>, advice: impl Into<String>) {
        self.add(Severity::Failure, check, found, advice);
    }

    fn add(
        &mut self,
        severity: Severity,
        check: impl Into<String>,
        found: impl Into<String>,
        advice: impl Into<String>,
    ) {
        let (check, found, advice) = (check.into(), found.into(), advice.into());
        self.0.push(Finding { check, severity, found, advice });
    }
}

/// What the checks need of the configuration and of the secrets in the database.
struct Setup<'a> {
    config: &'a Loaded,
    http: reqwest::Client,
    /// The secret that media servers must send. Unknown if the database cannot be read.
    hook_secret: Option<Secret>,
}

/// Checks the setup. Ends within about a minute in any case.
pub async fn examine(config: &Loaded, env: &[(std::ffi::OsString, std::ffi::OsString)]) -> Vec<Finding> {
    let mut findings = Findings::default();
    let records = store::examine(config, env, &mut findings).await;
    let client = || reqwest::Client::builder().timeout(Duration::from_secs(5)).no_proxy();
    // Without root certificates, plain HTTP can still be checked.
    let http = client().build().or_else(|_| client().tls_certs_only([]).build());
    let Ok(http) = http else {
        findings.failure("network", "no HTTP client can be built", "check the certificates of the system");
        return findings.0;
    };
    let hook_secret = records.as_ref().and_then(|records| records.hook_secret.clone());
    let setup = Setup { config, http, hook_secret };
    let running = service::examine(&setup, &mut findings).await;
    for (name, server) in &config.config.media_servers {
        media::examine(&setup, records.as_ref(), running, name, server, &mut findings).await;
    }
    findings.0
}
