//! One OBS: its connection, what happens in it, and control over it.

use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::mpsc;

use super::obs_values::{
    AudioLevel, Creation, Effect, Encoding, Input, Media, MediaAction, MediaStatus, NewInput, ObsStats,
    ObsVersion, SceneItem, Scenes, SourceActive, StreamDestination, StreamState, StreamStatus, Transition,
    VideoOutput, Volume,
};

/// Why a request to OBS failed. The texts contain no secrets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ObsError {
    /// There is no connection.
    #[error("OBS is not connected: {0}")]
    NotConnected(Disconnect),
    /// No answer in time. It may be carried out all the same.
    #[error("OBS did not answer in time")]
    TimedOut,
    /// OBS is starting, or changes its scene collection.
    #[error("OBS is loading")]
    Loading,
    /// OBS has no scene, input or item of this name.
    #[error("OBS does not have it: {0}")]
    NotFound(String),
    /// OBS refused. The code is one of `RequestStatus` of obs-websocket.
    #[error("OBS refused {request} ({code}): {comment}")]
    Refused {
        /// The request.
        request: &'static str,
        /// The code.
        code: u16,
        /// OBS's reason, shortened.
        comment: String,
    },
    /// This OBS, as it is configured, cannot do it.
    #[error("this OBS cannot do it: {0}")]
    Unsupported(String),
    /// OBS reported success, and the state is another one.
    #[error("OBS did not do it: {0}")]
    NotApplied(String),
    /// The answer cannot be read.
    #[error("the answer of OBS to {0} cannot be read")]
    Malformed(&'static str),
}

/// Why there is no connection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Disconnect {
    /// It is being opened for the first time.
    #[error("the connection is being opened")]
    Opening,
    /// Nothing can be reached at its address, or it is no obs-websocket.
    #[error("it cannot be reached: {0}")]
    Unreachable(String),
    /// It requires a password, and none is configured.
    #[error("it requires a password; configure the one under Tools, WebSocket Server Settings")]
    PasswordRequired,
    /// The password is wrong.
    #[error("it refused the password; configure the one under Tools, WebSocket Server Settings")]
    WrongPassword,
    /// It speaks another protocol version than ours.
    #[error("it does not speak version 1 of the obs-websocket protocol; OBS 28 or newer does")]
    UnsupportedVersion,
    /// Somebody ended this connection in OBS.
    #[error("somebody ended the connection in OBS")]
    Kicked,
    /// It is connected, and does not yet answer requests.
    #[error("it is loading")]
    Loading,
    /// It keeps the connection, and does not answer: it hangs, or its machine is gone.
    #[error("it does not answer any more")]
    Unresponsive,
    /// The connection ended: OBS ended, or its WebSocket server was switched off.
    #[error("the connection ended: {0}")]
    Closed(String),
}

/// What happened in OBS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ObsEvent {
    /// Another scene is the program scene, at the end of the transition. Not sent for a switch to the present one.
    ProgramScene(String),
    /// A scene was made, removed or renamed. Read the scenes again.
    ScenesChanged,
    /// An input was made, removed or renamed. Read the inputs again.
    InputsChanged,
    /// The items of a scene changed. Read them again.
    ItemsChanged {
        /// The scene.
        scene: String,
    },
    /// An item was shown or hidden.
    ItemEnabled {
        /// The scene.
        scene: String,
        /// The item.
        item: i64,
        /// Whether it is visible now.
        enabled: bool,
    },
    /// Media began to play. Sent for missing and broken files too.
    MediaStarted(String),
    /// Media ended, were stopped, could not be opened, or left the program with their scene. Not sent for a missing or
    /// broken file that came into the program with its scene: its length is 0 (see [`MediaStatus`]).
    MediaEnded(String),
    /// The stream changed its state.
    Stream(StreamState),
    /// An input was muted or unmuted.
    Muted {
        /// The input.
        input: String,
        /// Whether it is muted now.
        muted: bool,
    },
    /// A transition ended.
    TransitionEnded,
    /// Another scene collection is being loaded; requests fail meanwhile.
    CollectionChanging,
    /// Another scene collection, or another profile, is loaded. Read everything again.
    ConfigurationChanged,
    /// A person quits OBS. Sent after [`ObsEvent::ScenesChanged`] and [`ObsEvent::InputsChanged`], for it removes them
    /// first; and not when it is killed.
    Exiting,
}

/// What the connection sends, in the order in which it happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ObsSignal {
    /// OBS is connected and answers. Events before are lost: read its whole state.
    Connected(ObsVersion),
    /// There is no connection, for this reason; sent again when the reason changes. It is opened again for ever.
    Disconnected(Disconnect),
    /// Something happened.
    Event(ObsEvent),
    /// Events were lost, because the receiver did not keep up or one could not be read. Read the whole state.
    EventsLost,
}

/// Control of one OBS, and the connection to it.
///
/// A request MUST end within its deadline ([`ObsError::TimedOut`]) and MUST fail at once without a connection. OBS works
/// on several requests at a time: wait for the answer to one before a request that depends on it.
#[async_trait]
pub trait ObsControl: Send + Sync {
    /// Keeps a connection. Never returns and never panics. Dropping the future closes the connection.
    ///
    /// - MUST send [`ObsSignal::Connected`] only when OBS answers requests.
    /// - MUST notice within 0.5 s that OBS ended, and within 6 s that it does not answer any more.
    /// - MUST open a lost connection again for ever, with growing pauses, and after a refused password rarely.
    /// - MUST NOT wait for `signals`: while it is full, later events are kept up to a limit, and beyond that replaced
    ///   by [`ObsSignal::EventsLost`]. MUST NOT lose a change of the connection.
    /// - MUST ignore messages, events and fields that it does not know.
    async fn run(&self, signals: mpsc::Sender<ObsSignal>);

    /// How busy it is.
    async fn stats(&self) -> Result<ObsStats, ObsError>;

    /// The stream output.
    async fn stream_status(&self) -> Result<StreamStatus, ObsError>;

    /// MUST start the stream. `Ok` says that OBS began to; [`StreamState::Started`] says that the platform accepted it.
    async fn start_stream(&self) -> Result<Effect, ObsError>;

    /// MUST stop the stream.
    async fn stop_stream(&self) -> Result<Effect, ObsError>;

    /// Where it streams to.
    async fn stream_destination(&self) -> Result<StreamDestination, ObsError>;

    /// MUST set where it streams to, over RTMP. Refused while it streams.
    async fn set_stream_destination(&self, destination: &StreamDestination) -> Result<(), ObsError>;

    /// The picture that is encoded.
    async fn video(&self) -> Result<VideoOutput, ObsError>;

    /// MUST set the picture that is encoded, and leave the canvas as it is. Refused while any output runs.
    async fn set_video(&self, video: VideoOutput) -> Result<(), ObsError>;

    /// How the stream is encoded. [`ObsError::Unsupported`] in OBS's advanced output mode, which hides that.
    async fn encoding(&self) -> Result<Encoding, ObsError>;

    /// MUST set how the next stream is encoded. [`ObsError::Unsupported`] in OBS's advanced output mode.
    async fn set_encoding(&self, encoding: &Encoding) -> Result<(), ObsError>;

    /// The scenes.
    async fn scenes(&self) -> Result<Scenes, ObsError>;

    /// MUST make an empty scene. MUST NOT change one that is there.
    async fn create_scene(&self, scene: &str) -> Result<Creation, ObsError>;

    /// MUST make a scene the program scene, and read it back before it returns. [`ObsError::NotApplied`] if another
    /// scene is the program scene.
    async fn switch_scene(&self, scene: &str) -> Result<(), ObsError>;

    /// MUST choose the transition of all following switches by its kind: names depend on the language of OBS.
    async fn set_transition(&self, transition: Transition) -> Result<(), ObsError>;

    /// The items of a scene.
    async fn scene_items(&self, scene: &str) -> Result<Vec<SceneItem>, ObsError>;

    /// All inputs.
    async fn inputs(&self) -> Result<Vec<Input>, ObsError>;

    /// MUST make an input in a scene, and fit its picture into the canvas. MUST NOT change one of this name that is
    /// there, in whichever scene.
    async fn create_input(&self, scene: &str, input: &str, new: &NewInput) -> Result<Creation, ObsError>;

    /// Whether a source is used now.
    async fn source_active(&self, source: &str) -> Result<SourceActive, ObsError>;

    /// The mean brightness of an input or scene, 0 (black) to 1 (white). What it needs from outside, the pictures of a
    /// file or a camera, is sure to be there only while it is shown: elsewhere these may be black.
    async fn luminance(&self, source: &str) -> Result<f32, ObsError>;

    /// What a media input is set to play.
    async fn media(&self, input: &str) -> Result<Media, ObsError>;

    /// MUST make a media input play other media from the beginning; also the same, or with another setting alone.
    async fn set_media(&self, input: &str, media: &Media) -> Result<(), ObsError>;

    /// The status of a media input.
    async fn media_status(&self, input: &str) -> Result<MediaStatus, ObsError>;

    /// MUST give a media input an order.
    async fn media_action(&self, input: &str, action: MediaAction) -> Result<(), ObsError>;

    /// MUST continue at a place of the file. Refused unless it plays or is paused.
    async fn set_media_cursor(&self, input: &str, cursor: Duration) -> Result<(), ObsError>;

    /// How loud an input is made.
    async fn volume(&self, input: &str) -> Result<Volume, ObsError>;

    /// MUST set how loud an input is made, in dB: [`super::obs_values::SILENCE_DB`] to 26.
    async fn set_volume(&self, input: &str, db: f32) -> Result<(), ObsError>;

    /// MUST measure the levels of all inputs from now on, or no more, also after a reconnect. They are some twenty
    /// messages a second.
    fn measure_audio(&self, is_on: bool);

    /// How loud each input was within the last second. MUST contain only inputs that OBS measured meanwhile: a missing one
    /// is unknown, not silent. OBS measures what is in the program, and its global audio devices.
    fn audio_levels(&self) -> Vec<AudioLevel>;
}
