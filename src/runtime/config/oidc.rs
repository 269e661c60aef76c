//! The sections `[users.oidc.<name>]`: a provider each that people sign in with (OpenID Connect).

use std::collections::BTreeMap;

use serde_with::SerializeDisplay;
use toml::Value;
use url::Url;

use super::error::ConfigError;
use super::section::section;
use super::values::{FromValue, SecretValue, Texts, address, if_set, is_here, require};
use crate::domain::OrganizationId;
use crate::domain::user::{Grant, Grants};

section! {
    pub struct Oidc, check check; {
        /// The provider's issuer, as its discovery document names it.
        issuer: Option<String>, check if_set(issuer), unset "must be set, e.g. https://login.example.org/realms/tv";
        /// The name of this installation at the provider.
        client_id: Option<String>, unset "must be set";
        /// The password of this installation at the provider.
        client_secret: Option<SecretValue>, unset "not set: PKCE alone proves that answers are ours";
        /// What is requested besides `openid`.
        scopes: Texts = Texts(vec!["email".into(), "profile".into()]);
        /// The claim whose values give roles. Dots lead into claims within others: `realm_access.roles`.
        roles_claim: String = "groups".into();
        /// Where a role counts that names no organization (`streamward organization list`).
        organization: OrganizationId = OrganizationId::DEFAULT;
        /// What a value of the claim gives: `administrator`, `viewer`, `operator`, `admin`, or `<organization>=<role>`.
        roles: BTreeMap<String, RoleGrant>;
    }
}

/// What a value of the claim gives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, SerializeDisplay)]
pub struct RoleGrant(pub Grant);

impl std::fmt::Display for RoleGrant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl FromValue for RoleGrant {
    fn read(value: &Value) -> Result<Self, String> {
        let text = String::read(value)?;
        let rule = |invalid: crate::domain::Invalid| -> String {
            invalid.0.into_iter().map(|error| error.message).collect()
        };
        Grant::parse(&text).map(Self).map_err(|invalid| format!("{}, not {value}", rule(invalid)))
    }
}

/// Without TLS, anybody between us and the issuer could sign in as anybody.
fn issuer(issuer: &mut String) -> Result<(), String> {
    address(&["https", "http"])(issuer)?;
    let url = Url::parse(issuer).map_err(|error| error.to_string())?;
    require(url.scheme() == "https" || is_here(&url), || {
        "must begin with https://; http:// is for an issuer on this machine only".to_owned()
    })
}

fn check(oidc: &mut Oidc) -> Result<(), ConfigError> {
    let refuse = |key: &str, rule: &str| Err(ConfigError::new(key, rule));
    if oidc.issuer.is_none() {
        return refuse(
            "issuer",
            "is missing: the provider's issuer, e.g. https://login.example.org/realms/tv",
        );
    }
    if oidc.client_id.is_none() {
        return refuse("client_id", "is missing: the name of this installation at the provider");
    }
    if oidc.roles.is_empty() {
        return refuse(
            "roles",
            "is missing: which value of the claim gives which role, e.g. tv-team = \"operator\"",
        );
    }
    if oidc.scopes.0.iter().any(|scope| !scope.bytes().all(|byte| byte.is_ascii_graphic())) {
        return refuse("scopes", "must be a list of words");
    }
    Ok(())
}

impl Oidc {
    /// What the values of the claim give.
    pub fn grants(&self) -> Grants {
        let of = self.roles.iter().map(|(value, RoleGrant(grant))| (value.clone(), *grant));
        Grants { of: of.collect(), organization: self.organization }
    }
}
