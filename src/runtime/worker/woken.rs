//! Waiting for a wake_up that concerns a worker.

use tokio::sync::broadcast;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};

use crate::app::worker::Worker;
use crate::ports::WakeUp;

/// The wake-ups of this instance, as one worker hears them.
pub(super) struct WakeUpReceiver(broadcast::Receiver<WakeUp>);

impl WakeUpReceiver {
    pub(super) fn new(wake_ups: broadcast::Receiver<WakeUp>) -> Self {
        Self(wake_ups)
    }

    /// Returns at the next wake_up that concerns `worker`. Some that were missed count as one that does.
    pub(super) async fn heard_by(&mut self, worker: &mut impl Worker) {
        loop {
            match self.0.recv().await {
                Ok(WakeUp::Everything) | Err(RecvError::Lagged(_)) => return,
                Ok(wake_up) if worker.hears(&wake_up) => return,
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
