//! The enums of the domain that the views show, for the OpenAPI document.

use std::borrow::Cow;

use serde_json::json;
use strum::VariantArray;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::domain::access::Role;
use crate::domain::audit::Outcome;
use crate::domain::channel::{
    Day, DecisionKind, Engine, InputState, Mismatch, Mode, OutputState, Platform, PlaylistChange, Reason,
    RehearsalState, Source as ChannelSource,
};
use crate::domain::notification::{DeliveryState, Kind as NotificationKind, Severity};
use crate::domain::stream::EndReason;
use crate::domain::stream_key::{KeyStatus, OnConflict};
use crate::domain::streamer::{Source, Status};
use crate::domain::studio::{
    AgeRating, Alert, Arrival, Cause, Check, CheckState, ConnectionStatus, ContentKind,
    DecisionKind as StudioDecisionKind, Desired, DrillKind, DrillState, FailureKind, LinkState, OrderKind,
    OwnerState, Reason as StudioReason, Rung, ScenePurpose, StreamState, StreamingStatus, Subject, Tier,
    TransitionKind,
};
use crate::ports::ProbeStep;

macro_rules! words {
    ($(#[doc = $about:literal] $enum:ty as $name:literal;)+) => {$(
        impl PartialSchema for $enum {
            fn schema() -> RefOr<Schema> {
                let words = Self::VARIANTS.iter().map(|word| json!(word));
                let schema = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words));
                schema.description(Some($about.trim())).into()
            }
        }

        impl ToSchema for $enum {
            fn name() -> Cow<'static, str> {
                $name.into()
            }
        }
    )+};
}

words! {
    /// What a caller may do. Each role includes the ones before it.
    Role as "Role";
    /// How it ended.
    Outcome as "AuditOutcome";
    /// What became of a message.
    DeliveryState as "DeliveryState";
    /// How a receiver is reached.
    NotificationKind as "NotificationKind";
    /// How much an event matters.
    Severity as "Severity";
    /// Why it ended.
    EndReason as "EndReason";
    /// Whether a key can be used.
    KeyStatus as "KeyStatus";
    /// What happens when a second connection uses the same key.
    OnConflict as "OnConflict";
    /// Whether a streamer is live.
    Status as "StreamerStatus";
    /// The source of a change.
    Source as "StatusSource";
    /// Who chooses what is on air. `auto`: the rules.
    Mode as "ChannelMode";
    /// What happens to a live input that does not have the channel's profile.
    Mismatch as "ChannelMismatch";
    /// What carries the media.
    Engine as "ChannelEngine";
    /// The platform of a destination.
    Platform as "Platform";
    /// When a change of what plays takes effect. While the backup is not on air, it always does at once.
    PlaylistChange as "PlaylistChange";
    /// A day of the week.
    Day as "Day";
    /// What can be on air. `slate`: the built-in picture.
    ChannelSource as "ChannelSource";
    /// Whether a cut happened.
    DecisionKind as "DecisionKind";
    /// Why a decision was made.
    Reason as "DecisionReason";
    /// `absent`: there is none. `unstable`: not good for long enough. `ready`: can go on air at once.
    InputState as "InputState";
    /// `stalled`: connected, but takes nothing. `failed`: cannot work as it is; tried again once a minute.
    OutputState as "OutputState";
    /// Where a rehearsal is.
    RehearsalState as "RehearsalState";
    /// A step of reaching a destination, in this order.
    ProbeStep as "ProbeStep";
    /// Whether a studio is to be on air.
    Desired as "StudioDesired";
    /// The connection to OBS. `unresponsive`: there is one, but OBS does not answer.
    LinkState as "ObsConnection";
    /// The stream, as OBS reports it. `stalled`: OBS says that it streams, but sends no bytes.
    StreamState as "StudioStreamState";
    /// Whether OBS streams.
    StreamingStatus as "StreamingStatus";
    /// Whether the stream reaches the platform. `degraded`: with dropped frames or a low bitrate.
    ConnectionStatus as "ConnectionStatus";
    /// The stream, as the far end sees it. `unknown`: it does not answer, or none is configured.
    Arrival as "StudioArrival";
    /// What a scene is for.
    ScenePurpose as "ScenePurpose";
    /// Why a decision about a studio was made.
    StudioReason as "StudioReason";
    /// Where the owner is. `not_ready`: active, but dark or silent for too long, so automation continues.
    OwnerState as "StudioOwner";
    /// What is on air, where no person and no owner is.
    Rung as "StudioRung";
    /// What a person has to know of now.
    Alert as "StudioAlert";
    /// A pre-flight check.
    Check as "StudioCheckName";
    /// Its result. `skipped`: an earlier check failed.
    CheckState as "StudioCheckState";
    /// What a decision about a studio is about.
    Subject as "StudioSubject";
    /// What became of a decision. `refused`: a person decided otherwise. `failed`: OBS did not do it.
    StudioDecisionKind as "StudioDecisionKind";
    /// What a person ordered.
    OrderKind as "StudioOrder";
    /// A failure that is tried out.
    DrillKind as "DrillKind";
    /// Where a drill is.
    DrillState as "DrillState";
    /// What a change of the scene was for.
    TransitionKind as "TransitionKind";
    /// How content failed.
    FailureKind as "ContentFailureKind";
    /// Why there was no good picture.
    Cause as "DowntimeCause";
    /// A kind of content.
    ContentKind as "ContentKind";
    /// For whom content is.
    AgeRating as "AgeRating";
    /// What plays first.
    Tier as "ContentTier";
}
