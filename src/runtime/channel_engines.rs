//! The engines of channels: each channel says which one it wants.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::domain::channel::{Engine, Programme};
use crate::ports::{ChannelEngine, LeaseCheck, ProgrammeReports};

const CANNOT_CARRY: &str = "the channel is off the air: its engine is media_server, and the media server of channels is not \
                            MediaMTX: create it again with the engine mixer, or set channels.media_server";

/// All engines.
pub(super) struct ChannelEngines {
    pub(super) mixer: Arc<dyn ChannelEngine>,
    /// `None` if the media server cannot carry channels.
    pub(super) media_server: Option<Arc<dyn ChannelEngine>>,
}

#[async_trait]
impl ChannelEngine for ChannelEngines {
    async fn run(
        &self,
        programme: watch::Receiver<Programme>,
        reports: ProgrammeReports,
        stop: CancellationToken,
        lease: LeaseCheck,
    ) {
        // A channel never changes its engine.
        let engine = programme.borrow().engine;
        match engine {
            Engine::Mixer => self.mixer.run(programme, reports, stop, lease).await,
            Engine::MediaServer => match &self.media_server {
                Some(engine) => engine.run(programme, reports, stop, lease).await,
                None => {
                    let channel = programme.borrow().name.clone();
                    tracing::error!(%channel, "{CANNOT_CARRY}");
                    stop.cancelled().await;
                }
            },
        }
    }
}
