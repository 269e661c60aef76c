//! The event log: an ordered list of what changed, written in the same transaction as the change.
//!
//! Each topic has its own type of event and its own stored form with a version. A topic adds a file here, a
//! variant to [`Topic`] and one to [`EventBody`]; the compiler then shows every place that must know it.

mod body;
mod broadcaster;
mod channel;
mod media_server;
mod stored;
mod stream;
mod stream_key;
mod streamer;
mod studio;

#[cfg(test)]
mod tests;

pub use body::{Event, EventBody, Topic};
pub use broadcaster::{BroadcasterEvent, BroadcasterEventKind};
pub use channel::{
    ChannelEvent, ChannelEventDetails, ChannelEventKind, CutDetails, DestinationDetails, InputDetails,
};
pub use media_server::{MediaServerEvent, MediaServerEventKind};
pub use stored::{StoredEvent, UnreadableEvent};
pub use stream::{StreamEvent, StreamEventKind};
pub use stream_key::{StreamKeyEvent, StreamKeyEventKind};
pub use streamer::{StreamerEvent, StreamerEventKind};
pub use studio::{
    AlertDetails, ConnectionDetails, DecisionDetails, DowntimeDetails, OrderDetails, PreflightDetails,
    StudioEvent, StudioEventDetails, StudioEventKind,
};
