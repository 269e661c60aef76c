//! Merges the layers.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use super::Config;
use super::error::{ConfigError, unknown};
use super::layers::{self, find_key};
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
}

impl Sources {
    /// The environment of this process, and the file named on the command line, if any.
    pub fn of_process(file: Option<PathBuf>) -> Self {
        Self { file, env: std::env::vars_os().collect(), flags: Vec::new() }
    }

    /// Reads and checks the configuration.
    pub fn load(&self) -> Result<Loaded, ConfigError> {
        let file = match &self.file {
            Some(file) if file.is_file() => Some(file.clone()),
            Some(file) => {
                return Err(ConfigError::new("", format!("the file {} does not exist", file.display())));
            }
            None => Some(PathBuf::from(DEFAULT_FILE)).filter(|file| file.is_file()),
        };
        let mut layers = Vec::new();
        if let Some(file) = &file {
            layers.push(layers::file(file));
        }
        for (variable, key) in [("DATABASE_URL", "database.url"), ("DATABASE_URL_FILE", "database.url_file")]
        {
            let set = self.env.iter().find(|(name, value)| name == variable && !value.is_empty());
            if let Some(value) = set.and_then(|(_, value)| value.to_str()) {
                layers.push(layers::given(variable, [(key, value)]));
            }
        }
        layers.push(layers::environment(&self.env));
        let flags = self.flags.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        layers.push(layers::given("the command line", flags));
        let mut entries = BTreeMap::new();
        for layer in layers {
            entries.extend(layer?.into_iter().map(|entry| (entry.path, (entry.value, entry.origin))));
        }
        let (mut config, mut origins) = (Config::default(), BTreeMap::new());
        for (path, (value, origin)) in entries {
            let done =
                if find_key(&path).is_some() { config.set(&path, &value) } else { Err(unknown(&path)) };
            let key = path.join(".");
            done.map_err(|message| ConfigError::new(&key, message).set_in(Some(origin.clone())))?;
            origins.insert(key, origin);
        }
        config.check().map_err(|error| {
            let origin = origins.get(&error.key).cloned();
            error.set_in(origin)
        })?;
        Ok(Loaded { config, origins, file })
    }
}
