//! The outermost layer: request id, span, log entry and metrics. It catches panics and writes problems.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt as _;
use tokio::time::Instant;
use tracing::Instrument as _;

use super::base_path::BasePath;
use super::connection::InvalidRequest;
use super::page::HTML;
use super::problem::{PROBLEM_JSON, Problem, ProblemType};
use crate::app::Core;
use crate::app::request_lines::{LineKind, RequestLines};
use crate::domain::Invalid;
use crate::domain::secret::mask_keys;
use crate::ports::{Clock, IdGen};

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const MAX_REQUEST_ID: usize = 128;

/// What the outermost layer needs.
pub struct RequestLog {
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdGen>,
    lines: Arc<RequestLines>,
}

impl RequestLog {
    /// A log before there is a database.
    pub fn new(clock: Arc<dyn Clock>, ids: Arc<dyn IdGen>) -> Self {
        Self { clock, ids, lines: Arc::default() }
    }

    /// The log of a service.
    pub fn of(core: &Core) -> Self {
        let (clock, ids, lines) = (Arc::clone(&core.clock), Arc::clone(&core.ids), Arc::clone(&core.lines));
        Self { clock, ids, lines }
    }
}

/// The request's id: the caller's if it is valid, otherwise a new one.
#[derive(Clone, Debug)]
pub(super) struct RequestId(HeaderValue);

impl RequestId {
    fn of(headers: &HeaderMap, ids: &dyn IdGen) -> Self {
        // It is logged and repeated, so it must not be a secret.
        let is_public = |id: &str| !id.contains("swt_") && mask_keys(id) == id;
        let sane = |id: &&HeaderValue| {
            (1..=MAX_REQUEST_ID).contains(&id.len())
                && id.as_bytes().iter().all(u8::is_ascii_graphic)
                && id.to_str().is_ok_and(is_public)
        };
        match headers.get(X_REQUEST_ID).filter(sane) {
            Some(id) => Self(id.clone()),
            None => {
                Self(HeaderValue::from_str(&ids.uuid().to_string()).unwrap_or(HeaderValue::from_static("-")))
            }
        }
    }

    /// The id as text.
    pub(super) fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or("-")
    }
}

/// Our failure behind an answer, as an extension of it: for a caller within this process, who has no log.
#[derive(Clone, Debug)]
pub struct Failed(pub String);

/// A request's path with secrets masked: a client may put a secret into an address.
pub(super) fn shown_path(path: &str) -> String {
    if path.contains("swt_") {
        let mask = |part| if str::starts_with(part, "swt_") { "swt_***" } else { part };
        return mask_keys(&path.split('/').map(mask).collect::<Vec<_>>().join("/"));
    }
    mask_keys(path)
}

/// The outermost layer of the router.
pub(super) async fn request_log(
    State(log): State<Arc<RequestLog>>,
    mut request: Request,
    next: Next,
) -> Response {
    let started = Instant::now();
    let id = RequestId::of(request.headers(), &*log.ids);
    let base = BasePath::of(request.extensions());
    request.extensions_mut().insert(id.clone());
    let (method, uri) = (method_word(request.method()), request.uri().clone());
    let route = request.extensions().get::<MatchedPath>().cloned();
    // The template, not the path: a path may contain a secret.
    let route = route.as_ref().map_or("unmatched", MatchedPath::as_str);
    let span = tracing::info_span!(
        "http",
        otel.name = format_args!("{method} {route}"),
        otel.kind = "server",
        request_id = id.as_str()
    );
    let invalid = request.extensions().get::<InvalidRequest>().copied();
    let work = async {
        match invalid {
            Some(invalid) => refused(invalid).into_response(),
            None => next.run(request).await,
        }
    };
    let answer = AssertUnwindSafe(work).catch_unwind().instrument(span.clone()).await;
    let response = answer.unwrap_or_else(|_| {
        metrics::counter!("streamward_http_panics_total").increment(1);
        span.in_scope(|| tracing::error!(method, route, "a handler panicked"));
        Problem::internal().into_response()
    });
    let is_told = response.extensions().get::<Problem>().is_some_and(Problem::is_told);
    let (mut response, failure) = finish(response, (&base, uri.path()), &id);
    if let Some(failure) = &failure {
        response.extensions_mut().insert(Failed(failure.clone()));
    }
    let (status, took) = (response.status(), started.elapsed());
    let route: Arc<str> = Arc::from(route);
    let is_quiet = is_quiet(method, &route, status, is_told);
    let is_wanted = !is_quiet || tracing::enabled!(tracing::Level::DEBUG);
    if is_wanted && log.lines.allow(&line_kind(&route, status), log.clock.now()) {
        let micros = u32::try_from(took.as_micros()).unwrap_or(u32::MAX);
        let (duration_ms, status) = (f64::from(micros) / 1_000.0, status.as_u16());
        span.in_scope(|| {
            if let Some(error) = failure {
                tracing::error!(error, method, route = &*route, "a request failed");
            }
            if is_quiet {
                tracing::debug!(method, route = &*route, status, duration_ms, "request");
            } else {
                tracing::info!(method, route = &*route, status, duration_ms, "request");
            }
        });
    }
    metrics::counter!("streamward_http_requests_total",
        "method" => method, "route" => Arc::clone(&route), "status" => status.as_u16().to_string())
    .increment(1);
    metrics::histogram!("streamward_http_request_duration_seconds", "method" => method, "route" => route)
        .record(took.as_secs_f64());
    response
}

/// Whether the request says nothing at level `info`. Dashboards, monitors and media servers ask all the time, also when nothing
/// happens; and the decisions of `/auth` have lines of their own.
fn is_quiet(method: &str, route: &str, status: StatusCode, is_told: bool) -> bool {
    let reads = matches!(method, "GET" | "HEAD" | "OPTIONS");
    let is_of_media_server = route == "/auth" || route.starts_with("/srs/") || route.starts_with("/webhook/");
    is_told || (status.is_success() && (reads || is_of_media_server))
}

/// Refused requests are alike on all routes: their senders could try every route.
fn line_kind(route: &Arc<str>, status: StatusCode) -> LineKind {
    let route = (!status.is_client_error()).then(|| Arc::clone(route));
    LineKind { line: "request", route, status: Some(status.as_u16()), ..LineKind::default() }
}

fn refused(invalid: InvalidRequest) -> Problem {
    let kind = match invalid {
        InvalidRequest::Host => return Invalid::one("Host", "must be sent exactly once").into(),
        InvalidRequest::Head(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE) => ProblemType::HEAD_TOO_LARGE,
        InvalidRequest::Head(StatusCode::URI_TOO_LONG) => ProblemType::URI_TOO_LONG,
        InvalidRequest::Head(_) => ProblemType::MALFORMED_REQUEST,
    };
    Problem::new(kind, kind.description)
}

/// Writes problems and sets the common headers. Also returns our failure behind the problem, for the log.
fn finish(
    mut response: Response,
    (base, path): (&BasePath, &str),
    id: &RequestId,
) -> (Response, Option<String>) {
    let failed = response.status().is_client_error() || response.status().is_server_error();
    let mut failure = None;
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        response = problem.render(base.as_str(), &shown_path(path), id.as_str(), response);
        failure = problem.into_failure();
    } else if failed
        && response.headers().get(CONTENT_TYPE).is_none_or(|kind| kind != PROBLEM_JSON && kind != HTML)
    {
        // An answer of a library: an unknown route or method, or an unreadable body.
        let problem = Problem::of_status(response.status());
        response = problem.render(base.as_str(), &shown_path(path), id.as_str(), response);
    }
    let headers = response.headers_mut();
    if let Some(location) = below(base, headers) {
        headers.insert(LOCATION, location);
    }
    headers.insert(X_REQUEST_ID, id.0.clone());
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    (response, failure)
}

/// The header `Location` of an answer with the base path, if there is one.
fn below(base: &BasePath, headers: &HeaderMap) -> Option<HeaderValue> {
    let location = headers.get(LOCATION)?.to_str().ok()?;
    let is_ours = !base.as_str().is_empty() && location.starts_with('/');
    is_ours.then(|| HeaderValue::from_str(&format!("{base}{location}")).ok())?
}

/// The method as a word of a fixed set, so that clients cannot invent metric labels.
fn method_word(method: &Method) -> &'static str {
    const KNOWN: [&str; 7] = ["GET", "POST", "DELETE", "PATCH", "HEAD", "PUT", "OPTIONS"];
    KNOWN.into_iter().find(|known| *known == method.as_str()).unwrap_or("other")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::secret::KeySecret;

    #[test]
    fn secrets_in_a_path_are_masked() {
        let key = KeySecret::from_random([1; 32]);
        assert_eq!(shown_path(&format!("/stream-keys/{}", key.expose())), "/stream-keys/sk_***");
        assert_eq!(shown_path("/api-tokens/swt_abc/x"), "/api-tokens/swt_***/x");
        assert_eq!(shown_path("/streams"), "/streams");
    }

    #[test]
    fn reads_and_decisions_are_quiet_and_writes_and_refusals_are_not() {
        for (method, route, status, is_told, quiet) in [
            ("GET", "/streams", 200, false, true),
            ("GET", "/health", 200, false, true),
            ("GET", "/health", 503, false, false),
            ("GET", "/streams", 401, false, false),
            ("POST", "/auth", 200, false, true),
            ("POST", "/auth", 401, true, true),
            ("POST", "/auth", 401, false, false),
            ("POST", "/srs/on_connect", 200, false, true),
            ("POST", "/webhook/ready", 204, false, true),
            ("POST", "/webhook/ready", 503, false, false),
            ("DELETE", "/streams/{id}", 204, false, false),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(is_quiet(method, route, status, is_told), quiet, "{method} {route} {status}");
        }
    }

    #[test]
    fn unknown_methods_are_one_word() {
        assert_eq!(method_word(&Method::PATCH), "PATCH");
        assert_eq!(method_word(&Method::from_bytes(b"BREW").unwrap()), "other");
    }
}
