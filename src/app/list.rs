//! Lists. They are read page by page, so that a long list needs no more memory than a short one, and each page in turn, so
//! that long lists take neither the connections nor the processor from other work.

use std::ops::Deref;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::Result;
use crate::domain::access::Actor;
use crate::domain::page::{Page, Placed};
use crate::ports::Store;

/// How many pages are read at once; also the number of database connections for lists.
pub const PAGES_AT_ONCE: u32 = 2;
/// How many rows a page has at most. A row has up to 16 KiB of metadata.
const ROWS: u32 = 100;

/// The store for lists.
pub struct ListStore {
    store: Arc<dyn Store>,
    turns: Semaphore,
}

impl ListStore {
    /// `store` has [`PAGES_AT_ONCE`] connections of its own.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store, turns: Semaphore::new(PAGES_AT_ONCE as usize) }
    }

    /// Waits until a page may be read.
    pub(super) async fn turn(&self) -> Turn<'_> {
        // An error would mean that the semaphore is closed; it never is.
        Turn { store: &*self.store, _permit: self.turns.acquire().await.ok() }
    }
}

/// The store, for one page.
pub(super) struct Turn<'a> {
    store: &'a dyn Store,
    _permit: Option<SemaphorePermit<'a>>,
}

impl<'a> Deref for Turn<'a> {
    type Target = dyn Store + 'a;

    fn deref(&self) -> &Self::Target {
        self.store
    }
}

/// A service that lists resources.
#[async_trait]
pub trait List: Send + Sync {
    /// Which of them.
    type Filter: Clone + Send + Sync + 'static;
    /// One of them.
    type Row: Placed + Send + 'static;

    /// One page of them, in the order of their places.
    async fn list(
        &self,
        actor: &Actor,
        filter: &Self::Filter,
        page: &Page<PlaceIn<Self>>,
    ) -> Result<Vec<Self::Row>>;
}

/// A place in the list of a service.
pub type PlaceIn<L> = <<L as List>::Row as Placed>::Place;

/// Reads a list page by page.
pub struct Pages<L: List> {
    actor: Actor,
    filter: L::Filter,
    /// What is still to be read.
    rest: Page<PlaceIn<L>>,
    /// Whether there are rows behind those that were read.
    is_more: bool,
}

impl<L: List> Pages<L> {
    /// Reads the rows of `part`.
    pub fn new(actor: Actor, filter: L::Filter, part: Page<PlaceIn<L>>) -> Self {
        Self { actor, filter, rest: part, is_more: true }
    }

    /// Who reads.
    pub fn actor(&self) -> &Actor {
        &self.actor
    }

    /// The next rows. It needs a database connection only until it returns.
    pub async fn next(&mut self, list: &L) -> Result<Vec<L::Row>> {
        if self.is_over() {
            return Ok(Vec::new());
        }
        let wanted = self.rest.limit.map_or(ROWS, |limit| limit.min(ROWS));
        // One more than wanted shows whether there are more.
        let page = Page { limit: Some(wanted + 1), after: self.rest.after.clone() };
        let mut rows = list.list(&self.actor, &self.filter, &page).await?;
        self.is_more = rows.len() > wanted as usize;
        rows.truncate(wanted as usize);
        self.rest.limit = self.rest.limit.map(|limit| limit - wanted);
        if let Some(last) = rows.last() {
            self.rest.after = Some(last.place());
        }
        Ok(rows)
    }

    /// Whether all rows were read.
    pub fn is_over(&self) -> bool {
        !self.is_more || self.rest.limit == Some(0)
    }

    /// The place behind which the list continues; `None` if it does not.
    pub fn continues_after(&self) -> Option<&PlaceIn<L>> {
        self.rest.after.as_ref().filter(|_| self.is_more)
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use super::*;
    use crate::adapters::memory::MemoryStore;
    use crate::adapters::system::SystemClock;

    #[tokio::test]
    async fn so_many_pages_are_read_at_once_and_the_others_wait_for_their_turn() {
        let lists = ListStore::new(Arc::new(MemoryStore::new(Arc::new(SystemClock))));
        let mut turns = Vec::new();
        for _ in 0..PAGES_AT_ONCE {
            turns.push(lists.turn().await);
        }
        let mut next = pin!(lists.turn());
        assert!(futures_util::poll!(next.as_mut()).is_pending());
        turns.pop();
        assert!(futures_util::poll!(next.as_mut()).is_ready());
    }
}
