//! One request at a time writes an upload. A new one ends the one before: its client has probably lost the connection
//! and continues with another.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OwnedMutexGuard;
use tokio_util::sync::CancellationToken;

use crate::domain::clip::ClipId;

type Open = HashMap<ClipId, (Arc<tokio::sync::Mutex<()>>, CancellationToken, usize)>;

/// The uploads that are being written on this instance.
#[derive(Clone, Default)]
pub(super) struct Turns(Arc<Mutex<Open>>);

impl Turns {
    fn open(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the turn of whoever writes the upload, and waits for that.
    pub(super) async fn take(&self, clip: ClipId) -> Turn {
        let (lock, is_over) = {
            let mut open = self.open();
            let (lock, current, users) = open.entry(clip).or_default();
            current.cancel();
            *current = CancellationToken::new();
            *users += 1;
            (Arc::clone(lock), current.clone())
        };
        // Made before waiting, so that it is counted also if the wait is given up.
        let mut turn = Turn { turns: self.clone(), clip, is_over, lock: None };
        turn.lock = Some(lock.lock_owned().await);
        turn
    }
}

/// The turn of one request, until it is dropped.
pub(super) struct Turn {
    turns: Turns,
    clip: ClipId,
    /// Another request wants to write.
    pub(super) is_over: CancellationToken,
    lock: Option<OwnedMutexGuard<()>>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.lock = None;
        let mut open = self.turns.open();
        if let Some((_, _, users)) = open.get_mut(&self.clip) {
            *users -= 1;
            if *users == 0 {
                open.remove(&self.clip);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[tokio::test]
    async fn new_turn_ends_the_one_before_and_waits_for_it() {
        let (turns, clip) = (Turns::default(), ClipId(Uuid::max()));
        let first = turns.take(clip).await;
        let other = turns.take(ClipId(Uuid::nil())).await;
        assert!(!first.is_over.is_cancelled() && !other.is_over.is_cancelled());
        let second = turns.take(clip);
        let ends = async {
            first.is_over.cancelled().await;
            drop(first);
        };
        let (second, ()) = tokio::join!(second, ends);
        assert!(!second.is_over.is_cancelled());
        drop((second, other));
        assert!(turns.open().is_empty());
    }
}
