//! The bodies of `/channels`, and its events.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use serde_with::skip_serializing_none;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::adapters::views::DateTime;
use crate::app::channel::{ChannelDraft, DestinationDraft, ModeDraft, PlaylistDraft, SlotDraft};
use crate::domain::channel::{
    Day, Engine, FailoverPatch, InputState, Mismatch, Mode, OutputState, Platform, PlaylistChange,
    ProfilePatch, Reason, Source,
};
use crate::domain::event::{ChannelEvent, Event};
use crate::domain::secret::Secret;

/// A channel to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ChannelDraft)]
pub(super) struct DraftJson {
    /// The short name. No two channels have the same.
    #[schema(value_type = String, required = true, example = "Classroom", pattern = "^[0-9A-Za-z_-]{1,50}$")]
    name: Option<String>,
    /// The name for people. Without it: the short name.
    #[schema(min_length = 1, max_length = 255)]
    display_name: Option<String>,
    /// Where the programme can be watched. Without it: `live/` and the short name. The live encoder publishes to
    /// `<path>/live`, or to the path itself with the engine `media_server`.
    #[schema(example = "live/Classroom", max_length = 200, pattern = "^[0-9A-Za-z_-]+(/[0-9A-Za-z_-]+)*$")]
    path: Option<String>,
    /// `true` without it.
    enabled: Option<bool>,
    inputs: Option<InputsJson>,
    failover: Option<FailoverJson>,
    profile: Option<ProfileJson>,
    /// What happens to a live input that looks different. `transcode` needs ffmpeg on the machine of the service.
    #[schema(value_type = Option<Mismatch>)]
    mismatch: Option<String>,
    /// What carries its media; only at the creation. With `media_server`, MediaMTX itself does (1.20 and later): the live
    /// encoder publishes to the channel's path, only the mode `auto` exists, and the media server has the keys of the
    /// destinations in its memory and shows them to whoever may use its control API.
    #[schema(value_type = Option<Engine>)]
    engine: Option<String>,
    /// Who owns it. Without it: the first organization, or the only one of the client.
    #[schema(value_type = Option<Uuid>)]
    organization_id: Option<String>,
}

/// Changes of a channel. Absent fields stay unchanged, also those in `failover` and `profile`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ChannelPatch)]
pub(super) struct PatchJson {
    #[schema(example = "Classroom", pattern = "^[0-9A-Za-z_-]{1,50}$")]
    name: Option<String>,
    #[schema(min_length = 1, max_length = 255)]
    display_name: Option<String>,
    /// With `false` the programme and its destinations end.
    enabled: Option<bool>,
    /// Only the playlist can be changed. It replaces the old one completely.
    inputs: Option<InputsJson>,
    failover: Option<FailoverJson>,
    profile: Option<ProfileJson>,
    #[schema(value_type = Option<Mismatch>)]
    mismatch: Option<String>,
    /// It cannot be changed.
    #[schema(value_type = Option<Engine>)]
    engine: Option<String>,
}

/// Where a channel's media comes from.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ChannelInputsDraft)]
struct InputsJson {
    backup: Option<BackupJson>,
}

/// What is on air without the live input.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = BackupInputDraft)]
struct BackupJson {
    /// `playlist` (default) or `stream`, a second encoder, which gets a key of its own.
    #[schema(pattern = "^(playlist|stream)$")]
    kind: Option<String>,
    playlist: Option<PlaylistJson>,
}

/// Clips in the order in which they play. Without any, the built-in picture is shown.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PlaylistDraft)]
struct PlaylistJson {
    /// Those that play when no slot of the schedule does.
    #[schema(value_type = Vec<Uuid>, max_items = 1000)]
    clips: Vec<String>,
    /// Clips that play at certain times. Of slots at the same time, the clips of each play.
    #[schema(max_items = 200)]
    schedule: Option<Vec<SlotJson>>,
    /// `end_of_clip` without it.
    #[schema(value_type = Option<PlaylistChange>)]
    change: Option<String>,
}

/// Clips that play at a time of day.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PlaylistSlotDraft)]
struct SlotJson {
    #[schema(value_type = Vec<Uuid>, min_items = 1, max_items = 1000)]
    clips: Vec<String>,
    /// When it begins.
    #[schema(example = "18:00", pattern = "^([01][0-9]|2[0-3]):[0-5][0-9]$")]
    from: String,
    /// When it ends; if that is not later than `from`, on the next day.
    #[schema(example = "20:00", pattern = "^([01][0-9]|2[0-3]):[0-5][0-9]$")]
    to: String,
    /// The days on which it begins; every day without any.
    #[schema(value_type = Option<Vec<Day>>)]
    days: Option<Vec<String>>,
    /// Whose clock counts: a name of the IANA database.
    #[schema(example = "Asia/Kolkata")]
    time_zone: String,
}

impl From<PlaylistJson> for PlaylistDraft {
    fn from(json: PlaylistJson) -> Self {
        let slot = |slot: SlotJson| SlotDraft {
            clips: slot.clips,
            from: slot.from,
            to: slot.to,
            days: slot.days.unwrap_or_default(),
            time_zone: slot.time_zone,
        };
        let schedule = json.schedule.unwrap_or_default().into_iter().map(slot).collect();
        Self { clips: json.clips, schedule, change: json.change }
    }
}

/// When the live input is lost, and when it is back. An absent field has its default in a new channel, and stays
/// unchanged in another one. `null` removes a limit.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = FailoverDraft)]
struct FailoverJson {
    #[schema(minimum = 300, maximum = 10_000, default = 700)]
    stall_ms: Option<u32>,
    #[schema(maximum = 300, default = 5)]
    recovery_grace_seconds: Option<u32>,
    #[serde(default, deserialize_with = "removable")]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 1_000_000)]
    min_bitrate_kbps: Option<Option<u32>>,
    #[serde(default, deserialize_with = "removable")]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 60)]
    max_keyframe_gap_seconds: Option<Option<u32>>,
    flapping: Option<FlappingJson>,
}

/// An input that is lost again and again has to be good for longer each time.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = FlappingDraft)]
struct FlappingJson {
    #[schema(minimum = 1, maximum = 1_000, default = 3)]
    cuts: Option<u32>,
    #[schema(minimum = 1, maximum = 3_600, default = 60)]
    within_seconds: Option<u32>,
    #[schema(minimum = 1, maximum = 3_600, default = 300)]
    max_grace_seconds: Option<u32>,
}

/// What the programme looks like. An absent field has its default in a new channel, and stays unchanged in another one.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ProfileDraft)]
struct ProfileJson {
    video: Option<VideoJson>,
    audio: Option<AudioJson>,
}

/// A picture: H.264.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ProfileVideoDraft)]
struct VideoJson {
    /// Even.
    #[schema(minimum = 16, maximum = 7_680, default = 1_280)]
    width: Option<u32>,
    /// Even.
    #[schema(minimum = 16, maximum = 4_320, default = 720)]
    height: Option<u32>,
    #[schema(minimum = 1, maximum = 120, default = 30)]
    fps: Option<u32>,
}

/// Sound: AAC-LC.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ProfileAudioDraft)]
struct AudioJson {
    /// 44100 or 48000.
    #[schema(default = 48_000)]
    rate: Option<u32>,
    #[schema(minimum = 1, maximum = 2, default = 2)]
    channels: Option<u32>,
}

impl From<FailoverJson> for FailoverPatch {
    fn from(json: FailoverJson) -> Self {
        let flapping = json.flapping.unwrap_or_default();
        Self {
            stall_ms: json.stall_ms,
            recovery_grace_seconds: json.recovery_grace_seconds,
            min_bitrate_kbps: json.min_bitrate_kbps,
            max_keyframe_gap_seconds: json.max_keyframe_gap_seconds,
            cuts: flapping.cuts,
            within_seconds: flapping.within_seconds,
            max_grace_seconds: flapping.max_grace_seconds,
        }
    }
}

impl From<ProfileJson> for ProfilePatch {
    fn from(json: ProfileJson) -> Self {
        let (video, audio) = (json.video.unwrap_or_default(), json.audio.unwrap_or_default());
        Self {
            width: video.width,
            height: video.height,
            fps: video.fps,
            rate: audio.rate,
            channels: audio.channels,
        }
    }
}

impl From<DraftJson> for ChannelDraft {
    fn from(json: DraftJson) -> Self {
        let DraftJson {
            name, display_name, path, enabled, inputs, failover, profile, mismatch, engine, ..
        } = json;
        let organization_id = json.organization_id;
        let backup = inputs.and_then(|inputs| inputs.backup);
        let (backup_kind, playlist) = backup.map_or((None, None), |backup| (backup.kind, backup.playlist));
        Self {
            name,
            display_name,
            path,
            enabled,
            backup_kind,
            playlist: playlist.map(PlaylistDraft::from),
            failover: failover.map(FailoverPatch::from).unwrap_or_default(),
            profile: profile.map(ProfilePatch::from).unwrap_or_default(),
            mismatch,
            engine,
            organization_id,
        }
    }
}

impl From<PatchJson> for ChannelDraft {
    fn from(json: PatchJson) -> Self {
        let PatchJson { name, display_name, enabled, inputs, failover, profile, mismatch, engine } = json;
        let (path, organization_id) = (None, None);
        DraftJson {
            name,
            display_name,
            path,
            enabled,
            inputs,
            failover,
            profile,
            mismatch,
            engine,
            organization_id,
        }
        .into()
    }
}

/// Who chooses what is on air.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ModeDraft)]
pub(super) struct ModeJson {
    #[schema(value_type = Mode)]
    mode: Option<String>,
    /// How long it holds; then the mode is `auto`. For ever without it.
    #[schema(minimum = 1, maximum = 2_592_000)]
    expires_in_seconds: Option<u64>,
    /// Why, for the people who see it.
    #[schema(value_type = String, required = true, min_length = 1, max_length = 500)]
    reason: Option<String>,
}

impl From<ModeJson> for ModeDraft {
    fn from(json: ModeJson) -> Self {
        let (mode, reason) = (json.mode.unwrap_or_default(), json.reason.unwrap_or_default());
        Self { mode, expires_in_seconds: json.expires_in_seconds, reason }
    }
}

/// A rehearsal to run.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RehearsalDraft)]
pub(super) struct RehearsalJson {
    /// For how long the live input is treated as lost.
    #[schema(value_type = u32, required = true, minimum = 1, maximum = 300)]
    pub(super) cut_live_for_seconds: Option<u32>,
}

/// A value that `null` removes.
fn removable<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::<T>::deserialize(deserializer).map(Some)
}

/// A destination to create. The platform fills in what it is known for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DestinationDraft)]
pub(super) struct DestinationJson {
    #[schema(value_type = String, required = true, min_length = 1, max_length = 100)]
    name: Option<String>,
    #[schema(value_type = Platform)]
    platform: Option<String>,
    /// Its address without the key: `rtmp`, `rtmps`, or `srt` with no parameters but `latency` (ms), `pbkeylen` and
    /// `mode=caller`. Kick and `custom` need one.
    #[schema(example = "rtmps://a.rtmps.youtube.com/live2", max_length = 500)]
    url: Option<String>,
    #[schema(max_length = 500)]
    backup_url: Option<String>,
    /// The key that the platform shows. It is never shown again. With `srt` it is the stream id, or
    /// `streamid=…&passphrase=…`.
    #[schema(value_type = String, required = true, min_length = 1, max_length = 500, pattern = "^[^\\s]+$")]
    key: Option<String>,
    /// `true` without it.
    enabled: Option<bool>,
    /// A new session begins after this many seconds.
    #[schema(minimum = 60, maximum = 604_800)]
    rotate_session_every_seconds: Option<u32>,
}

/// Changes of a destination. Absent fields stay unchanged; `null` removes a value. No other destination is interrupted.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DestinationPatch)]
pub(super) struct DestinationPatchJson {
    #[schema(min_length = 1, max_length = 100)]
    name: Option<String>,
    #[schema(value_type = Option<Platform>)]
    platform: Option<String>,
    #[schema(max_length = 500)]
    url: Option<String>,
    #[serde(default, deserialize_with = "removable")]
    #[schema(value_type = Option<String>, max_length = 500)]
    backup_url: Option<Option<String>>,
    /// A new key in place of the old one.
    #[schema(min_length = 1, max_length = 500, pattern = "^[^\\s]+$")]
    key: Option<String>,
    enabled: Option<bool>,
    #[serde(default, deserialize_with = "removable")]
    #[schema(value_type = Option<u32>, minimum = 60, maximum = 604_800)]
    rotate_session_every_seconds: Option<Option<u32>>,
}

impl From<DestinationJson> for DestinationDraft {
    fn from(json: DestinationJson) -> Self {
        Self {
            name: json.name,
            platform: json.platform,
            url: json.url,
            backup_url: json.backup_url.map(Some),
            key: json.key.map(Secret::new),
            enabled: json.enabled,
            rotate_session_every_seconds: json.rotate_session_every_seconds.map(Some),
        }
    }
}

impl From<DestinationPatchJson> for DestinationDraft {
    fn from(json: DestinationPatchJson) -> Self {
        Self {
            name: json.name,
            platform: json.platform,
            url: json.url,
            backup_url: json.backup_url,
            key: json.key.map(Secret::new),
            enabled: json.enabled,
            rotate_session_every_seconds: json.rotate_session_every_seconds,
        }
    }
}

/// The data of an event.
#[skip_serializing_none]
#[derive(Serialize, ToSchema)]
#[schema(as = ChannelEvent)]
pub(super) struct EventJson {
    /// When the change happened.
    at: DateTime,
    channel_id: Uuid,
    /// The short name of the channel after the change.
    channel_name: String,
    /// With `channel.cut`.
    cut: Option<CutJson>,
    /// With `channel.input`.
    input: Option<InputJson>,
    /// With `destination.…`.
    destination: Option<DestinationChangeJson>,
}

/// A cut.
#[skip_serializing_none]
#[derive(Serialize, ToSchema)]
#[schema(as = ChannelCut)]
struct CutJson {
    decision_id: Uuid,
    /// What was on air before. Absent at the start of the programme.
    from: Option<Source>,
    /// What is on air.
    to: Source,
    reason: Reason,
    /// The figures behind it.
    #[schema(value_type = Object)]
    numbers: Map<String, Value>,
}

/// A change of an input.
#[skip_serializing_none]
#[derive(Serialize, ToSchema)]
#[schema(as = ChannelInputChange)]
struct InputJson {
    /// `live` or `backup`.
    input: Source,
    state: InputState,
    /// For a mismatch: what differs.
    problem: Option<String>,
}

/// A change of a destination.
#[skip_serializing_none]
#[derive(Serialize, ToSchema)]
#[schema(as = DestinationChange)]
struct DestinationChangeJson {
    id: Uuid,
    name: String,
    /// With `destination.state`.
    state: Option<OutputState>,
    last_error: Option<String>,
}

impl EventJson {
    pub(super) fn of(event: &Event, body: &ChannelEvent) -> Self {
        let details = body.details.clone();
        Self {
            at: event.at,
            channel_id: body.id.0,
            channel_name: body.name.to_string(),
            cut: details.cut.map(|cut| CutJson {
                decision_id: cut.decision,
                from: cut.from,
                to: cut.to,
                reason: cut.reason,
                numbers: cut.numbers,
            }),
            input: details.input.map(|input| InputJson {
                input: input.input,
                state: input.state,
                problem: input.problem,
            }),
            destination: details.destination.map(|one| DestinationChangeJson {
                id: one.id.0,
                name: one.name,
                state: one.state,
                last_error: one.last_error,
            }),
        }
    }
}
