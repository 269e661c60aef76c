//! What clips need from outside.

use std::sync::Arc;

use super::config::Config;
use crate::adapters::ffmpeg::Ffmpeg;
use crate::adapters::media_store::LocalMedia;
use crate::app::clip::ClipOutside;

/// Where the files of clips are, and what converts them.
pub(super) fn outside(config: &Config) -> ClipOutside {
    ClipOutside { media: Arc::new(LocalMedia::new(config.media_dir())), transcoder: Arc::new(Ffmpeg) }
}
