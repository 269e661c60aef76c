//! The store of streams, as history for people. `reconcile.rs` writes them.

use async_trait::async_trait;

use super::{Change, Result};
use crate::domain::access::Scope;
use crate::domain::media_server::MediaServerName;
use crate::domain::path::StreamPath;
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

/// Streams.
#[async_trait]
pub trait StreamStore: Send + Sync {
    /// MUST return all streams that pass the filter, newest first, ties by id (descending): a stable order.
    async fn streams(&self, scope: &Scope, filter: &StreamFilter) -> Result<Vec<Stream>>;

    /// MUST return the stream, live or ended, or `None`.
    async fn stream(&self, scope: &Scope, id: StreamId) -> Result<Option<Stream>>;

    /// MUST mark an active stream as ending, keeping an earlier reason, with the audit entry; MUST leave an ended one
    /// as it is (the audit entry is written all the same). Returns the stream as it is now, or `None`.
    async fn request_end(&self, id: StreamId, reason: EndReason, by: Change<'_>) -> Result<Option<Stream>>;
}
