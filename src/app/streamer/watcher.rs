//! The watcher: keeps the status of every active streamer correct. One instance at a time runs it.
//!
//! Its loops do not wait for each other: one stores the feed's updates (`ingest.rs`), one polls Kick's API (`poll.rs`),
//! one finds the ids of names (`lookup.rs`), and one reads the watchlist from the store.

use std::convert::Infallible;
use std::future::pending;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::Streamers;
use super::ingest;
use super::lookup::{Lookups, NameSource};
use super::watch::Watch;
use crate::app::task::{LongRunningTask, OnLeaseDoubt, Placement, Task, TaskContext, TaskError};
use crate::domain::access::Scope;
use crate::domain::page::Page;
use crate::domain::streamer::feed::{FeedState, FeedStatus};
use crate::ports::{FeedSignal, KickApi, StatusFeed, StreamerFilter, WakeUp, Wanted};

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
        let watch = Watch::new(Arc::clone(&self.app), Arc::clone(&self.kick), self.needs_channel_ids);
        let (signals, incoming) = mpsc::channel(SIGNALS);
        let mut ingest = pin!(ingest::run(&watch, incoming));
        tokio::select! {
            () = context.stop.cancelled() => {}
            never = self.watch(&watch, signals, context) => match never {},
            () = &mut ingest => return Ok(()),
        }
        // The feed has ended. Its last signals are still stored.
        ingest.await;
        Ok(())
    }
}

impl Watcher {
    /// All loops except the one that stores the feed's signals.
    async fn watch(
        &self,
        watch: &Watch,
        signals: mpsc::Sender<FeedSignal>,
        context: &TaskContext,
    ) -> Infallible {
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
            pending::<Infallible>().await
        };
        let site_names = async {
            if self.needs_channel_ids {
                Lookups::new(watch, NameSource::Site).run().await;
            }
            pending::<Infallible>().await
        };
        tokio::select! {
            never = feed => never,
            never = refresh_watchlist(watch, wake_ups, wanted) => never,
            never = watch.poll() => never,
            never = Lookups::new(watch, NameSource::Api).run() => never,
            never = site_names => never,
            never = announce(watch) => never,
            never = write_status(watch, context) => never,
        }
    }
}

/// Reads the watchlist regularly and on a wake-up.
async fn refresh_watchlist(
    watch: &Watch,
    mut wake_ups: broadcast::Receiver<WakeUp>,
    wanted: watch::Sender<Arc<Wanted>>,
) -> ! {
    let mut is_first = true;
    loop {
        let read_at = Instant::now();
        let filter = StreamerFilter { is_active: Some(true), ..StreamerFilter::default() };
        match watch.app.core.worker_store.streamers(&Scope::system(), &filter, &Page::default()).await {
            Ok(streamers) => {
                let difference = watch.watchlist().replace(streamers);
                if difference.is_changed || is_first {
                    watch.count_rows();
                    let now_wanted = watch.watchlist().wanted();
                    wanted.send_if_modified(|before| {
                        let is_other = **before != now_wanted;
                        *before = Arc::new(now_wanted);
                        is_other || is_first
                    });
                    is_first = false;
                }
                if !difference.new_users.is_empty() {
                    watch.queue().add_new(difference.new_users);
                    watch.poll_wanted.notify_one();
                }
                watch.watchlist_changed.notify_waiters();
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
                    Err(RecvError::Closed) => pending().await,
                }
            }
        };
        tokio::select! {
            () = woken => {}
            () = watch.refresh_wanted.notified() => {}
            () = sleep(REFRESH) => {}
        }
        // Wait briefly, so that a batch written by another program is read as one.
        sleep_until(read_at + SPACING).await;
        sleep(Duration::from_millis(20)).await;
    }
}

/// Announces streamers that stayed offline for the flap window.
async fn announce(watch: &Watch) -> ! {
    loop {
        sleep(ANNOUNCE).await;
        if !watch.watchlist().offline_is_due {
            continue;
        }
        match watch.app.core.worker_store.announce_offline(watch.app.now()).await {
            Ok(0) => {}
            Ok(_) => watch.app.core.wake_ups.send(WakeUp::Events),
            Err(error) => {
                tracing::debug!(%error, "an offline status cannot be announced yet; trying again");
            }
        }
    }
}

/// Stores the watch status for other instances and the command line.
async fn write_status(watch: &Watch, context: &TaskContext) -> ! {
    let mut written = Instant::now();
    loop {
        let _ = timeout(HEARTBEAT, watch.status_changed.notified()).await;
        watch.count_rows();
        let status = watch.present_status();
        context.show(json!(status));
        if let Err(error) = watch.app.core.worker_store.keep_watch_status(&status).await {
            tracing::debug!(%error, "the watch status cannot be stored");
        }
        // At most once a second.
        sleep_until(written + Duration::from_secs(1)).await;
        written = Instant::now();
    }
}
