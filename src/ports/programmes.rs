//! What the tasks of channels read and write: what is to run, and what running programmes report.

use async_trait::async_trait;

use super::Result;
use crate::domain::Timestamp;
use crate::domain::access::Scope;
use crate::domain::channel::{Channel, ChannelId, Decision, Destination, ProgrammeStatus, Rehearsal};
use crate::domain::event::ChannelEvent;
use crate::domain::page::{Newest, Page};

/// A channel with all that its programme is made of. Keys are sealed.
#[derive(Clone, Debug)]
pub struct StoredProgramme {
    /// The channel.
    pub channel: Channel,
    /// The sealed secret of the key that publishes the programme.
    pub sealed_programme_key: String,
    /// The enabled destinations, each with its sealed key, oldest first.
    pub destinations: Vec<(Destination, String)>,
    /// The rehearsal that has not ended.
    pub rehearsal: Option<Rehearsal>,
}

/// What running programmes reported since the last time.
#[derive(Clone, Debug, Default)]
pub struct ReportedProgrammes {
    /// The present status of each, if it changed.
    pub statuses: Vec<(ChannelId, ProgrammeStatus)>,
    /// What was decided.
    pub decisions: Vec<Decision>,
    /// Changes of inputs and destinations.
    pub changes: Vec<ChannelEvent>,
}

impl ReportedProgrammes {
    /// Whether there is nothing to store.
    pub fn is_empty(&self) -> bool {
        self.statuses.is_empty() && self.decisions.is_empty() && self.changes.is_empty()
    }
}

/// What is to run, and what happened.
#[async_trait]
pub trait ProgrammeStore: Send + Sync {
    /// MUST return the ids of all enabled channels.
    async fn enabled_channels(&self) -> Result<Vec<ChannelId>>;

    /// MUST return one consistent state of the channel and what belongs to it, or `None`.
    async fn programme(&self, id: ChannelId) -> Result<Option<StoredProgramme>>;

    /// MUST replace a hold that has expired at `now` by the mode `auto`, with a `channel.updated` event, and return the
    /// channel. MUST return `None` and write nothing if there is none.
    async fn expire_hold(&self, id: ChannelId, now: Timestamp) -> Result<Option<Channel>>;

    /// MUST replace the stored rehearsal of the same id. Does nothing if there is none.
    async fn save_rehearsal(&self, rehearsal: &Rehearsal) -> Result<()>;

    /// MUST store all of it or nothing: each status unless a later one is stored; each decision once, however often it
    /// is reported, with a `channel.cut` event when a cut is stored; and the changes as events. MUST skip channels that
    /// do not exist.
    async fn record_programmes(&self, reported: &ReportedProgrammes, now: Timestamp) -> Result<()>;

    /// MUST return the last stored status of the channel, or `None`.
    async fn channel_status(&self, scope: &Scope, id: ChannelId) -> Result<Option<ProgrammeStatus>>;

    /// MUST return the page of the channel's decisions, newest first, ties by id.
    async fn decisions(&self, scope: &Scope, id: ChannelId, page: &Page<Newest>) -> Result<Vec<Decision>>;

    /// MUST remove decisions made before `before`, and rehearsals that ended before it; returns how many.
    async fn prune_decisions(&self, before: Timestamp) -> Result<u64>;
}
