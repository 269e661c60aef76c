//! Sections of studios: defaults, rules, error lines.

use std::ffi::OsString;
use std::time::Duration;

use tempfile::TempDir;

use crate::domain::studio::{ScenePurpose, SourceName, StudioName, StudioSettings, VideoSettings};
use crate::runtime::config::values::ConfigDuration;
use crate::runtime::config::{Launch, Shown, Sources, Studio};

const URL: &str = "websocket_url = 'ws://127.0.0.1:4455'\n";

fn load(toml: &str, env: &[(&str, &str)]) -> Result<Studio, String> {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("streamward.toml");
    std::fs::write(&file, format!("[studios.main]\n{toml}")).unwrap();
    let env = env.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))).collect();
    let loaded = Sources { file: Some(file), env, flags: Vec::new() }.load();
    let loaded = loaded.map_err(|error| error.to_string())?;
    let shown = Shown(&loaded).to_string() + &Shown(&loaded).to_json().to_string();
    assert!(!shown.contains("hunter2"), "{shown}");
    Ok(loaded.config.studios[&StudioName::parse("main").unwrap()].clone())
}

#[test]
fn websocket_url_is_enough_and_the_rest_is_that_of_the_specification() {
    let studio = load(URL, &[]).unwrap();
    assert_eq!(studio.settings().unwrap(), StudioSettings::default());
    assert_eq!((studio.video(), studio.launch), (None, Launch::None));
    assert_eq!(
        (studio.retention, studio.samples_retention),
        (ConfigDuration::days(365), ConfigDuration::days(30))
    );
}

#[test]
fn every_key_reaches_the_rules() {
    let toml = format!(
        "{URL}launch = 'command'\ncommand = '/usr/bin/obs'\narguments = ['--minimize-to-tray']\ntimezone = 'Europe/Vienna'\n\
         scenes = {{ owner = 'Me' }}\nvideo = {{ width = 1280, height = 720 }}\n\
         owner = {{ sources = ['Camera', 'Mic'], detection = 'audio_level', debounce = '2s', audio_threshold_db = -30 }}\n\
         content = {{ failover_video = '/media/f.mp4' }}\n\
         health = {{ interval = '5s', silent_after = '0s', black_after = '2s' }}\n\
         probe = {{ kind = 'nginx_rtmp', url = 'http://h/stat', application = 'live', stream = 'hunter2', needed = 2, low_kbps = 500 }}\n\
         platform = {{ url = 'rtmps://live.twitch.tv/app', key = 'hunter2' }}"
    );
    let studio = load(&toml, &[]).unwrap();
    let settings = studio.settings().unwrap();
    assert_eq!(settings.scenes.name(ScenePurpose::Owner).as_str(), "Me");
    assert_eq!((settings.owner.sources.len(), settings.owner.debounce), (2, Duration::from_secs(2)));
    assert_eq!(settings.owner.audio_threshold_db, -30.0);
    assert_eq!(studio.video(), Some(VideoSettings { width: 1_280, height: 720, ..VideoSettings::default() }));
    assert_eq!(
        (settings.health.silent_after, settings.health.black_after),
        (None, Some(Duration::from_secs(2)))
    );
    assert_eq!(
        (settings.far_end.needed, settings.far_end.window, settings.far_end.low_kbps),
        (2, 5, Some(500))
    );
    assert_eq!((settings.time_zone.to_string(), settings.can_restart), ("Europe/Vienna".into(), true));
    assert_eq!(settings.failover_video.as_deref(), Some("/media/f.mp4"));
}

#[test]
fn studio_can_be_configured_by_the_environment() {
    let env = [
        ("STREAMWARD_STUDIOS__MAIN__PASSWORD", "hunter2"),
        ("STREAMWARD_STUDIOS__MAIN__OWNER__SOURCES", "Camera, Mic"),
        ("STREAMWARD_STUDIOS__MAIN__OWNER__FADE", "0s"),
        ("STREAMWARD_STUDIOS__MAIN__HEALTH__DEGRADED_DROPPED_PERCENT", "2.5"),
    ];
    let studio = load(URL, &env).unwrap();
    assert_eq!(studio.password.as_ref().unwrap().0.expose(), "hunter2");
    let settings = studio.settings().unwrap();
    assert_eq!(settings.owner.sources.iter().map(SourceName::as_str).collect::<Vec<_>>(), ["Camera", "Mic"]);
    assert_eq!((settings.owner.fade, settings.health.degraded_dropped_percent), (Duration::ZERO, 2.5));
}

#[test]
fn error_names_the_key_and_the_rule() {
    for (toml, expected) in [
        ("timezone = 'UTC'", "studios.main.websocket_url is missing: where is OBS's WebSocket server"),
        ("websocket_url = 'http://h'", "studios.main.websocket_url must start with ws:// or wss://"),
        ("launch = 'command'", "studios.main.command is missing: it belongs to launch = \"command\""),
        ("launch = 'systemd'", "studios.main.unit is missing: it belongs to launch = \"systemd\""),
        ("command = 'obs'", "studios.main.command is set, but launch is not \"command\""),
        ("arguments = ['-x']", "studios.main.arguments are set, but launch is not \"command\""),
        ("launch = 'docker'", "studios.main.launch must be one of none, command, systemd"),
        ("platform.key = 'hunter2'", "studios.main.platform.url is missing: it belongs to platform.key"),
        ("platform.url = 'srt://h:9000'", "studios.main.platform.url must begin with rtmp:// or rtmps://"),
        (
            "platform = { url = 'rtmp://h/app/hunter2', key = 'hunter2' }",
            "studios.main.platform.url must not contain the key",
        ),
        ("probe.kind = 'mediamtx'", "studios.main.probe.path is missing: it belongs to kind = \"mediamtx\""),
        ("probe.kind = 'nginx_rtmp'", "studios.main.probe.url is missing"),
        ("probe.path = 'hunter2'", "studios.main.probe.path is set, but kind is not \"mediamtx\""),
        ("probe.needed = 6", "studios.main.probe.needed must be 1 to 5, got 6"),
        (
            "probe = { kind = 'mediamtx', path = 'a', media_server = 'eu' }",
            "studios.main.probe.media_server must name a configured media server; there is no media_servers.eu",
        ),
        ("owner.debounce = '500ms'", "studios.main.owner.debounce must be 1 to 30, got 0.5"),
        (
            "owner.detection = 'smell'",
            "studios.main.owner.detection must be one of source_enabled, audio_level",
        ),
        ("owner.sources = ['']", "studios.main.owner.sources must be 1 to 255 characters"),
        ("owner.audio_threshold_db = 'loud'", "studios.main.owner.audio_threshold_db must be a number"),
        ("scenes.owner = 'Failover'", "studios.main.scenes.failover must differ from the scene for owner"),
        ("scenes.owner = ''", "studios.main.scenes.owner must be 1 to 100 characters"),
        ("video.width = 641", "studios.main.video.width must be even, got 641"),
        ("timezone = 'Vienna'", "studios.main.timezone must be a time zone such as Asia/Kolkata"),
        ("health.stall = '1s'", "studios.main.health.stall must be 2 to 30, got 1"),
        ("health_listen = '8000'", "studios.main.health_listen must be an address and a port"),
        ("samples_retention = '1s'", "studios.main.samples_retention must be 1h to"),
    ] {
        let toml = if toml.contains("websocket_url") || toml.starts_with("timezone = 'UTC'") {
            toml.to_owned()
        } else {
            format!("{URL}{toml}")
        };
        let line = load(&toml, &[]).unwrap_err();
        assert!(line.starts_with(&format!("configuration: {expected}")), "{toml}: {line}");
        assert!(line.lines().count() == 1 && !line.contains("hunter2"), "{line}");
    }
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("streamward.toml");
    let two = format!("[studios.a]\n{URL}[studios.b]\n{URL}");
    std::fs::write(&file, two).unwrap();
    let line = Sources { file: Some(file), ..Sources::default() }.load().unwrap_err().to_string();
    assert!(line.contains("studios.b.websocket_url is the same as that of studio a"), "{line}");
}
