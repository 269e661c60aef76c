//! Authentication of media servers: the hook secret, and the name of the server.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::connection::Connection;
use super::problem::Problem;
use crate::app::access::Access;
use crate::domain::media_server::MediaServerName;
use crate::domain::secret::Secret;

/// An authenticated media server. The hook secret is the password of Basic (`http://user:secret@host/auth`), a bearer
/// token, or in the query, since MediaMTX cannot set headers.
pub(super) struct FromMediaServer(pub MediaServerName);

impl<S: Send + Sync> FromRequestParts<(Arc<Access>, S)> for FromMediaServer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, (access, _): &(Arc<Access>, S)) -> Result<Self, Problem> {
        let mut shown: Vec<Secret> =
            parts.headers.get_all(AUTHORIZATION).iter().filter_map(|v| in_header(v.to_str().ok()?)).collect();
        let mut name = None;
        for (key, value) in form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()) {
            match &*key {
                "secret" => shown.push(Secret::new(value)),
                "server" => name = Some(value),
                _ => {}
            }
        }
        let shown: Vec<&str> = shown.iter().map(Secret::expose).collect();
        let found = access.media_server_of(&shown, name.as_deref());
        if let (Ok(_), Some(connection)) = (&found, parts.extensions.get::<Connection>()) {
            connection.set_authenticated();
        }
        found.map(Self).map_err(|error| {
            metrics::counter!("streamward_hook_secret_refused_total").increment(1);
            if access.may_log("a media server is refused", &error) {
                tracing::warn!("a media server is refused: wrong hook secret or unknown server name");
            }
            error.into()
        })
    }
}

fn in_header(value: &str) -> Option<Secret> {
    let (scheme, rest) = value.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(Secret::new(rest.trim()));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = String::from_utf8(STANDARD.decode(rest.trim()).ok()?).ok()?;
    pair.split_once(':').map(|(_, password)| Secret::new(password))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_is_the_password_of_any_user_or_the_bearer_token() {
        for header in ["Bearer hush", "bearer  hush", "Basic Omh1c2g=", "basic bWVkaWE6aHVzaA=="] {
            assert_eq!(in_header(header).unwrap().expose(), "hush", "{header}");
        }
        for header in ["", "hush", "Digest hush", "Basic !!", "Basic aHVzaA=="] {
            assert!(in_header(header).is_none(), "{header}");
        }
    }
}
