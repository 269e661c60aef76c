//! A stand-in for the media server and the platforms: plays the media to whoever plays a stream, and takes what is
//! published. Beside RTMP it gives and takes the same bytes bare, for the reference.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rml_rtmp::handshake::{Handshake, HandshakeProcessResult, PeerType};
use rml_rtmp::sessions::{ServerSession, ServerSessionConfig, ServerSessionEvent, ServerSessionResult};
use rml_rtmp::time::RtmpTimestamp;
use streamward::adapters::rtmp::Frame;
use streamward::domain::channel::Track;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::media::{Media, after};

/// What is published to this application is recorded.
pub(crate) const RECORDED: &str = "recorded";

/// What the live encoders do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoders {
    Send,
    Freeze,
    /// They are gone: the media server ends those who read.
    Die,
}

/// A video frame that came to the recorded platform.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    pub(crate) at: Instant,
    pub(crate) timestamp: u32,
}

struct State {
    media: Media,
    encoders: watch::Sender<Encoders>,
    publishers: AtomicUsize,
    playbacks: AtomicUsize,
    recorded_sessions: AtomicUsize,
    arrivals: Mutex<Vec<Arrival>>,
}

/// The stand-in. It ends when it is dropped.
pub(crate) struct StandIn {
    /// Speaks RTMP.
    pub(crate) rtmp: SocketAddr,
    /// Gives the media's bytes to every connection.
    pub(crate) source: SocketAddr,
    /// Takes bytes.
    pub(crate) sink: SocketAddr,
    state: Arc<State>,
    _tasks: JoinSet<()>,
}

impl StandIn {
    pub(crate) async fn start(media: Media) -> Self {
        let state = Arc::new(State {
            media,
            encoders: watch::Sender::new(Encoders::Send),
            publishers: AtomicUsize::new(0),
            playbacks: AtomicUsize::new(0),
            recorded_sessions: AtomicUsize::new(0),
            arrivals: Mutex::default(),
        });
        let mut tasks = JoinSet::new();
        let rtmp =
            listen(&mut tasks, &state, |state, tcp| async move { speak_rtmp(&state, tcp).await }).await;
        let source =
            listen(&mut tasks, &state, |state, tcp| async move { give_bytes(&state, tcp).await }).await;
        let sink = listen(&mut tasks, &state, |_, tcp| discard(tcp)).await;
        Self { rtmp, source, sink, state, _tasks: tasks }
    }

    pub(crate) fn encoders(&self, they: Encoders) {
        self.state.encoders.send_replace(they);
    }

    /// How many connections publish now, without the recorded one.
    pub(crate) fn publishers(&self) -> usize {
        self.state.publishers.load(Ordering::Relaxed)
    }

    /// How often somebody began to publish to the recorded platform.
    pub(crate) fn recorded_sessions(&self) -> usize {
        self.state.recorded_sessions.load(Ordering::Relaxed)
    }

    /// What came to the recorded platform since the last call.
    pub(crate) fn take_arrivals(&self) -> Vec<Arrival> {
        std::mem::take(&mut self.state.arrivals.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn listen<F>(
    tasks: &mut JoinSet<()>,
    state: &Arc<State>,
    serve: impl Fn(Arc<State>, TcpStream) -> F + Send + 'static,
) -> SocketAddr
where
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its number");
    let state = Arc::clone(state);
    tasks.spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((tcp, _)) = listener.accept().await {
            let _ = tcp.set_nodelay(true);
            connections.spawn(serve(Arc::clone(&state), tcp));
        }
    });
    address
}

/// Each playback begins this many frames later in the media than the one before: the distance to a keyframe decides how
/// much the mixer holds back when it cuts.
const LATER: usize = 31;

/// The frames of the media, each when it is due.
struct Playback<'a> {
    state: &'a State,
    encoders: watch::Receiver<Encoders>,
    begun: Instant,
    /// The number of its first frame, and its time.
    first: (usize, u32),
    /// Headers and frames so far.
    sent: usize,
}

impl<'a> Playback<'a> {
    fn begin(state: &'a State) -> Self {
        let first = state.playbacks.fetch_add(1, Ordering::Relaxed) * LATER;
        let first = (first, state.media.frame(first).1);
        Self { state, encoders: state.encoders.subscribe(), begun: Instant::now(), first, sent: 0 }
    }

    /// `None` when the encoders die.
    async fn next(&mut self) -> Option<(&'a Frame, u32)> {
        let headers = self.state.media.headers();
        let number = self.sent;
        self.sent += 1;
        if let Some(header) = headers.get(number) {
            return Some((header, 0));
        }
        let (frame, timestamp) = self.state.media.frame(self.first.0 + number - headers.len());
        let timestamp = timestamp.saturating_sub(self.first.1);
        sleep_until(self.begun + after(timestamp)).await;
        let they = *self.encoders.wait_for(|they| *they != Encoders::Freeze).await.ok()?;
        (they != Encoders::Die).then_some((frame, timestamp))
    }
}

async fn give_bytes(state: &State, mut tcp: TcpStream) -> io::Result<()> {
    let mut playback = Playback::begin(state);
    while let Some((frame, _)) = playback.next().await {
        tcp.write_all(&frame.payload).await?;
    }
    Ok(())
}

async fn discard(mut tcp: TcpStream) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    while tcp.read(&mut buffer).await? > 0 {}
    Ok(())
}

/// Shakes hands; returns what came after.
async fn shake_hands(tcp: &mut TcpStream, buffer: &mut [u8]) -> io::Result<Vec<u8>> {
    let mut handshake = Handshake::new(PeerType::Server);
    loop {
        let read = tcp.read(buffer).await?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match handshake.process_bytes(&buffer[..read]).map_err(failed)? {
            HandshakeProcessResult::InProgress { response_bytes } => tcp.write_all(&response_bytes).await?,
            HandshakeProcessResult::Completed { response_bytes, remaining_bytes } => {
                tcp.write_all(&response_bytes).await?;
                return Ok(remaining_bytes);
            }
        }
    }
}

/// What a client wants.
enum Role {
    Unknown,
    Plays(u32),
    Publishes { is_recorded: bool },
}

async fn speak_rtmp(state: &State, mut tcp: TcpStream) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    let mut input = shake_hands(&mut tcp, &mut buffer).await?;
    let (mut session, mut results) = ServerSession::new(ServerSessionConfig::new()).map_err(failed)?;
    let mut role = Role::Unknown;
    loop {
        results.extend(session.handle_input(&input).map_err(failed)?);
        for result in std::mem::take(&mut results) {
            match result {
                ServerSessionResult::OutboundResponse(packet) => tcp.write_all(&packet.bytes).await?,
                ServerSessionResult::RaisedEvent(event) => {
                    results.extend(answer(state, &mut session, &mut role, event).map_err(failed)?);
                }
                ServerSessionResult::UnhandleableMessageReceived(_) => {}
            }
        }
        for result in std::mem::take(&mut results) {
            if let ServerSessionResult::OutboundResponse(packet) = result {
                tcp.write_all(&packet.bytes).await?;
            }
        }
        match role {
            Role::Plays(stream) => {
                return play(state, session, stream, tcp).await;
            }
            Role::Publishes { is_recorded: false } => {
                state.publishers.fetch_add(1, Ordering::Relaxed);
                let ended = discard(tcp).await;
                state.publishers.fetch_sub(1, Ordering::Relaxed);
                return ended;
            }
            Role::Publishes { is_recorded: true } | Role::Unknown => {}
        }
        let read = tcp.read(&mut buffer).await?;
        if read == 0 {
            return Ok(());
        }
        input = buffer[..read].to_vec();
    }
}

async fn play(state: &State, mut session: ServerSession, stream: u32, mut tcp: TcpStream) -> io::Result<()> {
    let mut playback = Playback::begin(state);
    while let Some((frame, timestamp)) = playback.next().await {
        let (time, data) = (RtmpTimestamp::new(timestamp), frame.payload.clone());
        let packet = match frame.track {
            Track::Video => session.send_video_data(stream, data, time, false),
            Track::Audio => session.send_audio_data(stream, data, time, false),
        };
        tcp.write_all(&packet.map_err(failed)?.bytes).await?;
    }
    Ok(())
}

fn failed(error: impl std::fmt::Debug) -> io::Error {
    io::Error::other(format!("{error:?}"))
}

fn answer(
    state: &State,
    session: &mut ServerSession,
    role: &mut Role,
    event: ServerSessionEvent,
) -> Result<Vec<ServerSessionResult>, rml_rtmp::sessions::ServerSessionError> {
    match event {
        ServerSessionEvent::ConnectionRequested { request_id, .. } => session.accept_request(request_id),
        ServerSessionEvent::PublishStreamRequested { request_id, app_name, .. } => {
            let is_recorded = app_name == RECORDED;
            state.recorded_sessions.fetch_add(usize::from(is_recorded), Ordering::Relaxed);
            *role = Role::Publishes { is_recorded };
            session.accept_request(request_id)
        }
        ServerSessionEvent::PlayStreamRequested { request_id, .. }
            if *state.encoders.borrow() == Encoders::Die =>
        {
            session.reject_request(request_id, "NetStream.Play.StreamNotFound", "nobody publishes here")
        }
        ServerSessionEvent::PlayStreamRequested { request_id, stream_id, .. } => {
            *role = Role::Plays(stream_id);
            session.accept_request(request_id)
        }
        ServerSessionEvent::VideoDataReceived { data, timestamp, .. } => {
            if data.get(1) == Some(&1) {
                let arrival = Arrival { at: Instant::now(), timestamp: timestamp.value };
                state.arrivals.lock().unwrap_or_else(PoisonError::into_inner).push(arrival);
            }
            Ok(Vec::new())
        }
        _ => Ok(Vec::new()),
    }
}
