//! API tokens, signed requests and sealed secrets, in memory.

use async_trait::async_trait;

use super::{MemoryStore, State, newest_first};
use crate::domain::access::{ApiToken, Scope};
use crate::domain::audit::AuditEntry;
use crate::domain::page::{Newest, Page};
use crate::domain::secret::SecretHash;
use crate::domain::{ApiTokenId, Timestamp};
use crate::ports::{AccessStore, Change, Result, SecretStore};

fn is_in(scope: &Scope, token: &ApiToken) -> bool {
    match token.organization_id {
        Some(organization) => scope.includes(organization),
        None => scope.organizations().is_none(),
    }
}

impl State {
    fn record_token(&mut self, token: &ApiToken, by: Change<'_>) {
        let organization_id = token.organization_id.or(by.audit.organization_id);
        self.audit.push(AuditEntry { organization_id, ..by.audit.clone() });
    }
}

#[async_trait]
impl AccessStore for MemoryStore {
    async fn create_api_token(&self, token: &ApiToken, hash: &SecretHash, by: Change<'_>) -> Result<()> {
        let mut state = self.state();
        token.organization_id.map_or(Ok(()), |id| state.must_have_organization(id))?;
        state.tokens.insert(token.id, (*hash, token.clone()));
        state.record_token(token, by);
        Ok(())
    }

    async fn api_tokens(&self, scope: &Scope, page: &Page<Newest>) -> Result<Vec<ApiToken>> {
        let state = self.state();
        let all = state.tokens.values().map(|(_, token)| token);
        Ok(newest_first(all.filter(|token| is_in(scope, token)), page))
    }

    async fn api_token_by_hash(&self, hash: &SecretHash) -> Result<Option<ApiToken>> {
        Ok(self.state().tokens.values().find(|(known, _)| known == hash).map(|(_, token)| token.clone()))
    }

    async fn exchange_api_token(
        &self,
        old: &SecretHash,
        new: &SecretHash,
        now: Timestamp,
        expires_at: Timestamp,
        audit: &AuditEntry,
    ) -> Result<bool> {
        let mut state = self.state();
        let found = state.tokens.values_mut().find(|(hash, _)| hash == old);
        let Some((hash, token)) = found.filter(|(_, token)| token.expires_at > Some(now)) else {
            return Ok(false);
        };
        (*hash, token.expires_at) = (*new, Some(expires_at));
        let id = token.id;
        state.audit.push(audit.clone().on(&id));
        Ok(true)
    }

    async fn delete_api_token(&self, id: ApiTokenId, by: Change<'_>) -> Result<bool> {
        let mut state = self.state();
        let found = state.tokens.get(&id).map(|(_, token)| token.clone());
        let Some(token) = found.filter(|token| is_in(by.scope, token)) else { return Ok(false) };
        state.tokens.remove(&id);
        state.record_token(&token, by);
        Ok(true)
    }

    async fn remember_signature(&self, signature: &SecretHash, now: Timestamp) -> Result<bool> {
        let mut state = self.state();
        let new = !state.signatures.contains_key(signature);
        state.signatures.entry(*signature).or_insert(now);
        Ok(new)
    }

    async fn prune_signatures(&self, before: Timestamp) -> Result<u64> {
        let mut state = self.state();
        let there = state.signatures.len();
        state.signatures.retain(|_, at| *at >= before);
        Ok((there - state.signatures.len()) as u64)
    }
}

#[async_trait]
impl SecretStore for MemoryStore {
    async fn seal_if_absent(&self, name: &str, sealed: &str) -> Result<String> {
        let mut state = self.state();
        Ok(state.secrets.entry(name.to_owned()).or_insert_with(|| sealed.to_owned()).clone())
    }

    async fn sealed(&self, name: &str) -> Result<Option<String>> {
        Ok(self.state().secrets.get(name).cloned())
    }
}
