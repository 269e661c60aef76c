//! Which channels of a connection are asked for, acknowledged, refused or still to be asked for; and at what pace.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use super::settings::Timing;
use crate::domain::streamer::ChannelId;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// In the queue.
    Queued,
    /// Asked for, or refused; back into the queue then.
    Until(Instant),
    /// Acknowledged.
    Heard,
}

/// One channel to ask for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SubscribeRequest {
    pub(super) channel: ChannelId,
    /// Whether it was asked for before: the server may think that we are subscribed.
    pub(super) again: bool,
}

/// The subscriptions of one connection.
#[derive(Debug)]
pub(super) struct Subscriptions {
    states: BTreeMap<ChannelId, State>,
    queue: VecDeque<SubscribeRequest>,
    /// What [`State::Until`] says, soonest first. May hold what is no longer so.
    waits: BTreeSet<(Instant, ChannelId)>,
    next_burst: Option<Instant>,
    heard: usize,
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
            heard: 0,
            burst: timing.burst.max(1),
            burst_every: timing.burst_every,
            ack: timing.ack,
        }
    }

    /// Takes what is wanted from now on. Returns what to unsubscribe from.
    pub(super) fn want(&mut self, wanted: &BTreeSet<ChannelId>) -> Vec<ChannelId> {
        let gone: Vec<_> = self.states.keys().filter(|channel| !wanted.contains(channel)).copied().collect();
        let mut told = Vec::new();
        for channel in gone {
            match self.states.remove(&channel) {
                Some(State::Queued) => self.queue.retain(|request| request.channel != channel),
                Some(State::Heard) => {
                    self.heard -= 1;
                    told.push(channel);
                }
                _ => told.push(channel),
            }
        }
        for channel in wanted {
            if !self.states.contains_key(channel) {
                self.enqueue(*channel, false);
            }
        }
        told
    }

    pub(super) fn wants(&self, channel: ChannelId) -> bool {
        self.states.contains_key(&channel)
    }

    /// What to ask for now.
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

    /// When something is due next.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let wait = self.waits.first().map(|(until, _)| *until);
        let burst = self.next_burst.filter(|_| !self.queue.is_empty());
        [wait, burst].into_iter().flatten().min()
    }

    /// Notes an acknowledgement. Returns whether it is news.
    pub(super) fn acknowledged(&mut self, channel: ChannelId) -> bool {
        let Some(state) = self.states.get_mut(&channel).filter(|state| matches!(state, State::Until(_)))
        else {
            return false;
        };
        *state = State::Heard;
        self.heard += 1;
        true
    }

    /// Notes that it is not, or no longer, subscribed, and is to be asked for again after `wait`.
    pub(super) fn lost(&mut self, channel: ChannelId, now: Instant, wait: Duration) {
        match self.states.get(&channel) {
            None | Some(State::Queued) => return,
            Some(State::Heard) => self.heard -= 1,
            Some(State::Until(_)) => {}
        }
        if wait.is_zero() { self.enqueue(channel, true) } else { self.wait(channel, now + wait) }
    }

    /// How many are acknowledged.
    pub(super) fn acknowledged_count(&self) -> usize {
        self.heard
    }

    fn enqueue(&mut self, channel: ChannelId, again: bool) {
        self.states.insert(channel, State::Queued);
        self.queue.push_back(SubscribeRequest { channel, again });
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

    fn asked(subscriptions: &mut Subscriptions, now: Instant) -> Vec<u64> {
        subscriptions.due(now).iter().map(|request| request.channel.get()).collect()
    }

    fn timing() -> Timing {
        Timing { burst: 2, ..Timing::default() }
    }

    #[tokio::test]
    async fn asking_is_paced() {
        let (start, mut subscriptions) = (Instant::now(), Subscriptions::new(&timing()));
        let every = timing().burst_every;
        assert!(subscriptions.want(&channels(1..6)).is_empty());
        for (after, expected) in [(0, vec![1, 2]), (0, vec![]), (1, vec![3, 4]), (2, vec![5]), (3, vec![])] {
            assert_eq!(asked(&mut subscriptions, start + every * after), expected);
        }
    }

    #[tokio::test]
    async fn what_is_not_acknowledged_is_asked_for_again() {
        let (start, mut subscriptions) = (Instant::now(), Subscriptions::new(&timing()));
        subscriptions.want(&channels(1..3));
        assert_eq!(asked(&mut subscriptions, start), [1, 2]);
        assert!(subscriptions.acknowledged(ChannelId::new(1).unwrap()));
        assert!(!subscriptions.acknowledged(ChannelId::new(1).unwrap()), "told twice");
        assert_eq!(
            (subscriptions.acknowledged_count(), subscriptions.deadline()),
            (1, Some(start + timing().ack))
        );
        let again = subscriptions.due(start + timing().ack);
        assert_eq!(again, [SubscribeRequest { channel: ChannelId::new(2).unwrap(), again: true }]);
    }

    #[tokio::test]
    async fn what_is_not_wanted_any_more_is_let_go() {
        let (start, mut subscriptions) = (Instant::now(), Subscriptions::new(&timing()));
        subscriptions.want(&channels(1..4));
        subscriptions.due(start);
        subscriptions.acknowledged(ChannelId::new(1).unwrap());
        // 3 was never asked for, so there is nothing to unsubscribe from.
        assert_eq!(subscriptions.want(&BTreeSet::new()), channels(1..3).into_iter().collect::<Vec<_>>());
        assert_eq!(subscriptions.acknowledged_count(), 0);
        assert!(asked(&mut subscriptions, start + Duration::from_secs(60)).is_empty());
    }

    #[tokio::test]
    async fn what_was_lost_is_asked_for_again_when_its_time_has_come() {
        let (start, mut subscriptions) = (Instant::now(), Subscriptions::new(&timing()));
        subscriptions.want(&channels(1..3));
        subscriptions.due(start);
        for n in 1..3 {
            subscriptions.acknowledged(ChannelId::new(n).unwrap());
        }
        subscriptions.lost(ChannelId::new(1).unwrap(), start, Duration::ZERO);
        subscriptions.lost(ChannelId::new(2).unwrap(), start, Duration::from_secs(300));
        assert_eq!(asked(&mut subscriptions, start + timing().burst_every), [1]);
        subscriptions.acknowledged(ChannelId::new(1).unwrap());
        assert!(asked(&mut subscriptions, start + Duration::from_secs(299)).is_empty());
        assert_eq!(asked(&mut subscriptions, start + Duration::from_secs(300)), [2]);
    }
}
