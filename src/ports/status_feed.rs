//! A feed that pushes status updates of streamers.

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
    /// For feeds that subscribe by channel.
    pub channels: BTreeSet<ChannelId>,
    /// For feeds that subscribe by user.
    pub users: BTreeSet<UserId>,
}

/// The streamer of a status update.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// By channel.
    Channel(ChannelId),
    /// By user.
    User(UserId),
}

/// A streamer went live or stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusUpdate {
    /// The streamer.
    pub subject: Subject,
    /// [`ReportedStatus::Started`] or [`ReportedStatus::Stopped`].
    pub reported: ReportedStatus,
    /// The source.
    pub source: Source,
    /// When it arrived.
    pub received_at: Timestamp,
}

/// What a feed sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FeedSignal {
    /// A status update.
    Update(StatusUpdate),
    /// Status updates of these arrive from now on. Poll their present status.
    Subscribed(Vec<Subject>),
    /// The state of the feed changed.
    Status(FeedStatus),
}

/// A feed of status updates.
#[async_trait]
pub trait StatusFeed: Send + Sync {
    /// Watches the streamers in `wanted`, now and after each change. Never returns and never panics. Dropping the future
    /// closes the connections.
    ///
    /// - MUST send each status update once, in the order of arrival within a connection, and wait while `out` is full.
    /// - MUST send [`FeedSignal::Subscribed`] when a subscription is acknowledged, again after every reconnect.
    /// - MUST skip messages that it does not understand, count them, and log them at most once a minute per kind.
    /// - MUST send [`FeedSignal::Status`] when the state or the number of connections changes.
    async fn watch(&self, wanted: watch::Receiver<Arc<Wanted>>, out: mpsc::Sender<FeedSignal>);
}
