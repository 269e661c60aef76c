//! HTTP in: the router, one file for each resource. Handlers extract, convert, make one call into
//! [`app`](crate::app), and convert back.
//!
//! A request passes `observe` (id, span, log line, numbers, problems), for the management API `callers` (who is
//! asking), and arrives at a handler. The OpenAPI document is made of the same list of routes as the router.

mod api_tokens;
mod audit;
mod auth;
mod authentication;
mod body;
mod broadcasters;
mod docs;
mod extract;
mod health;
mod hook_secret;
mod hooks;
mod kick;
mod lenient;
mod media_servers;
mod metrics;
mod openapi;
mod options;
mod origin;
mod problem;
mod problems;
mod request_log;
mod sse;
mod stream_events;
mod stream_keys;
mod streamer_events;
mod streamers;
mod streams;
mod strict;

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodRouter, get};
use tokio::sync::Semaphore;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};
use utoipa_axum::routes;

pub use openapi::{openapi_json, problems_json};
pub use options::{HttpOptions, MetricsText, WorkerHealth, WorkersHealth};
pub use problem::{ProblemKind, ProblemType};

use crate::app::App;
use openapi::Callers;
use problem::Problem;

/// How many calls of the management API may be under way at once. It is what keeps them from taking every connection
/// away from the media servers.
const MAX_CALLS: usize = 1_000;
/// How many readers may follow events at once.
const MAX_READERS: usize = 2_000;

/// What handlers share.
struct Shared {
    app: Arc<App>,
    options: HttpOptions,
    calls: Semaphore,
    readers: Arc<Semaphore>,
}

type Api = Arc<Shared>;

/// Everything that is answered over HTTP. Serve it with the peer's address as `ConnectInfo<SocketAddr>`.
pub fn router(app: Arc<App>, options: HttpOptions) -> Router {
    let (calls, readers) = (Semaphore::new(MAX_CALLS), Arc::new(Semaphore::new(MAX_READERS)));
    let api = Arc::new(Shared { app, options, calls, readers });
    let signed_in = from_fn_with_state(Arc::clone(&api), authentication::authenticate);
    // On the methods, not on the route: a method that is not there is told as such to anyone.
    let protect = |methods: MethodRouter<Api>| methods.route_layer(signed_in.clone());
    anyone()
        .merge(media_servers())
        .merge(management(protect))
        .split_for_parts()
        .0
        .route("/docs/", get(docs::page))
        .route("/docs/{*name}", get(docs::asset))
        .fallback(|| async { Problem::of_status(StatusCode::NOT_FOUND) })
        .layer(from_fn_with_state(Arc::clone(&api), request_log::request_log))
        .with_state(api)
}

/// The document of everything above.
pub fn openapi() -> OpenApi {
    let parts = [
        (anyone(), Callers::Anyone),
        (media_servers(), Callers::MediaServers),
        (management(|methods| methods), Callers::Management),
    ];
    let mut document = OpenApi::default();
    for (part, callers) in parts {
        let mut part = part.into_openapi();
        openapi::complete(&mut part.paths, callers);
        document.merge(part);
    }
    openapi::describe(&mut document);
    document
}

fn anyone() -> OpenApiRouter<Api> {
    OpenApiRouter::default()
        .routes(routes!(health::health))
        .routes(routes!(health::livez))
        .routes(routes!(health::readyz))
        .routes(routes!(metrics::metrics))
        .routes(routes!(docs::document))
        .routes(routes!(docs::page))
        .routes(routes!(problems::read_problem))
        .routes(routes!(kick::receive_kick_webhook))
}

fn media_servers() -> OpenApiRouter<Api> {
    OpenApiRouter::default().routes(routes!(auth::auth)).merge(hooks::routes())
}

fn management(protect: impl Fn(MethodRouter<Api>) -> MethodRouter<Api>) -> OpenApiRouter<Api> {
    let protected = |(schemas, paths, methods): UtoipaMethodRouter<Api>| (schemas, paths, protect(methods));
    OpenApiRouter::default()
        .routes(protected(routes!(streams::list_streams)))
        .routes(protected(routes!(stream_events::follow_streams)))
        .routes(protected(routes!(streams::read_stream, streams::end_stream)))
        .routes(protected(routes!(stream_keys::list_stream_keys, stream_keys::create_stream_key)))
        .routes(protected(routes!(stream_keys::read_stream_key, stream_keys::revoke_stream_key)))
        .routes(protected(routes!(stream_keys::rotate_stream_key)))
        .routes(protected(routes!(broadcasters::list_broadcasters, broadcasters::create_broadcaster)))
        .routes(protected(routes!(
            broadcasters::read_broadcaster,
            broadcasters::update_broadcaster,
            broadcasters::delete_broadcaster
        )))
        .routes(protected(routes!(streamers::list_streamers, streamers::create_streamer)))
        .routes(protected(routes!(streamer_events::follow_streamers)))
        .routes(protected(routes!(
            streamers::read_streamer,
            streamers::update_streamer,
            streamers::delete_streamer
        )))
        .routes(protected(routes!(streamer_events::list_status_events)))
        .routes(protected(routes!(audit::read_audit_logs)))
        .routes(protected(routes!(audit::report_audit_event)))
        .routes(protected(routes!(api_tokens::list_api_tokens, api_tokens::create_api_token)))
        .routes(protected(routes!(api_tokens::delete_api_token)))
        .routes(protected(routes!(media_servers::list_media_servers)))
}
