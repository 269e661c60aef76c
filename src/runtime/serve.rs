//! The accept loop for HTTP/1.1. Every wait has a limit.
//!
//! `axum::serve` sets no timer: a silent client, half a header or body, or a client that stops reading keeps its
//! connection open for ever. Here such a connection is closed. When there is no room for another connection, the one
//! that is idle for longest is closed, first those without an authenticated caller.

mod places;
mod problem_io;
#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::error::Error as _;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::response::Response;
use futures_util::FutureExt as _;
use hyper::body::Incoming;
use hyper::header::HOST;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, StatusCode, Version};
use hyper_util::rt::{TokioIo, TokioTimer};
use metrics::Gauge;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;
use tower_http::timeout::TimeoutBody;

use crate::adapters::http::InvalidRequest;
use places::{Place, Places};
use problem_io::ProblemIo;

/// The most bytes that a connection buffers in each direction; also the longest request head.
const BUFFER_BYTES: usize = 64 * 1024;

/// The pause after `accept` failed (no file descriptors left).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The shortest time between two log entries about such failures.
const ACCEPT_LOG_INTERVAL: Duration = Duration::from_secs(10);

/// The limits of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServeLimits {
    /// From the start of a connection, or from the last answer on it, to the end of the next request head. So it also
    /// limits how long an idle connection is kept.
    pub header_read_timeout: Duration,
    /// The longest pause between two parts of a request body. The router limits the whole time.
    pub body_pause: Duration,
    /// How long a client may leave data unread (and, on Linux, unacknowledged) before it is disconnected.
    pub write_stall: Duration,
    /// The most connections at once. For another one, an idle one is closed.
    pub max_connections: usize,
    /// How long requests in progress may take after the stop, before their connections are closed.
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

/// Serves `router` on `listener` until `stop`. Requests in progress may then finish within [`ServeLimits::drain`].
///
/// Handlers get the peer as `ConnectInfo<SocketAddr>`. A handler with an endless body (server-sent events) must watch `stop`
/// itself; otherwise its connection is closed when the drain is over. When the returned future is dropped, so is every
/// connection.
/// A failed `accept` is counted and tried again.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: ServeLimits,
    stop: CancellationToken,
) -> io::Result<()> {
    let address = listener.local_addr()?;
    tracing::info!(%address, "listening");
    answer_until(listener, router, limits, stop).await;
    tracing::info!(%address, "no longer listening");
    Ok(())
}

/// The same without a line in the log.
pub(super) async fn answer_until(
    listener: TcpListener,
    router: Router,
    limits: ServeLimits,
    stop: CancellationToken,
) {
    let cut = CancellationToken::new();
    let _cut_when_dropped = cut.clone().drop_guard();
    let (drain, tasks) = (limits.drain, TaskTracker::new());
    prepare(&SockRef::from(&listener), limits.write_stall);
    let connections = Arc::new(Connections { router, limits, stop, cut: cut.clone() });
    accept(&listener, &connections, &tasks).await;
    drop(listener);
    tasks.close();
    if tokio::time::timeout(drain, tasks.wait()).await.is_err() {
        tracing::warn!(open = tasks.len(), "closing connections that did not finish in time");
        cut.cancel();
        tasks.wait().await;
    }
}

/// Spawns a task for every connection, until the stop.
async fn accept(listener: &TcpListener, connections: &Arc<Connections>, tasks: &TaskTracker) {
    let mut places = Places::new(connections.limits.max_connections);
    let mut last_logged: Option<Instant> = None;
    while let Some(accepted) = connections.stop.run_until_cancelled(listener.accept()).await {
        match accepted {
            Ok((stream, peer)) => match places.take().await {
                Some(place) => {
                    tasks.spawn(Arc::clone(connections).run(stream, peer, place));
                }
                None => metrics::counter!("streamward_http_connections_refused_total").increment(1),
            },
            Err(error) if is_client_error(&error) => {}
            Err(error) => {
                metrics::counter!("streamward_http_accept_errors_total").increment(1);
                if last_logged.is_none_or(|at| at.elapsed() > ACCEPT_LOG_INTERVAL) {
                    tracing::error!(%error, "connections cannot be accepted; are there too few file descriptors (ulimit -n)?");
                    last_logged = Some(Instant::now());
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Whether the client disconnected before it was accepted.
fn is_client_error(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// Shared by all connections.
struct Connections {
    router: Router,
    limits: ServeLimits,
    stop: CancellationToken,
    cut: CancellationToken,
}

impl Connections {
    /// One connection, from its first byte to its end.
    async fn run(self: Arc<Self>, stream: TcpStream, peer: SocketAddr, place: Place) {
        let _counted = Counted::new();
        // On Linux a connection has the options of its listener, which saves two system calls.
        #[cfg(not(target_os = "linux"))]
        prepare(&SockRef::from(&stream), self.limits.write_stall);
        // A timer inside a response body cannot detect a client that stops reading: the body is only polled while the
        // socket takes bytes. So the timer is in the write.
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(self.limits.write_stall));
        let io = ProblemIo::new(Box::pin(stream), |status| self.answer_invalid(peer, status));
        let service = service_fn(|request| self.answer(peer, &place, request));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.header_read_timeout)
            .max_buf_size(BUFFER_BYTES)
            .serve_connection(TokioIo::new(io), service);
        let mut connection = std::pin::pin!(connection);
        let serving = async {
            if let Some(ended) = self.stop.run_until_cancelled(connection.as_mut()).await {
                return ended;
            }
            connection.as_mut().graceful_shutdown();
            connection.await
        };
        let ended = tokio::select! {
            ended = self.cut.run_until_cancelled(serving) => ended,
            () = place.is_needed() => {
                metrics::counter!("streamward_http_connections_evicted_total").increment(1);
                None
            }
        };
        if let Some(Err(error)) = ended {
            if has_stalled(&error) {
                metrics::counter!("streamward_http_stalled_readers_total").increment(1);
            }
            tracing::debug!(%peer, %error, "connection ended early");
        }
    }

    async fn answer(
        &self,
        peer: SocketAddr,
        place: &Place,
        request: Request<Incoming>,
    ) -> Result<Response, Infallible> {
        let _in_progress = place.begin_request();
        let mut request = request.map(|body| Body::new(TimeoutBody::new(self.limits.body_pause, body)));
        request.extensions_mut().insert(ConnectInfo(peer));
        request.extensions_mut().insert(place.connection());
        if request.version() == Version::HTTP_11 && request.headers().get_all(HOST).iter().count() != 1 {
            request.extensions_mut().insert(InvalidRequest::Host);
        }
        self.router.clone().oneshot(request).await
    }

    /// The answer to something that is not a request, as for a request: with a problem, logged and counted.
    fn answer_invalid(&self, peer: SocketAddr, status: StatusCode) -> Option<Response> {
        let mut request = Request::new(Body::empty());
        *request.method_mut() = Method::from_bytes(b"INVALID").ok()?;
        request.extensions_mut().insert(ConnectInfo(peer));
        request.extensions_mut().insert(InvalidRequest::Head(status));
        // Nothing in it waits.
        self.router.clone().oneshot(request).now_or_never()?.ok()
    }
}

/// Whether the client stopped reading. An error of the system has a number.
fn has_stalled(error: &hyper::Error) -> bool {
    let source = error.source().and_then(|source| source.downcast_ref::<io::Error>());
    source.is_some_and(|source| source.kind() == io::ErrorKind::TimedOut && source.raw_os_error().is_none())
}

/// Sends answers at once, and detects a peer that disappeared, even on an idle connection.
fn prepare(socket: &SockRef<'_>, unacknowledged: Duration) {
    let prepared = socket.set_tcp_nodelay(true);
    #[cfg(target_os = "linux")]
    let prepared = prepared.and_then(|()| socket.set_tcp_user_timeout(Some(unacknowledged)));
    #[cfg(not(target_os = "linux"))]
    let _ = unacknowledged;
    if let Err(error) = prepared {
        tracing::debug!(%error, "socket options refused");
    }
}

/// Counts one open connection until it is dropped.
struct Counted(Gauge);

impl Counted {
    fn new() -> Self {
        let open = metrics::gauge!("streamward_http_connections");
        open.increment(1);
        Self(open)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.decrement(1);
    }
}
