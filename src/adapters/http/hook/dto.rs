//! The body of a hook.

use serde::Deserialize;
use serde::de::IgnoredAny;
use utoipa::ToSchema;

use crate::adapters::http::lenient::Text;
use crate::app::hook::HookMessage;
use crate::domain::Invalid;
use crate::domain::path::IngestPath;
use crate::domain::reconcile::HookKind;
use crate::domain::secret::masked_line;

/// The longest kind of session that is kept, in characters.
const MAX_KIND: usize = 64;

/// The report of a hook. Fields that are null or of another type count as absent. Unknown fields are ignored.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = HookMessage)]
pub(super) struct HookBody<'a> {
    /// The path (`MTX_PATH`).
    #[serde(borrow, default)]
    #[schema(value_type = String, required = true, example = "live/alice", pattern = "[^ ]")]
    path: Text<'a>,
    /// The kind of session that publishes it (`MTX_SOURCE_TYPE`).
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, example = "rtmpConn")]
    source_type: Text<'a>,
    /// The id of the session (`MTX_SOURCE_ID`).
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>)]
    source_id: Text<'a>,
    /// The client's raw query (`MTX_QUERY`). Not read, since it may contain the key.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    #[expect(dead_code, reason = "part of the contract, but never read")]
    query: IgnoredAny,
}

impl HookBody<'_> {
    /// The message of a hook of this kind.
    pub(super) fn message(self, kind: HookKind) -> HookMessage {
        let source_type = self.source_type.some().map(|kind| masked_line(&kind, MAX_KIND));
        HookMessage {
            kind,
            path: IngestPath::from_media_server(&self.path.0),
            source_type,
            source_id: self.source_id.some(),
        }
    }
}

/// JSON if the body starts like JSON, otherwise a form: `curl -d` always sends the content type of a form.
pub(super) fn parse(bytes: &[u8]) -> Result<HookBody<'_>, Invalid> {
    let wire = if bytes.trim_ascii_start().first() == Some(&b'{') {
        serde_json::from_slice(bytes).map_err(|_| Invalid::one("body", "must be a JSON object or a form"))?
    } else {
        let mut wire = HookBody::default();
        for (name, value) in form_urlencoded::parse(bytes) {
            match &*name {
                "path" => wire.path = Text(value),
                "source_type" => wire.source_type = Text(value),
                "source_id" => wire.source_id = Text(value),
                _ => {}
            }
        }
        wire
    };
    if wire.path.0.is_empty() {
        return Err(Invalid::one("path", "must be given"));
    }
    Ok(wire)
}

#[cfg(test)]
mod tests {
    use streamward_test_support::fuzz::{KEY, bytes, fuzz, texts};

    use super::*;

    #[test]
    fn a_hook_comes_as_json_or_as_a_form() {
        for body in [
            r#"{"path":"live/alice","source_type":"rtmpConn","source_id":"1","more":[1]}"#,
            "path=live%2Falice&source_type=rtmpConn&source_id=1&more=1",
        ] {
            let wire = parse(body.as_bytes()).unwrap();
            assert_eq!(
                (&*wire.path.0, &*wire.source_type.0, &*wire.source_id.0),
                ("live/alice", "rtmpConn", "1")
            );
        }
        let bare = parse(br#"{"path":"a","source_type":null,"source_id":null}"#).unwrap();
        assert_eq!((bare.source_type.some(), bare.source_id.some()), (None, None));
    }

    #[test]
    fn a_hook_without_a_path_tells_nothing() {
        for (body, field) in [("{}", "path"), ("", "path"), ("{\"path\":", "body"), ("[]", "path")] {
            assert_eq!(parse(body.as_bytes()).unwrap_err().0[0].field, field, "{body}");
        }
    }

    const SENT: [&str; 3] = [
        r#"{"path":"live/alice","source_type":"rtmpConn","source_id":"7f2b","query":"key=sk_Zm9yLXRlc3RzLW9ubHktbm90LWEtcmVhbC1rZXktMTI"}"#,
        "path=live%2Falice&source_type=rtmpConn&source_id=7f2b&query=key%3Dk",
        r#"{"path":"live/sk_Zm9yLXRlc3RzLW9ubHktbm90LWEtcmVhbC1rZXktMTI","source_type":"sk_Zm9yLXRlc3RzLW9ubHktbm90LWEtcmVhbC1rZXktMTI"}"#,
    ];

    #[test]
    fn any_hook_is_read_or_refused_and_shows_no_key() {
        fuzz(&bytes(&SENT), |body| {
            let Ok(wire) = parse(&body) else { return };
            let message = wire.message(HookKind::Ready);
            assert!(message.path.public().is_none_or(|path| !path.contains(KEY)));
            assert!(message.source_type.is_none_or(|kind| !kind.contains(KEY)));
        });
    }

    #[test]
    fn any_path_is_the_same_in_a_form_and_in_json() {
        fuzz(&texts(&["live/alice", "rtmpConn"]), |path| {
            if path.is_empty() {
                return;
            }
            let json = serde_json::json!({ "path": path }).to_string();
            let form = form_urlencoded::Serializer::new(String::new()).append_pair("path", &path).finish();
            let [json, form] = [json.as_bytes(), form.as_bytes()].map(|body| parse(body).unwrap().path.0);
            assert_eq!(json, form);
        });
    }
}
