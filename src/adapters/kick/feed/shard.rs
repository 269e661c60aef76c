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

use super::Hub;
use super::backoff::Backoff;
use super::centrifugo::Centrifugo;
use super::machine::{Action, Class, Ended, Machine};
use super::outbox::Outbox;
use super::payload::Oddity;
use super::plan::Slot;
use super::pusher::Pusher;
use super::realtime::Provider;
use super::socket::{Incoming, Socket};
use crate::domain::secret::Secret;
use crate::domain::streamer::decide::Said;
use crate::domain::streamer::{ChannelId, Source};
use crate::ports::{Edge, FeedSignal, Subject};

/// One place of the plan.
pub(super) struct Shard {
    pub(super) slot: Slot,
    pub(super) hub: Arc<Hub>,
    pub(super) provider: Provider,
    /// Who we say we are, for as long as we are not refused.
    pub(super) client: Uuid,
    pub(super) wanted: watch::Receiver<Arc<BTreeSet<ChannelId>>>,
    pub(super) outbox: Outbox,
}

impl Shard {
    /// Keeps a connection until `stop`, or until the feed is refused (this connection, while no other is up); says so
    /// then. What was heard is told before this
    /// returns.
    pub(super) async fn run(mut self, stop: CancellationToken) -> Option<Ended> {
        let rejected = stop.run_until_cancelled(self.keep_connected()).await;
        self.outbox.forget_acknowledged();
        self.outbox.flush().await;
        self.hub.board.forget(self.slot);
        rejected
    }

    async fn keep_connected(&mut self) -> Ended {
        let (hub, mut backoff) = (Arc::clone(&self.hub), Backoff::default());
        loop {
            let mut up_since = None;
            let ended = self.connection(&mut up_since).await;
            hub.board.down(self.slot, &ended.text);
            hub.notices.ended(self.provider.source.as_str(), &ended);
            if ended.class == Class::Rejected {
                if !hub.board.is_another_up(self.slot) {
                    return ended;
                }
                // The others are let in: what was refused is this connection, not the feed.
                hub.notices.refused(self.provider.source.as_str(), &ended);
                self.client = hub.ids.uuid();
                self.outbox.forget_acknowledged();
                tokio::join!(sleep(hub.timing.rejected), self.outbox.flush());
                continue;
            }
            let lasted = up_since.map_or(Duration::ZERO, |since: Instant| since.elapsed());
            let wait = backoff.wait(ended.class, lasted, &hub.timing, Instant::now(), hub.random());
            self.outbox.forget_acknowledged();
            tokio::join!(sleep(wait), self.outbox.flush());
        }
    }

    async fn connection(&mut self, up_since: &mut Option<Instant>) -> Ended {
        let hub = Arc::clone(&self.hub);
        hub.turn().await;
        let opened = async {
            let token = match self.provider.source {
                Source::Centrifugo => Some(hub.realtime.token(self.client).await?),
                _ => None,
            };
            let socket = Socket::open(&self.provider, hub.tls.clone(), &hub.timing).await?;
            let machine: Box<dyn Machine> = match token {
                Some(token) => Box::new(Centrifugo::new(&hub.timing, token, Instant::now())),
                None => Box::new(Pusher::new(&hub.timing, Instant::now())),
            };
            Ok((socket, machine))
        };
        let (mut socket, mut machine) = match opened.await {
            Ok(opened) => opened,
            Err(ended) => return ended,
        };
        let ended = self.drive(&mut socket, machine.as_mut(), up_since).await;
        socket.close(&hub.timing).await;
        ended
    }

    /// Does what the machine says until the connection ends.
    async fn drive(
        &mut self,
        socket: &mut Socket,
        machine: &mut dyn Machine,
        up_since: &mut Option<Instant>,
    ) -> Ended {
        let (hub, mut actions) = (Arc::clone(&self.hub), Vec::new());
        let mut token: Option<BoxFuture<'_, Result<Secret, Ended>>> = None;
        machine.opened(Instant::now(), &mut actions);
        machine.want(&self.wanted.borrow_and_update().clone(), Instant::now(), &mut actions);
        loop {
            let mut messages = Vec::new();
            for action in actions.drain(..) {
                match action {
                    Action::Send(frame) => messages.push(Message::text(frame.0)),
                    Action::Ping => messages.push(Message::Ping(Bytes::new())),
                    Action::Established => *up_since = Some(Instant::now()),
                    Action::Token => token = Some(Box::pin(hub.realtime.token(self.client))),
                    Action::End(ended) => return ended,
                    other => self.told(other),
                }
            }
            if let Err(ended) = socket.write(messages, &hub.timing).await {
                return ended;
            }
            if up_since.is_some() {
                hub.board.up(self.slot, machine.subscribed());
            }
            let reads = !self.outbox.is_full();
            let deadline = machine.deadline().unwrap_or_else(|| Instant::now() + hub.timing.activity);
            select! {
                incoming = socket.read(), if reads => match incoming {
                    Ok(incoming) => {
                        if let Err(ended) = self.heard(machine, incoming, &mut actions) {
                            return ended;
                        }
                    }
                    Err(ended) => return ended,
                },
                () = self.outbox.pump(), if !self.outbox.is_empty() => {
                    if !reads {
                        // Nothing was heard because nobody listened.
                        machine.alive(Instant::now());
                    }
                }
                Ok(()) = self.wanted.changed() => {
                    machine.want(&self.wanted.borrow_and_update().clone(), Instant::now(), &mut actions);
                }
                () = sleep_until(deadline), if reads => machine.tick(Instant::now(), &mut actions),
                renewed = async { token.as_mut()?.await.ok() }, if token.is_some() => {
                    token = None;
                    // Without one the machine asks again.
                    if let Some(renewed) = renewed {
                        machine.token(&renewed, &mut actions);
                    }
                }
            }
        }
    }

    fn heard(
        &self,
        machine: &mut dyn Machine,
        incoming: Incoming,
        actions: &mut Vec<Action>,
    ) -> Result<(), Ended> {
        let now = Instant::now();
        let kind = match incoming {
            Incoming::Text(text) => {
                machine.heard(&text, now, actions);
                "text"
            }
            Incoming::Binary => {
                machine.alive(now);
                actions.push(Action::Odd(Oddity::NotJson));
                "binary"
            }
            Incoming::Control => {
                machine.alive(now);
                "control"
            }
            Incoming::Close(code, said) => return Err(Ended::by_server(machine.class_of(code), code, &said)),
        };
        metrics::counter!("streamward_kick_feed_frames_total", "kind" => kind).increment(1);
        Ok(())
    }

    fn told(&mut self, action: Action) {
        let (hub, source) = (&self.hub, self.provider.source);
        match action {
            Action::Subscribed(channel) => {
                self.outbox.acknowledge(channel, Instant::now(), hub.timing.ack_batch);
            }
            Action::Odd(oddity) => hub.notices.odd(source.as_str(), oddity),
            Action::Edge(channel, said) => {
                let kind = if matches!(said, Said::Started(_)) { "started" } else { "stopped" };
                metrics::counter!("streamward_kick_feed_edges_total", "provider" => source.as_str(), "kind" => kind)
                    .increment(1);
                let (subject, received_at) = (Subject::Channel(channel), hub.clock.now());
                self.outbox.push(FeedSignal::Edge(Edge { subject, said, source, received_at }));
            }
            _ => {}
        }
    }
}
