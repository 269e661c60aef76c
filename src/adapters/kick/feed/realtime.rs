//! Asks Kick which feed it serves, and for guest tokens, as its web page does. Unofficial.

use std::error::Error as _;

use reqwest::{Client, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;
use uuid::Uuid;

use super::protocol::{Ended, Reconnect};
use super::settings::{FeedChoice, FeedSettings, PUSHER_URL};
use crate::domain::secret::Secret;
use crate::domain::streamer::Source;
use crate::ports::RemoteError;

/// Kick's feed answers to its own page only.
pub(super) const ORIGIN: &str = "https://kick.com";
/// Largest answer that is read.
const MAX_ANSWER: usize = 64 * 1024;

/// Where a feed is, and what it speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Provider {
    pub(super) source: Source,
    pub(super) url: Url,
    /// Whether Kick told us.
    pub(super) negotiated: bool,
}

/// Kick's realtime endpoints.
#[derive(Clone)]
pub(super) struct Realtime {
    http: Client,
    base: Url,
}

impl Realtime {
    pub(super) fn new(settings: &FeedSettings) -> Result<Self, RemoteError> {
        // Ours is the only provider in the tree; whoever comes first installs it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut client = Client::builder()
            .connect_timeout(settings.timing.connect)
            .timeout(settings.timing.call)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("streamward/", env!("CARGO_PKG_VERSION")))
            .no_proxy();
        if settings.realtime_url.scheme() == "http" {
            // No need for root certificates then, and an image built from scratch may have none.
            client = client.tls_certs_only([]);
        }
        let http = client.build().map_err(|error| RemoteError::Unsupported(error.to_string()))?;
        Ok(Self { http, base: settings.realtime_url.clone() })
    }

    /// Where the feed is, as configured or as Kick tells.
    pub(super) async fn provider(&self, settings: &FeedSettings, client: Uuid) -> Result<Provider, Ended> {
        let configured = match settings.choice {
            FeedChoice::Auto => None,
            FeedChoice::Pusher => {
                settings.pusher_key.as_deref().and_then(|key| pusher(settings.pusher_url.clone(), key))
            }
            FeedChoice::Centrifugo => settings.centrifugo_url.clone().map(centrifugo),
        };
        match configured {
            Some(provider) => Ok(provider),
            None => self.negotiated(settings, client).await,
        }
    }

    /// A guest token. It says nothing of anybody.
    pub(super) async fn token(&self, client: Uuid) -> Result<Secret, Ended> {
        #[derive(Deserialize)]
        struct Token {
            token: String,
        }
        let token: Token = self.post("auth/connection", &json!({ "client_id": client })).await?;
        Ok(Secret::new(token.token))
    }

    async fn negotiated(&self, settings: &FeedSettings, client: Uuid) -> Result<Provider, Ended> {
        #[derive(Deserialize)]
        struct Offers {
            connections: Vec<Value>,
        }
        let accepted: &[&str] = match settings.choice {
            FeedChoice::Auto => &["pusher", "centrifugo"],
            FeedChoice::Pusher => &["pusher"],
            FeedChoice::Centrifugo => &["centrifugo"],
        };
        let providers: Vec<_> = accepted.iter().map(|name| json!({ "provider": name })).collect();
        let body = json!({
            "client": { "id": client, "type": "web" },
            "capabilities": { "accepted_providers": providers },
        });
        let offers: Offers = self.post("connection", &body).await?;
        let ours = offers
            .connections
            .iter()
            .filter(|offer| offer["provider"].as_str().is_some_and(|provider| accepted.contains(&provider)));
        let provider = ours.filter_map(|offer| offered(settings, offer)).next();
        let nothing =
            || Ended::new(Reconnect::AfterBackoff, "negotiation", "Kick offers no feed that we know");
        Ok(Provider { negotiated: true, ..provider.ok_or_else(nothing)? })
    }

    async fn post<T: for<'de> Deserialize<'de>>(&self, endpoint: &str, body: &Value) -> Result<T, Ended> {
        #[derive(Deserialize)]
        struct Envelope<T> {
            data: T,
        }
        let failed = |reconnect, text| {
            Ended::new(reconnect, "negotiation", format!("Kick's realtime/{endpoint} {text}"))
        };
        let url = format!("{}/api/v1/realtime/{endpoint}", self.base.as_str().trim_end_matches('/'));
        let request = self.http.post(url).header("origin", ORIGIN).json(body);
        let unreached = |error: reqwest::Error| {
            let cause = error.source().map_or_else(|| error.to_string(), ToString::to_string);
            failed(Reconnect::AfterBackoff, format!("cannot be reached: {cause}"))
        };
        let mut response = request.send().await.map_err(unreached)?;
        let status = response.status();
        if !status.is_success() {
            let refused = matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
            let reconnect = if refused { Reconnect::Rejected } else { Reconnect::AfterBackoff };
            return Err(failed(reconnect, format!("answered {}", status.as_u16())));
        }
        let mut answer = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreached)? {
            answer.extend_from_slice(&chunk);
            if answer.len() > MAX_ANSWER {
                return Err(failed(Reconnect::AfterBackoff, "gave an answer that is too long".into()));
            }
        }
        let envelope: Result<Envelope<T>, _> = serde_json::from_slice(&answer);
        // What serde says may repeat the answer, and that may be a token.
        envelope
            .map(|envelope| envelope.data)
            .map_err(|_| failed(Reconnect::AfterBackoff, "gave an answer that is not understood".into()))
    }
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
    // Only who does without encryption already gets it without.
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

    fn settings() -> FeedSettings {
        FeedSettings::new(FeedChoice::Auto).unwrap()
    }

    #[test]
    fn an_offer_names_the_place() {
        let query =
            concat!("?protocol=7&client=streamward&version=", env!("CARGO_PKG_VERSION"), "&flash=false");
        let pusher = |key: &str, cluster: &str| json!({"provider": "pusher", "credentials": {"app_key": key, "cluster": cluster}});
        let centrifugo = |url: &str| json!({"provider": "centrifugo", "credentials": {"url": url}});
        for (offer, url) in [
            (pusher("k1", "eu"), Some(format!("wss://ws-eu.pusher.com/app/k1{query}"))),
            (pusher("k/1?", "us2"), Some(format!("wss://ws-us2.pusher.com/app/k%2F1%3F{query}"))),
            (pusher("k1", "evil.example/"), None),
            (
                centrifugo("wss://a.kick.com/connection/websocket"),
                Some("wss://a.kick.com/connection/websocket".into()),
            ),
            (centrifugo("ws://a.kick.com/"), None),
            (centrifugo("https://a.kick.com/"), None),
            (json!({"provider": "pusher"}), None),
        ] {
            let provider = offered(&settings(), &offer);
            assert_eq!(provider.map(|provider| provider.url.to_string()), url, "{offer}");
        }
    }

    #[test]
    fn a_configured_place_is_kept_whatever_the_cluster() {
        let settings = FeedSettings { pusher_url: Url::parse("ws://127.0.0.1:6601").unwrap(), ..settings() };
        let offer = json!({"provider": "pusher", "credentials": {"app_key": "k", "cluster": "us2"}});
        let provider = offered(&settings, &offer).unwrap();
        assert!(provider.url.as_str().starts_with("ws://127.0.0.1:6601/app/k?"), "{provider:?}");
    }
}
