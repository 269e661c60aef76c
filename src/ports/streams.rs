//! The store of streams: history for people, and the methods of the reconcile loop.

use async_trait::async_trait;

use super::{Assignment, StoreError};
use crate::domain::access::Scope;
use crate::domain::audit::AuditEntry;
use crate::domain::media_server::MediaServerName;
use crate::domain::path::StreamPath;
use crate::domain::reconcile::{Changes, HookEvent, Observation, View};
use crate::domain::stream::{EndReason, Stream};
use crate::domain::{BroadcasterId, StreamId, Timestamp};

/// Which streams by their state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StatusFilter {
    /// Live ones.
    #[default]
    Active,
    /// Ended ones.
    Ended,
    /// All.
    All,
}

/// A place in a list of streams, newest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamCursor {
    /// When the last stream of the page before started.
    pub started_at: Timestamp,
    /// Its id.
    pub id: StreamId,
}

/// A filter of streams; `None` does not restrict.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamFilter {
    /// By state.
    pub status: StatusFilter,
    /// Of this broadcaster.
    pub broadcaster_id: Option<BroadcasterId>,
    /// On this path.
    pub path: Option<StreamPath>,
    /// On this media server.
    pub media_server: Option<MediaServerName>,
    /// At most this many.
    pub limit: Option<u32>,
    /// Only what comes after this place.
    pub after: Option<StreamCursor>,
}

/// What [`StreamStore::apply_changes`] did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Applied {
    /// Streams that were recorded as started.
    pub started: Vec<Stream>,
    /// Streams that were recorded as ended.
    pub ended: Vec<Stream>,
    /// How many had their statistics written.
    pub refreshed: usize,
    /// Starts that were not recorded, because another connection has the key or its last stream has not ended yet. The
    /// next poll decides again.
    pub postponed: usize,
}

/// Streams.
#[async_trait]
pub trait StreamStore: Send + Sync {
    /// MUST return all streams that pass the filter, newest first, ties by id (descending): a stable order.
    async fn streams(&self, scope: &Scope, filter: &StreamFilter) -> Result<Vec<Stream>, StoreError>;

    /// MUST return the stream, live or ended, or `None`.
    async fn stream(&self, scope: &Scope, id: StreamId) -> Result<Option<Stream>, StoreError>;

    /// MUST mark an active stream as ending, keeping an earlier reason, with the audit entry; MUST leave an ended one
    /// as it is (the audit entry is written all the same). Returns the stream as it is now, or `None`.
    async fn request_end(
        &self,
        scope: &Scope,
        id: StreamId,
        reason: EndReason,
        audit: &AuditEntry,
    ) -> Result<Option<Stream>, StoreError>;

    /// MUST return all active streams of the server, and every key that is held on it, belongs to one of these streams, or
    /// matches an observation or hook event by its hash, or by its path if it is not revoked.
    async fn reconcile_view(
        &self,
        server: &MediaServerName,
        observations: &[Observation],
        hook_events: &[HookEvent],
    ) -> Result<View, StoreError>;

    /// Records the changes of a poll or of accepted hook events, under the assignment. If that is not valid any more, MUST
    /// write nothing and return [`StoreError::Fenced`].
    ///
    /// - ended: MUST end active streams only, free the key if it is held live by that session, and write
    ///   `stream.ended`.
    /// - started: MUST make the session the key's live holder and write `stream.started`, but only if the key is
    ///   usable, not occupied by another connection, and not evicted. MUST never leave two active streams for one key. An
    ///   active stream of the key on an unreachable media server ends as `takeover` first, because its encoder has moved. A
    ///   session whose stream is recorded already MUST only regain the key. The id of a new stream comes from `new_id`.
    /// - refreshed: MUST store the statistics, and write `stream.updated` if it is to be announced.
    async fn apply_changes(
        &self,
        assignment: &Assignment,
        server: &MediaServerName,
        changes: &Changes,
        now: Timestamp,
        new_id: &(dyn Fn() -> StreamId + Send + Sync),
    ) -> Result<Applied, StoreError>;

    /// Lets other connections claim the keys that are held live on a media server which is unreachable for too long. The
    /// streams stay active. MUST turn live holders on the server into claims that lapsed at `now`, under the assignment.
    async fn release_holders(
        &self,
        assignment: &Assignment,
        server: &MediaServerName,
        now: Timestamp,
    ) -> Result<u64, StoreError>;
}
