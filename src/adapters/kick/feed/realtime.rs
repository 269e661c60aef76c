//! Requests the feed that Kick serves, and guest tokens, as its web page does. Unofficial.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use url::Url;
use uuid::Uuid;

use super::super::client::KickClient;
use super::protocol::{Ended, Reconnect};
use super::settings::{FeedChoice, FeedSettings, PUSHER_URL};
use crate::domain::secret::Secret;
use crate::domain::streamer::Source;
use crate::ports::RemoteError;

/// Kick's feed answers only to its own page.
pub(super) const ORIGIN: &str = "https://kick.com";

/// How long opening a connection may take, with TLS and handshake, and how long a request.
pub(super) const CONNECT: Duration = Duration::from_secs(10);

/// Where a feed is, and which protocol it speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Provider {
    pub(super) source: Source,
    pub(super) url: Url,
    /// Whether Kick named it, and not the configuration.
    pub(super) negotiated: bool,
}

/// Kick's realtime endpoints.
#[derive(Clone)]
pub(super) struct Realtime(KickClient);

impl Realtime {
    pub(super) fn new(settings: &FeedSettings) -> Result<Self, RemoteError> {
        // Like the sockets, without a proxy.
        Ok(Self(KickClient::new(&settings.realtime_url, CONNECT, CONNECT, false)?))
    }

    /// The feed that is configured, or that Kick names.
    pub(super) async fn provider(&self, settings: &FeedSettings, client: Uuid) -> Result<Provider, Ended> {
        let (accepted, configured): (&[&str], _) = match settings.choice {
            FeedChoice::Auto => (&["pusher", "centrifugo"], None),
            FeedChoice::Pusher => {
                let key = settings.pusher_key.as_deref();
                (&["pusher"], key.and_then(|key| pusher(settings.pusher_url.clone(), key)))
            }
            FeedChoice::Centrifugo => (&["centrifugo"], settings.centrifugo_url.clone().map(centrifugo)),
        };
        if let Some(provider) = configured {
            return Ok(provider);
        }
        let providers: Vec<_> = accepted.iter().map(|name| json!({ "provider": name })).collect();
        let body = json!({
            "client": { "id": client, "type": "web" },
            "capabilities": { "accepted_providers": providers },
        });
        let data = self.post("connection", &body).await?;
        let is_accepted =
            |offer: &&Value| offer["provider"].as_str().is_some_and(|name| accepted.contains(&name));
        let mut offers = data["connections"].as_array().into_iter().flatten().filter(is_accepted);
        let provider = offers.find_map(|offer| offered(settings, offer));
        let provider = provider.ok_or_else(|| failed("Kick offers no feed that we know"))?;
        Ok(Provider { negotiated: true, ..provider })
    }

    /// A guest token. It identifies nobody.
    pub(super) async fn token(&self, client: Uuid) -> Result<Secret, Ended> {
        let data = self.post("auth/connection", &json!({ "client_id": client })).await?;
        data["token"].as_str().map(Secret::new).ok_or_else(|| failed("Kick's answer has no guest token"))
    }

    /// Returns the `data` of the answer.
    async fn post(&self, endpoint: &'static str, body: &Value) -> Result<Value, Ended> {
        let request = self.0.request(Method::POST, &format!("/api/v1/realtime/{endpoint}"));
        let answer = self.0.send(endpoint, request.header("origin", ORIGIN).json(body)).await;
        let unusable = |error: RemoteError| failed(&format!("Kick's realtime/{endpoint} {error}"));
        let answer = answer.map_err(unusable)?;
        let status = answer.status;
        if !status.is_success() {
            let ended = failed(&format!("Kick's realtime/{endpoint} answered {}", status.as_u16()));
            let is_refused = matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
            let reconnect = if is_refused { Reconnect::Rejected } else { ended.reconnect };
            return Err(Ended { reconnect, ..ended });
        }
        let mut body = answer.json().map_err(unusable)?;
        Ok(body.get_mut("data").map(Value::take).unwrap_or_default())
    }
}

fn failed(text: &str) -> Ended {
    Ended::new(Reconnect::AfterBackoff, "negotiation", text)
}

fn offered(settings: &FeedSettings, offer: &Value) -> Option<Provider> {
    let credentials = &offer["credentials"];
    if offer["provider"] == "pusher" {
        let (key, cluster) = (credentials["app_key"].as_str()?, credentials["cluster"].as_str()?);
        let mut base = settings.pusher_url.clone();
        if Url::parse(PUSHER_URL).is_ok_and(|kicks| kicks == base) {
            let is_name = cluster.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
            base.set_host(Some(&format!("ws-{cluster}.pusher.com"))).ok().filter(|()| is_name)?;
        }
        return pusher(base, key);
    }
    let url = Url::parse(credentials["url"].as_str()?).ok()?;
    // An unencrypted feed only if the negotiation was unencrypted too.
    let is_plain = settings.realtime_url.scheme() == "http" && url.scheme() == "ws";
    (is_plain || url.scheme() == "wss").then(|| centrifugo(url))
}

fn pusher(mut url: Url, key: &str) -> Option<Provider> {
    url.path_segments_mut().ok()?.pop_if_empty().extend(["app", key]);
    let query = concat!("protocol=7&client=streamward&version=", env!("CARGO_PKG_VERSION"), "&flash=false");
    url.set_query(Some(query));
    Some(Provider { source: Source::Pusher, url, negotiated: false })
}

fn centrifugo(url: Url) -> Provider {
    Provider { source: Source::Centrifugo, url, negotiated: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offer_names_the_address() {
        let query =
            concat!("?protocol=7&client=streamward&version=", env!("CARGO_PKG_VERSION"), "&flash=false");
        let pusher = |key: &str, cluster: &str| json!({"provider": "pusher", "credentials": {"app_key": key, "cluster": cluster}});
        let centrifugo = |url: &str| json!({"provider": "centrifugo", "credentials": {"url": url}});
        let (kick, own) = ("wss://a.kick.com/connection/websocket", "ws://127.0.0.1:6601");
        for (base, offer, url) in [
            (PUSHER_URL, pusher("k1", "eu"), Some(format!("wss://ws-eu.pusher.com/app/k1{query}"))),
            (PUSHER_URL, pusher("k/1?", "us2"), Some(format!("wss://ws-us2.pusher.com/app/k%2F1%3F{query}"))),
            (PUSHER_URL, pusher("k1", "evil.example/"), None),
            // A configured server is kept whatever the cluster.
            (own, pusher("k", "us2"), Some(format!("{own}/app/k{query}"))),
            (PUSHER_URL, centrifugo(kick), Some(kick.into())),
            (PUSHER_URL, centrifugo("ws://a.kick.com/"), None),
            (PUSHER_URL, centrifugo("https://a.kick.com/"), None),
            (PUSHER_URL, json!({"provider": "pusher"}), None),
        ] {
            let mut settings = FeedSettings::new(FeedChoice::Auto).unwrap();
            settings.pusher_url = base.parse().unwrap();
            let provider = offered(&settings, &offer);
            assert_eq!(provider.map(|provider| provider.url.to_string()), url, "{offer}");
        }
    }
}
