//! `/openapi.json`, and `/docs`: a page to read and try the API, without the internet.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Path, Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use utoipa_swagger_ui::Config;

use crate::adapters::http::base_path::BasePath;
use crate::adapters::http::options::Operation;
use crate::adapters::http::problem::Problem;

/// The page may load and call only this server.
const POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:";

/// Read this document
#[utoipa::path(
    get,
    path = "/openapi.json",
    responses((status = 200, content_type = "application/json", body = Object))
)]
pub(super) async fn document(State(operation): State<Operation>) -> ([(HeaderName, &'static str); 1], Bytes) {
    ([(CONTENT_TYPE, "application/json")], operation.document)
}

/// Read and try the API
#[utoipa::path(
    get,
    path = "/docs",
    responses((status = 200, content_type = "text/html", body = String))
)]
pub(super) async fn page(request: Request) -> Result<Response, Problem> {
    let base = BasePath::of(request.extensions());
    let page =
        String::from_utf8(file("index.html", &base)?.bytes.into_owned()).map_err(|_| Problem::internal())?;
    // The links of the page are relative to a folder.
    let page = page.replace("\"./", &format!("\"{base}/docs/"));
    let page = page.replace("\"index.css\"", &format!("\"{base}/docs/index.css\""));
    let policy = [(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY))];
    Ok((policy, Html(page.replace("<title>Swagger UI</title>", "<title>Streamward</title>"))).into_response())
}

/// A file of the page.
pub(super) async fn asset(Path(name): Path<String>, request: Request) -> Result<Response, Problem> {
    let file = file(&name, &BasePath::of(request.extensions()))?;
    let mut response = Response::new(Body::from(file.bytes.into_owned()));
    let headers = response.headers_mut();
    let kind = HeaderValue::from_str(&file.content_type).map_err(|_| Problem::internal())?;
    headers.insert(CONTENT_TYPE, kind);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("max-age=3600"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    if file.gzpipped {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    Ok(response)
}

fn file(name: &str, base: &BasePath) -> Result<utoipa_swagger_ui::SwaggerFile<'static>, Problem> {
    let config = Config::from(format!("{base}/openapi.json"));
    // The default calls a validator on the internet.
    let config = config.display_request_duration(true).try_it_out_enabled(true).validator_url("none");
    let found = utoipa_swagger_ui::serve(name, Arc::new(config)).map_err(|error| {
        tracing::error!(%error, name, "a file of the documentation page cannot be built");
        Problem::internal()
    })?;
    found.ok_or_else(|| Problem::of_status(StatusCode::NOT_FOUND))
}
