//! The channels of one connection: which are requested, acknowledged or refused, and when to request the next ones.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use super::settings::Timing;
use crate::domain::streamer::ChannelId;

#[derive(Clone, Copy, Debug)]
struct State {
    /// When to request it (again); `None` once it is acknowledged.
    due: Option<Instant>,
    was_requested: bool,
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
    /// The channels that are not acknowledged, soonest request first.
    waits: BTreeSet<(Instant, ChannelId)>,
    next_burst: Option<Instant>,
    timing: Timing,
}

impl Subscriptions {
    pub(super) fn new(timing: Timing) -> Self {
        Self { states: BTreeMap::new(), waits: BTreeSet::new(), next_burst: None, timing }
    }

    /// Replaces the wanted channels. Returns those to unsubscribe from.
    pub(super) fn set_wanted(&mut self, wanted: &BTreeSet<ChannelId>, now: Instant) -> Vec<ChannelId> {
        let mut removed = Vec::new();
        for (channel, state) in self.states.extract_if(.., |channel, _| !wanted.contains(channel)) {
            if let Some(due) = state.due {
                self.waits.remove(&(due, channel));
            }
            removed.extend(state.was_requested.then_some(channel));
        }
        for channel in wanted {
            if !self.states.contains_key(channel) {
                self.states.insert(*channel, State { due: Some(now), was_requested: false });
                self.waits.insert((now, *channel));
            }
        }
        removed
    }

    pub(super) fn contains(&self, channel: ChannelId) -> bool {
        self.states.contains_key(&channel)
    }

    pub(super) fn due(&mut self, now: Instant) -> Vec<SubscribeRequest> {
        if self.next_burst.is_some_and(|next| now < next) {
            return Vec::new();
        }
        let due = self.waits.iter().take_while(|(at, _)| *at <= now).take(self.timing.burst);
        let due: Vec<ChannelId> = due.map(|(_, channel)| *channel).collect();
        if !due.is_empty() {
            self.next_burst = Some(now + self.timing.burst_every);
        }
        let request =
            |channel| SubscribeRequest { channel, is_retry: self.wait(channel, now + self.timing.ack) };
        due.into_iter().map(request).collect()
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.waits.first().map(|(due, _)| (*due).max(self.next_burst.unwrap_or(*due)))
    }

    /// Notes an acknowledgement. Returns whether it is new.
    pub(super) fn acknowledge(&mut self, channel: ChannelId) -> bool {
        let state = self.states.get_mut(&channel).filter(|state| state.was_requested);
        let due = state.and_then(|state| state.due.take());
        due.is_some_and(|due| self.waits.remove(&(due, channel)))
    }

    /// The channel is not subscribed (any more); it is requested again after `wait`.
    pub(super) fn retry(&mut self, channel: ChannelId, now: Instant, wait: Duration) {
        if self.states.get(&channel).is_some_and(|state| state.was_requested) {
            self.wait(channel, now + wait);
        }
    }

    pub(super) fn acknowledged_count(&self) -> usize {
        self.states.len() - self.waits.len()
    }

    /// Requests the channel at `until` if it is not acknowledged by then. Returns whether it was requested before.
    fn wait(&mut self, channel: ChannelId, until: Instant) -> bool {
        let new = State { due: Some(until), was_requested: true };
        let before = self.states.insert(channel, new);
        if let Some(due) = before.and_then(|state| state.due) {
            self.waits.remove(&(due, channel));
        }
        self.waits.insert((until, channel));
        before.is_some_and(|state| state.was_requested)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channel(number: u64) -> ChannelId {
        ChannelId::new(number).unwrap()
    }

    /// Subscriptions to these channels, with bursts of two.
    fn wanting(range: std::ops::Range<u64>) -> (Instant, Subscriptions) {
        let (start, mut subscriptions) = (Instant::now(), Subscriptions::new(timing()));
        assert!(subscriptions.set_wanted(&range.map(channel).collect(), start).is_empty());
        (start, subscriptions)
    }

    fn requested(subscriptions: &mut Subscriptions, now: Instant) -> Vec<u64> {
        subscriptions.due(now).iter().map(|request| request.channel.get()).collect()
    }

    fn timing() -> Timing {
        Timing { burst: 2, ..Timing::default() }
    }

    #[test]
    fn requests_are_paced() {
        let (start, mut subscriptions) = wanting(1..6);
        for (after, expected) in [(0, vec![1, 2]), (0, vec![]), (1, vec![3, 4]), (2, vec![5]), (3, vec![])] {
            assert_eq!(requested(&mut subscriptions, start + timing().burst_every * after), expected);
        }
    }

    #[test]
    fn unacknowledged_channel_is_requested_again() {
        let (start, mut subscriptions) = wanting(1..3);
        assert_eq!(requested(&mut subscriptions, start), [1, 2]);
        let is_new = [subscriptions.acknowledge(channel(1)), subscriptions.acknowledge(channel(1))];
        assert_eq!(is_new, [true, false], "the second acknowledgement is not new");
        let retry_at = start + timing().ack;
        assert_eq!((subscriptions.acknowledged_count(), subscriptions.deadline()), (1, Some(retry_at)));
        let again = SubscribeRequest { channel: channel(2), is_retry: true };
        assert_eq!(subscriptions.due(retry_at), [again]);
    }

    #[test]
    fn unwanted_channel_is_dropped() {
        let (start, mut subscriptions) = wanting(1..4);
        subscriptions.due(start);
        subscriptions.acknowledge(channel(1));
        // 3 was never requested, so there is nothing to unsubscribe from.
        assert_eq!(subscriptions.set_wanted(&BTreeSet::new(), start), [channel(1), channel(2)]);
        assert_eq!(subscriptions.acknowledged_count(), 0);
        assert!(requested(&mut subscriptions, start + Duration::from_secs(60)).is_empty());
    }

    #[test]
    fn lost_channel_is_requested_again_when_due() {
        let (start, mut subscriptions) = wanting(1..3);
        subscriptions.due(start);
        assert!(subscriptions.acknowledge(channel(1)) && subscriptions.acknowledge(channel(2)));
        subscriptions.retry(channel(1), start, Duration::ZERO);
        subscriptions.retry(channel(2), start, Duration::from_secs(300));
        assert_eq!(requested(&mut subscriptions, start + timing().burst_every), [1]);
        subscriptions.acknowledge(channel(1));
        assert!(requested(&mut subscriptions, start + Duration::from_secs(299)).is_empty());
        assert_eq!(requested(&mut subscriptions, start + Duration::from_secs(300)), [2]);
    }
}
