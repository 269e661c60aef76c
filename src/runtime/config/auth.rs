//! The section `[auth]`: publish decisions.

use super::section::section;
use super::values::{ConfigDuration, within};

section! {
    pub struct Auth {
        /// How long an allowed encoder may take to go live before its key is free again.
        claim_ttl: ConfigDuration = ConfigDuration::seconds(15),
            check within(ConfigDuration::SECOND, ConfigDuration::seconds(600));
        /// How long after the last contact with an unreachable database publishers with a key that was valid then are
        /// let in; `0s` lets in none.
        grace: ConfigDuration = ConfigDuration::seconds(300),
            check within(ConfigDuration::seconds(0), ConfigDuration::seconds(86_400));
        /// How long refused attempts are listed.
        failures_retention: ConfigDuration = ConfigDuration::days(30),
            check within(ConfigDuration::HOUR, ConfigDuration::CENTURY);
    }
}
