//! HTTP to the control API: one client, limits on time and size, errors without secrets.

use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tracing::Instrument as _;
use url::Url;

use super::dto::Refusal;
use crate::adapters::remote::{cause, failure, read, repeat};
use crate::domain::secret::Secret;
use crate::ports::RemoteError;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(1);
/// How long a call may take, answer included.
const CALL: Duration = Duration::from_secs(3);
/// How long a call may take whose refusal is wanted: MediaMTX holds back a refusal for up to 4 s (since 1.19.1).
pub(super) const PATIENT_CALL: Duration = Duration::from_millis(4_500);
/// MediaMTX closes idle connections after its `readTimeout` (10 s); ours go before, so that no call meets that moment.
const IDLE: Duration = Duration::from_secs(5);
/// Largest answer that is read: a path takes about 700 bytes in a list, so this is some 90,000 paths.
const MAX_ANSWER: usize = 64 * 1024 * 1024;

/// Characters of a path name that stay as they are in a URL.
const NAME: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');
/// Characters of a part of a path, a user name or a password that stay as they are in a URL.
const PART: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A path name for use in a URL.
pub(super) fn encode_name(name: &str) -> String {
    utf8_percent_encode(name, NAME).to_string()
}

/// A name or id that is one part of a path.
pub(super) fn encode_segment(part: &str) -> String {
    utf8_percent_encode(part, PART).to_string()
}

/// A secret for use before the `@` of a URL.
pub(super) fn encode_userinfo(secret: &str) -> String {
    utf8_percent_encode(secret, PART).to_string()
}

/// The control API of one MediaMTX.
pub(super) struct Api {
    http: Client,
    base: Url,
    secret: Secret,
}

impl Api {
    pub(super) fn new(base: &Url, secret: Secret) -> Result<Self, RemoteError> {
        // Ours is the only provider in the tree; whoever comes first installs it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut base = base.clone();
        base.set_query(None);
        if !matches!(base.scheme(), "http" | "https") || base.set_username("").is_err() {
            return Err(RemoteError::Unsupported(
                "the API address must begin with http:// or https://".into(),
            ));
        }
        let _ = base.set_password(None);
        let mut client = Client::builder()
            .connect_timeout(CONNECT)
            .timeout(CALL)
            .pool_idle_timeout(IDLE)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy();
        if base.scheme() == "http" {
            // No need for root certificates then, and an image built from scratch may have none.
            client = client.tls_certs_only([]);
        }
        let http = client.build().map_err(|e| RemoteError::Unsupported(cause(&e)))?;
        Ok(Self { http, base, secret })
    }

    /// Begins a request; `path` begins with `/v3/`, its names encoded.
    pub(super) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let base = self.base.as_str().trim_end_matches('/');
        let request = self.http.request(method, format!("{base}{path}"));
        if self.secret.is_empty() { request } else { request.bearer_auth(self.secret.expose()) }
    }

    /// Sends a request. `endpoint` is what spans and errors call it: never a name, never an id.
    pub(super) async fn send(
        &self,
        endpoint: &'static str,
        request: RequestBuilder,
    ) -> Result<Answer, RemoteError> {
        let request = request.build().map_err(|e| RemoteError::Unsupported(cause(&e)))?;
        let span = tracing::info_span!(
            "mediamtx.call", method = %request.method(), endpoint, otel.kind = "client", status = tracing::field::Empty
        );
        async {
            let mut response = self.http.execute(request).await.map_err(|e| failure(&e))?;
            tracing::Span::current().record("status", response.status().as_u16());
            let body = read(&mut response, MAX_ANSWER).await?;
            Ok(Answer { endpoint, status: response.status(), body })
        }
        .instrument(span)
        .await
    }

    /// Gets `path` and reads the answer.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        endpoint: &'static str,
        path: &str,
    ) -> Result<T, RemoteError> {
        self.send(endpoint, self.request(Method::GET, path)).await?.ok()?.json()
    }

    /// Posts `body` to `path`.
    pub(super) async fn post<T: Serialize + Sync>(
        &self,
        endpoint: &'static str,
        path: &str,
        body: &T,
    ) -> Result<Answer, RemoteError> {
        self.send(endpoint, self.request(Method::POST, path).json(body)).await
    }
}

/// A complete answer.
pub(super) struct Answer {
    endpoint: &'static str,
    pub(super) status: StatusCode,
    body: Vec<u8>,
}

impl Answer {
    /// The answer, if it is a success.
    pub(super) fn ok(self) -> Result<Self, RemoteError> {
        match self.status {
            status if status.is_success() => Ok(self),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(RemoteError::Unauthorised),
            status => Err(RemoteError::Status { status: status.as_u16(), message: self.message() }),
        }
    }

    /// The answer, or nothing if what was asked for is not there.
    pub(super) fn found(self) -> Result<Option<Self>, RemoteError> {
        if self.status == StatusCode::NOT_FOUND { Ok(None) } else { self.ok().map(Some) }
    }

    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, RemoteError> {
        serde_json::from_slice(&self.body).map_err(|e| {
            // Not the error's own words: they quote the value.
            let (kind, column) = (e.classify(), e.column());
            RemoteError::Malformed(format!("{}: {kind:?} error at byte {column}", self.endpoint))
        })
    }

    /// What it says went wrong: `{"error": …}`, or plain text where no route is.
    fn message(&self) -> String {
        match serde_json::from_slice::<Refusal>(&self.body) {
            Ok(refusal) => repeat(&refusal.error),
            Err(_) => repeat(&String::from_utf8_lossy(&self.body)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_say_is_masked_and_shortened() {
        let key = crate::domain::secret::KeySecret::from_random([4; 32]);
        assert_eq!(repeat(&format!("no 'in/{}'\n", key.expose())), "no 'in/sk_***'");
        assert_eq!(repeat(&"x".repeat(1_000)).len(), crate::adapters::remote::MAX_REPEATED);
    }

    #[test]
    fn names_and_secrets_fit_into_a_url() {
        assert_eq!(encode_name("live/a-b_c.d~e"), "live/a-b_c.d~e");
        assert_eq!(encode_name("a:b ?#%"), "a%3Ab%20%3F%23%25");
        assert_eq!(encode_userinfo("p@ss/w:rd"), "p%40ss%2Fw%3Ard");
    }

    #[test]
    fn an_address_that_is_not_http_is_refused() {
        let refused = Api::new(&Url::parse("ftp://127.0.0.1/").unwrap(), Secret::new("x"));
        assert!(matches!(refused.err(), Some(RemoteError::Unsupported(_))));
    }
}
