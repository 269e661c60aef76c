//! The addresses that requested a password reset, and have no e-mail yet.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::domain::user::Email;

/// How many may wait.
const MOST: usize = 1_000;

/// Those of this instance. They are lost when it stops: the person requests another e-mail.
#[derive(Default)]
pub(super) struct ResetQueue(Mutex<VecDeque<Email>>);

impl ResetQueue {
    fn waiting(&self) -> MutexGuard<'_, VecDeque<Email>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an address, unless it waits already.
    pub(super) fn add(&self, email: Email) {
        let mut waiting = self.waiting();
        if waiting.len() < MOST && !waiting.contains(&email) {
            waiting.push_back(email);
        }
    }

    /// The one that waits for longest.
    pub(super) fn next(&self) -> Option<Email> {
        self.waiting().pop_front()
    }
}
