//! The engines of channels: each channel says which one it wants.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::domain::channel::{Engine, Programme};
use crate::ports::{ChannelEngine, LeaseCheck, ProgrammeReports};

/// All engines.
pub(super) struct ChannelEngines {
    pub(super) mixer: Arc<dyn ChannelEngine>,
    pub(super) media_server: Arc<dyn ChannelEngine>,
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
            Engine::MediaServer => self.media_server.run(programme, reports, stop, lease).await,
        }
    }
}
