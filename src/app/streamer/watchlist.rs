//! The active streamers, as last read from the store.

use std::collections::HashMap;

use crate::domain::StreamerId;
use crate::domain::streamer::{ChannelId, KickIds, Status, Streamer, UserId};
use crate::ports::{Subject, Wanted};

/// What the watcher needs to know about a streamer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) username: String,
    pub(super) ids: KickIds,
    pub(super) status: Status,
    pub(super) is_contradicted: bool,
    pub(super) has_problem: bool,
}

/// The active streamers.
#[derive(Debug, Default)]
pub(super) struct Watchlist {
    rows: HashMap<StreamerId, Row>,
    /// Other programs may insert two rows about the same channel.
    by_channel: HashMap<ChannelId, Vec<StreamerId>>,
    by_user: HashMap<UserId, Vec<StreamerId>>,
    /// Whether an offline announcement is pending.
    pub(super) offline_is_due: bool,
}

/// What changed between two reads of the store.
#[derive(Debug, Default)]
pub(super) struct Difference {
    /// Streamers whose user id is new, so that Kick's API can be polled for them.
    pub(super) new_users: Vec<StreamerId>,
    /// Whether rows were added or removed, or their ids changed.
    pub(super) is_changed: bool,
}

impl Watchlist {
    pub(super) fn replace(&mut self, streamers: Vec<Streamer>) -> Difference {
        let mut next = Self::default();
        let mut difference = Difference::default();
        for streamer in streamers {
            let (id, ids) = (streamer.id, streamer.ids);
            let before = self.rows.get(&id);
            if ids.user.is_some() && before.is_none_or(|row| row.ids.user != ids.user) {
                difference.new_users.push(id);
            }
            difference.is_changed |= before.is_none_or(|row| row.ids != ids);
            if let Some(channel) = ids.channel {
                next.by_channel.entry(channel).or_default().push(id);
            }
            if let Some(user) = ids.user {
                next.by_user.entry(user).or_default().push(id);
            }
            next.offline_is_due |= streamer.track.offline_due.is_some();
            let row = Row {
                username: streamer.username,
                ids,
                status: streamer.track.status,
                is_contradicted: streamer.track.contradicted_at.is_some(),
                has_problem: streamer.problem.is_some(),
            };
            next.rows.insert(id, row);
        }
        difference.is_changed |= next.rows.len() != self.rows.len();
        *self = next;
        difference
    }

    pub(super) fn of(&self, subject: Subject) -> &[StreamerId] {
        let found = match subject {
            Subject::Channel(channel) => self.by_channel.get(&channel),
            Subject::User(user) => self.by_user.get(&user),
        };
        found.map_or(&[], Vec::as_slice)
    }

    pub(super) fn row(&self, id: StreamerId) -> Option<&Row> {
        self.rows.get(&id)
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = (StreamerId, &Row)> {
        self.rows.iter().map(|(id, row)| (*id, row))
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Notes a change that the next read of the store will show.
    pub(super) fn set_status(&mut self, id: StreamerId, status: Status) {
        if let Some(row) = self.rows.get_mut(&id) {
            (row.status, row.is_contradicted) = (status, false);
        }
        self.offline_is_due |= status == Status::Offline;
    }

    pub(super) fn set_contradicted(&mut self, id: StreamerId) {
        if let Some(row) = self.rows.get_mut(&id) {
            row.is_contradicted = true;
        }
    }

    pub(super) fn wanted(&self) -> Wanted {
        Wanted {
            channels: self.by_channel.keys().copied().collect(),
            users: self.by_user.keys().copied().collect(),
        }
    }
}
