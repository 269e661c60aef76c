//! Shared by the HTTP clients: answers have a bounded size, and errors contain no secrets.

use std::error::Error as _;
use std::time::Duration;

use reqwest::{Client, Response};
use url::Url;

use crate::domain::secret::masked_line;
use crate::ports::RemoteError;

/// The most characters that are repeated of another system's text.
pub(super) const MAX_REPEATED: usize = 200;

/// How long a connection to a control API may take.
const CONNECT: Duration = Duration::from_secs(1);

/// A client for the control API of a media server at `base`, and that address without user info and query. A call may take
/// `call`; a connection is kept for `idle`.
pub(super) fn control_client(
    base: &Url,
    call: Duration,
    idle: Duration,
) -> Result<(Client, Url), RemoteError> {
    // Fails only if it is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut base = base.clone();
    base.set_query(None);
    if !matches!(base.scheme(), "http" | "https") || base.set_username("").is_err() {
        return Err(RemoteError::Unsupported(
            "the address of the control API must begin with http:// or https://".into(),
        ));
    }
    let _ = base.set_password(None);
    let mut client = Client::builder()
        .connect_timeout(CONNECT)
        .timeout(call)
        .pool_idle_timeout(idle)
        .http1_only()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy();
    if base.scheme() == "http" {
        // Plain HTTP needs no root certificates, and an image built from scratch may have none.
        client = client.tls_certs_only([]);
    }
    Ok((client.build().map_err(|e| RemoteError::Unsupported(cause(&e)))?, base))
}

/// A text of another system, safe to show.
pub(super) fn repeat(text: &str) -> String {
    masked_line(text.trim(), MAX_REPEATED)
}

/// The whole body, of at most `limit` bytes.
pub(super) async fn read(response: &mut Response, limit: usize) -> Result<Vec<u8>, RemoteError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|e| broken_off(&e))? {
        if body.len() + chunk.len() > limit {
            return Err(RemoteError::Malformed(format!("longer than {limit} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Why there was no answer.
pub(super) fn failure(error: &reqwest::Error) -> RemoteError {
    if error.is_timeout() { RemoteError::TimedOut } else { RemoteError::Unreachable(cause(error)) }
}

fn broken_off(error: &reqwest::Error) -> RemoteError {
    if error.is_timeout() {
        return RemoteError::TimedOut;
    }
    RemoteError::Malformed(format!("it broke off: {}", cause(error)))
}

/// The innermost cause; the outer ones only repeat the address.
pub(super) fn cause(error: &reqwest::Error) -> String {
    let mut source = error.source();
    while let Some(inner) = source.and_then(std::error::Error::source) {
        source = Some(inner);
    }
    source.map_or_else(|| "the request failed".to_owned(), |inner| repeat(&inner.to_string()))
}
