//! The mixer: our engine of channels. It carries frames as they are, from the source that is on air to every output.
//!
//! One task for a channel (`channel.rs`) owns its sources and its timeline. One task for each RTMP input reads it
//! (`input.rs`), one for clips (`clips.rs`), one for each output writes to it (`output.rs`). They run on threads of their own.
//! A live input that differs from the profile can go through ffmpeg (`transcode.rs`).

mod channel;
mod clips;
mod feed;
mod input;
mod meter;
mod output;
mod piece;
mod queue;
mod rotation;
mod sink;
mod sources;
mod supervised;
#[cfg(test)]
mod tests;
mod transcode;

use std::io;
use std::panic::resume_unwind;
use std::sync::Arc;

use async_trait::async_trait;
use thiserror::Error;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::adapters::rtmp::Connector;
use crate::domain::channel::Programme;
use crate::ports::{ChannelEngine, Clock, LeaseCheck, LiveTranscoder, ProgrammeReports};
use channel::Mixer;

/// The engine cannot start.
#[derive(Debug, Error)]
pub enum MixerError {
    /// No threads.
    #[error("the threads for media cannot be started: {0}")]
    Threads(#[from] io::Error),
}

/// Runs channels on threads of its own.
pub struct MixerEngine {
    runtime: Option<Runtime>,
    connector: Connector,
    transcoder: Arc<dyn LiveTranscoder>,
    clock: Arc<dyn Clock>,
}

impl MixerEngine {
    /// An engine with `threads` threads, at least one, that connects with `connector`. Live inputs go through `transcoder`
    /// if a channel wants that.
    ///
    /// # Errors
    /// If the threads cannot be started.
    pub fn new(
        threads: usize,
        connector: Connector,
        transcoder: Arc<dyn LiveTranscoder>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, MixerError> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(threads.max(1))
            .thread_name("media")
            .enable_all()
            .build()?;
        Ok(Self { runtime: Some(runtime), connector, transcoder, clock })
    }
}

impl Drop for MixerEngine {
    fn drop(&mut self) {
        // Dropping a runtime waits, which an async task may not do.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

#[async_trait]
impl ChannelEngine for MixerEngine {
    async fn run(
        &self,
        programme: watch::Receiver<Programme>,
        reports: ProgrammeReports,
        stop: CancellationToken,
        lease: LeaseCheck,
    ) {
        let Some(runtime) = &self.runtime else { return };
        // The channel ends too when this future is dropped.
        let stop = stop.child_token();
        let _guard = stop.clone().drop_guard();
        let tools = (self.connector.clone(), Arc::clone(&self.transcoder), Arc::clone(&self.clock));
        let mixer = Mixer::new(programme, reports, tools, (stop, lease));
        if let Err(error) = runtime.spawn(mixer.run()).await
            && error.is_panic()
        {
            resume_unwind(error.into_panic());
        }
    }
}
