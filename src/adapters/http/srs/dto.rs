//! The body of a callback of SRS.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::adapters::http::lenient::Text;
use crate::domain::Invalid;
use crate::domain::credentials::{Action, AuthRequest, Credentials};
use crate::domain::media_server::SourceId;
use crate::domain::path::IngestPath;
use crate::domain::publish::DenyReason;
use crate::domain::secret::Secret;

/// What SRS sends. Fields that are missing, null or of another type count as empty. Unknown fields are ignored.
#[derive(Deserialize, ToSchema)]
#[schema(as = SrsCallback)]
pub(super) struct CallbackBody<'a> {
    /// The client's connection.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, example = "3app8g3p")]
    client_id: Text<'a>,
    /// The client's address.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, example = "192.0.2.7")]
    ip: Text<'a>,
    /// The first parts of the path.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, example = "live")]
    app: Text<'a>,
    /// The last part of the path.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, example = "alice")]
    stream: Text<'a>,
    /// The whole path, with the vhost before it if that is not the default one. Since SRS 5.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, example = "/live/alice")]
    stream_url: Text<'a>,
    /// The client's raw query, with its `?`.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, example = "?key=sk_…")]
    param: Text<'a>,
    /// The address that the client connected to.
    #[serde(borrow, default, rename = "tcUrl")]
    #[schema(value_type = Option<String>, example = "rtmp://127.0.0.1:1935/live")]
    tc_url: Text<'a>,
}

impl CallbackBody<'_> {
    /// The path of the stream.
    pub(super) fn path(&self) -> IngestPath {
        IngestPath::from_srs(&self.app.0, &self.stream.0, Some(&self.stream_url.0))
    }

    /// The client's connection.
    pub(super) fn client(&self) -> Option<String> {
        self.client_id.some()
    }

    /// The request of a client that wants to do this.
    pub(super) fn request(&self, action: Action) -> AuthRequest {
        let query = self.param.0.trim_start_matches('?');
        AuthRequest {
            action,
            path: self.path(),
            protocol: protocol(&self.tc_url.0),
            connection: SourceId::parse(&self.client_id.0),
            ip: self.ip.0.parse().ok(),
            credentials: Credentials {
                password: Secret::new(""),
                token: Secret::new(""),
                query: Secret::new(query),
            },
        }
    }
}

/// The protocol as a word of a fixed set, so that clients cannot invent metric labels.
fn protocol(address: &str) -> &'static str {
    match address.split_once("://").map(|(scheme, _)| scheme) {
        Some("rtmp" | "rtmps") => "rtmp",
        Some("srt") => "srt",
        Some("webrtc") => "webrtc",
        Some("http" | "https") => "http",
        Some(_) => "other",
        None => "none",
    }
}

/// Reads what SRS sends.
pub(super) fn parse(bytes: &[u8]) -> Result<CallbackBody<'_>, Invalid> {
    // serde would read a list as the values of an object.
    let is_object = bytes.trim_ascii_start().first() == Some(&b'{');
    let body = is_object.then(|| serde_json::from_slice(bytes).ok()).flatten();
    body.ok_or_else(|| Invalid::one("body", "must be a JSON object"))
}

/// The answer to SRS, which logs it.
#[derive(Serialize, ToSchema)]
#[schema(as = SrsCallbackAnswer)]
pub(super) struct CallbackAnswer {
    /// 0: go on. Anything else: the client is refused.
    #[schema(example = 0)]
    code: u16,
    /// Why the client is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
}

impl CallbackAnswer {
    /// Go on.
    pub(super) const GO_ON: Self = Self { code: 0, reason: None };
}

impl From<Result<(), DenyReason>> for CallbackAnswer {
    fn from(decided: Result<(), DenyReason>) -> Self {
        match decided {
            Ok(()) => Self::GO_ON,
            Err(reason) => Self { code: 403, reason: Some(reason.advice()) },
        }
    }
}

#[cfg(test)]
mod tests {
    use streamward_test_support::fuzz::{KEY, bytes, fuzz};

    use super::*;

    /// Recorded from SRS 7.0.
    const SENT: [&str; 3] = [
        r#"{"server_id":"vid-0v5r6x2","service_id":"7o8w1m5h","action":"on_publish","client_id":"3app8g3p","ip":"127.0.0.1",
            "vhost":"__defaultVhost__","app":"live","tcUrl":"rtmp://127.0.0.1:19350/live","stream":"alice",
            "param":"?key=sk_Zm9yLXRlc3RzLW9ubHktbm90LWEtcmVhbC1rZXktMTI","stream_url":"/live/alice","stream_id":"vid-1511053"}"#,
        r#"{"action":"on_publish","client_id":"3app8g3p","ip":"127.0.0.1","app":"live","tcUrl":"rtmp://127.0.0.1:19350/live",
            "stream":"sk_Zm9yLXRlc3RzLW9ubHktbm90LWEtcmVhbC1rZXktMTI","param":"",
            "stream_url":"/live/sk_Zm9yLXRlc3RzLW9ubHktbm90LWEtcmVhbC1rZXktMTI"}"#,
        r#"{"action":"on_close","client_id":"3app8g3p","ip":"127.0.0.1","vhost":"__defaultVhost__","app":"live","send_bytes":3,"recv_bytes":9}"#,
    ];

    #[test]
    fn what_srs_sends_is_understood() {
        let body = parse(SENT[0].as_bytes()).unwrap();
        let request = body.request(Action::Publish);
        assert_eq!((request.action, request.protocol), (Action::Publish, "rtmp"));
        assert_eq!(request.path.public(), Some("live/alice"));
        assert_eq!(request.connection, SourceId::parse("3app8g3p"));
        assert_eq!(request.ip, "127.0.0.1".parse().ok());
        assert_eq!(request.credentials.stream_key().unwrap().expose(), KEY);
        let private = parse(SENT[1].as_bytes()).unwrap().request(Action::Publish);
        assert!(matches!(private.path, IngestPath::Private(_)));
    }

    #[test]
    fn only_an_object_is_understood() {
        for odd in ["", "[]", "null", "{", r#"["publish"]"#] {
            assert!(parse(odd.as_bytes()).is_err(), "{odd}");
        }
        assert!(parse(br#"{"client_id":7,"new":{}}"#).unwrap().client().is_none());
    }

    #[test]
    fn protocol_is_one_of_a_few_words() {
        for (address, word) in [
            ("rtmp://h/live", "rtmp"),
            ("srt://h/live", "srt"),
            ("webrtc://h/live", "webrtc"),
            ("http://h/live", "http"),
            ("evil-1://h", "other"),
            ("", "none"),
        ] {
            assert_eq!(protocol(address), word);
        }
    }

    #[test]
    fn any_body_is_read_or_refused_and_shows_no_key() {
        fuzz(&bytes(&SENT), |body| {
            let Ok(body) = parse(&body) else { return };
            let request = body.request(Action::Publish);
            assert!(!format!("{request:?}").contains(KEY));
        });
    }
}
