//! What the accept loop and the router tell each other about a connection and its requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::http::StatusCode;

/// A connection. The accept loop adds it to each request; the router notes when a caller on it was authenticated.
#[derive(Clone, Debug, Default)]
pub struct Connection(Arc<AtomicBool>);

impl Connection {
    /// Whether a caller on it was authenticated.
    pub fn is_authenticated(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// A caller on it was authenticated.
    pub fn set_authenticated(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Marks a request that is not valid HTTP/1.1. The accept loop sees that, and the router refuses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidRequest {
    /// It is HTTP/1.1 and has not exactly one `Host` (RFC 9112, 3.2).
    Host,
    /// Its head could not be parsed. The status says why: 400, 414 or 431.
    Head(StatusCode),
}
