//! How all connections are, in one place; and from it how the feed is.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;

use super::plan::Slot;
use crate::domain::streamer::Source;
use crate::domain::streamer::feed::{FeedState, FeedStatus};

/// Where everybody writes down how they are.
#[derive(Debug)]
pub(super) struct ConnectionStatuses {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug)]
struct State {
    provider: Option<Source>,
    rejected: bool,
    /// What is wrong with the feed as a whole.
    error: Option<String>,
    connections: BTreeMap<Slot, Connection>,
    /// Since when there has been no connection.
    disconnected_since: Instant,
}

#[derive(Debug, Default, PartialEq)]
struct Connection {
    is_up: bool,
    subscribed: usize,
    error: Option<String>,
}

impl ConnectionStatuses {
    pub(super) fn new() -> Self {
        let state = State {
            provider: None,
            rejected: false,
            error: None,
            connections: BTreeMap::new(),
            disconnected_since: Instant::now(),
        };
        Self { state: Mutex::new(state), changed: Notify::new() }
    }

    /// Begins anew with a provider.
    pub(super) fn begin(&self, provider: Source) {
        self.change(|state| {
            state.provider = Some(provider);
            state.rejected = false;
            state.error = None;
            state.connections.clear();
            state.disconnected_since = Instant::now();
        });
    }

    /// There is no feed at the moment.
    pub(super) fn trouble(&self, rejected: bool, error: String) {
        self.change(|state| {
            state.rejected = rejected;
            state.error = Some(error);
            state.connections.clear();
        });
    }

    /// There should be a connection.
    pub(super) fn expect(&self, slot: Slot) {
        self.change(|state| {
            // Nothing was dark while nothing was wanted.
            if state.connections.is_empty() {
                state.disconnected_since = Instant::now();
            }
            state.connections.entry(slot).or_default();
        });
    }

    /// There should be no such connection any more.
    pub(super) fn forget(&self, slot: Slot) {
        self.change(|state| {
            state.connections.remove(&slot);
        });
    }

    /// A connection is up.
    pub(super) fn up(&self, slot: Slot, subscribed: usize) {
        let mut state = self.state();
        let up = Connection { is_up: true, subscribed, error: None };
        // This is called for every frame.
        if let Some(connection) = state.connections.get_mut(&slot).filter(|connection| **connection != up) {
            *connection = up;
            self.changed.notify_one();
        }
    }

    /// A connection is down.
    pub(super) fn down(&self, slot: Slot, error: &str) {
        self.change(|state| {
            let was_up = state.connections.values().any(|connection| connection.is_up);
            if let Some(connection) = state.connections.get_mut(&slot) {
                *connection = Connection { error: Some(error.to_owned()), ..Connection::default() };
            }
            if was_up && !state.connections.values().any(|connection| connection.is_up) {
                state.disconnected_since = Instant::now();
            }
        });
    }

    /// Whether any connection but this one is up.
    pub(super) fn is_another_up(&self, slot: Slot) -> bool {
        self.state().connections.iter().any(|(other, connection)| *other != slot && connection.is_up)
    }

    /// Since when there has been no connection though there should be one.
    pub(super) fn disconnected_since(&self) -> Option<Instant> {
        let state = self.state();
        let is_disconnected = !state.connections.is_empty() && !state.connections.values().any(|c| c.is_up);
        is_disconnected.then_some(state.disconnected_since)
    }

    /// Waits for a change since this was last called.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// How the feed is, if this many channels are wanted.
    pub(super) fn status(&self, wanted: usize) -> FeedStatus {
        let state = self.state();
        let connections = state.connections.len();
        let connected = state.connections.values().filter(|connection| connection.is_up).count();
        let subscribed = state.connections.values().map(|connection| connection.subscribed).sum();
        let feed = if state.rejected {
            FeedState::Rejected
        } else if wanted == 0 {
            FeedState::Connected
        } else if connected == 0 {
            FeedState::Connecting
        } else if connected < connections {
            FeedState::Degraded
        } else {
            FeedState::Connected
        };
        let error = || state.connections.values().find_map(|connection| connection.error.clone());
        FeedStatus {
            provider: state.provider,
            state: feed,
            connections: count(connections),
            connected: count(connected),
            wanted: count(wanted),
            subscribed: count(subscribed),
            error: state.error.clone().or_else(error),
        }
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        self.changed.notify_one();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_feed_is_as_its_connections_are() {
        let statuses = ConnectionStatuses::new();
        assert_eq!(
            statuses.status(0).state,
            FeedState::Connected,
            "nothing is wanted, so nothing is missing"
        );
        assert_eq!(statuses.status(3).state, FeedState::Connecting);
        statuses.begin(Source::Pusher);
        statuses.expect(1);
        statuses.expect(2);
        statuses.down(1, "no route");
        assert_eq!(
            statuses.status(3),
            FeedStatus {
                provider: Some(Source::Pusher),
                state: FeedState::Connecting,
                connections: 2,
                connected: 0,
                wanted: 3,
                subscribed: 0,
                error: Some("no route".into()),
            }
        );
        assert!(statuses.disconnected_since().is_some());
        statuses.up(1, 2);
        assert_eq!((statuses.status(3).state, statuses.status(3).error), (FeedState::Degraded, None));
        assert!(statuses.is_another_up(2) && !statuses.is_another_up(1));
        statuses.up(2, 1);
        assert_eq!((statuses.status(3).state, statuses.status(3).subscribed), (FeedState::Connected, 3));
        statuses.trouble(true, "4001".into());
        let status = statuses.status(3);
        assert_eq!((status.state, status.connections), (FeedState::Rejected, 0));
        statuses.up(1, 2);
        assert_eq!(
            statuses.status(3).connections,
            0,
            "a late word of a connection that is closed does not count"
        );
        assert_eq!(statuses.disconnected_since(), None);
    }
}
