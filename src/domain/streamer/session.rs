//! Sessions on Kick, and how to find the newer one of two.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::Timestamp;

/// Two sources may differ by this much about the start of a session: the feed sends the time of the record, the API the
/// start of the stream. Sessions that are closer than this are distinguished by the end of the first.
const SAME_START: Duration = Duration::from_secs(120);

/// One broadcast on Kick, as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Kick's id of the livestream. The feed sends it, the official API does not (yet).
    pub id: Option<String>,
    /// When it began, by Kick's clock.
    pub started_at: Option<Timestamp>,
    /// When it ended; by Kick's clock if Kick sent it.
    pub ended_at: Option<Timestamp>,
    /// Its title.
    pub title: Option<String>,
    /// Its category.
    pub category: Option<String>,
    /// Number of viewers at the last poll.
    pub viewers: Option<u64>,
}

/// The order of two sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// It is the same one.
    Same,
    /// It came later.
    Newer,
    /// It came earlier.
    Older,
    /// Too little is known to compare them.
    Unclear,
}

impl Session {
    /// The livestream's number as a number. Kick counts up, and is far from 2^53, the largest whole number that all
    /// JSON readers agree on: one beyond it is none, and must not make all others late.
    pub fn number(&self) -> Option<u64> {
        self.id.as_deref()?.parse().ok().filter(|number| *number < 1 << 53)
    }

    /// Compares this session with `other`: by id, otherwise by start.
    pub fn relation_to(&self, other: &Self) -> Relation {
        if let (Some(mine), Some(theirs)) = (&self.id, &other.id) {
            if mine == theirs {
                return Relation::Same;
            }
            if let (Some(mine), Some(theirs)) = (self.number(), other.number()) {
                return if mine > theirs { Relation::Newer } else { Relation::Older };
            }
        }
        let known_apart = self.id.is_some() && other.id.is_some();
        match (self.started_at, other.started_at) {
            (Some(mine), Some(theirs)) => {
                let apart = mine.since(theirs).max(theirs.since(mine));
                if other.ended_at.is_some_and(|end| mine > end) {
                    Relation::Newer
                } else if self.ended_at.is_some_and(|end| end < theirs) {
                    Relation::Older
                } else if apart <= SAME_START && !known_apart {
                    Relation::Same
                } else if mine > theirs {
                    Relation::Newer
                } else {
                    Relation::Older
                }
            }
            // Of the other one only its end is known: what began after that is newer, what began before it can only
            // be that one, or one before.
            (Some(mine), None) => match other.ended_at {
                Some(end) if mine >= end => Relation::Newer,
                Some(_) => Relation::Same,
                None => Relation::Unclear,
            },
            // It was over before the other one began.
            (None, Some(theirs)) if self.ended_at.is_some_and(|end| end < theirs) => Relation::Older,
            _ => Relation::Unclear,
        }
    }

    /// This session, with missing details taken from `other`, another report of it.
    #[must_use]
    pub fn filled(&self, other: &Self) -> Self {
        Self {
            id: self.id.clone().or_else(|| other.id.clone()),
            started_at: self.started_at.or(other.started_at),
            ended_at: self.ended_at.or(other.ended_at),
            title: self.title.clone().or_else(|| other.title.clone()),
            category: self.category.clone().or_else(|| other.category.clone()),
            viewers: self.viewers.or(other.viewers),
        }
    }

    /// This session with the changes in `later`.
    #[must_use]
    pub fn refreshed(&self, later: &Self) -> Self {
        let title = later.title.clone().or_else(|| self.title.clone());
        let category = later.category.clone().or_else(|| self.category.clone());
        Self { title, category, viewers: later.viewers.or(self.viewers), ..self.filled(later) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(id: Option<&str>, started: Option<i64>, ended: Option<i64>) -> Session {
        Session {
            id: id.map(str::to_owned),
            started_at: started.map(Timestamp::from_seconds),
            ended_at: ended.map(Timestamp::from_seconds),
            ..Session::default()
        }
    }

    #[test]
    fn numbers_go_before_times_and_times_are_compared_loosely() {
        use Relation::{Newer, Older, Same, Unclear};
        for (mine, theirs, relation) in [
            (session(Some("5"), Some(1), None), session(Some("5"), Some(900), None), Same),
            (session(Some("10"), Some(1), None), session(Some("9"), Some(900), None), Newer),
            (session(Some("9"), None, None), session(Some("10"), None, None), Older),
            (session(Some("b"), Some(5), None), session(Some("a"), Some(1), None), Newer),
            (session(Some("b"), None, None), session(Some("a"), None, None), Unclear),
            (session(None, Some(100), None), session(Some("5"), Some(207), None), Same),
            (session(None, Some(500), None), session(None, Some(50), None), Newer),
            (session(None, Some(100), None), session(Some("5"), Some(550), None), Older),
            (session(None, Some(100), None), session(Some("5"), Some(50), Some(99)), Newer),
            (session(None, Some(100), Some(149)), session(Some("5"), Some(150), None), Older),
            (session(None, Some(100), None), session(Some("5"), None, Some(90)), Newer),
            (session(None, Some(100), None), session(Some("5"), None, Some(101)), Same),
            (session(None, None, Some(40)), session(None, Some(50), None), Older),
            (session(Some("5"), None, None), session(None, Some(50), None), Unclear),
        ] {
            assert_eq!(mine.relation_to(&theirs), relation, "{mine:?} to {theirs:?}");
        }
    }
}
