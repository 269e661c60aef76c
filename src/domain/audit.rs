//! The audit log: who did what, when, from where, and with what outcome.

use serde::Serialize;
use serde_json::{Map, Value};
use strum::{EnumString, IntoStaticStr, VariantArray};

use super::Timestamp;
use super::access::{Actor, SignedIn};
use super::id::{OrganizationId, id};
use super::page::{Newest, newest_first};

/// The outcome of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, IntoStaticStr, EnumString, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Outcome {
    /// It was done.
    Success,
    /// It was refused, or failed.
    Failure,
}

impl Outcome {
    /// As it is stored and shown.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Reads what [`Outcome::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

id!(/// Names an audit entry.
    AuditId);

/// An entry of the audit log.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AuditEntry {
    /// Its identity; sorts by time.
    pub id: AuditId,
    /// When it happened.
    pub timestamp: Timestamp,
    /// Whose resource it is about, or, if that is not known, the organization of the actor. `None`: of the installation.
    pub organization_id: Option<OrganizationId>,
    /// Who did it.
    pub actor: Option<String>,
    /// What was done: `create`, `update`, `delete`, `rotate`, `publish`, or the type of a reported event.
    pub action: String,
    /// The kind of resource: `broadcaster`, `stream_key`, `stream`, `api_token`, ….
    pub resource_type: Option<String>,
    /// The id of the resource.
    pub resource_id: Option<String>,
    /// The HTTP method, or `CLI`.
    pub request_method: Option<String>,
    /// The request path without the query, or the command.
    pub request_path: Option<String>,
    /// The client's address.
    pub ip_address: Option<String>,
    /// The outcome.
    pub outcome: Outcome,
    /// Why it failed.
    pub failure_reason: Option<String>,
    /// Details without secrets.
    pub metadata: Map<String, Value>,
    /// The id of the request.
    pub request_id: Option<String>,
    /// Whether a dashboard reported it, rather than Streamward itself.
    pub told: bool,
}

newest_first!(AuditEntry, timestamp);

/// The detail that names the API token of an actor.
const TOKEN_ID: &str = "token_id";
/// The detail that names the session of an actor.
pub const SESSION_ID: &str = "session_id";
/// The detail that names the user of an actor.
const USER_ID: &str = "user_id";

impl AuditEntry {
    /// Who did it: the id of the user or of the token, or, if there is none, the name and its organization. Each organization
    /// names its tokens without knowing those of others.
    pub fn identity(&self) -> (Option<&str>, Option<OrganizationId>) {
        let id = [USER_ID, TOKEN_ID].into_iter().find_map(|name| self.metadata.get(name)?.as_str());
        match id {
            Some(id) => (Some(id), None),
            None => (self.actor.as_deref(), self.organization_id),
        }
    }

    /// A successful action of `actor`.
    pub fn of(id: AuditId, at: Timestamp, actor: &Actor, action: &str, resource_type: &str) -> Self {
        Self {
            id,
            timestamp: at,
            organization_id: actor.permissions.only_organization(),
            actor: Some(actor.name.clone()),
            action: action.to_owned(),
            resource_type: Some(resource_type.to_owned()),
            resource_id: None,
            request_method: actor.origin.method.clone(),
            request_path: actor.origin.path.clone(),
            ip_address: actor.origin.ip.map(|ip| ip.to_string()),
            outcome: Outcome::Success,
            failure_reason: None,
            metadata: ids_of(actor),
            request_id: actor.origin.request_id.clone(),
            told: false,
        }
    }

    /// The same action on the resource with this id.
    #[must_use]
    pub fn on(mut self, id: &impl ToString) -> Self {
        self.resource_id = Some(id.to_string());
        self
    }

    /// The same action on what `owner` owns.
    #[must_use]
    pub fn owned_by(mut self, owner: OrganizationId) -> Self {
        self.organization_id = Some(owner);
        self
    }

    /// The same action, failed for `reason`.
    #[must_use]
    pub fn failed(mut self, reason: impl Into<String>) -> Self {
        self.outcome = Outcome::Failure;
        self.failure_reason = Some(reason.into());
        self
    }
}

/// The token of an actor, its session and its user, as details: names are not unique, and change.
fn ids_of(actor: &Actor) -> Map<String, Value> {
    let token = actor.origin.token.map(|token| token.0);
    let (session, user) = match actor.origin.session {
        Some(SignedIn { session, user, .. }) => (Some(session.0), user.map(|user| user.0)),
        None => (None, None),
    };
    let ids = [(TOKEN_ID, token), (SESSION_ID, session), (USER_ID, user)];
    ids.into_iter().filter_map(|(name, id)| Some((name.to_owned(), id?.to_string().into()))).collect()
}

/// A filter of entries; `None` does not restrict.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Not before.
    pub from: Option<Timestamp>,
    /// Not after.
    pub to: Option<Timestamp>,
    /// Who did it.
    pub actor: Option<String>,
    /// What was done.
    pub action: Option<String>,
    /// Kind of resource.
    pub resource_type: Option<String>,
    /// Id of the resource.
    pub resource_id: Option<String>,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// Page size, 1 to 100.
    pub limit: u32,
    /// Entries to skip.
    pub offset: u64,
    /// Only entries after this place.
    pub after: Option<Newest>,
}
