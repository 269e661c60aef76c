//! Clips: uploaded files, prepared for playout.
//!
//! A clip is uploaded, probed, and normalised once for each profile that is wanted: that makes its renditions.

mod content;
mod model;
mod probe;
mod upload;

pub use content::{ContentHash, MediaFile, Rendition};
pub use model::{Clip, ClipState, JobId, Step};
pub use probe::{AudioTrack, FORMATS, Probe, VideoTrack, video_kbps};
pub use upload::{ClipName, MAX_UPLOAD};

pub use super::ClipId;
