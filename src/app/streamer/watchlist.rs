//! Whom the watcher watches, as it was at the last look into the store, and how a report finds them.

use std::collections::HashMap;

use crate::domain::StreamerId;
use crate::domain::streamer::{ChannelId, KickIds, Status, Streamer, UserId};
use crate::ports::{Subject, Wanted};

/// What the watcher must know of a streamer. Everything else stays in the store.
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
    /// Two rows may be about the same channel: nobody keeps another program from that.
    by_channel: HashMap<ChannelId, Vec<StreamerId>>,
    by_user: HashMap<UserId, Vec<StreamerId>>,
    offline_is_due: bool,
}

/// What a look into the store brought.
#[derive(Debug, Default)]
pub(super) struct Difference {
    /// Who can be asked about now, and could not before.
    pub(super) askable: Vec<StreamerId>,
    /// Whether others are to be watched than before.
    pub(super) is_other: bool,
}

impl Watchlist {
    /// Takes what the store holds now.
    pub(super) fn replace(&mut self, streamers: Vec<Streamer>) -> Difference {
        let mut next = Self::default();
        let mut difference = Difference::default();
        for streamer in streamers {
            let (id, ids) = (streamer.id, streamer.ids);
            let before = self.rows.get(&id);
            if ids.user.is_some() && before.is_none_or(|row| row.ids.user != ids.user) {
                difference.askable.push(id);
            }
            difference.is_other |= before.is_none_or(|row| row.ids != ids);
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
        difference.is_other |= next.rows.len() != self.rows.len();
        *self = next;
        difference
    }

    /// Whose channel or user it is; nobody if they are not watched any more.
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

    /// Whether somebody's going offline is still to be announced.
    pub(super) fn offline_is_due(&self) -> bool {
        self.offline_is_due
    }

    /// What the next look into the store will show: somebody's status changed.
    pub(super) fn note(&mut self, id: StreamerId, status: Status) {
        if let Some(row) = self.rows.get_mut(&id) {
            row.status = status;
            row.is_contradicted = false;
        }
        self.offline_is_due |= status == Status::Offline;
    }

    /// An answer contradicted somebody's status.
    pub(super) fn mark_contradicted(&mut self, id: StreamerId) {
        if let Some(row) = self.rows.get_mut(&id) {
            row.is_contradicted = true;
        }
    }

    /// For the feed.
    pub(super) fn wanted(&self) -> Wanted {
        Wanted {
            channels: self.by_channel.keys().copied().collect(),
            users: self.by_user.keys().copied().collect(),
        }
    }
}
