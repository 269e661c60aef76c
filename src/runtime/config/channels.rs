//! The section `[channels]`: programmes that never go dark.

use std::path::PathBuf;

use super::section::section;
use super::values::{ConfigDuration, within};
use crate::domain::media_server::MediaServerName;

section! {
    pub struct Channels {
        /// Whether this instance runs channels. Without it, it still manages them for instances that do.
        enabled: bool = true;
        /// How many threads carry the media. They are apart from those that answer `/auth`.
        threads: u32 = 1, check within(1, 256);
        /// The media server that carries the inputs and the programmes.
        media_server: Option<MediaServerName>, unset "not set: the one named default, or the first by name";
        /// A PEM file with certificates of authorities that destinations over RTMPS may have, beside those of the system.
        extra_ca_file: Option<PathBuf>, unset "not set: those of the system only";
        /// Whether programmes run on while the database is unreachable. If true although several instances use it, two of
        /// them can publish the same programme for a while.
        run_without_database: Option<bool>,
            unset "not set: if no other instance was alive at the last contact";
        /// How long decisions and rehearsals are kept.
        retention: ConfigDuration = ConfigDuration::days(365),
            check within(ConfigDuration::HOUR, ConfigDuration::CENTURY);
    }
}
