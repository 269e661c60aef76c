//! The store of streamers and their status.

use std::time::Duration;

use async_trait::async_trait;

use super::StoreError;
use crate::domain::access::Scope;
use crate::domain::audit::AuditEntry;
use crate::domain::streamer::decide::{Announcement, Decision, Outcome, Report};
use crate::domain::streamer::feed::WatchStatus;
use crate::domain::streamer::{Change, Learned, Status, StatusEvent, Streamer, StreamerPatch, UserId};
use crate::domain::{StreamerId, Timestamp};

/// The result of creating or renaming a streamer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written<T> {
    /// It is stored.
    Done(T),
    /// There is no such streamer; nothing was written.
    NotFound,
    /// Another one has the name; nothing was written.
    NameTaken,
}

/// A filter of streamers; `None` does not restrict.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamerFilter {
    /// By status.
    pub status: Option<Status>,
    /// Watched or not.
    pub is_active: Option<bool>,
    /// With this name, in any case.
    pub username: Option<String>,
    /// With this user id.
    pub user: Option<UserId>,
    /// At most this many.
    pub limit: Option<u32>,
    /// Only what comes after this name (in lower case) in the list.
    pub after: Option<String>,
}

/// The result of one report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// The streamer.
    pub streamer: StreamerId,
    /// The outcome; `None` if the streamer is deleted or not watched any more.
    pub outcome: Option<Outcome>,
    /// The status change, if any.
    pub change: Option<Change>,
    /// The event that was written.
    pub announcement: Option<Announcement>,
    /// Whether Kick's API should be requested soon to verify it.
    pub verify: bool,
}

impl Recorded {
    /// The result of a report on `streamer`, by its decision.
    pub fn new(streamer: StreamerId, decision: Option<Decision>) -> Self {
        let verify = decision.as_ref().is_some_and(|decision| decision.verify);
        let outcome = decision.as_ref().map(|decision| decision.outcome);
        let announcement = decision.as_ref().and_then(|decision| decision.announcement);
        Self {
            streamer,
            outcome,
            change: decision.and_then(|decision| decision.change),
            announcement,
            verify,
        }
    }
}

/// Streamers. Other programs may write the table too: rows come and go, and a name may be any text.
#[async_trait]
pub trait StreamerStore: Send + Sync {
    /// MUST store the streamer, a `streamer.created` event and the audit entry, or none of them if another one has the
    /// name in any case ([`Written::NameTaken`]).
    async fn create_streamer(
        &self,
        scope: &Scope,
        streamer: &Streamer,
        audit: &AuditEntry,
    ) -> Result<Written<()>, StoreError>;

    /// MUST return the streamer as it is now, or `None`.
    async fn streamer(&self, scope: &Scope, id: StreamerId) -> Result<Option<Streamer>, StoreError>;

    /// MUST return all that pass the filter, by name in lower case, ties by id.
    async fn streamers(&self, scope: &Scope, filter: &StreamerFilter) -> Result<Vec<Streamer>, StoreError>;

    /// MUST change what the patch names ([`Streamer::patched`]) and nothing else, with a `streamer.updated` event and
    /// the audit entry; nothing at all if the new name is taken.
    async fn update_streamer(
        &self,
        scope: &Scope,
        id: StreamerId,
        patch: &StreamerPatch,
        now: Timestamp,
        audit: &AuditEntry,
    ) -> Result<Written<Streamer>, StoreError>;

    /// MUST remove the streamer and its history, with a `streamer.deleted` event and the audit entry. Returns whether
    /// it existed; if not, nothing is written.
    async fn delete_streamer(
        &self,
        scope: &Scope,
        id: StreamerId,
        now: Timestamp,
        audit: &AuditEntry,
    ) -> Result<bool, StoreError>;

    /// MUST return up to `limit` changes of the streamer's status before event `before`, newest first; `None` if there
    /// is no such streamer.
    async fn status_events(
        &self,
        scope: &Scope,
        id: StreamerId,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Option<Vec<StatusEvent>>, StoreError>;

    /// Records reports, in their order, by [`decide`](crate::domain::streamer::decide::decide) on what is stored.
    ///
    /// - MUST write status, history and event of a change in one transaction, and decide each report on the result
    ///   of the one before it.
    /// - MUST write nothing for a report that changes nothing.
    /// - MUST skip streamers that are deleted or not active.
    /// - MUST return one [`Recorded`] for each report, in order.
    async fn record_reports(
        &self,
        reports: &[Report],
        flap_window: Duration,
        now: Timestamp,
    ) -> Result<Vec<Recorded>, StoreError>;

    /// MUST store numbers, names and problems that were found, and write `streamer.updated` for each row that this
    /// changes. A name that another row has MUST become a problem on this one.
    async fn learn(&self, learned: &[Learned], now: Timestamp) -> Result<(), StoreError>;

    /// MUST write `streamer.offline` for each streamer whose [`offline_due`](crate::domain::streamer::Track) has come,
    /// once, and return how many.
    async fn announce_offline(&self, now: Timestamp) -> Result<u64, StoreError>;

    /// MUST remove changes recorded before `before`, but never a streamer's last one; returns how many.
    async fn prune_status_events(&self, before: Timestamp) -> Result<u64, StoreError>;

    /// MUST store the watch status in place of the earlier one.
    async fn keep_watch_status(&self, status: &WatchStatus) -> Result<(), StoreError>;

    /// MUST return the stored watch status.
    async fn watch_status(&self, scope: &Scope) -> Result<Option<WatchStatus>, StoreError>;
}
