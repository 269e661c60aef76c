//! Client of the HTTP API of SRS, with limits on time and size. Its errors contain no secrets.

use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{Client, Method, StatusCode};
use serde::Deserialize;
use tracing::Instrument as _;
use url::Url;

use super::dto::{self, Head, OneClient, Versions};
use crate::adapters::remote::{cause, control_client, failure, read, repeat};
use crate::domain::secret::Secret;
use crate::ports::RemoteError;

/// How long a call may take, answer included.
const CALL: Duration = Duration::from_secs(3);
/// SRS closes idle connections after 15 s. We close them earlier, so that no call hits that.
const IDLE: Duration = Duration::from_secs(5);
/// The largest answer that is read. A stream takes about 700 bytes in a list, so this is about 90,000 streams.
const MAX_ANSWER: usize = 64 * 1024 * 1024;
/// The user name of the HTTP API, as `streamward srs-config` sets it.
pub(super) const USER: &str = "streamward";
/// SRS's number for a client that does not exist (any more).
const CLIENT_NOT_FOUND: i64 = 2049;

/// The HTTP API of one SRS.
pub(super) struct Api {
    http: Client,
    base: Url,
    secret: Secret,
}

/// A complete answer.
pub(super) struct Answer {
    endpoint: &'static str,
    pub(super) head: Head,
    body: Vec<u8>,
}

impl Api {
    pub(super) fn new(base: &Url, secret: Secret) -> Result<Self, RemoteError> {
        let (http, base) = control_client(base, CALL, IDLE)?;
        Ok(Self { http, base, secret })
    }

    /// Sends a request to `/api/v1/{address}`. `endpoint` names it in spans and errors, without names and ids.
    async fn send(
        &self,
        method: Method,
        endpoint: &'static str,
        address: &str,
    ) -> Result<Answer, RemoteError> {
        let base = self.base.as_str().trim_end_matches('/');
        let mut request = self.http.request(method, format!("{base}/api/v1/{address}"));
        if !self.secret.is_empty() {
            request = request.basic_auth(USER, Some(self.secret.expose()));
        }
        let request = request.build().map_err(|e| RemoteError::Unsupported(cause(&e)))?;
        let span = tracing::info_span!(
            "srs.call", method = %request.method(), endpoint, otel.kind = "client", status = tracing::field::Empty
        );
        async {
            let mut response = self.http.execute(request).await.map_err(|e| failure(&e))?;
            let status = response.status();
            tracing::Span::current().record("status", status.as_u16());
            let body = read(&mut response, MAX_ANSWER).await?;
            answer(endpoint, status, body)
        }
        .instrument(span)
        .await
    }

    /// All streams, as JSON that is not read yet: one request, since two pages may contradict each other. Without the slash
    /// at the end, SRS redirects.
    pub(super) async fn streams(&self, count: usize) -> Result<Answer, RemoteError> {
        self.send(Method::GET, "streams", &format!("streams/?start=0&count={count}")).await?.ok()
    }

    /// All clients.
    pub(super) async fn clients(&self, count: usize) -> Result<Vec<dto::ListedClient>, RemoteError> {
        let answer = self.send(Method::GET, "clients", &format!("clients/?start=0&count={count}")).await?;
        Ok(answer.ok()?.json::<dto::Clients>()?.clients)
    }

    /// A client; `None` if it is gone.
    pub(super) async fn client(&self, id: &str) -> Result<Option<dto::Client>, RemoteError> {
        let answer = self.send(Method::GET, "clients", &address_of(id)).await?;
        if answer.head.code == CLIENT_NOT_FOUND {
            return Ok(None);
        }
        Ok(Some(answer.ok()?.json::<OneClient>()?.client))
    }

    /// Ends a client. One that is gone has ended.
    pub(super) async fn disconnect(&self, id: &str) -> Result<(), RemoteError> {
        let answer = self.send(Method::DELETE, "disconnect", &address_of(id)).await?;
        if answer.head.code == CLIENT_NOT_FOUND { Ok(()) } else { answer.ok().map(drop) }
    }

    /// Which process it is, and its version.
    pub(super) async fn version(&self) -> Result<(Head, String), RemoteError> {
        let answer = self.send(Method::GET, "versions", "versions").await?.ok()?;
        let version = repeat(&answer.json::<Versions>()?.data.version);
        Ok((answer.head, version))
    }
}

fn address_of(client: &str) -> String {
    format!("clients/{}", utf8_percent_encode(client, NON_ALPHANUMERIC))
}

/// SRS answers 200 also for what it refuses, with a number in `code`.
fn answer(endpoint: &'static str, status: StatusCode, body: Vec<u8>) -> Result<Answer, RemoteError> {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => return Err(RemoteError::Unauthorised),
        status if !status.is_success() => {
            let message = repeat(&String::from_utf8_lossy(&body));
            return Err(RemoteError::Status { status: status.as_u16(), message });
        }
        _ => {}
    }
    Ok(Answer { endpoint, head: parsed(endpoint, &body)?, body })
}

/// The text of a parser's error would quote the value.
fn parsed<'a, T: Deserialize<'a>>(endpoint: &str, body: &'a [u8]) -> Result<T, RemoteError> {
    serde_json::from_slice(body).map_err(|e| {
        let (kind, column) = (e.classify(), e.column());
        RemoteError::Malformed(format!("{endpoint}: {kind:?} error at byte {column}"))
    })
}

impl Answer {
    /// The answer, if it is a success.
    fn ok(self) -> Result<Self, RemoteError> {
        match self.head.code {
            0 => Ok(self),
            code => Err(RemoteError::Status { status: 200, message: format!("code {code}") }),
        }
    }

    pub(super) fn json<'a, T: Deserialize<'a>>(&'a self) -> Result<T, RemoteError> {
        parsed(self.endpoint, &self.body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(status: u16, body: &str) -> Result<Head, RemoteError> {
        let answer = answer("streams", StatusCode::from_u16(status).unwrap(), body.into())?;
        answer.ok().map(|answer| answer.head)
    }

    #[test]
    fn refusal_of_srs_is_an_error_also_with_status_200() {
        let head =
            read(200, r#"{"code":0,"server":"vid-1","service":"a1b2","pid":"7","streams":[]}"#).unwrap();
        assert_eq!(head.run().as_deref(), Some("a1b2-7"));
        let message = "code 2048".to_owned();
        assert_eq!(read(200, r#"{"code":2048}"#).unwrap_err(), RemoteError::Status { status: 200, message });
        assert_eq!(read(401, r#"{"code":401}"#).unwrap_err(), RemoteError::Unauthorised);
        assert!(matches!(read(404, "no such api"), Err(RemoteError::Status { status: 404, .. })));
        for body in ["", "oops", "[]", r#"{"code":"0"}"#] {
            assert!(matches!(read(200, body), Err(RemoteError::Malformed(_))), "{body}");
        }
    }

    #[test]
    fn id_of_a_client_cannot_change_the_address() {
        assert_eq!(address_of("3app8g3p"), "clients/3app8g3p");
        assert_eq!(address_of("../streams?x"), "clients/%2E%2E%2Fstreams%3Fx");
    }
}
