//! Putting the layers together.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use figment::providers::{Format as _, Toml};
use figment::value::Value;
use figment::{Figment, Profile};

use super::check::check;
use super::error::ConfigError;
use super::layers::{Environment, Given, WithFiles, origin};
use super::model::Config;

/// The file that is read if it is there and none is named.
const DEFAULT_FILE: &str = "streamward.toml";

/// Where the configuration is to be taken from.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The file (`--config`); `streamward.toml`, which need not exist, if absent.
    pub file: Option<PathBuf>,
    /// The environment.
    pub env: Vec<(OsString, OsString)>,
    /// Keys and values from the command line, which win over everything else.
    pub flags: Vec<(String, String)>,
}

/// The configuration, and where each key of it was set.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// Where keys were set; what is not here has its default.
    pub origins: BTreeMap<String, String>,
    /// The file that was read.
    pub file: Option<PathBuf>,
}

impl Sources {
    /// The environment of this process, and the file named on the command line, if any.
    pub fn of_process(file: Option<PathBuf>) -> Self {
        Self { file, env: std::env::vars_os().collect(), flags: Vec::new() }
    }

    /// Reads everything.
    ///
    /// # Errors
    /// [`ConfigError`]: the first key that is unknown or not right.
    pub fn load(&self) -> Result<Loaded, ConfigError> {
        let file = match &self.file {
            Some(file) if file.is_file() => Some(file.clone()),
            Some(file) => {
                return Err(ConfigError::new("", format!("the file {} is not there", file.display())));
            }
            None => Some(PathBuf::from(DEFAULT_FILE)).filter(|file| file.is_file()),
        };
        let mut figment = Figment::new();
        if let Some(file) = &file {
            let base = file.parent().map(PathBuf::from).unwrap_or_default();
            figment = figment.merge(WithFiles { inner: Toml::file_exact(file), base });
        }
        for (place, key) in [("DATABASE_URL", "database.url"), ("DATABASE_URL_FILE", "database.url_file")] {
            let set = self.env.iter().find(|(name, value)| name == place && !value.is_empty());
            if let Some(value) = set.and_then(|(_, value)| value.to_str()) {
                let inner = Given { place, values: vec![(key.to_owned(), value.to_owned())] };
                figment = figment.merge(WithFiles { inner, base: PathBuf::new() });
            }
        }
        let environment = Environment(self.env.clone());
        figment = figment.merge(WithFiles { inner: environment, base: PathBuf::new() });
        figment = figment.merge(Given { place: "the command line", values: self.flags.clone() });
        let mut config: Config = figment.extract()?;
        let origins = origins(&figment);
        check(&mut config).map_err(|error| {
            let origin = origins.get(&error.key).cloned();
            error.set_in(origin)
        })?;
        Ok(Loaded { config, origins, file })
    }
}

fn origins(figment: &Figment) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    if let Ok(data) = figment::Provider::data(figment)
        && let Some(dict) = data.get(&Profile::Default)
    {
        for (key, value) in dict {
            walk(figment, &mut vec![key.clone()], value, &mut found);
        }
    }
    found
}

fn walk(figment: &Figment, path: &mut Vec<String>, value: &Value, found: &mut BTreeMap<String, String>) {
    if let Value::Dict(_, inner) = value {
        for (key, value) in inner {
            path.push(key.clone());
            walk(figment, path, value, found);
            path.pop();
        }
    } else if let Some(place) = figment.get_metadata(value.tag()).and_then(|m| origin(m, path)) {
        found.insert(path.join("."), place);
    }
}
