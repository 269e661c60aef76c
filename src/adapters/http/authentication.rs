//! Authentication of the management API, by token or by signature.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use ipnet::IpNet;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use uuid::Uuid;

use super::body::{self, MANAGEMENT_BODY};
use super::long_lists::LongLists;
use super::origin::origin;
use super::problem::{Problem, ProblemType};
use super::strict;
use super::upload::Lane;
use crate::app::AppError;
use crate::app::access::{Access, SignedRequest};
use crate::app::audit::AuditLog;
use crate::app::error::Unauthenticated;
use crate::domain::access::{Actor, Forbidden, Role};
use crate::domain::secret::Secret;

const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const X_TIMESTAMP: HeaderName = HeaderName::from_static("x-timestamp");
const X_SIGNATURE: HeaderName = HeaderName::from_static("x-signature");

/// How long a call may take, from its last byte to the head of the answer.
const CALL_TIME: Duration = Duration::from_secs(10);

/// How many calls of the management API may be in progress at once. The limit leaves connections for media servers.
const MAX_CALLS: usize = 1_000;
/// The most uploads at once.
const MAX_UPLOADS: usize = 64;

/// The checks that every call of the management API must pass.
#[derive(Clone)]
pub struct Gate {
    access: Arc<Access>,
    audit: Arc<AuditLog>,
    trusted_proxies: Arc<[IpNet]>,
    calls: Arc<Semaphore>,
    uploads: Arc<Semaphore>,
    long_lists: LongLists,
}

impl Gate {
    /// `trusted_proxies`: the proxies whose `X-Forwarded-For` is trusted.
    pub fn new(access: Arc<Access>, audit: Arc<AuditLog>, trusted_proxies: &[IpNet]) -> Self {
        Self {
            access,
            audit,
            trusted_proxies: trusted_proxies.into(),
            calls: Arc::new(Semaphore::new(MAX_CALLS)),
            uploads: Arc::new(Semaphore::new(MAX_UPLOADS)),
            long_lists: LongLists::default(),
        }
    }
}

/// The gate in front of one path.
#[derive(Clone)]
pub(super) struct RouteGuard {
    pub(super) gate: Gate,
    /// The kind of resource behind it, as the audit log names it.
    pub(super) resource: &'static str,
    /// The documented role. The use-case authorises by itself; this check comes before validation, so that a caller
    /// without the role learns nothing about its input.
    pub(super) role: Role,
    /// Whether parameters in the query are documented. Without them every query is refused.
    pub(super) takes_query: bool,
    pub(super) lane: Lane,
}

impl RouteGuard {
    fn check(&self, actor: &Actor, query: Option<&str>) -> Result<(), Problem> {
        if actor.role < self.role {
            return Err(AppError::from(Forbidden { needs: self.role }).into());
        }
        if let (false, Some(query)) = (self.takes_query, query) {
            strict::no_query(query)?;
        }
        Ok(())
    }
}

/// The credentials of a request.
enum Shown<'a> {
    Token(&'a str),
    Signature { key_id: &'a str, timestamp: &'a str, signature: &'a str },
}

/// The caller's token, for answers that may outlive it.
#[derive(Clone)]
pub(super) struct ShownToken(pub(super) Secret);

/// Authenticates every request behind this layer, and adds writes that were refused before their use-case to the audit
/// log.
pub(super) async fn authenticate(State(guard): State<RouteGuard>, request: Request, next: Next) -> Response {
    let gate = &guard.gate;
    let room = if matches!(guard.lane, Lane::Buffered) { &gate.calls } else { &gate.uploads };
    let Ok(_room) = room.try_acquire() else {
        return busy().into_response();
    };
    let (mut parts, body) = request.into_parts();
    let (actor, body) = match recognise(&guard, &parts, body).await {
        Ok(recognised) => recognised,
        Err(problem) => return problem.into_response(),
    };
    parts.extensions.insert(actor.clone());
    parts.extensions.insert(gate.long_lists.clone());
    if let Ok(Shown::Token(token)) = shown(&parts.headers) {
        let token = ShownToken(Secret::new(token));
        parts.extensions.insert(token);
    }
    let (method, uri) = (parts.method.clone(), parts.uri.clone());
    let body = match guard.lane {
        Lane::Buffered => body::read(&parts.headers, body, MANAGEMENT_BODY).await.map(Body::from),
        Lane::Streaming(limits) => {
            parts.extensions.insert(limits);
            Ok(body)
        }
    };
    let response = match body.and_then(|body| guard.check(&actor, uri.query()).map(|()| body)) {
        Err(problem) => problem.unauthenticated().into_response(),
        Ok(body) => {
            let call = next.run(Request::from_parts(parts, body));
            let call = match guard.lane {
                Lane::Buffered => timeout(CALL_TIME, call).await,
                Lane::Streaming(_) => Ok(call.await),
            };
            let Ok(response) = call else {
                tracing::error!(actor = actor.name, "a request took more than 10 s and was cancelled");
                return Problem::new(ProblemType::TIMEOUT, ProblemType::TIMEOUT.description).into_response();
            };
            response
        }
    };
    let problem = response.extensions().get::<Problem>();
    if let Some(problem) = problem.filter(|problem| is_write(&method) && problem.is_unauthenticated()) {
        let (action, id) = target(&method, uri.path());
        gate.audit.count_refusal(&actor, action, guard.resource, id, problem.detail());
    }
    response
}

/// Too many requests at once.
pub(super) fn busy() -> Problem {
    Problem::new(ProblemType::UNAVAILABLE, "Too many requests are in progress. Try again in a moment.")
}

/// The caller, and the request with its body if that was needed for the signature.
async fn recognise(guard: &RouteGuard, parts: &Parts, body: Body) -> Result<(Actor, Body), Problem> {
    let gate = &guard.gate;
    let origin = origin(parts, &gate.trusted_proxies);
    let ip = origin.ip;
    let recognised: Result<(Actor, Body), AppError> = match shown(&parts.headers) {
        Err(why) => Err(why.into()),
        Ok(Shown::Token(token)) => gate.access.actor_of_token(token, origin).await.map(|actor| (actor, body)),
        Ok(Shown::Signature { .. }) if matches!(guard.lane, Lane::Streaming(_)) => {
            Err(Unauthenticated::SignedUpload.into())
        }
        Ok(Shown::Signature { key_id, timestamp, signature }) => {
            let bytes = body::read(&parts.headers, body, MANAGEMENT_BODY).await?;
            let (method, path) = (parts.method.as_str(), parts.uri.path());
            let signed = SignedRequest { key_id, timestamp, signature, method, path, body: &bytes };
            let actor = gate.access.actor_of_signature(signed, origin).await;
            actor.map(|actor| (actor, Body::from(bytes)))
        }
    };
    recognised.map_err(|error| {
        if !matches!(error, AppError::Store(_)) {
            // Not in the audit log: unknown clients could fill it.
            metrics::counter!("streamward_http_unauthenticated_total").increment(1);
            let ip = ip.map(tracing::field::display);
            tracing::warn!(ip, method = %parts.method, reason = %error, "a request is not authenticated");
        }
        error.into()
    })
}

fn shown(headers: &HeaderMap) -> Result<Shown<'_>, Unauthenticated> {
    let bearer = one(headers, &AUTHORIZATION)?.and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    let (key, timestamp, signature) =
        (one(headers, &X_API_KEY)?, one(headers, &X_TIMESTAMP)?, one(headers, &X_SIGNATURE)?);
    match (bearer, key, timestamp, signature) {
        (Some(token), None, None, None) => Ok(Shown::Token(token)),
        (None, Some(key), None, None) => Ok(Shown::Token(key)),
        (None, Some(key_id), Some(timestamp), Some(signature)) => {
            Ok(Shown::Signature { key_id, timestamp, signature })
        }
        (None, None, None, None) => Err(Unauthenticated::Missing),
        (None, Some(_), None, Some(_)) => Err(Unauthenticated::Clock),
        (None, ..) => Err(Unauthenticated::HalfSigned),
        (Some(_), ..) => Err(Unauthenticated::Ambiguous),
    }
}

/// A header that may be given only once: a proxy might have read the other one of two.
fn one<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Unauthenticated> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| Unauthenticated::Malformed),
        (Some(_), Some(_)) => Err(Unauthenticated::Ambiguous),
    }
}

fn is_write(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// The action and resource of a write, read from its address: for writes that did not reach a use-case.
fn target<'a>(method: &Method, path: &'a str) -> (&'static str, Option<&'a str>) {
    let mut parts = path.split('/').skip(2);
    let (id, verb) = (parts.next(), parts.next());
    let action = match (method, verb) {
        (&Method::DELETE, _) => "delete",
        (&Method::PATCH, _) => "update",
        (_, Some("rotate")) => "rotate",
        _ => "create",
    };
    (action, id.filter(|id| Uuid::parse_str(id).is_ok()))
}

/// The caller, as [`authenticate`] found it.
pub(super) struct Caller(pub(super) Actor);

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        // Absent only on a route outside of the management API.
        parts.extensions.get().cloned().map(Self).ok_or_else(Problem::internal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pair =
            |(name, value): &(&'static str, &str)| (HeaderName::from_static(name), value.parse().unwrap());
        let mut headers = HeaderMap::new();
        for (name, value) in pairs.iter().map(pair) {
            headers.append(name, value);
        }
        headers
    }

    #[test]
    fn a_caller_shows_one_thing_once() {
        let (bearer, key) = (("authorization", "Bearer swt_a"), ("x-api-key", "k"));
        let (time, signature) = (("x-timestamp", "1"), ("x-signature", "ab"));
        let ok = |pairs: &[_]| match shown(&headers(pairs)).map_err(|e| e.to_string()).unwrap() {
            Shown::Token(token) => token.to_owned(),
            Shown::Signature { key_id, timestamp, signature } => format!("{key_id} {timestamp} {signature}"),
        };
        let refused = |pairs: &[_]| shown(&headers(pairs)).err().unwrap();
        assert_eq!(ok(&[bearer]), "swt_a");
        assert_eq!(ok(&[("authorization", "bearer swt_a")]), "swt_a");
        assert_eq!(ok(&[key]), "k");
        assert_eq!(ok(&[key, time, signature]), "k 1 ab");
        assert_eq!(ok(&[("authorization", "Basic eA=="), key]), "k");
        assert_eq!(refused(&[]), Unauthenticated::Missing);
        assert_eq!(refused(&[("authorization", "Basic eA==")]), Unauthenticated::Missing);
        assert_eq!(refused(&[bearer, key]), Unauthenticated::Ambiguous);
        assert_eq!(refused(&[bearer, bearer]), Unauthenticated::Ambiguous);
        assert_eq!(refused(&[key, key]), Unauthenticated::Ambiguous);
        assert_eq!(refused(&[key, time, signature, signature]), Unauthenticated::Ambiguous);
        assert_eq!(refused(&[key, signature]), Unauthenticated::Clock);
        assert_eq!(refused(&[key, time]), Unauthenticated::HalfSigned);
        assert_eq!(refused(&[time, signature]), Unauthenticated::HalfSigned);
    }

    #[test]
    fn a_write_that_no_use_case_heard_of_is_told_by_its_address() {
        let id = Uuid::nil().to_string();
        for (method, path, action, named) in [
            (Method::POST, "/stream-keys".to_owned(), "create", false),
            (Method::POST, format!("/stream-keys/{id}/rotate"), "rotate", true),
            (Method::DELETE, format!("/streams/{id}"), "delete", true),
            (Method::PATCH, "/broadcasters/nonsense".to_owned(), "update", false),
            (Method::DELETE, format!("/api-tokens/{id}"), "delete", true),
            (Method::POST, "/audit-events".to_owned(), "create", false),
        ] {
            let id = named.then_some(id.as_str());
            assert_eq!(target(&method, &path), (action, id), "{method} {path}");
        }
    }
}
