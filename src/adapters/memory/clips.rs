//! Clips, in memory.

use async_trait::async_trait;

use super::{MemoryStore, State, StoredClip, newest_first};
use crate::domain::Timestamp;
use crate::domain::access::Scope;
use crate::domain::clip::{Clip, ClipId, ClipState, ContentHash, JobId, Step};
use crate::domain::page::{Newest, Page};
use crate::domain::profile::Profile;
use crate::ports::{Change, ClipCreation, ClipDeletion, ClipStore, Result};

impl StoredClip {
    fn give(&mut self, job: JobId, until: Timestamp) {
        self.job = self.clip.is_at_work().then_some(job);
        self.job_until = Some(until);
    }
}

impl State {
    /// A clip, if it is in the scope.
    fn clip_in(&self, scope: &Scope, id: ClipId) -> Option<&Clip> {
        self.clips.get(&id).map(|one| &one.clip).filter(|clip| scope.includes(clip.organization_id))
    }
}

#[async_trait]
impl ClipStore for MemoryStore {
    async fn create_clip(&self, clip: &Clip, max_bytes: u64, by: Change<'_>) -> Result<ClipCreation> {
        let mut state = self.state();
        let all: u64 = state.clips.values().map(|one| one.clip.stored_bytes()).sum();
        if all.saturating_add(clip.stored_bytes()) > max_bytes {
            return Ok(ClipCreation::Full);
        }
        state.must_have_organization(clip.organization_id)?;
        let stored = StoredClip { clip: clip.clone(), job: None, job_until: None, attempts: 0 };
        state.clips.insert(clip.id, stored);
        state.audit.push(by.audit.clone().owned_by(clip.organization_id));
        Ok(ClipCreation::Created)
    }

    async fn clip(&self, scope: &Scope, id: ClipId) -> Result<Option<Clip>> {
        Ok(self.state().clip_in(scope, id).cloned())
    }

    async fn clips_with(&self, scope: &Scope, ids: &[ClipId]) -> Result<Vec<Clip>> {
        let state = self.state();
        Ok(ids.iter().filter_map(|id| state.clip_in(scope, *id)).cloned().collect())
    }

    async fn clips(&self, scope: &Scope, page: &Page<Newest>) -> Result<Vec<Clip>> {
        let state = self.state();
        let all = state.clips.values().map(|one| &one.clip);
        Ok(newest_first(all.filter(|clip| scope.includes(clip.organization_id)), page))
    }

    async fn clip_bytes(&self) -> Result<u64> {
        Ok(self.state().clips.values().map(|one| one.clip.stored_bytes()).sum())
    }

    async fn advance_upload(
        &self,
        id: ClipId,
        part: (u64, u64),
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<Option<Clip>> {
        let mut state = self.state();
        let Some(one) = state.clips.get_mut(&id) else { return Ok(None) };
        let Some(after) = one.clip.clone().advanced(part, expires_at, now) else { return Ok(None) };
        one.clip = after.clone();
        Ok(Some(after))
    }

    async fn want_rendition(&self, id: ClipId, profile: &Profile, now: Timestamp) -> Result<bool> {
        let mut state = self.state();
        let Some(one) = state.clips.get_mut(&id) else { return Ok(false) };
        let Some(after) = one.clip.clone().wanted(profile, now) else { return Ok(false) };
        one.clip = after;
        Ok(true)
    }

    async fn clips_to_keep(&self) -> Result<Vec<Clip>> {
        let mut found: Vec<Clip> = {
            let state = self.state();
            state.clips.values().map(|one| &one.clip).filter(|clip| clip.is_to_keep()).cloned().collect()
        };
        found.sort_by_key(|clip| (clip.created_at, clip.id));
        found.truncate(100);
        Ok(found)
    }

    async fn record_kept(
        &self,
        id: ClipId,
        kept: &std::result::Result<ContentHash, String>,
        now: Timestamp,
    ) -> Result<Option<Clip>> {
        let mut state = self.state();
        let Some(one) = state.clips.get_mut(&id) else { return Ok(None) };
        let Some(after) = one.clip.clone().kept(kept, now) else { return Ok(None) };
        one.clip = after.clone();
        Ok(Some(after))
    }

    async fn claim_clip(
        &self,
        job: JobId,
        only_kept: bool,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<Clip>> {
        let mut state = self.state();
        let free = state.clips.values_mut().filter(|one| {
            one.clip.is_to_prepare()
                && (one.clip.source.is_some() || !only_kept)
                && one.job_until.is_none_or(|until| until <= now)
        });
        let Some(one) = free.min_by_key(|one| (one.clip.created_at, one.clip.id)) else { return Ok(None) };
        one.attempts += 1;
        one.clip = one.clip.clone().claimed(one.attempts, now);
        one.give(job, until);
        Ok(Some(one.clip.clone()))
    }

    async fn record_step(
        &self,
        id: ClipId,
        job: JobId,
        step: &Step,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<Option<Clip>> {
        let mut state = self.state();
        let Some(one) = state.clips.get_mut(&id).filter(|one| one.job == Some(job)) else { return Ok(None) };
        one.clip = one.clip.clone().after(step, now);
        one.give(job, until);
        if !matches!(step, Step::Progress(_)) {
            one.attempts = 0;
        }
        Ok(Some(one.clip.clone()))
    }

    async fn delete_clip(&self, id: ClipId, by: Change<'_>) -> Result<ClipDeletion> {
        let mut state = self.state();
        let Some(clip) = state.clip_in(by.scope, id) else { return Ok(ClipDeletion::NotFound) };
        let owner = clip.organization_id;
        let uses = state.clip_uses(&[id]);
        if !uses.is_empty() {
            return Ok(ClipDeletion::InUse(uses.into_iter().map(|(_, channel)| channel).collect()));
        }
        state.clips.remove(&id);
        state.audit.push(by.audit.clone().owned_by(owner));
        Ok(ClipDeletion::Deleted)
    }

    async fn remove_expired_uploads(&self, now: Timestamp) -> Result<Vec<ClipId>> {
        let mut state = self.state();
        let is_expired =
            |clip: &Clip| matches!(clip.state, ClipState::Uploading { expires_at, .. } if expires_at <= now);
        let expired: Vec<ClipId> =
            state.clips.values().filter(|one| is_expired(&one.clip)).map(|one| one.clip.id).collect();
        for id in &expired {
            state.clips.remove(id);
        }
        Ok(expired)
    }
}
