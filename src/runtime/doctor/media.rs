//! Checks of a media server: does it answer, does it send us auth requests with the right secret, and do its hooks arrive?

use std::time::Duration;

use url::Url;

use super::service::{clock, date_of, now};
use super::srs;
use super::store::Records;
use super::{Findings, Setup};
use crate::domain::media_server::MediaServerName;
use crate::domain::secret::Secret;
use crate::domain::stream::Stream;
use crate::ports::{RemoteError, ServerSettings};
use crate::runtime::config::{DatabaseKind, MediaServer, MediaServerKind};
use crate::runtime::outside::connect;

/// How long after the start of a stream its hook may arrive.
const HOOK_DELAY: Duration = Duration::from_secs(30);
/// How long it may take to store that a hook arrived.
const STORE_DELAY: Duration = Duration::from_secs(10);

/// How long the hooks of a stream's start say something about the present setup.
const RECENT: Duration = Duration::from_secs(3_600);

/// Where authHTTPAddress should point when there are several instances.
const SEVERAL: &str = "with several instances it must name what outlives each of them: a virtual address (keepalived), a proxy beside \
     MediaMTX that goes to an instance which answers (HAProxy, nginx), or the one Streamward beside each MediaMTX; set hooks.url to \
     that, or give it with `streamward mediamtx-config --auth-url URL`";

const CONFIGURE: &str = "run `streamward up`, or write the output of `streamward mediamtx-config` to its mediamtx.yml and restart it";

/// Checks one media server.
pub(super) async fn examine(
    setup: &Setup<'_>,
    records: Option<&Records>,
    running: bool,
    name: &MediaServerName,
    server: &MediaServer,
    findings: &mut Findings,
) {
    let check = format!("media server {name}");
    let control = match (&server.control_secret, records) {
        (Some(given), _) => given.0.clone(),
        (None, Some(records)) => records.secret(&format!("media_servers.{name}.control_secret")).await,
        (None, None) => Secret::new(""),
    };
    let remote = match connect(server, control) {
        Ok(remote) => remote,
        Err(error) => {
            return findings.failure(check, format!("{error:#}"), "correct media_servers.<name>.api_url");
        }
    };
    if server.kind == MediaServerKind::Srs {
        return srs::examine(setup, records, (name, server), &remote, findings).await;
    }
    let api = server.api_url();
    match remote.info().await {
        Err(error) => unreachable(setup, check, api, (&error, running), findings),
        Ok(info) => {
            let version = info.version.unwrap_or_else(|| "an old version".into());
            findings.good(check, format!("{version} answers at {api}"));
            if let Ok(answer) = setup.http.get(api).send().await
                && let Some(date) = date_of(&answer)
            {
                clock(&format!("clock of {name}"), date, now(), findings);
            }
            match remote.settings().await {
                Ok(settings) => wiring(setup, name, &settings, findings),
                Err(error) => findings.warning(format!("auth of {name}"), error, CONFIGURE),
            }
        }
    }
    if let Some(records) = records {
        contact(name, records, findings);
    }
}

fn unreachable(
    setup: &Setup<'_>,
    check: String,
    api: &str,
    (error, running): (&RemoteError, bool),
    findings: &mut Findings,
) {
    let found = format!("{api}: {error}");
    match error {
        // Streamward decides who may use its control API. So one of the two secrets is wrong, or it does not reach Streamward.
        RemoteError::NotLetIn if running => {
            let advice = "it asks its authHTTPAddress who may use its control API, and got no answer or a refusal: the Streamward of that \
                          address is down, it is another program, or the hook secret in it is old. Write its mediamtx.yml again with \
                          `streamward mediamtx-config` and restart it";
            findings.failure(check, found, with_instances(setup, advice));
        }
        RemoteError::NotLetIn => {
            findings.warning(check, found, "start Streamward first: it allows the use of the control API");
        }
        _ => {
            let advice = "start MediaMTX (`streamward up` does), set `api: yes`, and check media_servers.<name>.api_url";
            findings.failure(check, found, advice);
        }
    }
}

fn wiring(setup: &Setup<'_>, name: &MediaServerName, settings: &ServerSettings, findings: &mut Findings) {
    let check = format!("auth of {name}");
    let ours = format!("{}/auth", setup.config.hooks_url());
    match &settings.auth_address {
        _ if settings.auth_method != "http" => {
            let method = &settings.auth_method;
            findings.failure(check, format!("its authMethod is `{method}`: anyone may publish"), CONFIGURE);
        }
        None => findings.failure(check, "its authHTTPAddress is empty", CONFIGURE),
        Some(address) if !same_place(address, &ours) => {
            let found = format!("its authHTTPAddress is {address}, but this Streamward is at {ours}");
            let advice = format!("{CONFIGURE}; or set hooks.url if both are the same place");
            findings.failure(check, found, with_instances(setup, &advice));
        }
        Some(_) => findings.good(check, format!("its authHTTPAddress is {ours}")),
    }
    if !settings.hooks {
        let found = "it has none: only polling finds streams, up to 2 s later";
        findings.warning(format!("hooks of {name}"), found, CONFIGURE);
    }
}

/// With PostgreSQL there may be more than one instance.
fn with_instances(setup: &Setup<'_>, advice: &str) -> String {
    match setup.config.database_kind() {
        DatabaseKind::Postgres(_) => format!("{advice}. About the address: {SEVERAL}"),
        DatabaseKind::Sqlite(_) => advice.to_owned(),
    }
}

/// Whether auth requests and hooks of the media server arrive.
fn contact(name: &MediaServerName, records: &Records, findings: &mut Findings) {
    let Some(status) = records.servers.iter().find(|status| status.name == *name) else { return };
    if status.last_auth.is_none() {
        let advice = "this is fine if nobody has published or watched yet; otherwise check authHTTPAddress and the network";
        findings.warning(format!("auth of {name}"), "it has never sent an auth request", advice);
    }
    // A hook that has just arrived may not be stored yet.
    let is_stored = |stream: &&Stream| now().since(stream.started_at) >= STORE_DELAY;
    let last = records.last_stream.as_ref().filter(|stream| stream.media_server == *name);
    let Some(stream) = last.filter(is_stored) else { return };
    if status.last_hook.is_some_and(|hook| hook.plus(HOOK_DELAY) >= stream.started_at) {
        findings.good(format!("hooks of {name}"), "arrive");
    } else if now().since(stream.started_at) >= RECENT {
        // What happened then says nothing about the setup of now.
        let found = "no stream has started lately: the next one shows whether they arrive";
        findings.good(format!("hooks of {name}"), found);
    } else {
        let found = format!("none arrived for the stream that started at {}", stream.started_at);
        let advice = "run the command of its runOnReady (runOnAvailable) by hand on its machine, and see the log: the \
                      program must exist, find the hook secret, and reach hooks.url";
        findings.warning(format!("hooks of {name}"), found, advice);
    }
}

/// Whether two addresses are the same. All names of this machine count as one.
pub(in crate::runtime) fn same_place(one: &str, other: &str) -> bool {
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
