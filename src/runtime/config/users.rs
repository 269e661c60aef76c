//! The section `[users]`: people who sign in.

use std::collections::BTreeMap;

use super::oidc::Oidc;
use super::section::section;
use super::values::{ConfigDuration, within};
use crate::domain::user::ProviderName;

section! {
    pub struct Users {
        /// How long a session lasts without use.
        session_idle: ConfigDuration = ConfigDuration::seconds(12 * 3_600),
            check within(ConfigDuration::MINUTE, ConfigDuration::days(400));
        /// How long a session lasts in all.
        session_max: ConfigDuration = ConfigDuration::days(30),
            check within(ConfigDuration::MINUTE, ConfigDuration::days(400));
        /// Providers that people sign in with, by name (OpenID Connect).
        oidc: BTreeMap<ProviderName, Oidc>;
    }
}
