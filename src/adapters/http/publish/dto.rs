//! The body of `POST /auth`.

use serde::Deserialize;
use utoipa::ToSchema;

use crate::adapters::http::lenient::Text;
use crate::domain::Invalid;
use crate::domain::credentials::{Action, AuthRequest, Credentials};
use crate::domain::media_server::SourceId;
use crate::domain::path::IngestPath;
use crate::domain::secret::Secret;

/// What MediaMTX sends. Fields that are missing, null or of another type count as empty. Unknown fields are ignored.
#[derive(Deserialize, ToSchema)]
#[schema(as = AuthRequest)]
pub(super) struct AuthRequestBody<'a> {
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

impl From<AuthRequestBody<'_>> for AuthRequest {
    fn from(wire: AuthRequestBody<'_>) -> Self {
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

/// The protocol as a word of a fixed set, so that clients cannot invent metric labels.
fn protocol(name: &str) -> &'static str {
    const KNOWN: [&str; 6] = ["rtmp", "rtsp", "srt", "hls", "webrtc", "moq"];
    if name.is_empty() {
        return "none";
    }
    KNOWN.into_iter().find(|known| *known == name).unwrap_or("other")
}

/// Reads what a media server sends.
pub(super) fn parse(bytes: &[u8]) -> Result<AuthRequest, Invalid> {
    // serde would read a list as the values of an object.
    let is_object = bytes.trim_ascii_start().first() == Some(&b'{');
    let wire = is_object.then(|| serde_json::from_slice::<AuthRequestBody<'_>>(bytes).ok()).flatten();
    wire.map(AuthRequest::from).ok_or_else(|| Invalid::one("body", "must be a JSON object"))
}

#[cfg(test)]
mod tests {
    use streamward_test_support::fuzz::{KEY, bytes, fuzz};

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

    /// What MediaMTX sends, with a key in every place that may have one.
    const SENT: [&str; 3] = [
        r#"{"user":"u","password":"sk_Zm9yLXRlc3RzLW9ubHktbm90LWEtcmVhbC1rZXktMTI","token":"","ip":"192.0.2.7","action":"publish","path":"live/alice","protocol":"rtmp","id":"7f2b","query":"key=k","userAgent":"OBS"}"#,
        r#"{"action":"publish","path":"live/sk_Zm9yLXRlc3RzLW9ubHktbm90LWEtcmVhbC1rZXktMTI","query":"a=1&key=sk_Zm9yLXRlc3RzLW9ubHktbm90LWEtcmVhbC1rZXktMTI","ip":"<nil>","id":null}"#,
        r#"{"action":"read","path":"cam.1","protocol":"hls","ip":"2001:db8::1","id":"","query":""}"#,
    ];

    #[test]
    fn any_body_is_read_or_refused_and_prints_no_key() {
        fuzz(&bytes(&SENT), |body| {
            let Ok(request) = parse(&body) else { return };
            assert!(!format!("{request:?}").contains(KEY));
        });
    }
}
