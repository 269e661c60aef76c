//! One-time links: the page that they open, and what it sends.

use std::sync::LazyLock;

use axum::Extension;
use axum::extract::Request;
use axum::http::header::{CONTENT_SECURITY_POLICY, REFERRER_POLICY};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{Html, IntoResponse as _, Response};
use serde_json::json;

use super::dto::{LinkJson, ResetJson};
use super::state::{Unproven, UserState, with_cookies};
use crate::adapters::http::admission::UnprovenBodies;
use crate::adapters::http::handler::{Json, NoContent, Problem, State};
use crate::adapters::http::page::inline;

const PAGE: &str = include_str!("link.html");

/// The page runs its own script only, and calls this server only.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let (script, style) = (inline(PAGE, "script"), inline(PAGE, "style"));
    format!(
        "default-src 'none'; script-src {script}; style-src {style}; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
});

/// Open a one-time link
///
/// The page on which a person sets a password.
#[utoipa::path(
    get, path = "/link", responses((status = 200, content_type = "text/html", body = String))
)]
pub(super) async fn link_page() -> ([(HeaderName, HeaderValue); 2], Html<&'static str>) {
    let policy = HeaderValue::from_str(&POLICY).unwrap_or(HeaderValue::from_static("default-src 'none'"));
    let headers =
        [(CONTENT_SECURITY_POLICY, policy), (REFERRER_POLICY, HeaderValue::from_static("no-referrer"))];
    (headers, Html(PAGE))
}

/// Use a one-time link
///
/// Sets the password of the user, and ends all their sessions. The link of the first start makes the first administrator.
#[utoipa::path(
    post, path = "/link", request_body = LinkJson,
    responses(
        (status = 200, body = Object, description = "`email`: whose password is set",
         headers(("Set-Cookie" = String))),
        (status = 400, description = "`validation`: The body is not valid"),
        (status = 401, description = "`unauthenticated`: The link was used already, was replaced, or has expired"),
        (status = 408, description = "`request-timeout`: The body did not arrive in time"),
        (status = 409, description = "`email-taken`: Another user has the e-mail address"),
        (status = 413, description = "`too-large`: The body is too large"),
        (status = 415, description = "`unsupported-media-type`: The body is not JSON"),
        (status = 503, description = "`unavailable`: Send it again"),
    ),
)]
pub(super) async fn redeem_link(
    State(state): State<UserState>,
    Extension(unproven): Extension<UnprovenBodies>,
    request: Request,
) -> Result<Response, Problem> {
    let Unproven { json, parts, origin, _slot } = state.read::<LinkJson>(&unproven, request).await?;
    let (email, device) = state.users.redeem_link(&json.form()?, &origin).await?;
    let answer = Json(json!({ "email": email.as_str() })).into_response();
    Ok(with_cookies(answer, [state.cookies.device(&parts, &device.value())]))
}

/// Request a password reset
///
/// If there is a user with this address, they get an e-mail with a one-time link. The answer does not tell whether there
/// is.
#[utoipa::path(
    post, path = "/password-resets", request_body = ResetJson,
    responses(
        (status = 202, description = "If there is such a user, they get an e-mail"),
        (status = 400, description = "`validation`: The body is not valid"),
        (status = 401, description = "`unauthenticated`: The request comes from a page of another site"),
        (status = 408, description = "`request-timeout`: The body did not arrive in time"),
        (status = 413, description = "`too-large`: The body is too large"),
        (status = 415, description = "`unsupported-media-type`: The body is not JSON"),
        (status = 429, description = "`too-many-attempts`: Too many requests"),
        (status = 501, description = "`not-supported`: No mail server is configured"),
        (status = 503, description = "`unavailable`: Send it again"),
    ),
)]
pub(super) async fn request_password_reset(
    State(state): State<UserState>,
    Extension(unproven): Extension<UnprovenBodies>,
    request: Request,
) -> Result<(StatusCode, NoContent), Problem> {
    let Unproven { json, origin, _slot, .. } = state.read::<ResetJson>(&unproven, request).await?;
    state.users.request_reset(json.email.as_deref().unwrap_or_default(), &origin).await?;
    Ok((StatusCode::ACCEPTED, NoContent))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_may_run_its_own_script_and_style_only() {
        assert!(!POLICY.contains(&inline("", "style")), "script and style were found: {}", *POLICY);
        assert!(HeaderValue::from_str(&POLICY).is_ok());
        assert!(!PAGE.contains("onclick") && !PAGE.contains("style=") && !PAGE.contains("http"));
    }
}
