//! A closed-loop HTTP/1.1 load: each caller sends, waits for the whole answer, and sends again.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};

/// Whether a caller keeps its connection. MediaMTX does not: it opens a new one for every request.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Connections {
    New,
    Kept,
}

/// The requests of each caller, sent in turn.
pub(crate) type Requests = Arc<Vec<Vec<Vec<u8>>>>;

/// One measurement.
#[derive(Default)]
pub(crate) struct Outcome {
    pub(crate) answers: u64,
    pub(crate) unexpected: u64,
    pub(crate) elapsed: Duration,
    latencies: Vec<Duration>,
}

impl Outcome {
    pub(crate) fn per_second(&self) -> f64 {
        self.answers as f64 / self.elapsed.as_secs_f64()
    }

    /// A percentile of the latency, in milliseconds.
    pub(crate) fn percentile(&mut self, of_hundred: usize) -> f64 {
        self.latencies.sort_unstable();
        let at = (self.latencies.len() * of_hundred / 100).min(self.latencies.len().saturating_sub(1));
        self.latencies.get(at).map_or(f64::NAN, |latency| latency.as_secs_f64() * 1e3)
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.answers += other.answers;
        self.unexpected += other.unexpected;
        self.elapsed += other.elapsed;
        self.latencies.extend(other.latencies);
    }
}

/// Drives `to` with as many callers as there are rings, for `length`; every answer should have `status`.
pub(crate) async fn drive(
    to: SocketAddr,
    requests: &Requests,
    how: Connections,
    length: Duration,
    status: u16,
) -> Outcome {
    drive_paced(to, requests, how, Duration::ZERO, length, status).await
}

/// The same, but each caller starts a request only every `pace`.
pub(crate) async fn drive_paced(
    to: SocketAddr,
    requests: &Requests,
    how: Connections,
    pace: Duration,
    length: Duration,
    status: u16,
) -> Outcome {
    let started = Instant::now();
    let until = started + length;
    let expected = format!("HTTP/1.1 {status} ").into_bytes();
    let mut callers = tokio::task::JoinSet::new();
    for caller in 0..requests.len() {
        let (requests, expected) = (Arc::clone(requests), expected.clone());
        callers.spawn(async move { call(to, &requests[caller], how, pace, until, &expected).await });
    }
    let mut total = Outcome::default();
    let ended = tokio::time::timeout(length + Duration::from_secs(60), async {
        while let Some(one) = callers.join_next().await {
            total.add(one.expect("a caller does not panic"));
        }
    });
    ended.await.expect("every request is answered");
    total.elapsed = started.elapsed();
    total
}

async fn call(
    to: SocketAddr,
    ring: &[Vec<u8>],
    how: Connections,
    pace: Duration,
    until: Instant,
    expected: &[u8],
) -> Outcome {
    let mut outcome = Outcome::default();
    let mut kept = None;
    let mut buffer = Vec::with_capacity(64 * 1024);
    for request in ring.iter().cycle() {
        let started = Instant::now();
        if started >= until {
            break;
        }
        let answer = async {
            let mut stream = match kept.take() {
                Some(stream) => stream,
                None => connect(to).await?,
            };
            stream.write_all(request).await?;
            read_answer(&mut stream, &mut buffer).await?;
            io::Result::Ok(stream)
        };
        match answer.await {
            Ok(stream) => {
                outcome.answers += 1;
                outcome.latencies.push(started.elapsed());
                outcome.unexpected += u64::from(!buffer.starts_with(expected));
                if how == Connections::Kept {
                    kept = Some(stream);
                }
            }
            Err(_) => outcome.unexpected += 1,
        }
        if !pace.is_zero() {
            sleep_until(started + pace).await;
        }
    }
    outcome
}

async fn connect(to: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(to).await?;
    stream.set_nodelay(true)?;
    // Closed by reset, or thousands of connections a second would exhaust the local ports in TIME_WAIT.
    SockRef::from(&stream).set_linger(Some(Duration::ZERO))?;
    Ok(stream)
}

/// Reads head and body of one answer, with `content-length` or in chunks.
async fn read_answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<()> {
    buffer.clear();
    loop {
        if stream.read_buf(buffer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let Some(head) = buffer.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let length = content_length(&buffer[..head]);
        let is_whole = |buffer: &[u8]| match length {
            Some(length) => buffer.len() >= head + 4 + length,
            None => buffer.ends_with(b"\r\n0\r\n\r\n"),
        };
        while !is_whole(buffer) {
            if stream.read_buf(buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        return Ok(());
    }
}

/// `None` if the body comes in chunks.
fn content_length(head: &[u8]) -> Option<usize> {
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok())
}

/// One request and its whole answer, as text.
pub(crate) async fn fetch(to: SocketAddr, request: &[u8]) -> io::Result<String> {
    let mut stream = connect(to).await?;
    stream.write_all(request).await?;
    let mut buffer = Vec::new();
    read_answer(&mut stream, &mut buffer).await?;
    Ok(String::from_utf8_lossy(&buffer).into_owned())
}
