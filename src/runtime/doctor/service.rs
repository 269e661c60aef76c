//! Checks of the running Streamward: is it there, is it us, does it know the secret that media servers show, and is its
//! clock right?

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{Finding, Patient};
use crate::domain::Timestamp;

/// A difference of clocks that makes signed requests fail soon.
pub(super) const SKEW_WARNING: Duration = Duration::from_secs(2);
/// A difference of clocks at which expiry times and signatures go wrong.
pub(super) const SKEW_FAILURE: Duration = Duration::from_secs(30);

/// Adds what is found; returns whether a Streamward answers at our address.
pub(super) async fn examine(patient: &Patient<'_>, findings: &mut Vec<Finding>) -> bool {
    let url = patient.config.config.local_url();
    let listen = &patient.config.config.http.listen;
    match patient.http.get(format!("{url}/health")).send().await {
        Err(error) if error.is_connect() => {
            findings.push(not_running(listen).await);
            false
        }
        Err(_) => {
            findings.push(Finding::failure(
                "service",
                format!("something listens on {listen} and does not answer"),
                TAKEN,
            ));
            false
        }
        Ok(answer) => {
            let date = date_of(&answer);
            let body: Option<Value> = answer.json().await.ok();
            let database = body.as_ref().and_then(|body| body.get("database")).and_then(Value::as_str);
            let Some(database) = database else {
                findings.push(Finding::failure(
                    "service",
                    format!("{listen} is taken by another program"),
                    TAKEN,
                ));
                return false;
            };
            findings.push(if database == "ok" {
                Finding::good("service", format!("answers on {listen}"))
            } else {
                let advice = "see the check of the database above, and the service's log";
                Finding::failure("service", format!("answers on {listen}, but has no database"), advice)
            });
            findings.extend(date.map(|date| clock("clock of the service", date, now())));
            findings.push(hook_secret(patient, &url).await);
            true
        }
    }
}

const TAKEN: &str = "stop the other program, or set http.listen to another address and port";

async fn not_running(listen: &str) -> Finding {
    match tokio::net::TcpListener::bind(listen).await {
        Ok(_) => {
            let advice = "start it: `streamward up`, or `streamward serve` beside a media server of your own";
            Finding::warning("service", format!("is not running on {listen} (the port is free)"), advice)
        }
        Err(error) => Finding::failure(
            "service",
            format!("is not running, and cannot listen on {listen}: {error}"),
            TAKEN,
        ),
    }
}

/// Asks what a media server would ask, with the secret this configuration has.
async fn hook_secret(patient: &Patient<'_>, url: &str) -> Finding {
    let check = "hook secret";
    let Some(secret) = &patient.hook_secret else {
        return Finding::warning(
            check,
            "is not known here, so it was not tried",
            "see the check of the database above",
        );
    };
    // An action that nobody has: it is denied, but only to those who may ask.
    let name = patient.config.config.media_servers.keys().next().map(ToString::to_string).unwrap_or_default();
    let asked = patient
        .http
        .post(format!("{url}/auth?server={name}"))
        .basic_auth("streamward", Some(secret.expose()))
        .json(&serde_json::json!({"action": "doctor"}))
        .send()
        .await;
    let problem: Option<Value> = match asked {
        Ok(answer) => answer.json().await.ok(),
        Err(_) => None,
    };
    match problem.as_ref().and_then(|p| p.get("type")).and_then(Value::as_str) {
        Some("/problems/unauthenticated") => {
            let advice = "the running service has another hooks.secret, database or master key than this configuration: \
                          restart it, or run doctor with the service's environment and --config";
            Finding::failure(check, "the running service does not accept it", advice)
        }
        Some(_) => Finding::good(check, "is the one the running service knows"),
        None => {
            Finding::warning(check, "the service gave no answer that could be read", "see the service's log")
        }
    }
}

/// The time in an answer's `Date` header.
pub(super) fn date_of(answer: &reqwest::Response) -> Option<Timestamp> {
    let text = answer.headers().get(reqwest::header::DATE)?.to_str().ok()?;
    let date = DateTime::parse_from_rfc2822(text).ok()?;
    Some(Timestamp::from_seconds(date.with_timezone(&Utc).timestamp()))
}

pub(super) fn now() -> Timestamp {
    use crate::ports::Clock as _;
    crate::adapters::system::SystemClock.now()
}

/// Compares a clock with ours. `Date` has whole seconds, so a second is no difference.
pub(super) fn clock(check: &str, theirs: Timestamp, ours: Timestamp) -> Finding {
    let (apart, which) =
        if theirs > ours { (theirs.since(ours), "ahead") } else { (ours.since(theirs), "behind") };
    let found = format!("is {:.1} s {which}", apart.as_secs_f64());
    let advice = "synchronise the clocks (timedatectl set-ntp true, or chrony): keys expire and signed requests are \
                  checked by the clock";
    if apart >= SKEW_FAILURE {
        Finding::failure(check, found, advice)
    } else if apart > SKEW_WARNING {
        Finding::warning(check, found, advice)
    } else {
        Finding::good(check, "agrees with this machine's")
    }
}
