//! Prepares clips: each is examined, then converted once for each profile that is wanted.
//!
//! Any instance may prepare any clip. The one that does has it for a minute and renews that every two seconds, so when an
//! instance is killed, another one takes its clip up.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use serde_json::json;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::Clips;
use crate::app::task::{LongRunningTask, Task, TaskContext, TaskError};
use crate::domain::access::Scope;
use crate::domain::clip::{Clip, ClipId, ClipState, ContentHash, JobId, MediaFile, Probe, Step};
use crate::domain::profile::Profile;
use crate::ports::{Conversion, MediaError, StoreError, TranscodeError, WakeUp};

/// How long a job has a clip without renewing that.
const LEASE: Duration = Duration::from_secs(60);
/// How often a job renews that, and stores its progress.
const RENEW: Duration = Duration::from_secs(2);
/// How long a clip waits that could not be prepared for a reason that may pass.
const POSTPONED: Duration = Duration::from_secs(30);
/// How often a clip to prepare is searched for without a wake-up.
const SEARCH: Duration = Duration::from_secs(2);

/// The task that prepares clips.
pub struct ClipPreparation(pub Arc<Clips>);

impl Task for ClipPreparation {
    fn name(&self) -> String {
        "clips".to_owned()
    }

    fn description(&self) -> &'static str {
        "Examines uploaded clips and converts them for playout."
    }
}

#[async_trait]
impl LongRunningTask for ClipPreparation {
    async fn run(&mut self, context: &TaskContext) -> Result<(), TaskError> {
        let jobs = self.0.settings.jobs;
        join_all((0..jobs).map(|_| self.0.prepare_all(context))).await;
        Ok(())
    }
}

/// Why a clip is not prepared.
enum Obstacle {
    /// The clip itself.
    Failed(String),
    /// Something that may pass.
    Postponed(Option<String>),
    /// Another job has the clip, or it is gone.
    Lost,
    /// The database. The job ends, and its lease with it.
    Store(StoreError),
}

impl From<StoreError> for Obstacle {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<MediaError> for Obstacle {
    fn from(error: MediaError) -> Self {
        Self::Postponed(Some(error.to_string()))
    }
}

impl From<TranscodeError> for Obstacle {
    fn from(error: TranscodeError) -> Self {
        match error {
            TranscodeError::NotMedia(_) | TranscodeError::Failed(_) | TranscodeError::Stalled(_) => {
                Self::Failed(error.to_string())
            }
            TranscodeError::Unavailable(_) | TranscodeError::Full => Self::Postponed(Some(error.to_string())),
            TranscodeError::Stopped => Self::Postponed(None),
        }
    }
}

impl Clips {
    /// Prepares one clip after the other until the stop.
    async fn prepare_all(&self, context: &TaskContext) {
        let mut wake_ups = self.core.wake_ups.listen();
        while !context.stop.is_cancelled() {
            match self.prepare_next(context).await {
                Ok(true) => continue,
                Ok(false) => {}
                Err(error) => tracing::warn!(%error, "preparing clips is tried again"),
            }
            let woken = async {
                while let Ok(heard) = wake_ups.recv().await {
                    if matches!(heard, WakeUp::Clips | WakeUp::Everything) {
                        break;
                    }
                }
            };
            let _ = context.stop.run_until_cancelled(timeout(SEARCH, woken)).await;
        }
    }

    /// Prepares the next clip. Returns whether there was one.
    async fn prepare_next(&self, context: &TaskContext) -> Result<bool, StoreError> {
        let (job, now) = (JobId(self.core.id()), self.core.now());
        let only_kept = self.outside.media.has_bucket();
        let claimed = self.core.worker_store.claim_clip(job, only_kept, now, now.plus(LEASE)).await?;
        let Some(clip) = claimed else { return Ok(false) };
        if !clip.is_at_work() {
            tracing::error!(clip = %clip.id, error = clip.error(), "a clip is given up");
            return Ok(true);
        }
        context.show(json!({"clip": clip.id, "name": clip.name, "state": clip.state.name()}));
        let work = Work { clips: self, id: clip.id, job };
        let done = work.run(clip, &context.stop).await;
        context.show(json!({}));
        self.outside.media.discard(work.id, job).await;
        let step = match done {
            Ok(()) => return Ok(true),
            Err(Obstacle::Lost) => {
                // If it was deleted, what was just written goes too.
                if self.core.worker_store.clip(&Scope::system(), work.id).await?.is_none() {
                    self.remove_files(work.id).await;
                }
                return Ok(true);
            }
            Err(Obstacle::Store(error)) => return Err(error),
            Err(Obstacle::Failed(error)) => {
                tracing::warn!(clip = %work.id, error, "a clip cannot be prepared");
                Step::Failed(error)
            }
            Err(Obstacle::Postponed(reason)) => {
                if let Some(reason) = &reason {
                    tracing::warn!(clip = %work.id, reason, "a clip is prepared later");
                }
                Step::Postponed(reason)
            }
        };
        let now = self.core.now();
        // A stop is no reason to wait.
        let pause = if step == Step::Postponed(None) { Duration::ZERO } else { POSTPONED };
        self.core.worker_store.record_step(work.id, job, &step, now.plus(pause), now).await?;
        Ok(true)
    }
}

/// A clip that is being prepared.
#[derive(Clone, Copy)]
struct Work<'a> {
    clips: &'a Clips,
    id: ClipId,
    job: JobId,
}

impl Work<'_> {
    /// Records a step.
    async fn record(&self, step: &Step) -> Result<Clip, Obstacle> {
        let core = &self.clips.core;
        let now = core.now();
        let after = core.worker_store.record_step(self.id, self.job, step, now.plus(LEASE), now).await?;
        after.ok_or(Obstacle::Lost)
    }

    /// Prepares the clip, and renews the lease meanwhile.
    async fn run(&self, clip: Clip, stop: &CancellationToken) -> Result<(), Obstacle> {
        let (progress, stop) = (watch::Sender::new(0.0), stop.child_token());
        let renew = async {
            loop {
                sleep(RENEW).await;
                let shown = *progress.borrow();
                match self.record(&Step::Progress(shown)).await {
                    Ok(_) => {}
                    // While the database is unreachable the work continues. Should the lease end, another job begins, and
                    // does no harm: it writes another file.
                    Err(Obstacle::Store(error)) => {
                        tracing::debug!(clip = %self.id, %error, "a lease is not renewed");
                    }
                    Err(obstacle) => return obstacle,
                }
            }
        };
        tokio::select! {
            done = self.prepare(clip, &progress, &stop) => done,
            // Dropping the other future kills what it runs.
            obstacle = renew => Err(obstacle),
        }
    }

    async fn prepare(
        &self,
        clip: Clip,
        progress: &watch::Sender<f32>,
        stop: &CancellationToken,
    ) -> Result<(), Obstacle> {
        let outside = &self.clips.outside;
        let hash = match clip.source {
            Some(hash) => hash,
            None => outside.media.keep_source(self.id).await?,
        };
        let fetched = stop.run_until_cancelled(outside.media.source(self.id, &hash)).await;
        let source = fetched.ok_or(Obstacle::Postponed(None))??;
        let (mut clip, probe) = match clip.probe.clone() {
            Some(probe) => (clip, probe),
            None => {
                let probe = outside.transcoder.probe(&source).await?;
                probe.check().map_err(Obstacle::Failed)?;
                (self.record(&Step::Probed(hash, probe.clone())).await?, probe)
            }
        };
        while let (ClipState::Normalizing { .. }, Some(profile)) = (&clip.state, clip.next_rendition()) {
            progress.send_replace(0.0);
            let file = self.convert(&source, &probe, &profile, progress, stop).await?;
            clip = self.record(&Step::Made(profile, file)).await?;
            // Channels that wait for it.
            self.clips.core.wake_ups.send(WakeUp::Clips);
            tracing::info!(clip = %self.id, name = %clip.name, state = clip.state.name(), "a rendition of a clip is made");
        }
        Ok(())
    }

    /// Makes a rendition, and checks it before it is kept.
    async fn convert(
        &self,
        source: &std::path::Path,
        probe: &Probe,
        profile: &Profile,
        progress: &watch::Sender<f32>,
        stop: &CancellationToken,
    ) -> Result<MediaFile, Obstacle> {
        let outside = &self.clips.outside;
        let target = outside.media.work_file(self.id, self.job).await?;
        let max_bytes = self.room().await?;
        let conversion = Conversion { source, probe, target: &target, profile, max_bytes };
        outside.transcoder.convert(conversion, progress, stop).await?;
        let made = outside.transcoder.probe(&target).await?;
        let checked = made.check_rendition(profile, probe);
        let duration_ms = checked
            .map_err(|why| Obstacle::Failed(format!("the converted file is not as it must be: {why}")))?;
        let (hash, size) = self.keep(stop).await?;
        Ok(MediaFile { hash, size, duration_ms })
    }

    /// Keeps what was made, and waits while the bucket cannot be used: making it again would take longer.
    async fn keep(&self, stop: &CancellationToken) -> Result<(ContentHash, u64), Obstacle> {
        let kept = async {
            loop {
                match self.clips.outside.media.keep_rendition(self.id, self.job).await {
                    Err(MediaError::Bucket(why)) => {
                        tracing::warn!(clip = %self.id, why, "storing a prepared clip in the bucket is tried again");
                        sleep(POSTPONED).await;
                    }
                    kept => return kept,
                }
            }
        };
        Ok(stop.run_until_cancelled(kept).await.ok_or(Obstacle::Postponed(None))??)
    }

    /// How many bytes a rendition may have.
    async fn room(&self) -> Result<u64, Obstacle> {
        let taken = self.clips.core.worker_store.clip_bytes().await?;
        let free = self.clips.outside.media.free_bytes().await?.saturating_sub(super::RESERVE);
        Ok(self.clips.settings.max_bytes.saturating_sub(taken).min(free))
    }
}
