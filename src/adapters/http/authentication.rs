//! Authentication of the management API, by token, by signature, or by the cookie of a session.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::Method;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::time::timeout;
use uuid::Uuid;

use super::admission::{LongLists, Slots, UnprovenBodies, share};
use super::base_path::BasePath;
use super::body::{self, MANAGEMENT_BODY};
use super::connection::Connection;
use super::origin::origin;
use super::problem::{Problem, ProblemType};
use super::session_cookie::CookieRules;
use super::shown::{Credential, Shown, shown};
use super::strict;
use super::upload::Lane;
use crate::app::AppError;
use crate::app::access::{Access, SignedRequest};
use crate::app::audit::AuditLog;
use crate::app::error::Unauthenticated;
use crate::app::user::Users;
use crate::domain::access::{Actor, Forbidden, Origin, Role};
use crate::domain::secret::keyed_hash;

/// How long a call may take, from its last byte to the head of the answer.
const CALL_TIME: Duration = Duration::from_secs(10);

/// How many calls of the management API may be in progress at once, in all and for one caller.
const CALLS: (usize, usize) = (1_000, 250);
/// How many uploads.
const UPLOADS: (usize, usize) = (64, 16);
/// How many look-ups of tokens that were not seen valid yet, in all and for one address.
const LOOK_UPS: (usize, usize) = (256, 128);
/// How many tokens and sessions are remembered as valid.
const MOST_KNOWN: usize = 10_000;
/// The most bytes that a caller may send where no body is documented: some clients send `{}`.
const UNEXPECTED_BODY: usize = 4 * 1024;

/// The caller of a request within this process, as an extension of it: the command line. No request that comes over a
/// connection has it.
#[derive(Clone)]
pub struct LocalCaller(pub Actor);

/// The checks that every call of the management API must pass.
///
/// The caller is recognised by the headers. Until then it takes no slot, and no body is read, except a signed one
/// (`UnprovenBodies`).
#[derive(Clone)]
pub struct Gate {
    access: Arc<Access>,
    users: Arc<Users>,
    audit: Arc<AuditLog>,
    cookies: CookieRules,
    long_lists: LongLists,
    calls: Slots<String>,
    uploads: Slots<String>,
    look_ups: Slots<Option<IpAddr>>,
    /// Fingerprints of tokens and sessions that were valid when they were last seen. Their look-ups are not limited.
    known_tokens: Arc<Mutex<HashSet<[u8; 32]>>>,
    unproven: UnprovenBodies,
}

impl Gate {
    /// Calls leave most of `connections` to others.
    pub fn new(
        (access, users): (Arc<Access>, Arc<Users>),
        audit: Arc<AuditLog>,
        cookies: CookieRules,
        connections: usize,
    ) -> Self {
        let calls = share(CALLS.0, connections);
        Self {
            access,
            users,
            audit,
            cookies,
            long_lists: LongLists::default(),
            calls: Slots::new(calls, CALLS.1.min(calls / 2)),
            uploads: Slots::new(UPLOADS.0, UPLOADS.1),
            look_ups: Slots::new(LOOK_UPS.0, LOOK_UPS.1),
            known_tokens: Arc::default(),
            unproven: UnprovenBodies::default(),
        }
    }

    /// Reads bodies of callers that are not authenticated yet.
    pub(super) fn unproven_bodies(&self) -> UnprovenBodies {
        self.unproven.clone()
    }

    /// How cookies are set, and which requests with them are ours.
    pub fn cookies(&self) -> CookieRules {
        self.cookies.clone()
    }

    /// Who calls a route that is for anyone, if they show a valid token or session.
    pub(super) async fn known_caller(&self, parts: &Parts) -> Option<Actor> {
        let Ok(Shown::Credential(credential)) = shown(&parts.headers) else { return None };
        let origin = origin(parts, self.cookies.trusted_proxies());
        self.actor_of(&credential, origin).await.ok()
    }

    /// Recognises the holder of a token or a session. Callers without a valid one compete only with each other for
    /// look-ups.
    async fn actor_of(&self, credential: &Credential, origin: Origin) -> Result<Actor, Refusal> {
        let fingerprint = credential.fingerprint();
        let known = || self.known_tokens.lock().unwrap_or_else(PoisonError::into_inner);
        let is_known = known().contains(&fingerprint);
        let _look_up = if is_known { None } else { Some(self.look_ups.take(origin.ip)?) };
        let found = credential.actor(&self.access, &self.users, origin).await;
        match &found {
            Ok(_) if !is_known => {
                let mut known = known();
                // Sessions come and go. The ones in use are soon here again.
                if known.len() >= MOST_KNOWN {
                    known.clear();
                }
                known.insert(fingerprint);
            }
            Err(AppError::Unauthenticated(_)) if is_known => drop(known().remove(&fingerprint)),
            _ => {}
        }
        Ok(found?)
    }
}

/// Why a caller is not admitted.
enum Refusal {
    App(AppError),
    Problem(Problem),
}

impl From<AppError> for Refusal {
    fn from(error: AppError) -> Self {
        Self::App(error)
    }
}

impl From<Unauthenticated> for Refusal {
    fn from(why: Unauthenticated) -> Self {
        Self::App(why.into())
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

/// The gate in front of one path.
#[derive(Clone)]
pub(super) struct RouteGuard {
    pub(super) gate: Gate,
    /// The kind of resource behind it, as the audit log names it.
    pub(super) resource: &'static str,
    /// The documented role, if one is needed. The use-case authorises by itself; this check comes before validation, so
    /// that a caller without the role learns nothing about its input.
    pub(super) role: Option<Role>,
    /// Whether parameters in the query are documented. Without them every query is refused.
    pub(super) takes_query: bool,
    /// The most bytes of a body.
    pub(super) largest_body: usize,
    pub(super) lane: Lane,
}

impl RouteGuard {
    /// The most bytes of a body, for a route that documents one or not.
    pub(super) fn largest_body(takes_body: bool) -> usize {
        if takes_body { MANAGEMENT_BODY } else { UNEXPECTED_BODY }
    }

    fn check(&self, actor: &Actor, query: Option<&str>) -> Result<(), Problem> {
        if let Some(needs) = self.role
            && actor.permissions.highest_role() < Some(needs)
        {
            return Err(AppError::from(Forbidden::role(needs)).into());
        }
        if let (false, Some(query)) = (self.takes_query, query) {
            strict::no_query(query)?;
        }
        Ok(())
    }

    /// The body, if the actor may send it. A caller without the role may send none, so that is checked first.
    async fn admit(&self, actor: &Actor, parts: &mut Parts, body: Body) -> Result<Body, Problem> {
        self.check(actor, parts.uri.query())?;
        match self.lane {
            Lane::Buffered => body::read(&parts.headers, body, self.largest_body).await.map(Body::from),
            Lane::Streaming(limits) => {
                parts.extensions.insert(limits);
                Ok(body)
            }
        }
    }

    /// Passes the request on, with its caller.
    async fn call(&self, actor: Actor, mut request: Request, next: Next) -> Response {
        let name = actor.name.clone();
        let credential = match shown(request.headers()) {
            Ok(Shown::Credential(credential)) => Some(credential),
            _ => None,
        };
        if let Some(credential) = credential {
            request.extensions_mut().insert(credential);
        }
        request.extensions_mut().insert(actor);
        let call = next.run(request);
        let call = match self.lane {
            Lane::Buffered => timeout(CALL_TIME, call).await,
            Lane::Streaming(_) => Ok(call.await),
        };
        call.unwrap_or_else(|_| {
            tracing::error!(actor = name, "a request took more than 10 s and was cancelled");
            Problem::new(ProblemType::TIMEOUT, ProblemType::TIMEOUT.description).into_response()
        })
    }
}

impl Credential {
    /// What stands for it in memory.
    pub(super) fn fingerprint(&self) -> [u8; 32] {
        match self {
            Self::Token(token) => keyed_hash(b"known token", token.expose().as_bytes()),
            Self::Session(cookie) => keyed_hash(b"known session", cookie.expose().as_bytes()),
        }
    }

    /// Whose it is.
    pub(super) async fn actor(
        &self,
        access: &Access,
        users: &Users,
        origin: Origin,
    ) -> Result<Actor, AppError> {
        match self {
            Self::Token(token) => access.actor_of_token(token.expose(), origin).await,
            Self::Session(cookie) => users.actor_of_session(cookie.expose(), origin).await,
        }
    }
}

/// Authenticates every request behind this layer, and adds writes that were refused before their use-case to the audit
/// log.
pub(super) async fn authenticate(State(guard): State<RouteGuard>, request: Request, next: Next) -> Response {
    let gate = &guard.gate;
    let (mut parts, body) = request.into_parts();
    let (actor, body) = match recognise(&guard, &parts, body).await {
        Ok(recognised) => recognised,
        Err(problem) => return problem.into_response(),
    };
    if let Some(connection) = parts.extensions.get::<Connection>() {
        connection.set_authenticated();
    }
    let slots = if matches!(guard.lane, Lane::Buffered) { &gate.calls } else { &gate.uploads };
    let _slot = match slots.take(actor.caller()) {
        Ok(slot) => slot,
        Err(busy) => return busy.into_response(),
    };
    if let Err(error) = accept_once(gate, &parts, &actor).await {
        return Problem::from(error).into_response();
    }
    parts.extensions.insert(gate.long_lists.clone());
    let (method, uri) = (parts.method.clone(), parts.uri.clone());
    let response = match guard.admit(&actor, &mut parts, body).await {
        Err(problem) => problem.unauthenticated().into_response(),
        Ok(body) => guard.call(actor.clone(), Request::from_parts(parts, body), next).await,
    };
    let problem = response.extensions().get::<Problem>();
    if let Some(problem) = problem.filter(|problem| is_write(&method) && problem.is_unauthenticated()) {
        let (action, id) = target(&method, uri.path());
        gate.audit.record_refusal(&actor, action, guard.resource, id, problem.detail()).await;
    }
    response
}

/// Refuses a signed write that was received before.
async fn accept_once(gate: &Gate, parts: &Parts, actor: &Actor) -> Result<(), AppError> {
    match shown(&parts.headers) {
        Ok(Shown::Signature { signature, .. }) if is_write(&parts.method) => {
            gate.access.accept_once(actor, signature).await
        }
        _ => Ok(()),
    }
}

/// The caller, and the request's body: as it is, or read if that was needed for the signature.
async fn recognise(guard: &RouteGuard, parts: &Parts, body: Body) -> Result<(Actor, Body), Problem> {
    let origin = origin(parts, guard.gate.cookies.trusted_proxies());
    let ip = origin.ip;
    actor_of(guard, parts, body, origin).await.map_err(|refusal| match refusal {
        Refusal::Problem(problem) => problem,
        Refusal::App(error) => {
            let line = "a request is not authenticated";
            if !matches!(error, AppError::Store(_)) {
                // Not in the audit log: unknown clients could fill it.
                metrics::counter!("streamward_http_unauthenticated_total").increment(1);
                let access = &guard.gate.access;
                if access.is_one_of_many(&error, ip) {
                    return Problem::from(error).told();
                }
                if access.may_log(line, &error) {
                    let ip = ip.map(tracing::field::display);
                    tracing::warn!(ip, method = %parts.method, reason = %error, "{line}");
                }
            }
            error.into()
        }
    })
}

async fn actor_of(
    guard: &RouteGuard,
    parts: &Parts,
    body: Body,
    origin: Origin,
) -> Result<(Actor, Body), Refusal> {
    if let Some(LocalCaller(actor)) = parts.extensions.get() {
        return Ok((actor.clone(), body));
    }
    let gate = &guard.gate;
    match shown(&parts.headers)? {
        Shown::Credential(Credential::Session(_))
            if is_write(&parts.method) && !gate.cookies.is_own_origin(parts) =>
        {
            Err(Unauthenticated::Origin.into())
        }
        Shown::Credential(credential) => Ok((gate.actor_of(&credential, origin).await?, body)),
        Shown::Signature { .. } if matches!(guard.lane, Lane::Streaming(_)) => {
            Err(Unauthenticated::SignedUpload.into())
        }
        Shown::Signature { key_id, timestamp, signature } => {
            let wrong = |error: AppError| {
                if let AppError::Unauthenticated(why) = &error {
                    gate.access.note_wrong(why, origin.ip);
                }
                error
            };
            gate.access.signing_secret(key_id, timestamp).map_err(wrong)?;
            let bytes = gate.unproven.read(origin.ip, &parts.headers, body, guard.largest_body).await?;
            let (method, path) = (parts.method.as_str(), parts.uri.path());
            let recognise = |path: &str| {
                let signed = SignedRequest { key_id, timestamp, signature, method, path, body: &bytes };
                gate.access.actor_of_signature(&signed, origin.clone())
            };
            let base = BasePath::of(&parts.extensions);
            let actor = match recognise(path) {
                // A caller signs the path that it calls, and a proxy may have removed the base path.
                Err(_) if !base.as_str().is_empty() => recognise(&format!("{base}{path}")),
                found => found,
            };
            let actor = actor.map_err(wrong)?;
            Ok((actor, Body::from(bytes)))
        }
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
