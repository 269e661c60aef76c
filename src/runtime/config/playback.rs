//! The section `[playback]`: viewers.

use super::section::section;
use super::values::{ConfigDuration, choice, within};
use crate::domain::playback::PlaybackAccess;

section! {
    pub struct Playback {
        /// Who may watch: everybody, or who has a playback token. A stream key can say otherwise for its path.
        access: PlaybackAccess;
        /// The age at which the key that signs playback tokens is replaced.
        key_rotation: ConfigDuration = ConfigDuration::days(30),
            check within(ConfigDuration::days(1), ConfigDuration::CENTURY);
    }
}

choice!(PlaybackAccess);
