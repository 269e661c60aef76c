//! Nudges within one process.

use tokio::sync::broadcast;

use crate::ports::{Nudge, Nudges};

/// How many nudges a listener may lag behind before it has to take them for [`Nudge::Everything`].
const CAPACITY: usize = 256;

/// Nudges that reach this instance only: all there is with SQLite, which one process serves.
#[derive(Clone, Debug)]
pub struct LocalNudges(broadcast::Sender<Nudge>);

impl Default for LocalNudges {
    fn default() -> Self {
        Self(broadcast::Sender::new(CAPACITY))
    }
}

impl Nudges for LocalNudges {
    fn send(&self, nudge: Nudge) {
        // An error only means that nobody listens.
        let _ = self.0.send(nudge);
    }

    fn send_local(&self, nudge: Nudge) {
        self.send(nudge);
    }

    fn listen(&self) -> broadcast::Receiver<Nudge> {
        self.0.subscribe()
    }
}
