//! Relays: a public path that pulls the stream of a private path, on demand and over RTSP on loopback.

use std::sync::Mutex;
use std::time::Duration;

use reqwest::{Method, StatusCode};
use tokio::time::Instant;

use super::api::{Api, encode_name, encode_part};
use super::dto::{GlobalConf, PathConf, RelayConf};
use crate::domain::media_server::Relay;
use crate::domain::path::StreamPath;
use crate::domain::secret::{Secret, mask_keys};
use crate::ports::{RelayRemoval, RemoteError};

/// How long a viewer waits for the private path. That path is live as long as there is a relay, so this only limits a race.
const START_TIMEOUT: &str = "5s";
/// How long the RTSP address of the media server is cached: long enough to restore a thousand relays after its restart,
/// short enough to apply a change of its configuration file.
const ADDRESS_LIFETIME: Duration = Duration::from_secs(2);
/// The user name of relays. Only the password matters.
const USER: &str = "streamward";

/// Address and transport for the media server to read from itself.
#[derive(Clone)]
struct Target {
    address: String,
    transport: Option<&'static str>,
}

/// Creates relays.
#[derive(Default)]
pub(super) struct Relays {
    target: Mutex<Option<(Instant, Target)>>,
}

impl Relays {
    pub(super) async fn ensure(&self, api: &Api, relay: &Relay, secret: &Secret) -> Result<(), RemoteError> {
        let target = self.target(api).await?;
        let source = format!(
            "rtsp://{USER}:{}@{}/{}",
            encode_part(secret.expose()),
            target.address,
            encode_name(relay.private.expose())
        );
        let conf = RelayConf {
            source: &source,
            source_on_demand: true,
            source_on_demand_start_timeout: START_TIMEOUT,
            rtsp_transport: target.transport,
        };
        let name = encode_name(relay.public.as_str());
        let added = api.post("config/paths/add", &format!("/v3/config/paths/add/{name}"), &conf).await?;
        if added.status != StatusCode::BAD_REQUEST {
            return added.ok().map(drop);
        }
        // 400 is the answer if the path exists already, and for any other error.
        match existing(api, &name).await? {
            None => added.ok().map(drop),
            Some(existing) if existing.source == source => Ok(()),
            Some(existing) if is_ours(&existing) => {
                let replace = format!("/v3/config/paths/replace/{name}");
                api.post("config/paths/replace", &replace, &conf).await?.ok().map(drop)
            }
            Some(_) => Err(RemoteError::Unsupported(format!(
                "the path {} has a configuration entry of the operator: remove it from mediamtx.yml, or use another path",
                relay.public
            ))),
        }
    }

    /// The RTSP address at which the media server reaches itself.
    async fn target(&self, api: &Api) -> Result<Target, RemoteError> {
        let known = self.target.lock().ok().and_then(|known| known.clone());
        if let Some((at, target)) = known
            && at.elapsed() < ADDRESS_LIFETIME
        {
            return Ok(target);
        }
        let target = target_of(&api.get("config/global/get", "/v3/config/global/get").await?)?;
        if let Ok(mut known) = self.target.lock() {
            *known = Some((Instant::now(), target.clone()));
        }
        Ok(target)
    }
}

pub(super) async fn remove(api: &Api, public: &StreamPath) -> Result<RelayRemoval, RemoteError> {
    let name = encode_name(public.as_str());
    match existing(api, &name).await? {
        None => Ok(RelayRemoval::Gone),
        Some(existing) if is_ours(&existing) => {
            let request = api.request(Method::DELETE, &format!("/v3/config/paths/delete/{name}"));
            api.send("config/paths/delete", request).await?.found()?;
            Ok(RelayRemoval::Gone)
        }
        Some(_) => Ok(RelayRemoval::NotOurs),
    }
}

async fn existing(api: &Api, name: &str) -> Result<Option<PathConf>, RemoteError> {
    let request = api.request(Method::GET, &format!("/v3/config/paths/get/{name}"));
    api.send("config/paths/get", request).await?.found()?.map(|answer| answer.json()).transpose()
}

/// Only our relays have a stream key in their source.
fn is_ours(conf: &PathConf) -> bool {
    mask_keys(&conf.source) != conf.source
}

fn target_of(conf: &GlobalConf) -> Result<Target, RemoteError> {
    let unsupported = |why: &str| RemoteError::Unsupported(format!("relays need RTSP, and {why}"));
    if !conf.rtsp {
        return Err(unsupported("it is switched off: set `rtsp: yes` in mediamtx.yml"));
    }
    if conf.rtsp_encryption == "strict" {
        return Err(unsupported("it is encrypted only: set `rtspEncryption: optional` in mediamtx.yml"));
    }
    let (host, port) = conf
        .rtsp_address
        .rsplit_once(':')
        .filter(|(_, port)| port.parse::<u16>().is_ok_and(|port| port > 0))
        .ok_or_else(|| unsupported("rtspAddress in mediamtx.yml has no port"))?;
    // An address for all interfaces includes loopback. A secret in clear may be sent over loopback only.
    let host = if matches!(host, "" | "0.0.0.0" | "[::]") { "127.0.0.1" } else { host };
    let tcp = conf.rtsp_transports.as_ref().is_none_or(|all| all.iter().any(|t| t == "tcp"));
    Ok(Target { address: format!("{host}:{port}"), transport: tcp.then_some("tcp") })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(json: &str) -> Result<String, RemoteError> {
        target_of(&serde_json::from_str(json).unwrap()).map(|t| format!("{} {:?}", t.address, t.transport))
    }

    #[test]
    fn rtsp_address_is_one_that_the_media_server_reaches() {
        for (address, reached) in [
            (":8554", "127.0.0.1:8554"),
            ("0.0.0.0:1", "127.0.0.1:1"),
            ("[::]:8554", "127.0.0.1:8554"),
            ("10.0.0.5:8554", "10.0.0.5:8554"),
            ("[::1]:8554", "[::1]:8554"),
        ] {
            let json = format!(r#"{{"rtsp":true,"rtspAddress":"{address}","rtspTransports":["udp","tcp"]}}"#);
            assert_eq!(target(&json).unwrap(), format!("{reached} Some(\"tcp\")"));
        }
        let udp = r#"{"rtsp":true,"rtspAddress":":8554","rtspTransports":["udp"]}"#;
        assert_eq!(target(udp).unwrap(), "127.0.0.1:8554 None");
    }

    #[test]
    fn media_server_without_rtsp_has_no_relays() {
        for json in [
            r#"{"rtsp":false,"rtspAddress":":8554"}"#,
            r#"{"rtsp":true,"rtspAddress":":8554","rtspEncryption":"strict"}"#,
            r#"{"rtsp":true,"rtspAddress":""}"#,
        ] {
            assert!(matches!(target(json), Err(RemoteError::Unsupported(_))), "{json}");
        }
    }
}
