//! Playback tokens and their signing keys, in memory.

use async_trait::async_trait;

use super::{MemoryStore, State, newest_first};
use crate::domain::access::Scope;
use crate::domain::audit::AuditEntry;
use crate::domain::page::{Newest, Page};
use crate::domain::path_pattern::PathPattern;
use crate::domain::playback::{
    PathRule, PlaybackToken, PlaybackTokenId, RevokedToken, SealedKey, TokenStatus,
};
use crate::domain::stream_key::StreamKey;
use crate::domain::{OrganizationId, StreamKeyId, Timestamp};
use crate::ports::{Change, PlaybackChanges, PlaybackStore, Result};

fn is_in(scope: &Scope, token: &PlaybackToken) -> bool {
    match token.organization_id {
        Some(organization) => scope.includes(organization),
        None => scope.organizations().is_none(),
    }
}

fn rule(key: &StreamKey) -> PathRule {
    PathRule {
        id: key.id,
        path: key.path.clone(),
        organization_id: key.organization_id,
        access: key.playback_access,
    }
}

impl State {
    fn record_of(&mut self, owner: Option<OrganizationId>, audit: &AuditEntry) {
        let organization_id = owner.or(audit.organization_id);
        self.audit.push(AuditEntry { organization_id, ..audit.clone() });
    }
}

#[async_trait]
impl PlaybackStore for MemoryStore {
    async fn create_playback_token(&self, token: &PlaybackToken, by: Change<'_>) -> Result<()> {
        let mut state = self.state();
        token.organization_id.map_or(Ok(()), |id| state.must_have_organization(id))?;
        state.playback_tokens.insert(token.id, (token.clone(), None));
        state.record_of(token.organization_id, by.audit);
        Ok(())
    }

    async fn playback_tokens(&self, scope: &Scope, page: &Page<Newest>) -> Result<Vec<PlaybackToken>> {
        let state = self.state();
        let all = state.playback_tokens.values().map(|(token, _)| token);
        Ok(newest_first(all.filter(|token| is_in(scope, token)), page))
    }

    async fn revoke_playback_token(
        &self,
        id: PlaybackTokenId,
        by: Change<'_>,
    ) -> Result<Option<PlaybackToken>> {
        let mut state = self.state();
        let number = state.last_playback_change + 1;
        let found = state.playback_tokens.get_mut(&id).filter(|(token, _)| is_in(by.scope, token));
        let Some((token, change)) = found else { return Ok(None) };
        if token.revoked_at.is_some() {
            return Ok(Some(token.clone()));
        }
        (token.revoked_at, *change) = (Some(by.at()), Some(number));
        let token = token.clone();
        state.last_playback_change = number;
        state.record_of(token.organization_id, by.audit);
        Ok(Some(token))
    }

    async fn revoke_playback_tokens_for(
        &self,
        path: &PathPattern,
        by: Change<'_>,
    ) -> Result<Vec<RevokedToken>> {
        let mut state = self.state();
        let number = state.last_playback_change + 1;
        let (mut revoked, mut owners) = (Vec::new(), Vec::new());
        for (token, change) in state.playback_tokens.values_mut() {
            let is_active = token.status(by.at()) == TokenStatus::Active;
            if is_active && is_in(by.scope, token) && token.opens_any_of(path) {
                (token.revoked_at, *change) = (Some(by.at()), Some(number));
                revoked.push(RevokedToken { id: token.id, expires_at: token.expires_at });
                owners.push(token.organization_id);
            }
        }
        if !revoked.is_empty() {
            owners.dedup();
            let owner = owners.first().copied().flatten().filter(|_| owners.len() == 1);
            state.last_playback_change = number;
            state.record_of(owner, by.audit);
        }
        Ok(revoked)
    }

    async fn playback_changes(&self, after: i64, now: Timestamp) -> Result<PlaybackChanges> {
        let state = self.state();
        let revoked = state
            .playback_tokens
            .values()
            .filter(|(token, change)| change.is_some_and(|change| change > after) && token.expires_at > now);
        let revoked = revoked.map(|(token, _)| RevokedToken { id: token.id, expires_at: token.expires_at });
        Ok(PlaybackChanges { last: state.last_playback_change, revoked: revoked.collect() })
    }

    async fn playback_keys(&self) -> Result<Vec<SealedKey>> {
        Ok(self.state().playback_keys.values().cloned().collect())
    }

    async fn add_playback_key(
        &self,
        key: &SealedKey,
        alone: bool,
        audit: Option<&AuditEntry>,
    ) -> Result<bool> {
        let mut state = self.state();
        if state.playback_keys.last_key_value().is_some_and(|(last, _)| *last >= key.number) {
            return Ok(false);
        }
        state.last_playback_change += 1;
        let number = state.last_playback_change;
        if alone {
            state.playback_keys.clear();
            for (token, change) in state.playback_tokens.values_mut() {
                if token.status(key.created_at) == TokenStatus::Active {
                    (token.revoked_at, *change) = (Some(key.created_at), Some(number));
                }
            }
        }
        state.playback_keys.insert(key.number, key.clone());
        state.audit.extend(audit.cloned());
        Ok(true)
    }

    async fn remove_playback_keys(&self, first: i64) -> Result<u64> {
        let mut state = self.state();
        let there = state.playback_keys.len();
        state.playback_keys.retain(|number, _| *number >= first);
        let removed = there - state.playback_keys.len();
        state.last_playback_change += i64::from(removed > 0);
        Ok(removed as u64)
    }

    async fn prune_playback_tokens(&self, before: Timestamp) -> Result<u64> {
        let mut state = self.state();
        let there = state.playback_tokens.len();
        state.playback_tokens.retain(|_, (token, _)| token.expires_at >= before);
        Ok((there - state.playback_tokens.len()) as u64)
    }

    async fn path_rules(&self, after: Option<StreamKeyId>, limit: u32) -> Result<Vec<PathRule>> {
        let state = self.state();
        let keys = state.keys.values().map(|(_, key)| key);
        let later = keys.filter(|key| after.is_none_or(|after| key.id > after));
        Ok(later.take(limit as usize).map(rule).collect())
    }

    async fn path_rules_of(&self, ids: &[StreamKeyId]) -> Result<Vec<PathRule>> {
        let state = self.state();
        let mut rules: Vec<PathRule> =
            ids.iter().filter_map(|id| state.keys.get(id)).map(|(_, key)| rule(key)).collect();
        rules.sort_by_key(|rule| rule.id);
        Ok(rules)
    }
}
