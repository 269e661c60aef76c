//! The writes through the API and the command line that were refused. Each is written to the audit log at once, unless
//! its actor causes many: a client with any token can cause any number of them, and the rest are counted.

use std::time::Duration;

use uuid::Uuid;

use super::rollup::{AuditKind, Kind, Rollup};
use crate::domain::audit::{AuditEntry, SESSION_ID};
use crate::domain::{AuditId, LogThrottle, OrganizationId, Timestamp};
use crate::ports::{AuditStore, IdGen, StoreError};

/// How many refusals of one actor are written at once in an interval.
const AT_ONCE: u32 = 20;
const INTERVAL: Duration = Duration::from_secs(10);
/// How many kinds of one actor are kept apart between two writes.
const MAX_OF_ACTOR: usize = 50;
/// The longest reason that is kept, in characters. It may quote the request.
const MAX_REASON: usize = 1_000;
/// The reason of the rest.
const MANY: &str = "refused in too many different ways to list each one";

/// The refused writes that are not in the audit log yet.
#[derive(Debug)]
pub struct RefusalRollup {
    counts: Rollup<Refusal>,
    at_once: LogThrottle<(Option<String>, Option<OrganizationId>)>,
}

impl Default for RefusalRollup {
    fn default() -> Self {
        Self { counts: Rollup::default(), at_once: LogThrottle::new(AT_ONCE, INTERVAL) }
    }
}

impl RefusalRollup {
    /// Whether this refusal is to be written at once. Otherwise it is to be counted.
    pub(super) fn is_written_at_once(&self, entry: &AuditEntry) -> bool {
        let (who, organization) = entry.identity();
        self.at_once.allow((who.map(str::to_owned), organization), entry.timestamp).is_some()
    }

    /// Counts a refused write.
    pub(super) fn count(&self, entry: AuditEntry) {
        let (now, request_id) = (entry.timestamp, entry.request_id.clone());
        self.counts.count(Refusal::of(entry), request_id, now);
    }

    /// Writes the counts to the audit log. If the store fails, they stay for the next write.
    pub(super) async fn write(
        &self,
        store: &(impl AuditStore + ?Sized),
        ids: &dyn IdGen,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        // Forgets actors that are quiet.
        self.at_once.take_suppressed(now);
        self.counts.write(store, ids).await
    }
}

/// A refused write: its audit entry without what differs each time.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Refusal(AuditEntry);

impl Refusal {
    fn of(entry: AuditEntry) -> Self {
        Self(AuditEntry {
            id: AuditId(Uuid::nil()),
            timestamp: Timestamp::from_micros(0),
            failure_reason: entry.failure_reason.map(|reason| reason.chars().take(MAX_REASON).collect()),
            request_id: None,
            ..entry
        })
    }
}

impl Kind for Refusal {
    fn has_room<'a>(&'a self, others: impl Iterator<Item = &'a Self>) -> bool {
        others.filter(|other| other.0.identity() == self.0.identity()).count() < MAX_OF_ACTOR
    }

    fn coarse(self, is_full: bool) -> Self {
        let mut metadata = self.0.metadata;
        metadata.retain(|name, _| !is_full && name != SESSION_ID);
        Self(AuditEntry {
            organization_id: self.0.organization_id.filter(|_| !is_full),
            actor: self.0.actor.filter(|_| !is_full),
            resource_id: None,
            request_method: None,
            request_path: None,
            ip_address: None,
            failure_reason: Some(MANY.to_owned()),
            metadata,
            ..self.0
        })
    }
}

impl AuditKind for Refusal {
    fn entry(&self) -> AuditEntry {
        self.0.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::adapters::memory::MemoryStore;
    use crate::adapters::system::{SystemClock, SystemIds};
    use crate::domain::access::{Actor, Origin, Permissions, Role, Scope, SignedIn};
    use crate::domain::audit::AuditFilter;
    use crate::domain::{ApiTokenId, SessionId, UserId};

    fn refused(actor: &str, id: u32) -> AuditEntry {
        let now = Timestamp::from_seconds(id.into());
        let actor = Actor { name: actor.to_owned(), ..Actor::cli("test") };
        AuditEntry::of(AuditId(SystemIds.uuid()), now, &actor, "delete", "stream_key")
            .on(&id)
            .failed("x".repeat(100_000))
    }

    async fn written(rollup: &RefusalRollup) -> Vec<AuditEntry> {
        let store = MemoryStore::new(Arc::new(SystemClock));
        rollup.write(&store, &SystemIds, Timestamp::from_seconds(0)).await.unwrap();
        let filter = AuditFilter { limit: 10_000, ..AuditFilter::default() };
        store.audit_entries(&Scope::system(), &filter).await.unwrap().0
    }

    #[test]
    fn few_refusals_of_an_actor_are_written_at_once() {
        let rollup = RefusalRollup::default();
        let at_once = |actor: &str, second| {
            let entry = AuditEntry { timestamp: Timestamp::from_seconds(second), ..refused(actor, 1) };
            (0..30).filter(|_| rollup.is_written_at_once(&entry)).count()
        };
        assert_eq!([at_once("mallory", 1), at_once("mallory", 5), at_once("alice", 5)], [20, 0, 20]);
        assert_eq!(at_once("mallory", 11), 20);
    }

    #[test]
    fn actors_of_one_name_share_no_count() {
        let by = |origin: Origin, organization: u128| {
            let organization = OrganizationId(Uuid::from_u128(organization));
            let permissions = Permissions::in_organizations([(organization, Role::Viewer)]);
            let actor = Actor { name: "token:dashboard".into(), permissions, origin };
            AuditEntry::of(
                AuditId(SystemIds.uuid()),
                Timestamp::from_seconds(1),
                &actor,
                "delete",
                "stream_key",
            )
        };
        let token = |n| Origin { token: Some(ApiTokenId(Uuid::from_u128(n))), ..Origin::default() };
        let user = |n| {
            let (session, user) = (SessionId(SystemIds.uuid()), Some(UserId(Uuid::from_u128(n))));
            Origin {
                session: Some(SignedIn { session, user, expires_at: Timestamp::from_seconds(0) }),
                ..Origin::default()
            }
        };
        let rollup = RefusalRollup::default();
        let at_once = |origin: &dyn Fn() -> Origin, organization| {
            (0..30).filter(|_| rollup.is_written_at_once(&by(origin(), organization))).count()
        };
        let mut written = vec![];
        for organization in [1, 2] {
            written.push(at_once(&Origin::default, organization));
            let n = 10 * organization;
            written.extend([at_once(&|| token(n), organization), at_once(&|| token(n + 1), organization)]);
            written.push(at_once(&|| user(n + 5), organization));
        }
        assert_eq!(written, [20; 8]);
        // One person has one count, in any number of sessions and organizations.
        assert_eq!(at_once(&|| user(15), 2), 0);
    }

    #[tokio::test]
    async fn entry_of_one_refusal_is_the_refusal_itself() {
        let rollup = RefusalRollup::default();
        let mut refused = refused("alice", 7);
        refused.failure_reason = Some("this needs the role admin".to_owned());
        refused.request_id = Some("req-1".to_owned());
        rollup.count(refused.clone());
        let mut entry = written(&rollup).await.remove(0);
        assert_eq!(entry.metadata.remove("count"), Some(1.into()));
        assert_eq!(entry.metadata.keys().collect::<Vec<_>>(), ["first", "last"]);
        entry.metadata.clear();
        entry.id = refused.id;
        assert_eq!(entry, refused);
    }

    #[tokio::test]
    async fn one_actor_leaves_room_for_the_others_and_reasons_are_cut() {
        let rollup = RefusalRollup::default();
        for id in 0..5_000 {
            rollup.count(refused("mallory", id));
        }
        rollup.count(refused("alice", 1));
        let entries = written(&rollup).await;
        assert_eq!(entries.len(), MAX_OF_ACTOR + 2);
        let of = |actor: &'static str| {
            entries.iter().filter(move |one| one.actor.as_deref() == Some(actor)).cloned()
        };
        assert_eq!(of("alice").next().unwrap().resource_id.as_deref(), Some("1"));
        let rest = of("mallory").find(|one| one.resource_id.is_none()).unwrap();
        assert_eq!((rest.failure_reason.as_deref(), &rest.metadata["count"]), (Some(MANY), &4_950.into()));
        assert!(entries.iter().all(|one| one.failure_reason.as_ref().unwrap().len() <= MAX_REASON));
    }
}
