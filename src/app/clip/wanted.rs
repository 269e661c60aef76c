//! What is to be fetched from the bucket, and what is wrong with that.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::domain::clip::{ClipId, MediaFile};

/// A failure that did not happen again for so long is over. What is wanted is tried every few seconds.
const IS_OVER: Duration = Duration::from_secs(30);

/// A rendition.
type Wanted = (ClipId, MediaFile);

/// What is transferred, and what is wrong.
#[derive(Default)]
pub(super) struct Transfers {
    queue: Mutex<Queue>,
    is_wanted: Notify,
    problem: Mutex<Problem>,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Wanted>,
    running: Vec<Wanted>,
}

#[derive(Default)]
struct Problem {
    /// Of the bucket as a whole.
    bucket: Option<String>,
    /// Of a file, and when it last happened.
    file: Option<(String, Instant)>,
}

/// The transfers of this instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransferStatus {
    /// How many renditions are fetched, or wait for that.
    pub fetching: usize,
    /// What is wrong.
    pub problem: Option<String>,
}

impl Transfers {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn problem(&self) -> MutexGuard<'_, Problem> {
        self.problem.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has a rendition fetched.
    pub(super) fn want(&self, clip: ClipId, file: MediaFile) {
        let mut queue = self.queue();
        let wanted = (clip, file);
        if !queue.waiting.contains(&wanted) && !queue.running.contains(&wanted) {
            queue.waiting.push_back(wanted);
            self.is_wanted.notify_one();
        }
    }

    /// Waits for the next rendition to fetch. It is being fetched until what is returned is dropped.
    pub(super) async fn next(&self) -> Fetch<'_> {
        loop {
            if let Some(wanted) = self.take() {
                return Fetch { transfers: self, wanted };
            }
            self.is_wanted.notified().await;
        }
    }

    fn take(&self) -> Option<Wanted> {
        let mut queue = self.queue();
        let next = queue.waiting.pop_front()?;
        queue.running.push(next);
        if !queue.waiting.is_empty() {
            self.is_wanted.notify_one();
        }
        Some(next)
    }

    /// Notes whether the bucket can be used. Returns what was noted before.
    pub(super) fn bucket_was_checked(&self, found: Option<String>) -> Option<String> {
        std::mem::replace(&mut self.problem().bucket, found)
    }

    /// Notes that a rendition was fetched.
    pub(super) fn has_fetched(&self) {
        self.problem().file = None;
    }

    /// Notes that a rendition cannot be fetched. Returns whether that is new.
    pub(super) fn has_failed(&self, why: &str) -> bool {
        let before = self.problem().file.replace((why.to_owned(), Instant::now()));
        before.is_none_or(|(before, _)| before != why)
    }

    pub(super) fn status(&self) -> TransferStatus {
        let fetching = {
            let queue = self.queue();
            queue.waiting.len() + queue.running.len()
        };
        let problem = self.problem();
        let of_file = problem.file.as_ref().filter(|(_, at)| at.elapsed() < IS_OVER).map(|(why, _)| why);
        TransferStatus { fetching, problem: problem.bucket.as_ref().or(of_file).cloned() }
    }
}

/// A rendition that is being fetched.
pub(super) struct Fetch<'a> {
    transfers: &'a Transfers,
    pub(super) wanted: Wanted,
}

impl Drop for Fetch<'_> {
    fn drop(&mut self) {
        self.transfers.queue().running.retain(|one| *one != self.wanted);
    }
}
