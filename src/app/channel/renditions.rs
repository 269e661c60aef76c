//! The prepared files of clips, as channels need them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use async_trait::async_trait;

use crate::app::clip::Clips;
use crate::domain::channel::{ClipId, Profile};
use crate::ports::{LocalFile, StoreError, TranscodeError};

/// The file of each clip. It stays on this machine while it is here.
pub(super) type Files = BTreeMap<ClipId, LocalFile>;

/// The prepared files of clips.
#[async_trait]
pub trait Renditions: Send + Sync {
    /// The local FLV files of these clips for this profile. One that is not ready is left out, and is prepared or fetched if
    /// it can be.
    async fn renditions(&self, clips: &[ClipId], profile: &Profile) -> Result<Files, StoreError>;

    /// The local FLV file of the built-in picture in this profile. It is made if it is not there.
    async fn slate(&self, profile: &Profile) -> Result<PathBuf, TranscodeError>;

    /// An MP4 file with the media of a local FLV file. It is made if it is not there.
    async fn as_mp4(&self, file: &Path) -> Result<PathBuf, TranscodeError>;
}

#[async_trait]
impl Renditions for Clips {
    async fn renditions(&self, clips: &[ClipId], profile: &Profile) -> Result<Files, StoreError> {
        Self::renditions(self, clips, profile).await
    }

    async fn slate(&self, profile: &Profile) -> Result<PathBuf, TranscodeError> {
        Self::slate(self, profile).await
    }

    async fn as_mp4(&self, file: &Path) -> Result<PathBuf, TranscodeError> {
        Self::as_mp4(self, file).await
    }
}
