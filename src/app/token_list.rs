//! All API tokens, for callers at an address where many wrong ones were tried: no token that is not in here is looked for.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::domain::secret::SecretHash;
use crate::ports::AccessStore;

/// How old the list may be: so long, at most, a token that another instance made is not found.
const AGE: Duration = Duration::from_secs(1);
/// How many tokens are listed. With more, each is looked for.
const MOST: u32 = 100_000;

/// The hashes of all tokens, read when they are needed.
#[derive(Debug, Default)]
pub(super) struct TokenList {
    read: Mutex<Option<Read>>,
    /// Held by who reads them.
    reading: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Read {
    /// When; `None` if a token was made since.
    at: Option<Instant>,
    /// `None` if they could not be read, or are too many.
    hashes: Option<HashSet<SecretHash>>,
}

impl TokenList {
    /// Whether there may be a token with this hash.
    pub(super) async fn may_have(&self, hash: &SecretHash, store: &(impl AccessStore + ?Sized)) -> bool {
        if let Some(answer) = self.answer(hash) {
            return answer;
        }
        let _reading = self.reading.lock().await;
        // Another caller may have read them meanwhile.
        if let Some(answer) = self.answer(hash) {
            return answer;
        }
        let at = Instant::now();
        let hashes = store.api_token_hashes(MOST + 1).await.ok();
        let hashes = hashes.filter(|hashes| hashes.len() <= MOST as usize);
        let hashes = hashes.map(|hashes| hashes.into_iter().collect::<HashSet<_>>());
        let has = hashes.as_ref().is_none_or(|hashes| hashes.contains(hash));
        *self.list() = Some(Read { at: Some(at), hashes });
        has
    }

    /// A token was made: the list is not complete any more.
    pub(super) fn forget(&self) {
        if let Some(read) = &mut *self.list() {
            read.at = None;
        }
    }

    /// A token that was listed once is looked for at once, whatever the age of the list.
    fn answer(&self, hash: &SecretHash) -> Option<bool> {
        let list = self.list();
        let Read { at, hashes } = list.as_ref()?;
        let is_fresh = at.is_some_and(|at| at.elapsed() < AGE);
        match hashes {
            Some(hashes) if hashes.contains(hash) => Some(true),
            hashes => is_fresh.then_some(hashes.is_none()),
        }
    }

    fn list(&self) -> MutexGuard<'_, Option<Read>> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::memory::MemoryStore;
    use crate::adapters::system::{SystemClock, SystemIds};
    use crate::domain::access::{Actor, ApiToken, Role, Scope};
    use crate::domain::audit::AuditEntry;
    use crate::domain::{ApiTokenId, AuditId, Timestamp};
    use crate::ports::{Change, IdGen as _};

    const OLD: SecretHash = SecretHash([1; 32]);
    const NEW: SecretHash = SecretHash([2; 32]);

    async fn make(store: &MemoryStore, hash: SecretHash) {
        let (id, now) = (ApiTokenId(SystemIds.uuid()), Timestamp::from_seconds(1));
        let token = ApiToken {
            id,
            organization_id: None,
            name: "x".into(),
            role: Role::Viewer,
            created_at: now,
            expires_at: None,
        };
        let actor = Actor::cli("test");
        let entry = AuditEntry::of(AuditId(SystemIds.uuid()), now, &actor, "create", "api_token");
        store.create_api_token(&token, &hash, Change::new(&Scope::system(), &entry)).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn token_of_another_instance_is_found_a_second_later_and_one_made_here_at_once() {
        let store = MemoryStore::new(std::sync::Arc::new(SystemClock));
        make(&store, OLD).await;
        let list = TokenList::default();
        assert!(list.may_have(&OLD, &store).await && !list.may_have(&NEW, &store).await);
        make(&store, NEW).await;
        assert!(!list.may_have(&NEW, &store).await, "the list is not read for each attempt");
        tokio::time::advance(AGE).await;
        assert!(list.may_have(&NEW, &store).await);
        let here = SecretHash([3; 32]);
        assert!(!list.may_have(&here, &store).await);
        make(&store, here).await;
        list.forget();
        assert!(list.may_have(&here, &store).await && list.may_have(&OLD, &store).await);
    }
}
