//! The page for people: `/ui/`. It is a client of the API, as every other.

mod policy;
mod site;
mod trim;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, LOCATION,
    REFERRER_POLICY, VARY,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;

use super::problem::{Problem, ProblemType};
use crate::domain::media_server::BaseUrls;
use site::{Asset, Site, Sites};

const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// The routes. The page may play from `media_servers`.
pub fn serve(media_servers: impl IntoIterator<Item = BaseUrls>) -> Router {
    let sites = Arc::new(Sites::new(policy::origins(media_servers)));
    let to_page = || get(|| async { (StatusCode::PERMANENT_REDIRECT, [(LOCATION, "/ui/")]) });
    Router::new()
        .route("/", to_page().fallback(|| async { Problem::of_status(StatusCode::NOT_FOUND) }))
        .route("/ui", to_page())
        .route("/ui/", get(index))
        .route("/ui/{version}/{*name}", get(asset))
        .with_state(sites)
}

/// The page itself. It is asked for at each visit, so a new version is seen at once.
async fn index(State(sites): State<Arc<Sites>>, headers: HeaderMap) -> Result<Response, Problem> {
    let site = sites.current();
    let index = site.index.as_ref().ok_or_else(|| Problem::of_status(StatusCode::NOT_FOUND))?;
    let is_known = site.tag.is_known(&headers);
    let mut response =
        if is_known { StatusCode::NOT_MODIFIED.into_response() } else { body(index, &headers) };
    protect(&mut response, &site);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response.headers_mut().extend(site.tag.to_header().map(|tag| (ETAG, tag)));
    Ok(response)
}

/// A file of the page. Its address has the hash of all files, so it never changes.
async fn asset(
    State(sites): State<Arc<Sites>>,
    Path((version, name)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let site = sites.current();
    if version != site.version {
        let detail = "this file is of another version of the page; load the page again";
        return Err(Problem::new(ProblemType::UNKNOWN_ROUTE, detail));
    }
    let asset = site.assets.get(&name).ok_or_else(|| Problem::of_status(StatusCode::NOT_FOUND))?;
    let mut response = body(asset, &headers);
    protect(&mut response, &site);
    let forever = HeaderValue::from_static("public, max-age=31536000, immutable");
    response.headers_mut().insert(CACHE_CONTROL, forever);
    Ok(response)
}

/// The bytes, compressed if the client can read that.
fn body(asset: &Asset, request: &HeaderMap) -> Response {
    let compressed = accepts_gzip(request).then(|| asset.compressed()).flatten();
    let mut response = compressed.as_ref().unwrap_or(&asset.bytes).clone().into_response();
    let headers = response.headers_mut();
    if compressed.is_some() {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(asset.kind));
    headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    response
}

fn accepts_gzip(request: &HeaderMap) -> bool {
    let accepted = request.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    accepted.flat_map(|list| list.split(',')).any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, "q=1"));
        let refused = weight.trim().strip_prefix("q=").is_some_and(|q| q.trim_matches(['0', '.']).is_empty());
        name.trim().eq_ignore_ascii_case("gzip") && !refused
    })
}

/// The headers that keep other pages out. A script of a worker has its policy from its own answer, so every file has it.
fn protect(response: &mut Response, site: &Site) {
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, site.policy.clone());
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(OPENER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(RESOURCE_POLICY, HeaderValue::from_static("same-origin"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_may_refuse_compression() {
        for (header, expected) in [
            ("gzip", true),
            ("br, GZIP;q=0.5", true),
            ("gzip, deflate, br", true),
            ("gzip;q=0", false),
            ("gzip; q=0.000", false),
            ("br", false),
            ("identity", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static(header))]);
            assert_eq!(accepts_gzip(&headers), expected, "{header}");
        }
    }
}
