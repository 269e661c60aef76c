//! The watcher: keeps the status of every active streamer correct. One instance at a time runs it.
//!
//! Its loops do not wait for each other: one stores the feed's updates (`ingest.rs`), one polls Kick's API (`poll.rs`),
//! one finds the ids of names (`lookup.rs`), and one reads the watchlist from the store.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;
use strum::VariantArray as _;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Notify, broadcast, mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::Streamers;
use super::ingest;
use super::lookup::{Lookups, NameSource};
use super::poll_queue::PollQueue;
use super::watchlist::Watchlist;
use crate::app::task::{LongRunningTask, OnLeaseDoubt, Placement, Task, TaskContext, TaskError};
use crate::domain::access::Scope;
use crate::domain::streamer::decide::Report;
use crate::domain::streamer::feed::{FeedState, FeedStatus, WatchStatus};
use crate::domain::streamer::{Learned, Status};
use crate::ports::{FeedSignal, KickApi, Recorded, StatusFeed, StoreError, StreamerFilter, WakeUp, Wanted};

/// The time between two reads of the watchlist without a wake-up.
const REFRESH: Duration = Duration::from_secs(10);
/// The shortest time between two reads.
const SPACING: Duration = Duration::from_secs(1);
/// How many signals of the feed may wait to be stored. Beyond that the feed is not read.
const SIGNALS: usize = 100_000;
/// The time between two checks for offline announcements that are due.
const ANNOUNCE: Duration = Duration::from_secs(1);
/// How often the watch status is stored if nothing changed.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Watches streamers. One instance does it at a time.
pub struct Watcher {
    app: Arc<Streamers>,
    feed: Option<Arc<dyn StatusFeed>>,
    kick: Arc<dyn KickApi>,
    needs_channel_ids: bool,
}

impl Watcher {
    /// A watcher that has not started. Without a feed only polls show who is live. `needs_channel_ids`: whether the
    /// feed needs channel ids, which the official API returns only for live streamers.
    pub fn new(
        app: Arc<Streamers>,
        feed: Option<Arc<dyn StatusFeed>>,
        kick: Arc<dyn KickApi>,
        needs_channel_ids: bool,
    ) -> Self {
        Self { app, feed, kick, needs_channel_ids }
    }
}

impl Task for Watcher {
    fn name(&self) -> String {
        "kick:watch".into()
    }

    fn description(&self) -> &'static str {
        "Keeps the status of every active streamer correct."
    }

    fn placement(&self) -> Placement {
        // The feed sends each update once. Updates that arrive while the database is unreachable are stored later.
        Placement::OneInstance(OnLeaseDoubt::Continue)
    }
}

#[async_trait]
impl LongRunningTask for Watcher {
    async fn run(&mut self, context: &TaskContext) -> Result<(), TaskError> {
        let watch = Arc::new(Watch::new(self, context.clone()));
        let (signals, incoming) = mpsc::channel(SIGNALS);
        let mut ingest = pin!(ingest::run(&watch, incoming));
        tokio::select! {
            () = context.stop.cancelled() => {}
            never = self.watch(&watch, signals) => match never {},
            () = &mut ingest => return Ok(()),
        }
        // The feed has ended. Its last signals are still stored.
        ingest.await;
        Ok(())
    }
}

impl Watcher {
    /// All loops except the one that stores the feed's signals.
    async fn watch(&self, watch: &Arc<Watch>, signals: mpsc::Sender<FeedSignal>) -> Infallible {
        let wake_ups = self.app.core.wake_ups.listen();
        let (wanted, mut wanting) = watch::channel(Arc::new(Wanted::default()));
        let feed = async {
            match &self.feed {
                Some(feed) => {
                    // Not before the first read of the store: a feed with subscriptions at Kick would delete them all
                    // while the database is unreachable.
                    if wanting.changed().await.is_ok() {
                        feed.watch(wanting, signals.clone()).await;
                    }
                }
                None => watch.set_feed_status(FeedStatus { state: FeedState::Off, ..FeedStatus::default() }),
            }
            // The other loops continue without it.
            std::future::pending::<Infallible>().await
        };
        let site_names = async {
            if self.needs_channel_ids {
                Lookups::new(watch, NameSource::Site).run().await;
            }
            std::future::pending::<Infallible>().await
        };
        tokio::select! {
            never = feed => never,
            never = watch.refresh_watchlist(wake_ups, wanted) => never,
            never = watch.poll() => never,
            never = Lookups::new(watch, NameSource::Api).run() => never,
            never = site_names => never,
            never = watch.announce() => never,
            never = watch.write_status() => never,
        }
    }
}

/// Shows the state of the feed in metrics; `None` if this instance does not watch.
fn show_state(state: Option<FeedState>) {
    for one in FeedState::VARIANTS {
        let value = u32::from(state == Some(*one));
        metrics::gauge!("streamward_kick_feed_state", "state" => one.as_str()).set(value);
    }
}

/// Clears the metrics: this instance no longer watches.
impl Drop for Watch {
    fn drop(&mut self) {
        show_state(None);
        metrics::gauge!("streamward_kick_queue").set(0);
        metrics::gauge!("streamward_streamers_unresolved").set(0);
        for status in Status::VARIANTS {
            metrics::gauge!("streamward_streamers", "status" => status.as_str()).set(0);
        }
    }
}

/// State that the loops share.
pub(super) struct Watch {
    pub(super) app: Arc<Streamers>,
    pub(super) kick: Arc<dyn KickApi>,
    watchlist: Mutex<Watchlist>,
    queue: Mutex<PollQueue>,
    /// The poll queue has new entries.
    pub(super) poll_wanted: Notify,
    /// The watchlist should be read again.
    refresh_wanted: Notify,
    /// There may be names without ids.
    pub(super) watchlist_changed: Notify,
    /// Whether the feed needs channel ids.
    needs_channel_ids: bool,
    context: TaskContext,
    status: Mutex<WatchStatus>,
    status_changed: Notify,
}

impl Watch {
    fn new(watcher: &Watcher, context: TaskContext) -> Self {
        let status = WatchStatus {
            at: watcher.app.now(),
            feed: FeedStatus::default(),
            watched: 0,
            unresolved: 0,
            queued: 0,
            last_report_at: None,
            last_full_poll_at: None,
            poll_error: None,
        };
        Self {
            app: Arc::clone(&watcher.app),
            kick: Arc::clone(&watcher.kick),
            context,
            watchlist: Mutex::default(),
            queue: Mutex::default(),
            poll_wanted: Notify::new(),
            refresh_wanted: Notify::new(),
            watchlist_changed: Notify::new(),
            needs_channel_ids: watcher.needs_channel_ids,
            status: Mutex::new(status),
            status_changed: Notify::new(),
        }
    }

    pub(super) fn watchlist(&self) -> MutexGuard<'_, Watchlist> {
        self.watchlist.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn queue(&self) -> MutexGuard<'_, PollQueue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
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
        let mut was_rejected = false;
        self.set_status(|status| was_rejected = status.feed.state == FeedState::Rejected);
        if feed.state == FeedState::Rejected && !was_rejected {
            let error = feed.error.as_deref().unwrap_or("no reason given");
            tracing::error!(
                error,
                "Kick's feed refuses us; only full polls show who is live until it is tried again"
            );
        }
        show_state(Some(feed.state));
        self.set_status(|status| status.feed = feed);
    }

    /// Stores reports without a retry, and schedules checks of the doubtful ones.
    pub(super) async fn record(&self, reports: &[Report]) -> Result<Vec<Recorded>, StoreError> {
        if reports.is_empty() {
            return Ok(Vec::new());
        }
        let recorded = self.app.record_reports(reports).await?;
        let mut verify = BTreeMap::new();
        {
            let mut watchlist = self.watchlist();
            for one in &recorded {
                if let Some(change) = &one.change {
                    watchlist.set_status(one.streamer, change.new_status);
                }
                if one.verify {
                    if one.change.is_none() {
                        watchlist.set_contradicted(one.streamer);
                    }
                    verify.insert(one.streamer, one.change.is_some());
                }
            }
        }
        if !verify.is_empty() {
            self.queue().check(verify);
            self.poll_wanted.notify_one();
        }
        Ok(recorded)
    }

    /// Stores ids and names.
    pub(super) async fn learn(&self, learned: &[Learned]) -> Result<(), StoreError> {
        if learned.is_empty() {
            return Ok(());
        }
        self.app.core.worker_store.learn(learned, self.app.now()).await?;
        self.app.core.wake_ups.send(WakeUp::Events);
        self.refresh_wanted.notify_one();
        Ok(())
    }

    /// Reads the watchlist regularly and on a wake-up.
    async fn refresh_watchlist(
        &self,
        mut wake_ups: broadcast::Receiver<WakeUp>,
        wanted: watch::Sender<Arc<Wanted>>,
    ) -> ! {
        let mut is_first = true;
        loop {
            let read_at = Instant::now();
            let filter = StreamerFilter { is_active: Some(true), ..StreamerFilter::default() };
            match self.app.core.worker_store.streamers(&Scope::system(), &filter).await {
                Ok(streamers) => {
                    let (difference, now_wanted) = {
                        let mut watchlist = self.watchlist();
                        let difference = watchlist.replace(streamers);
                        let now_wanted = (difference.is_changed || is_first).then(|| watchlist.wanted());
                        (difference, now_wanted)
                    };
                    if let Some(now_wanted) = now_wanted {
                        self.count_rows();
                        wanted.send_if_modified(|before| {
                            let is_other = **before != now_wanted;
                            *before = Arc::new(now_wanted);
                            is_other || is_first
                        });
                        is_first = false;
                    }
                    if !difference.new_users.is_empty() {
                        self.queue().add_new(difference.new_users);
                        self.poll_wanted.notify_one();
                    }
                    self.watchlist_changed.notify_waiters();
                }
                Err(error) => {
                    tracing::warn!(%error, "the streamers cannot be read; the known ones are still watched");
                }
            }
            let woken = async {
                loop {
                    match wake_ups.recv().await {
                        Ok(WakeUp::Streamers | WakeUp::Everything) | Err(RecvError::Lagged(_)) => return,
                        Ok(_) => {}
                        Err(RecvError::Closed) => std::future::pending().await,
                    }
                }
            };
            tokio::select! {
                () = woken => {}
                () = self.refresh_wanted.notified() => {}
                () = sleep(REFRESH) => {}
            }
            // Wait briefly, so that a batch written by another program is read as one.
            sleep_until(read_at + SPACING).await;
            sleep(Duration::from_millis(20)).await;
        }
    }

    fn count_rows(&self) {
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
        for status in Status::VARIANTS {
            let count = counts.get(status.as_str()).copied().unwrap_or(0);
            metrics::gauge!("streamward_streamers", "status" => status.as_str()).set(count);
        }
        metrics::gauge!("streamward_streamers_unresolved").set(unresolved);
        self.set_status(|status| (status.watched, status.unresolved) = (watched, unresolved));
    }

    /// Announces streamers that stayed offline for the flap window.
    async fn announce(&self) -> ! {
        loop {
            sleep(ANNOUNCE).await;
            if !self.watchlist().offline_is_due {
                continue;
            }
            match self.app.core.worker_store.announce_offline(self.app.now()).await {
                Ok(0) => {}
                Ok(_) => self.app.core.wake_ups.send(WakeUp::Events),
                Err(error) => {
                    tracing::debug!(%error, "an offline status cannot be announced yet; trying again");
                }
            }
        }
    }

    /// Stores the watch status for other instances and the command line.
    async fn write_status(&self) -> ! {
        let mut written = Instant::now();
        loop {
            let _ = timeout(HEARTBEAT, self.status_changed.notified()).await;
            self.count_rows();
            let status = {
                let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
                status.at = self.app.now();
                status.clone()
            };
            self.context.show(json!(status));
            if let Err(error) = self.app.core.worker_store.keep_watch_status(&status).await {
                tracing::debug!(%error, "the watch status cannot be stored");
            }
            // At most once a second.
            sleep_until(written + Duration::from_secs(1)).await;
            written = Instant::now();
        }
    }
}
