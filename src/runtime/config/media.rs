//! The section `[media]`: the files of clips.

use std::path::PathBuf;

use super::section::section;
use super::values::{ConfigDuration, if_set, require, within};

section! {
    pub struct Media {
        /// The folder for uploads and what is made of them. Several instances on one machine share it.
        dir: Option<PathBuf>, check if_set(|dir: &mut PathBuf| require(!dir.as_os_str().is_empty(), || "must name a folder".to_owned())), unset "not set: a folder media beside the database";
        /// The most bytes that all clips take together, with what is made of them.
        max_bytes: Option<u64>, unset "not set: as much as the disk has room for";
        /// How many clips this instance prepares at once; 0 leaves that to others.
        jobs: u32 = 1, check within(0, 64);
        /// How long an upload is kept that does not continue.
        upload_expiry: ConfigDuration = ConfigDuration::days(1),
            check within(ConfigDuration::MINUTE, ConfigDuration::days(365));
    }
}
