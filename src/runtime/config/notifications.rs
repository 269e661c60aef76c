//! The section `[notifications]`: messages about events.

use std::time::Duration;

use super::section::section;
use super::values::{ConfigDuration, Networks, within};

section! {
    pub struct Notifications {
        /// Whether messages may go to any address, also to private ones.
        allow_private_addresses: bool;
        /// Networks that messages may go to beside the public internet.
        allowed_networks: Networks;
        /// How long a receiver may take for a message.
        timeout: ConfigDuration = ConfigDuration::seconds(15),
            check within(ConfigDuration::SECOND, ConfigDuration::MINUTE);
        /// The wait after the first failed attempt. It doubles each time, up to an hour.
        retry_after: ConfigDuration = ConfigDuration::seconds(5),
            check within(ConfigDuration(Duration::from_millis(100)), ConfigDuration::HOUR);
        /// How long a message is tried.
        give_up_after: ConfigDuration = ConfigDuration::days(1),
            check within(ConfigDuration::SECOND, ConfigDuration::days(30));
        /// How long messages are listed that are not to be sent any more.
        retention: ConfigDuration = ConfigDuration::days(7),
            check within(ConfigDuration::HOUR, ConfigDuration::CENTURY);
    }
}
