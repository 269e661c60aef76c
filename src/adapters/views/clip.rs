//! Clips.

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::DateTime;
use super::list::list;
use crate::app::clip::ClipInUse;
use crate::domain::clip::{ClipState, MediaFile, Probe};
use crate::domain::profile::Profile;

list! {
    /// All clips.
    ClipList { clips: ClipView }
}

/// An uploaded file, prepared for playout.
#[derive(Serialize, ToSchema)]
#[schema(as = Clip)]
pub(crate) struct ClipView {
    id: Uuid,
    /// Who owns it.
    organization_id: Uuid,
    /// The name of the uploaded file.
    #[schema(example = "intro.mp4")]
    name: String,
    /// The size of the uploaded file, in bytes.
    size: u64,
    /// What happens to it now.
    #[schema(pattern = "^(uploading|queued|probing|normalizing|ready|failed)$", example = "ready")]
    state: &'static str,
    /// How much of the present state is done, 0 to 1; 1 when it is ready.
    #[schema(minimum = 0, maximum = 1)]
    progress: f64,
    /// Why it failed, or why it still waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// How many bytes are uploaded; only while it is uploaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    uploaded: Option<u64>,
    /// When the upload is removed if it does not continue.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<DateTime>,
    /// SHA-256 of the uploaded file; absent before it was examined.
    #[serde(skip_serializing_if = "Option::is_none")]
    content_hash: Option<String>,
    /// What is in the uploaded file.
    #[serde(skip_serializing_if = "Option::is_none")]
    probe: Option<ProbeView>,
    /// The prepared files, and those that are wanted.
    renditions: Vec<RenditionView>,
    /// The ids of the channels that use it.
    in_use_by: Vec<Uuid>,
    created_at: DateTime,
    updated_at: DateTime,
}

/// What is in a file.
#[derive(Serialize, ToSchema)]
#[schema(as = ClipProbe)]
struct ProbeView {
    /// As ffmpeg names it.
    #[schema(example = "matroska,webm")]
    container: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    video: Option<VideoView>,
    /// Absent if there is no sound.
    #[serde(skip_serializing_if = "Option::is_none")]
    audio: Option<AudioView>,
}

/// A picture track.
#[derive(Serialize, ToSchema)]
#[schema(as = ClipVideo)]
struct VideoView {
    #[schema(example = "h264")]
    codec: String,
    width: u32,
    height: u32,
    /// Frames a second, on average.
    fps: f64,
}

/// A sound track.
#[derive(Serialize, ToSchema)]
#[schema(as = ClipAudio)]
struct AudioView {
    #[schema(example = "aac")]
    codec: String,
    /// Samples a second.
    rate: u32,
    channels: u32,
}

/// A file that is prepared for a profile.
#[derive(Serialize, ToSchema)]
#[schema(as = ClipRendition)]
struct RenditionView {
    width: u32,
    height: u32,
    fps: u32,
    /// Samples of sound a second.
    audio_rate: u32,
    audio_channels: u32,
    /// Whether it is made.
    ready: bool,
    /// SHA-256 of the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    content_hash: Option<String>,
    /// In bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_ms: Option<u64>,
}

impl From<ClipInUse> for ClipView {
    fn from(ClipInUse { clip, in_use_by }: ClipInUse) -> Self {
        let (uploaded, expires_at) = match clip.state {
            ClipState::Uploading { offset, expires_at } => (Some(offset), Some(expires_at)),
            _ => (None, None),
        };
        Self {
            id: clip.id.0,
            organization_id: clip.organization_id.0,
            size: clip.size,
            state: clip.state.name(),
            progress: (clip.progress() * 1_000.0).round() / 1_000.0,
            error: clip.error().map(str::to_owned),
            uploaded,
            expires_at,
            content_hash: clip.source.map(|hash| hash.to_string()),
            probe: clip.probe.map(ProbeView::from),
            renditions: clip.renditions.iter().map(|one| RenditionView::of(&one.profile, one.file)).collect(),
            in_use_by: in_use_by.into_iter().map(|channel| channel.0).collect(),
            created_at: clip.created_at,
            updated_at: clip.updated_at,
            name: clip.name.into(),
        }
    }
}

impl From<Probe> for ProbeView {
    fn from(Probe { container, duration_ms, video, audio }: Probe) -> Self {
        let video =
            video.map(|it| VideoView { codec: it.codec, width: it.width, height: it.height, fps: it.fps });
        let audio = audio.map(|it| AudioView { codec: it.codec, rate: it.rate, channels: it.channels });
        Self { container, duration_ms, video, audio }
    }
}

impl RenditionView {
    fn of(profile: &Profile, file: Option<MediaFile>) -> Self {
        Self {
            width: profile.video.width,
            height: profile.video.height,
            fps: profile.video.fps,
            audio_rate: profile.audio.rate,
            audio_channels: profile.audio.channels,
            ready: file.is_some(),
            content_hash: file.map(|file| file.hash.to_string()),
            size: file.map(|file| file.size),
            duration_ms: file.map(|file| file.duration_ms),
        }
    }
}
