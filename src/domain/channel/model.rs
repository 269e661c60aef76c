//! A channel: what it is called, where it is, and where its media comes from.

use serde::{Deserialize, Serialize};

use super::playlist::Playlist;
use super::settings::{Engine, Failover, Mismatch, Mode};
use crate::domain::broadcaster::DisplayName;
use crate::domain::id::id;
use crate::domain::invalid::{Invalid, text_type};
use crate::domain::page::newest_first;
use crate::domain::path::StreamPath;
use crate::domain::profile::Profile;
use crate::domain::{BroadcasterId, ClipId, OrganizationId, StreamKeyId, Timestamp};

id!(/// Names a channel.
    ChannelId);

/// A channel's short name, for the command line and for its path: 1 to 50 letters, digits, `_` and `-`. No two channels
/// have the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ChannelName(String);

text_type!(ChannelName);

impl ChannelName {
    /// Parses a name.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let good = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
        if text.is_empty() || text.len() > 50 || !text.bytes().all(good) {
            return Err(Invalid::one("name", "must be 1 to 50 letters, digits, '_' and '-'"));
        }
        Ok(Self(text.to_owned()))
    }
}

/// A programme with a public path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channel {
    /// Its identity.
    pub id: ChannelId,
    /// Who owns it, its keys and its destinations.
    pub organization_id: OrganizationId,
    /// Its short name.
    pub name: ChannelName,
    /// Its name as people see it.
    pub display_name: DisplayName,
    /// Where the programme can be watched.
    pub path: StreamPath,
    /// Whether it runs.
    pub enabled: bool,
    /// What is to be on air, until the hold expires.
    pub hold: Hold,
    /// Where its media comes from.
    pub inputs: Inputs,
    /// When it cuts.
    pub failover: Failover,
    /// What it looks like.
    pub profile: Profile,
    /// What happens to a live input that looks different.
    pub mismatch: Mismatch,
    /// What carries its media.
    pub engine: Engine,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

newest_first!(Channel, created_at);

impl Channel {
    /// The mode at `now`: an expired hold is `auto`.
    pub fn mode(&self, now: Timestamp) -> Mode {
        match self.hold.expires_at {
            Some(expires_at) if expires_at <= now => Mode::Auto,
            _ => self.hold.mode,
        }
    }
}

/// A mode, and until when.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hold {
    /// The mode.
    pub mode: Mode,
    /// From then on the mode is `auto`.
    pub expires_at: Option<Timestamp>,
    /// Why, in the operator's words.
    pub reason: Option<String>,
}

/// Where a channel's media comes from, and what its programme is published with. All are keys of one broadcaster that the
/// channel has for itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inputs {
    /// The owner of the keys.
    pub broadcaster: BroadcasterId,
    /// The key of the live encoder. Its path is [`Inputs::live_path`].
    pub live_key: StreamKeyId,
    /// The key with which the engine publishes the programme at the channel's path. If the media server itself carries the
    /// channel, that is the live key.
    pub programme_key: StreamKeyId,
    /// What is on air without the live input.
    pub backup: Backup,
}

/// What is on air without the live input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Backup {
    /// Clips. If none is ready, the built-in picture.
    Playlist(Playlist),
    /// A second encoder, with a key of its own. Its path is [`Inputs::backup_path`].
    Stream(StreamKeyId),
}

/// Which of these clips are in the playlists, and of which channels.
pub fn uses(playlists: &[(ChannelId, Playlist)], clips: &[ClipId]) -> Vec<(ClipId, ChannelId)> {
    let mut uses: Vec<(ClipId, ChannelId)> = Vec::new();
    for (channel, playlist) in playlists {
        let of = playlist.all_clips().into_iter().filter(|clip| clips.contains(clip));
        uses.extend(of.map(|clip| (clip, *channel)));
    }
    uses.sort_by_key(|(clip, channel)| (*channel, *clip));
    uses
}

impl Inputs {
    /// Where the live encoder of a channel publishes: below the channel's path, or at it if the media server itself
    /// carries the channel.
    pub fn live_path(engine: Engine, path: &StreamPath) -> Result<StreamPath, Invalid> {
        match engine {
            Engine::Mixer => StreamPath::parse(&format!("{path}/live")),
            Engine::MediaServer => Ok(path.clone()),
        }
    }

    /// Where the backup encoder of a channel publishes.
    pub fn backup_path(path: &StreamPath) -> Result<StreamPath, Invalid> {
        StreamPath::parse(&format!("{path}/backup"))
    }
}
