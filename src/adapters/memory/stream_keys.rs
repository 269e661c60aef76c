//! Stream keys, in memory.

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;

use super::{MemoryStore, newest_first};
use crate::domain::access::Scope;
use crate::domain::event::{EventBody, StreamKeyEventKind};
use crate::domain::page::{Newest, Page};
use crate::domain::path::StreamPath;
use crate::domain::playback::PlaybackAccess;
use crate::domain::publish::{PublishRequest, decide_publish};
use crate::domain::secret::SecretHash;
use crate::domain::stream::EndReason;
use crate::domain::stream_key::{CachedKey, KeyStatus, StreamKey};
use crate::domain::{StreamKeyId, Timestamp};
use crate::ports::{
    CachedKeyStore, Change, KeyCreation, KeyFilter, KeyUpdate, Result, Revocation, Rotation, StreamKeyStore,
};

#[async_trait]
impl StreamKeyStore for MemoryStore {
    async fn create_stream_key(
        &self,
        key: &StreamKey,
        hash: &SecretHash,
        by: Change<'_>,
    ) -> Result<KeyCreation> {
        let mut state = self.state();
        let owner = state.broadcasters.get(&key.broadcaster_id);
        if owner.is_none_or(|owner| owner.organization_id != key.organization_id) {
            return Ok(KeyCreation::UnknownBroadcaster);
        }
        let mut others = state.keys.values().map(|(_, other)| other);
        if others.any(|other| other.path == key.path && other.is_usable(key.created_at)) {
            return Ok(KeyCreation::PathTaken);
        }
        state.keys.insert(key.id, (*hash, key.clone()));
        let event = EventBody::stream_key(StreamKeyEventKind::Created, key);
        state.record(key.created_at, by.audit, key.organization_id, &event);
        Ok(KeyCreation::Created)
    }

    async fn stream_key(&self, scope: &Scope, id: StreamKeyId) -> Result<Option<StreamKey>> {
        let state = self.state();
        let found = state.keys.get(&id).filter(|(_, key)| scope.includes(key.organization_id));
        Ok(found.map(|(_, key)| key.clone()))
    }

    async fn stream_keys(
        &self,
        scope: &Scope,
        filter: &KeyFilter,
        page: &Page<Newest>,
    ) -> Result<Vec<StreamKey>> {
        let state = self.state();
        let passes = |key: &&StreamKey| {
            scope.includes(key.organization_id)
                && filter.broadcaster_id.is_none_or(|id| key.broadcaster_id == id)
                && filter.path.as_ref().is_none_or(|path| key.path == *path)
        };
        Ok(newest_first(state.keys.values().map(|(_, key)| key).filter(passes), page))
    }

    async fn rotate_stream_key(
        &self,
        id: StreamKeyId,
        hash: &SecretHash,
        key_prefix: &str,
        by: Change<'_>,
    ) -> Result<Rotation> {
        let mut state = self.state();
        let found = state.keys.get_mut(&id);
        let Some((known, key)) = found.filter(|(_, key)| by.scope.includes(key.organization_id)) else {
            return Ok(Rotation::NotFound);
        };
        let status = key.status(by.at());
        if status != KeyStatus::Active {
            return Ok(Rotation::NotUsable(status));
        }
        *known = *hash;
        key_prefix.clone_into(&mut key.key_prefix);
        key.holder = key.holder.clone().evicted();
        let key = Box::new(key.clone());
        let ending = state.mark(EndReason::KeyRotated, |stream| stream.stream_key_id == id);
        let event = EventBody::stream_key(StreamKeyEventKind::Rotated, &key);
        state.record(by.at(), by.audit, key.organization_id, &event);
        Ok(Rotation::Rotated { key, ending })
    }

    async fn set_playback_access(
        &self,
        id: StreamKeyId,
        access: Option<PlaybackAccess>,
        by: Change<'_>,
    ) -> Result<KeyUpdate> {
        let mut state = self.state();
        let found = state.keys.get_mut(&id);
        let Some((_, key)) = found.filter(|(_, key)| by.scope.includes(key.organization_id)) else {
            return Ok(KeyUpdate::NotFound);
        };
        let status = key.status(by.at());
        if status != KeyStatus::Active {
            return Ok(KeyUpdate::NotUsable(status));
        }
        key.playback_access = access;
        let key = Box::new(key.clone());
        let event = EventBody::stream_key(StreamKeyEventKind::Updated, &key);
        state.record(by.at(), by.audit, key.organization_id, &event);
        Ok(KeyUpdate::Updated(key))
    }

    async fn revoke_stream_key(&self, id: StreamKeyId, by: Change<'_>) -> Result<Option<Revocation>> {
        let mut state = self.state();
        let found = state.keys.get_mut(&id);
        let Some((_, key)) = found.filter(|(_, key)| by.scope.includes(key.organization_id)) else {
            return Ok(None);
        };
        let newly = key.revoked_at.is_none();
        key.revoked_at.get_or_insert(by.at());
        let key = key.clone();
        let ending = state.mark(EndReason::KeyRevoked, |stream| stream.stream_key_id == id);
        if newly {
            let event = EventBody::stream_key(StreamKeyEventKind::Revoked, &key);
            state.record(by.at(), by.audit, key.organization_id, &event);
        }
        Ok(Some(Revocation { key, ending, newly }))
    }

    async fn paths_near(&self, path: &str, limit: u32) -> Result<Vec<StreamPath>> {
        let state = self.state();
        let held = state.keys.values().map(|(_, key)| key).filter(|key| key.revoked_at.is_none());
        let paths: BTreeSet<&StreamPath> = held.map(|key| &key.path).collect();
        let (before, from): (Vec<_>, Vec<_>) = paths.into_iter().partition(|known| known.as_str() < path);
        let (from, before) =
            (from.into_iter().take(limit as usize), before.into_iter().rev().take(limit as usize));
        Ok(from.chain(before).cloned().collect())
    }

    async fn claim_for_publish(
        &self,
        hash: &SecretHash,
        request: &PublishRequest,
        now: Timestamp,
        claim_ttl: Duration,
    ) -> Result<Option<StreamKey>> {
        let mut state = self.state();
        let mut keys = state.keys.values_mut();
        let Some((_, key)) = keys.find(|(known, _)| known == hash) else { return Ok(None) };
        if request.connection.is_some()
            && let Ok(claim) = decide_publish(key, request, now, claim_ttl)
        {
            (key.holder, key.takeovers) = (claim.holder, claim.takeovers);
            key.last_used_at = Some(now);
        }
        Ok(Some(key.clone()))
    }
}

#[async_trait]
impl CachedKeyStore for MemoryStore {
    async fn cached_keys(&self, after: Option<SecretHash>, limit: u32) -> Result<Vec<CachedKey>> {
        let keys = cached(self.state().keys.values());
        let later = keys.into_iter().filter(|key| after.is_none_or(|after| key.hash > after));
        Ok(later.take(limit as usize).collect())
    }

    async fn cached_keys_of(&self, ids: &[StreamKeyId]) -> Result<Vec<CachedKey>> {
        let state = self.state();
        Ok(cached(ids.iter().filter_map(|id| state.keys.get(id))))
    }
}

fn cached<'a>(keys: impl Iterator<Item = &'a (SecretHash, StreamKey)>) -> Vec<CachedKey> {
    let usable = keys.filter(|(_, key)| key.revoked_at.is_none());
    let cached = |(hash, key): &(SecretHash, StreamKey)| CachedKey {
        hash: *hash,
        id: key.id,
        path: key.path.clone(),
        expires_at: key.expires_at,
    };
    let mut cached: Vec<CachedKey> = usable.map(cached).collect();
    cached.sort_by_key(|key| key.hash);
    cached
}
