//! The store of streams, as history for people. `reconcile.rs` writes them.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::{Change, Result};
use crate::domain::access::Scope;
use crate::domain::media_server::MediaServerName;
use crate::domain::page::{Newest, Page};
use crate::domain::path::StreamPath;
use crate::domain::stream::{EndReason, Stream};
use crate::domain::{BroadcasterId, StreamId};

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
}

/// Streams.
#[async_trait]
pub trait StreamStore: Send + Sync {
    /// MUST return the page of the streams that pass the filter, newest first, ties by id (descending): a stable order.
    async fn streams(&self, scope: &Scope, filter: &StreamFilter, page: &Page<Newest>)
    -> Result<Vec<Stream>>;

    /// MUST return how many streams are live on each media server that has any.
    async fn live_streams(&self, scope: &Scope) -> Result<BTreeMap<MediaServerName, u64>>;

    /// MUST return the stream, live or ended, or `None`.
    async fn stream(&self, scope: &Scope, id: StreamId) -> Result<Option<Stream>>;

    /// MUST mark an active stream as ending, keeping an earlier reason, with the audit entry; MUST leave an ended one
    /// as it is (the audit entry is written all the same). Returns the stream as it is now, or `None`.
    async fn request_end(&self, id: StreamId, reason: EndReason, by: Change<'_>) -> Result<Option<Stream>>;
}
