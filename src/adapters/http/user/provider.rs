//! `/session/oidc`: sign in with a provider.

use std::time::Duration;

use axum::extract::{Path, RawQuery};
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, LOCATION, REFERRER_POLICY};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{Html, IntoResponse as _, Response};
use serde::Deserialize;
use url::form_urlencoded;

use super::state::{UserState, user_agent, with_cookies};
use crate::adapters::http::extract::StrictQuery;
use crate::adapters::http::handler::{Problem, State};
use crate::adapters::http::origin::origin;
use crate::adapters::http::session_cookie::shown_sign_in;
use crate::app::user::ProviderAnswer;
use crate::domain::secret::Secret;
use crate::domain::user::ReturnPath;

/// How to begin.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct BeginQuery {
    /// The path of this server that the browser goes to afterwards. By default `/`.
    #[param(example = "/dashboard", max_length = 1000)]
    return_to: Option<String>,
}

/// Sign in with a provider
///
/// Open it in a browser: it sends the person to the provider of this name (`users.oidc`), who comes back to
/// `/session/oidc/{name}/callback`.
#[utoipa::path(
    get, path = "/session/oidc/{name}", params(BeginQuery),
    responses(
        (status = 303, description = "To the provider", headers(("Location" = String), ("Set-Cookie" = String))),
        (status = 400, description = "`validation`: `return_to` is no path of this server"),
        (status = 404, description = "`not-found`: There is no such provider"),
        (status = 503, description = "`provider-unavailable`: The provider does not answer"),
    ),
)]
pub(super) async fn begin_sign_in(
    State(state): State<UserState>,
    Path(name): Path<String>,
    StrictQuery(query): StrictQuery<BeginQuery>,
    parts: Parts,
) -> Result<Response, Problem> {
    let origin = origin(&parts, state.cookies.trusted_proxies());
    let _slot = state.sign_ins.0.take(origin.ip)?;
    let begun = state.users.begin_sign_in(&name, query.return_to.as_deref()).await?;
    let location = HeaderValue::from_str(&begun.url).map_err(|_| Problem::internal())?;
    let cookie = state.cookies.sign_in(&parts, begun.cookie.expose(), begun.valid);
    let answer = (StatusCode::SEE_OTHER, [(LOCATION, location), private()]).into_response();
    Ok(with_cookies(answer, [cookie]))
}

/// Come back from a provider
///
/// The provider sends the browser here. Sets the cookie of a session, as `POST /session` does, and goes on to `return_to`.
#[utoipa::path(
    get, path = "/session/oidc/{name}/callback",
    params(
        ("code" = Option<String>, Query, description = "What stands for the person"),
        ("state" = Option<String>, Query, description = "What was sent along"),
        ("error" = Option<String>, Query, description = "Why there is no code"),
        ("iss" = Option<String>, Query, description = "Who answers (RFC 9207)"),
    ),
    responses(
        (status = 200, description = "The person is signed in; the page goes on to `return_to`", content_type = "text/html",
         body = String, headers(("Set-Cookie" = String))),
        (status = 401, description = "`sign-in-expired`: Begin again. `sign-in-refused`: The provider did not sign the \
                                      person in"),
        (status = 403, description = "`no-role`: The provider gives the person no role"),
        (status = 404, description = "`not-found`: There is no such provider"),
        (status = 409, description = "`email-taken`: Another user has the e-mail address. `last-administrator`: Nobody else \
                                      is administrator, so this role is not taken away"),
        (status = 503, description = "`provider-unavailable`: The provider does not answer. `unavailable`: Begin again"),
    ),
)]
pub(super) async fn finish_sign_in(
    State(state): State<UserState>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    parts: Parts,
) -> Result<Response, Problem> {
    let origin = origin(&parts, state.cookies.trusted_proxies());
    let _slot = state.sign_ins.0.take(origin.ip)?;
    let answer = read(&query.unwrap_or_default(), &parts);
    let (opened, return_to) = state.users.finish_sign_in(&name, &answer, &origin).await?;
    let longest = state.users.terms().longest;
    let session = state.cookies.session(&parts, opened.secret.expose(), longest);
    let done = state.cookies.sign_in(&parts, "", Duration::ZERO);
    Ok(with_cookies(page(&return_to), [session, done]))
}

/// Providers may send more than we know, so other names are ignored.
fn read(query: &str, parts: &Parts) -> ProviderAnswer {
    let value = |wanted: &str| {
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        pairs.find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned())
    };
    ProviderAnswer {
        state: value("state").map(Secret::new),
        code: value("code").map(Secret::new),
        error: value("error"),
        issuer: value("iss"),
        cookie: shown_sign_in(&parts.headers).map(Secret::new),
        user_agent: user_agent(&parts.headers),
    }
}

fn private() -> (axum::http::HeaderName, HeaderValue) {
    (CACHE_CONTROL, HeaderValue::from_static("no-store"))
}

/// A page that goes on by itself. After a redirect from the provider's site instead, browsers would not send the new cookie,
/// which is `SameSite=Strict`.
fn page(to: &ReturnPath) -> Response {
    // A return path has neither quotes nor < and >.
    let to = to.as_str().replace('&', "&amp;");
    let html = format!(
        "<!doctype html><meta charset=\"utf-8\"><meta http-equiv=\"refresh\" content=\"0;url={to}\">\
         <title>Signed in</title><p>You are signed in. <a href=\"{to}\">Continue</a></p>"
    );
    let policy = HeaderValue::from_static(
        "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    );
    let referrer = HeaderValue::from_static("no-referrer");
    let headers = [(CONTENT_SECURITY_POLICY, policy), (REFERRER_POLICY, referrer), private()];
    (headers, Html(html)).into_response()
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    #[tokio::test]
    async fn the_page_goes_to_the_return_path_and_nowhere_else() {
        let to = ReturnPath::parse("/a?b=1&c=2#d").unwrap();
        let body = page(&to).into_body().collect().await.unwrap().to_bytes();
        let text = String::from_utf8(body.to_vec()).unwrap();
        assert!(text.contains("content=\"0;url=/a?b=1&amp;c=2#d\""), "{text}");
        assert!(text.contains("href=\"/a?b=1&amp;c=2#d\""), "{text}");
    }
}
