//! Chooses the provider, starts and stops its connections, and reports the status of the feed.

use std::collections::{BTreeSet, HashMap};
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use tokio::select;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::backoff::Backoff;
use super::plan::{Plan, Slot};
use super::protocol::{Ended, Reconnect};
use super::realtime::Provider;
use super::send_buffer::SendBuffer;
use super::settings::MOST_ON_CENTRIFUGO;
use super::shard::Shard;
use super::shared_state::SharedState;
use crate::domain::streamer::feed::{FeedState, FeedStatus};
use crate::domain::streamer::{ChannelId, Source};
use crate::ports::{FeedSignal, Wanted};

/// Shortest time between two reports of the feed's status.
const STATUS_EVERY: Duration = Duration::from_millis(100);

type WantedReceiver = watch::Receiver<Arc<Wanted>>;

/// Watches, and never returns.
pub(super) async fn watch(shared: Arc<SharedState>, wanted: WantedReceiver, out: mpsc::Sender<FeedSignal>) {
    let _reset = ResetGauges;
    select! {
        () = run(&shared, wanted.clone(), &out) => {}
        () = report(&shared, wanted, &out) => {}
        // The receiver is gone: drop all connections.
        () = out.closed() => {}
    }
    pending::<()>().await;
}

/// Runs one session after the other.
async fn run(shared: &Arc<SharedState>, mut wanted: WantedReceiver, out: &mpsc::Sender<FeedSignal>) {
    let mut backoff = Backoff::new(shared.settings.timing);
    // Ends when no channel is wanted and the sender is gone.
    while wanted.wait_for(|wanted| !wanted.channels.is_empty()).await.is_ok() {
        let begun = Instant::now();
        let ended = match shared.realtime.provider(&shared.settings, shared.ids.uuid()).await {
            Ok(provider) => {
                let host = provider.url.host_str();
                tracing::info!(provider = provider.source.as_str(), host, "connecting to the feed");
                session(shared, &provider, &mut wanted, out).await
            }
            Err(ended) => {
                shared.connection_ended("none", &ended);
                ended
            }
        };
        let is_rejected = ended.reconnect == Reconnect::Rejected;
        shared.statuses.fail(is_rejected, ended.text.clone());
        let wait = if is_rejected {
            metrics::counter!("streamward_kick_feed_rejections_total").increment(1);
            let (error, seconds) = (ended.text, shared.settings.timing.rejected.as_secs());
            tracing::warn!(
                error,
                seconds,
                "the feed refused us; only full polls show who is live until it is tried again"
            );
            shared.settings.timing.rejected
        } else {
            backoff.wait(ended.reconnect, begun.elapsed(), Instant::now(), shared.random())
        };
        sleep(wait).await;
    }
    pending::<()>().await;
}

/// Watches through one provider until it rejects us, or has had no connection for a long time.
async fn session(
    shared: &Arc<SharedState>,
    provider: &Provider,
    wanted: &mut WantedReceiver,
    out: &mpsc::Sender<FeedSignal>,
) -> Ended {
    shared.statuses.begin(provider.source);
    let most = if provider.source == Source::Centrifugo { MOST_ON_CENTRIFUGO } else { usize::MAX };
    let most = most.min(shared.settings.channels_per_connection);
    let mut plan = Plan::new(most);
    let mut handles: HashMap<Slot, watch::Sender<Arc<BTreeSet<ChannelId>>>> = HashMap::new();
    let mut shards = JoinSet::new();
    let mut checks = interval((shared.settings.timing.renegotiate / 4).max(Duration::from_millis(1)));
    checks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let ended = loop {
        let current = Arc::clone(&wanted.borrow_and_update());
        for (slot, channels) in plan.update(&current.channels) {
            if channels.is_empty() {
                handles.remove(&slot);
            } else if let Some(sender) = handles.get(&slot) {
                sender.send_replace(Arc::new(channels));
            } else {
                let (sender, wanted) = watch::channel(Arc::new(channels));
                let (shared, provider) = (Arc::clone(shared), provider.clone());
                let (client, buffer) = (shared.ids.uuid(), SendBuffer::new(out.clone()));
                shared.statuses.add(slot);
                shards.spawn(Shard { slot, shared, provider, client, wanted, buffer }.run());
                handles.insert(slot, sender);
            }
        }
        select! {
            () = changed(wanted) => {}
            Some(finished) = shards.join_next() => match finished {
                Ok(None) => {}
                Ok(Some(rejected)) => break rejected,
                Err(error) => {
                    tracing::error!(%error, "a connection task of the feed panicked");
                    break Ended::new(Reconnect::AfterBackoff, "failed", "a connection task panicked");
                }
            },
            _ = checks.tick(), if provider.negotiated => {
                let since = shared.statuses.disconnected_since();
                if since.is_some_and(|since| since.elapsed() >= shared.settings.timing.renegotiate) {
                    let text = "no connection for a long time; requesting the feed from Kick again";
                    break Ended::new(Reconnect::Soon, "disconnected", text);
                }
            }
        }
    };
    // The connections end, and send what they have received.
    drop(handles);
    while shards.join_next().await.is_some() {}
    ended
}

/// Sends the status of the feed whenever it changes, but not too often.
async fn report(shared: &SharedState, mut wanted: WantedReceiver, out: &mpsc::Sender<FeedSignal>) {
    let (mut sent, mut changes) = (None, shared.statuses.changes());
    while !out.is_closed() {
        let status = shared.statuses.feed_status(wanted.borrow_and_update().channels.len());
        if sent.as_ref() != Some(&status) {
            set_gauges(&status);
            sent = Some(status.clone());
            let _ = out.send(FeedSignal::Status(status)).await;
            sleep(STATUS_EVERY).await;
        }
        select! {
            Ok(()) = changes.changed() => {}
            () = changed(&mut wanted) => {}
        }
    }
}

async fn changed(wanted: &mut WantedReceiver) {
    if wanted.changed().await.is_err() {
        // The sender is gone.
        pending::<()>().await;
    }
}

fn set_gauges(status: &FeedStatus) {
    let missing = status.wanted.saturating_sub(status.subscribed);
    let connecting = status.connections.saturating_sub(status.connected);
    metrics::gauge!("streamward_kick_feed_connections", "state" => "connected").set(status.connected);
    metrics::gauge!("streamward_kick_feed_connections", "state" => "connecting").set(connecting);
    metrics::gauge!("streamward_kick_feed_subscriptions", "state" => "acknowledged").set(status.subscribed);
    metrics::gauge!("streamward_kick_feed_subscriptions", "state" => "missing").set(missing);
    let is_rejected = u32::from(status.state == FeedState::Rejected);
    metrics::gauge!("streamward_kick_feed_rejected").set(is_rejected);
}

/// An instance that stops watching has no connections.
struct ResetGauges;

impl Drop for ResetGauges {
    fn drop(&mut self) {
        set_gauges(&FeedStatus::default());
    }
}
