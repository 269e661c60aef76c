//! How much an event matters to a person who is not looking.

use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

use crate::domain::channel::{InputState, OutputState, Source};
use crate::domain::event::{
    ChannelEvent, EventBody, MediaServerEventKind, StreamEvent, StreamEventKind, StudioEvent,
};
use crate::domain::stream::{EndReason, StreamState};

/// How much an event matters.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    EnumString,
    Display,
    IntoStaticStr,
    VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Severity {
    /// It is as it should be.
    #[default]
    Info,
    /// Somebody should look: a stream ended that nobody ended, a channel is on its backup.
    Warning,
    /// Viewers see nothing, or not what they should.
    Critical,
}

/// How much an event matters.
pub fn severity_of(body: &EventBody) -> Severity {
    match body {
        EventBody::Stream(event) => of_stream(event),
        EventBody::Channel(event) => of_channel(event),
        EventBody::Studio(event) => of_studio(event),
        EventBody::MediaServer(event) => match event.kind {
            MediaServerEventKind::Unreachable => Severity::Critical,
            MediaServerEventKind::Reachable => Severity::Info,
        },
        EventBody::StreamKey(_) | EventBody::Broadcaster(_) | EventBody::Streamer(_) => Severity::Info,
    }
}

/// The path that an event is about, if it has one.
pub fn path_of(body: &EventBody) -> Option<&str> {
    match body {
        EventBody::Stream(event) => Some(event.stream.path.as_str()),
        EventBody::StreamKey(event) => Some(event.path.as_str()),
        EventBody::Broadcaster(_)
        | EventBody::Streamer(_)
        | EventBody::Channel(_)
        | EventBody::Studio(_)
        | EventBody::MediaServer(_) => None,
    }
}

fn of_stream(event: &StreamEvent) -> Severity {
    let unexpected =
        [EndReason::PublisherLeft, EndReason::MediaServerRestarted, EndReason::MediaServerRemoved];
    match (event.kind, event.stream.state) {
        (StreamEventKind::Ended, StreamState::Ended { end_reason, .. })
            if unexpected.contains(&end_reason) =>
        {
            Severity::Warning
        }
        _ => Severity::Info,
    }
}

fn of_channel(event: &ChannelEvent) -> Severity {
    let details = &event.details;
    let of_cut = details.cut.as_ref().map(|cut| match cut.to {
        Source::Live => Severity::Info,
        Source::Backup => Severity::Warning,
        Source::Slate => Severity::Critical,
    });
    let of_input = details.input.as_ref().map(|input| match input.state {
        InputState::Absent | InputState::Unstable | InputState::Mismatch => Severity::Warning,
        InputState::Ready | InputState::OnAir => Severity::Info,
    });
    let of_destination = details.destination.as_ref().and_then(|one| one.state).map(|state| match state {
        OutputState::Failed => Severity::Critical,
        OutputState::Stalled | OutputState::BackingOff => Severity::Warning,
        OutputState::Connecting | OutputState::Live | OutputState::Disabled => Severity::Info,
    });
    of_cut.max(of_input).max(of_destination).unwrap_or_default()
}

fn of_studio(event: &StudioEvent) -> Severity {
    let details = &event.details;
    let is_down =
        details.downtime.as_ref().is_some_and(|one| !one.is_withdrawn && one.downtime.ended_at.is_none());
    let is_alert = details.alert.is_some_and(|alert| alert.is_on);
    let has_failed = details.preflight.as_ref().is_some_and(|one| !one.has_passed);
    let is_unconnected = details.connection.as_ref().is_some_and(|one| one.problem.is_some());
    if is_down || is_alert {
        Severity::Critical
    } else if has_failed || is_unconnected {
        Severity::Warning
    } else {
        Severity::Info
    }
}
