//! What a provider publishes of itself: its endpoints (Discovery 1.0) and its keys (RFC 7517).

use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::jwk::Jwk;
use serde_json::Value;
use tokio::sync::Mutex;
use tokio::time::Instant;
use url::Url;

use super::http::Http;
use crate::ports::RemoteError;

/// How long it is used. A key that the provider withdrew is accepted for that long.
const FRESH: Duration = Duration::from_mins(15);
/// For how long a failure is the answer to others too, so that they do not all wait for a provider that is down.
const PAUSE: Duration = Duration::from_secs(1);

/// What was read.
#[derive(Debug)]
pub(super) struct Known {
    /// The issuer in its own writing, as ID tokens have it.
    pub(super) issuer: String,
    pub(super) authorization_endpoint: Url,
    pub(super) token_endpoint: Url,
    pub(super) userinfo_endpoint: Option<Url>,
    /// Whether our credentials belong into the body of a request, because the header is not supported.
    pub(super) secret_in_body: bool,
    pub(super) keys: Vec<Jwk>,
    at: Instant,
}

/// The same, read when it is first needed.
#[derive(Default)]
pub(super) struct KnownProvider(Mutex<State>);

#[derive(Default)]
struct State {
    known: Option<Arc<Known>>,
    failed: Option<(Instant, RemoteError)>,
}

impl KnownProvider {
    pub(super) async fn get(&self, http: &Http, issuer: &str) -> Result<Arc<Known>, RemoteError> {
        let mut state = self.0.lock().await;
        match &state.known {
            Some(known) if known.at.elapsed() < FRESH => Ok(Arc::clone(known)),
            _ => state.read(http, issuer).await,
        }
    }

    /// Reads it anew, unless somebody did so since `old` was read.
    pub(super) async fn renew(
        &self,
        old: &Arc<Known>,
        http: &Http,
        issuer: &str,
    ) -> Result<Arc<Known>, RemoteError> {
        let mut state = self.0.lock().await;
        match &state.known {
            Some(known) if !Arc::ptr_eq(known, old) => Ok(Arc::clone(known)),
            _ => state.read(http, issuer).await,
        }
    }
}

impl State {
    async fn read(&mut self, http: &Http, issuer: &str) -> Result<Arc<Known>, RemoteError> {
        if let Some((at, error)) = &self.failed
            && at.elapsed() < PAUSE
        {
            return Err(error.clone());
        }
        // A call that is cancelled failed too.
        self.failed = Some((Instant::now(), RemoteError::TimedOut));
        match read(http, issuer).await {
            Ok(known) => {
                let known = Arc::new(known);
                (self.known, self.failed) = (Some(Arc::clone(&known)), None);
                Ok(known)
            }
            Err(error) => {
                self.failed = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }
}

/// Reads the discovery document and the keys.
pub(super) async fn read(http: &Http, issuer: &str) -> Result<Known, RemoteError> {
    let address = format!("{issuer}/.well-known/openid-configuration");
    let document = http.get(http.endpoint("discovery", Some(&address.into()))?, "discovery").await?;
    let named = document["issuer"].as_str().unwrap_or_default();
    // Another issuer could speak for people of this one (Discovery 4.3).
    if named.trim_end_matches('/') != issuer {
        return Err(RemoteError::Malformed("discovery: it names another issuer".to_owned()));
    }
    let endpoint = |name: &str| http.endpoint(name, document.get(name));
    let keys = http.get(endpoint("jwks_uri")?, "jwks_uri").await?;
    let list = keys["keys"].as_array().map(Vec::as_slice).unwrap_or_default();
    // Keys of kinds that we do not know are none of ours.
    let keys = list.iter().filter_map(|key| serde_json::from_value(key.clone()).ok()).collect();
    let methods = document["token_endpoint_auth_methods_supported"].as_array();
    let supports = |method: &str| {
        methods.is_some_and(|methods| methods.iter().any(|one: &Value| one.as_str() == Some(method)))
    };
    Ok(Known {
        issuer: named.to_owned(),
        authorization_endpoint: endpoint("authorization_endpoint")?,
        token_endpoint: endpoint("token_endpoint")?,
        userinfo_endpoint: endpoint("userinfo_endpoint").ok(),
        secret_in_body: supports("client_secret_post") && !supports("client_secret_basic"),
        keys,
        at: Instant::now(),
    })
}
