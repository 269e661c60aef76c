//! The store of the reconcile loop.

use async_trait::async_trait;

use super::{Assignment, Result};
use crate::domain::media_server::MediaServerName;
use crate::domain::path::{IngestPath, StreamPath};
use crate::domain::reconcile::{Changes, HookEvent, Observation, View, Writes};
use crate::domain::secret::SecretHash;
use crate::domain::stream::Stream;
use crate::domain::{StreamId, Timestamp};

/// What [`ReconcileStore::apply_changes`] did.
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

impl Applied {
    /// Adds what one transaction wrote.
    pub fn add(&mut self, writes: Writes) {
        self.started.extend(writes.started);
        self.ended.extend(writes.ended);
        self.refreshed += writes.refreshed.len();
        self.postponed += writes.postponed;
    }
}

/// The public paths that observations and hook events name.
pub fn named_paths<'a>(
    observations: &'a [Observation],
    hook_events: &'a [HookEvent],
) -> impl Iterator<Item = &'a StreamPath> {
    let observed = observations.iter().filter_map(|observation| match &observation.seen.path {
        IngestPath::Public(path) => Some(path),
        IngestPath::Private(_) | IngestPath::Other(_) => None,
    });
    observed.chain(hook_events.iter().filter_map(|hook_event| hook_event.path.as_ref()))
}

/// The hashes of keys that observations and hook events name.
pub fn named_hashes(
    observations: &[Observation],
    hook_events: &[HookEvent],
) -> impl Iterator<Item = SecretHash> {
    let observed = observations.iter().filter_map(|observation| observation.hash);
    observed.chain(hook_events.iter().filter_map(|hook_event| hook_event.hash))
}

/// Streams and keys, as the reconcile loop reads and writes them.
#[async_trait]
pub trait ReconcileStore: Send + Sync {
    /// MUST return all active streams of the server, and every key that is held on it, belongs to one of these streams, or
    /// matches an observation or hook event by its hash, or by its path if it is not revoked.
    async fn reconcile_view(
        &self,
        server: &MediaServerName,
        observations: &[Observation],
        hook_events: &[HookEvent],
    ) -> Result<View>;

    /// Records the changes of a poll or of accepted hook events, under the assignment. If that is not valid any more, MUST
    /// write nothing and return [`StoreError::Fenced`](super::StoreError::Fenced).
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
    ) -> Result<Applied>;

    /// Lets other connections claim the keys that are held live on a media server which is unreachable for too long. The
    /// streams stay active. MUST turn live holders on the server into claims that lapsed at `now`, under the assignment.
    async fn release_holders(
        &self,
        assignment: &Assignment,
        server: &MediaServerName,
        now: Timestamp,
    ) -> Result<u64>;
}
