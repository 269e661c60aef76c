//! The section `[events]`: the event log.

use super::section::section;
use super::values::{ConfigDuration, within};

section! {
    pub struct Events {
        /// How long events are kept for readers that resume.
        retention: ConfigDuration = ConfigDuration::days(30),
            check within(ConfigDuration::HOUR, ConfigDuration::CENTURY);
    }
}
