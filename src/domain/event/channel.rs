//! Events about channels, their inputs and their destinations. They hold no key.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use strum::{EnumString, IntoStaticStr, VariantArray};
use uuid::Uuid;

use super::stored::{StoredEvent, UnreadableEvent};
use crate::domain::channel::{
    Channel, ChannelId, ChannelName, Decision, Destination, DestinationId, InputState, OutputState, Reason,
    Source,
};

/// What happened to a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumString, IntoStaticStr, VariantArray)]
pub enum ChannelEventKind {
    /// It was created.
    #[strum(serialize = "channel.created")]
    Created,
    /// It was changed; also its mode.
    #[strum(serialize = "channel.updated")]
    Updated,
    /// It was deleted with its destinations.
    #[strum(serialize = "channel.deleted")]
    Deleted,
    /// Something else is on air.
    #[strum(serialize = "channel.cut")]
    Cut,
    /// The state of an input changed.
    #[strum(serialize = "channel.input")]
    Input,
    /// A destination was created.
    #[strum(serialize = "destination.created")]
    DestinationCreated,
    /// A destination was changed.
    #[strum(serialize = "destination.updated")]
    DestinationUpdated,
    /// A destination was deleted.
    #[strum(serialize = "destination.deleted")]
    DestinationDeleted,
    /// The state of a destination changed.
    #[strum(serialize = "destination.state")]
    DestinationState,
}

/// An event about a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelEvent {
    /// What happened.
    pub kind: ChannelEventKind,
    /// The channel.
    pub id: ChannelId,
    /// Its short name right after it.
    pub name: ChannelName,
    /// More about it.
    pub details: ChannelEventDetails,
}

/// What more an event about a channel says. Each is there for its kinds of events only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChannelEventDetails {
    /// The cut.
    pub cut: Option<CutDetails>,
    /// The input.
    pub input: Option<InputDetails>,
    /// The destination.
    pub destination: Option<DestinationDetails>,
}

/// A cut, as an event tells of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CutDetails {
    /// The decision.
    pub decision: Uuid,
    /// What was on air before.
    pub from: Option<Source>,
    /// What is on air.
    pub to: Source,
    /// Why.
    pub reason: Reason,
    /// The figures behind it.
    pub numbers: Map<String, Value>,
}

/// The state of an input, as an event tells of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputDetails {
    /// Which input.
    pub input: Source,
    /// Its state.
    pub state: InputState,
    /// For a mismatch: what differs.
    pub problem: Option<String>,
}

/// A destination, as an event tells of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DestinationDetails {
    /// Which.
    pub id: DestinationId,
    /// Its name.
    pub name: String,
    /// Its state, if that changed.
    pub state: Option<OutputState>,
    /// The last error, in the platform's words.
    pub last_error: Option<String>,
}

pub(super) const VERSION: i64 = 1;

/// The stored form, version 1.
#[derive(Deserialize)]
struct ChannelV1 {
    id: ChannelId,
    name: ChannelName,
    cut: Option<CutDetails>,
    input: Option<InputDetails>,
    destination: Option<DestinationDetails>,
}

impl ChannelEvent {
    /// An event about a channel as a whole.
    pub fn about(kind: ChannelEventKind, channel: &Channel) -> Self {
        let (id, name) = (channel.id, channel.name.clone());
        Self { kind, id, name, details: ChannelEventDetails::default() }
    }

    /// An event about a destination of `channel`.
    pub fn destination(kind: ChannelEventKind, channel: (ChannelId, &ChannelName), of: &Destination) -> Self {
        let destination =
            Some(DestinationDetails { id: of.id, name: of.name.clone(), state: None, last_error: None });
        let details = ChannelEventDetails { destination, ..ChannelEventDetails::default() };
        Self { kind, id: channel.0, name: channel.1.clone(), details }
    }

    /// The event that tells of a cut.
    pub fn cut(name: &ChannelName, decision: &Decision) -> Self {
        let Decision { id, channel, from, to, reason, numbers, .. } = decision.clone();
        let cut = Some(CutDetails { decision: id.0, from, to, reason, numbers });
        let details = ChannelEventDetails { cut, ..ChannelEventDetails::default() };
        Self { kind: ChannelEventKind::Cut, id: channel, name: name.clone(), details }
    }

    pub(super) fn data(&self) -> Value {
        let ChannelEventDetails { cut, input, destination } = &self.details;
        json!({ "id": self.id, "name": self.name, "cut": cut, "input": input, "destination": destination })
    }

    pub(super) fn from_stored(stored: &StoredEvent) -> Result<Self, UnreadableEvent> {
        let (kind, ChannelV1 { id, name, cut, input, destination }) = stored.read(VERSION)?;
        Ok(Self { kind, id, name, details: ChannelEventDetails { cut, input, destination } })
    }
}
