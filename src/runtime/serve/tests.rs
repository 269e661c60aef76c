//! Each way in which a client can waste a connection, on loopback with short limits.

use axum::Extension;
use axum::extract::State;
use axum::response::sse::{Event, Sse};
use axum::routing::{get, post};
use futures_util::{Stream, StreamExt};
use rstest::rstest;
use streamward_test_support::TimeLimit;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::DropGuard;

use super::*;
use crate::adapters::http::Connection;

/// Long enough for a busy machine, short enough to distinguish "ended by its limit" from "never".
const SOON: Duration = Duration::from_secs(3);

fn short() -> ServeLimits {
    ServeLimits {
        header_read_timeout: Duration::from_millis(200),
        body_pause: Duration::from_millis(200),
        write_stall: Duration::from_millis(300),
        max_connections: 3,
        drain: Duration::from_millis(500),
    }
}

/// What the handlers of the test router share with the test.
#[derive(Clone, Default)]
struct Shared {
    entered: Arc<Notify>,
    leave: Arc<Notify>,
    body_dropped: CancellationToken,
}

/// A server on a free port, and the handle to stop it.
struct Server {
    address: SocketAddr,
    shared: Shared,
    stop: CancellationToken,
    task: JoinSet<io::Result<()>>,
    _limit: TimeLimit,
}

impl Server {
    async fn start(limits: ServeLimits) -> Self {
        let shared = Shared::default();
        let router = Router::new()
            .route("/", get(|ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.to_string() }))
            .route("/slow", get(slow))
            .route("/sign-in", get(sign_in))
            .route("/body", post(|body: String| async move { body }))
            .route("/flood", get(flood))
            .route("/broken", get(broken))
            .with_state(shared.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let mut task = JoinSet::new();
        task.spawn(serve(listener, router, limits, stop.clone()));
        Self { address, shared, stop, task, _limit: TimeLimit::start() }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn send(&self, text: &str) -> TcpStream {
        let mut stream = self.connect().await;
        stream.write_all(text.as_bytes()).await.unwrap();
        stream
    }

    /// Stops it. Returns how long it took.
    async fn stopped(mut self) -> Duration {
        let start = Instant::now();
        self.stop.cancel();
        tokio::time::timeout(SOON, self.task.join_next()).await.expect("ends").unwrap().unwrap().unwrap();
        start.elapsed()
    }
}

async fn sign_in(Extension(connection): Extension<Connection>) {
    connection.set_authenticated();
}

async fn slow(State(shared): State<Shared>) -> &'static str {
    shared.entered.notify_one();
    shared.leave.notified().await;
    "finished"
}

/// Endless events, each large, with a guard that shows when the body is dropped.
async fn flood(State(shared): State<Shared>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let guard: DropGuard = shared.body_dropped.drop_guard();
    Sse::new(futures_util::stream::repeat("x".repeat(16 * 1024)).map(move |text| {
        let _alive = &guard;
        Ok(Event::default().data(text))
    }))
}

/// An answer whose second half cannot be made.
async fn broken(State(shared): State<Shared>) -> Body {
    let first = futures_util::stream::iter([Ok("one half")]);
    let second = futures_util::stream::once(async move {
        shared.leave.notified().await;
        Err(io::Error::other("the other half"))
    });
    Body::from_stream(first.chain(second))
}

/// Reads until the server closes; a reset counts as closing.
async fn read_to_close(stream: &mut TcpStream) -> String {
    let mut all = Vec::new();
    let _ = tokio::time::timeout(SOON, stream.read_to_end(&mut all)).await.expect("closed by the server");
    String::from_utf8_lossy(&all).into_owned()
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn connection_has_the_socket_options_of_its_listener() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    prepare(&SockRef::from(&listener), SOON);
    let (client, accepted) =
        tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
    let (accepted, _client) = (accepted.unwrap().0, client.unwrap());
    assert!(accepted.nodelay().unwrap());
    assert_eq!(SockRef::from(&accepted).tcp_user_timeout().unwrap(), Some(SOON));
}

#[tokio::test]
async fn handler_knows_its_peer() {
    let server = Server::start(short()).await;
    let mut client = server.send("GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    let own = client.local_addr().unwrap().to_string();
    assert!(read_to_close(&mut client).await.ends_with(&own));
}

#[rstest]
#[case::silent("", "")]
#[case::half_a_header("GET / HTTP/1.1\r\nhost: x\r\nx-ha", "")]
#[case::half_a_body("POST /body HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nhalf", "HTTP/1.1 4")]
#[tokio::test]
async fn connection_that_sends_no_more_is_closed(#[case] sent: &str, #[case] answer: &str) {
    let server = Server::start(short()).await;
    let answered = read_to_close(&mut server.send(sent).await).await;
    assert!(answered.starts_with(answer) && !answered.contains("200 OK"), "{answered}");
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_not_ended_as_a_complete_one() {
    let server = Server::start(short()).await;
    let mut client = server.send("GET /broken HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let mut answer = String::new();
    while !answer.contains("one half") {
        let mut bytes = [0; 1024];
        let read = tokio::time::timeout(SOON, client.read(&mut bytes)).await.expect("an answer").unwrap();
        assert!(read > 0, "{answer}");
        answer.push_str(&String::from_utf8_lossy(&bytes[..read]));
    }
    assert!(answer.contains("transfer-encoding: chunked"), "{answer}");
    server.shared.leave.notify_one();
    let rest = read_to_close(&mut client).await;
    // A complete answer ends with an empty chunk.
    assert!(!format!("{answer}{rest}").ends_with("0\r\n\r\n"), "{answer}{rest}");
}

#[tokio::test]
async fn connection_with_a_slow_header_is_closed() {
    let server = Server::start(short()).await;
    let mut client = server.send("GET / HTTP/1.1\r\n").await;
    let start = Instant::now();
    while client.write_all(b"x: y\r\n").await.is_ok() {
        assert!(start.elapsed() < SOON, "still open");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn idle_connection_is_closed_and_a_used_one_is_kept() {
    let server = Server::start(ServeLimits { header_read_timeout: Duration::from_secs(1), ..short() }).await;
    let mut client = server.connect().await;
    for _ in 0..4 {
        client.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        assert!(client.read(&mut [0; 1024]).await.unwrap() > 0);
        tokio::time::sleep(Duration::from_millis(400)).await;
    }
    assert_eq!(read_to_close(&mut client).await, "");
}

const GET: &str = "GET / HTTP/1.1\r\nhost: x\r\n\r\n";

/// Sends a request on a connection that stays open, and reads the answer.
async fn exchange(client: &mut TcpStream, request: &str) -> String {
    client.write_all(request.as_bytes()).await.unwrap();
    let mut answer = [0; 1024];
    let bytes = tokio::time::timeout(SOON, client.read(&mut answer)).await.expect("an answer").unwrap();
    String::from_utf8_lossy(&answer[..bytes]).into_owned()
}

#[tokio::test]
async fn the_longest_idle_connection_makes_room_for_a_new_one() {
    let server = Server::start(ServeLimits { header_read_timeout: SOON * 2, ..short() }).await;
    let mut oldest = server.connect().await;
    assert!(exchange(&mut oldest, GET).await.starts_with("HTTP/1.1 200"));
    let mut silent = server.connect().await;
    let mut third = server.connect().await;
    // Times are in milliseconds.
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(exchange(&mut oldest, GET).await.starts_with("HTTP/1.1 200"));
    let mut newest = server.connect().await;
    assert!(exchange(&mut newest, GET).await.starts_with("HTTP/1.1 200"));
    assert_eq!(read_to_close(&mut silent).await, "");
    for kept in [&mut oldest, &mut third, &mut newest] {
        assert!(exchange(kept, GET).await.starts_with("HTTP/1.1 200"));
    }
}

#[tokio::test]
async fn connection_of_an_authenticated_caller_outlives_those_of_others() {
    let server = Server::start(ServeLimits { header_read_timeout: SOON * 2, ..short() }).await;
    let mut known = server.connect().await;
    assert!(
        exchange(&mut known, "GET /sign-in HTTP/1.1\r\nhost: x\r\n\r\n").await.starts_with("HTTP/1.1 200")
    );
    let mut others = Vec::new();
    for _ in 0..10 {
        let mut other = server.connect().await;
        assert!(exchange(&mut other, GET).await.starts_with("HTTP/1.1 200"));
        others.push(other);
    }
    assert!(exchange(&mut known, GET).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn connections_that_wait_for_an_answer_are_not_closed_for_a_new_one() {
    let server = Server::start(ServeLimits { header_read_timeout: SOON * 2, ..short() }).await;
    let mut waiting = Vec::new();
    for _ in 0..3 {
        let mut client = server.connect().await;
        exchange(&mut client, "GET /sign-in HTTP/1.1\r\nhost: x\r\n\r\n").await;
        client.write_all(b"GET /slow HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
        server.shared.entered.notified().await;
        waiting.push(client);
    }
    assert_eq!(read_to_close(&mut server.connect().await).await, "", "refused");
    server.shared.leave.notify_waiters();
    for mut client in waiting {
        assert!(read_to_close(&mut client).await.ends_with("finished"));
    }
}

#[tokio::test]
async fn request_in_progress_finishes_after_the_stop() {
    let server = Server::start(ServeLimits { drain: SOON, ..short() }).await;
    let mut client = server.send("GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await;
    server.shared.entered.notified().await;
    let leave = Arc::clone(&server.shared.leave);
    let address = server.address;
    let (took, answer) = tokio::join!(server.stopped(), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(TcpStream::connect(address).await.is_err(), "still listening");
        leave.notify_one();
        read_to_close(&mut client).await
    });
    assert!(answer.ends_with("finished"), "{answer}");
    assert!(took < Duration::from_secs(1), "{took:?}");
}

#[tokio::test]
async fn a_request_that_does_not_finish_is_cut_after_the_drain() {
    let server = Server::start(short()).await;
    let mut client = server.send("GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await;
    server.shared.entered.notified().await;
    let took = server.stopped().await;
    assert!(took >= Duration::from_millis(500) && took < Duration::from_secs(2), "{took:?}");
    assert_eq!(read_to_close(&mut client).await, "");
}

#[rstest]
#[tokio::test]
async fn the_stop_closes_a_connection_without_a_request_at_once(#[values(true, false)] used: bool) {
    let server = Server::start(ServeLimits { header_read_timeout: SOON * 2, drain: SOON, ..short() }).await;
    let mut client = server.connect().await;
    if used {
        client.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        assert!(client.read(&mut [0; 1024]).await.unwrap() > 0);
    }
    // A second connection is served, so the first one has been accepted.
    let mut other = server.send("GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    read_to_close(&mut other).await;
    let took = server.stopped().await;
    assert!(took < Duration::from_secs(1), "{took:?}");
    assert_eq!(read_to_close(&mut client).await, "");
}

#[tokio::test]
async fn a_reader_that_stops_reading_is_dropped() {
    let server = Server::start(short()).await;
    let client = server.send("GET /flood HTTP/1.1\r\nhost: x\r\n\r\n").await;
    tokio::time::timeout(SOON, server.shared.body_dropped.cancelled()).await.expect("its body is dropped");
    drop(client);
}

#[tokio::test]
async fn a_reader_that_reads_slowly_is_kept() {
    let server = Server::start(short()).await;
    let mut client = server.send("GET /flood HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let start = Instant::now();
    let mut buffer = vec![0; 512 * 1024];
    while start.elapsed() < Duration::from_secs(1) {
        assert!(client.read(&mut buffer).await.unwrap() > 0);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(!server.shared.body_dropped.is_cancelled());
}
