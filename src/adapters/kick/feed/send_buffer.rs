//! What a connection has heard and nobody has taken yet. It is bounded: when it is full, reading waits.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::domain::streamer::ChannelId;
use crate::ports::{FeedSignal, Subject};

/// A busy reader must not keep us from answering pings, or the server ends the connection; so this much is kept for it.
const MOST: usize = 1_000;

/// Signals on their way, in order.
#[derive(Debug)]
pub(super) struct SendBuffer {
    out: mpsc::Sender<FeedSignal>,
    queue: VecDeque<FeedSignal>,
    acknowledged: Vec<Subject>,
    /// When to tell what is acknowledged.
    due: Option<Instant>,
}

impl SendBuffer {
    pub(super) fn new(out: mpsc::Sender<FeedSignal>) -> Self {
        Self { out, queue: VecDeque::new(), acknowledged: Vec::new(), due: None }
    }

    pub(super) fn push(&mut self, signal: FeedSignal) {
        self.queue.push_back(signal);
    }

    /// Collects an acknowledgement, for at most `batch`.
    pub(super) fn acknowledge(&mut self, channel: ChannelId, now: Instant, batch: Duration) {
        self.acknowledged.push(Subject::Channel(channel));
        self.due.get_or_insert(now + batch);
    }

    /// Forgets what was acknowledged and not told: the connection is gone.
    pub(super) fn forget_acknowledged(&mut self) {
        self.acknowledged.clear();
        self.due = None;
    }

    pub(super) fn is_full(&self) -> bool {
        self.queue.len() >= MOST
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty() && self.due.is_none()
    }

    /// Moves the next signal on, when it is time and there is room. Nothing is lost if this is dropped.
    pub(super) async fn pump(&mut self) {
        if self.queue.is_empty()
            && let Some(due) = self.due
        {
            tokio::time::sleep_until(due).await;
        }
        if self.due.is_some_and(|due| due <= Instant::now()) {
            self.due = None;
            self.queue.push_back(FeedSignal::Subscribed(std::mem::take(&mut self.acknowledged)));
        }
        let permit = self.out.reserve().await;
        let next = self.queue.pop_front();
        // If nobody listens any more, there is nobody to miss it.
        if let (Ok(permit), Some(signal)) = (permit, next) {
            permit.send(signal);
        }
    }

    /// Moves everything on.
    pub(super) async fn flush(&mut self) {
        while !self.is_empty() {
            self.pump().await;
        }
    }
}
