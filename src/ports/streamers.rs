//! The store of streamers and their history. `streamer_reports.rs` writes the status.

use async_trait::async_trait;

use super::{Change, Result};
use crate::domain::access::Scope;
use crate::domain::page::Page;
use crate::domain::streamer::feed::WatchStatus;
use crate::domain::streamer::{Status, StatusEvent, Streamer, StreamerPatch, UserId};
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
}

/// Streamers. Other programs may write the table too: rows come and go, and a name may be any text.
#[async_trait]
pub trait StreamerStore: Send + Sync {
    /// MUST store the streamer, a `streamer.created` event and the audit entry, or none of them if another one has the
    /// name in any case ([`Written::NameTaken`]).
    async fn create_streamer(&self, streamer: &Streamer, by: Change<'_>) -> Result<Written<()>>;

    /// MUST return the streamer as it is now, or `None`.
    async fn streamer(&self, scope: &Scope, id: StreamerId) -> Result<Option<Streamer>>;

    /// MUST return the page of those that pass the filter, by name in lower case.
    async fn streamers(
        &self,
        scope: &Scope,
        filter: &StreamerFilter,
        page: &Page<String>,
    ) -> Result<Vec<Streamer>>;

    /// MUST change what the patch names ([`Streamer::patched`]) and nothing else, with a `streamer.updated` event and
    /// the audit entry; nothing at all if the new name is taken.
    async fn update_streamer(
        &self,
        id: StreamerId,
        patch: &StreamerPatch,
        by: Change<'_>,
    ) -> Result<Written<Streamer>>;

    /// MUST remove the streamer and its history, with a `streamer.deleted` event and the audit entry. Returns whether
    /// it existed; if not, nothing is written.
    async fn delete_streamer(&self, id: StreamerId, by: Change<'_>) -> Result<bool>;

    /// MUST return up to `limit` changes of the streamer's status before event `before`, newest first; `None` if there
    /// is no such streamer.
    async fn status_events(
        &self,
        scope: &Scope,
        id: StreamerId,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Option<Vec<StatusEvent>>>;

    /// MUST remove changes recorded before `before`, but never a streamer's last one; returns how many.
    async fn prune_status_events(&self, before: Timestamp) -> Result<u64>;

    /// MUST store the watch status in place of the earlier one.
    async fn keep_watch_status(&self, status: &WatchStatus) -> Result<()>;

    /// MUST return the stored watch status.
    async fn watch_status(&self, scope: &Scope) -> Result<Option<WatchStatus>>;
}
