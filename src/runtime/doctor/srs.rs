//! Checks of an SRS: does it answer, is its HTTP API closed, do its callbacks reach us in time, and who publishes there?
//!
//! SRS does not say how it is configured, so this checks what it does.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::store::Records;
use super::{Findings, Setup};
use crate::domain::media_server::{MediaServerName, Snapshot};
use crate::ports::{MediaServer, RemoteError};
use crate::runtime::config::MediaServer as MediaServerConfig;
use crate::runtime::media_config::is_here;

/// From this on, an answer to a callback is slow.
const SLOW: Duration = Duration::from_millis(500);

const CONFIGURE: &str =
    "write the output of `streamward srs-config` to its srs.conf and restart it (only SRS 5 and later)";

/// Checks one SRS.
pub(super) async fn examine(
    setup: &Setup<'_>,
    records: Option<&Records>,
    (name, server): (&MediaServerName, &MediaServerConfig),
    remote: &Arc<dyn MediaServer>,
    findings: &mut Findings,
) {
    let check = format!("media server {name}");
    let api = server.api_url();
    match remote.snapshot().await {
        Err(error) => unreachable(check, api, &error, findings),
        Ok(seen) => {
            let version = seen.version.as_deref().unwrap_or("SRS");
            findings.good(check, format!("{version} answers at {api}"));
            if is_old(version) {
                let found = format!("{version} is too old: its HTTP API has no password");
                findings.failure(format!("version of {name}"), found, "install SRS 5 or later");
            }
            let status = records.and_then(|records| records.servers.iter().find(|one| one.name == *name));
            publishers(name, &seen, status.is_some_and(|status| status.last_auth.is_some()), findings);
        }
    }
    closed(setup, name, api, findings).await;
    callbacks(setup, name, findings).await;
}

fn unreachable(check: String, api: &str, error: &RemoteError, findings: &mut Findings) {
    let found = format!("{api}: {error}");
    let advice = match error {
        RemoteError::Unauthorised => {
            "its user is not `streamward`, or its password is not the control secret: write the output of `streamward srs-config` to \
             its srs.conf and restart it"
        }
        _ => "start SRS with the output of `streamward srs-config`, and check media_servers.<name>.api_url",
    };
    findings.failure(check, found, advice);
}

/// Whether a version such as `SRS 4.0.271` is older than 5.
fn is_old(version: &str) -> bool {
    let major =
        version.trim_start_matches("SRS ").split('.').next().and_then(|major| major.parse::<u32>().ok());
    major.is_some_and(|major| major < 5)
}

/// Whoever is in the HTTP API can end streams, and sees paths that are stream keys.
async fn closed(setup: &Setup<'_>, name: &MediaServerName, api: &str, findings: &mut Findings) {
    let check = format!("HTTP API of {name}");
    let address = format!("{}/api/v1/versions", api.trim_end_matches('/'));
    let Ok(answer) = setup.http.get(address).send().await else { return };
    if !answer.status().is_success() {
        return findings.good(check, "needs its password");
    }
    let found =
        "answers without a password: who reaches it can end streams, and sees paths that are stream keys";
    if is_here(api) {
        findings.warning(check, found, CONFIGURE);
    } else {
        findings.failure(check, found, CONFIGURE);
    }
}

/// Calls us as SRS does. It refuses every client while it gets no answer, and late answers have crashed it.
async fn callbacks(setup: &Setup<'_>, name: &MediaServerName, findings: &mut Findings) {
    let check = format!("callbacks of {name}");
    let Some(secret) = &setup.hook_secret else {
        let advice = "see the check of the database above";
        return findings.skipped(check, "the hook secret is unknown, so they were not checked", advice);
    };
    let url = setup.config.hooks_url();
    let query = [("server", name.as_str()), ("secret", secret.expose())];
    let request = setup.http.post(format!("{url}/srs/on_connect")).query(&query).body("{}");
    let started = Instant::now();
    let code = match request.send().await {
        Ok(answer) => answer.json::<Value>().await.ok().and_then(|body| body.get("code")?.as_i64()),
        Err(_) => None,
    };
    let took = started.elapsed();
    match code {
        Some(0) if took < SLOW => {
            findings.good(check, format!("are answered at {url}, in {} ms", took.as_millis()));
        }
        Some(0) => {
            let found = format!("are answered at {url}, but after {} ms", took.as_millis());
            let advice = "SRS waits for each answer, and slow ones have crashed it: run Streamward nearer to it, on a machine with \
                          less load";
            findings.warning(check, found, advice);
        }
        _ => {
            let found =
                format!("are not answered at {url}: SRS refuses everybody who wants to publish or watch");
            findings.failure(check, found, "start Streamward, and check hooks.url and the network");
        }
    }
}

/// Who publishes shows whether SRS has callbacks, and whether it drops those who send nothing.
fn publishers(name: &MediaServerName, seen: &Snapshot, has_called: bool, findings: &mut Findings) {
    let publishing = seen.paths.iter().filter(|path| path.source.is_some());
    let (sending, silent): (Vec<_>, Vec<_>) = publishing.partition(|path| path.live);
    let check = format!("auth of {name}");
    if has_called {
        findings.good(check, "it sends auth requests");
    } else if !sending.is_empty() {
        let found =
            format!("{} publish, but it has never sent an auth request: anyone may publish", sending.len());
        findings.failure(check, found, CONFIGURE);
    } else {
        let advice =
            "this is fine if nobody has published or watched yet; otherwise check http_hooks in its srs.conf";
        findings.warning(check, "it has never sent an auth request", advice);
    }
    if !silent.is_empty() {
        let found = format!("{} of them send nothing, and keep their keys in use", silent.len());
        let advice = "SRS ends them after one to two times publish.firstpkt_timeout (20 s by default); end them at once with \
                      `streamward stream end`, and lower it: see `streamward srs-config`";
        findings.warning(format!("publishers of {name}"), found, advice);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_before_5_are_old() {
        assert!(is_old("SRS 4.0.271") && is_old("SRS 3.0"));
        for fine in ["SRS 5.0.213", "SRS 7.0.18", "SRS", ""] {
            assert!(!is_old(fine), "{fine}");
        }
    }
}
