//! One place of the plan: keeps a connection for its channels, one after the other.
//!
//! A connection owns its socket and its machine, and both end with it: nothing of an old connection can be heard later.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::select;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_tungstenite::tungstenite::{Bytes, Message};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::SharedState;
use super::backoff::Backoff;
use super::centrifugo::Centrifugo;
use super::payload::ProtocolError;
use super::plan::Slot;
use super::protocol::{Action, Ended, Protocol, Reconnect};
use super::pusher::Pusher;
use super::realtime::Provider;
use super::send_buffer::SendBuffer;
use super::socket::{Incoming, Socket};
use crate::domain::secret::Secret;
use crate::domain::streamer::decide::ReportedStatus;
use crate::domain::streamer::{ChannelId, Source};
use crate::ports::{FeedSignal, StatusUpdate, Subject};

/// One place of the plan.
pub(super) struct Shard {
    pub(super) slot: Slot,
    pub(super) shared: Arc<SharedState>,
    pub(super) provider: Provider,
    /// Who we say we are, for as long as we are not refused.
    pub(super) client: Uuid,
    pub(super) wanted: watch::Receiver<Arc<BTreeSet<ChannelId>>>,
    pub(super) buffer: SendBuffer,
}

impl Shard {
    /// Keeps a connection until `stop`, or until the feed is refused (this connection, while no other is up); says so
    /// then. What was heard is told before this
    /// returns.
    pub(super) async fn run(mut self, stop: CancellationToken) -> Option<Ended> {
        let rejected = stop.run_until_cancelled(self.keep_connected()).await;
        self.buffer.forget_acknowledged();
        self.buffer.flush().await;
        self.shared.statuses.forget(self.slot);
        rejected
    }

    async fn keep_connected(&mut self) -> Ended {
        let (shared, mut backoff) = (Arc::clone(&self.shared), Backoff::default());
        loop {
            let mut up_since = None;
            let ended = self.connection(&mut up_since).await;
            shared.statuses.down(self.slot, &ended.text);
            shared.connection_ended(self.provider.source.as_str(), &ended);
            if ended.reconnect == Reconnect::Rejected {
                if !shared.statuses.is_another_up(self.slot) {
                    return ended;
                }
                // The others are let in: what was refused is this connection, not the feed.
                shared.connection_refused(self.provider.source.as_str(), &ended);
                self.client = shared.ids.uuid();
                self.buffer.forget_acknowledged();
                tokio::join!(sleep(shared.timing.rejected), self.buffer.flush());
                continue;
            }
            let lasted = up_since.map_or(Duration::ZERO, |since: Instant| since.elapsed());
            let wait = backoff.wait(ended.reconnect, lasted, &shared.timing, Instant::now(), shared.random());
            self.buffer.forget_acknowledged();
            tokio::join!(sleep(wait), self.buffer.flush());
        }
    }

    async fn connection(&mut self, up_since: &mut Option<Instant>) -> Ended {
        let shared = Arc::clone(&self.shared);
        shared.acquire().await;
        let opened = async {
            let token = match self.provider.source {
                Source::Centrifugo => Some(shared.realtime.token(self.client).await?),
                _ => None,
            };
            let socket = Socket::open(&self.provider, shared.tls.clone(), &shared.timing).await?;
            let protocol: Box<dyn Protocol> = match token {
                Some(token) => Box::new(Centrifugo::new(&shared.timing, token, Instant::now())),
                None => Box::new(Pusher::new(&shared.timing, Instant::now())),
            };
            Ok((socket, protocol))
        };
        let (mut socket, mut protocol) = match opened.await {
            Ok(opened) => opened,
            Err(ended) => return ended,
        };
        let ended = self.drive(&mut socket, protocol.as_mut(), up_since).await;
        socket.close(&shared.timing).await;
        ended
    }

    /// Does what the machine says until the connection ends.
    async fn drive(
        &mut self,
        socket: &mut Socket,
        protocol: &mut dyn Protocol,
        up_since: &mut Option<Instant>,
    ) -> Ended {
        let (shared, mut actions) = (Arc::clone(&self.shared), Vec::new());
        let mut token: Option<BoxFuture<'_, Result<Secret, Ended>>> = None;
        protocol.opened(Instant::now(), &mut actions);
        protocol.set_channels(&self.wanted.borrow_and_update().clone(), Instant::now(), &mut actions);
        loop {
            let mut messages = Vec::new();
            for action in actions.drain(..) {
                match action {
                    Action::Send(frame) => messages.push(Message::text(frame.0)),
                    Action::Ping => messages.push(Message::Ping(Bytes::new())),
                    Action::Established => *up_since = Some(Instant::now()),
                    Action::Token => token = Some(Box::pin(shared.realtime.token(self.client))),
                    Action::End(ended) => return ended,
                    other => self.told(other),
                }
            }
            if let Err(ended) = socket.write(messages, &shared.timing).await {
                return ended;
            }
            if up_since.is_some() {
                shared.statuses.up(self.slot, protocol.subscribed());
            }
            let reads = !self.buffer.is_full();
            let deadline = protocol.deadline().unwrap_or_else(|| Instant::now() + shared.timing.activity);
            select! {
                incoming = socket.read(), if reads => match incoming {
                    Ok(incoming) => {
                        if let Err(ended) = self.received(protocol, incoming, &mut actions) {
                            return ended;
                        }
                    }
                    Err(ended) => return ended,
                },
                () = self.buffer.pump(), if !self.buffer.is_empty() => {
                    if !reads {
                        // Nothing was heard because nobody listened.
                        protocol.note_activity(Instant::now());
                    }
                }
                Ok(()) = self.wanted.changed() => {
                    protocol.set_channels(&self.wanted.borrow_and_update().clone(), Instant::now(), &mut actions);
                }
                () = sleep_until(deadline), if reads => protocol.tick(Instant::now(), &mut actions),
                renewed = async { token.as_mut()?.await.ok() }, if token.is_some() => {
                    token = None;
                    // Without one the machine asks again.
                    if let Some(renewed) = renewed {
                        protocol.token(&renewed, &mut actions);
                    }
                }
            }
        }
    }

    fn received(
        &self,
        protocol: &mut dyn Protocol,
        incoming: Incoming,
        actions: &mut Vec<Action>,
    ) -> Result<(), Ended> {
        let now = Instant::now();
        let kind = match incoming {
            Incoming::Text(text) => {
                protocol.received(&text, now, actions);
                "text"
            }
            Incoming::Binary => {
                protocol.note_activity(now);
                actions.push(Action::Error(ProtocolError::NotJson));
                "binary"
            }
            Incoming::Control => {
                protocol.note_activity(now);
                "control"
            }
            Incoming::Close(code, reported) => {
                return Err(Ended::by_server(protocol.reconnect_for(code), code, &reported));
            }
        };
        metrics::counter!("streamward_kick_feed_frames_total", "kind" => kind).increment(1);
        Ok(())
    }

    fn told(&mut self, action: Action) {
        let (shared, source) = (&self.shared, self.provider.source);
        match action {
            Action::Subscribed(channel) => {
                self.buffer.acknowledge(channel, Instant::now(), shared.timing.ack_batch);
            }
            Action::Error(error) => shared.protocol_error(source.as_str(), error),
            Action::Update(channel, reported) => {
                let kind = if matches!(reported, ReportedStatus::Started(_)) { "started" } else { "stopped" };
                metrics::counter!("streamward_kick_feed_updates_total", "provider" => source.as_str(), "kind" => kind)
                    .increment(1);
                let (subject, received_at) = (Subject::Channel(channel), shared.clock.now());
                self.buffer.push(FeedSignal::Update(StatusUpdate { subject, reported, source, received_at }));
            }
            _ => {}
        }
    }
}
