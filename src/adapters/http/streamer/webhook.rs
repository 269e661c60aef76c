//! `POST /kick/webhook`: Kick's signed webhooks. Enter this address at kick.com/settings/developer.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::{ConnectInfo, State};
use axum::http::HeaderMap;

use crate::adapters::http::admission::UnprovenBodies;
use crate::adapters::http::body::HOOK_BODY;
use crate::adapters::http::handler::{Done, NoContent};
use crate::app::streamer::Streamers;
use crate::ports::WebhookHeaders;

/// Receive a webhook of Kick
///
/// For Kick's servers. The signature must show that Kick sent the message within the last five minutes. A
/// `livestream.status.updated` is stored before the answer; other messages are ignored. Messages may arrive twice and
/// in any order: a repeated message has no effect. The answer is 404 if this setup does not watch streamers.
#[utoipa::path(
    post,
    path = "/kick/webhook",
    params(
        ("Kick-Event-Message-Id" = String, Header),
        ("Kick-Event-Message-Timestamp" = String, Header, description = "RFC 3339"),
        ("Kick-Event-Signature" = String, Header, description = "Base64, RSA PKCS#1 v1.5 with SHA-256"),
        ("Kick-Event-Type" = String, Header),
        ("Kick-Event-Version" = String, Header),
    ),
    request_body(content = String, content_type = "application/json"),
    responses(
        (status = 204, description = "The message is stored, or its type is ignored"),
        (status = 400, description = "`validation`: The signature is valid, but the message is not"),
        (status = 401, description = "`unauthenticated`: The signature is not valid"),
        (status = 404, description = "`not-found`: This setup does not watch streamers"),
        (status = 503, description = "`unavailable` or `webhook-key-unavailable`: Send it again"),
    )
)]
pub(super) async fn receive_kick_webhook(
    State(streamers): State<Arc<Streamers>>,
    Extension(unproven): Extension<UnprovenBodies>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    body: Body,
) -> Done {
    let body = unproven.read(Some(peer.ip()), &headers, body, HOOK_BODY).await?;
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let headers = WebhookHeaders {
        message_id: text("kick-event-message-id"),
        timestamp: text("kick-event-message-timestamp"),
        signature: text("kick-event-signature"),
        kind: text("kick-event-type"),
        version: text("kick-event-version"),
    };
    streamers.receive_kick_webhook(&headers, &body).await?;
    Ok(NoContent)
}
