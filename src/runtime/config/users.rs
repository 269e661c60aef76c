//! The section `[users]`: people who sign in.

use super::section::section;
use super::values::{ConfigDuration, within};

section! {
    pub struct Users {
        /// How long a session lasts without use.
        session_idle: ConfigDuration = ConfigDuration::seconds(12 * 3_600),
            check within(ConfigDuration::MINUTE, ConfigDuration::days(400));
        /// How long a session lasts in all.
        session_max: ConfigDuration = ConfigDuration::days(30),
            check within(ConfigDuration::MINUTE, ConfigDuration::days(400));
    }
}
