//! `streamward channel …`: manages channels; `view.rs` has their texts, `watch.rs` shows one live.

mod named;
mod playlist;
mod view;
mod watch;

use std::time::Duration;

use anyhow::bail;
use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use strum::VariantArray as _;
use tokio_util::sync::CancellationToken;

use self::named::{CHANNEL, one, read_status};
use super::api::{Api, Query, at, object};
use super::failure::usage;
use super::owner::Owner;
use super::{Output, list_output};
use crate::adapters::views::{ChannelView, DecisionView, NewChannelView, RehearsalView};
use crate::domain::channel::{Engine, Mismatch, Mode, PlaylistChange};

pub(super) use self::named::find;

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
        /// Clips by id, or by a name without spaces.
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
    profile: Option<(u32, u32, u32)>,
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
    fn fields(&self) -> [(&'static str, Option<Value>); 4] {
        let text = |text: &Option<String>| text.as_ref().map(|text| json!(text));
        let number = |number: Option<u32>| number.map(|number| json!(number));
        // 0 removes the limit.
        let limit = |value: Option<u32>| value.map(|value| json!(Some(value).filter(|value| *value > 0)));
        let failover = object([
            ("stall_ms", number(self.stall_ms)),
            ("recovery_grace_seconds", number(self.recovery_grace)),
            ("min_bitrate_kbps", limit(self.min_bitrate)),
            ("max_keyframe_gap_seconds", limit(self.max_keyframe_gap)),
        ]);
        let picture = |(width, height, fps)| json!({"video": {"width": width, "height": height, "fps": fps}});
        [
            ("display_name", text(&self.display_name)),
            ("profile", self.profile.map(picture)),
            ("mismatch", text(&self.mismatch)),
            ("failover", Some(failover).filter(|failover| *failover != json!({}))),
        ]
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

/// Width, height and frames a second.
fn profile(text: &str) -> Result<(u32, u32, u32), String> {
    let (size, fps) = text.split_once('@').unwrap_or((text, "30"));
    let parsed = size
        .split_once('x')
        .and_then(|(width, height)| Some((width.parse().ok()?, height.parse().ok()?, fps.parse().ok()?)));
    parsed.ok_or_else(|| "must be like 1920x1080@30".to_owned())
}

/// Runs the command. `stop` ends those that run until then.
pub async fn run(
    api: &Api,
    command: &ChannelCommand,
    stop: &CancellationToken,
    out: &mut Output,
) -> anyhow::Result<()> {
    let text = |text: &Option<String>| text.as_ref().map(|text| json!(text));
    match command {
        ChannelCommand::Create { name, path, backup, engine, owner, settings } => {
            let [display_name, profile, mismatch, failover] = settings.fields();
            let draft = object([
                ("name", Some(json!(name))),
                ("path", text(path)),
                ("inputs", backup.as_ref().map(|kind| json!({"backup": {"kind": kind}}))),
                ("engine", text(engine)),
                ("organization_id", owner.id(api).await?),
                display_name,
                profile,
                mismatch,
                failover,
            ]);
            let made = api.post::<NewChannelView>(CHANNEL.path, Some(&draft)).await?;
            out.thing(&made, || view::created(&made))
        }
        ChannelCommand::List => {
            let pages = api.pages::<ChannelView>(CHANNEL.list, CHANNEL.path, &Query::default());
            let columns = ["id", "name", "path", "enabled", "mode"];
            list_output::print_pages(out, (CHANNEL.list, &columns), pages, |_| ()).await
        }
        ChannelCommand::Show { channel } => {
            let mut found = find(api, channel).await?;
            let status = read_status(api, &at(&found, "/id")).await?;
            let now = api.now();
            let text = [view::channel(&found, now), view::status_lines(&found, &status, now).join("\n")];
            found["status"] = status;
            out.thing(&found, || text.join("\n\n"))
        }
        ChannelCommand::Update { channel, name, enable, disable, clips, slots, change, settings } => {
            let enabled = (*enable || *disable).then_some(*enable);
            let has_playlist = clips.is_some() || slots.is_some() || change.is_some();
            if name.is_none() && enabled.is_none() && !has_playlist && settings.is_empty() {
                usage!(
                    "nothing to change: give --name, --enable, --disable, --clips, --slot, or another setting"
                );
            }
            let found = find(api, channel).await?;
            let inputs = if has_playlist {
                let playlist =
                    playlist::changed(api, &found["inputs"]["backup"], (clips, slots, change)).await?;
                Some(json!({"backup": {"playlist": playlist}}))
            } else {
                None
            };
            let [display_name, profile, mismatch, failover] = settings.fields();
            let draft = object([
                ("name", text(name)),
                ("enabled", enabled.map(|enabled| json!(enabled))),
                ("inputs", inputs),
                display_name,
                profile,
                mismatch,
                failover,
            ]);
            print(api, out, &api.patch::<ChannelView>(one(&found), &draft).await?)
        }
        ChannelCommand::Delete { channel } => {
            let found = find(api, channel).await?;
            api.delete(one(&found)).await?;
            let name = at(&found, "/name");
            out.thing(&found, || format!("Deleted the channel {name} with its keys and destinations."))
        }
        ChannelCommand::Watch { channel } => {
            let id = at(&find(api, channel).await?, "/id");
            watch::watch(api, &id, stop, out).await
        }
        ChannelCommand::Mode { channel, mode, hold, reason } => {
            let found = find(api, channel).await?;
            let draft = object([
                ("mode", Some(json!(mode))),
                ("expires_in_seconds", hold.map(|hold| json!(hold.as_secs()))),
                ("reason", Some(json!(reason))),
            ]);
            print(api, out, &api.post::<ChannelView>(format!("{}/mode", one(&found)), Some(&draft)).await?)
        }
        ChannelCommand::Rehearse { channel, seconds } => {
            let found = find(api, channel).await?;
            let path = format!("{}/rehearsals", one(&found));
            let draft = json!({"cut_live_for_seconds": seconds});
            let mut rehearsal = api.post::<RehearsalView>(path.clone(), Some(&draft)).await?;
            let id = at(&rehearsal, "/id");
            while !["done", "failed"].contains(&at(&rehearsal, "/state").as_str()) {
                tokio::select! {
                    () = stop.cancelled() => bail!("the rehearsal {id} continues without this command"),
                    () = tokio::time::sleep(Duration::from_millis(500)) => {}
                }
                rehearsal = api.get::<RehearsalView>(format!("{path}/{id}")).await?;
            }
            let status = read_status(api, &at(&found, "/id")).await?;
            out.thing(&rehearsal, || view::rehearsal(&rehearsal, &status))
        }
        ChannelCommand::Decisions { channel, limit } => {
            let path = format!("{}/decisions", one(&find(api, channel).await?));
            let pages = api.pages::<DecisionView>("decisions", &path, &Query::default()).at_most(*limit);
            let columns = ["at", "kind", "from", "to", "reason", "numbers"];
            list_output::print_pages(out, ("decisions", &columns), pages, |_| ()).await
        }
    }
}

fn print(api: &Api, out: &mut Output, channel: &Value) -> anyhow::Result<()> {
    out.thing(channel, || view::channel(channel, api.now()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_is_a_size_and_a_frame_rate() {
        assert_eq!(profile("1920x1080@25"), Ok((1_920, 1_080, 25)));
        assert_eq!(profile("640x360"), Ok((640, 360, 30)));
        for bad in ["", "1920", "1920x", "x@30", "1920x1080@", "1920x1080@fast"] {
            assert!(profile(bad).is_err(), "{bad}");
        }
    }
}
