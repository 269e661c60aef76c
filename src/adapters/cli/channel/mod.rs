//! `streamward channel …`: manages channels; `view.rs` has their texts, `watch.rs` shows one live.

mod playlist;
mod view;
mod watch;

use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use strum::VariantArray as _;
use tokio_util::sync::CancellationToken;

use super::output::with_nulls;
use super::owner::Owner;
use super::{Output, list_output};
use crate::adapters::views::{ChannelStatusView, ChannelView, DecisionView, NewChannelView, RehearsalView};
use crate::app::channel::{ChannelDraft, ChannelNow, Channels, Decisions, ModeDraft};
use crate::app::clip::Clips;
use crate::app::list::Pages;
use crate::app::organization::Organizations;
use crate::domain::access::Actor;
use crate::domain::channel::{Engine, FailoverPatch, Mismatch, Mode, PlaylistChange, ProfilePatch};
use crate::domain::page::Page;

/// Commands about channels. They accept an id or a name.
#[derive(Debug, Subcommand)]
pub enum ChannelCommand {
    /// Create a channel and print the live encoder's settings; its secret is shown only once
    Create {
        /// The short name: letters, digits, '_' and '-'
        name: String,
        /// Where the programme can be watched; live/NAME if absent
        #[arg(long)]
        path: Option<String>,
        /// What is on air without the live input: clips, or a second encoder
        #[arg(long, value_parser = ["playlist", "stream"])]
        backup: Option<String>,
        /// What carries its media. media_server: MediaMTX itself (1.20 and later); it then has the keys of the destinations
        /// in its memory, and shows them to whoever may use its control API
        #[arg(long, value_parser = PossibleValuesParser::new(Engine::VARIANTS.iter().map(|one| <&str>::from(*one))))]
        engine: Option<String>,
        /// Who owns it
        #[command(flatten)]
        owner: Owner,
        /// How it looks and behaves
        #[command(flatten)]
        settings: SettingsArgs,
    },
    /// List all channels
    List,
    /// Show a channel, what is on air, and its destinations
    Show {
        /// Its id or name
        channel: String,
    },
    /// Change a channel
    Update {
        /// Its id or name
        channel: String,
        /// The new short name
        #[arg(long)]
        name: Option<String>,
        /// Run it
        #[arg(long, conflicts_with = "disable")]
        enable: bool,
        /// End its programme, but keep it
        #[arg(long)]
        disable: bool,
        /// The clips of its playlist, in their order: ids or names
        #[arg(long, value_name = "CLIP", num_args = 0..)]
        clips: Option<Vec<String>>,
        /// Clips that play at a time of day instead, e.g. "18:00-20:00 sun,mon Asia/Kolkata ID ID"; "daily" for every day.
        /// Those of before are replaced; give "none" to remove them
        #[arg(long = "slot", value_name = "SLOT")]
        slots: Option<Vec<String>>,
        /// When a change of what plays takes effect
        #[arg(long = "change", value_name = "WHEN",
            value_parser = PossibleValuesParser::new(PlaylistChange::VARIANTS.iter().map(|one| <&str>::from(*one))))]
        change: Option<String>,
        /// How it looks and behaves
        #[command(flatten)]
        settings: SettingsArgs,
    },
    /// Delete a channel with its keys, destinations and decisions; its programme ends
    Delete {
        /// Its id or name
        channel: String,
    },
    /// Show what is on air and why, live: a screen in a terminal, otherwise a line for each change
    Watch {
        /// Its id or name
        channel: String,
    },
    /// Choose what is on air, or let the rules choose (auto)
    Mode {
        /// Its id or name
        channel: String,
        /// Who chooses
        #[arg(value_parser = PossibleValuesParser::new(Mode::VARIANTS.iter().map(|mode| <&str>::from(*mode))))]
        mode: String,
        /// How long it holds, e.g. 30m; for ever if absent
        #[arg(long = "for", value_name = "DURATION", value_parser = humantime::parse_duration)]
        hold: Option<Duration>,
        /// Why, for the people who see it
        #[arg(long)]
        reason: String,
    },
    /// Treat the live input as lost for some seconds, and report what the destinations noticed
    Rehearse {
        /// Its id or name
        channel: String,
        /// For how long
        #[arg(long, value_name = "N", default_value_t = 10)]
        seconds: u32,
    },
    /// Show why it cut, newest first
    Decisions {
        /// Its id or name
        channel: String,
        /// At most this many
        #[arg(long, value_name = "N", default_value_t = 50)]
        limit: u32,
    },
}

/// How a channel looks and behaves.
#[derive(Debug, Args)]
pub struct SettingsArgs {
    /// The name for people
    #[arg(long, value_name = "TEXT")]
    display_name: Option<String>,
    /// What it looks like, e.g. 1920x1080@30
    #[arg(long, value_name = "WxH@FPS", value_parser = profile)]
    profile: Option<ProfilePatch>,
    /// What happens to a live input that looks different
    #[arg(long, value_parser = PossibleValuesParser::new(Mismatch::VARIANTS.iter().map(|one| <&str>::from(*one))))]
    mismatch: Option<String>,
    /// Without video for this long, the live input is lost
    #[arg(long, value_name = "MS")]
    stall_ms: Option<u32>,
    /// The live input must be good for this long before it is back on air
    #[arg(long, value_name = "SECONDS")]
    recovery_grace: Option<u32>,
    /// Below this bitrate the live input is lost; 0: no limit
    #[arg(long, value_name = "KBPS")]
    min_bitrate: Option<u32>,
    /// Without a keyframe for this long, the live input is lost; 0: no limit
    #[arg(long, value_name = "SECONDS")]
    max_keyframe_gap: Option<u32>,
}

impl SettingsArgs {
    fn draft(&self) -> ChannelDraft {
        let limit = |value: Option<u32>| value.map(|value| Some(value).filter(|value| *value > 0));
        ChannelDraft {
            display_name: self.display_name.clone(),
            profile: self.profile.unwrap_or_default(),
            mismatch: self.mismatch.clone(),
            failover: FailoverPatch {
                stall_ms: self.stall_ms,
                recovery_grace_seconds: self.recovery_grace,
                min_bitrate_kbps: limit(self.min_bitrate),
                max_keyframe_gap_seconds: limit(self.max_keyframe_gap),
                ..FailoverPatch::default()
            },
            ..ChannelDraft::default()
        }
    }

    fn is_empty(&self) -> bool {
        let Self { display_name, profile, mismatch, stall_ms, recovery_grace, min_bitrate, max_keyframe_gap } =
            self;
        display_name.is_none()
            && profile.is_none()
            && mismatch.is_none()
            && [stall_ms, recovery_grace, min_bitrate, max_keyframe_gap].iter().all(|one| one.is_none())
    }
}

fn profile(text: &str) -> Result<ProfilePatch, String> {
    let (size, fps) = text.split_once('@').unwrap_or((text, "30"));
    let parsed = size.split_once('x').and_then(|(width, height)| {
        let (width, height) = (width.parse().ok()?, height.parse().ok()?);
        let fps = fps.parse().ok()?;
        Some(ProfilePatch {
            width: Some(width),
            height: Some(height),
            fps: Some(fps),
            ..ProfilePatch::default()
        })
    });
    parsed.ok_or_else(|| "must be like 1920x1080@30".to_owned())
}

/// Runs the command. `stop` ends those that run until then.
pub async fn run(
    (channels, decisions, clips_of, organizations): (&Channels, &Decisions, &Clips, &Organizations),
    command: &ChannelCommand,
    stop: &CancellationToken,
    out: &mut Output,
) -> anyhow::Result<()> {
    match command {
        ChannelCommand::Create { name, path, backup, engine, owner, settings } => {
            let actor = Actor::cli("channel create");
            let draft = ChannelDraft {
                name: Some(name.clone()),
                path: path.clone(),
                backup_kind: backup.clone(),
                engine: engine.clone(),
                organization_id: owner.id(organizations, &actor).await?,
                ..settings.draft()
            };
            let made = channels.create(&actor, draft).await?;
            let text = view::created(&made);
            out.thing(&NewChannelView::from(made), || text)
        }
        ChannelCommand::List => {
            let pages = Pages::new(Actor::cli("channel list"), (), Page::default());
            let columns = ["id", "name", "path", "enabled", "mode", "created_at"];
            list_output::print(out, ("channels", &columns), (channels, pages), ChannelView::from).await
        }
        ChannelCommand::Show { channel } => {
            let actor = Actor::cli("channel show");
            let found = find(channels, &actor, channel).await?;
            let status = channels.status(&actor, found.channel.id).await?;
            let text = [view::channel(&status.channel), view::status(&status)].join("\n\n");
            let mut json = with_nulls(&ChannelView::from(found));
            json["status"] = with_nulls(&ChannelStatusView::from(status));
            out.thing(&json, || text)
        }
        ChannelCommand::Update { channel, name, enable, disable, clips, slots, change, settings } => {
            let enabled = (*enable || *disable).then_some(*enable);
            let has_playlist = clips.is_some() || slots.is_some() || change.is_some();
            if name.is_none() && enabled.is_none() && !has_playlist && settings.is_empty() {
                bail!(
                    "nothing to change: give --name, --enable, --disable, --clips, --slot, or another setting"
                );
            }
            let actor = Actor::cli("channel update");
            let found = find(channels, &actor, channel).await?.channel;
            let playlist = if has_playlist {
                let clips = match clips {
                    Some(wanted) => Some(playlist::ids(clips_of, &actor, wanted).await?),
                    None => None,
                };
                Some(playlist::changed(&found.inputs.backup, (&clips, slots, change))?)
            } else {
                None
            };
            let draft = ChannelDraft { name: name.clone(), enabled, playlist, ..settings.draft() };
            print(out, channels.update(&actor, found.id, draft).await?)
        }
        ChannelCommand::Delete { channel } => {
            let actor = Actor::cli("channel delete");
            let found = find(channels, &actor, channel).await?;
            channels.delete(&actor, found.channel.id).await?;
            let text = format!("Deleted the channel {} with its keys and destinations.", found.channel.name);
            out.thing(&ChannelView::from(found), || text)
        }
        ChannelCommand::Watch { channel } => {
            let actor = Actor::cli("channel watch");
            let id = find(channels, &actor, channel).await?.channel.id;
            watch::watch(channels, &actor, id, stop, out).await
        }
        ChannelCommand::Mode { channel, mode, hold, reason } => {
            let actor = Actor::cli("channel mode");
            let id = find(channels, &actor, channel).await?.channel.id;
            let expires_in_seconds = hold.map(|hold| hold.as_secs());
            let draft = ModeDraft { mode: mode.clone(), expires_in_seconds, reason: reason.clone() };
            print(out, channels.set_mode(&actor, id, draft).await?)
        }
        ChannelCommand::Rehearse { channel, seconds } => {
            let actor = Actor::cli("channel rehearse");
            let id = find(channels, &actor, channel).await?.channel.id;
            let mut rehearsal = channels.rehearse(&actor, id, *seconds).await?;
            while rehearsal.is_open() {
                tokio::select! {
                    () = stop.cancelled() => bail!("the rehearsal {} continues without this command", rehearsal.id),
                    () = tokio::time::sleep(Duration::from_millis(500)) => {}
                }
                rehearsal = channels.rehearsal(&actor, id, rehearsal.id).await?;
            }
            let destinations = channels.status(&actor, id).await?.destinations;
            let text = view::rehearsal(&rehearsal, &destinations);
            out.thing(&RehearsalView::from(rehearsal), || text)
        }
        ChannelCommand::Decisions { channel, limit } => {
            let actor = Actor::cli("channel decisions");
            let id = find(channels, &actor, channel).await?.channel.id;
            let pages = Pages::new(actor, id, Page::first(*limit));
            let columns = ["at", "kind", "from", "to", "reason", "numbers"];
            list_output::print(out, ("decisions", &columns), (decisions, pages), DecisionView::from).await
        }
    }
}

/// The channel with this id or name.
pub(super) async fn find(channels: &Channels, actor: &Actor, wanted: &str) -> anyhow::Result<ChannelNow> {
    channels
        .find(actor, wanted)
        .await
        .with_context(|| format!("cannot find the channel {wanted:?} (see streamward channel list)"))
}

fn print(out: &mut Output, channel: ChannelNow) -> anyhow::Result<()> {
    let text = view::channel(&channel);
    out.thing(&ChannelView::from(channel), || text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_is_a_size_and_a_frame_rate() {
        let parsed = profile("1920x1080@25").unwrap();
        assert_eq!((parsed.width, parsed.height, parsed.fps), (Some(1920), Some(1080), Some(25)));
        assert_eq!((parsed.rate, parsed.channels), (None, None), "the sound stays as it is");
        assert_eq!(profile("640x360").unwrap().fps, Some(30));
        for bad in ["", "1920", "1920x", "x@30", "1920x1080@", "1920x1080@fast"] {
            assert!(profile(bad).is_err(), "{bad}");
        }
    }
}
