//! The store of broadcasters.

use async_trait::async_trait;

use super::{Change, Result};
use crate::domain::BroadcasterId;
use crate::domain::access::Scope;
use crate::domain::broadcaster::{Broadcaster, BroadcasterPatch};
use crate::domain::page::{Newest, Page};
use crate::domain::stream::Stream;

/// Broadcasters.
#[async_trait]
pub trait BroadcasterStore: Send + Sync {
    /// MUST store the broadcaster, a `broadcaster.created` event and the audit entry, or none of them.
    async fn create_broadcaster(&self, broadcaster: &Broadcaster, by: Change<'_>) -> Result<()>;

    /// MUST return the broadcaster as it was last stored, or `None`.
    async fn broadcaster(&self, scope: &Scope, id: BroadcasterId) -> Result<Option<Broadcaster>>;

    /// MUST return the page of all broadcasters, newest first, ties by id.
    async fn broadcasters(&self, scope: &Scope, page: &Page<Newest>) -> Result<Vec<Broadcaster>>;

    /// MUST change what the patch names and nothing else, with a `broadcaster.updated` event and the audit entry.
    /// MUST return `None` and write nothing if there is no such broadcaster.
    async fn update_broadcaster(
        &self,
        id: BroadcasterId,
        patch: &BroadcasterPatch,
        by: Change<'_>,
    ) -> Result<Option<Broadcaster>>;

    /// MUST remove the broadcaster and all its keys, mark its active streams as ending (`broadcaster_deleted`), and
    /// write a `broadcaster.deleted` event and the audit entry. MUST keep its streams as history.
    /// Returns the streams that must end now, or `None` (nothing written) if there is no such broadcaster.
    async fn delete_broadcaster(&self, id: BroadcasterId, by: Change<'_>) -> Result<Option<Vec<Stream>>>;
}
