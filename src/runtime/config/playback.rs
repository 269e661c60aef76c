//! The section `[playback]`: viewers.

use serde::Serialize;
use strum::{EnumString, VariantNames};

use super::section::section;
use super::values::choice;

section! {
    pub struct Playback {
        /// Who may watch.
        access: Access;
    }
}

/// Who may watch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, EnumString, VariantNames)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Access {
    /// Everyone.
    #[default]
    Public,
}

choice!(Access);
