//! `POST /srs/…`: the callbacks of SRS. They decide who may publish and watch, and report who left.
//!
//! SRS refuses the client if there is no answer, another status than 200, or another code than 0. It waits for the answer
//! with the connection of that one client. A slow answer to `on_publish` has crashed it, so each answer comes within a second.
//! SRS logs the request and the answer, so no answer repeats the request.

mod dto;

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::http::HeaderMap;
use utoipa_axum::router::UtoipaMethodRouter;

use super::body::{self, HOOK_BODY};
use super::handler::{Answer, Routes, State, ok, routes};
use super::hook_secret::FromMediaServer;
use crate::app::access::Access;
use crate::app::callbacks::Callbacks;
use crate::domain::credentials::Action;
use dto::{CallbackAnswer, CallbackBody, parse};

type Shared = (Arc<Access>, Arc<Callbacks>);

/// What a callback is about.
#[derive(Clone, Copy)]
enum About {
    /// A client wants to do something.
    Request(Action),
    /// A publisher left.
    PublisherLeft,
    /// Something that changes nothing here.
    Nothing,
}

/// The routes.
pub fn routes() -> Routes<Shared> {
    let on_publish = "For SRS. A code other than 0 refuses the client. The answer comes within a second, also during a failure; if \
         no decision is possible, the client is refused. If the client takes over from another publisher, that one is \
         disconnected first, because SRS would refuse a second one.";
    let on_unpublish =
        "For SRS. Streamward polls SRS at once, and only the poll counts. The code is always 0.";
    let on_play =
        "For SRS. Everybody may watch a public path; nobody may watch a path with a stream key in it.";
    let nothing = "For SRS. Nothing depends on it. The code is always 0.";
    Routes::new("media servers")
        .media_servers(named(
            "on_publish",
            About::Request(Action::Publish),
            "Decide whether a client may publish",
            on_publish,
        ))
        .media_servers(named(
            "on_unpublish",
            About::PublisherLeft,
            "Report that a publisher left",
            on_unpublish,
        ))
        .media_servers(named(
            "on_play",
            About::Request(Action::Read),
            "Decide whether a client may watch",
            on_play,
        ))
        .media_servers(named("on_stop", About::Nothing, "Report that a viewer left", nothing))
        .media_servers(named("on_connect", About::Nothing, "Report that a client connected", nothing))
        .media_servers(named("on_close", About::Nothing, "Report that a client disconnected", nothing))
}

/// The route of the callback with this name.
fn named(name: &str, about: About, summary: &str, description: &str) -> UtoipaMethodRouter<Shared> {
    let (schemas, mut paths, methods) = routes!(receive_callback);
    let items = std::mem::take(&mut paths.paths);
    for mut item in items.into_values() {
        if let Some(operation) = &mut item.post {
            operation.operation_id = Some(format!("srs_{name}"));
            operation.summary = Some(summary.to_owned());
            operation.description = Some(description.to_owned());
        }
        paths.paths.insert(format!("/srs/{name}"), item);
    }
    (schemas, paths, methods.layer(Extension(about)))
}

#[utoipa::path(
    post,
    path = "/srs",
    params(("server" = Option<String>, Query, description = "The name of the media server; `default` without it")),
    request_body = CallbackBody<'static>,
    responses((status = 200, description = "Decided", body = CallbackAnswer))
)]
async fn receive_callback(
    State(state): State<Shared>,
    Extension(about): Extension<About>,
    FromMediaServer(server): FromMediaServer,
    headers: HeaderMap,
    body: Body,
) -> Answer<CallbackAnswer> {
    let bytes = body::read(&headers, body, HOOK_BODY).await?;
    let (callback, callbacks) = (parse(&bytes)?, &state.1);
    match about {
        About::Request(action) => ok(callbacks.decide(&server, &callback.request(action)).await),
        About::PublisherLeft => {
            callbacks.publisher_left(&server, callback.path(), callback.client()).await;
            ok(CallbackAnswer::GO_ON)
        }
        About::Nothing => ok(CallbackAnswer::GO_ON),
    }
}
