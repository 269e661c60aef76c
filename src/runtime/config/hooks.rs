//! The section `[hooks]`: how media servers reach us.

use super::Config;
use super::section::section;
use super::values::{SecretValue, address, if_set, require};

section! {
    pub struct Hooks {
        /// The secret that media servers send; two with a comma between while it is replaced.
        secret: Option<SecretValue>, check if_set(one_or_two_secrets),
            unset "not set: made at the first start, kept in the database; see `config --reveal`";
        /// Where media servers reach this Streamward.
        url: Option<String>, check if_set(address(&["http", "https"])), unset "not set: the address of http.listen";
    }
}

fn one_or_two_secrets(SecretValue(given): &mut SecretValue) -> Result<(), String> {
    let parts: Vec<&str> = given.expose().split(',').map(str::trim).collect();
    let rule =
        "must be one secret of at least 8 characters, or two with a comma between while it is replaced";
    require(parts.len() <= 2 && parts.iter().all(|part| part.len() >= 8), || rule.to_owned())
}

impl Config {
    /// Where media servers reach us.
    pub fn hooks_url(&self) -> String {
        self.hooks.url.clone().unwrap_or_else(|| self.local_url())
    }
}
