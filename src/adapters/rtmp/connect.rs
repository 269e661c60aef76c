//! Connecting, step by step, so that a test of a destination can say which step failed.

use std::fmt::Display;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rml_rtmp::handshake::{Handshake, HandshakeProcessResult, PeerType};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, lookup_host};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsConnector;

use super::address::Address;
use super::error::{RtmpError, Step};
use super::session::{Event, Session};
use super::tcp::TcpView;

/// How long one step may take.
const STEP: Duration = Duration::from_secs(6);
/// How many addresses of a name are tried, and how long after each other.
const MOST_ADDRESSES: usize = 6;
const DIAL_APART: Duration = Duration::from_millis(250);
const READ_BUFFER: usize = 64 * 1024;

/// A byte stream, with TLS or without.
pub(super) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// Opens connections.
#[derive(Clone)]
pub struct Connector {
    tls: TlsConnector,
}

/// How long a step took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepTime {
    /// The step.
    pub step: Step,
    /// How long it took, until it was done or failed.
    pub took: Duration,
    /// Why it failed. Without secrets.
    pub error: Option<String>,
}

/// A connection that an application accepted.
pub(super) struct Connection {
    pub(super) io: Box<dyn Io>,
    pub(super) session: Session,
    pub(super) tcp: TcpView,
    buffer: Box<[u8]>,
    /// What has to be sent in answer to the server.
    pub(super) answers: Vec<u8>,
}

impl Connector {
    /// With the certificates of the system, and `extra` ones.
    ///
    /// # Errors
    /// If TLS cannot be set up at all.
    pub fn new(extra: impl IntoIterator<Item = CertificateDer<'static>>) -> Result<Self, rustls::Error> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        roots.add_parsable_certificates(extra);
        if roots.is_empty() {
            tracing::warn!("no root certificates were found; destinations over RTMPS cannot be reached");
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { tls: TlsConnector::from(Arc::new(config)) })
    }

    /// Connects to the application of `address`, and adds each step to `steps`.
    pub(super) async fn connect(
        &self,
        address: &Address,
        steps: &mut Vec<StepTime>,
    ) -> Result<Connection, RtmpError> {
        let found = step(steps, Step::Name, lookup(address)).await?;
        let tcp = step(steps, Step::Tcp, dial(found)).await?;
        let view = TcpView::of(&tcp);
        let io: Box<dyn Io> = if address.is_tls {
            Box::new(step(steps, Step::Tls, self.secure(address, tcp)).await?)
        } else {
            Box::new(tcp)
        };
        Connection::open(io, view, address, steps).await
    }

    async fn secure(&self, address: &Address, tcp: TcpStream) -> Result<impl Io + use<>, RtmpError> {
        let error = |error: &dyn Display| RtmpError::new(Step::Tls, format!("TLS failed: {error}"));
        let name = ServerName::try_from(address.host.clone()).map_err(|e| error(&e))?;
        self.tls.connect(name, tcp).await.map_err(|e| error(&e))
    }
}

/// Connects to the application of `address` and leaves again. Returns each step that was taken, with its time.
pub async fn check(connector: &Connector, address: &Address) -> Vec<StepTime> {
    let mut steps = Vec::new();
    if let Ok(mut connection) = connector.connect(address, &mut steps).await {
        let _ = timeout(Duration::from_secs(1), connection.io.shutdown()).await;
    }
    steps
}

/// Runs a step in time.
pub(super) async fn step<T>(
    steps: &mut Vec<StepTime>,
    step: Step,
    work: impl Future<Output = Result<T, RtmpError>>,
) -> Result<T, RtmpError> {
    let began = Instant::now();
    let slow = |_| RtmpError::new(step, format!("no answer within {} seconds", STEP.as_secs()));
    let result = timeout(STEP, Box::pin(work)).await.map_err(slow).flatten();
    let error = result.as_ref().err().map(|error| error.message.clone());
    steps.push(StepTime { step, took: began.elapsed(), error });
    result
}

async fn lookup(address: &Address) -> Result<Vec<SocketAddr>, RtmpError> {
    let host = &address.host;
    let unknown =
        |why: &dyn Display| RtmpError::new(Step::Name, format!("the name {host} was not found: {why}"));
    let found: Vec<_> = lookup_host((host.as_str(), address.port)).await.map_err(|e| unknown(&e))?.collect();
    if found.is_empty() { Err(unknown(&"it has no address")) } else { Ok(found) }
}

/// Tries the addresses side by side, each a moment after the one before, and takes the first that connects (RFC 8305): a
/// name with IPv6 and IPv4 addresses is common, and a host that can use only one of them too.
async fn dial(addresses: Vec<SocketAddr>) -> Result<TcpStream, RtmpError> {
    let mut attempts = JoinSet::new();
    for (place, address) in families_in_turn(addresses).into_iter().take(MOST_ADDRESSES).enumerate() {
        let begins = DIAL_APART * u32::try_from(place).unwrap_or_default();
        attempts.spawn(async move {
            sleep(begins).await;
            (address, timeout(STEP - STEP / 4, TcpStream::connect(address)).await)
        });
    }
    let mut last = RtmpError::new(Step::Tcp, "there is no address");
    while let Some(attempt) = attempts.join_next().await {
        match attempt {
            Ok((_, Ok(Ok(tcp)))) => {
                let _ = tcp.set_nodelay(true);
                return Ok(tcp);
            }
            Ok((address, Ok(Err(error)))) => {
                last = RtmpError::new(Step::Tcp, format!("{address} does not connect: {error}"));
            }
            Ok((address, Err(_))) => last = RtmpError::new(Step::Tcp, format!("{address} does not answer")),
            Err(_) => {}
        }
    }
    Err(last)
}

/// IPv6 and IPv4 addresses one after the other, beginning with the kind of the first.
fn families_in_turn(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let is_first = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (one, other): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == is_first);
    let (mut one, mut other) = (one.into_iter(), other.into_iter());
    let mut all = Vec::new();
    loop {
        let pair = [one.next(), other.next()];
        if pair == [None, None] {
            return all;
        }
        all.extend(pair.into_iter().flatten());
    }
}

/// The RTMP handshake. Returns what the server sent after it.
async fn handshake(io: &mut Box<dyn Io>) -> Result<Vec<u8>, RtmpError> {
    let error =
        |why: &dyn Display| RtmpError::new(Step::Handshake, format!("the RTMP handshake failed: {why}"));
    let mut handshake = Handshake::new(PeerType::Client);
    let hello = handshake.generate_outbound_p0_and_p1().map_err(|e| error(&e))?;
    io.write_all(&hello).await.map_err(|e| error(&e))?;
    io.flush().await.map_err(|e| error(&e))?;
    let mut buffer = [0; 4_096];
    loop {
        let read = io.read(&mut buffer).await.map_err(|e| error(&e))?;
        if read == 0 {
            return Err(error(&"the server closed the connection"));
        }
        let bytes = buffer.get(..read).unwrap_or_default();
        let (answer, rest) = match handshake.process_bytes(bytes).map_err(|e| error(&e))? {
            HandshakeProcessResult::InProgress { response_bytes } => (response_bytes, None),
            HandshakeProcessResult::Completed { response_bytes, remaining_bytes } => {
                (response_bytes, Some(remaining_bytes))
            }
        };
        io.write_all(&answer).await.map_err(|e| error(&e))?;
        io.flush().await.map_err(|e| error(&e))?;
        if let Some(rest) = rest {
            return Ok(rest);
        }
    }
}

impl Connection {
    /// Over a byte stream to the server of `address`.
    pub(super) async fn open(
        mut io: Box<dyn Io>,
        tcp: TcpView,
        address: &Address,
        steps: &mut Vec<StepTime>,
    ) -> Result<Self, RtmpError> {
        let rest = step(steps, Step::Handshake, handshake(&mut io)).await?;
        let buffer = vec![0; READ_BUFFER].into_boxed_slice();
        let mut connection = Self { io, session: Session::new(), tcp, buffer, answers: Vec::new() };
        step(steps, Step::Connect, connection.open_app(address, &rest)).await?;
        Ok(connection)
    }

    async fn open_app(&mut self, address: &Address, rest: &[u8]) -> Result<(), RtmpError> {
        let mut out = Vec::new();
        let broken = |step: Step| move |error: super::session::Unreadable| RtmpError::new(step, error.0);
        let transaction =
            self.session.connect(&address.app, &address.url, &mut out).map_err(broken(Step::Connect))?;
        let mut events = self.session.receive(rest, &mut out).map_err(broken(Step::Connect))?;
        self.write(&out, Step::Connect).await?;
        loop {
            for event in events {
                match event {
                    Event::Answer { transaction: of, is_error: false, .. } if of == transaction => {
                        let mut out = Vec::new();
                        self.session.set_sizes(&mut out).map_err(broken(Step::Connect))?;
                        return self.write(&out, Step::Connect).await;
                    }
                    Event::Answer { transaction: of, words, .. } if of == transaction => {
                        return Err(refused(Step::Connect, "the server refused the connection", &words));
                    }
                    Event::Status { is_error: true, words, .. } => {
                        return Err(refused(Step::Connect, "the server refused the connection", &words));
                    }
                    _ => {}
                }
            }
            events = self.read(Step::Connect).await?;
        }
    }

    /// Waits for what the server says next. Its answer is kept in `answers`. Nothing is lost if this is dropped.
    pub(super) async fn listen(&mut self, step: Step) -> Result<Vec<Event>, RtmpError> {
        let read = self.io.read(&mut self.buffer).await;
        let read = read.map_err(|error| RtmpError::new(step, format!("the connection broke: {error}")))?;
        if read == 0 {
            return Err(RtmpError::new(step, "the server closed the connection"));
        }
        let bytes = self.buffer.get(..read).unwrap_or_default();
        self.session.receive(bytes, &mut self.answers).map_err(|error| RtmpError::new(step, error.0))
    }

    /// Waits for what the server says next, and answers it.
    pub(super) async fn read(&mut self, step: Step) -> Result<Vec<Event>, RtmpError> {
        let events = self.listen(step).await?;
        let answers = std::mem::take(&mut self.answers);
        if !answers.is_empty() {
            self.write(&answers, step).await?;
        }
        Ok(events)
    }

    pub(super) async fn write(&mut self, bytes: &[u8], step: Step) -> Result<(), RtmpError> {
        let broken = |error| RtmpError::new(step, format!("the connection broke: {error}"));
        self.io.write_all(bytes).await.map_err(broken)?;
        self.io.flush().await.map_err(broken)
    }
}

pub(super) fn refused(step: Step, what: &str, words: &str) -> RtmpError {
    let text = if words.is_empty() { what.to_owned() } else { format!("{what}: {words}") };
    RtmpError::refused(step, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_both_families_take_turns() {
        let parse = |text: &str| text.parse::<SocketAddr>().unwrap();
        let all = ["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1", "1.1.1.2:1"].map(parse);
        let expected = ["[::1]:1", "1.1.1.1:1", "[::2]:1", "1.1.1.2:1", "[::3]:1"].map(parse);
        assert_eq!(families_in_turn(all.to_vec()), expected);
        assert!(families_in_turn(Vec::new()).is_empty());
    }

    #[tokio::test]
    async fn address_that_does_not_answer_is_not_waited_for() {
        let server = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        // A listener whose queue is full answers nobody.
        let full = tokio::net::TcpSocket::new_v4().unwrap();
        full.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let full = full.listen(0).unwrap();
        let silent = full.local_addr().unwrap();
        let mut waiting = Vec::new();
        for _ in 0..8 {
            let connecting = timeout(Duration::from_millis(100), TcpStream::connect(silent));
            waiting.extend(connecting.await.ok());
        }
        let began = Instant::now();
        let tcp = dial(vec![silent, silent, silent, server.local_addr().unwrap()]).await.unwrap();
        assert_eq!(tcp.peer_addr().unwrap(), server.local_addr().unwrap());
        assert!(began.elapsed() < STEP, "{:?}", began.elapsed());
    }
}
