//! A feed that pushes who goes live and who stops.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::{mpsc, watch};

use crate::domain::Timestamp;
use crate::domain::streamer::decide::ReportedStatus;
use crate::domain::streamer::feed::FeedStatus;
use crate::domain::streamer::{ChannelId, Source, UserId};

/// Whom to watch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// By channel, for feeds that go by it.
    pub channels: BTreeSet<ChannelId>,
    /// By user, for feeds that go by it.
    pub users: BTreeSet<UserId>,
}

/// Of whom a feed tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// Whose channel it is.
    Channel(ChannelId),
    /// The user.
    User(UserId),
}

/// An status update: somebody went live or stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusUpdate {
    /// Who.
    pub subject: Subject,
    /// [`ReportedStatus::Started`] or [`ReportedStatus::Stopped`].
    pub reported: ReportedStatus,
    /// Where it comes from.
    pub source: Source,
    /// When it arrived.
    pub received_at: Timestamp,
}

/// What a feed tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FeedSignal {
    /// Somebody went live or stopped.
    Update(StatusUpdate),
    /// From here on status updates of these are heard. What happened before is not told: ask.
    Subscribed(Vec<Subject>),
    /// How the feed is has changed.
    Status(FeedStatus),
}

/// A feed of status updates, whatever its protocol.
#[async_trait]
pub trait StatusFeed: Send + Sync {
    /// Watches whom `wanted` names, now and as it changes, for as long as it is polled; never returns by itself, nothing
    /// that Kick does makes it panic, and dropping it closes its connections.
    ///
    /// - MUST tell each status update that arrives once, in the order of arrival within a connection, and wait while `out` is
    ///   full rather than lose one.
    /// - MUST tell [`FeedSignal::Subscribed`] when a subscription is acknowledged, again after every reconnect.
    /// - MUST keep silent about what it does not understand, but count it, and log it at most once a minute per kind.
    /// - MUST tell [`FeedSignal::Status`] when the state or the number of connections changes.
    async fn watch(&self, wanted: watch::Receiver<Arc<Wanted>>, out: mpsc::Sender<FeedSignal>);
}
