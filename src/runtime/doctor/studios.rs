//! Checks of studios: whether their OBS answers and takes the password.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;

use super::Findings;
use super::store::Records;
use crate::domain::access::Scope;
use crate::domain::studio::StudioName;
use crate::ports::{Disconnect, ObsControl, ObsSignal, OrganizationStore as _};
use crate::runtime::config::{Config, Studio};
use crate::runtime::studios;

/// How long OBS may take to answer.
const LIMIT: Duration = Duration::from_secs(6);

/// Checks each of them.
pub(super) async fn examine(config: &Config, records: Option<&Records>, findings: &mut Findings) {
    for (name, studio) in &config.studios {
        if let Some(records) = records {
            examine_owner(name, studio, records, findings).await;
        }
        examine_one(name, studio, findings).await;
    }
}

/// Whether its organization exists. Otherwise only callers of the whole installation see it.
async fn examine_owner(name: &StudioName, studio: &Studio, records: &Records, findings: &mut Findings) {
    let id = studio.organization;
    if let Ok(None) = records.store.organization(&Scope::system(), id).await {
        let advice =
            format!("correct studios.{name}.organization: `streamward organization list` has the ids");
        findings.failure(format!("studio {name}"), format!("there is no organization {id}"), advice);
    }
}

async fn examine_one(name: &StudioName, studio: &Studio, findings: &mut Findings) {
    let check = format!("studio {name}");
    let address = studio.websocket_url.as_deref().unwrap_or_default();
    let obs = match studios::obs(studio) {
        Ok(obs) => obs,
        Err(error) => {
            let advice = format!("set studios.{name}.websocket_url, such as ws://127.0.0.1:4455");
            return findings.failure(&check, format!("{error:#}"), advice);
        }
    };
    match first_signal(&obs).await {
        Some(Ok(version)) => findings.good(&check, format!("OBS {version} answers at {address}")),
        Some(Err(reason)) => {
            findings.failure(&check, format!("{address}: {reason}"), advice(name, &reason));
        }
        None => {
            let found = format!("{address}: OBS does not answer within {} s", LIMIT.as_secs());
            findings.failure(&check, found, advice(name, &Disconnect::Unresponsive));
        }
    }
    if studio.platform.url.is_none() || studio.platform.key.is_none() {
        let found = "no platform and key are configured: it is only watched";
        let advice = format!("set studios.{name}.platform.url and studios.{name}.platform.key_file");
        findings.warning(&check, found, advice);
    }
    if studio.content.failover_video.is_none() {
        let found = "there is no failover content: it is not started";
        findings.warning(&check, found, format!("set studios.{name}.content.failover_video"));
    }
}

/// The version of OBS, or why there is no connection; `None` if that is not clear in time.
async fn first_signal(obs: &dyn ObsControl) -> Option<Result<String, Disconnect>> {
    let (sender, mut signals) = mpsc::channel(8);
    let mut last = None;
    let connected = async {
        while let Some(signal) = signals.recv().await {
            match signal {
                ObsSignal::Connected(version) => return Some(Ok(version.studio)),
                // It may be ready in a moment.
                ObsSignal::Disconnected(reason @ (Disconnect::Opening | Disconnect::Loading)) => {
                    last = Some(reason);
                }
                ObsSignal::Disconnected(reason) => return Some(Err(reason)),
                ObsSignal::Event(_) | ObsSignal::EventsLost => {}
            }
        }
        None
    };
    tokio::select! {
        () = obs.run(sender) => None,
        found = timeout(LIMIT, connected) => match found {
            Ok(found) => found,
            Err(_) => last.map(Err),
        },
    }
}

fn advice(name: &StudioName, reason: &Disconnect) -> String {
    match reason {
        Disconnect::PasswordRequired | Disconnect::WrongPassword => {
            format!(
                "set studios.{name}.password_file to a file with the password that OBS shows (Tools, WebSocket Server Settings, Show Connect Info)"
            )
        }
        Disconnect::UnsupportedVersion => "install OBS 28 or later".to_owned(),
        Disconnect::Unresponsive | Disconnect::Loading => {
            "wait until OBS has started; if it hangs, end it and start it again".to_owned()
        }
        Disconnect::Opening | Disconnect::Unreachable(_) | Disconnect::Kicked | Disconnect::Closed(_) => {
            format!(
                "start OBS, turn on its WebSocket server (Tools, WebSocket Server Settings), and compare the port with studios.{name}.websocket_url"
            )
        }
    }
}
