//! Users and their roles.

use std::collections::BTreeMap;

use super::{Granted, Identity};
use crate::domain::access::{Permissions, Role};
use crate::domain::invalid::{Invalid, text, text_type};
use crate::domain::page::newest_first;
use crate::domain::{OrganizationId, Timestamp, UserId};

/// An e-mail address in lower case. It names a user.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Email(String);

text_type!(Email);

impl Email {
    /// Parses an address: one `@` between a name and a host, at most 254 characters (RFC 5321).
    pub fn parse(value: &str) -> Result<Self, Invalid> {
        let value = text("email", value.trim(), 1, 254)?;
        let shaped = value.split_once('@').is_some_and(|(name, host)| {
            let is_host = |c: char| c.is_alphanumeric() || c == '.' || c == '-';
            !name.is_empty()
                && name.len() <= 64
                && !name.contains(|c: char| c.is_whitespace() || "<>\"(),;:\\".contains(c))
                && host.chars().all(is_host)
                && host.split('.').all(|label| !label.is_empty())
        });
        if !shaped {
            return Err(Invalid::one("email", "must be an e-mail address such as ada@example.org"));
        }
        Ok(Self(value.to_lowercase()))
    }
}

/// A person who can sign in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Its identity.
    pub id: UserId,
    /// The name to sign in with. No two users have the same.
    pub email: Email,
    /// The name as people see it.
    pub display_name: String,
    /// Whether the person is an admin of the whole installation.
    pub administrator: bool,
    /// The roles in organizations.
    pub roles: BTreeMap<OrganizationId, Role>,
    /// Who the person is at the provider that they sign in with. Then there is no password.
    pub identity: Option<Identity>,
    /// Whether there is a password. Until there is, only a one-time link lets the person in.
    pub has_password: bool,
    /// Whether a code is needed to sign in.
    pub has_totp: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// When the person last signed in.
    pub signed_in_at: Option<Timestamp>,
}

newest_first!(User, created_at);

/// What a change of a user may contain. `None` means no change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserPatch {
    /// The new address.
    pub email: Option<Email>,
    /// The new name.
    pub display_name: Option<String>,
    /// Whether the person is an admin of the whole installation.
    pub administrator: Option<bool>,
    /// The new roles. They replace the old ones.
    pub roles: Option<BTreeMap<OrganizationId, Role>>,
}

impl User {
    /// Checks a name.
    pub fn display_name(value: &str) -> Result<String, Invalid> {
        text("display_name", value, 1, 255)
    }

    /// What the person may do.
    pub fn permissions(&self) -> Permissions {
        if self.administrator {
            Permissions::of_installation(Role::Admin)
        } else {
            Permissions::in_organizations(self.roles.clone())
        }
    }

    /// How the audit log names the person.
    pub fn actor_name(&self) -> String {
        format!("user:{}", self.email)
    }

    /// Whether the provider says now what is stored already.
    pub fn is_as_granted(&self, email: &Email, name: &str, granted: &Granted) -> bool {
        self.email == *email
            && self.display_name == name
            && self.administrator == granted.administrator
            && self.roles == granted.roles
    }

    /// The user as `patch` makes it at `now`.
    #[must_use]
    pub fn patched(mut self, patch: &UserPatch, now: Timestamp) -> Self {
        if let Some(email) = &patch.email {
            self.email = email.clone();
        }
        if let Some(name) = &patch.display_name {
            self.display_name.clone_from(name);
        }
        if let Some(roles) = &patch.roles {
            self.roles.clone_from(roles);
        }
        self.administrator = patch.administrator.unwrap_or(self.administrator);
        self.updated_at = now;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_one_whatever_its_case() {
        let ada = Email::parse(" Ada@Example.org ").unwrap();
        assert_eq!((ada.as_str(), Email::parse("ada@example.ORG")), ("ada@example.org", Ok(ada.clone())));
        assert!(Email::parse("root@localhost").is_ok());
        let long = format!("{}@example.org", "a".repeat(65));
        for bad in
            ["", "ada", "@example.org", "ada@", "a da@example.org", "ada@ex ample", "a@b@c", "a@b..c", &long]
        {
            assert_eq!(Email::parse(bad).unwrap_err().0[0].field, "email", "{bad:?}");
        }
    }

    #[test]
    fn an_administrator_is_admin_everywhere_and_others_where_they_have_a_role() {
        let organization = OrganizationId::DEFAULT;
        let mut user = User {
            id: UserId(uuid::Uuid::nil()),
            email: Email::parse("ada@example.org").unwrap(),
            display_name: "Ada".into(),
            administrator: false,
            roles: BTreeMap::from([(organization, Role::Operator)]),
            identity: None,
            has_password: false,
            has_totp: false,
            created_at: Timestamp::from_micros(0),
            updated_at: Timestamp::from_micros(0),
            signed_in_at: None,
        };
        assert_eq!(user.permissions(), Permissions::in_organizations([(organization, Role::Operator)]));
        user.administrator = true;
        assert_eq!(user.permissions(), Permissions::of_installation(Role::Admin));
        assert_eq!(user.actor_name(), "user:ada@example.org");
    }
}
