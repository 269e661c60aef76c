//! Checks of a media server: does it answer, does it ask us, with the right secret, and do its hooks arrive?

use std::time::Duration;

use url::Url;

use super::service::{clock, date_of, now};
use super::store::Records;
use super::{Finding, Patient};
use crate::adapters::mediamtx::MediaMtx;
use crate::domain::media_server::{MediaServerName, MediaServerStatus};
use crate::domain::secret::Secret;
use crate::domain::stream::Stream;
use crate::ports::{MediaServer as _, RemoteError, ServerSettings};
use crate::runtime::config::MediaServer;

/// How long after a stream's start its hook may arrive.
const HOOK_GRACE: Duration = Duration::from_secs(30);
/// How long it may take until it is written down that a hook arrived.
const NOTED: Duration = Duration::from_secs(10);

const WIRE: &str = "run `streamward up`, or write what `streamward mediamtx-config` prints to its mediamtx.yml and restart it";

/// Adds what is found about one media server.
pub(super) async fn examine(
    patient: &Patient<'_>,
    records: Option<&Records>,
    running: bool,
    name: &MediaServerName,
    server: &MediaServer,
    findings: &mut Vec<Finding>,
) {
    let check = format!("media server {name}");
    let Ok(api) = Url::parse(server.api_url()) else {
        findings.push(Finding::failure(
            check,
            "its api_url is no URL",
            "correct media_servers.<name>.api_url",
        ));
        return;
    };
    let configured = server.control_secret.as_ref().map(|given| given.0.clone());
    let control = match (configured, records) {
        (Some(secret), _) => secret,
        (None, Some(records)) => records
            .secret(&format!("media_servers.{name}.control_secret"))
            .await
            .unwrap_or_else(|| Secret::new("")),
        (None, None) => Secret::new(""),
    };
    let remote = match MediaMtx::new(&api, control) {
        Ok(remote) => remote,
        Err(error) => {
            findings.push(Finding::failure(check, error.to_string(), WIRE));
            return;
        }
    };
    match remote.info().await {
        Err(error) => findings.push(unreachable(&check, &api, &error, running)),
        Ok(info) => {
            let version = info.version.unwrap_or_else(|| "an old version".into());
            findings.push(Finding::good(check, format!("{version} answers at {}", shown(&api))));
            if let Ok(answer) = patient.http.get(api.clone()).send().await
                && let Some(date) = date_of(&answer)
            {
                findings.push(clock(&format!("clock of {name}"), date, now()));
            }
            match remote.settings().await {
                Ok(settings) => wiring(patient, name, &settings, findings),
                Err(error) => {
                    findings.push(Finding::warning(format!("auth of {name}"), error.to_string(), WIRE));
                }
            }
        }
    }
    if let Some(records) = records {
        let known = records.servers.iter().find(|status| status.name == *name);
        contact(name, known, records, findings);
    }
}

fn unreachable(check: &str, api: &Url, error: &RemoteError, running: bool) -> Finding {
    let found = format!("{}: {error}", shown(api));
    match error {
        // It asks Streamward whether its own control API may be used; so this is one of the two secrets.
        RemoteError::Unauthorised if running => Finding::failure(
            check,
            found,
            "its configuration has an old hook secret, or asks somebody else than this Streamward: print it anew with \
             `streamward mediamtx-config` and restart it",
        ),
        RemoteError::Unauthorised => {
            Finding::warning(check, found, "start Streamward first: it answers for the control API")
        }
        _ => Finding::failure(
            check,
            found,
            "start MediaMTX (`streamward up` does), set `api: yes`, and check media_servers.<name>.api_url",
        ),
    }
}

fn wiring(
    patient: &Patient<'_>,
    name: &MediaServerName,
    settings: &ServerSettings,
    findings: &mut Vec<Finding>,
) {
    let check = format!("auth of {name}");
    let ours = format!("{}/auth", patient.config.config.hooks_url());
    findings.push(match &settings.auth_address {
        _ if settings.auth_method != "http" => {
            let found =
                format!("its authMethod is `{}`: it never asks, anyone may publish", settings.auth_method);
            Finding::failure(check, found, WIRE)
        }
        None => Finding::failure(check, "its authHTTPAddress is empty", WIRE),
        Some(address) if !same_place(address, &ours) => {
            let found = format!("it asks {address}, and this Streamward is at {ours}");
            Finding::failure(check, found, format!("{WIRE}; or set hooks.url if both are the same place"))
        }
        Some(_) => Finding::good(check, format!("it asks {ours}")),
    });
    if !settings.hooks {
        let found = "its configuration has none: streams are noticed by polling alone, up to 2 s later";
        findings.push(Finding::warning(format!("hooks of {name}"), found, WIRE));
    }
}

/// What it really did, as against what its configuration says.
fn contact(
    name: &MediaServerName,
    known: Option<&MediaServerStatus>,
    records: &Records,
    findings: &mut Vec<Finding>,
) {
    let Some(status) = known else { return };
    if status.last_auth.is_none() {
        let found = "it has never asked for a decision";
        let advice = "if nobody has published or watched yet, that is fine; otherwise check authHTTPAddress and the network";
        findings.push(Finding::warning(format!("auth of {name}"), found, advice));
    }
    // What has just arrived is not written down yet.
    let writes = |stream: &&Stream| now().since(stream.started_at) >= NOTED;
    let last = records.last_stream.as_ref().filter(|stream| stream.media_server == *name);
    let Some(stream) = last.filter(writes) else { return };
    let told = status.last_hook.is_some_and(|hook| hook.plus(HOOK_GRACE) >= stream.started_at);
    findings.push(if told {
        Finding::good(format!("hooks of {name}"), "arrive")
    } else {
        let found = format!("none arrived for the stream that started at {}", stream.started_at);
        let advice = "run what its runOnReady (runOnAvailable) says by hand on its machine, and see the log: the program \
                      must be there, find the hook secret, and reach hooks.url";
        Finding::warning(format!("hooks of {name}"), found, advice)
    });
}

/// Whether two addresses mean the same: the names of this machine are one.
fn same_place(one: &str, other: &str) -> bool {
    let place = |text: &str| {
        let url = Url::parse(text).ok()?;
        let host = match url.host_str()? {
            "localhost" | "[::1]" => "127.0.0.1".to_owned(),
            host => host.to_owned(),
        };
        Some((host, url.port_or_known_default(), url.path().to_owned()))
    };
    place(one).is_some() && place(one) == place(other)
}

/// The address without what may be secret in it.
fn shown(url: &Url) -> String {
    format!(
        "{}://{}:{}",
        url.scheme(),
        url.host_str().unwrap_or_default(),
        url.port_or_known_default().unwrap_or_default()
    )
}

#[cfg(test)]
pub(super) fn same_place_for_tests(one: &str, other: &str) -> bool {
    same_place(one, other)
}
