//! `POST /auth`: the auth callback of MediaMTX. It decides whether a client may publish, read or use an API.
//!
//! MediaMTX handles one callback at a time, and logs the body of every answer that is not 200. So nothing here calls a
//! media server, and no answer repeats the request.

mod dto;

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode};

use super::body::{self, HOOK_BODY};
use super::handler::{Problem, Routes, State, routes};
use super::hook_secret::FromMediaServer;
use super::problem::ProblemType;
use crate::app::access::Access;
use crate::app::publish::PublishAuth;
use dto::{AuthRequestBody, parse};

/// The route.
pub fn routes() -> Routes<(Arc<Access>, Arc<PublishAuth>)> {
    Routes::new("media servers").media_servers(routes!(auth))
}

/// Decide whether a media server's client may do something
///
/// For media servers (MediaMTX `authHTTPAddress`). 200 allows the client, any other status denies it. The answer comes
/// within a second, also during a failure. If no decision is possible, the client is denied.
#[utoipa::path(
    post,
    path = "/auth",
    params(("server" = Option<String>, Query, description = "The name of the media server; `default` without it")),
    request_body = AuthRequestBody<'static>,
    responses(
        (status = 200, description = "Let in"),
        (status = 401, description = "`denied`: The client is refused"),
    )
)]
async fn auth(
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
