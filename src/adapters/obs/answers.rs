//! The answers of OBS, as far as they are used. Unknown fields are ignored.
//!
//! Nothing here is `Debug`: the settings of the stream have its key.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::ports::obs_values::{
    Input, Media, MediaLocation, MediaState, MediaStatus, NewInput, ObsStats, SceneItem, Scenes,
    SourceActive, StreamStatus, VideoOutput,
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Stats {
    cpu_usage: f64,
    memory_usage: f64,
    available_disk_space: f64,
    active_fps: f64,
    render_skipped_frames: u64,
    render_total_frames: u64,
    output_skipped_frames: u64,
    output_total_frames: u64,
}

impl From<Stats> for ObsStats {
    fn from(stats: Stats) -> Self {
        Self {
            cpu_percent: stats.cpu_usage,
            memory_mib: stats.memory_usage,
            free_disk_mib: stats.available_disk_space,
            fps: stats.active_fps,
            render_skipped: stats.render_skipped_frames,
            render_total: stats.render_total_frames,
            encode_skipped: stats.output_skipped_frames,
            encode_total: stats.output_total_frames,
        }
    }
}

/// The stream output. Numbers that a service does not have are null.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Stream {
    output_active: bool,
    output_reconnecting: bool,
    output_duration: Option<f64>,
    output_congestion: Option<f64>,
    output_bytes: Option<f64>,
    output_skipped_frames: Option<i64>,
    output_total_frames: Option<i64>,
}

impl From<Stream> for StreamStatus {
    fn from(stream: Stream) -> Self {
        let frames = |count: Option<i64>| u64::try_from(count.unwrap_or_default()).unwrap_or_default();
        Self {
            active: stream.output_active,
            reconnecting: stream.output_reconnecting,
            duration: millis(stream.output_duration).unwrap_or_default(),
            bytes: whole(stream.output_bytes).unwrap_or_default(),
            congestion: stream.output_congestion.unwrap_or_default(),
            dropped_frames: frames(stream.output_skipped_frames),
            total_frames: frames(stream.output_total_frames),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SceneList {
    current_program_scene_name: Option<String>,
    scenes: Vec<Scene>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Scene {
    scene_name: String,
}

impl From<SceneList> for Scenes {
    fn from(list: SceneList) -> Self {
        let names = list.scenes.into_iter().map(|scene| scene.scene_name).collect();
        Self { program: list.current_program_scene_name, names }
    }
}

/// The program scene. Later versions have both fields.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ProgramScene {
    current_program_scene_name: Option<String>,
    scene_name: Option<String>,
}

impl ProgramScene {
    pub(super) fn name(self) -> Option<String> {
        self.current_program_scene_name.or(self.scene_name)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Items {
    scene_items: Vec<Item>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    scene_item_id: i64,
    source_name: String,
    scene_item_enabled: bool,
}

impl From<Items> for Vec<SceneItem> {
    fn from(items: Items) -> Self {
        let item = |item: Item| SceneItem {
            id: item.scene_item_id,
            source: item.source_name,
            enabled: item.scene_item_enabled,
        };
        items.scene_items.into_iter().map(item).collect()
    }
}

#[derive(Deserialize)]
pub(super) struct Inputs {
    inputs: Vec<InputItem>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct InputItem {
    input_name: String,
    input_kind: String,
}

impl From<Inputs> for Vec<Input> {
    fn from(inputs: Inputs) -> Self {
        inputs
            .inputs
            .into_iter()
            .map(|input| Input { name: input.input_name, kind: input.input_kind })
            .collect()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct InputKinds {
    pub(super) input_kinds: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreatedInput {
    pub(super) scene_item_id: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Active {
    video_active: bool,
    video_showing: bool,
}

impl From<Active> for SourceActive {
    fn from(active: Active) -> Self {
        Self { in_program: active.video_active, showing: active.video_showing }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Screenshot {
    pub(super) image_data: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MediaInput {
    media_state: Option<String>,
    media_duration: Option<f64>,
    media_cursor: Option<f64>,
}

impl From<MediaInput> for MediaStatus {
    fn from(input: MediaInput) -> Self {
        let state =
            match input.media_state.as_deref().and_then(|state| state.strip_prefix("OBS_MEDIA_STATE_")) {
                Some("NONE") => MediaState::None,
                Some("PLAYING") => MediaState::Playing,
                Some("OPENING") => MediaState::Opening,
                Some("BUFFERING") => MediaState::Buffering,
                Some("PAUSED") => MediaState::Paused,
                Some("STOPPED") => MediaState::Stopped,
                Some("ENDED") => MediaState::Ended,
                Some("ERROR") => MediaState::Error,
                _ => MediaState::Other,
            };
        Self { state, cursor: millis(input.media_cursor), duration: millis(input.media_duration) }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct InputSettings {
    input_settings: MediaSettings,
}

/// The settings of a media input. OBS leaves out those that have their default.
#[derive(Deserialize)]
struct MediaSettings {
    #[serde(default = "yes")]
    is_local_file: bool,
    #[serde(default)]
    local_file: String,
    #[serde(default)]
    input: String,
    #[serde(default)]
    looping: bool,
    #[serde(default = "yes")]
    restart_on_activate: bool,
}

fn yes() -> bool {
    true
}

impl From<InputSettings> for Media {
    fn from(InputSettings { input_settings: settings }: InputSettings) -> Self {
        let location = if settings.is_local_file {
            MediaLocation::File(settings.local_file)
        } else {
            MediaLocation::Address(settings.input)
        };
        Self { location, looping: settings.looping, restart_on_activate: settings.restart_on_activate }
    }
}

/// The settings of a media input that plays `media`. The last picture stays at its end: the next item follows in a
/// moment, and nothing black is in between.
pub(super) fn media_settings(media: &Media) -> Value {
    let (is_local_file, file, address) = match &media.location {
        MediaLocation::File(file) => (true, file.as_str(), ""),
        MediaLocation::Address(address) => (false, "", address.as_str()),
    };
    json!({
        "is_local_file": is_local_file,
        "local_file": file,
        "input": address,
        "looping": media.looping,
        "restart_on_activate": media.restart_on_activate,
        "clear_on_media_end": false,
        "close_when_inactive": false,
    })
}

/// What the kind of an input begins with, newest first, and its settings. OBS on Windows has another one for texts.
pub(super) fn kinds_and_settings(new: &NewInput) -> (&'static [&'static str], Value) {
    match new {
        NewInput::Media(media) => (&["ffmpeg_source"], media_settings(media)),
        NewInput::Colour([red, green, blue]) => {
            let colour = u32::from_be_bytes([0xff, *blue, *green, *red]);
            (&["color_source"], json!({ "color": colour }))
        }
        NewInput::Text(text) => (&["text_ft2_source", "text_gdiplus"], json!({ "text": text })),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Service {
    pub(super) stream_service_settings: ServiceSettings,
}

#[derive(Deserialize)]
pub(super) struct ServiceSettings {
    pub(super) server: Option<String>,
    #[serde(default)]
    pub(super) key: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Video {
    pub(super) base_width: u32,
    pub(super) base_height: u32,
    output_width: u32,
    output_height: u32,
    fps_numerator: u32,
    fps_denominator: u32,
}

impl From<Video> for VideoOutput {
    fn from(video: Video) -> Self {
        let fps = (video.fps_numerator, video.fps_denominator);
        Self { width: video.output_width, height: video.output_height, fps }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Parameter {
    pub(super) parameter_value: Option<String>,
    pub(super) default_parameter_value: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Transitions {
    pub(super) transitions: Vec<TransitionItem>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TransitionItem {
    pub(super) transition_name: String,
    pub(super) transition_kind: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct InputVolume {
    pub(super) input_volume_db: Option<f64>,
    pub(super) input_volume_mul: f64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct InputMute {
    pub(super) input_muted: bool,
}

/// Milliseconds, unless they are negative or no number.
fn millis(number: Option<f64>) -> Option<Duration> {
    whole(number).map(Duration::from_millis)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates")]
fn whole(number: Option<f64>) -> Option<u64> {
    number.filter(|number| *number >= 0.0).map(|number| number as u64)
}
