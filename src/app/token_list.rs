//! All API tokens, for callers at an address where many wrong ones were tried: no token that is not in here is looked for.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
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

#[derive(Clone, Debug)]
struct Read {
    at: Instant,
    /// `None` if they could not be read, or are too many.
    hashes: Option<Arc<HashSet<SecretHash>>>,
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
        let read = Read { at, hashes: hashes.map(|hashes| Arc::new(hashes.into_iter().collect())) };
        let has = read.has(hash);
        *self.list() = Some(read);
        has
    }

    /// A token was made: the list is not complete any more.
    pub(super) fn forget(&self) {
        *self.list() = None;
    }

    fn answer(&self, hash: &SecretHash) -> Option<bool> {
        self.list().as_ref().filter(|read| read.at.elapsed() < AGE).map(|read| read.has(hash))
    }

    fn list(&self) -> std::sync::MutexGuard<'_, Option<Read>> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Read {
    fn has(&self, hash: &SecretHash) -> bool {
        self.hashes.as_ref().is_none_or(|hashes| hashes.contains(hash))
    }
}
