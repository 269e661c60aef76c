//! Which paths a rule is about: one, or all below another.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::invalid::Invalid;
use super::path::StreamPath;

/// One path, or all below another (`events/*`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum PathPattern {
    /// This path.
    Exact(StreamPath),
    /// All paths below this one.
    Below(StreamPath),
}

impl PathPattern {
    /// Checks and takes a path, or one that ends with `/*`.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        match text.strip_suffix("/*") {
            Some(above) => StreamPath::parse(above).map(Self::Below),
            None => StreamPath::parse(text).map(Self::Exact),
        }
        .map_err(|_| {
            let rule = "must be a path such as live/alice, or all below one, such as events/*";
            Invalid::one("paths", format!("{rule}, got {text:?}"))
        })
    }

    /// Whether the path with this name is one of them.
    pub fn covers(&self, path: &str) -> bool {
        match self {
            Self::Exact(own) => own.as_str() == path,
            Self::Below(above) => {
                path.strip_prefix(above.as_str()).is_some_and(|rest| rest.len() > 1 && rest.starts_with('/'))
            }
        }
    }

    /// Whether some path is one of both.
    pub fn meets(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Exact(path), other) | (other, Self::Exact(path)) => other.covers(path.as_str()),
            (Self::Below(one), Self::Below(two)) => {
                one == two || self.covers(two.as_str()) || other.covers(one.as_str())
            }
        }
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(path) => path.fmt(f),
            Self::Below(path) => write!(f, "{path}/*"),
        }
    }
}

impl TryFrom<String> for PathPattern {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        Self::parse(&text)
    }
}

impl From<PathPattern> for String {
    fn from(path: PathPattern) -> Self {
        path.to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(text: &str) -> PathPattern {
        PathPattern::parse(text).unwrap()
    }

    #[test]
    fn path_or_all_below_one_is_covered_and_nothing_else() {
        for (own, path, is_covered) in [
            ("live/alice", "live/alice", true),
            ("live/alice", "live/alice2", false),
            ("live/alice", "live/alice/x", false),
            ("live/*", "live/alice", true),
            ("live/*", "live/eu/alice", true),
            ("live/*", "live", false),
            ("live/*", "live/", false),
            ("live/*", "lively/alice", false),
            ("live/*", "live/cam.1", true),
            ("a/b/*", "a/bc/d", false),
        ] {
            assert_eq!(of(own).covers(path), is_covered, "{own} and {path}");
        }
        for bad in ["", "*", "/*", "live/*/x", "live/**", "../x", "live/*?"] {
            assert!(PathPattern::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn paths_meet_if_one_opens_what_the_other_does() {
        for (one, two, meet) in [
            ("live/a", "live/a", true),
            ("live/a", "live/b", false),
            ("live/a", "live/*", true),
            ("live/*", "live/eu/*", true),
            ("live/*", "live/*", true),
            ("live/*", "lives/*", false),
            ("live", "live/*", false),
        ] {
            assert_eq!(of(one).meets(&of(two)), meet, "{one} and {two}");
            assert_eq!(of(two).meets(&of(one)), meet, "{two} and {one}");
        }
    }

    proptest! {
        /// What is covered by two is a reason that they meet.
        #[test]
        fn two_that_cover_the_same_path_meet(one in "[ab](/[ab]){0,2}(/\\*)?", two in "[ab](/[ab]){0,2}(/\\*)?", path in "[ab](/[ab]){0,3}") {
            let (one, two) = (of(&one), of(&two));
            if one.covers(&path) && two.covers(&path) {
                prop_assert!(one.meets(&two));
            }
            prop_assert_eq!(of(&one.to_string()), one);
        }
    }
}
