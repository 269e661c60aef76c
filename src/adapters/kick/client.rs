//! HTTP to Kick: limits on time and size, errors without secrets, everything counted.

use std::time::Duration;

use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::Value;
use tracing::Instrument as _;
use url::Url;

use super::dto;
use crate::adapters::remote::{self, cause, failure, read};
use crate::domain::Timestamp;
use crate::domain::secret::Secret;
use crate::ports::RemoteError;

/// Largest answer that is read: fifty channels take some 100 kB.
const MAX_ANSWER: usize = 8 * 1024 * 1024;
/// Longest pause after a 429.
const LONGEST_HOLD: Duration = Duration::from_mins(10);
/// Kick can distinguish us from a browser by it.
const USER_AGENT: &str = concat!("streamward/", env!("CARGO_PKG_VERSION"));

/// A client for one of Kick's hosts.
#[derive(Clone)]
pub(super) struct KickClient {
    client: Client,
    base: String,
}

impl KickClient {
    /// A client for the host at `base`; does not connect yet. With `proxy`, a proxy in the environment is used, except
    /// for plain `http`, which only tests use.
    pub(super) fn new(
        base: &Url,
        connect: Duration,
        call: Duration,
        proxy: bool,
    ) -> Result<Self, RemoteError> {
        // It fails if another client has installed the same provider.
        let _ = rustls::crypto::ring::default_provider().install_default();
        if !matches!(base.scheme(), "http" | "https")
            || !base.username().is_empty()
            || base.password().is_some()
        {
            let rule = "Kick's addresses must begin with http:// or https:// and contain no password";
            return Err(RemoteError::Unsupported(rule.to_owned()));
        }
        // A redirect could lead credentials elsewhere.
        let mut client = Client::builder()
            .user_agent(USER_AGENT)
            .connect_timeout(connect)
            .timeout(call)
            .http1_only()
            .redirect(reqwest::redirect::Policy::none());
        if base.scheme() == "http" {
            // An image built from scratch may have no certificates.
            client = client.no_proxy().tls_certs_only([]);
        } else if !proxy {
            client = client.no_proxy();
        }
        let client = client.build().map_err(|e| RemoteError::Unsupported(cause(&e)))?;
        let path = base.path().trim_end_matches('/');
        Ok(Self { client, base: format!("{}{path}", base.origin().ascii_serialization()) })
    }

    /// Begins a request; `path` begins with a slash.
    pub(super) fn request(&self, method: reqwest::Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base))
    }

    /// Sends a request. `endpoint` labels spans, counters and errors; it must not contain names or ids.
    pub(super) async fn send(
        &self,
        endpoint: &'static str,
        request: RequestBuilder,
    ) -> Result<Answer, RemoteError> {
        let span =
            tracing::info_span!("kick.call", endpoint, otel.kind = "client", status = tracing::field::Empty);
        let answer = async {
            let mut response = request.send().await.map_err(|e| failure(&e))?;
            let status = response.status();
            tracing::Span::current().record("status", status.as_u16());
            let retry_after = response.headers().get(reqwest::header::RETRY_AFTER);
            let retry_after = retry_after.and_then(|value| value.to_str().ok()).map(str::to_owned);
            let body = read(&mut response, MAX_ANSWER).await?;
            Ok(Answer { endpoint, status, retry_after, body, secrets: Vec::new() })
        }
        .instrument(span)
        .await;
        let outcome = match &answer {
            Ok(answer) => outcome(answer.status),
            Err(RemoteError::TimedOut) => "timed_out",
            Err(RemoteError::Malformed(_)) => "malformed",
            Err(_) => "unreachable",
        };
        metrics::counter!("streamward_kick_api_requests_total", "endpoint" => endpoint, "outcome" => outcome)
            .increment(1);
        answer
    }
}

fn outcome(status: StatusCode) -> &'static str {
    match status.as_u16() {
        200..=299 => "ok",
        401 => "unauthorised",
        403 => "forbidden",
        404 => "not_found",
        429 => "rate_limited",
        500..=599 => "server_error",
        _ => "refused",
    }
}

pub(super) struct Answer {
    endpoint: &'static str,
    pub(super) status: StatusCode,
    retry_after: Option<String>,
    body: Vec<u8>,
    /// What its errors must not show.
    secrets: Vec<Secret>,
}

impl Answer {
    /// The same answer, whose errors do not show these.
    pub(super) fn hiding<const N: usize>(self, secrets: [&Secret; N]) -> Self {
        Self { secrets: secrets.map(Clone::clone).into(), ..self }
    }

    pub(super) fn ok(&self) -> Result<Value, RemoteError> {
        if self.status.is_success() { self.json() } else { Err(self.error()) }
    }

    pub(super) fn json(&self) -> Result<Value, RemoteError> {
        serde_json::from_slice(&self.body).map_err(|e| {
            // The error's own text quotes the value.
            let (kind, column) = (e.classify(), e.column());
            self.malformed(&format!("{kind:?} error at byte {column}"))
        })
    }

    /// The valid items of its list.
    pub(super) fn items<T>(
        &self,
        body: &Value,
        read: impl Fn(&Value) -> Option<T>,
    ) -> Result<Vec<T>, RemoteError> {
        let items = body["data"].as_array().ok_or_else(|| self.malformed("there is no list in it"))?;
        let found: Vec<T> = items.iter().filter_map(read).collect();
        let invalid = items.len() - found.len();
        if invalid > 0 {
            metrics::counter!("streamward_kick_api_invalid_items_total").increment(invalid as u64);
            tracing::debug!(invalid, of = items.len(), "Kick's answer has invalid items; they are ignored");
        }
        if found.is_empty() && invalid > 0 {
            return Err(self.malformed("it has no valid item"));
        }
        Ok(found)
    }

    /// The error for invalid content; `why` must not quote it.
    pub(super) fn malformed(&self, why: &str) -> RemoteError {
        RemoteError::Malformed(format!("{}: {why}", self.endpoint))
    }

    /// The error for its status, with Kick's message.
    pub(super) fn error(&self) -> RemoteError {
        RemoteError::Status { status: self.status.as_u16(), message: self.message() }
    }

    /// Kick's error message: `data`, `error` and `message` of its JSON, otherwise the beginning of the body.
    pub(super) fn message(&self) -> String {
        let text = String::from_utf8_lossy(&self.body);
        let reported = match serde_json::from_slice::<Value>(&self.body) {
            Ok(value) => {
                let reported = ["data", "error", "message"].map(|key| dto::text(&value, key));
                reported.into_iter().flatten().collect::<Vec<_>>().join(": ")
            }
            Err(_) if text.trim_start().starts_with('<') => "(a page for people)".to_owned(),
            Err(_) => text.into_owned(),
        };
        repeat(&reported, &self.secrets)
    }

    /// The pause that Kick requests after a 429, or `default`.
    pub(super) fn hold(&self, now: Timestamp, default: Duration) -> Duration {
        let requested = self.retry_after.as_deref().and_then(|value| retry_after(value, now));
        requested.unwrap_or(default).min(LONGEST_HOLD)
    }
}

/// Reads `Retry-After` (RFC 9110, 10.2.3): seconds, or a date.
fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = chrono::DateTime::parse_from_rfc2822(value.trim()).ok()?;
    Some(Timestamp::from_micros(date.timestamp_micros()).since(now))
}

/// Kick's text, shortened and without secrets.
pub(super) fn repeat(text: &str, secrets: &[Secret]) -> String {
    let mut text = text.to_owned();
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        text = text.replace(secret.expose(), "***");
    }
    remote::repeat(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kicks_text_is_masked_and_shortened() {
        let secret = Secret::new("hunter2");
        assert_eq!(repeat(" no such client hunter2\n", &[secret, Secret::new("")]), "no such client ***");
        assert_eq!(repeat(&"x".repeat(1_000), &[]).len(), remote::MAX_REPEATED);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = Timestamp::parse_rfc3339("2026-11-20T12:00:00Z").unwrap();
        for (value, seconds) in [
            ("7", Some(7)),
            (" 0 ", Some(0)),
            ("Fri, 20 Nov 2026 12:01:30 GMT", Some(90)),
            ("Fri, 20 Nov 2026 11:00:00 GMT", Some(0)),
            ("soon", None),
            ("-1", None),
            ("", None),
        ] {
            assert_eq!(retry_after(value, now), seconds.map(Duration::from_secs), "{value:?}");
        }
    }

    #[test]
    fn address_needs_http_and_no_password() {
        for address in ["ftp://127.0.0.1/", "https://me:secret@kick.com/"] {
            let refused =
                KickClient::new(&Url::parse(address).unwrap(), Duration::ZERO, Duration::ZERO, true);
            let Some(RemoteError::Unsupported(text)) = refused.err() else { panic!("{address} was taken") };
            assert!(!text.contains("me:secret"), "{text}");
        }
    }
}
