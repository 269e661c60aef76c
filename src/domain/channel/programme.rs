//! What an engine has to run: a channel with everything it needs, its secrets opened.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::destination::DestinationId;
use super::model::{ChannelId, ChannelName};
use super::playlist::PlaylistChange;
use super::settings::{Engine, Failover, Mismatch, Mode};
use crate::domain::ClipId;
use crate::domain::path::StreamPath;
use crate::domain::profile::Profile;
use crate::domain::secret::Secret;

/// A channel as an engine runs it. A new one replaces it while it runs: what did not change is not interrupted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Programme {
    /// Which channel.
    pub channel: ChannelId,
    /// Its name, for logs and metrics.
    pub name: ChannelName,
    /// What carries its media.
    pub engine: Engine,
    /// Where it can be watched.
    pub path: StreamPath,
    /// Where to read the live input: an RTMP address on the media server. It can contain a secret.
    pub live: Secret,
    /// What is on air without it.
    pub backup: BackupMedia,
    /// When other clips take effect.
    pub playlist_change: PlaylistChange,
    /// The built-in picture in the channel's profile, an FLV file; `None` for the default profile, and if it cannot be made.
    pub slate: Option<PathBuf>,
    /// Who chooses.
    pub mode: Mode,
    /// Whether the mode is `auto` because a hold has expired.
    pub hold_has_expired: bool,
    /// When it cuts.
    pub failover: Failover,
    /// What it looks like.
    pub profile: Profile,
    /// What happens to a live input that looks different.
    pub mismatch: Mismatch,
    /// A rehearsal: the live input counts as lost for as long as this is set.
    pub live_is_cut: bool,
    /// Where the programme goes: the media server, and the enabled destinations.
    pub outputs: Vec<Output>,
}

/// The backup's media.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BackupMedia {
    /// FLV files of the channel's profile, played in order, again and again. Empty: the built-in picture. For the engine
    /// `media_server`, one MP4 file at most.
    Clips(Vec<(ClipId, PathBuf)>),
    /// Where to read a second encoder: an RTMP address.
    Stream(Secret),
}

/// Where the programme goes.
#[derive(Clone, PartialEq, Eq)]
pub struct Output {
    /// Which destination.
    pub id: OutputId,
    /// The RTMP, RTMPS or SRT address, without the key.
    pub url: String,
    /// The address if the first fails.
    pub backup_url: Option<String>,
    /// The platform's key: with RTMP the stream name to publish, with SRT a [`super::SrtKey`].
    pub key: Secret,
    /// A new session begins after this time.
    pub rotate_session_every: Option<Duration>,
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Output").field("id", &self.id).field("url", &self.url).finish_non_exhaustive()
    }
}

/// Names an output of a programme.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputId {
    /// The channel's path on the media server, where viewers watch.
    MediaServer,
    /// A destination.
    Destination(DestinationId),
}

impl fmt::Display for OutputId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MediaServer => f.write_str("media_server"),
            Self::Destination(id) => id.fmt(f),
        }
    }
}
