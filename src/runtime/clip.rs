//! What clips need from outside.

use std::sync::Arc;

use async_trait::async_trait;

use super::config::Config;
use crate::adapters::ffmpeg::Ffmpeg;
use crate::adapters::media_store::LocalMedia;
use crate::app::clip::ClipOutside;
use crate::domain::access::Scope;
use crate::domain::channel::{ChannelId, ClipId};
use crate::ports::{ClipUse, Result, Store};

/// The playlists of channels use clips.
struct Playlists(Arc<dyn Store>);

#[async_trait]
impl ClipUse for Playlists {
    async fn uses(&self, scope: &Scope, clips: &[ClipId]) -> Result<Vec<(ClipId, ChannelId)>> {
        self.0.clip_uses(scope, clips).await
    }
}

/// Where the files of clips are, what converts them, and what uses them.
pub(super) fn outside(config: &Config, store: Arc<dyn Store>) -> ClipOutside {
    ClipOutside {
        media: Arc::new(LocalMedia::new(config.media_dir())),
        transcoder: Arc::new(Ffmpeg),
        used_by: Arc::new(Playlists(store)),
    }
}
