//! The whole configuration, and what follows from several of its sections.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::database::{DatabaseKind, sqlite_file};
use super::error::ConfigError;
use super::media_servers::{self, MediaServer};
use super::section::section;
use super::studios::Studio;
use super::values::SecretValue;
use super::{
    api, audit, auth, channels, database, events, hooks, http, kick, log, mail, media, metrics,
    notifications, otel, playback, reconcile, studios, users,
};
use crate::domain::media_server::MediaServerName;
use crate::domain::studio::StudioName;

section! {
    pub struct Config, check |config: &mut Config| check(config); {
        /// The folder for files that Streamward makes: the SQLite file, the master key, MediaMTX's configuration.
        data_dir: PathBuf = PathBuf::from(".");
        http: http::Http;
        database: database::Database;
        hooks: hooks::Hooks;
        auth: auth::Auth;
        reconcile: reconcile::Reconcile;
        playback: playback::Playback;
        api: api::Api;
        users: users::Users;
        mail: mail::Mail;
        metrics: metrics::Metrics;
        log: log::Log;
        otel: otel::Otel;
        events: events::Events;
        notifications: notifications::Notifications;
        audit: audit::Audit;
        kick: kick::Kick;
        channels: channels::Channels;
        media: media::Media;
        /// Media servers by name. Never empty.
        media_servers: BTreeMap<MediaServerName, MediaServer>, check media_servers::with_default;
        /// Studios by name: each is one OBS.
        studios: BTreeMap<StudioName, Studio>;
    }
}

/// The rules about several sections.
fn check(config: &Config) -> Result<(), ConfigError> {
    media_servers::distinct(&config.media_servers)?;
    studios::distinct(&config.studios)?;
    if let (Some(base), Some(public)) = (&config.http.base_path, &config.http.public_url)
        && path_of(public) != base
    {
        let rule = format!("must be the path of http.public_url, {public}; leave one of the two out");
        return Err(ConfigError::new("http.base_path".to_owned(), rule));
    }
    let of_channels = ("channels.media_server".to_owned(), &config.channels.media_server);
    let of_studios = config
        .studios
        .iter()
        .map(|(name, studio)| (format!("studios.{name}.probe.media_server"), &studio.probe.media_server));
    for (key, server) in [of_channels].into_iter().chain(of_studios) {
        if let Some(server) = server
            && !config.media_servers.contains_key(server)
        {
            let rule = format!("must name a configured media server; there is no media_servers.{server}");
            return Err(ConfigError::new(key, rule));
        }
    }
    Ok(())
}

impl Config {
    /// Which database it is, and where.
    pub fn database_kind(&self) -> DatabaseKind {
        let Some(SecretValue(url)) = &self.database.url else {
            return DatabaseKind::Sqlite(self.data_dir.join("streamward.db"));
        };
        match sqlite_file(url.expose()) {
            Some(file) => DatabaseKind::Sqlite(PathBuf::from(file.split('?').next().unwrap_or(file))),
            None => DatabaseKind::Postgres(url.clone()),
        }
    }

    /// The folder for files that belong to the database: that of a SQLite file, otherwise `data_dir`.
    pub fn beside_database(&self) -> PathBuf {
        match self.database_kind() {
            DatabaseKind::Sqlite(file) => match file.parent() {
                Some(parent) if parent != Path::new("") => parent.to_owned(),
                _ => PathBuf::from("."),
            },
            DatabaseKind::Postgres(_) => self.data_dir.clone(),
        }
    }

    /// The folder for the files of clips.
    pub fn media_dir(&self) -> PathBuf {
        self.media.dir.clone().unwrap_or_else(|| self.beside_database().join("media"))
    }

    /// The addresses of studios, each with its key in the configuration.
    pub fn studio_listeners(&self) -> impl Iterator<Item = (String, &str)> {
        self.studios.keys().filter_map(|name| self.studio_listener(name))
    }

    /// The address of a studio, with its key in the configuration.
    pub fn studio_listener(&self, name: &StudioName) -> Option<(String, &str)> {
        let address = self.studios.get(name)?.health_listen.as_deref()?;
        Some((format!("studios.{name}.health_listen"), address))
    }

    /// Where programs on this machine reach us: `http.listen`, with an address that can be called.
    pub fn local_url(&self) -> String {
        url(&self.http.listen)
    }

    /// What our addresses begin with behind a proxy, without a slash at the end; empty if nothing.
    pub fn base_path(&self) -> String {
        let of_public = || self.http.public_url.as_deref().map(path_of).unwrap_or_default().to_owned();
        self.http.base_path.clone().unwrap_or_else(of_public)
    }

    /// Where browsers reach us, without a slash at the end.
    pub fn public_url(&self) -> String {
        let local = || format!("{}{}", self.local_url(), self.base_path());
        self.http.public_url.clone().unwrap_or_else(local)
    }

    /// Where media servers on this machine reach us: the same of `http.media_listen`, if it is set.
    pub fn local_media_url(&self) -> String {
        self.http.media_listen.as_deref().map_or_else(|| self.local_url(), url)
    }

    /// Where media servers reach us.
    pub fn hooks_url(&self) -> String {
        self.hooks.url.clone().unwrap_or_else(|| self.local_media_url())
    }
}

/// The path of an address that was checked, without a slash at the end.
fn path_of(address: &str) -> &str {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    rest.find('/').and_then(|at| rest.get(at..)).unwrap_or_default().trim_end_matches('/')
}

/// The URL of an address to listen on, with a host that can be called.
fn url(listen: &str) -> String {
    let (host, port) = listen.rsplit_once(':').unwrap_or((listen, "8080"));
    let host = match host {
        "0.0.0.0" | "" => "127.0.0.1",
        "[::]" => "[::1]",
        host => host,
    };
    format!("http://{host}:{port}")
}
