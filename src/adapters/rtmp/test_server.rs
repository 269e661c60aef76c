//! A small RTMP server for tests: takes a publisher and keeps its frames, or plays frames to a player.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use rml_rtmp::handshake::{Handshake, HandshakeProcessResult, PeerType};
use rml_rtmp::sessions::{ServerSession, ServerSessionConfig, ServerSessionEvent, ServerSessionResult};
use rml_rtmp::time::RtmpTimestamp;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{broadcast, watch};
use tokio::task::JoinSet;

use super::frame::Frame;
use crate::domain::channel::Track;

/// How the server treats who connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Takes and gives streams.
    Normal,
    /// Refuses every stream.
    Refuses,
    /// Takes a stream, but never reads from it.
    NeverReads,
}

/// A frame that a publisher sent, and over which connection.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) connection: usize,
    pub(crate) frame: Frame,
}

#[derive(Default)]
struct Kept {
    connections: usize,
    frames: Vec<Received>,
}

/// The server. It ends when it is dropped.
pub(crate) struct TestServer {
    pub(crate) port: u16,
    kept: Arc<Mutex<Kept>>,
    changed: watch::Receiver<()>,
    /// What players get. A message of `None` ends their connections.
    feed: broadcast::Sender<Option<Frame>>,
    _tasks: JoinSet<()>,
}

impl TestServer {
    pub(crate) async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let kept = Arc::new(Mutex::new(Kept::default()));
        let (notify, changed) = watch::channel(());
        let (feed, _) = broadcast::channel(4_096);
        let mut tasks = JoinSet::new();
        let (all, players) = (kept.clone(), feed.clone());
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (tcp, _) = listener.accept().await.unwrap();
                let peer = Peer { kept: all.clone(), notify: notify.clone(), feed: players.clone(), manner };
                connections.spawn(async move { peer.serve(tcp).await.unwrap_or_default() });
            }
        });
        Self { port, kept, changed, feed, _tasks: tasks }
    }

    /// How many publishers began.
    pub(crate) fn connections(&self) -> usize {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).connections
    }

    pub(crate) fn frames(&self) -> Vec<Received> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).frames.clone()
    }

    /// Waits until the frames are as wanted.
    pub(crate) async fn until(&self, is_wanted: impl Fn(&[Received]) -> bool) {
        let mut changed = self.changed.clone();
        loop {
            changed.mark_unchanged();
            if is_wanted(&self.kept.lock().unwrap_or_else(PoisonError::into_inner).frames) {
                return;
            }
            let waited = tokio::time::timeout(std::time::Duration::from_secs(30), changed.changed()).await;
            assert!(waited.is_ok(), "no frames for 30 s; {} came before", self.frames().len());
        }
    }

    /// Sends a frame to every player.
    pub(crate) fn play(&self, frame: Frame) {
        let _ = self.feed.send(Some(frame));
    }

    pub(crate) fn players(&self) -> usize {
        self.feed.receiver_count()
    }

    /// Ends the connections of all players.
    pub(crate) fn end_players(&self) {
        let _ = self.feed.send(None);
    }
}

struct Peer {
    kept: Arc<Mutex<Kept>>,
    notify: watch::Sender<()>,
    feed: broadcast::Sender<Option<Frame>>,
    manner: Manner,
}

impl Peer {
    async fn serve(self, mut tcp: TcpStream) -> std::io::Result<()> {
        let mut handshake = Handshake::new(PeerType::Server);
        let mut buffer = vec![0; 65_536];
        let rest = loop {
            let read = tcp.read(&mut buffer).await?;
            if read == 0 {
                return Ok(());
            }
            match handshake.process_bytes(&buffer[..read]).unwrap() {
                HandshakeProcessResult::InProgress { response_bytes } => {
                    tcp.write_all(&response_bytes).await?;
                }
                HandshakeProcessResult::Completed { response_bytes, remaining_bytes } => {
                    tcp.write_all(&response_bytes).await?;
                    break remaining_bytes;
                }
            }
        };
        let (mut session, mut results) = ServerSession::new(ServerSessionConfig::new()).unwrap();
        results.extend(session.handle_input(&rest).unwrap());
        let (mut connection, mut player) = (0, None);
        loop {
            let mut at = 0;
            while at < results.len() {
                match &results[at] {
                    ServerSessionResult::OutboundResponse(packet) => tcp.write_all(&packet.bytes).await?,
                    ServerSessionResult::RaisedEvent(event) => {
                        let more = match event.clone() {
                            ServerSessionEvent::PublishStreamRequested { request_id, .. }
                                if self.manner == Manner::Refuses =>
                            {
                                session
                                    .reject_request(
                                        request_id,
                                        "NetStream.Publish.BadName",
                                        "the key is unknown",
                                    )
                                    .unwrap()
                            }
                            ServerSessionEvent::ConnectionRequested { request_id, .. } => {
                                session.accept_request(request_id).unwrap()
                            }
                            ServerSessionEvent::PublishStreamRequested { request_id, .. } => {
                                let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
                                kept.connections += 1;
                                connection = kept.connections;
                                session.accept_request(request_id).unwrap()
                            }
                            ServerSessionEvent::PlayStreamRequested { request_id, stream_id, .. } => {
                                player = Some((stream_id, self.feed.subscribe()));
                                session.accept_request(request_id).unwrap()
                            }
                            ServerSessionEvent::VideoDataReceived { data, timestamp, .. } => {
                                self.keep(connection, 9, timestamp, &data);
                                vec![]
                            }
                            ServerSessionEvent::AudioDataReceived { data, timestamp, .. } => {
                                self.keep(connection, 8, timestamp, &data);
                                vec![]
                            }
                            _ => vec![],
                        };
                        results.extend(more);
                    }
                    ServerSessionResult::UnhandleableMessageReceived(_) => {}
                }
                at += 1;
            }
            if connection > 0 && self.manner == Manner::NeverReads {
                std::future::pending::<()>().await;
            }
            results = match &mut player {
                None => {
                    let read = tcp.read(&mut buffer).await?;
                    if read == 0 {
                        return Ok(());
                    }
                    session.handle_input(&buffer[..read]).unwrap()
                }
                Some((stream, feed)) => {
                    let Ok(Some(frame)) = feed.recv().await else { return Ok(()) };
                    let time = RtmpTimestamp::new(frame.timestamp);
                    let packet = match frame.track {
                        Track::Video => session.send_video_data(*stream, frame.payload, time, false),
                        Track::Audio => session.send_audio_data(*stream, frame.payload, time, false),
                    };
                    vec![ServerSessionResult::OutboundResponse(packet.unwrap())]
                }
            };
        }
    }

    fn keep(&self, connection: usize, kind: u8, timestamp: RtmpTimestamp, data: &Bytes) {
        let frame = Frame::read(kind, timestamp.value, data).unwrap().unwrap();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.frames.push(Received { connection, frame });
        drop(kept);
        self.notify.send_replace(());
    }
}
