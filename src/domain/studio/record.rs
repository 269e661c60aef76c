//! What happened, for reports: changes of the scene, failovers, the owner's times on air.

use serde::{Deserialize, Serialize};

use super::content::ContentName;
use super::failover::{FailureKind, Rung};
use super::words::words;
use crate::domain::Timestamp;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Record {
    /// The scene changed.
    Transition(Transition),
    /// Content failed.
    Failover(FailoverEvent),
    /// The owner was on air.
    OwnerSession(OwnerSession),
}

words! {
    /// A kind of [`Record`].
    RecordKind {
        /// The scene changed.
        Transition,
        /// Content failed.
        Failover,
        /// The owner was on air.
        OwnerSession,
    }
}

impl Record {
    /// Its kind.
    pub fn kind(&self) -> RecordKind {
        match self {
            Self::Transition(_) => RecordKind::Transition,
            Self::Failover(_) => RecordKind::Failover,
            Self::OwnerSession(_) => RecordKind::OwnerSession,
        }
    }

    /// When it began. A record of the same kind and beginning replaces this one.
    pub fn began_at(&self) -> Timestamp {
        match self {
            Self::Transition(one) => one.decided_at,
            Self::Failover(one) => one.failed_at,
            Self::OwnerSession(one) => one.started_at,
        }
    }
}

words! {
    /// What a change of the scene was for.
    TransitionKind {
        /// The owner takes over.
        ToOwner,
        /// Automation continues after the owner.
        FromOwner,
        /// Content failed.
        Failover,
        /// Content can be played again.
        Return,
        /// Everything else: a start, a person's order, the schedule.
        Other,
    }
}

/// A change of the scene, confirmed by OBS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transition {
    /// What it was for.
    pub kind: TransitionKind,
    /// The scene before.
    pub from: Option<String>,
    /// The scene after.
    pub to: String,
    /// When its reason was noticed first; for the owner, before the debounce.
    pub noticed_at: Timestamp,
    /// When it was decided; for the owner, after the debounce.
    pub decided_at: Timestamp,
    /// From the decision to the confirmation, in milliseconds.
    pub took_ms: u64,
    /// From the first notice to the confirmation, in milliseconds.
    pub total_ms: u64,
}

/// A failure of content, and what followed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailoverEvent {
    /// The first bad moment.
    pub failed_at: Timestamp,
    /// How it failed.
    pub kind: FailureKind,
    /// The file, scene or name.
    pub item: String,
    /// What was put on air instead.
    pub to: Rung,
    /// From the first bad moment to a good picture, in milliseconds; `None` while there is none.
    pub recovered_ms: Option<u64>,
    /// When content of the schedule was on air again.
    pub ended_at: Option<Timestamp>,
}

/// A time in which the owner was on air.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnerSession {
    /// When the owner took over.
    pub started_at: Timestamp,
    /// When automation continued.
    pub ended_at: Option<Timestamp>,
    /// The content that was interrupted.
    pub interrupted: Option<ContentName>,
    /// Where it was, and is resumed, in milliseconds.
    pub position_ms: Option<u64>,
}
