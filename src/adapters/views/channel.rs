//! Channels, their destinations, decisions and rehearsals.

use serde::Serialize;
use serde_json::{Map, Value};
use serde_with::skip_serializing_none;
use utoipa::ToSchema;
use uuid::Uuid;

use super::list::list;
use super::{DateTime, NewStreamKey};
use crate::app::channel::{ChannelNow, NewChannel};
use crate::domain::channel::{
    Backup, ClipId, Day, Decision, DecisionKind, Destination, Engine, Failover, Mismatch, Mode, Platform,
    Playlist, PlaylistChange, Profile, Reason, Slot, Source,
};

list! {
    /// All channels.
    ChannelList { channels: ChannelView }
}

list! {
    /// The destinations of a channel.
    DestinationList { destinations: DestinationView }
}

list! {
    /// What was decided about a channel.
    DecisionList { decisions: DecisionView }
}

/// A programme with a public path.
#[skip_serializing_none]
#[derive(Serialize, ToSchema)]
#[schema(as = Channel)]
pub(crate) struct ChannelView {
    id: Uuid,
    /// Who owns it.
    organization_id: Uuid,
    /// The short name. No two channels have the same.
    #[schema(example = "Classroom")]
    name: String,
    display_name: String,
    /// Where the programme can be watched.
    #[schema(example = "live/Classroom")]
    path: String,
    /// Whether it runs.
    enabled: bool,
    /// Who chooses what is on air.
    mode: Mode,
    /// From then on the mode is `auto`.
    mode_expires_at: Option<DateTime>,
    /// Why it has this mode, in the operator's words.
    mode_reason: Option<String>,
    inputs: InputsView,
    failover: FailoverView,
    profile: ProfileView,
    mismatch: Mismatch,
    engine: Engine,
    created_at: DateTime,
    updated_at: DateTime,
}

/// Where a channel's media comes from.
#[derive(Serialize, ToSchema)]
#[schema(as = ChannelInputs)]
struct InputsView {
    live: LiveView,
    backup: BackupView,
}

/// The live input.
#[derive(Serialize, ToSchema)]
#[schema(as = LiveInput)]
struct LiveView {
    /// The key of the live encoder.
    stream_key_id: Uuid,
}

/// What is on air without the live input.
#[skip_serializing_none]
#[derive(Serialize, ToSchema)]
#[schema(as = BackupInput)]
struct BackupView {
    /// `playlist` or `stream`.
    kind: &'static str,
    playlist: Option<PlaylistView>,
    /// The key of the backup encoder.
    stream_key_id: Option<Uuid>,
}

/// Clips in the order in which they play, again and again.
#[derive(Serialize, ToSchema)]
#[schema(as = Playlist)]
struct PlaylistView {
    /// Those that play when no slot of the schedule does.
    clips: Vec<Uuid>,
    schedule: Vec<SlotView>,
    change: PlaylistChange,
}

/// Clips that play at a time of day.
#[derive(Serialize, ToSchema)]
#[schema(as = PlaylistSlot)]
struct SlotView {
    clips: Vec<Uuid>,
    /// When it begins.
    #[schema(example = "18:00")]
    from: String,
    /// When it ends; if that is not later than `from`, on the next day.
    #[schema(example = "20:00")]
    to: String,
    /// The days on which it begins; every day without any.
    days: Vec<Day>,
    /// Whose clock counts.
    #[schema(example = "Asia/Kolkata")]
    time_zone: String,
}

impl From<Playlist> for PlaylistView {
    fn from(Playlist { clips, schedule, change }: Playlist) -> Self {
        let ids = |clips: Vec<ClipId>| clips.into_iter().map(|clip| clip.0).collect();
        let slot = |slot: Slot| SlotView {
            clips: ids(slot.clips),
            from: slot.from.to_string(),
            to: slot.to.to_string(),
            days: slot.days,
            time_zone: slot.time_zone.to_string(),
        };
        Self { clips: ids(clips), schedule: schedule.into_iter().map(slot).collect(), change }
    }
}

/// When the live input is lost, and when it is back.
#[skip_serializing_none]
#[derive(Serialize, ToSchema)]
#[schema(as = Failover)]
struct FailoverView {
    /// Without a video frame for this long, the live input is lost.
    stall_ms: u32,
    /// The live input must be good for this long before it goes on air.
    recovery_grace_seconds: u32,
    /// Below this bitrate the live input is lost.
    min_bitrate_kbps: Option<u32>,
    /// Without a keyframe for this long, the live input is lost.
    max_keyframe_gap_seconds: Option<u32>,
    flapping: FlappingView,
}

/// An input that is lost again and again has to be good for longer each time.
#[derive(Serialize, ToSchema)]
#[schema(as = Flapping)]
struct FlappingView {
    /// After this many losses within the time, the grace doubles with each further loss.
    cuts: u32,
    within_seconds: u32,
    /// The grace never exceeds this.
    max_grace_seconds: u32,
}

/// What the programme looks like.
#[derive(Serialize, ToSchema)]
#[schema(as = Profile)]
struct ProfileView {
    video: VideoView,
    audio: AudioView,
}

/// A picture: H.264.
#[derive(Serialize, ToSchema)]
#[schema(as = ProfileVideo)]
struct VideoView {
    width: u32,
    height: u32,
    /// Frames a second.
    fps: u32,
}

/// Sound: AAC-LC.
#[derive(Serialize, ToSchema)]
#[schema(as = ProfileAudio)]
struct AudioView {
    /// Samples a second.
    rate: u32,
    channels: u32,
}

impl From<Failover> for FailoverView {
    fn from(failover: Failover) -> Self {
        let Failover {
            stall_ms,
            recovery_grace_seconds,
            min_bitrate_kbps,
            max_keyframe_gap_seconds,
            flapping,
        } = failover;
        let flapping = FlappingView {
            cuts: flapping.cuts,
            within_seconds: flapping.within_seconds,
            max_grace_seconds: flapping.max_grace_seconds,
        };
        Self { stall_ms, recovery_grace_seconds, min_bitrate_kbps, max_keyframe_gap_seconds, flapping }
    }
}

impl From<Profile> for ProfileView {
    fn from(Profile { video, audio }: Profile) -> Self {
        Self {
            video: VideoView { width: video.width, height: video.height, fps: video.fps },
            audio: AudioView { rate: audio.rate, channels: audio.channels },
        }
    }
}

impl From<Backup> for BackupView {
    fn from(backup: Backup) -> Self {
        match backup {
            Backup::Playlist(playlist) => {
                Self { kind: "playlist", playlist: Some(playlist.into()), stream_key_id: None }
            }
            Backup::Stream(key) => Self { kind: "stream", playlist: None, stream_key_id: Some(key.0) },
        }
    }
}

impl From<ChannelNow> for ChannelView {
    fn from(ChannelNow { channel, at }: ChannelNow) -> Self {
        let mode = channel.mode(at);
        let hold = Some(channel.hold).filter(|hold| hold.mode == mode);
        let (mode_expires_at, mode_reason) = hold.map_or((None, None), |hold| (hold.expires_at, hold.reason));
        Self {
            id: channel.id.0,
            organization_id: channel.organization_id.0,
            name: channel.name.into(),
            display_name: channel.display_name.into(),
            path: channel.path.into(),
            enabled: channel.enabled,
            mode,
            mode_expires_at,
            mode_reason,
            inputs: InputsView {
                live: LiveView { stream_key_id: channel.inputs.live_key.0 },
                backup: channel.inputs.backup.into(),
            },
            failover: channel.failover.into(),
            profile: channel.profile.into(),
            mismatch: channel.mismatch,
            engine: channel.engine,
            created_at: channel.created_at,
            updated_at: channel.updated_at,
        }
    }
}

/// A channel that was just created.
#[skip_serializing_none]
#[derive(Serialize, ToSchema)]
#[schema(as = NewChannel)]
pub(crate) struct NewChannelView {
    #[serde(flatten)]
    channel: ChannelView,
    /// The key of the live encoder, with its settings. Its secret is shown only once.
    live_key: NewStreamKey,
    /// The same of the backup encoder, if the backup is a stream.
    backup_key: Option<NewStreamKey>,
}

impl From<NewChannel> for NewChannelView {
    fn from(NewChannel { channel, live_key, backup_key }: NewChannel) -> Self {
        Self {
            channel: channel.into(),
            live_key: live_key.into(),
            backup_key: backup_key.map(NewStreamKey::from),
        }
    }
}

/// Where a programme is pushed, without its key.
#[skip_serializing_none]
#[derive(Serialize, ToSchema)]
#[schema(as = Destination)]
pub(crate) struct DestinationView {
    id: Uuid,
    #[schema(example = "YouTube")]
    name: String,
    platform: Platform,
    /// Where it is, without the key.
    #[schema(example = "rtmps://a.rtmps.youtube.com/live2")]
    url: String,
    /// Where it is if the first address fails.
    backup_url: Option<String>,
    /// Whether the programme is pushed to it.
    enabled: bool,
    /// A new session begins after this many seconds.
    rotate_session_every_seconds: Option<u32>,
    created_at: DateTime,
    updated_at: DateTime,
}

impl From<Destination> for DestinationView {
    fn from(one: Destination) -> Self {
        Self {
            id: one.id.0,
            name: one.name,
            platform: one.platform,
            url: one.url.into(),
            backup_url: one.backup_url.map(String::from),
            enabled: one.enabled,
            rotate_session_every_seconds: one.rotate_session_every_seconds,
            created_at: one.created_at,
            updated_at: one.updated_at,
        }
    }
}

/// A cut, or a refusal to cut.
#[skip_serializing_none]
#[derive(Serialize, ToSchema)]
#[schema(as = Decision)]
pub(crate) struct DecisionView {
    id: Uuid,
    at: DateTime,
    /// What was on air before. Absent at the start of the programme.
    from: Option<Source>,
    /// What was to be on air.
    to: Source,
    kind: DecisionKind,
    reason: Reason,
    /// The figures behind it.
    #[schema(value_type = Object)]
    numbers: Map<String, Value>,
}

impl From<Decision> for DecisionView {
    fn from(decision: Decision) -> Self {
        let Decision { id, at, from, to, kind, reason, numbers, .. } = decision;
        Self { id: id.0, at, from, to, kind, reason, numbers }
    }
}
