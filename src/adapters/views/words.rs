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
use crate::domain::stream::EndReason;
use crate::domain::stream_key::{KeyStatus, OnConflict};
use crate::domain::streamer::{Source, Status};
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
}
