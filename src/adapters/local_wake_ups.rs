//! WakeUps within one process.

use tokio::sync::broadcast;

use crate::ports::{WakeUp, WakeUps};

/// How many wake-ups a listener may lag behind before it has to take them for [`WakeUp::Everything`].
const CAPACITY: usize = 256;

/// WakeUps that reach this instance only: all there is with SQLite, which one process serves.
#[derive(Clone, Debug)]
pub struct LocalWakeUps(broadcast::Sender<WakeUp>);

impl Default for LocalWakeUps {
    fn default() -> Self {
        Self(broadcast::Sender::new(CAPACITY))
    }
}

impl WakeUps for LocalWakeUps {
    fn send(&self, wake_up: WakeUp) {
        // An error only means that nobody listens.
        let _ = self.0.send(wake_up);
    }

    fn send_local(&self, wake_up: WakeUp) {
        self.send(wake_up);
    }

    fn listen(&self) -> broadcast::Receiver<WakeUp> {
        self.0.subscribe()
    }
}
