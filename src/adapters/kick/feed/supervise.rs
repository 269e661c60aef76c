//! Which provider, which connections, and how they are: everything above a single connection.

use std::collections::{BTreeSet, HashMap};
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use tokio::select;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

use super::SharedState;
use super::backoff::Backoff;
use super::plan::{Plan, Slot};
use super::protocol::{Ended, Reconnect};
use super::realtime::Provider;
use super::send_buffer::SendBuffer;
use super::settings::{FeedSettings, MOST_ON_CENTRIFUGO};
use super::shard::Shard;
use crate::domain::streamer::feed::{FeedState, FeedStatus};
use crate::domain::streamer::{ChannelId, Source};
use crate::ports::{FeedSignal, Wanted};

type WantedReceiver = watch::Receiver<Arc<Wanted>>;
/// How a shard is told its channels, and to stop.
type Handle = (watch::Sender<Arc<BTreeSet<ChannelId>>>, CancellationToken);

/// Watches, and never returns.
pub(super) async fn watch(
    shared: Arc<SharedState>,
    settings: &FeedSettings,
    wanted: WantedReceiver,
    out: mpsc::Sender<FeedSignal>,
) {
    let _gone = GaugesGone;
    select! {
        () = provide(&shared, settings, wanted.clone(), &out) => {}
        () = report(&shared, wanted, &out) => {}
        // Nobody listens: everything else is dropped, connections included.
        () = out.closed() => {}
    }
    pending::<()>().await;
}

/// Finds a provider and stays with it for as long as that is possible, again and again.
async fn provide(
    shared: &Arc<SharedState>,
    settings: &FeedSettings,
    mut wanted: WantedReceiver,
    out: &mpsc::Sender<FeedSignal>,
) {
    let mut backoff = Backoff::default();
    // There is nothing to do without anybody to watch, and if nobody can ask any more.
    while wanted.wait_for(|wanted| !wanted.channels.is_empty()).await.is_ok() {
        let begun = Instant::now();
        let ended = match shared.realtime.provider(settings, shared.ids.uuid()).await {
            Ok(provider) => {
                tracing::info!(
                    provider = provider.source.as_str(),
                    host = provider.url.host_str(),
                    "the feed begins"
                );
                session(shared, settings, &provider, &mut wanted, out).await
            }
            Err(ended) => {
                shared.connection_ended("none", &ended);
                ended
            }
        };
        let is_rejected = ended.reconnect == Reconnect::Rejected;
        shared.statuses.trouble(is_rejected, ended.text.clone());
        let wait = if is_rejected {
            metrics::counter!("streamward_kick_feed_rejections_total").increment(1);
            let (error, seconds) = (ended.text, shared.timing.rejected.as_secs());
            tracing::warn!(
                error,
                seconds,
                "the feed was refused; until it is tried again only the sweep tells who is live"
            );
            shared.timing.rejected
        } else {
            backoff.wait(ended.reconnect, begun.elapsed(), &shared.timing, Instant::now(), shared.random())
        };
        sleep(wait).await;
    }
    pending::<()>().await;
}

/// Watches through one provider, until it refuses us or none of its connections could be made for long.
async fn session(
    shared: &Arc<SharedState>,
    settings: &FeedSettings,
    provider: &Provider,
    wanted: &mut WantedReceiver,
    out: &mpsc::Sender<FeedSignal>,
) -> Ended {
    shared.statuses.begin(provider.source);
    let most = match provider.source {
        Source::Centrifugo => settings.channels_per_connection.min(MOST_ON_CENTRIFUGO),
        _ => settings.channels_per_connection,
    };
    let mut plan = Plan::new(most);
    let mut places: HashMap<Slot, Handle> = HashMap::new();
    let mut shards = JoinSet::new();
    let mut looks = interval((shared.timing.renegotiate / 4).max(Duration::from_millis(1)));
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let ended = loop {
        let channels = Arc::clone(&wanted.borrow_and_update());
        for (slot, here) in plan.update(&channels.channels) {
            let here = Arc::new(here);
            match places.remove(&slot) {
                Some((_, stop)) if here.is_empty() => stop.cancel(),
                Some((place, stop)) => {
                    place.send_replace(here);
                    places.insert(slot, (place, stop));
                }
                None => {
                    let ((place, wanted), stop) = (watch::channel(here), CancellationToken::new());
                    let shard = Shard {
                        slot,
                        shared: Arc::clone(shared),
                        provider: provider.clone(),
                        client: shared.ids.uuid(),
                        wanted,
                        buffer: SendBuffer::new(out.clone()),
                    };
                    shared.statuses.expect(slot);
                    shards.spawn(shard.run(stop.clone()));
                    places.insert(slot, (place, stop));
                }
            }
        }
        let ended = loop {
            select! {
                () = changed(wanted) => break None,
                Some(over) = shards.join_next() => match over {
                    Ok(None) => {}
                    Ok(Some(rejected)) => break Some(rejected),
                    Err(error) => {
                        tracing::error!(%error, "a connection of the feed failed in a way it should not");
                        break Some(Ended::new(Reconnect::AfterBackoff, "failed", "a connection failed in a way it should not"));
                    }
                },
                _ = looks.tick(), if provider.negotiated => {
                    let disconnected = shared.statuses.disconnected_since().map(|since| since.elapsed());
                    if disconnected.is_some_and(|disconnected| disconnected >= shared.timing.renegotiate) {
                        let text = "there was no connection for long; Kick is asked again which feed it serves";
                        break Some(Ended::new(Reconnect::Soon, "disconnected", text));
                    }
                }
            }
        };
        if let Some(ended) = ended {
            break ended;
        }
    };
    for (_, stop) in places.values() {
        stop.cancel();
    }
    // What they have heard is still told.
    while shards.join_next().await.is_some() {}
    ended
}

/// Tells how the feed is whenever that changes, but not too often.
async fn report(shared: &SharedState, mut wanted: WantedReceiver, out: &mpsc::Sender<FeedSignal>) {
    let mut told = None;
    while !out.is_closed() {
        let status = shared.statuses.status(wanted.borrow_and_update().channels.len());
        if told.as_ref() != Some(&status) {
            gauges(&status);
            told = Some(status.clone());
            let _ = out.send(FeedSignal::Status(status)).await;
            sleep(shared.timing.status_every).await;
        }
        select! {
            () = shared.statuses.changed() => {}
            () = changed(&mut wanted) => {}
        }
    }
}

async fn changed(wanted: &mut WantedReceiver) {
    if wanted.changed().await.is_err() {
        // Nobody can change it any more.
        pending::<()>().await;
    }
}

fn gauges(status: &FeedStatus) {
    let connections = |state: &'static str, number: u32| {
        metrics::gauge!("streamward_kick_feed_connections", "state" => state).set(number);
    };
    connections("connected", status.connected);
    connections("connecting", status.connections.saturating_sub(status.connected));
    let subscriptions = |state: &'static str, number: u32| {
        metrics::gauge!("streamward_kick_feed_subscriptions", "state" => state).set(number);
    };
    subscriptions("acknowledged", status.subscribed);
    subscriptions("missing", status.wanted.saturating_sub(status.subscribed));
    let is_rejected = u32::from(status.state == FeedState::Rejected);
    metrics::gauge!("streamward_kick_feed_rejected").set(is_rejected);
}

/// Whoever stops watching has no connections.
struct GaugesGone;

impl Drop for GaugesGone {
    fn drop(&mut self) {
        gauges(&FeedStatus::default());
    }
}
