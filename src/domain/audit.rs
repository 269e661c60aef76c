//! The audit log: who did what, when, from where, and how it ended.

use serde_json::{Map, Value};

use super::access::Actor;
use super::{AuditId, Timestamp};

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It was done.
    Success,
    /// It was refused, or failed.
    Failure,
}

impl Outcome {
    /// As it is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
        }
    }

    /// Reads what [`Outcome::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Success, Self::Failure].into_iter().find(|o| o.as_str() == text)
    }
}

/// One line of the audit log.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditEntry {
    /// Its identity; sorts by time.
    pub id: AuditId,
    /// When it happened.
    pub timestamp: Timestamp,
    /// Who did it.
    pub actor: Option<String>,
    /// What was done: `create`, `update`, `delete`, `rotate`, `publish`, or what a dashboard told.
    pub action: String,
    /// To what kind of thing: `broadcaster`, `stream_key`, `stream`, `api_token`, ….
    pub resource_type: Option<String>,
    /// To which.
    pub resource_id: Option<String>,
    /// How it was asked for.
    pub request_method: Option<String>,
    /// Where it was asked for; never with a query.
    pub request_path: Option<String>,
    /// From where.
    pub ip_address: Option<String>,
    /// How it ended.
    pub outcome: Outcome,
    /// Why it failed.
    pub failure_reason: Option<String>,
    /// Details; no secrets.
    pub metadata: Map<String, Value>,
    /// The request it belongs to.
    pub request_id: Option<String>,
    /// Whether somebody else told us, as against our own witness.
    pub told: bool,
}

impl AuditEntry {
    /// A successful act of `actor`; the rest is filled in with struct update syntax.
    pub fn of(id: AuditId, at: Timestamp, actor: &Actor, action: &str, resource_type: &str) -> Self {
        Self {
            id,
            timestamp: at,
            actor: Some(actor.name.clone()),
            action: action.to_owned(),
            resource_type: Some(resource_type.to_owned()),
            resource_id: None,
            request_method: actor.origin.method.clone(),
            request_path: actor.origin.path.clone(),
            ip_address: actor.origin.ip.map(|ip| ip.to_string()),
            outcome: Outcome::Success,
            failure_reason: None,
            metadata: Map::new(),
            request_id: actor.origin.request_id.clone(),
            told: false,
        }
    }

    /// The same act on the thing with this id.
    #[must_use]
    pub fn on(mut self, id: &impl ToString) -> Self {
        self.resource_id = Some(id.to_string());
        self
    }

    /// The same act, but it failed.
    #[must_use]
    pub fn failed(mut self, reason: impl Into<String>) -> Self {
        self.outcome = Outcome::Failure;
        self.failure_reason = Some(reason.into());
        self
    }
}

/// Which entries to show; what is `None` does not restrict.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Not before.
    pub from: Option<Timestamp>,
    /// Not after.
    pub to: Option<Timestamp>,
    /// By whom.
    pub actor: Option<String>,
    /// What.
    pub action: Option<String>,
    /// To what kind of thing.
    pub resource_type: Option<String>,
    /// To which.
    pub resource_id: Option<String>,
    /// How many, 1 to 100.
    pub limit: u32,
    /// How many to skip.
    pub offset: u64,
}
