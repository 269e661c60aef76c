//! The channels of one connection: which are requested, acknowledged or refused, and when to request the next ones.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use super::settings::Timing;
use crate::domain::streamer::ChannelId;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Queued,
    /// Requested or refused; queued again at this time.
    Until(Instant),
    Acknowledged,
}

/// One channel to subscribe to.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SubscribeRequest {
    pub(super) channel: ChannelId,
    /// Whether it was requested before: the server may think that we are subscribed.
    pub(super) is_retry: bool,
}

/// The subscriptions of one connection.
#[derive(Debug)]
pub(super) struct Subscriptions {
    states: BTreeMap<ChannelId, State>,
    queue: VecDeque<SubscribeRequest>,
    /// The times of [`State::Until`], soonest first. May hold outdated ones.
    waits: BTreeSet<(Instant, ChannelId)>,
    next_burst: Option<Instant>,
    acknowledged: usize,
    burst: usize,
    burst_every: Duration,
    ack: Duration,
}

impl Subscriptions {
    pub(super) fn new(timing: &Timing) -> Self {
        Self {
            states: BTreeMap::new(),
            queue: VecDeque::new(),
            waits: BTreeSet::new(),
            next_burst: None,
            acknowledged: 0,
            burst: timing.burst.max(1),
            burst_every: timing.burst_every,
            ack: timing.ack,
        }
    }

    /// Replaces the wanted channels. Returns those to unsubscribe from.
    pub(super) fn set_wanted(&mut self, wanted: &BTreeSet<ChannelId>) -> Vec<ChannelId> {
        let mut removed = Vec::new();
        for (channel, state) in self.states.extract_if(.., |channel, _| !wanted.contains(channel)) {
            self.acknowledged -= usize::from(state == State::Acknowledged);
            if state == State::Queued {
                self.queue.retain(|request| request.channel != channel);
            } else {
                removed.push(channel);
            }
        }
        for channel in wanted {
            if !self.states.contains_key(channel) {
                self.enqueue(*channel, false);
            }
        }
        removed
    }

    pub(super) fn contains(&self, channel: ChannelId) -> bool {
        self.states.contains_key(&channel)
    }

    /// The channels to request now.
    pub(super) fn due(&mut self, now: Instant) -> Vec<SubscribeRequest> {
        while let Some((until, channel)) = self.waits.first().copied().filter(|(until, _)| *until <= now) {
            self.waits.pop_first();
            if self.states.get(&channel) == Some(&State::Until(until)) {
                self.enqueue(channel, true);
            }
        }
        if self.queue.is_empty() || self.next_burst.is_some_and(|next| now < next) {
            return Vec::new();
        }
        self.next_burst = Some(now + self.burst_every);
        let requests: Vec<_> = self.queue.drain(..self.burst.min(self.queue.len())).collect();
        for request in &requests {
            self.wait(request.channel, now + self.ack);
        }
        requests
    }

    /// The time of the next request.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let wait = self.waits.first().map(|(until, _)| *until);
        let burst = self.next_burst.filter(|_| !self.queue.is_empty());
        wait.into_iter().chain(burst).min()
    }

    /// Notes an acknowledgement. Returns whether it is new.
    pub(super) fn acknowledge(&mut self, channel: ChannelId) -> bool {
        let state = self.states.get_mut(&channel).filter(|state| matches!(state, State::Until(_)));
        let is_new = state.map(|state| *state = State::Acknowledged).is_some();
        self.acknowledged += usize::from(is_new);
        is_new
    }

    /// The channel is not subscribed (any more); it is requested again after `wait`.
    pub(super) fn retry(&mut self, channel: ChannelId, now: Instant, wait: Duration) {
        match self.states.get(&channel) {
            None | Some(State::Queued) => return,
            Some(State::Acknowledged) => self.acknowledged -= 1,
            Some(State::Until(_)) => {}
        }
        if wait.is_zero() { self.enqueue(channel, true) } else { self.wait(channel, now + wait) }
    }

    pub(super) fn acknowledged_count(&self) -> usize {
        self.acknowledged
    }

    fn enqueue(&mut self, channel: ChannelId, is_retry: bool) {
        self.states.insert(channel, State::Queued);
        self.queue.push_back(SubscribeRequest { channel, is_retry });
    }

    fn wait(&mut self, channel: ChannelId, until: Instant) {
        self.states.insert(channel, State::Until(until));
        self.waits.insert((until, channel));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channels(range: std::ops::Range<u64>) -> BTreeSet<ChannelId> {
        range.map(|n| ChannelId::new(n).unwrap()).collect()
    }

    fn requested(subscriptions: &mut Subscriptions, now: Instant) -> Vec<u64> {
        subscriptions.due(now).iter().map(|request| request.channel.get()).collect()
    }

    fn timing() -> Timing {
        Timing { burst: 2, ..Timing::default() }
    }

    #[tokio::test]
    async fn requests_are_paced() {
        let (start, mut subscriptions) = (Instant::now(), Subscriptions::new(&timing()));
        let every = timing().burst_every;
        assert!(subscriptions.set_wanted(&channels(1..6)).is_empty());
        for (after, expected) in [(0, vec![1, 2]), (0, vec![]), (1, vec![3, 4]), (2, vec![5]), (3, vec![])] {
            assert_eq!(requested(&mut subscriptions, start + every * after), expected);
        }
    }

    #[tokio::test]
    async fn unacknowledged_channel_is_requested_again() {
        let (start, mut subscriptions) = (Instant::now(), Subscriptions::new(&timing()));
        subscriptions.set_wanted(&channels(1..3));
        assert_eq!(requested(&mut subscriptions, start), [1, 2]);
        assert!(subscriptions.acknowledge(ChannelId::new(1).unwrap()));
        assert!(
            !subscriptions.acknowledge(ChannelId::new(1).unwrap()),
            "the second acknowledgement is not new"
        );
        assert_eq!(
            (subscriptions.acknowledged_count(), subscriptions.deadline()),
            (1, Some(start + timing().ack))
        );
        let retried = subscriptions.due(start + timing().ack);
        assert_eq!(retried, [SubscribeRequest { channel: ChannelId::new(2).unwrap(), is_retry: true }]);
    }

    #[tokio::test]
    async fn unwanted_channel_is_dropped() {
        let (start, mut subscriptions) = (Instant::now(), Subscriptions::new(&timing()));
        subscriptions.set_wanted(&channels(1..4));
        subscriptions.due(start);
        subscriptions.acknowledge(ChannelId::new(1).unwrap());
        // 3 was never requested, so there is nothing to unsubscribe from.
        assert_eq!(
            subscriptions.set_wanted(&BTreeSet::new()),
            channels(1..3).into_iter().collect::<Vec<_>>()
        );
        assert_eq!(subscriptions.acknowledged_count(), 0);
        assert!(requested(&mut subscriptions, start + Duration::from_secs(60)).is_empty());
    }

    #[tokio::test]
    async fn lost_channel_is_requested_again_when_due() {
        let (start, mut subscriptions) = (Instant::now(), Subscriptions::new(&timing()));
        subscriptions.set_wanted(&channels(1..3));
        subscriptions.due(start);
        for n in 1..3 {
            subscriptions.acknowledge(ChannelId::new(n).unwrap());
        }
        subscriptions.retry(ChannelId::new(1).unwrap(), start, Duration::ZERO);
        subscriptions.retry(ChannelId::new(2).unwrap(), start, Duration::from_secs(300));
        assert_eq!(requested(&mut subscriptions, start + timing().burst_every), [1]);
        subscriptions.acknowledge(ChannelId::new(1).unwrap());
        assert!(requested(&mut subscriptions, start + Duration::from_secs(299)).is_empty());
        assert_eq!(requested(&mut subscriptions, start + Duration::from_secs(300)), [2]);
    }
}
