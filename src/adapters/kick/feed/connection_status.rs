//! The status of each connection, and from it the status of the feed.

use std::collections::BTreeMap;

use tokio::sync::watch;
use tokio::time::Instant;

use super::plan::Slot;
use crate::domain::streamer::Source;
use crate::domain::streamer::feed::{FeedState, FeedStatus};

/// The status of all connections, shared by their tasks.
#[derive(Debug)]
pub(super) struct ConnectionStatuses(watch::Sender<State>);

#[derive(Debug)]
pub(super) struct State {
    provider: Option<Source>,
    is_rejected: bool,
    /// An error of the feed as a whole.
    error: Option<String>,
    connections: BTreeMap<Slot, Connection>,
    disconnected_since: Instant,
}

#[derive(Debug, Default, PartialEq)]
struct Connection {
    is_up: bool,
    subscribed: usize,
    error: Option<String>,
}

impl State {
    fn new(provider: Option<Source>) -> Self {
        let (connections, disconnected_since) = (BTreeMap::new(), Instant::now());
        Self { provider, is_rejected: false, error: None, connections, disconnected_since }
    }

    fn is_connected(&self) -> bool {
        self.connections.values().any(|connection| connection.is_up)
    }
}

impl ConnectionStatuses {
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(State::new(None)))
    }

    pub(super) fn changes(&self) -> watch::Receiver<State> {
        self.0.subscribe()
    }

    pub(super) fn begin(&self, provider: Source) {
        self.0.send_replace(State::new(Some(provider)));
    }

    pub(super) fn fail(&self, is_rejected: bool, error: String) {
        self.0.send_modify(|state| {
            (state.is_rejected, state.error) = (is_rejected, Some(error));
            state.connections.clear();
        });
    }

    /// A connection will be opened.
    pub(super) fn add(&self, slot: Slot) {
        self.0.send_modify(|state| {
            // Before that no connection was wanted.
            if state.connections.is_empty() {
                state.disconnected_since = Instant::now();
            }
            state.connections.entry(slot).or_default();
        });
    }

    /// A connection is not wanted any more.
    pub(super) fn remove(&self, slot: Slot) {
        self.0.send_modify(|state| drop(state.connections.remove(&slot)));
    }

    /// A connection is up. This is called for every message.
    pub(super) fn up(&self, slot: Slot, subscribed: usize) {
        let up = Connection { is_up: true, subscribed, error: None };
        self.0.send_if_modified(|state| match state.connections.get_mut(&slot) {
            Some(connection) if *connection != up => {
                *connection = up;
                true
            }
            _ => false,
        });
    }

    pub(super) fn down(&self, slot: Slot, error: &str) {
        self.0.send_modify(|state| {
            let was_connected = state.is_connected();
            if let Some(connection) = state.connections.get_mut(&slot) {
                *connection = Connection { error: Some(error.to_owned()), ..Connection::default() };
            }
            if was_connected && !state.is_connected() {
                state.disconnected_since = Instant::now();
            }
        });
    }

    pub(super) fn is_another_up(&self, slot: Slot) -> bool {
        self.0.borrow().connections.iter().any(|(other, connection)| *other != slot && connection.is_up)
    }

    /// Since when there has been no connection although there should be one.
    pub(super) fn disconnected_since(&self) -> Option<Instant> {
        let state = self.0.borrow();
        (!state.connections.is_empty() && !state.is_connected()).then_some(state.disconnected_since)
    }

    /// The status of the feed if this many channels are wanted.
    pub(super) fn feed_status(&self, wanted: usize) -> FeedStatus {
        let State { provider, is_rejected, error, connections, .. } = &*self.0.borrow();
        let (all, up) = (connections.len(), connections.values().filter(|one| one.is_up).count());
        let state = if *is_rejected {
            FeedState::Rejected
        } else if wanted == 0 || (up > 0 && up == all) {
            FeedState::Connected
        } else if up == 0 {
            FeedState::Connecting
        } else {
            FeedState::Degraded
        };
        let count = |number| u32::try_from(number).unwrap_or(u32::MAX);
        FeedStatus {
            provider: *provider,
            state,
            connections: count(all),
            connected: count(up),
            wanted: count(wanted),
            subscribed: count(connections.values().map(|one| one.subscribed).sum()),
            error: error.clone().or_else(|| connections.values().find_map(|one| one.error.clone())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn feed_status_follows_from_the_connections() {
        let statuses = ConnectionStatuses::new();
        let status = |wanted| statuses.feed_status(wanted);
        assert_eq!(status(0).state, FeedState::Connected, "nothing is wanted, so nothing is missing");
        assert_eq!(status(3).state, FeedState::Connecting);
        statuses.begin(Source::Pusher);
        statuses.add(1);
        statuses.add(2);
        statuses.down(1, "no route");
        let expected = FeedStatus {
            provider: Some(Source::Pusher),
            state: FeedState::Connecting,
            connections: 2,
            wanted: 3,
            error: Some("no route".into()),
            ..FeedStatus::default()
        };
        assert_eq!(status(3), expected);
        assert!(statuses.disconnected_since().is_some());
        statuses.up(1, 2);
        assert_eq!((status(3).state, status(3).error), (FeedState::Degraded, None));
        assert!(statuses.is_another_up(2) && !statuses.is_another_up(1));
        statuses.up(2, 1);
        assert_eq!((status(3).state, status(3).subscribed), (FeedState::Connected, 3));
        statuses.fail(true, "4001".into());
        assert_eq!((status(3).state, status(3).connections), (FeedState::Rejected, 0));
        statuses.up(1, 2);
        assert_eq!(status(3).connections, 0, "a late message of a closed connection does not count");
        assert_eq!(statuses.disconnected_since(), None);
    }
}
