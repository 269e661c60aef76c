//! Files that never change, named by their content, and the renditions of a clip.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_with::{DeserializeFromStr, SerializeDisplay};

use crate::domain::profile::Profile;

/// SHA-256 of a file. It prints as 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, SerializeDisplay, DeserializeFromStr)]
pub struct ContentHash(pub [u8; 32]);

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl FromStr for ContentHash {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut hash = [0; 32];
        hex::decode_to_slice(text, &mut hash).map_err(|_| "must be 64 hexadecimal digits")?;
        Ok(Self(hash))
    }
}

/// A file that was made of a clip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MediaFile {
    /// Its content, which is also its name.
    pub hash: ContentHash,
    /// Its size in bytes.
    pub size: u64,
    /// How long it plays, in milliseconds.
    pub duration_ms: u64,
}

/// A clip in one profile: an FLV file with H.264 without B-frames, a keyframe every two seconds, and AAC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rendition {
    /// What it looks like.
    pub profile: Profile,
    /// The file; `None` while it is wanted but not made yet.
    pub file: Option<MediaFile>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_is_read_as_it_is_printed() {
        let hash = ContentHash([0xab; 32]);
        assert_eq!(hash.to_string().parse(), Ok(hash));
        for bad in ["", "ab", "../../etc/passwd", &"zz".repeat(32)] {
            assert!(bad.parse::<ContentHash>().is_err(), "{bad}");
        }
    }
}
