//! What the methods that change something for a person need besides the change.

use crate::domain::Timestamp;
use crate::domain::access::Scope;
use crate::domain::audit::AuditEntry;

/// On whose behalf something is changed, and the audit entry of it.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    /// The rows that may be changed. Others MUST be treated as if they did not exist.
    pub scope: &'a Scope,
    /// MUST be stored if the change is made, with the organization of the changed row.
    pub audit: &'a AuditEntry,
}

impl<'a> Change<'a> {
    /// A change within `scope`.
    pub fn new(scope: &'a Scope, audit: &'a AuditEntry) -> Self {
        Self { scope, audit }
    }

    /// Who makes it: the actor of its audit entry.
    pub fn actor(&self) -> &'a str {
        self.audit.actor.as_deref().unwrap_or("unknown")
    }

    /// When it is made: the time of its audit entry.
    pub fn at(&self) -> Timestamp {
        self.audit.timestamp
    }
}
