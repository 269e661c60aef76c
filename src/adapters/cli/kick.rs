//! `streamward kick …`: the watch status, and tests of Kick's token and feed.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{anyhow, bail};
use clap::Subcommand;
use serde_json::json;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep};

use super::Output;
use super::durations::{ago, length};
use super::streamer::watch_status::{is_bad, state_of, trouble};
use crate::app::streamer::Streamers;
use crate::domain::Timestamp;
use crate::domain::access::Actor;
use crate::domain::streamer::ChannelId;
use crate::domain::streamer::feed::{FeedState, FeedStatus, WatchStatus};
use crate::ports::{FeedSignal, KickApi, StatusFeed, StreamerFilter, Subject, Wanted};

/// How long a feed is tested.
const PROBE: Duration = Duration::from_secs(15);
/// How many channels are tested when none is named.
const FEW: usize = 10;
const SIGNALS: usize = 1_000;

/// Commands about watching Kick.
#[derive(Debug, Subcommand)]
pub enum KickCommand {
    /// Show the watch status; exit code 1 if there is a problem
    Status,
    /// Get a token from Kick with the configured client id and secret, and show how long it is valid; never shows it
    Token,
    /// Connect to the configured feed for up to 15 seconds, and show the result; exit code 1 if it does not connect
    Probe {
        /// Channel ids to subscribe to; by default some of the watched ones
        #[arg(value_name = "CHANNEL_ID")]
        channels: Vec<u64>,
    },
}

/// Shows the watch status.
pub async fn status(streamers: &Streamers, out: &mut Output) -> anyhow::Result<()> {
    let now = streamers.now();
    let status = streamers.watch_status(&Actor::cli("kick status")).await?;
    let trouble = trouble(status.as_ref(), now);
    let is_bad = is_bad(status.as_ref(), now);
    let view = json!({"healthy": !is_bad, "trouble": trouble, "status": status});
    out.thing(&view, || status.as_ref().map_or_else(|| "Nobody watches.".to_owned(), |s| text(s, now)))?;
    match trouble {
        Some(trouble) if is_bad => bail!("{trouble}"),
        _ => Ok(()),
    }
}

fn text(status: &WatchStatus, now: Timestamp) -> String {
    let WatchStatus { at, feed, watched, unresolved, queued, last_report_at, last_full_poll_at, poll_error } =
        status;
    let FeedStatus { connections, connected, wanted, subscribed, .. } = feed;
    let [reported, polled, written] = [*last_report_at, *last_full_poll_at, Some(*at)].map(|at| ago(at, now));
    let mut text = format!(
        "Feed         {}\nConnections  {connected} of {connections}\nChannels     {subscribed} of {wanted} subscribed\n\
         Streamers    {watched} watched, {unresolved} of them unresolved\nQueued       {queued}\n\
         Last report  {reported}\nLast poll    {polled}\nWritten      {written}",
        state_of(feed),
    );
    for (name, error) in [("Feed error ", &feed.error), ("Poll error ", poll_error)] {
        if let Some(error) = error {
            // Writing into a string cannot fail.
            let _ = write!(text, "\n{name}  {error}");
        }
    }
    text
}

/// Gets a token and prints until when it is valid. `now` is the present time.
pub async fn token(kick: &dyn KickApi, now: Timestamp, out: &mut Output) -> anyhow::Result<()> {
    let start = Instant::now();
    let until = kick.token_valid_until().await.map_err(|error| {
        anyhow!("Kick gives no token, it {error}: check kick.client_id and kick.client_secret")
    })?;
    let took = start.elapsed();
    let valid = until.since(now);
    let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    out.thing(&json!({"valid_until": until, "valid_seconds": valid.as_secs(), "took_ms": millis}), || {
        format!("Kick gave a token in {millis} ms. It is valid until {until} ({}).", length(valid))
    })
}

/// The result of a feed test.
#[derive(Debug, Default)]
struct Probed {
    status: FeedStatus,
    subscribed: BTreeSet<String>,
    updates: u64,
    first_error: Option<String>,
}

impl Probed {
    /// Takes a signal. Returns whether the result is clear.
    fn take(&mut self, signal: FeedSignal) -> bool {
        match signal {
            FeedSignal::Update(_) => self.updates += 1,
            FeedSignal::Subscribed(subjects) => self.subscribed.extend(subjects.iter().map(|of| match of {
                Subject::Channel(channel) => format!("channel {channel}"),
                Subject::User(user) => format!("user {user}"),
            })),
            FeedSignal::Status(status) => {
                self.first_error = self.first_error.take().or_else(|| status.error.clone());
                self.status = status;
            }
        }
        let FeedStatus { state, wanted, subscribed, .. } = self.status;
        matches!(state, FeedState::Rejected | FeedState::Off)
            || (state == FeedState::Connected && subscribed >= wanted)
    }

    fn is_connected(&self) -> bool {
        self.status.state == FeedState::Connected || self.status.connected > 0
    }
}

/// Connects to `feed` for up to 15 seconds, subscribed to `channels`, and prints the result. Without channels,
/// some of those that `app` watches are taken.
pub async fn probe(
    streamers: &Streamers,
    feed: Arc<dyn StatusFeed>,
    channels: &[u64],
    out: &mut Output,
) -> anyhow::Result<()> {
    let wanted = wanted(streamers, channels).await?;
    let start = Instant::now();
    let probed = try_feed(&*feed, wanted).await;
    let took = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
    let Probed { status, subscribed: of, updates, first_error } = &probed;
    let FeedStatus { provider, state, connections, connected, wanted, subscribed, .. } = status;
    let view = json!({
        "connected": probed.is_connected(),
        "took_ms": took,
        "provider": provider,
        "state": state,
        "connections": {"wanted": connections, "connected": connected},
        "subscriptions": {"wanted": wanted, "acknowledged": subscribed, "of": of},
        "updates": updates,
        "first_error": first_error,
    });
    out.thing(&view, || {
        let error = first_error.as_deref().unwrap_or("none");
        format!(
            "Feed           {}, after {took} ms\nConnections    {connected} of {connections}\n\
             Subscriptions  {subscribed} of {wanted} acknowledged\nUpdates        {updates}\nFirst error    {error}",
            state_of(status),
        )
    })?;
    if probed.is_connected() {
        return Ok(());
    }
    if *state == FeedState::Off {
        bail!("there is no feed to connect to: kick.feed is set to poll Kick's API only");
    }
    let why = first_error.as_deref().unwrap_or("no answer in time");
    bail!("the feed does not connect: {why}; try another kick.feed, or see whether this machine may go out")
}

/// All users in any case: a feed that keeps its subscriptions at Kick must not take this for an order to drop them.
async fn wanted(streamers: &Streamers, channels: &[u64]) -> anyhow::Result<Wanted> {
    let filter = StreamerFilter { is_active: Some(true), ..StreamerFilter::default() };
    let rows = streamers.all(&Actor::cli("kick probe"), &filter).await?;
    let channels = if channels.is_empty() {
        rows.iter().filter_map(|row| row.ids.channel).take(FEW).collect()
    } else {
        channels.iter().map(|number| ChannelId::new(*number)).collect::<Result<_, _>>()?
    };
    Ok(Wanted { channels, users: rows.iter().filter_map(|row| row.ids.user).collect() })
}

async fn try_feed(feed: &dyn StatusFeed, wanted: Wanted) -> Probed {
    let (_keep, wanting) = watch::channel(Arc::new(wanted));
    let (signals, mut received) = mpsc::channel(SIGNALS);
    let mut probed = Probed::default();
    let listen = async {
        while let Some(signal) = received.recv().await {
            if probed.take(signal) {
                return;
            }
        }
    };
    tokio::select! {
        () = listen => {}
        () = feed.watch(wanting, signals) => {}
        // The time is over: report what arrived.
        () = sleep(PROBE) => {}
    }
    probed
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;

    use super::*;

    /// A feed that sends only these signals.
    struct Scripted(Vec<(u64, FeedSignal)>);

    #[async_trait]
    impl StatusFeed for Scripted {
        async fn watch(&self, wanted: watch::Receiver<Arc<Wanted>>, out: mpsc::Sender<FeedSignal>) {
            assert!(!wanted.borrow().channels.is_empty());
            for (wait, signal) in &self.0 {
                sleep(Duration::from_secs(*wait)).await;
                out.send(signal.clone()).await.unwrap();
            }
            std::future::pending::<()>().await;
        }
    }

    fn feed(state: FeedState, connected: u32, subscribed: u32, error: Option<&str>) -> FeedSignal {
        let (connections, wanted, error) = (1, 1, error.map(str::to_owned));
        let status =
            FeedStatus { state, connections, connected, wanted, subscribed, ..FeedStatus::default() };
        FeedSignal::Status(FeedStatus { error, ..status })
    }

    async fn probed(signals: Vec<(u64, FeedSignal)>) -> (Probed, Duration) {
        let channel = ChannelId::new(668).unwrap();
        let wanted = Wanted { channels: [channel].into(), ..Wanted::default() };
        let start = Instant::now();
        (try_feed(&Scripted(signals), wanted).await, start.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn feed_is_tested_until_the_result_is_clear() {
        use FeedState::{Connected, Connecting, Rejected};
        let channel = Subject::Channel(ChannelId::new(668).unwrap());
        let (good, took) = probed(vec![
            (1, feed(Connecting, 0, 0, Some("first"))),
            (1, feed(Connected, 1, 0, None)),
            (1, FeedSignal::Subscribed(vec![channel])),
            (1, feed(Connected, 1, 1, None)),
        ])
        .await;
        assert_eq!((good.is_connected(), took), (true, Duration::from_secs(4)));
        assert_eq!((good.subscribed.len(), good.first_error.as_deref()), (1, Some("first")));

        let (silent, took) = probed(vec![]).await;
        assert_eq!((silent.is_connected(), took), (false, PROBE));
        let (rejected, took) = probed(vec![(2, feed(Rejected, 0, 0, Some("4001")))]).await;
        assert_eq!((rejected.is_connected(), took), (false, Duration::from_secs(2)));
        assert_eq!(rejected.first_error.as_deref(), Some("4001"));
        // Connected, but the channel is never acknowledged: the counts show that.
        let (half, took) = probed(vec![(1, feed(Connected, 1, 0, None))]).await;
        assert_eq!((half.is_connected(), half.status.subscribed, took), (true, 0, PROBE));
    }
}
