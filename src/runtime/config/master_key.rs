//! The master key: from the environment, from a file, or created at the first start and kept in a file.
//!
//! Secrets in the database are hashed or encrypted under it. It is never in the database, so that a copy of the database
//! alone reveals no secret.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use tempfile::NamedTempFile;
use zeroize::Zeroizing;

use super::error::ConfigError;
use super::root::Config;
use crate::domain::secret::MasterKey;

const VARIABLE: &str = "STREAMWARD_MASTER_KEY";
const FILE_VARIABLE: &str = "STREAMWARD_MASTER_KEY_FILE";
const FILE_NAME: &str = "streamward-secrets.key";

/// Where the master key is.
#[derive(Clone, Debug)]
pub enum MasterKeySource {
    /// It was found.
    Found(MasterKey),
    /// There is none. A new one is stored in this file.
    Absent(PathBuf),
}

/// Finds the master key: `STREAMWARD_MASTER_KEY`, `STREAMWARD_MASTER_KEY_FILE`, then the file beside the database.
pub fn find_master_key(
    config: &Config,
    env: &[(OsString, OsString)],
) -> Result<MasterKeySource, ConfigError> {
    let given = |name: &str| {
        env.iter().find(|(n, value)| n == name && !value.is_empty()).map(|(_, value)| value.clone())
    };
    let own = master_key_file(config);
    let found = match (given(VARIABLE), given(FILE_VARIABLE)) {
        (Some(_), Some(_)) => Err((FILE_VARIABLE, format!("and {VARIABLE} are both set; set one of them"))),
        (Some(text), None) => {
            let text = Zeroizing::new(text.into_string().unwrap_or_default());
            parse(&text).ok_or_else(|| (VARIABLE, RULE.to_owned()))
        }
        (None, Some(file)) => read_master_key(Path::new(&file)).map_err(|error| (FILE_VARIABLE, error)),
        (None, None) if !own.exists() => return Ok(MasterKeySource::Absent(own)),
        (None, None) => read_master_key(&own).map_err(|error| ("the master key", error)),
    };
    found.map(MasterKeySource::Found).map_err(|(name, error)| ConfigError::new(name, error))
}

/// The file for a key that is not configured.
pub fn master_key_file(config: &Config) -> PathBuf {
    config.beside_database().join(FILE_NAME)
}

const RULE: &str =
    "must be 32 bytes in base64 or in 64 hexadecimal digits; make one with `openssl rand -base64 32`";

/// Reads a master key from its file. An error says what is wrong with it.
pub fn read_master_key(file: &Path) -> Result<MasterKey, String> {
    let text = fs::read_to_string(file).map(Zeroizing::new);
    let text = text.map_err(|error| format!("file {} cannot be read: {error}", file.display()))?;
    parse(&text).ok_or_else(|| format!("in {} {RULE}", file.display()))
}

fn parse(text: &str) -> Option<MasterKey> {
    let text = text.trim();
    let unpadded = text.trim_end_matches('=');
    let bytes = match hex::decode(text) {
        Ok(bytes) if bytes.len() == 32 => Some(bytes),
        _ => STANDARD.decode(text).or_else(|_| URL_SAFE_NO_PAD.decode(unpadded)).ok(),
    };
    let bytes = Zeroizing::new(bytes?);
    <[u8; 32]>::try_from(bytes.as_slice()).ok().map(MasterKey::new)
}

/// Writes a new master key to `file`, readable by its owner only. If another process was faster, returns its key.
pub fn create_master_key(file: &Path, random: [u8; 32]) -> io::Result<MasterKey> {
    let key = MasterKey::new(random);
    match written(file, &key)?.persist_noclobber(file).map_err(|failed| failed.error) {
        Ok(_) => Ok(key),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            read_master_key(file).map_err(io::Error::other)
        }
        Err(error) => Err(error),
    }
}

/// Writes a master key to `file`, readable by its owner only, in the place of what is there.
pub fn save_master_key(file: &Path, key: &MasterKey) -> io::Result<()> {
    written(file, key)?.persist(file).map(drop).map_err(|failed| failed.error)
}

/// The key in a file beside `file`: written under another name first, so that nobody reads half a key.
fn written(file: &Path, key: &MasterKey) -> io::Result<NamedTempFile> {
    let folder = file.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
    let mut fresh = NamedTempFile::new_in(folder)?;
    let text = Zeroizing::new(STANDARD.encode(key.expose()));
    fresh.write_all(text.as_bytes()).and_then(|()| fresh.write_all(b"\n"))?;
    fresh.as_file().sync_all()?;
    Ok(fresh)
}
