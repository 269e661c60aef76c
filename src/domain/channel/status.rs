//! What a running programme reports about itself.

use serde::{Deserialize, Serialize};
use strum::{Display, IntoStaticStr, VariantArray};

use super::decision::{Reason, Source};
use super::programme::OutputId;
use crate::domain::Timestamp;

/// A running programme, as seen at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProgrammeStatus {
    /// When this was seen.
    pub at: Timestamp,
    /// When the programme began to run on this instance.
    pub started_at: Timestamp,
    /// What is on air.
    pub on_air: Source,
    /// Since when.
    pub since: Timestamp,
    /// Why.
    pub reason: Reason,
    /// Cuts since the programme began.
    pub cuts: u64,
    /// The longest hole that a cut made, in milliseconds of the programme.
    pub longest_hole_ms: u64,
    /// The live input.
    pub live: InputStatus,
    /// The backup.
    pub backup: InputStatus,
    /// The outputs.
    pub outputs: Vec<(OutputId, OutputStatus)>,
}

impl ProgrammeStatus {
    /// A programme that begins at `now` with this source.
    pub fn new(now: Timestamp, on_air: Source) -> Self {
        Self {
            at: now,
            started_at: now,
            on_air,
            since: now,
            reason: Reason::Start,
            cuts: 0,
            longest_hole_ms: 0,
            live: InputStatus::new(InputState::Absent),
            backup: InputStatus::new(InputState::Absent),
            outputs: Vec::new(),
        }
    }

    /// Whether nothing is on air, not even the backup: the engine `media_server` before the media server took the channel.
    pub fn is_off_air(&self) -> bool {
        let is_absent = |input: &InputStatus| input.state == InputState::Absent;
        self.on_air != Source::Slate && is_absent(&self.live) && is_absent(&self.backup)
    }

    /// Why nothing is on air.
    pub fn off_air_reason(&self) -> Option<&str> {
        self.is_off_air()
            .then(|| self.live.problem.as_deref().unwrap_or("the media server did not take the channel yet"))
    }
}

/// An input, as seen at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InputStatus {
    /// Its state.
    pub state: InputState,
    /// Over the last seconds, in kbit/s.
    pub bitrate_kbps: Option<u32>,
    /// Video frames a second, over the last seconds.
    pub fps: Option<f32>,
    /// The time between the last two keyframes, in milliseconds.
    pub keyframe_interval_ms: Option<u32>,
    /// Such as `H.264 1280x720`, `AAC 48000 Hz stereo`.
    pub codecs: Vec<String>,
    /// The age of the last video frame, in milliseconds.
    pub last_frame_ms: Option<u64>,
    /// For `mismatch`: what differs, and what to set in the encoder.
    pub problem: Option<String>,
}

impl InputStatus {
    /// An input of which no more is known than its state.
    pub fn new(state: InputState) -> Self {
        Self {
            state,
            bitrate_kbps: None,
            fps: None,
            keyframe_interval_ms: None,
            codecs: Vec::new(),
            last_frame_ms: None,
            problem: None,
        }
    }
}

/// The state of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Display, IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum InputState {
    /// There is none.
    Absent,
    /// It is there, but was not good for long enough.
    Unstable,
    /// It can go on air at once.
    Ready,
    /// It is on air.
    OnAir,
    /// It does not have the channel's profile.
    Mismatch,
}

/// An output, as seen at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OutputStatus {
    /// Its state.
    pub state: OutputState,
    /// Since when.
    pub since: Timestamp,
    /// The last error, in the platform's words. Without secrets.
    pub last_error: Option<String>,
    /// When the next attempt is made.
    pub next_attempt_at: Option<Timestamp>,
    /// Connections that reached `live`.
    pub connects: u64,
    /// Bytes sent, in all.
    pub bytes: u64,
    /// Video frames that were dropped because the destination was too slow.
    pub dropped_frames: u64,
    /// How much media waits to be sent.
    pub queue_ms: u64,
    /// The round-trip time of the connection.
    pub rtt_ms: Option<u32>,
}

impl OutputStatus {
    /// An output that begins to connect at `now`.
    pub fn new(now: Timestamp) -> Self {
        Self {
            state: OutputState::Connecting,
            since: now,
            last_error: None,
            next_attempt_at: None,
            connects: 0,
            bytes: 0,
            dropped_frames: 0,
            queue_ms: 0,
            rtt_ms: None,
        }
    }
}

/// The state of an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Display, IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum OutputState {
    /// A connection is being made.
    Connecting,
    /// It takes the programme.
    Live,
    /// It is connected, but takes nothing.
    Stalled,
    /// It failed, and is tried again later.
    BackingOff,
    /// It is turned off.
    Disabled,
    /// It cannot work as it is, such as with a refused key. It is tried again once a minute.
    Failed,
}
