//! What examines and converts media files.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::domain::clip::Probe;
use crate::domain::profile::Profile;

/// Why a file could not be examined or converted. The texts have no paths of this machine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TranscodeError {
    /// The program that does it cannot be run here.
    #[error("{0}")]
    Unavailable(String),
    /// The file is not media that can be read.
    #[error("the file cannot be read as video: {0}")]
    NotMedia(String),
    /// It broke off.
    #[error("the conversion failed: {0}")]
    Failed(String),
    /// It made no progress for too long.
    #[error("the conversion made no progress for {0} s and was ended")]
    Stalled(u64),
    /// The new file became too large.
    #[error("there is no room for the converted file")]
    Full,
    /// It was told to stop.
    #[error("the conversion was stopped")]
    Stopped,
}

/// A conversion to a rendition.
#[derive(Clone, Copy, Debug)]
pub struct Conversion<'a> {
    /// The file to read.
    pub source: &'a Path,
    /// What is in it.
    pub probe: &'a Probe,
    /// The file to write.
    pub target: &'a Path,
    /// What it must look like.
    pub profile: &'a Profile,
    /// The most bytes it may have.
    pub max_bytes: u64,
}

/// Examines and converts media files.
#[async_trait]
pub trait Transcoder: Send + Sync {
    /// MUST return what is in a file. MUST NOT read any other file or address that it names.
    async fn probe(&self, file: &Path) -> Result<Probe, TranscodeError>;

    /// MUST write an FLV file of the profile: H.264 without B-frames, a keyframe every two seconds, AAC (silence if the
    /// source has no sound), tracks of equal length. MUST end soon after `stop`. Shows the progress, 0 to 1, if it is known.
    async fn convert(
        &self,
        conversion: Conversion<'_>,
        progress: &watch::Sender<f32>,
        stop: &CancellationToken,
    ) -> Result<(), TranscodeError>;

    /// MUST return an FLV file of the profile in `folder` with the built-in picture and silence. Makes it if it is not
    /// there. MUST NOT change it afterwards.
    async fn slate(&self, profile: &Profile, folder: &Path) -> Result<PathBuf, TranscodeError>;

    /// MUST return an MP4 file with the media of `rendition`, beside it. Makes it if it is not there. MUST NOT change it
    /// afterwards.
    async fn as_mp4(&self, rendition: &Path) -> Result<PathBuf, TranscodeError>;
}

/// Normalises live media.
#[async_trait]
pub trait LiveTranscoder: Send + Sync {
    /// MUST read an FLV stream from `input` and write it to `output` as an FLV stream of the profile, each frame soon after
    /// it came: H.264 without B-frames, a keyframe every two seconds, AAC, which is silence if the input is not
    /// `with_sound`. MUST end what it runs when it is dropped. Returns only if it cannot continue, and says why.
    async fn convert_live(
        &self,
        profile: &Profile,
        with_sound: bool,
        input: mpsc::Receiver<Vec<u8>>,
        output: mpsc::Sender<Vec<u8>>,
    ) -> TranscodeError;
}
