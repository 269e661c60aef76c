//! Streams, in memory.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::{MemoryStore, newest_first};
use crate::domain::StreamId;
use crate::domain::access::Scope;
use crate::domain::media_server::MediaServerName;
use crate::domain::page::{Newest, Page};
use crate::domain::stream::{EndReason, Stream};
use crate::ports::{Change, Result, StatusFilter, StreamFilter, StreamStore};

fn passes(filter: &StreamFilter, stream: &Stream) -> bool {
    let state = match filter.status {
        StatusFilter::Active => stream.is_active(),
        StatusFilter::Ended => !stream.is_active(),
        StatusFilter::All => true,
    };
    state
        && filter.broadcaster_id.is_none_or(|id| stream.broadcaster_id == id)
        && filter.path.as_ref().is_none_or(|path| stream.path == *path)
        && filter.media_server.as_ref().is_none_or(|server| stream.media_server == *server)
}

#[async_trait]
impl StreamStore for MemoryStore {
    async fn streams(
        &self,
        scope: &Scope,
        filter: &StreamFilter,
        page: &Page<Newest>,
    ) -> Result<Vec<Stream>> {
        let state = self.state();
        let all = state.streams.values().map(|active| &active.stream);
        let wanted = |stream: &&Stream| scope.includes(stream.organization_id) && passes(filter, stream);
        Ok(newest_first(all.filter(wanted), page))
    }

    async fn live_streams(&self, scope: &Scope) -> Result<BTreeMap<MediaServerName, u64>> {
        let mut live = BTreeMap::new();
        let is_wanted = |stream: &Stream| stream.is_active() && scope.includes(stream.organization_id);
        for active in self.state().streams.values().filter(|active| is_wanted(&active.stream)) {
            *live.entry(active.stream.media_server.clone()).or_default() += 1;
        }
        Ok(live)
    }

    async fn stream(&self, scope: &Scope, id: StreamId) -> Result<Option<Stream>> {
        let state = self.state();
        let found = state.streams.get(&id).map(|active| &active.stream);
        Ok(found.filter(|stream| scope.includes(stream.organization_id)).cloned())
    }

    async fn request_end(&self, id: StreamId, reason: EndReason, by: Change<'_>) -> Result<Option<Stream>> {
        let mut state = self.state();
        let found = state.streams.get_mut(&id);
        let Some(active) = found.filter(|one| by.scope.includes(one.stream.organization_id)) else {
            return Ok(None);
        };
        if let Ok(ending) = active.stream.clone().end_requested(reason) {
            active.stream = ending;
        }
        let stream = active.stream.clone();
        state.audit.push(by.audit.clone().owned_by(stream.organization_id));
        Ok(Some(stream))
    }
}
