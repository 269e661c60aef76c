//! What may be uploaded.

use serde::{Deserialize, Serialize};

use crate::domain::invalid::{Invalid, text, text_type};

/// The largest upload, in bytes: 10 GiB.
pub const MAX_UPLOAD: u64 = 10 * 1024 * 1024 * 1024;

/// A clip's name as people see it, normally that of its file: 1 to 255 characters, no control characters, not blank.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ClipName(String);

text_type!(ClipName);

impl ClipName {
    /// Parses a name. Of a path, only the last part is kept.
    pub fn parse(name: &str) -> Result<Self, Invalid> {
        let last = name.trim_end_matches(['/', '\\']).rsplit(['/', '\\']).next().unwrap_or_default();
        text("name", last, 1, 255).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_is_the_last_part_of_a_path() {
        for (given, kept) in [
            ("intro.mp4", "intro.mp4"),
            ("/home/ann/Ganga Aarti.mkv", "Ganga Aarti.mkv"),
            (r"C:\Videos\intro.mp4", "intro.mp4"),
            ("../../x", "x"),
        ] {
            assert_eq!(ClipName::parse(given).unwrap().as_str(), kept);
        }
        for bad in ["", "/", "  ", "a\0b", "a\nb", &"ä".repeat(256)] {
            assert!(ClipName::parse(bad).is_err(), "{bad:?}");
        }
    }
}
