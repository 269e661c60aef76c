//! `POST /webhook/…`: media servers report that a path became live or ended. This only starts a poll.

mod dto;

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::http::HeaderMap;
use utoipa_axum::router::UtoipaMethodRouter;

use super::body::{self, HOOK_BODY};
use super::handler::{Done, NoContent, Routes, State, routes};
use super::hook_secret::FromMediaServer;
use crate::app::access::Access;
use crate::app::hook::Hooks;
use crate::domain::reconcile::HookKind;
use dto::{HookBody, parse};

type Shared = (Arc<Access>, Arc<Hooks>);

/// The routes: our names of the hooks, and those of MediaMTX.
pub fn routes() -> Routes<Shared> {
    use HookKind::{NotReady, Ready};
    let ready = "For media servers. As JSON or as a form. Streamward polls the media server at once, and only the poll \
                 counts.";
    let not_ready = "For media servers. As JSON or as a form. The report has no effect while the media server still has \
                     the session.";
    Routes::new("media servers")
        .media_servers(named("ready", Ready, ready))
        .media_servers(named("not-ready", NotReady, not_ready))
        .media_servers(named("available", Ready, "Another name of `/webhook/ready`."))
        .media_servers(named("online", Ready, "Another name of `/webhook/ready`."))
        .media_servers(named("unavailable", NotReady, "Another name of `/webhook/not-ready`."))
        .media_servers(named("offline", NotReady, "Another name of `/webhook/not-ready`."))
}

/// The route of a hook under this name.
fn named(name: &str, kind: HookKind, about: &str) -> UtoipaMethodRouter<Shared> {
    let (schemas, mut paths, methods) = routes!(receive_hook);
    let items = std::mem::take(&mut paths.paths);
    for mut item in items.into_values() {
        if let Some(operation) = &mut item.post {
            operation.operation_id = Some(name.replace('-', "_"));
            let what = if kind == HookKind::Ready { "became live" } else { "is no longer live" };
            operation.summary = Some(format!("Report that a path {what}"));
            operation.description = Some(about.to_owned());
        }
        paths.paths.insert(format!("/webhook/{name}"), item);
    }
    (schemas, paths, methods.layer(Extension(kind)))
}

#[utoipa::path(
    post,
    path = "/webhook",
    params(("server" = Option<String>, Query, description = "The name of the media server; `default` without it")),
    request_body(content(
        (HookBody<'static> = "application/json"),
        (HookBody<'static> = "application/x-www-form-urlencoded"),
    )),
    responses((status = 204, description = "Noted"))
)]
async fn receive_hook(
    State(state): State<Shared>,
    Extension(kind): Extension<HookKind>,
    FromMediaServer(server): FromMediaServer,
    headers: HeaderMap,
    body: Body,
) -> Done {
    let bytes = body::read(&headers, body, HOOK_BODY).await?;
    state.1.accept(&server, parse(&bytes)?.message(kind)).await?;
    Ok(NoContent)
}
