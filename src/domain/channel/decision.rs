//! Decisions: recorded cuts, and cuts that were refused, with their reasons.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

use super::model::ChannelId;
use crate::domain::Timestamp;
use crate::domain::id::id;
use crate::domain::page::newest_first;

id!(/// Names a decision.
    DecisionId);

/// What can be on air.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    Display,
    EnumString,
    IntoStaticStr,
    VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Source {
    /// The live input.
    Live,
    /// The backup.
    Backup,
    /// The built-in picture.
    Slate,
}

/// A cut, or a refusal to cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Its identity.
    pub id: DecisionId,
    /// The channel.
    pub channel: ChannelId,
    /// When it was made.
    pub at: Timestamp,
    /// What was on air before; `None` at the start of the programme.
    pub from: Option<Source>,
    /// What was to be on air.
    pub to: Source,
    /// Whether it happened.
    pub kind: DecisionKind,
    /// Why.
    pub reason: Reason,
    /// The figures behind it, for people: such as `{"last_frame_ms": 712, "stall_ms": 700}`.
    pub numbers: Map<String, Value>,
}

newest_first!(Decision, at);

/// Whether a cut happened.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    Display,
    EnumString,
    IntoStaticStr,
    VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum DecisionKind {
    /// It happened.
    Cut,
    /// It did not.
    Refused,
}

/// Why a decision was made.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    Display,
    EnumString,
    IntoStaticStr,
    VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Reason {
    /// The programme begins.
    Start,
    /// The live encoder disconnected.
    LiveEnded,
    /// No video frame came for `stall_ms`.
    LiveStalled,
    /// The live input's bitrate fell below the floor.
    LiveBitrateLow,
    /// The live input sends no keyframes.
    LiveWithoutKeyframes,
    /// The live input was good for the recovery grace.
    LiveRecovered,
    /// The live input does not have the channel's profile.
    LiveMismatch,
    /// The backup cannot be played.
    BackupUnavailable,
    /// The backup can be played again.
    BackupAvailable,
    /// An operator chose it.
    Operator,
    /// An operator's hold has expired, and the rules choose again.
    HoldExpired,
    /// A rehearsal treats the live input as lost.
    Rehearsal,
}
