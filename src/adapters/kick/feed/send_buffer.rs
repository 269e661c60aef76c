//! Holds a connection's signals until the receiver takes them. While it is full, the connection is not read.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use crate::domain::streamer::ChannelId;
use crate::ports::{FeedSignal, Subject};

/// While the receiver is busy we must still answer pings, or the server ends the connection. So this much is buffered.
const CAPACITY: usize = 1_000;
/// How long acknowledgements are collected before they are reported.
const ACK_BATCH: Duration = Duration::from_millis(100);

/// Signals on their way, in order.
#[derive(Debug)]
pub(super) struct SendBuffer {
    out: mpsc::Sender<FeedSignal>,
    queue: VecDeque<FeedSignal>,
    acknowledged: Vec<Subject>,
    /// When to send what is acknowledged.
    due: Option<Instant>,
}

impl SendBuffer {
    pub(super) fn new(out: mpsc::Sender<FeedSignal>) -> Self {
        Self { out, queue: VecDeque::new(), acknowledged: Vec::new(), due: None }
    }

    pub(super) fn push(&mut self, signal: FeedSignal) {
        self.queue.push_back(signal);
    }

    pub(super) fn acknowledge(&mut self, channel: ChannelId) {
        self.acknowledged.push(Subject::Channel(channel));
        self.due.get_or_insert(Instant::now() + ACK_BATCH);
    }

    /// The connection ended: drops acknowledgements that were not sent, and sends the rest.
    pub(super) async fn connection_ended(&mut self) {
        self.acknowledged.clear();
        self.due = None;
        while !self.is_empty() {
            self.send_next().await;
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.queue.len() >= CAPACITY
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty() && self.due.is_none()
    }

    /// Sends the next signal when it is due and there is room. Nothing is lost if this is dropped.
    pub(super) async fn send_next(&mut self) {
        if let (true, Some(due)) = (self.queue.is_empty(), self.due) {
            sleep_until(due).await;
        }
        if self.due.is_some_and(|due| due <= Instant::now()) {
            self.due = None;
            self.queue.push_back(FeedSignal::Subscribed(std::mem::take(&mut self.acknowledged)));
        }
        let permit = self.out.reserve().await;
        let next = self.queue.pop_front();
        // Without a receiver the signal is not needed.
        if let (Ok(permit), Some(signal)) = (permit, next) {
            permit.send(signal);
        }
    }
}
