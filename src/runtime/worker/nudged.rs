//! Waiting for a nudge that concerns a worker.

use tokio::sync::broadcast;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};

use crate::app::worker::Worker;
use crate::ports::Nudge;

/// The nudges of this instance, as one worker hears them.
pub(super) struct Nudged(broadcast::Receiver<Nudge>);

impl Nudged {
    pub(super) fn new(nudges: broadcast::Receiver<Nudge>) -> Self {
        Self(nudges)
    }

    /// Returns at the next nudge that concerns `worker`. Some that were missed count as one that does.
    pub(super) async fn heard_by(&mut self, worker: &mut impl Worker) {
        loop {
            match self.0.recv().await {
                Ok(Nudge::Everything) | Err(RecvError::Lagged(_)) => return,
                Ok(nudge) if worker.hears(&nudge) => return,
                Ok(_) => {}
                Err(RecvError::Closed) => std::future::pending().await,
            }
        }
    }

    /// Forgets what was said until now: a tick that starts now serves it.
    pub(super) fn forget(&mut self) {
        while matches!(self.0.try_recv(), Ok(_) | Err(TryRecvError::Lagged(_))) {}
    }
}
