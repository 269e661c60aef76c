//! The section `[reconcile]`: the reconcile loop.

use std::time::Duration;

use super::section::section;
use super::values::{ConfigDuration, within};

section! {
    pub struct Reconcile {
        /// How often each media server is polled when nothing wakes the loop.
        interval: ConfigDuration = ConfigDuration::seconds(2),
            check within(ConfigDuration(Duration::from_millis(100)), ConfigDuration::MINUTE);
    }
}
