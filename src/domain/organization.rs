//! Organizations: who owns channels, clips, broadcasters and all else that is not the installation's.

use serde::{Deserialize, Serialize};

use super::invalid::{Invalid, text, text_type};
use super::page::newest_first;
use super::{OrganizationId, Timestamp};

/// An organization's name as people see it: 1 to 100 characters. No two have the same, whatever the case of its ASCII letters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OrganizationName(String);

text_type!(OrganizationName);

impl OrganizationName {
    /// Parses a name.
    pub fn parse(value: &str) -> Result<Self, Invalid> {
        text("name", value, 1, 100).map(Self)
    }

    /// Whether both are the same name.
    pub fn is(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

/// An organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organization {
    /// Its identity.
    pub id: OrganizationId,
    /// Its name.
    pub name: OrganizationName,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

newest_first!(Organization, created_at);

impl Organization {
    /// The one that is there from the start.
    pub fn first() -> Self {
        let at = Timestamp::from_micros(0);
        let name = OrganizationName("Default".to_owned());
        Self { id: OrganizationId::DEFAULT, name, created_at: at, updated_at: at }
    }

    /// The organization under another name since `now`.
    #[must_use]
    pub fn renamed(self, name: OrganizationName, now: Timestamp) -> Self {
        Self { name, updated_at: now, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_differ_by_more_than_the_case_of_letters() {
        let name = |text: &str| OrganizationName::parse(text).unwrap();
        assert!(name("Rescue").is(&name("rESCUE")) && !name("Rescue").is(&name("Rescue 2")));
        assert!(OrganizationName::parse(" ").is_err() && OrganizationName::parse(&"x".repeat(101)).is_err());
    }
}
