//! Merges the layers.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::error::ConfigError;
use super::keys::{find_key, unknown};
use super::layers;
use super::root::Config;
use super::section::Setting as _;

/// The file that is read if none is named.
const DEFAULT_FILE: &str = "streamward.toml";

/// Where the configuration comes from.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The file (`--config`). Without it `streamward.toml`, if that exists.
    pub file: Option<PathBuf>,
    /// The environment.
    pub env: Vec<(OsString, OsString)>,
    /// Keys and values of the command line. They win over all others.
    pub flags: Vec<(String, String)>,
}

/// The configuration, and where each key of it was set.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// Where keys were set. The others have their defaults.
    pub origins: BTreeMap<String, String>,
    /// The file that was read.
    pub file: Option<PathBuf>,
    /// The environment.
    pub env: Vec<(OsString, OsString)>,
}

impl Sources {
    /// The environment of this process, and the file named on the command line, if any.
    pub fn of_process(file: Option<PathBuf>) -> Self {
        Self { file, env: std::env::vars_os().collect(), flags: Vec::new() }
    }

    /// Reads and checks the configuration.
    pub fn load(&self) -> Result<Loaded, ConfigError> {
        if let Some(file) = self.file.as_ref().filter(|file| !file.is_file()) {
            return Err(ConfigError::new("", format!("the file {} does not exist", file.display())));
        }
        let file = self.file.as_deref().unwrap_or(Path::new(DEFAULT_FILE));
        let file = file.is_file().then(|| file.to_owned());
        let database = [("DATABASE_URL", "database.url"), ("DATABASE_URL_FILE", "database.url_file")];
        let database = database.into_iter().filter_map(|(variable, key)| {
            let (_, value) = self.env.iter().find(|(name, value)| name == variable && !value.is_empty())?;
            Some(layers::given(variable, [(key, value.to_str()?)]))
        });
        let flags = self.flags.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        let layers = file.iter().map(|file| layers::file(file)).chain(database);
        let layers = layers.chain([layers::environment(&self.env), layers::given("the command line", flags)]);
        let mut entries = BTreeMap::new();
        for layer in layers {
            entries.extend(layer?.into_iter().map(|entry| (entry.path, (entry.value, entry.origin))));
        }
        let (mut config, mut origins) = (Config::default(), BTreeMap::new());
        for (path, (value, origin)) in entries {
            let done = find_key(&path).map_or_else(|| Err(unknown(&path)), |_| config.set(&path, &value));
            let key = path.join(".");
            done.map_err(|message| ConfigError::new(&key, message).set_in(Some(&origin)))?;
            origins.insert(key, origin);
        }
        config.check().map_err(|error| {
            let origin = origins.get(&error.key);
            error.set_in(origin)
        })?;
        Ok(Loaded { config, origins, file, env: self.env.clone() })
    }
}
