//! The section `[hooks]`: how media servers reach us.

use super::section::section;
use super::values::{SecretValue, address, if_set, require};
use crate::domain::secret::Secret;

section! {
    pub struct Hooks {
        /// The secret that media servers send; two with a comma between while it is replaced.
        secret: Option<SecretValue>, check if_set(one_or_two_secrets),
            unset "not set: made at the first start, kept in the database; see `config --reveal`";
        /// Where media servers reach this Streamward.
        url: Option<String>, check if_set(address(&["http", "https"])), unset "not set: the address of http.media_listen or http.listen";
    }
}

fn one_or_two_secrets(SecretValue(given): &mut SecretValue) -> Result<(), String> {
    let parts: Vec<&str> = given.expose().split(',').map(str::trim).collect();
    let rule =
        "must be one secret of at least 8 characters, or two with a comma between while it is replaced";
    require(parts.len() <= 2 && parts.iter().all(|part| part.len() >= 8), || rule.to_owned())
}

impl Hooks {
    /// The configured secret; the first one of two.
    pub fn first_secret(&self) -> Option<Secret> {
        let given = self.secret.as_ref()?.0.expose();
        given.split(',').next().map(|part| Secret::new(part.trim()))
    }
}
