//! Decisions: what was changed or refused, with the reason and the numbers behind it.

use serde_json::{Map, Value};

use super::ids::StudioId;
use super::words::words;
use crate::domain::Timestamp;
use crate::domain::id::id;
use crate::domain::page::newest_first;

id!(/// Names a decision.
    StudioDecisionId);

words! {
    /// What a decision is about.
    Subject {
        /// The scene that is on air.
        Scene,
        /// What plays.
        Content,
        /// The stream to the platform.
        Stream,
        /// The program OBS.
        Obs,
    }
}

words! {
    /// What became of it.
    DecisionKind {
        /// It is done.
        Done,
        /// It is not done, because a person decided otherwise.
        Refused,
        /// OBS did not do it. It is tried again.
        Failed,
    }
}

words! {
    /// Why a decision was made.
    Reason {
        /// The studio begins, or OBS does.
        Start,
        /// The schedule says so.
        Schedule,
        /// What played has ended.
        ContentEnded,
        /// What played failed.
        ContentFailed,
        /// The failover content failed.
        FailoverFailed,
        /// Nothing in the schedule can be played.
        NothingToPlay,
        /// Content can be played again.
        ContentRecovered,
        /// The owner wants to be on air.
        OwnerActive,
        /// The owner wants to be on air, but is not visible or silent.
        OwnerNotReady,
        /// The owner was not ready in time.
        OwnerGaveUp,
        /// The owner does not want to be on air any more.
        OwnerInactive,
        /// A person ordered it.
        Operator,
        /// A person's hold has ended.
        HoldEnded,
        /// The scene was changed in OBS.
        ChangedInObs,
        /// The pre-flight checks passed.
        PreflightPassed,
        /// The stream was stopped in OBS.
        StoppedInObs,
        /// The stream ended.
        ConnectionLost,
        /// OBS ended, or its connection closed.
        ObsGone,
        /// OBS does not answer.
        ObsUnresponsive,
        /// OBS did not confirm in time.
        NotConfirmed,
    }
}

/// What was decided.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// What it is about.
    pub subject: Subject,
    /// What was there before, such as the name of a scene.
    pub from: Option<String>,
    /// What is to be there.
    pub to: String,
    /// What became of it.
    pub kind: DecisionKind,
    /// Why.
    pub reason: Reason,
    /// The person who ordered it.
    pub by: Option<String>,
    /// The figures behind it, for people, such as `{"failure": "missing", "item": "/media/a.mp4"}`.
    pub numbers: Map<String, Value>,
}

/// A choice, recorded.
#[derive(Clone, Debug, PartialEq)]
pub struct StudioDecision {
    /// Its identity.
    pub id: StudioDecisionId,
    /// The studio.
    pub studio: StudioId,
    /// When it was made.
    pub at: Timestamp,
    /// What was decided.
    pub choice: Choice,
}

newest_first!(StudioDecision, at);

/// Why something changes: a reason, who ordered it, and the figures.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Why {
    pub(super) reason: Reason,
    pub(super) by: Option<String>,
    pub(super) numbers: Map<String, Value>,
}

impl Why {
    pub(super) fn new(reason: Reason) -> Self {
        Self { reason, by: None, numbers: Map::new() }
    }

    pub(super) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.numbers.insert(name.to_owned(), value.into());
        self
    }

    pub(super) fn by(mut self, person: &str) -> Self {
        self.by = Some(person.to_owned());
        self
    }

    pub(super) fn choice(&self, subject: Subject, from: Option<String>, to: impl Into<String>) -> Choice {
        Choice {
            subject,
            from,
            to: to.into(),
            kind: DecisionKind::Done,
            reason: self.reason,
            by: self.by.clone(),
            numbers: self.numbers.clone(),
        }
    }
}
