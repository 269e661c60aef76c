//! Checks of the running service: does it answer, is it Streamward, does it accept the hook secret, and is its clock
//! right?

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{Findings, Setup, Severity};
use crate::domain::Timestamp;

/// From this difference of clocks on, signed requests will soon fail.
pub(super) const SKEW_WARNING: Duration = Duration::from_secs(2);
/// From this difference of clocks on, expiry times and signatures are wrong.
pub(super) const SKEW_FAILURE: Duration = Duration::from_secs(30);

const TAKEN: &str = "stop the other program, or set http.listen to another address and port";

/// Returns whether Streamward answers at our address.
pub(super) async fn examine(setup: &Setup<'_>, findings: &mut Findings) -> bool {
    let url = setup.config.local_url();
    let listen = &setup.config.http.listen;
    let answer = match setup.http.get(format!("{url}/health")).send().await {
        Ok(answer) => answer,
        Err(error) => {
            if error.is_connect() {
                not_running(listen, findings).await;
            } else {
                let found = format!("a program listens on {listen} but does not answer");
                findings.failure("service", found, TAKEN);
            }
            return false;
        }
    };
    let date = date_of(&answer);
    let body: Value = answer.json().await.unwrap_or_default();
    let text = |field| body.get(field).and_then(Value::as_str);
    if text("type").is_some_and(|kind| kind.ends_with("unavailable")) {
        let advice = "see the check of the database above, and the log of the service";
        findings.failure("service", format!("answers on {listen}, but cannot use its database"), advice);
        return false;
    }
    if text("database").is_none() {
        findings.failure("service", format!("{listen} is taken by another program"), TAKEN);
        return false;
    }
    if text("database") == Some("damaged") {
        let advice = "stop it, and restore a backup with `streamward restore`";
        findings.failure("service", format!("answers on {listen}, but found its database damaged"), advice);
    } else {
        findings.good("service", format!("answers on {listen}"));
    }
    if let Some(date) = date {
        clock("clock of the service", date, now(), findings);
    }
    hook_secret(setup, &setup.config.local_media_url(), findings).await;
    true
}

async fn not_running(listen: &str, findings: &mut Findings) {
    match tokio::net::TcpListener::bind(listen).await {
        Ok(_) => {
            let advice = "start it: `streamward up`, or `streamward serve` beside a media server of your own";
            findings.warning("service", format!("is not running on {listen} (the port is free)"), advice);
        }
        Err(error) => {
            let found = format!("is not running, and cannot listen on {listen}: {error}");
            findings.failure("service", found, TAKEN);
        }
    }
}

/// Sends the service a request of a media server, with the hook secret of this configuration.
async fn hook_secret(setup: &Setup<'_>, url: &str, findings: &mut Findings) {
    let check = "hook secret";
    let Some(secret) = &setup.hook_secret else {
        let advice = "see the check of the database above";
        return findings.skipped(check, "is unknown, so it was not checked", advice);
    };
    // An action that does not exist is denied, but only to a client with the secret.
    let name = setup.config.media_servers.keys().next().map(ToString::to_string).unwrap_or_default();
    let request = setup.http.post(format!("{url}/auth?server={name}"));
    let request = request.basic_auth("streamward", Some(secret.expose()));
    let answer = request.json(&serde_json::json!({"action": "doctor"})).send().await;
    let problem: Value = match answer {
        Ok(answer) => answer.json().await.unwrap_or_default(),
        Err(_) => Value::Null,
    };
    match problem.get("type").and_then(Value::as_str) {
        Some("/problems/unauthenticated") => {
            let advice = "the running service has another hooks.secret, database or master key than this configuration: \
                          restart it, or run doctor with the environment and the --config of the service";
            findings.failure(check, "the running service does not accept it", advice);
        }
        Some(_) => findings.good(check, "is accepted by the running service"),
        None => {
            findings.warning(check, "the answer of the service cannot be read", "see the log of the service");
        }
    }
}

/// The time in the `Date` header.
pub(super) fn date_of(answer: &reqwest::Response) -> Option<Timestamp> {
    let text = answer.headers().get(reqwest::header::DATE)?.to_str().ok()?;
    let date = DateTime::parse_from_rfc2822(text).ok()?;
    Some(Timestamp::from_seconds(date.with_timezone(&Utc).timestamp()))
}

pub(super) fn now() -> Timestamp {
    use crate::ports::Clock as _;
    crate::adapters::system::SystemClock.now()
}

/// Compares a clock with ours. `Date` has whole seconds, so one second is no difference.
pub(super) fn clock(check: &str, theirs: Timestamp, ours: Timestamp, findings: &mut Findings) {
    let (apart, direction) =
        if theirs > ours { (theirs.since(ours), "ahead") } else { (ours.since(theirs), "behind") };
    if apart <= SKEW_WARNING {
        return findings.good(check, "agrees with the clock of this machine");
    }
    let severity = if apart >= SKEW_FAILURE { Severity::Failure } else { Severity::Warning };
    let advice = "synchronise the clocks (timedatectl set-ntp true, or chrony): the expiry of keys and signed requests \
                  depend on them";
    findings.add(severity, check, format!("is {:.1} s {direction}", apart.as_secs_f64()), advice);
}
