//! HTTP client of the control API, with limits on time and size. Its errors contain no secrets.

use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tracing::Instrument as _;
use url::Url;

use super::dto::Refusal;
use crate::adapters::remote::{cause, control_client, failure, read, repeat};
use crate::domain::secret::Secret;
use crate::ports::RemoteError;

/// How long a call may take, answer included.
const CALL: Duration = Duration::from_secs(3);
/// The limit for calls that may be refused: MediaMTX delays a refusal by up to 4 s (since 1.19.1).
const PATIENT_CALL: Duration = Duration::from_millis(4_500);
/// MediaMTX closes idle connections after its `readTimeout` (10 s). We close them earlier, so that no call hits that.
const IDLE: Duration = Duration::from_secs(5);
/// The largest answer that is read. A path takes about 700 bytes in a list, so this is about 90,000 paths.
const MAX_ANSWER: usize = 64 * 1024 * 1024;

/// Characters of a path name that stay as they are in a URL.
const NAME: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');
/// The same for a part of a path, a user name or a password.
const PART: &AsciiSet = &NAME.add(b'/');

/// A path name for use in a URL.
pub(super) fn encode_name(name: &str) -> String {
    utf8_percent_encode(name, NAME).to_string()
}

/// An id for use as one part of a path, or a secret for use before the `@` of a URL.
pub(super) fn encode_part(part: &str) -> String {
    utf8_percent_encode(part, PART).to_string()
}

/// The control API of one MediaMTX.
#[derive(Clone)]
pub(super) struct Api {
    http: Client,
    base: Url,
    secret: Secret,
}

impl Api {
    pub(super) fn new(base: &Url, secret: Secret) -> Result<Self, RemoteError> {
        let (http, base) = control_client(base, CALL, IDLE)?;
        Ok(Self { http, base, secret })
    }

    /// A request. `path` begins with `/v3/`; names in it are encoded.
    pub(super) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let base = self.base.as_str().trim_end_matches('/');
        let request = self.http.request(method, format!("{base}{path}"));
        if self.secret.is_empty() { request } else { request.bearer_auth(self.secret.expose()) }
    }

    /// Sends a request. `endpoint` names it in spans and errors, without names and ids.
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

    /// Sends a `GET` and reads the answer.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        endpoint: &'static str,
        path: &str,
    ) -> Result<T, RemoteError> {
        self.send(endpoint, self.request(Method::GET, path)).await?.ok()?.json()
    }

    /// Sends a `GET` to `/v3/{endpoint}` that may be refused.
    pub(super) async fn patient_get(&self, endpoint: &'static str) -> Result<Answer, RemoteError> {
        let request = self.request(Method::GET, &format!("/v3/{endpoint}")).timeout(PATIENT_CALL);
        self.send(endpoint, request).await
    }

    /// Sends a `POST` with `body`.
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
            // It asks Streamward, and answers the same if it does not reach it.
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(RemoteError::NotLetIn),
            status => Err(RemoteError::Status { status: status.as_u16(), message: self.message() }),
        }
    }

    /// The answer; `None` for 404.
    pub(super) fn found(self) -> Result<Option<Self>, RemoteError> {
        if self.status == StatusCode::NOT_FOUND { Ok(None) } else { self.ok().map(Some) }
    }

    pub(super) fn json<'a, T: Deserialize<'a>>(&'a self) -> Result<T, RemoteError> {
        serde_json::from_slice(&self.body).map_err(|e| {
            // The text of the error would quote the value.
            let (kind, column) = (e.classify(), e.column());
            RemoteError::Malformed(format!("{}: {kind:?} error at byte {column}", self.endpoint))
        })
    }

    /// The error message: `{"error": …}`, or plain text for an unknown route.
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
    fn message_of_another_system_is_masked_and_shortened() {
        let key = crate::domain::secret::KeySecret::from_random([4; 32]);
        assert_eq!(repeat(&format!("no 'in/{}'\n", key.expose())), "no 'in/sk_***'");
        assert_eq!(repeat(&"x".repeat(1_000)).len(), crate::adapters::remote::MAX_REPEATED);
    }

    #[test]
    fn names_and_secrets_are_encoded_for_urls() {
        assert_eq!(encode_name("live/a-b_c.d~e"), "live/a-b_c.d~e");
        assert_eq!(encode_name("a:b ?#%"), "a%3Ab%20%3F%23%25");
        assert_eq!(encode_part("p@ss/w:rd"), "p%40ss%2Fw%3Ard");
    }

    #[test]
    fn address_that_is_not_http_is_refused() {
        let refused = Api::new(&Url::parse("ftp://127.0.0.1/").unwrap(), Secret::new("x"));
        assert!(matches!(refused.err(), Some(RemoteError::Unsupported(_))));
    }
}
