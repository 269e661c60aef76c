//! The path under which a proxy publishes everything (`http.base_path`), such as `/streamward`.
//!
//! Every route answers with it and without it: some proxies remove it, and media servers do not use it. Addresses in
//! answers always begin with it.

use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::{Extensions, Uri};
use tower::ServiceExt as _;

/// The path, without a slash at its end. Empty if there is none.
#[derive(Clone, Debug, Default)]
pub(super) struct BasePath(Option<Arc<str>>);

impl BasePath {
    /// That of a request, or the empty one.
    pub(super) fn of(extensions: &Extensions) -> Self {
        extensions.get().cloned().unwrap_or_default()
    }

    /// The path as text.
    pub(super) fn as_str(&self) -> &str {
        self.0.as_deref().unwrap_or_default()
    }
}

impl fmt::Display for BasePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The router under `base` too.
pub(super) fn under(base: &str, router: Router) -> Router {
    if base.is_empty() {
        return router;
    }
    let base = BasePath(Some(base.into()));
    let service = router.map_request(move |mut request: Request| {
        if let Some(uri) = without(base.as_str(), request.uri()) {
            *request.uri_mut() = uri;
        }
        request.extensions_mut().insert(base.clone());
        request
    });
    Router::new().fallback_service(service)
}

/// The address behind `base`. `None` if it is not below that.
fn without(base: &str, uri: &Uri) -> Option<Uri> {
    let rest = uri.path_and_query()?.as_str().strip_prefix(base)?;
    let rest = match rest.chars().next() {
        Some('/') => rest.to_owned(),
        None | Some('?') => format!("/{rest}"),
        Some(_) => return None,
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(rest.parse().ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_base_path_is_removed_as_a_whole() {
        for (given, expected) in [
            ("/tv/streams?limit=1", Some("/streams?limit=1")),
            ("/tv", Some("/")),
            ("/tv?a=b", Some("/?a=b")),
            ("/tv/", Some("/")),
            ("/tv/tv", Some("/tv")),
            ("/tvs", None),
            ("/streams", None),
            ("/", None),
            ("http://tv.example.org/tv/docs", Some("http://tv.example.org/docs")),
        ] {
            let found = without("/tv", &given.parse().unwrap());
            assert_eq!(found.map(|uri| uri.to_string()).as_deref(), expected, "{given}");
        }
    }
}
