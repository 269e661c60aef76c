//! A platform that programmes are pushed to: an RTMP server that takes every publisher, and notes when each connection
//! did what.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rml_rtmp::handshake::{Handshake, HandshakeProcessResult, PeerType};
use rml_rtmp::sessions::{ServerSession, ServerSessionConfig, ServerSessionEvent, ServerSessionResult};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// What a publisher did over one connection.
#[derive(Clone, Debug, Default)]
pub struct Publisher {
    /// The stream name that it published.
    pub key: String,
    /// When it was allowed to publish.
    pub began: Option<Instant>,
    /// When the first and the last message with media came.
    pub media: Option<(Instant, Instant)>,
    /// How many messages with media came.
    pub messages: u64,
    /// The longest time between two of them, and when it ended.
    pub longest_silence: Option<(Duration, Instant)>,
    /// When the connection ended.
    pub ended: Option<Instant>,
}

type Publishers = Arc<Mutex<Vec<Publisher>>>;

/// The platform. It ends when it is dropped.
#[derive(Debug)]
pub struct Platform {
    port: u16,
    publishers: Publishers,
    _thread: Thread,
}

/// Ends the thread of the platform.
#[derive(Debug)]
struct Thread(Option<oneshot::Sender<()>>, Option<JoinHandle<()>>);

impl Drop for Thread {
    fn drop(&mut self) {
        drop(self.0.take());
        if let Some(thread) = self.1.take() {
            let _ = thread.join();
        }
    }
}

impl Platform {
    /// Listens on a free port of loopback, on a thread of its own: what a test waits for does not delay what is noted.
    pub fn start() -> io::Result<Self> {
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let port = listener.local_addr()?.port();
        let publishers = Publishers::default();
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let all = Arc::clone(&publishers);
        let thread = std::thread::spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = stopped => {}
                    _ = accept(listener, all) => {}
                }
            });
        });
        Ok(Self { port, publishers, _thread: Thread(Some(stop), Some(thread)) })
    }

    /// Where programmes are pushed, without the key.
    pub fn url(&self) -> String {
        format!("rtmp://127.0.0.1:{}/live", self.port)
    }

    /// All publishers so far, in the order in which they began.
    pub fn publishers(&self) -> Vec<Publisher> {
        self.publishers.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn accept(listener: std::net::TcpListener, all: Publishers) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let mut connections = JoinSet::new();
    loop {
        let (tcp, _) = listener.accept().await?;
        let mut connection = Connection { all: Arc::clone(&all), number: None };
        connections.spawn(async move {
            let _ = connection.serve(tcp).await;
            connection.note(|publisher| publisher.ended = Some(Instant::now()));
        });
    }
}

struct Connection {
    all: Publishers,
    /// Its place in the list, when it publishes.
    number: Option<usize>,
}

impl Connection {
    fn note(&self, change: impl FnOnce(&mut Publisher)) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(publisher) = self.number.and_then(|number| all.get_mut(number)) {
            change(publisher);
        }
    }

    async fn serve(&mut self, mut tcp: TcpStream) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let mut buffer = vec![0; 65_536];
        let rest = shake_hands(&mut tcp, &mut buffer).await?;
        let (mut session, mut results) = ServerSession::new(ServerSessionConfig::new()).map_err(text)?;
        results.extend(session.handle_input(&rest).map_err(text)?);
        loop {
            // Answers can bring more results.
            while !results.is_empty() {
                let mut more = Vec::new();
                for result in results.drain(..) {
                    match result {
                        ServerSessionResult::OutboundResponse(packet) => tcp.write_all(&packet.bytes).await?,
                        ServerSessionResult::RaisedEvent(event) => {
                            if let Some(request) = self.event(event) {
                                more.extend(session.accept_request(request).map_err(text)?);
                            }
                        }
                        ServerSessionResult::UnhandleableMessageReceived(_) => {}
                    }
                }
                results = more;
            }
            let read = tcp.read(&mut buffer).await?;
            if read == 0 {
                return Ok(());
            }
            results = session.handle_input(&buffer[..read]).map_err(text)?;
        }
    }

    /// Notes what happened. Returns the request to accept, if it is one.
    fn event(&mut self, event: ServerSessionEvent) -> Option<u32> {
        let now = Instant::now();
        match event {
            ServerSessionEvent::ConnectionRequested { request_id, .. } => Some(request_id),
            ServerSessionEvent::PublishStreamRequested { request_id, stream_key, .. } => {
                let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
                self.number = Some(all.len());
                all.push(Publisher { key: stream_key, began: Some(now), ..Publisher::default() });
                Some(request_id)
            }
            ServerSessionEvent::VideoDataReceived { .. } | ServerSessionEvent::AudioDataReceived { .. } => {
                self.note(|publisher| {
                    let (first, last) = publisher.media.unwrap_or((now, now));
                    publisher.media = Some((first, now));
                    publisher.messages += 1;
                    publisher.longest_silence = publisher.longest_silence.max(Some((now - last, now)));
                });
                None
            }
            _ => None,
        }
    }
}

fn text(error: impl std::fmt::Debug) -> String {
    format!("{error:?}")
}

async fn shake_hands(
    tcp: &mut TcpStream,
    buffer: &mut [u8],
) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
    let mut handshake = Handshake::new(PeerType::Server);
    loop {
        let read = tcp.read(buffer).await?;
        if read == 0 {
            return Err("the connection ended".into());
        }
        match handshake.process_bytes(&buffer[..read]).map_err(text)? {
            HandshakeProcessResult::InProgress { response_bytes } => tcp.write_all(&response_bytes).await?,
            HandshakeProcessResult::Completed { response_bytes, remaining_bytes } => {
                tcp.write_all(&response_bytes).await?;
                return Ok(remaining_bytes);
            }
        }
    }
}
