//! Brings uploads to the bucket, and renditions from it before they are played. Only with a bucket.
//!
//! An upload is on the instance that took it, which keeps it in the bucket as soon as it is complete. Then any instance
//! prepares it. What a channel plays is fetched by the instance that runs the channel; meanwhile it plays without that clip.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use serde_json::json;
use tokio::time::{Instant, timeout};

use super::Clips;
use super::wanted::TransferStatus;
use crate::app::task::{LongRunningTask, Task, TaskContext, TaskError};
use crate::domain::access::Scope;
use crate::domain::clip::{Clip, ContentHash};
use crate::ports::{MediaError, Result as StoreResult, WakeUp};

/// How often an upload to keep is searched for without a wake-up.
const SEARCH: Duration = Duration::from_secs(2);
/// How often uploads that are not on this machine are searched for in the bucket: their instance may have been killed before
/// it could record that they are there.
const SEARCH_BUCKET: Duration = Duration::from_secs(30);
/// How often the bucket is checked.
const CHECK: Duration = Duration::from_secs(10);
/// How many files are fetched at once.
const FETCHES: usize = 2;

/// The task that transfers files.
pub struct ClipTransfers(pub Arc<Clips>);

impl Task for ClipTransfers {
    fn name(&self) -> String {
        "clip-transfers".to_owned()
    }

    fn description(&self) -> &'static str {
        "Brings uploaded clips to the bucket, and prepared ones from it before they are played."
    }
}

#[async_trait]
impl LongRunningTask for ClipTransfers {
    async fn run(&mut self, context: &TaskContext) -> Result<(), TaskError> {
        let (clips, stop) = (&self.0, &context.stop);
        let fetches = join_all((0..FETCHES).map(|_| clips.fetch_wanted()));
        let all = async { tokio::join!(clips.keep_uploads(context), clips.check_bucket(), fetches) };
        stop.run_until_cancelled(all).await;
        Ok(())
    }
}

impl Clips {
    /// The transfers of this instance; `None` without a bucket.
    pub fn transfers(&self) -> Option<TransferStatus> {
        self.outside.media.has_bucket().then(|| self.transfers.status())
    }

    async fn check_bucket(&self) -> ! {
        loop {
            let found = self.outside.media.check().await.err().map(|error| error.to_string());
            let before = self.transfers.bucket_was_checked(found.clone());
            match (&before, &found) {
                (_, Some(why)) if before != found => {
                    tracing::error!("{why}; what is on this machine is played, and the rest is tried again");
                }
                (Some(_), None) => tracing::info!("the bucket of the clips can be used again"),
                _ => {}
            }
            tokio::time::sleep(CHECK).await;
        }
    }

    /// Fetches what is wanted, one after the other.
    async fn fetch_wanted(&self) -> ! {
        loop {
            let fetch = self.transfers.next().await;
            let (clip, file) = fetch.wanted;
            let fetched = self.outside.media.fetch_rendition(clip, &file).await;
            drop(fetch);
            match fetched {
                Ok(()) => {
                    tracing::info!(%clip, bytes = file.size, "a prepared clip was fetched from the bucket");
                    self.transfers.has_fetched();
                    // Channels that wait for it.
                    self.core.wake_ups.send(WakeUp::Clips);
                }
                Err(error) => {
                    let why = format!("clip {clip} cannot be fetched: {error}");
                    if self.transfers.has_failed(&why) {
                        tracing::warn!("{why}; this is tried again while a channel plays it");
                    }
                }
            }
        }
    }

    /// Keeps uploads that are complete, one after the other.
    async fn keep_uploads(&self, context: &TaskContext) -> ! {
        let (mut wake_ups, mut searched) = (self.core.wake_ups.listen(), None::<Instant>);
        loop {
            let is_due = searched.is_none_or(|at| at.elapsed() >= SEARCH_BUCKET);
            if is_due {
                searched = Some(Instant::now());
            }
            if let Err(error) = self.keep_all(is_due, context).await {
                tracing::warn!(%error, "bringing uploads to the bucket is tried again");
            }
            let woken = async {
                while let Ok(heard) = wake_ups.recv().await {
                    if matches!(heard, WakeUp::Clips | WakeUp::Everything) {
                        break;
                    }
                }
            };
            let _ = timeout(SEARCH, woken).await;
        }
    }

    /// Keeps the uploads of this machine; if `all`, also finds those of others that are in the bucket.
    async fn keep_all(&self, all: bool, context: &TaskContext) -> StoreResult<()> {
        for clip in self.core.worker_store.clips_to_keep().await? {
            let is_here = self.outside.media.has_upload(clip.id, clip.size).await.unwrap_or(false);
            if is_here {
                context.show(json!({"clip": clip.id, "name": clip.name, "bytes": clip.size}));
                if clip.error().is_none() {
                    let why = "it is being stored in the bucket".to_owned();
                    self.record_kept(&clip, &Err(why)).await?;
                }
            }
            if is_here || all {
                self.keep(&clip, is_here).await?;
            }
            context.show(json!({}));
        }
        Ok(())
    }

    async fn keep(&self, clip: &Clip, is_here: bool) -> StoreResult<()> {
        match self.outside.media.keep_source(clip.id).await {
            Ok(hash) => {
                if self.record_kept(clip, &Ok(hash)).await?.is_some() {
                    tracing::info!(clip = %clip.id, name = %clip.name, "an upload is stored in the bucket");
                    self.core.wake_ups.send(WakeUp::Clips);
                } else if self.core.worker_store.clip(&Scope::system(), clip.id).await?.is_none() {
                    // It was deleted meanwhile.
                    self.remove_files(clip.id).await;
                }
            }
            Err(error) if !is_here => {
                // Another instance has it, or it is lost.
                if !matches!(error, MediaError::Missing(_)) {
                    tracing::debug!(clip = %clip.id, %error, "an upload cannot be searched for in the bucket");
                }
            }
            Err(error) => {
                let why = error.to_string();
                if clip.error() != Some(&why) {
                    tracing::warn!(clip = %clip.id, why, "an upload is stored in the bucket later");
                    self.record_kept(clip, &Err(why)).await?;
                }
            }
        }
        Ok(())
    }

    async fn record_kept(
        &self,
        clip: &Clip,
        kept: &Result<ContentHash, String>,
    ) -> StoreResult<Option<Clip>> {
        self.core.worker_store.record_kept(clip.id, kept, self.core.now()).await
    }
}
