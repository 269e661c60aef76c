//! What the routes share.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{FromRef, Request};
use axum::http::header::{SET_COOKIE, USER_AGENT};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde::de::DeserializeOwned;

use crate::adapters::http::admission::{Slot, Slots, UnprovenBodies};
use crate::adapters::http::body::HOOK_BODY;
use crate::adapters::http::extract::json_of;
use crate::adapters::http::handler::{Json, Problem};
use crate::adapters::http::origin::origin;
use crate::adapters::http::session_cookie::CookieRules;
use crate::adapters::views::CurrentSessionView;
use crate::app::AppError;
use crate::app::error::Unauthenticated;
use crate::app::user::Users;
use crate::domain::access::Origin;

/// How many people may sign in at once, in all and from one address.
const SIGN_INS: (usize, usize) = (128, 32);

/// The state of the routes.
#[derive(Clone, FromRef)]
pub struct UserState {
    pub(super) users: Arc<Users>,
    pub(super) cookies: CookieRules,
    pub(super) sign_ins: SignIns,
}

/// Who signs in now.
#[derive(Clone)]
pub(super) struct SignIns(pub(super) Slots<Option<IpAddr>>);

impl UserState {
    /// Cookies are set by these rules.
    pub fn new(users: Arc<Users>, cookies: CookieRules) -> Self {
        Self { users, cookies, sign_ins: SignIns(Slots::new(SIGN_INS.0, SIGN_INS.1)) }
    }

    /// Reads what somebody without a session sends. A page of another site is refused before the body is read.
    pub(super) async fn read<T: DeserializeOwned>(
        &self,
        unproven: &UnprovenBodies,
        request: Request,
    ) -> Result<Unproven<T>, Problem> {
        let (parts, body) = request.into_parts();
        if self.cookies.is_foreign(&parts) {
            return Err(AppError::from(Unauthenticated::Origin).into());
        }
        let origin = origin(&parts, self.cookies.trusted_proxies());
        let slot = self.sign_ins.0.take(origin.ip)?;
        let body = unproven.read(origin.ip, &parts.headers, body, HOOK_BODY).await?;
        let json = json_of(&parts.headers, &body)?;
        Ok(Unproven { json, parts, origin, _slot: slot })
    }
}

/// A request of somebody without a session. It counts as one of those at once until it is dropped.
pub(super) struct Unproven<T> {
    pub(super) json: T,
    pub(super) parts: Parts,
    pub(super) origin: Origin,
    pub(super) _slot: Slot<Option<IpAddr>>,
}

/// What the browser calls itself.
pub(super) fn user_agent(headers: &HeaderMap) -> Option<String> {
    headers.get(USER_AGENT).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

/// The response with these cookies.
pub(super) fn with_cookies(
    mut response: Response,
    cookies: impl IntoIterator<Item = Option<HeaderValue>>,
) -> Response {
    for cookie in cookies.into_iter().flatten() {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response
}

/// The answer to who opened a session.
pub(super) fn opened(view: impl Into<CurrentSessionView>) -> Response {
    (StatusCode::CREATED, Json(view.into())).into_response()
}
