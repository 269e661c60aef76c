//! What is seen of OBS and of the far end. The order of observations is not relied upon.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::model::{SceneName, SourceName};
use super::moment::Moment;

/// Something that was seen.
#[derive(Clone, Debug, PartialEq)]
pub enum Observation {
    /// The connection to OBS is there, and OBS accepts requests.
    Connected,
    /// The connection closed, or could not be made.
    Disconnected,
    /// The process of OBS ended. Seen only where Streamward started it.
    ProcessEnded,
    /// OBS answered a request, or sent something.
    Answered,
    /// OBS did not answer a request within its deadline.
    Unanswered {
        /// When the request was sent.
        sent: Moment,
    },
    /// The stream's state changed, by an event of OBS.
    Stream(StreamEvent),
    /// The stream's state, by a request. At least once a second while OBS answers.
    StreamStatus(StreamSample),
    /// The scene that is on air, by an event or a request.
    Scene(SceneName),
    /// A player began.
    MediaStarted {
        /// With what.
        turn: Turn,
        /// How long that is, if OBS knows it.
        duration: Option<Duration>,
    },
    /// A player ended.
    MediaEnded {
        /// What it played.
        turn: Turn,
        /// How long that is. OBS has no duration for a file that is missing or corrupt.
        duration: Option<Duration>,
    },
    /// The picture that is on air: mean luminance, 0 to 1.
    Picture(f64),
    /// The sound that is on air: the loudest peak since the last such observation, in dB.
    Sound(f64),
    /// One of the owner's sources, however the studio detects the owner.
    OwnerSource {
        /// Its name.
        source: SourceName,
        /// What it does.
        signal: OwnerSignal,
    },
    /// The picture of the owner's scene, on air or not: mean luminance, 0 to 1.
    OwnerPicture(f64),
    /// The sound of the owner's sources, on air or not, in dB.
    OwnerSound(f64),
    /// What the far end sees of the stream.
    FarEnd(FarEndReport),
}

/// What an owner's source does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum OwnerSignal {
    /// Whether it is enabled in the owner's scene.
    Enabled(bool),
    /// How loud it is, in dB.
    Level(f64),
    /// Whether it has a picture.
    Video(bool),
}

/// One command to play. A later turn has a greater number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Turn(pub u64);

/// A change of the stream's state (obs-websocket: `StreamStateChanged`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamEvent {
    /// OBS connects to the platform.
    Starting,
    /// The platform takes the stream.
    Started,
    /// The platform was lost, and OBS connects again.
    Reconnecting,
    /// The platform takes the stream again.
    Reconnected,
    /// Somebody stopped the stream. OBS sends this only when somebody stops it.
    Stopping,
    /// The stream ended.
    Stopped,
}

/// The stream's state (obs-websocket: `GetStreamStatus`). All counters restart from 0 when OBS connects again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamSample {
    /// Whether OBS streams. It is true also while OBS connects again.
    pub active: bool,
    /// Whether OBS connects again.
    pub reconnecting: bool,
    /// How long the present connection has been there, by the frames that were made.
    pub duration: Duration,
    /// Bytes sent over the present connection.
    pub bytes: u64,
    /// Frames that were dropped because the network was too slow.
    pub skipped_frames: u64,
    /// All frames.
    pub total_frames: u64,
}

/// What the far end, such as a media server, sees of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FarEndReport {
    /// It did not answer. That says nothing of the stream.
    Unanswered,
    /// The stream is not there.
    Absent,
    /// The stream is there, with this bitrate since the last answer.
    Arriving {
        /// In kbit/s. Zero is as good as absent.
        kbps: u32,
    },
}
