//! The sections `[studios.<name>]`: one OBS each. What a studio does is in `settings.rs`.

mod settings;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;
use strum::{EnumString, VariantNames};
use url::Url;

use super::error::ConfigError;
use super::http::address_and_port;
use super::section::section;
use super::values::{ConfigDuration, SecretValue, Texts, address, choice, if_set, within};
use crate::domain::OrganizationId;
use crate::domain::channel::PushUrl;
use crate::domain::local_time::TimeZone;
use crate::domain::media_server::MediaServerName;
use crate::domain::studio::{FarEndSettings, StudioName, StudioSettings, VideoSettings};

use settings::{Content, Health, Owner, SceneNames, Video};

section! {
    pub struct Studio, check check; {
        /// Whether this instance may supervise the studio. Without it, the instance still shows and orders it for those that do. Set it
        /// to false on instances that cannot reach OBS or, with `launch`, are on another machine.
        supervise: bool = true;
        /// The id of the organization that owns the studio (`streamward organization list`).
        organization: OrganizationId = OrganizationId::DEFAULT;
        /// The address of OBS's WebSocket server.
        websocket_url: Option<String>, check if_set(address(&["ws", "wss"])),
            unset "must be set, e.g. ws://127.0.0.1:4455";
        /// The password of OBS's WebSocket server.
        password: Option<SecretValue>, unset "not set: OBS requires none";
        /// What starts and ends OBS.
        launch: Launch;
        /// The program that is OBS, with `launch = "command"`.
        command: Option<PathBuf>;
        /// The arguments of `command`.
        arguments: Texts;
        /// The unit that runs OBS, with `launch = "systemd"`.
        unit: Option<String>;
        /// Whether `unit` is one of the user that runs Streamward.
        user_unit: bool = true;
        /// Where it streams to.
        platform: Platform;
        /// Picture and bitrate.
        video: Video;
        /// The names of the scenes.
        scenes: SceneNames;
        /// When the owner takes over.
        owner: Owner;
        /// What plays.
        content: Content;
        /// Whose clock the schedule goes by.
        timezone: TimeZone = TimeZone::UTC;
        /// When something is a failure.
        health: Health;
        /// What sees the stream arrive.
        probe: Probe;
        /// Address and port that serve `/health`, `/health/metrics` and `/health/uptime` of this studio without sign-in.
        health_listen: Option<String>, check if_set(address_and_port), unset "not set: off";
        /// How long decisions, downtimes and records are kept. With several studios, the longest counts.
        retention: ConfigDuration = ConfigDuration::days(365),
            check within(ConfigDuration::HOUR, ConfigDuration::CENTURY);
        /// How long the samples of its health are kept. With several studios, the longest counts.
        samples_retention: ConfigDuration = ConfigDuration::days(30),
            check within(ConfigDuration::HOUR, ConfigDuration::CENTURY);
    }
}

/// What starts and ends OBS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, EnumString, VariantNames)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Launch {
    /// Nothing: a person does.
    #[default]
    None,
    /// Streamward runs the program.
    Command,
    /// A unit of systemd.
    Systemd,
}

choice!(Launch);

section! {
    pub struct Platform {
        /// The address of the platform, without the key.
        url: Option<String>, check if_set(|url: &mut String| push_address(url)), unset "not set: the studio is only watched";
        /// The stream key of the platform.
        key: Option<SecretValue>, unset "not set: the studio is not started";
    }
}

section! {
    pub struct Probe, check check_probe; {
        /// What sees the stream arrive: nothing, a media server of ours, or an nginx with the RTMP module.
        kind: ProbeKind;
        /// With `mediamtx`: the media server.
        media_server: Option<MediaServerName>,
            unset "not set: the one named default, or the first by name";
        /// With `mediamtx`: the path at which the stream arrives. It can contain a stream key.
        path: Option<SecretValue>;
        /// With `nginx_rtmp`: the statistics page.
        url: Option<String>, check if_set(address(&["http", "https"]));
        /// With `nginx_rtmp`: the application.
        application: Option<String>;
        /// With `nginx_rtmp`: the stream's name, often its key.
        stream: Option<SecretValue>;
        /// How many of the last `window` readings must agree.
        needed: u32 = 3;
        /// How many readings are compared.
        window: u32 = 5;
        /// Below this bitrate in kbit/s the picture is not good.
        low_kbps: Option<u32>, unset "not set: every bitrate is good";
        /// From this bitrate in kbit/s on it is good again.
        recovered_kbps: Option<u32>, unset "not set: low_kbps";
    }
}

/// What sees the stream arrive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, EnumString, VariantNames)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum ProbeKind {
    /// Nothing: what OBS says counts.
    #[default]
    None,
    /// The control API of a media server of ours.
    Mediamtx,
    /// The statistics page of an nginx with the RTMP module.
    NginxRtmp,
}

choice!(ProbeKind);

fn push_address(url: &str) -> Result<(), String> {
    let parsed = PushUrl::parse(url).map_err(settings::rule)?;
    if parsed.is_srt() {
        return Err("must begin with rtmp:// or rtmps://: OBS is set to a custom RTMP server".to_owned());
    }
    Ok(())
}

fn refuse(key: &str, rule: impl Into<String>) -> Result<(), ConfigError> {
    Err(ConfigError::new(key, rule))
}

fn check(studio: &mut Studio) -> Result<(), ConfigError> {
    if studio.websocket_url.is_none() {
        let rule = "is missing: where is OBS's WebSocket server, e.g. ws://127.0.0.1:4455?";
        return refuse("websocket_url", rule);
    }
    check_launch(studio)?;
    match (&studio.platform.url, &studio.platform.key) {
        (None, Some(_)) => {
            return refuse("platform.url", "is missing: it belongs to platform.key");
        }
        (Some(url), Some(key)) if PushUrl::parse(url).is_ok_and(|url| url.ends_with_key(&key.0)) => {
            let rule = "must not contain the key, because everybody who may read sees the address";
            return refuse("platform.url", rule);
        }
        _ => {}
    }
    studio.settings().map(drop)
}

fn check_launch(studio: &Studio) -> Result<(), ConfigError> {
    for (key, is_set, launch, word) in [
        ("command", studio.command.is_some(), Launch::Command, "command"),
        ("unit", studio.unit.is_some(), Launch::Systemd, "systemd"),
    ] {
        match (is_set, studio.launch == launch) {
            (false, true) => return refuse(key, format!("is missing: it belongs to launch = \"{word}\"")),
            (true, false) => return refuse(key, format!("is set, but launch is not \"{word}\"")),
            _ => {}
        }
    }
    if !studio.arguments.0.is_empty() && studio.launch != Launch::Command {
        return refuse("arguments", "are set, but launch is not \"command\"");
    }
    Ok(())
}

fn check_probe(probe: &mut Probe) -> Result<(), ConfigError> {
    for (kind, word, keys) in [
        (ProbeKind::Mediamtx, "mediamtx", &[("path", probe.path.is_some())][..]),
        (
            ProbeKind::NginxRtmp,
            "nginx_rtmp",
            &[
                ("url", probe.url.is_some()),
                ("application", probe.application.is_some()),
                ("stream", probe.stream.is_some()),
            ],
        ),
    ] {
        for (key, is_set) in keys {
            match (is_set, probe.kind == kind) {
                (false, true) => return refuse(key, format!("is missing: it belongs to kind = \"{word}\"")),
                (true, false) => return refuse(key, format!("is set, but kind is not \"{word}\"")),
                _ => {}
            }
        }
    }
    Ok(())
}

/// Two studios for one OBS would revert each other's changes. `/studios/events` is not a studio.
pub(super) fn distinct(studios: &BTreeMap<StudioName, Studio>) -> Result<(), ConfigError> {
    let mut seen = BTreeMap::new();
    if let Some(name) = studios.keys().find(|name| name.as_str() == "events") {
        return refuse(&format!("studios.{name}"), "must have another name: this one is taken in the API");
    }
    for (name, studio) in studios {
        if let Some(other) = seen.insert(&studio.websocket_url, name) {
            let rule = format!("is the same as that of studio {other}; each needs its own OBS");
            return refuse(&format!("studios.{name}.websocket_url"), rule);
        }
    }
    Ok(())
}

impl Studio {
    /// OBS's WebSocket server.
    pub fn websocket_url(&self) -> Result<Url, url::ParseError> {
        Url::parse(self.websocket_url.as_deref().unwrap_or_default())
    }

    /// The rules of the studio.
    pub fn settings(&self) -> Result<StudioSettings, ConfigError> {
        let probe = &self.probe;
        let settings = StudioSettings {
            scenes: self.scenes.scenes()?,
            owner: self.owner.settings()?,
            failover_video: self.content.failover_video.clone(),
            video: self.video.settings().unwrap_or_default(),
            time_zone: self.timezone,
            health: self.health.settings(),
            far_end: FarEndSettings {
                needed: probe.needed as usize,
                window: probe.window as usize,
                low_kbps: probe.low_kbps,
                recovered_kbps: probe.recovered_kbps,
            },
            can_restart: self.launch != Launch::None,
        };
        settings.check().map_err(settings::key)
    }

    /// Picture and bitrate that OBS is set to; `None` leaves what is set there.
    pub fn video(&self) -> Option<VideoSettings> {
        self.video.settings()
    }
}
