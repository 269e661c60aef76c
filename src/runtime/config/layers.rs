//! Where values come from: the file, the environment, the command line; and secrets that stand in files of their own.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use figment::value::{Dict, Map, Value};
use figment::{Error, Metadata, Profile, Provider, Source};

const PREFIX: &str = "STREAMWARD_";

/// All keys; `*` stands for a name. For suggestions, and to know which are secret (marked with `!`).
pub(super) const KEYS: [&str; 44] = [
    "data_dir",
    "http.listen",
    "http.max_connections",
    "http.trusted_proxies",
    "database.url",
    "database.max_connections",
    "hooks.secret",
    "hooks.url",
    "auth.claim_ttl",
    "reconcile.interval",
    "playback.access",
    "api.admin_token",
    "api.hmac_secret",
    "api.hmac_keys.*",
    "metrics.token",
    "log.level",
    "log.format",
    "otel.endpoint",
    "events.retention",
    "audit.retention",
    "kick.feed",
    "kick.client_id",
    "kick.client_secret",
    "kick.sweep_interval",
    "kick.requests_per_minute",
    "kick.channels_per_connection",
    "kick.flap_window",
    "kick.history_retention",
    "kick.pusher_key",
    "kick.pusher_url",
    "kick.centrifugo_url",
    "kick.realtime_url",
    "kick.api_url",
    "kick.auth_url",
    "kick.site_url",
    "kick.webhook_public_key",
    "media_servers.*.kind",
    "media_servers.*.api_url",
    "media_servers.*.control_secret",
    "media_servers.*.rtmp_url",
    "media_servers.*.rtsp_url",
    "media_servers.*.srt_url",
    "media_servers.*.hls_url",
    "media_servers.*.webrtc_url",
];

/// Those that must not be shown, and can be given as a file.
const SECRET_KEYS: [&str; 8] = [
    "database.url",
    "hooks.secret",
    "api.admin_token",
    "api.hmac_secret",
    "api.hmac_keys.*",
    "metrics.token",
    "kick.client_secret",
    "media_servers.*.control_secret",
];

/// Whether the value at this path must not be shown.
pub(super) fn is_secret<S: AsRef<str>>(path: &[S]) -> bool {
    SECRET_KEYS.iter().any(|key| {
        let parts: Vec<&str> = key.split('.').collect();
        parts.len() == path.len() && parts.iter().zip(path).all(|(a, b)| *a == "*" || *a == b.as_ref())
    })
}

/// Where a value was set, in words.
pub(super) fn origin(metadata: &Metadata, path: &[String]) -> Option<String> {
    match &metadata.source {
        Some(Source::File(file)) => Some(file.display().to_string()),
        Some(Source::Custom(place)) if place == ENVIRONMENT => Some(variable(path)),
        Some(Source::Custom(place)) => Some(place.clone()),
        _ => None,
    }
}

const ENVIRONMENT: &str = "environment";

/// The variable that sets the key at `path`.
fn variable(path: &[String]) -> String {
    format!("{PREFIX}{}", path.join("__").to_uppercase())
}

/// The environment: `STREAMWARD_<SECTION>__<KEY>`, every value a text. An empty one counts as not given.
pub(super) struct Environment(pub(super) Vec<(OsString, OsString)>);

impl Provider for Environment {
    fn metadata(&self) -> Metadata {
        Metadata::named("environment").source(Source::Custom(ENVIRONMENT.to_owned()))
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        let mut all = Dict::new();
        for (name, value) in &self.0 {
            let Some(key) = name.to_str().and_then(|name| name.strip_prefix(PREFIX)) else { continue };
            if value.is_empty() || is_not_ours(key) {
                continue;
            }
            let path: Vec<String> = key.to_lowercase().split("__").map(str::to_owned).collect();
            let Some(value) = value.to_str() else {
                return Err(Error::from("must be UTF-8 text".to_owned()).with_path(&path.join(".")));
            };
            insert(&mut all, &path, value);
        }
        Ok(Profile::Default.collect(all))
    }
}

/// Variables of our prefix that are no configuration keys: what `main` reads itself, what tests need, and what
/// Kubernetes sets in every container beside a service called `streamward`.
fn is_not_ours(key: &str) -> bool {
    matches!(key, "CONFIG" | "MASTER_KEY" | "MASTER_KEY_FILE" | "PORT" | "SERVICE_HOST" | "SERVICE_PORT")
        || ["TEST_", "PORT_", "SERVICE_PORT_"].iter().any(|start| key.starts_with(start))
}

/// Settings from one place that have their final form, such as command line flags.
pub(super) struct Given {
    pub(super) place: &'static str,
    pub(super) values: Vec<(String, String)>,
}

impl Provider for Given {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.place).source(Source::Custom(self.place.to_owned()))
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        let mut all = Dict::new();
        for (key, value) in &self.values {
            insert(&mut all, &key.split('.').map(str::to_owned).collect::<Vec<_>>(), value);
        }
        Ok(Profile::Default.collect(all))
    }
}

fn insert(dict: &mut Dict, path: &[String], value: &str) {
    match path {
        [] => {}
        [key] => {
            dict.insert(key.clone(), Value::from(value));
        }
        [key, rest @ ..] => {
            let inner = dict.entry(key.clone()).or_insert_with(|| Value::from(Dict::new()));
            if let Value::Dict(_, inner) = inner {
                insert(inner, rest, value);
            }
        }
    }
}

/// Another provider, with `<secret>_file` keys replaced by what stands in the file. Done for each layer by itself, so
/// that a file named in the environment wins over a secret in `streamward.toml`, and the other way round.
pub(super) struct WithFiles<P> {
    pub(super) inner: P,
    /// What a relative file name is relative to.
    pub(super) base: PathBuf,
}

impl<P: Provider> Provider for WithFiles<P> {
    fn metadata(&self) -> Metadata {
        self.inner.metadata()
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        let mut data = self.inner.data()?;
        for dict in data.values_mut() {
            resolve(dict, &mut Vec::new(), &self.base).map_err(|error| *error)?;
        }
        Ok(data)
    }
}

fn resolve(dict: &mut Dict, path: &mut Vec<String>, base: &Path) -> Result<(), Box<Error>> {
    let keys: Vec<String> = dict.keys().cloned().collect();
    for key in keys {
        path.push(key.clone());
        if let Some(Value::Dict(_, inner)) = dict.get_mut(&key) {
            resolve(inner, path, base)?;
        } else if let Some(secret) = key.strip_suffix("_file") {
            path.pop();
            path.push(secret.to_owned());
            if is_secret(path) {
                let fail = |what: String| {
                    Err(Box::new(Error::from(what).with_path(&format!("{}_file", path.join(".")))))
                };
                let Some(file) = dict.remove(&key).and_then(Value::into_string) else {
                    return fail("must be the name of a file".to_owned());
                };
                if dict.contains_key(secret) {
                    return fail(format!("and {secret} are both set; set one of them"));
                }
                let file = base.join(file);
                let text = match std::fs::read_to_string(&file) {
                    Ok(text) => text,
                    Err(error) => {
                        return fail(format!("names {}, which cannot be read: {error}", file.display()));
                    }
                };
                let text = text.trim_end_matches(['\r', '\n']);
                if text.is_empty() {
                    return fail(format!("names {}, which is empty", file.display()));
                }
                dict.insert(secret.to_owned(), Value::from(text));
            }
        }
        path.pop();
    }
    Ok(())
}
