//! What clients send about channels, and how it is checked.

use super::playlist::PlaylistDraft;
use crate::domain::Timestamp;
use crate::domain::broadcaster::DisplayName;
use crate::domain::channel::{
    ChannelName, ChannelPatch, Destination, DestinationPatch, Engine, FailoverPatch, Hold, Mismatch, Mode,
    Platform, ProfilePatch, PushUrl, SrtKey,
};
use crate::domain::invalid::{Checks, Invalid, text};
use crate::domain::path::StreamPath;
use crate::domain::secret::Secret;
use std::time::Duration;

/// The longest key of a destination, in bytes.
const LONGEST_KEY: usize = 500;
/// The longest hold with an end: 30 days.
const LONGEST_HOLD: u64 = 30 * 86_400;

/// A channel as a client describes it, not checked yet. `None` means the default, or no change.
#[derive(Clone, Debug, Default)]
pub struct ChannelDraft {
    /// The short name; needed to create one.
    pub name: Option<String>,
    /// The name for people; the short name without it.
    pub display_name: Option<String>,
    /// The public path; `live/<name>` without it. Only at the creation.
    pub path: Option<String>,
    /// Whether it runs.
    pub enabled: Option<bool>,
    /// `playlist` (default) or `stream`. Only at the creation.
    pub backup_kind: Option<String>,
    /// The playlist.
    pub playlist: Option<PlaylistDraft>,
    /// When it cuts.
    pub failover: FailoverPatch,
    /// What it looks like.
    pub profile: ProfilePatch,
    /// `refuse` (default), `switch` or `transcode`.
    pub mismatch: Option<String>,
    /// `mixer` (default) or `media_server`. Only at the creation.
    pub engine: Option<String>,
    /// Whose it is; needed if the client belongs to several organizations. Only at the creation.
    pub organization_id: Option<String>,
}

/// What a draft says beside the patch, for a new channel.
pub(super) struct Creation {
    pub(super) name: ChannelName,
    pub(super) display_name: DisplayName,
    pub(super) path: StreamPath,
    pub(super) backup_is_stream: bool,
    pub(super) patch: ChannelPatch,
}

fn word<T: std::str::FromStr>(field: &str, word: Option<&str>, known: &str) -> Option<Result<T, Invalid>> {
    word.map(|word| word.parse().map_err(|_| Invalid::one(field, format!("must be {known}"))))
}

impl ChannelDraft {
    fn checked(&self, checks: &mut Checks) -> ChannelPatch {
        ChannelPatch {
            name: checks.take_opt(self.name.as_deref().map(ChannelName::parse)),
            display_name: checks.take_opt(self.display_name.as_deref().map(DisplayName::parse)),
            enabled: self.enabled,
            playlist: checks.take_opt(self.playlist.as_ref().map(PlaylistDraft::playlist)),
            failover: checks.take(self.failover.check()).unwrap_or_default(),
            profile: checks.take(self.profile.check()).unwrap_or_default(),
            mismatch: checks.take_opt(word::<Mismatch>(
                "mismatch",
                self.mismatch.as_deref(),
                "refuse, switch or transcode",
            )),
            engine: checks.take_opt(word::<Engine>(
                "engine",
                self.engine.as_deref(),
                "mixer or media_server",
            )),
        }
    }

    /// The change that it describes.
    pub(super) fn patch(&self) -> Result<ChannelPatch, Invalid> {
        let mut checks = Checks::default();
        let patch = self.checked(&mut checks);
        for (field, is_given) in
            [("path", self.path.is_some()), ("inputs.backup.kind", self.backup_kind.is_some())]
        {
            if is_given {
                checks.take::<()>(Err(Invalid::one(field, "cannot be changed: create another channel")));
            }
        }
        checks.finish().map(|()| patch)
    }

    /// The channel that it describes.
    pub(super) fn creation(&self) -> Result<Creation, Invalid> {
        let mut checks = Checks::default();
        let patch = self.checked(&mut checks);
        let name = patch.name.clone();
        if self.name.is_none() {
            // The refusal is that of an empty one.
            checks.take(ChannelName::parse(""));
        }
        let path = match (&self.path, &name) {
            (None, None) => None,
            (given, name) => {
                let by_name = name.as_ref().map(|name| format!("live/{name}")).unwrap_or_default();
                checks.take(StreamPath::parse(given.as_deref().unwrap_or(&by_name)))
            }
        };
        let display_name = name.as_ref().and_then(|name| {
            let shown = self.display_name.as_deref().unwrap_or(name.as_str());
            DisplayName::parse(shown).ok()
        });
        let backup_is_stream = match self.backup_kind.as_deref() {
            None | Some("playlist") => false,
            Some("stream") => true,
            Some(_) => {
                let refused = Invalid::one("inputs.backup.kind", "must be playlist or stream");
                checks.take::<()>(Err(refused));
                false
            }
        };
        if backup_is_stream && self.playlist.is_some() {
            let rule = "must not be given, because the backup is a stream";
            checks.take::<()>(Err(Invalid::one("inputs.backup.playlist", rule)));
        }
        checks.finish()?;
        match (name, display_name, path) {
            (Some(name), Some(display_name), Some(path)) => {
                Ok(Creation { name, display_name, path, backup_is_stream, patch })
            }
            _ => Err(Invalid::one("name", "must be given")),
        }
    }
}

/// A mode as an operator sets it, not checked yet.
#[derive(Clone, Debug, Default)]
pub struct ModeDraft {
    /// `auto`, `hold_live`, `hold_backup` or `slate`.
    pub mode: String,
    /// How long it holds; for ever without it.
    pub expires_in_seconds: Option<u64>,
    /// Why.
    pub reason: String,
}

impl ModeDraft {
    /// The hold from `now` on.
    pub(super) fn hold(&self, now: Timestamp) -> Result<Hold, Invalid> {
        let mut checks = Checks::default();
        let known = "auto, hold_live, hold_backup or slate";
        let mode = checks.take_opt(word::<Mode>("mode", Some(&self.mode), known)).unwrap_or_default();
        let reason = checks.take(text("reason", &self.reason, 1, 500));
        let seconds = checks.take_opt(self.expires_in_seconds.map(|seconds| {
            let holds = (1..=LONGEST_HOLD).contains(&seconds);
            let rule = || format!("must be 1 to {LONGEST_HOLD}, got {seconds}");
            if holds { Ok(seconds) } else { Err(Invalid::one("expires_in_seconds", rule())) }
        }));
        checks.finish()?;
        // The rules need no end.
        let seconds = seconds.filter(|_| mode != Mode::Auto);
        Ok(Hold { mode, expires_at: seconds.map(|seconds| now.plus(Duration::from_secs(seconds))), reason })
    }
}

/// A destination as a client describes it, not checked yet. `None` means the platform's default, or no change; the inner
/// `None` removes the value.
#[derive(Clone, Debug, Default)]
pub struct DestinationDraft {
    /// The name; needed to create one.
    pub name: Option<String>,
    /// `youtube`, `facebook`, `twitch`, `kick` or `custom`; needed to create one.
    pub platform: Option<String>,
    /// Where it is.
    pub url: Option<String>,
    /// Where it is if the first address fails.
    pub backup_url: Option<Option<String>>,
    /// The platform's key; needed to create one.
    pub key: Option<Secret>,
    /// Whether the programme is pushed to it.
    pub enabled: Option<bool>,
    /// A new session begins after this many seconds.
    pub rotate_session_every_seconds: Option<Option<u32>>,
}

fn key(given: &Secret) -> Result<Secret, Invalid> {
    let text = given.expose();
    let is_good = !text.is_empty()
        && text.len() <= LONGEST_KEY
        && !text.chars().any(|c| c.is_control() || c.is_whitespace());
    let rule = format!("must be 1 to {LONGEST_KEY} bytes without spaces, as the platform shows it");
    if is_good { Ok(given.clone()) } else { Err(Invalid::one("key", rule)) }
}

/// Refuses a key that the addresses of the destination contain or cannot take.
fn check_key(destination: &Destination, key: Option<&Secret>) -> Result<(), Invalid> {
    let mut checks = Checks::default();
    let Destination { url, backup_url, .. } = destination;
    if backup_url.as_ref().is_some_and(|second| second.is_srt() != url.is_srt()) {
        let rule = "must be SRT if `url` is, and otherwise not: both get the same key";
        checks.take::<()>(Err(Invalid::one("backup_url", rule)));
    }
    if let Some(key) = key {
        for (field, url) in [("url", Some(url)), ("backup_url", backup_url.as_ref())] {
            if url.is_some_and(|url| url.ends_with_key(key)) {
                let rule = "must not contain the key, because everybody who may read sees the address";
                checks.take::<()>(Err(Invalid::one(field, rule)));
            }
        }
        if url.is_srt() {
            checks.take(SrtKey::parse(key));
        }
    }
    checks.finish()
}

impl DestinationDraft {
    fn checked(&self, checks: &mut Checks) -> (DestinationPatch, Option<Secret>) {
        let known = "youtube, facebook, twitch, kick or custom";
        let backup_url = self.backup_url.as_ref().map(|url| {
            url.as_deref()
                .map(|url| PushUrl::parse(url).map_err(|invalid| invalid.of("backup_url")))
                .transpose()
        });
        let rotation = self
            .rotate_session_every_seconds
            .map(|seconds| seconds.map(Destination::check_rotation).transpose());
        let patch = DestinationPatch {
            name: checks.take_opt(self.name.as_deref().map(Destination::check_name)),
            platform: checks.take_opt(word::<Platform>("platform", self.platform.as_deref(), known)),
            url: checks.take_opt(self.url.as_deref().map(PushUrl::parse)),
            backup_url: checks.take_opt(backup_url),
            enabled: self.enabled,
            rotate_session_every_seconds: checks.take_opt(rotation),
        };
        let key = checks.take_opt(self.key.as_ref().map(key));
        (patch, key)
    }

    /// The change of `present` that it describes, and the new key.
    pub(super) fn patch(&self, present: &Destination) -> Result<(DestinationPatch, Option<Secret>), Invalid> {
        let mut checks = Checks::default();
        let (patch, key) = self.checked(&mut checks);
        checks.finish()?;
        let changed = present.clone().patched(&patch, present.updated_at);
        if key.is_none() && changed.url.is_srt() != present.url.is_srt() {
            return Err(Invalid::one("key", "must be given too: keys of SRT and of RTMP are not the same"));
        }
        check_key(&changed, key.as_ref()).map(|()| (patch, key))
    }

    /// Makes `blank`, which has an id and times only, the destination that it describes. What is not given comes from the
    /// platform.
    pub(super) fn creation(
        &self,
        blank: impl FnOnce(Platform, PushUrl) -> Destination,
        at: Timestamp,
    ) -> Result<(Destination, Secret), Invalid> {
        let mut checks = Checks::default();
        let (mut patch, key) = self.checked(&mut checks);
        for (field, is_given) in [
            ("name", self.name.is_some()),
            ("platform", self.platform.is_some()),
            ("key", self.key.is_some()),
        ] {
            if !is_given {
                checks.take::<()>(Err(Invalid::one(field, "must be given")));
            }
        }
        let platform = patch.platform.unwrap_or(Platform::Custom);
        let by_platform = platform.default_url().map(PushUrl::parse);
        if self.url.is_none() {
            patch.url = checks.take(by_platform.unwrap_or_else(|| {
                let rule =
                    "must be given: this platform has no common address. Copy it from your dashboard there";
                Err(Invalid::one("url", rule))
            }));
            let second = platform.default_backup_url().and_then(|url| PushUrl::parse(url).ok());
            patch.backup_url = patch.backup_url.or(Some(second));
        }
        let rotation = platform.default_rotation();
        patch.rotate_session_every_seconds = patch.rotate_session_every_seconds.or(Some(rotation));
        checks.finish()?;
        let (Some(url), Some(key)) = (patch.url.clone(), key) else {
            return Err(Invalid::one("key", "must be given"));
        };
        let destination = blank(platform, url).patched(&patch, at);
        check_key(&destination, Some(&key)).map(|()| (destination, key))
    }
}
