//! The section `[api]`: clients of the management API.

use std::collections::BTreeMap;

use super::section::section;
use super::values::SecretValue;

section! {
    pub struct Api {
        /// An admin token that the operator chooses, besides those in the database.
        admin_token: Option<SecretValue>;
        /// Signs requests under any key id.
        hmac_secret: Option<SecretValue>,
            unset "not set: made at the first start, kept in the database; see `config --reveal`";
        /// Signs requests under one key id each. If there are any, no other id is accepted.
        hmac_keys: BTreeMap<String, SecretValue>;
    }
}
