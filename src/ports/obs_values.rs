//! The state of OBS, and the values of the requests to it: the types of [`super::ObsControl`].
//!
//! Scenes, inputs and transitions are known by name, as OBS shows them: every version accepts names.

use std::time::Duration;

use strum::Display;

use crate::domain::secret::Secret;

/// The level of an input that is silent or muted, in dB. No input is reported below it.
pub const SILENCE_DB: f32 = -100.0;

/// Which OBS it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObsVersion {
    /// Of OBS Studio, e.g. `29.0.2`.
    pub studio: String,
    /// Of obs-websocket, e.g. `5.1.0`.
    pub websocket: String,
}

/// How busy OBS is. Counters begin with the process.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ObsStats {
    /// Of all cores, 0 to 100.
    pub cpu_percent: f64,
    /// In MiB.
    pub memory_mib: f64,
    /// What is free where OBS records, in MiB.
    pub free_disk_mib: f64,
    /// Frames a second.
    pub fps: f64,
    /// Frames that were not rendered in time, and all.
    pub render_skipped: u64,
    /// All frames that were to be rendered.
    pub render_total: u64,
    /// Frames that were not encoded in time.
    pub encode_skipped: u64,
    /// All frames that were to be encoded.
    pub encode_total: u64,
}

/// The stream output.
///
/// `bytes`, the frames and `duration` restart from 0 with each connection to the platform, also while OBS reconnects by
/// itself. They say nothing about how long the stream is up.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StreamStatus {
    /// Whether OBS streams. It stays true while it reconnects.
    pub active: bool,
    /// Whether the connection to the platform was lost and OBS opens it again.
    pub reconnecting: bool,
    /// Since the connection began.
    pub duration: Duration,
    /// Bytes sent.
    pub bytes: u64,
    /// 0 (none) to 1.
    pub congestion: f64,
    /// Frames that the network had no room for.
    pub dropped_frames: u64,
    /// All frames.
    pub total_frames: u64,
}

/// What a stream does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Display)]
#[strum(serialize_all = "snake_case")]
pub enum StreamState {
    /// It is starting.
    Starting,
    /// The platform accepted it.
    Started,
    /// It is stopping.
    Stopping,
    /// It ended, or could not be started: OBS does not say which.
    Stopped,
    /// The connection was lost. Sent again with each attempt.
    Reconnecting,
    /// The connection is back.
    Reconnected,
}

/// The scenes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scenes {
    /// The program scene; `None` while OBS has none.
    pub program: Option<String>,
    /// All names.
    pub names: Vec<String>,
}

/// An item of a scene.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SceneItem {
    /// Its number within the scene.
    pub id: i64,
    /// The input or scene that it shows.
    pub source: String,
    /// Whether it is visible in the scene.
    pub enabled: bool,
}

/// An input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// Its name.
    pub name: String,
    /// OBS's name of its kind, e.g. `ffmpeg_source`.
    pub kind: String,
}

/// Whether a source is used now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SourceActive {
    /// It is in the program.
    pub in_program: bool,
    /// It is shown somewhere: in the program, the preview or a dialog.
    pub showing: bool,
}

/// What a media input does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Display)]
#[strum(serialize_all = "snake_case")]
pub enum MediaState {
    /// It never had a file.
    #[default]
    None,
    /// It plays.
    Playing,
    /// It opens its file.
    Opening,
    /// It waits for data.
    Buffering,
    /// It is paused.
    Paused,
    /// It was stopped.
    Stopped,
    /// It played to the end, or its file is missing or broken: OBS does not say which.
    Ended,
    /// It failed. OBS 29 never says so of a file.
    Error,
    /// A state that is not known.
    Other,
}

/// The status of a media input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MediaStatus {
    /// What it does.
    pub state: MediaState,
    /// The place in the file. Only while it plays or is paused: at the end of a good file there is none either.
    pub cursor: Option<Duration>,
    /// The length of the file. Only while it plays or is paused. 0 means that the file is missing or broken: OBS says
    /// for ever that it plays it if its scene became the program scene.
    pub duration: Option<Duration>,
}

/// An order to a media input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaAction {
    /// Continue.
    Play,
    /// Pause.
    Pause,
    /// Stop.
    Stop,
    /// Begin again.
    Restart,
}

/// Where media come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MediaLocation {
    /// A file on the machine of OBS.
    File(String),
    /// An address that OBS opens, e.g. `rtsp://…`.
    Address(String),
}

/// What a media input plays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Media {
    /// What.
    pub location: MediaLocation,
    /// Whether it begins again at its end.
    pub looping: bool,
    /// Whether it plays only while it is in the program, each time from the beginning. Otherwise it plays from the moment
    /// that it is set, and continues outside the program.
    pub restart_on_activate: bool,
}

/// An input to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NewInput {
    /// Plays media.
    Media(Media),
    /// Shows one colour: red, green, blue.
    Colour([u8; 3]),
    /// Shows a text.
    Text(String),
}

/// What making something came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Creation {
    /// It was made.
    Created,
    /// Something has this name already. It was not changed.
    Existed,
}

/// The effect of an order that may be carried out already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It was carried out.
    Done,
    /// It was so already.
    Already,
}

/// How scenes change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transition {
    /// At once.
    Cut,
    /// Picture and sound fade over this time, 50 ms to 20 s.
    Fade(Duration),
}

/// How loud an input is made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Volume {
    /// In dB: 0 leaves it as it is, [`SILENCE_DB`] is silence.
    pub db: f32,
    /// Whether it is muted.
    pub muted: bool,
}

/// How loud an input was within the last second.
#[derive(Clone, Debug, PartialEq)]
pub struct AudioLevel {
    /// The input.
    pub input: String,
    /// Its loudest peak as the viewers hear it, in dB; at least [`SILENCE_DB`].
    pub peak_db: f32,
}

/// Where OBS streams to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamDestination {
    /// The address without the key; `None` for a service that OBS knows by name.
    pub server: Option<String>,
    /// The key.
    pub key: Secret,
}

/// The picture that is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VideoOutput {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Frames a second: numerator and denominator.
    pub fps: (u32, u32),
}

/// How the stream is encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoding {
    /// Video, in kbit/s.
    pub bitrate_kbps: u32,
    /// OBS's name of the encoder in its simple output mode, e.g. `x264`, `nvenc`.
    pub encoder: String,
}
