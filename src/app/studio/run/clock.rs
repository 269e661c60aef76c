//! Now, on the two clocks of a supervisor.

use std::sync::Arc;

use tokio::time::Instant;

use crate::app::Core;
use crate::domain::studio::Moment;

/// Tells the time since the supervisor began, beside the wall clock.
#[derive(Clone)]
pub(super) struct TwoClocks {
    core: Arc<Core>,
    began: Instant,
}

impl TwoClocks {
    pub(super) fn new(core: Arc<Core>) -> Self {
        Self { core, began: Instant::now() }
    }

    pub(super) fn now(&self) -> Moment {
        Moment { at: self.core.now(), elapsed: self.began.elapsed() }
    }
}
