//! Wake-ups within one process.

use tokio::sync::broadcast;

use crate::ports::{WakeUp, WakeUps};

/// A listener that is further behind than this gets [`WakeUp::Everything`].
const CAPACITY: usize = 256;

/// Wake-ups of this instance only. This is enough with SQLite, which one process uses.
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
