//! The accept loop: HTTP/1.1 connections with a limit on everything a client can make us wait for.
//!
//! `axum::serve` sets no timer at all: a connection that sends nothing, half a header or half a body stays open for
//! ever, and so does one that stops reading. Here each of these ends by itself.

mod stall;
#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::response::Response;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;
use tower_http::timeout::TimeoutBody;

use stall::StallGuard;

/// Bytes a connection may buffer in each direction; also the longest request head.
const BUFFER_BYTES: usize = 64 * 1024;

/// How long accepting rests when the system has nothing to accept with (no file descriptors left).
const ACCEPT_REST: Duration = Duration::from_millis(50);

/// How often such a failure is worth a log line.
const ACCEPT_COMPLAINT: Duration = Duration::from_secs(10);

/// What a client may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServeLimits {
    /// From the opening of a connection, or from the last answer on it, to the end of the next request's head. So it is
    /// also how long an idle connection is kept.
    pub header_read_timeout: Duration,
    /// The longest pause between two parts of a request body. A body that drips is for the router's own time limit.
    pub body_pause: Duration,
    /// How long a client may leave what is sent to it unread (and, on Linux, unacknowledged) before it is cut off.
    pub write_stall: Duration,
    /// Connections at once. One more is accepted and closed.
    pub max_connections: usize,
    /// After the stop: how long requests in flight may take to finish before they are cut.
    pub drain: Duration,
}

impl Default for ServeLimits {
    fn default() -> Self {
        Self {
            header_read_timeout: Duration::from_secs(5),
            body_pause: Duration::from_secs(10),
            write_stall: Duration::from_secs(20),
            max_connections: 10_000,
            drain: Duration::from_secs(5),
        }
    }
}

/// Serves `router` on `listener` until `stop`, then lets what is in flight finish within [`ServeLimits::drain`].
///
/// Handlers find the peer as `ConnectInfo<SocketAddr>`. A handler that answers with an endless body (server-sent
/// events) must watch `stop` itself, to end it with a last event; otherwise it is cut when the drain is over. When the
/// returned future is dropped, every connection is dropped too.
///
/// # Errors
/// When the listener has no local address. A failing `accept` is no reason to end: it is counted and tried again.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: ServeLimits,
    stop: CancellationToken,
) -> io::Result<()> {
    let address = listener.local_addr()?;
    tracing::info!(%address, "listening");
    let cut = CancellationToken::new();
    let _cut_when_dropped = cut.clone().drop_guard();
    let (drain, tasks) = (limits.drain, TaskTracker::new());
    let connections = Arc::new(Connections { router, limits, stop, cut: cut.clone() });
    accept(&listener, &connections, &tasks).await;
    drop(listener);
    tasks.close();
    tracing::info!(%address, open = tasks.len(), "no longer listening");
    if tokio::time::timeout(drain, tasks.wait()).await.is_err() {
        tracing::warn!(%address, open = tasks.len(), "cutting connections that did not finish in time");
        cut.cancel();
        tasks.wait().await;
    }
    Ok(())
}

/// Gives every connection a task, until the stop.
async fn accept(listener: &TcpListener, connections: &Arc<Connections>, tasks: &TaskTracker) {
    let slots = Arc::new(Semaphore::new(connections.limits.max_connections.min(Semaphore::MAX_PERMITS)));
    let mut last_complaint: Option<Instant> = None;
    while let Some(accepted) = connections.stop.run_until_cancelled(listener.accept()).await {
        match accepted {
            Ok((stream, peer)) => match Arc::clone(&slots).try_acquire_owned() {
                Ok(slot) => {
                    tasks.spawn(Arc::clone(connections).run(stream, peer, slot));
                }
                Err(_) => metrics::counter!("streamward_http_connections_refused_total").increment(1),
            },
            Err(error) if is_the_clients(&error) => {}
            Err(error) => {
                metrics::counter!("streamward_http_accept_errors_total").increment(1);
                if last_complaint.is_none_or(|at| at.elapsed() > ACCEPT_COMPLAINT) {
                    tracing::error!(%error, "cannot accept connections");
                    last_complaint = Some(Instant::now());
                }
                tokio::time::sleep(ACCEPT_REST).await;
            }
        }
    }
}

/// The client hung up between connecting and being accepted.
fn is_the_clients(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// What all connections share.
struct Connections {
    router: Router,
    limits: ServeLimits,
    stop: CancellationToken,
    cut: CancellationToken,
}

impl Connections {
    /// One connection, from its first byte to its end.
    async fn run(self: Arc<Self>, stream: TcpStream, peer: SocketAddr, _slot: OwnedSemaphorePermit) {
        let _counted = Counted::new();
        if let Err(error) = prepare(&stream, self.limits.write_stall) {
            tracing::debug!(%peer, %error, "socket options refused");
        }
        let service = service_fn(|request| self.answer(peer, request));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.header_read_timeout)
            .max_buf_size(BUFFER_BYTES)
            .serve_connection(TokioIo::new(StallGuard::new(stream, self.limits.write_stall)), service);
        let mut connection = std::pin::pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = self.stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                tokio::select! {
                    ended = connection => ended,
                    () = self.cut.cancelled() => Ok(()),
                }
            }
            () = self.cut.cancelled() => Ok(()),
        };
        if let Err(error) = ended {
            tracing::debug!(%peer, %error, "connection ended early");
        }
    }

    async fn answer(&self, peer: SocketAddr, request: Request<Incoming>) -> Result<Response, Infallible> {
        let mut request = request.map(|body| Body::new(TimeoutBody::new(self.limits.body_pause, body)));
        request.extensions_mut().insert(ConnectInfo(peer));
        self.router.clone().oneshot(request).await
    }
}

/// Answers go out at once, and a peer that vanished without a word is noticed although nothing waits to be written.
fn prepare(stream: &TcpStream, unacknowledged: Duration) -> io::Result<()> {
    stream.set_nodelay(true)?;
    #[cfg(target_os = "linux")]
    socket2::SockRef::from(stream).set_tcp_user_timeout(Some(unacknowledged))?;
    #[cfg(not(target_os = "linux"))]
    let _ = unacknowledged;
    Ok(())
}

/// Keeps the gauge of open connections right, however a connection ends.
struct Counted;

impl Counted {
    fn new() -> Self {
        metrics::gauge!("streamward_http_connections").increment(1);
        Self
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        metrics::gauge!("streamward_http_connections").decrement(1);
    }
}
