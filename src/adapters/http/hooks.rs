//! `POST /webhook/…`: media servers report that a path became live or ended. This only starts a poll.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde::de::IgnoredAny;
use utoipa::ToSchema;
use utoipa_axum::router::UtoipaMethodRouter;
use utoipa_axum::routes;

use super::body::{self, HOOK_BODY};
use super::hook_secret::FromMediaServer;
use super::lenient::Text;
use super::problem::Problem;
use super::routes::Routes;
use crate::app::access::Access;
use crate::app::hook::{HookMessage, Hooks};
use crate::domain::Invalid;
use crate::domain::path::IngestPath;
use crate::domain::reconcile::HookKind;
use crate::domain::secret::mask_keys;

/// The longest kind of session that is kept, in characters.
const MAX_KIND: usize = 64;

/// The report of a hook. Fields that are null or of another type count as absent. Unknown fields are ignored.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = HookMessage)]
pub(super) struct Wire<'a> {
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

/// The routes, with an alias for each MediaMTX name of these hooks.
pub fn routes() -> Routes<(Arc<Access>, Arc<Hooks>)> {
    Routes::new()
        .media_servers(routes!(ready))
        .media_servers(routes!(not_ready))
        .media_servers(alias("available", routes!(ready)))
        .media_servers(alias("online", routes!(ready)))
        .media_servers(alias("unavailable", routes!(not_ready)))
        .media_servers(alias("offline", routes!(not_ready)))
}

/// The same route and the same documentation under another name.
fn alias<S>(name: &str, (schemas, mut paths, methods): UtoipaMethodRouter<S>) -> UtoipaMethodRouter<S> {
    let items = std::mem::take(&mut paths.paths);
    for (path, mut item) in items {
        if let Some(operation) = &mut item.post {
            operation.operation_id = Some(name.to_owned());
            operation.description = Some(format!("Another name of `{path}`."));
        }
        paths.paths.insert(format!("/webhook/{name}"), item);
    }
    (schemas, paths, methods)
}

/// Report that a path became live
///
/// For media servers. As JSON or as a form. Streamward polls the media server at once, and only the poll counts.
#[utoipa::path(
    post,
    path = "/webhook/ready",
    tag = "media servers",
    params(("server" = Option<String>, Query, description = "The name of the media server; `default` without it")),
    request_body(content(
        (Wire<'static> = "application/json"),
        (Wire<'static> = "application/x-www-form-urlencoded"),
    )),
    responses((status = 204, description = "Noted"))
)]
pub(super) async fn ready(
    State(state): State<(Arc<Access>, Arc<Hooks>)>,
    FromMediaServer(server): FromMediaServer,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, Problem> {
    let message = message(HookKind::Ready, &headers, body).await?;
    state.1.accept(&server, message).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Report that a path is no longer live
///
/// For media servers. As JSON or as a form. The report has no effect while the media server still has the session.
#[utoipa::path(
    post,
    path = "/webhook/not-ready",
    tag = "media servers",
    params(("server" = Option<String>, Query, description = "The name of the media server; `default` without it")),
    request_body(content(
        (Wire<'static> = "application/json"),
        (Wire<'static> = "application/x-www-form-urlencoded"),
    )),
    responses((status = 204, description = "Noted"))
)]
pub(super) async fn not_ready(
    State(state): State<(Arc<Access>, Arc<Hooks>)>,
    FromMediaServer(server): FromMediaServer,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, Problem> {
    let message = message(HookKind::NotReady, &headers, body).await?;
    state.1.accept(&server, message).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn message(kind: HookKind, headers: &HeaderMap, body: Body) -> Result<HookMessage, Problem> {
    let bytes = body::read(headers, body, HOOK_BODY).await?;
    let wire = parse(&bytes)?;
    let source_type = wire.source_type.some().map(|kind| mask_keys(&kind));
    Ok(HookMessage {
        kind,
        path: IngestPath::from_media_server(&wire.path.0),
        source_type: source_type.map(|t| t.chars().filter(|c| !c.is_control()).take(MAX_KIND).collect()),
        source_id: wire.source_id.some(),
    })
}

/// JSON if the body starts like JSON, otherwise a form: `curl -d` always sends the content type of a form.
fn parse(bytes: &[u8]) -> Result<Wire<'_>, Invalid> {
    let wire = if bytes.trim_ascii_start().first() == Some(&b'{') {
        serde_json::from_slice(bytes).map_err(|_| Invalid::one("body", "must be a JSON object or a form"))?
    } else {
        let mut wire = Wire::default();
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
}
