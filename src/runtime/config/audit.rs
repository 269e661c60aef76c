//! The section `[audit]`: the audit log.

use super::section::section;
use super::values::{ConfigDuration, within};

section! {
    pub struct Audit {
        /// How long entries are kept.
        retention: ConfigDuration = ConfigDuration::days(365),
            check within(ConfigDuration::HOUR, ConfigDuration::CENTURY);
    }
}
