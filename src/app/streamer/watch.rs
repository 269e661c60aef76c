//! What the loops of the watcher share.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use strum::VariantArray as _;
use tokio::sync::Notify;

use super::Streamers;
use super::poll_queue::PollQueue;
use super::watchlist::Watchlist;
use crate::domain::streamer::decide::Report;
use crate::domain::streamer::feed::{FeedState, FeedStatus, WatchStatus};
use crate::domain::streamer::{Learned, Status};
use crate::ports::{KickApi, StoreError, WakeUp};

pub(super) struct Watch {
    pub(super) app: Arc<Streamers>,
    pub(super) kick: Arc<dyn KickApi>,
    watchlist: Mutex<Watchlist>,
    queue: Mutex<PollQueue>,
    /// The poll queue has new entries.
    pub(super) poll_wanted: Notify,
    /// The watchlist should be read again.
    pub(super) refresh_wanted: Notify,
    /// There may be names without ids.
    pub(super) watchlist_changed: Notify,
    needs_channel_ids: bool,
    status: Mutex<WatchStatus>,
    pub(super) status_changed: Notify,
}

impl Watch {
    pub(super) fn new(app: Arc<Streamers>, kick: Arc<dyn KickApi>, needs_channel_ids: bool) -> Self {
        Self {
            status: Mutex::new(WatchStatus::new(app.now())),
            app,
            kick,
            watchlist: Mutex::default(),
            queue: Mutex::default(),
            poll_wanted: Notify::new(),
            refresh_wanted: Notify::new(),
            watchlist_changed: Notify::new(),
            needs_channel_ids,
            status_changed: Notify::new(),
        }
    }

    pub(super) fn watchlist(&self) -> MutexGuard<'_, Watchlist> {
        self.watchlist.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn queue(&self) -> MutexGuard<'_, PollQueue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn present_status(&self) -> WatchStatus {
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        status.at = self.app.now();
        status.clone()
    }

    pub(super) fn set_status(&self, change: impl FnOnce(&mut WatchStatus)) {
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        let before = status.clone();
        change(&mut status);
        if *status != before {
            self.status_changed.notify_one();
        }
    }

    pub(super) fn set_feed_status(&self, feed: FeedStatus) {
        show_state(Some(feed.state));
        self.set_status(|status| {
            if feed.state == FeedState::Rejected && status.feed.state != FeedState::Rejected {
                let error = feed.error.as_deref().unwrap_or("no reason given");
                tracing::error!(
                    error,
                    "Kick's feed refuses us; only full polls show who is live until it is tried again"
                );
            }
            status.feed = feed;
        });
    }

    /// Stores reports without a retry, and schedules checks of the doubtful ones.
    pub(super) async fn record(&self, reports: &[Report]) -> Result<(), StoreError> {
        if reports.is_empty() {
            return Ok(());
        }
        let recorded = self.app.record_reports(reports).await?;
        {
            let mut watchlist = self.watchlist();
            for one in &recorded {
                if let Some(change) = &one.change {
                    watchlist.set_status(one.streamer, change.new_status);
                } else if one.verify {
                    watchlist.set_contradicted(one.streamer);
                }
            }
        }
        let verify = recorded.iter().filter(|one| one.verify);
        let verify: BTreeMap<_, _> = verify.map(|one| (one.streamer, one.change.is_some())).collect();
        if !verify.is_empty() {
            self.queue().check(verify);
            self.poll_wanted.notify_one();
        }
        Ok(())
    }

    pub(super) async fn learn(&self, learned: &[Learned]) -> Result<(), StoreError> {
        if learned.is_empty() {
            return Ok(());
        }
        self.app.core.worker_store.learn(learned, self.app.now()).await?;
        self.app.core.wake_ups.send(WakeUp::Events);
        self.refresh_wanted.notify_one();
        Ok(())
    }

    pub(super) fn count_rows(&self) {
        let (mut counts, mut unresolved) = (BTreeMap::<&str, u32>::new(), 0);
        let watched = {
            let watchlist = self.watchlist();
            for (_, row) in watchlist.rows() {
                *counts.entry(row.status.as_str()).or_default() += 1;
                let is_deaf = self.needs_channel_ids && row.ids.channel.is_none();
                unresolved += u32::from(row.ids.user.is_none() || is_deaf || row.has_problem);
            }
            u32::try_from(watchlist.len()).unwrap_or(u32::MAX)
        };
        show_rows(&counts, unresolved);
        self.set_status(|status| (status.watched, status.unresolved) = (watched, unresolved));
    }
}

/// Shows the state of the feed in metrics; `None` if this instance does not watch.
fn show_state(state: Option<FeedState>) {
    for one in FeedState::VARIANTS {
        let value = u32::from(state == Some(*one));
        metrics::gauge!("streamward_kick_feed_state", "state" => one.as_str()).set(value);
    }
}

/// Shows the number of streamers by status in metrics.
fn show_rows(counts: &BTreeMap<&str, u32>, unresolved: u32) {
    for status in Status::VARIANTS {
        let count = counts.get(status.as_str()).copied().unwrap_or(0);
        metrics::gauge!("streamward_streamers", "status" => status.as_str()).set(count);
    }
    metrics::gauge!("streamward_streamers_unresolved").set(unresolved);
}

/// Clears the metrics: this instance no longer watches.
impl Drop for Watch {
    fn drop(&mut self) {
        show_state(None);
        metrics::gauge!("streamward_kick_queue").set(0);
        show_rows(&BTreeMap::new(), 0);
    }
}
