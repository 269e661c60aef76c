//! The section `[auth]`: publish decisions.

use super::section::section;
use super::values::{ConfigDuration, within};

section! {
    pub struct Auth {
        /// How long an allowed encoder may take to go live before its key is free again.
        claim_ttl: ConfigDuration = ConfigDuration::seconds(15),
            check within(ConfigDuration::SECOND, ConfigDuration::seconds(600));
    }
}
