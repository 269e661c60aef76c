//! One connection of the plan, opened again whenever it ends.
//!
//! A connection owns its socket and its protocol, and both end with it: nothing of an old connection arrives later.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::select;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_tungstenite::tungstenite::{Bytes, Message};
use uuid::Uuid;

use super::backoff::Backoff;
use super::centrifugo::Centrifugo;
use super::payload::ProtocolError;
use super::plan::Slot;
use super::protocol::{Action, Ended, Protocol, Reconnect};
use super::pusher::Pusher;
use super::realtime::Provider;
use super::send_buffer::SendBuffer;
use super::shared_state::SharedState;
use super::socket::Socket;
use crate::domain::secret::Secret;
use crate::domain::streamer::decide::ReportedStatus;
use crate::domain::streamer::{ChannelId, Source};
use crate::ports::{FeedSignal, StatusUpdate, Subject};

/// The code of a close frame without one (RFC 6455, 7.1.5).
const NO_CODE: u16 = 1005;

pub(super) struct Shard {
    pub(super) slot: Slot,
    pub(super) shared: Arc<SharedState>,
    pub(super) provider: Provider,
    /// The client id that we show until it is refused.
    pub(super) client: Uuid,
    pub(super) wanted: watch::Receiver<Arc<BTreeSet<ChannelId>>>,
    pub(super) buffer: SendBuffer,
}

impl Shard {
    /// Keeps a connection until the sender of `wanted` is gone, or until the server rejects it while no other is up;
    /// returns the rejection then. Everything that was received is sent before this returns.
    pub(super) async fn run(mut self) -> Option<Ended> {
        let mut wanted = self.wanted.clone();
        let stopped = async { while wanted.changed().await.is_ok() {} };
        let rejected = select! {
            rejected = self.keep_connected() => Some(rejected),
            () = stopped => None,
        };
        self.buffer.connection_ended().await;
        self.shared.statuses.remove(self.slot);
        rejected
    }

    async fn keep_connected(&mut self) -> Ended {
        let (shared, source) = (Arc::clone(&self.shared), self.provider.source.as_str());
        let mut backoff = Backoff::new(shared.settings.timing);
        loop {
            let mut up_since = None;
            let ended = self.connection(&mut up_since).await;
            shared.statuses.down(self.slot, &ended.text);
            shared.connection_ended(source, &ended);
            let wait = if ended.reconnect == Reconnect::Rejected {
                if !shared.statuses.is_another_up(self.slot) {
                    return ended;
                }
                // The server accepts the others, so it refuses this client and not the feed.
                shared.connection_refused(source, &ended);
                self.client = shared.ids.uuid();
                shared.settings.timing.rejected
            } else {
                let lasted = up_since.map_or(Duration::ZERO, |since: Instant| since.elapsed());
                backoff.wait(ended.reconnect, lasted, Instant::now(), shared.random())
            };
            tokio::join!(sleep(wait), self.buffer.connection_ended());
        }
    }

    async fn connection(&mut self, up_since: &mut Option<Instant>) -> Ended {
        let shared = Arc::clone(&self.shared);
        shared.wait_to_open().await;
        let open = async {
            let token = match self.provider.source {
                Source::Centrifugo => Some(shared.realtime.token(self.client).await?),
                _ => None,
            };
            let socket = Socket::open(&self.provider, shared.tls.clone()).await?;
            let protocol: Box<dyn Protocol> = match token {
                Some(token) => Box::new(Centrifugo::new(shared.settings.timing, token, Instant::now())),
                None => Box::new(Pusher::new(shared.settings.timing, Instant::now())),
            };
            Ok((socket, protocol))
        };
        let (mut socket, mut protocol) = match open.await {
            Ok(opened) => opened,
            Err(ended) => return ended,
        };
        let Err(ended) = self.drive(&mut socket, protocol.as_mut(), up_since).await;
        socket.close().await;
        ended
    }

    /// Carries out the protocol's actions until the connection ends.
    async fn drive(
        &mut self,
        socket: &mut Socket,
        protocol: &mut dyn Protocol,
        up_since: &mut Option<Instant>,
    ) -> Result<std::convert::Infallible, Ended> {
        let (shared, mut actions) = (Arc::clone(&self.shared), Vec::new());
        let mut token: Option<BoxFuture<'_, Result<Secret, Ended>>> = None;
        protocol.opened(&mut actions);
        protocol.set_channels(&self.wanted.borrow_and_update().clone(), Instant::now(), &mut actions);
        loop {
            let mut messages = Vec::new();
            for action in actions.drain(..) {
                match action {
                    Action::Send(frame) => messages.push(Message::text(frame.0)),
                    Action::Ping => messages.push(Message::Ping(Bytes::new())),
                    Action::Established => *up_since = Some(Instant::now()),
                    Action::Subscribed(channel) => self.buffer.acknowledge(channel),
                    Action::Update(channel, reported) => self.update(channel, reported),
                    Action::Error(error) => shared.protocol_error(self.provider.source.as_str(), error),
                    Action::Token => token = Some(Box::pin(shared.realtime.token(self.client))),
                    Action::End(ended) => return Err(ended),
                }
            }
            socket.write(messages).await?;
            if up_since.is_some() {
                let subscribed = protocol.session().subscriptions.acknowledged_count();
                shared.statuses.up(self.slot, subscribed);
            }
            let may_read = !self.buffer.is_full();
            select! {
                message = socket.read(), if may_read => received(protocol, message?, &mut actions)?,
                () = self.buffer.send_next(), if !self.buffer.is_empty() => {
                    if !may_read {
                        // The connection was not read, so its silence means nothing.
                        protocol.note_activity(Instant::now());
                    }
                }
                Ok(()) = self.wanted.changed() => {
                    protocol.set_channels(&self.wanted.borrow_and_update().clone(), Instant::now(), &mut actions);
                }
                () = sleep_until(protocol.deadline()), if may_read => protocol.tick(Instant::now(), &mut actions),
                renewed = async { token.as_mut()?.await.ok() }, if token.is_some() => {
                    token = None;
                    // Without a token the protocol requests another one later.
                    if let Some(renewed) = renewed {
                        protocol.token(&renewed, &mut actions);
                    }
                }
            }
        }
    }

    fn update(&mut self, channel: ChannelId, reported: ReportedStatus) {
        let (source, received_at) = (self.provider.source, self.shared.clock.now());
        let kind = if matches!(reported, ReportedStatus::Started(_)) { "started" } else { "stopped" };
        let labels = [("provider", source.as_str()), ("kind", kind)];
        metrics::counter!("streamward_kick_feed_updates_total", &labels).increment(1);
        let subject = Subject::Channel(channel);
        self.buffer.push(FeedSignal::Update(StatusUpdate { subject, reported, source, received_at }));
    }
}

fn received(protocol: &mut dyn Protocol, message: Message, actions: &mut Vec<Action>) -> Result<(), Ended> {
    let now = Instant::now();
    protocol.note_activity(now);
    let kind = match message {
        Message::Text(text) => {
            protocol.message(&text, now, actions);
            "text"
        }
        Message::Binary(_) => {
            actions.push(Action::Error(ProtocolError::NotJson));
            "binary"
        }
        Message::Close(frame) => {
            let code = frame.as_ref().map_or(NO_CODE, |frame| frame.code.into());
            let reason = frame.as_ref().map_or("", |frame| frame.reason.as_str());
            return Err(Ended::by_server(protocol.reconnect_for(code), code, reason));
        }
        Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => "control",
    };
    metrics::counter!("streamward_kick_feed_frames_total", "kind" => kind).increment(1);
    Ok(())
}
