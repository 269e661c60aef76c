//! `POST /auth`: the auth callback of MediaMTX. It decides whether a client may publish, read or use an API.
//!
//! MediaMTX handles one callback at a time, and logs the body of every answer that is not 200. So nothing here calls a
//! media server, and no answer repeats the request.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::body::{self, HOOK_BODY};
use super::hook_secret::FromMediaServer;
use super::lenient::Text;
use super::problem::{Problem, ProblemType};
use super::routes::Routes;
use crate::app::access::Access;
use crate::app::publish::PublishAuth;
use crate::domain::Invalid;
use crate::domain::credentials::{Action, AuthRequest, Credentials};
use crate::domain::media_server::SourceId;
use crate::domain::path::IngestPath;
use crate::domain::secret::Secret;

/// What MediaMTX sends. Fields that are missing, null or of another type count as empty. Unknown fields are ignored.
#[derive(Deserialize, ToSchema)]
#[schema(as = AuthQuestion)]
pub struct Wire<'a> {
    /// The requested action: `publish`, `read`, `playback`, `api`, `metrics` or `pprof`. Anything else is denied.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, example = "publish")]
    action: Text<'a>,
    /// The requested path.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, example = "live/alice")]
    path: Text<'a>,
    /// The client's protocol.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, example = "rtmp")]
    protocol: Text<'a>,
    /// The connection or session. Without it the stream key is not marked as in use.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>)]
    id: Text<'a>,
    /// The client's address.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, example = "192.0.2.7")]
    ip: Text<'a>,
    /// The client's raw query.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>)]
    query: Text<'a>,
    /// The client's password.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, format = Password)]
    password: Text<'a>,
    /// The client's bearer token.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, format = Password)]
    token: Text<'a>,
}

impl From<Wire<'_>> for AuthRequest {
    fn from(wire: Wire<'_>) -> Self {
        Self {
            action: wire.action.0.parse().unwrap_or(Action::Unknown),
            path: IngestPath::from_media_server(&wire.path.0),
            protocol: protocol(&wire.protocol.0),
            connection: SourceId::parse(&wire.id.0),
            // Not every client has one: MediaMTX writes `<nil>` then.
            ip: wire.ip.0.parse().ok(),
            credentials: Credentials {
                password: Secret::new(wire.password.0),
                token: Secret::new(wire.token.0),
                query: Secret::new(wire.query.0),
            },
        }
    }
}

/// The route.
pub fn routes() -> Routes<(Arc<Access>, Arc<PublishAuth>)> {
    Routes::new().media_servers(routes!(auth))
}

/// The protocol as a word of a fixed set, so that clients cannot invent metric labels.
fn protocol(name: &str) -> &'static str {
    const KNOWN: [&str; 6] = ["rtmp", "rtsp", "srt", "hls", "webrtc", "moq"];
    if name.is_empty() {
        return "none";
    }
    KNOWN.into_iter().find(|known| *known == name).unwrap_or("other")
}

/// Decide whether a media server's client may do something
///
/// For media servers (MediaMTX `authHTTPAddress`). 200 allows the client, any other status denies it. The answer comes
/// within a second, also during a failure. If no decision is possible, the client is denied.
#[utoipa::path(
    post,
    path = "/auth",
    tag = "media servers",
    params(("server" = Option<String>, Query, description = "The name of the media server; `default` without it")),
    request_body = Wire<'static>,
    responses(
        (status = 200, description = "Let in"),
        (status = 401, description = "`denied`: The client is refused"),
    )
)]
pub(super) async fn auth(
    State(state): State<(Arc<Access>, Arc<PublishAuth>)>,
    FromMediaServer(server): FromMediaServer,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, Problem> {
    let bytes = body::read(&headers, body, HOOK_BODY).await?;
    let (_, publish) = state;
    let decision = publish.decide(&server, &parse(&bytes)?).await;
    match decision.result {
        Ok(_) => Ok(StatusCode::OK),
        Err(reason) => Err(Problem::new(ProblemType::DENIED, reason.advice())),
    }
}

fn parse(bytes: &[u8]) -> Result<AuthRequest, Invalid> {
    // serde would read a list as the values of an object.
    let is_object = bytes.trim_ascii_start().first() == Some(&b'{');
    let wire = is_object.then(|| serde_json::from_slice::<Wire<'_>>(bytes).ok()).flatten();
    wire.map(AuthRequest::from).ok_or_else(|| Invalid::one("body", "must be a JSON object"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(json: &str) -> AuthRequest {
        parse(json.as_bytes()).unwrap()
    }

    #[test]
    fn what_mediamtx_sends_is_understood() {
        let request = request(
            r#"{"user":"","password":"p","token":"t","ip":"192.0.2.7","action":"publish","path":"live/alice",
                "protocol":"rtmp","id":"7f2b","query":"key=k","userAgent":"OBS"}"#,
        );
        assert_eq!((request.action, request.protocol), (Action::Publish, "rtmp"));
        assert_eq!(request.path.public(), Some("live/alice"));
        assert_eq!(request.connection, SourceId::parse("7f2b"));
        assert_eq!(request.ip, "192.0.2.7".parse().ok());
        assert_eq!(request.credentials.password.expose(), "p");
        assert_eq!(request.credentials.token.expose(), "t");
        assert_eq!(request.credentials.query.expose(), "key=k");
    }

    #[test]
    fn oddities_are_no_reason_to_fail() {
        let odd = request(r#"{"action":"read","id":null,"ip":"<nil>","protocol":"moq2","query":{"a":[1]}}"#);
        assert_eq!((odd.connection, odd.ip, odd.protocol), (None, None, "other"));
        assert_eq!(request("{}").action, Action::Unknown);
        assert_eq!(request(r#"{"action": 5}"#).action, Action::Unknown);
    }
}
