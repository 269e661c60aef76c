//! What serde cannot see: ranges, addresses, and what follows from what.

use std::net::SocketAddr;
use std::time::Duration;

use url::Url;

use super::error::ConfigError;
use super::kick::{Kick, KickFeedChoice};
use super::model::{Config, MediaServer};
use super::types::{ConfigDuration, SecretValue};
use crate::domain::media_server::MediaServerName;

type Check = Result<(), ConfigError>;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);
const CENTURY: Duration = Duration::from_secs(36_525 * 86_400);

/// Checks the whole, and fills in what follows from other values.
pub(super) fn check(config: &mut Config) -> Check {
    listen(&config.http.listen)?;
    count("http.max_connections", config.http.max_connections, 1, 1_000_000)?;
    database(config)?;
    count("database.max_connections", config.database.max_connections, 6, 1_000)?;
    hook_secrets(config)?;
    if let Some(url) = &mut config.hooks.url {
        *url = address("hooks.url", url, &["http", "https"])?;
    }
    span("auth.claim_ttl", config.auth.claim_ttl, Duration::from_secs(1), 10 * MINUTE)?;
    span("reconcile.interval", config.reconcile.interval, Duration::from_millis(100), MINUTE)?;
    span("events.retention", config.events.retention, HOUR, CENTURY)?;
    span("audit.retention", config.audit.retention, HOUR, CENTURY)?;
    if let Some(endpoint) = &mut config.otel.endpoint {
        *endpoint = address("otel.endpoint", endpoint, &["http", "https"])?;
    }
    kick(&mut config.kick)?;
    if config.media_servers.is_empty() {
        config.media_servers.insert(MediaServerName::default(), MediaServer::default());
    }
    for (name, server) in &mut config.media_servers {
        media_server(name, server)?;
    }
    distinct(config)
}

fn kick(kick: &mut Kick) -> Check {
    span("kick.sweep_interval", kick.sweep_interval, Duration::from_secs(1), HOUR)?;
    span("kick.flap_window", kick.flap_window, Duration::ZERO, HOUR)?;
    span("kick.history_retention", kick.history_retention, HOUR, CENTURY)?;
    count("kick.requests_per_minute", kick.requests_per_minute, 1, 100_000)?;
    count("kick.channels_per_connection", kick.channels_per_connection, 1, 10_000)?;
    kick.pusher_url = address("kick.pusher_url", &kick.pusher_url, &["wss", "ws"])?;
    if let Some(url) = &mut kick.centrifugo_url {
        *url = address("kick.centrifugo_url", url, &["wss", "ws"])?;
    }
    for (key, url) in [
        ("kick.realtime_url", &mut kick.realtime_url),
        ("kick.api_url", &mut kick.api_url),
        ("kick.auth_url", &mut kick.auth_url),
        ("kick.site_url", &mut kick.site_url),
    ] {
        *url = address(key, url, &["https", "http"])?;
    }
    let asks_the_api = matches!(kick.feed, Some(KickFeedChoice::Webhook | KickFeedChoice::Poll));
    match (&kick.client_id, &kick.client_secret) {
        (None, Some(_)) => {
            Err(ConfigError::new("kick.client_id", "is missing: it belongs to kick.client_secret"))
        }
        (Some(_), None) => {
            Err(ConfigError::new("kick.client_secret", "is missing: it belongs to kick.client_id"))
        }
        (None, None) if asks_the_api => Err(ConfigError::new(
            "kick.client_id",
            "and kick.client_secret are needed with this kick.feed: make an app at kick.com/settings/developer",
        )),
        _ => Ok(()),
    }
}

fn listen(listen: &str) -> Check {
    let host_and_port = listen.rsplit_once(':').is_some_and(|(host, port)| {
        !host.is_empty() && !host.contains([':', '/']) && port.parse::<u16>().is_ok()
    });
    if listen.parse::<SocketAddr>().is_ok() || host_and_port {
        return Ok(());
    }
    let rule = format!("must be an address and a port such as 127.0.0.1:8080, not {listen:?}");
    Err(ConfigError::new("http.listen", rule))
}

fn count(key: &str, value: u32, least: u32, most: u32) -> Check {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(ConfigError::new(key, format!("must be {least} to {most}, not {value}")))
}

fn span(key: &str, value: ConfigDuration, least: Duration, most: Duration) -> Check {
    if (least..=most).contains(&value.0) {
        return Ok(());
    }
    Err(ConfigError::new(
        key,
        format!("must be {} to {}, not {value}", ConfigDuration(least), ConfigDuration(most)),
    ))
}

fn database(config: &Config) -> Check {
    let Some(SecretValue(url)) = &config.database.url else { return Ok(()) };
    let rule = "must be sqlite://<file> or postgres://<user>@<host>/<database>";
    let refuse = || Err(ConfigError::new("database.url", rule));
    let url = url.expose();
    if let Some(file) = ["sqlite://", "sqlite:"].into_iter().find_map(|scheme| url.strip_prefix(scheme)) {
        // Held in memory only, every command would see another database.
        let in_memory = file.starts_with(":memory:") || file.contains("mode=memory");
        return if file.is_empty() || file.starts_with('?') || in_memory { refuse() } else { Ok(()) };
    }
    match Url::parse(url) {
        Ok(url) if matches!(url.scheme(), "postgres" | "postgresql") => Ok(()),
        _ => refuse(),
    }
}

fn hook_secrets(config: &Config) -> Check {
    let Some(SecretValue(given)) = &config.hooks.secret else { return Ok(()) };
    let parts: Vec<&str> = given.expose().split(',').map(str::trim).collect();
    if parts.len() > 2 || parts.iter().any(|part| part.len() < 8) {
        let rule =
            "must be one secret of at least 8 characters, or two with a comma between while it is replaced";
        return Err(ConfigError::new("hooks.secret", rule));
    }
    Ok(())
}

/// A base address: scheme and host, perhaps a port and a path; never user, query or fragment. Without trailing slash.
fn address(key: &str, given: &str, schemes: &[&str]) -> Result<String, ConfigError> {
    let refuse = |what: &str| {
        let like = format!("{}://host:port", schemes.first().unwrap_or(&"http"));
        Err(ConfigError::new(key, format!("{what}; it must be an address such as {like}")))
    };
    let Ok(url) = Url::parse(given) else { return refuse("cannot be understood") };
    if !schemes.contains(&url.scheme()) {
        return refuse(&format!("must start with {}://, not {}://", schemes.join(":// or "), url.scheme()));
    }
    if url.host_str().is_none_or(str::is_empty) {
        return refuse("names no host");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return refuse("must not hold a user name or password");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return refuse("must not have a query or fragment");
    }
    Ok(given.trim_end_matches('/').to_owned())
}

fn media_server(name: &MediaServerName, server: &mut MediaServer) -> Check {
    let key = |field: &str| format!("media_servers.{name}.{field}");
    if server.api_url.is_none() && name.as_str() == MediaServerName::DEFAULT {
        server.api_url = Some("http://127.0.0.1:9997".to_owned());
    }
    let Some(api_url) = &server.api_url else {
        let rule = "is missing: where is the control API of this media server, e.g. http://10.0.0.5:9997?";
        return Err(ConfigError::new(key("api_url"), rule));
    };
    let api_url = address(&key("api_url"), api_url, &["http", "https"])?;
    // Not the `host()` of the URL type: it would lose the brackets of an IPv6 address.
    let host = Url::parse(&api_url).ok().and_then(|url| url.host_str().map(str::to_owned));
    let host = host.unwrap_or_else(|| "127.0.0.1".to_owned());
    server.api_url = Some(api_url);
    for (field, url, schemes, port) in [
        ("rtmp_url", &mut server.rtmp_url, ["rtmp", "rtmps"], 1935),
        ("rtsp_url", &mut server.rtsp_url, ["rtsp", "rtsps"], 8554),
        ("srt_url", &mut server.srt_url, ["srt", "srt"], 8890),
        ("hls_url", &mut server.hls_url, ["http", "https"], 8888),
        ("webrtc_url", &mut server.webrtc_url, ["http", "https"], 8889),
    ] {
        let given = url.take().unwrap_or_else(|| format!("{}://{host}:{port}", schemes[0]));
        let known = if schemes[0] == schemes[1] { &schemes[..1] } else { &schemes[..] };
        *url = Some(address(&key(field), &given, known)?);
    }
    Ok(())
}

/// Two names for one media server would have two reconcilers undo each other's work.
fn distinct(config: &Config) -> Check {
    let mut seen: Vec<(&str, &MediaServerName)> = Vec::new();
    for (name, server) in &config.media_servers {
        if let Some((_, other)) = seen.iter().find(|(url, _)| *url == server.api_url()) {
            let rule = format!("is the same as that of media server {other}; each needs its own");
            return Err(ConfigError::new(format!("media_servers.{name}.api_url"), rule));
        }
        seen.push((server.api_url(), name));
    }
    Ok(())
}
