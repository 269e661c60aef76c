//! `/session`: sign in, sign out, and who one is.

use axum::Extension;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};

use super::dto::{SignInJson, SignInWith};
use super::state::{Unproven, UserState, opened, user_agent, with_cookies};
use crate::adapters::http::admission::UnprovenBodies;
use crate::adapters::http::handler::{Answer, Call, Problem, State, ok};
use crate::adapters::http::origin::origin;
use crate::adapters::http::session_cookie::{shown_device, shown_session};
use crate::adapters::views::CurrentSessionView;
use crate::app::AppError;
use crate::app::error::Unauthenticated;
use crate::app::user::{CurrentSession, Users};

/// Read who one is
///
/// The caller and its permissions, whatever it authenticates with.
#[utoipa::path(get, path = "/session", responses((status = 200, body = CurrentSessionView)))]
pub(super) async fn read_session(Call(users, actor): Call<Users>) -> Answer<CurrentSessionView> {
    ok(users.current(&actor).await?)
}

/// Sign in
///
/// Answers with the cookie of a session, for browsers: all other routes accept it. Writes with it need the header `Origin`
/// with the address of this server, as browsers send it. The answer does not tell whether there is such a user.
#[utoipa::path(
    post, path = "/session", request_body = SignInJson,
    responses(
        (status = 201, body = CurrentSessionView, headers(("Set-Cookie" = String))),
        (status = 400, description = "`validation`: The body is not valid"),
        (status = 401, description = "`unauthenticated`: The e-mail address or the password is wrong, or the token, or the setup link was used. \
                                      `second-factor-needed`: A code is needed too"),
        (status = 408, description = "`request-timeout`: The body did not arrive in time"),
        (status = 413, description = "`too-large`: The body is too large"),
        (status = 415, description = "`unsupported-media-type`: The body is not JSON"),
        (status = 429, description = "`too-many-attempts`: Too many attempts failed"),
        (status = 503, description = "`unavailable`: Send it again"),
    ),
)]
pub(super) async fn sign_in(
    State(state): State<UserState>,
    Extension(unproven): Extension<UnprovenBodies>,
    request: Request,
) -> Result<Response, Problem> {
    let Unproven { json, parts, origin, _slot } = state.read::<SignInJson>(&unproven, request).await?;
    let device = shown_device(&parts.headers).map(str::to_owned);
    let made = match json.with(device, user_agent(&parts.headers))? {
        SignInWith::Password(form) => state.users.sign_in(&form, &origin).await?,
        SignInWith::Token(form) => state.users.sign_in_with_token(&form, &origin).await?,
        SignInWith::SetupLink(form) => state.users.sign_in_with_setup_link(&form, &origin).await?,
    };
    let longest = state.users.terms().longest;
    let session = state.cookies.session(&parts, made.secret.expose(), longest);
    let device = made.device.and_then(|device| state.cookies.device(&parts, &device.value()));
    let response = opened(CurrentSession { actor: made.actor, user: made.user });
    Ok(with_cookies(response, [session, device]))
}

/// Sign out
///
/// Ends the session of the cookie, and removes the cookie. The answer is the same if there is none.
#[utoipa::path(
    delete, path = "/session",
    responses(
        (status = 204, description = "There is no session any more", headers(("Set-Cookie" = String))),
        (status = 401, description = "`unauthenticated`: The request comes from a page of another site"),
        (status = 503, description = "`unavailable`: Send it again"),
    ),
)]
pub(super) async fn sign_out(State(state): State<UserState>, request: Request) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    if let Some(cookie) = shown_session(&parts.headers) {
        if !state.cookies.is_own_origin(&parts) {
            return Err(AppError::from(Unauthenticated::Origin).into());
        }
        let origin = origin(&parts, state.cookies.trusted_proxies());
        let _slot = state.sign_ins.0.take(origin.ip)?;
        state.users.sign_out(cookie, origin).await?;
    }
    let none = state.cookies.no_session(&parts);
    Ok(with_cookies(StatusCode::NO_CONTENT.into_response(), [none]))
}
