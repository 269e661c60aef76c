//! A reader that watches channels through a feed and records all signals.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use streamward::adapters::kick::feed::{FeedChoice, FeedSettings, KickFeed, Timing};
use streamward::adapters::system::{SystemClock, SystemIds};
use streamward::domain::streamer::ChannelId;
use streamward::domain::streamer::decide::ReportedStatus;
use streamward::domain::streamer::feed::{FeedState, FeedStatus};
use streamward::ports::{FeedSignal, StatusFeed as _, StatusUpdate, Subject, Wanted};
use streamward_test_support::feed_server::FeedServer;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use url::Url;

const PATIENCE: Duration = Duration::from_secs(20);

/// All signals so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heard {
    pub(crate) updates: Vec<StatusUpdate>,
    /// The size of each batch of subscriptions.
    pub(crate) batches: Vec<usize>,
    pub(crate) statuses: Vec<FeedStatus>,
}

impl Heard {
    pub(crate) fn subscribed(&self) -> usize {
        self.batches.iter().sum()
    }

    pub(crate) fn status(&self) -> FeedStatus {
        self.statuses.last().cloned().unwrap_or_default()
    }

    pub(crate) fn is(&self, state: FeedState) -> bool {
        self.statuses.last().is_some_and(|status| status.state == state)
    }

    /// Channel and livestream of each change, and whether it is a start.
    pub(crate) fn changes(&self) -> Vec<(u64, u64, bool)> {
        let changes = |update: &StatusUpdate| {
            let Subject::Channel(channel) = update.subject else { return None };
            match &update.reported {
                ReportedStatus::Started(session) => Some((channel.get(), session.number()?, true)),
                ReportedStatus::Stopped { session, .. } => Some((channel.get(), session.number()?, false)),
                _ => None,
            }
        };
        self.updates.iter().filter_map(changes).collect()
    }
}

pub(crate) struct Listener {
    wanted: watch::Sender<Arc<Wanted>>,
    heard: watch::Receiver<Heard>,
    tasks: JoinSet<()>,
}

/// Settings with short waits for a local server.
pub(crate) fn settings(choice: FeedChoice, http: &str, ws: &str) -> Result<FeedSettings> {
    let ms = Duration::from_millis;
    let timing = Timing {
        open_every: ms(1),
        backoff: ms(200),
        backoff_cap: ms(1_000),
        rejected: ms(2_000),
        ack: ms(500),
        pong: ms(500),
        silence_margin: ms(500),
        burst_every: ms(10),
        ..Timing::default()
    };
    let mut settings = FeedSettings::new(choice)?;
    settings.realtime_url = Url::parse(http)?;
    settings.pusher_url = Url::parse(ws)?;
    Ok(FeedSettings { timing, ..settings })
}

/// Settings that negotiate the feed with a scripted server.
pub(crate) fn auto(server: &FeedServer) -> Result<FeedSettings> {
    settings(FeedChoice::Auto, &server.url(), &server.ws_url())
}

impl Listener {
    pub(crate) fn start(settings: FeedSettings, channels: impl IntoIterator<Item = u64>) -> Result<Self> {
        let (listener, mut out) = Self::deaf(settings, channels, 1_024)?;
        let (heard, receiver) = watch::channel(Heard::default());
        let mut listener = Self { heard: receiver, ..listener };
        listener.tasks.spawn(async move {
            while let Some(signal) = out.recv().await {
                heard.send_modify(|heard| match signal {
                    FeedSignal::Update(update) => heard.updates.push(update),
                    FeedSignal::Subscribed(subjects) => heard.batches.push(subjects.len()),
                    FeedSignal::Status(status) => heard.statuses.push(status),
                });
            }
        });
        Ok(listener)
    }

    /// A reader that leaves all signals in the channel.
    pub(crate) fn deaf(
        settings: FeedSettings,
        channels: impl IntoIterator<Item = u64>,
        room: usize,
    ) -> Result<(Self, mpsc::Receiver<FeedSignal>)> {
        let feed = KickFeed::new(settings, Arc::new(SystemClock), Arc::new(SystemIds))?;
        let (wanted, receiver) = watch::channel(wanted(channels)?);
        let (sender, out) = mpsc::channel(room);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { feed.watch(receiver, sender).await });
        Ok((Self { wanted, heard: watch::channel(Heard::default()).1, tasks }, out))
    }

    pub(crate) fn want(&self, channels: impl IntoIterator<Item = u64>) -> Result<()> {
        self.wanted.send_replace(wanted(channels)?);
        Ok(())
    }

    pub(crate) fn heard(&self) -> Heard {
        self.heard.borrow().clone()
    }

    pub(crate) async fn until(&mut self, what: &str, is_heard: impl Fn(&Heard) -> bool) -> Result<Heard> {
        let waited = tokio::time::timeout(PATIENCE, self.heard.wait_for(|heard| is_heard(heard))).await;
        let found = waited.ok().and_then(|heard| heard.ok().map(|heard| heard.clone()));
        found.with_context(|| {
            let heard = self.heard.borrow();
            format!("{what} was not heard; {} changes, {:?}", heard.updates.len(), heard.status())
        })
    }

    /// Waits until this many subscriptions were reported and the feed is connected.
    pub(crate) async fn until_subscribed(&mut self, number: usize) -> Result<Heard> {
        let what = format!("{number} subscriptions");
        self.until(&what, |heard| heard.subscribed() >= number && heard.is(FeedState::Connected)).await
    }

    pub(crate) async fn stop(mut self) {
        self.tasks.shutdown().await;
    }
}

fn wanted(channels: impl IntoIterator<Item = u64>) -> Result<Arc<Wanted>> {
    let channels: Result<BTreeSet<_>, _> = channels.into_iter().map(ChannelId::new).collect();
    let channels = channels.ok().context("channel numbers begin with 1")?;
    Ok(Arc::new(Wanted { channels, ..Wanted::default() }))
}
