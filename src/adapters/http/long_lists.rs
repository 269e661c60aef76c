//! The limit for long lists. Each keeps some rows in memory for as long as its client is slow.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::problem::{Problem, ProblemType};

/// How many long lists may be sent at once, in all and to one caller.
const MOST: usize = 64;
const MOST_TO_ONE: usize = 16;

/// The long lists that are being sent: how many to each caller.
#[derive(Clone, Default)]
pub(super) struct LongLists(Arc<Mutex<HashMap<String, usize>>>);

impl LongLists {
    /// Adds a list to `caller`, until the result is dropped.
    pub(super) fn add(&self, caller: String) -> Result<LongList, Problem> {
        let mut lists = self.lock();
        let to_one = lists.get(&caller).copied().unwrap_or(0);
        if to_one >= MOST_TO_ONE || lists.values().sum::<usize>() >= MOST {
            let detail = "Too many long lists are being sent. Read a list in pages (`limit`), or try again in a moment.";
            return Err(Problem::new(ProblemType::UNAVAILABLE, detail));
        }
        lists.insert(caller.clone(), to_one + 1);
        drop(lists);
        Ok(LongList { lists: self.clone(), caller })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A long list that is being sent.
pub(super) struct LongList {
    lists: LongLists,
    caller: String,
}

impl Drop for LongList {
    fn drop(&mut self) {
        let mut lists = self.lists.lock();
        if let Some(count) = lists.get_mut(&self.caller) {
            *count -= 1;
            if *count == 0 {
                lists.remove(&self.caller);
            }
        }
    }
}
