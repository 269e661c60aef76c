//! People who sign in with a provider (OpenID Connect): who they are there, and which roles that gives them.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::domain::OrganizationId;
use crate::domain::access::Role;
use crate::domain::invalid::{Invalid, text_type};

/// The name of a provider in the configuration and in addresses.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct ProviderName(String);

text_type!(ProviderName);

impl ProviderName {
    /// Parses a name: 1 to 50 letters, digits, `_` and `-`.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if (1..=50).contains(&text.len()) && text.bytes().all(is_part) {
            return Ok(Self(text.to_owned()));
        }
        Err(Invalid::one("name", "must be 1 to 50 letters, digits, _ and -"))
    }
}

/// Who a person is at a provider. E-mail addresses pass from one person to another, so they are no part of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    /// The provider's issuer.
    pub issuer: String,
    /// What the provider calls the person, for ever.
    pub subject: String,
}

/// What a provider says of a person who signed in there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Who it is.
    pub identity: Identity,
    /// The e-mail address, unless the provider says that it is not verified. It only names the person.
    pub email: Option<String>,
    /// The name as people see it.
    pub name: Option<String>,
    /// The values of the claim that gives roles.
    pub values: Vec<String>,
}

/// What one value of the claim gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grant {
    /// The person is an administrator of the whole installation.
    Administrator,
    /// A role in an organization; without one, in that of the provider.
    Role(Option<OrganizationId>, Role),
}

impl Grant {
    /// Parses `administrator`, `operator`, or `<organization>=operator`.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        if text == "administrator" {
            return Ok(Self::Administrator);
        }
        let (organization, role) = match text.split_once('=') {
            Some((organization, role)) => (organization.parse().ok().map(Some), role),
            None => (Some(None), text),
        };
        match (organization, Role::parse(role)) {
            (Some(organization), Ok(role)) => Ok(Self::Role(organization, role)),
            _ => Err(Invalid::one(
                "roles",
                "must be administrator, viewer, operator, admin, or a role behind the id of an organization \
                 (\"0193…=operator\")",
            )),
        }
    }
}

impl Default for Grant {
    fn default() -> Self {
        Self::Role(None, Role::Viewer)
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Administrator => f.write_str("administrator"),
            Self::Role(None, role) => role.fmt(f),
            Self::Role(Some(organization), role) => write!(f, "{organization}={role}"),
        }
    }
}

/// What a person may do by the claim.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Granted {
    /// Whether the person is an administrator of the whole installation.
    pub administrator: bool,
    /// The roles in organizations.
    pub roles: BTreeMap<OrganizationId, Role>,
}

impl Granted {
    /// Whether it is nothing.
    pub fn is_nothing(&self) -> bool {
        !self.administrator && self.roles.is_empty()
    }
}

/// What the values of the claim give.
#[derive(Clone, Debug)]
pub struct Grants {
    /// By value. Other values give nothing.
    pub of: BTreeMap<String, Grant>,
    /// Where a role counts that names no organization.
    pub organization: OrganizationId,
}

impl Grants {
    /// What these values give together: in each organization the highest role.
    pub fn granted(&self, values: &[String]) -> Granted {
        let mut granted = Granted::default();
        for grant in values.iter().filter_map(|value| self.of.get(value)) {
            match grant {
                Grant::Administrator => granted.administrator = true,
                Grant::Role(organization, role) => {
                    let organization = organization.unwrap_or(self.organization);
                    let known = granted.roles.entry(organization).or_insert(*role);
                    *known = (*known).max(*role);
                }
            }
        }
        granted
    }
}

/// Where a browser goes after it signed in: a path of this host, never another host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReturnPath(String);

text_type!(ReturnPath);

impl ReturnPath {
    /// Parses a path with, perhaps, a query and a fragment. Browsers read `//host` and `/\host` as another host, and ignore
    /// line breaks; none of these is accepted.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"\"'<>\\`".contains(&byte);
        let is_local = text.starts_with('/') && !text.starts_with("//") && text.len() <= 1_000;
        if is_local && text.bytes().all(is_plain) {
            return Ok(Self(text.to_owned()));
        }
        let rule = "must be a path of this server that begins with one slash, at most 1000 ASCII characters, without \
                    blanks, quotes, < > and \\";
        Err(Invalid::one("return_to", rule))
    }
}

impl Default for ReturnPath {
    fn default() -> Self {
        Self("/".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_return_path_stays_on_this_host() {
        for good in ["/", "/dashboard", "/a/b?c=d&e=%20#f"] {
            assert_eq!(ReturnPath::parse(good).unwrap().as_str(), good);
        }
        let long = format!("/{}", "a".repeat(1_000));
        for bad in [
            "",
            "dashboard",
            "//evil.example",
            "/\\evil.example",
            "/a\\b",
            "https://evil.example",
            "/a b",
            "/a\nb",
            "/\t/evil.example",
            "/\"><script>",
            "/ä",
            &long,
        ] {
            assert_eq!(ReturnPath::parse(bad).unwrap_err().0[0].field, "return_to", "{bad:?}");
        }
    }

    #[test]
    fn values_of_the_claim_give_the_highest_role_in_each_organization() {
        let other = OrganizationId(uuid::Uuid::from_u128(7));
        let of = [
            ("watch", "viewer".to_owned()),
            ("work", "operator".to_owned()),
            ("rescue", format!("{other}=admin")),
            ("root", "administrator".to_owned()),
        ];
        let of = of.map(|(value, grant)| (value.to_owned(), Grant::parse(&grant).unwrap())).into();
        let grants = Grants { of, organization: OrganizationId::DEFAULT };
        let granted = |values: &[&str]| {
            grants.granted(&values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>())
        };
        assert!(granted(&[]).is_nothing() && granted(&["Work", "unknown"]).is_nothing());
        assert_eq!(granted(&["work", "watch"]).roles, [(OrganizationId::DEFAULT, Role::Operator)].into());
        let both = [(OrganizationId::DEFAULT, Role::Viewer), (other, Role::Admin)];
        assert_eq!(granted(&["rescue", "watch"]).roles, both.into());
        assert!(granted(&["root"]).administrator && granted(&["root"]).roles.is_empty());
    }

    #[test]
    fn a_grant_is_read_as_it_is_written() {
        for text in ["administrator", "viewer", "01890000-0000-7000-8000-000000000000=admin"] {
            assert_eq!(Grant::parse(text).unwrap().to_string(), text);
        }
        for bad in ["", "root", "x=admin", "=admin", "01890000-0000-7000-8000-000000000000=", "Admin"] {
            assert!(Grant::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_provider_has_a_short_plain_name() {
        assert!(ProviderName::parse("company-1_A").is_ok());
        for bad in ["", "a/b", "a.b", "ä", &"a".repeat(51)] {
            assert!(ProviderName::parse(bad).is_err(), "{bad:?}");
        }
    }
}
