//! What every service of the application needs.

use std::sync::Arc;

use uuid::Uuid;

use super::Result;
use super::list::ListStore;
use super::refusal_rollup::RefusalRollup;
use super::request_lines::RequestLines;
use crate::domain::access::{Actor, Scope};
use crate::domain::audit::AuditEntry;
use crate::domain::playback::audience;
use crate::domain::seal::Sealer;
use crate::domain::secret::{MasterKey, SecretHasher};
use crate::domain::{AuditId, Invalid, OrganizationId, Timestamp};
use crate::ports::{Clock, IdGen, Store, WakeUps};

/// Stores, time, ids and wake-ups. Built once; every service holds it.
pub struct Core {
    /// The store for `/auth` only: slower work never takes its connections.
    pub auth_store: Arc<dyn Store>,
    /// The store for the management API and the hooks.
    pub store: Arc<dyn Store>,
    /// The store for lists of the management API.
    pub lists: ListStore,
    /// The store for background tasks.
    pub worker_store: Arc<dyn Store>,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// Ids and randomness.
    pub ids: Arc<dyn IdGen>,
    /// Wake-ups within and between instances.
    pub wake_ups: Arc<dyn WakeUps>,
    /// Hashes secrets as they are stored.
    pub hasher: SecretHasher,
    /// Seals secrets that must be read again.
    pub sealer: Sealer,
    /// Names this deployment in tokens.
    pub audience: String,
    /// Refused writes that are counted until the housekeeping task writes them to the audit log.
    pub refusals: RefusalRollup,
    /// Which log lines about requests are written.
    pub lines: Arc<RequestLines>,
}

impl Core {
    /// Every kind of work uses the same store.
    pub fn over_one_store(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdGen>,
        wake_ups: Arc<dyn WakeUps>,
        master: &MasterKey,
    ) -> Self {
        let [auth_store, worker_store] = [Arc::clone(&store), Arc::clone(&store)];
        let lists = ListStore::new(Arc::clone(&store));
        let (refusals, lines) = (RefusalRollup::default(), Arc::default());
        let (hasher, sealer, audience) = (master.hasher(), Sealer::new(master), audience(master));
        Self {
            auth_store,
            store,
            lists,
            worker_store,
            clock,
            ids,
            wake_ups,
            hasher,
            sealer,
            audience,
            refusals,
            lines,
        }
    }

    /// The present time.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A new id.
    pub fn id(&self) -> Uuid {
        self.ids.uuid()
    }

    /// Who owns a new row: the organization that the client names, or the only one there can be.
    pub(super) async fn owner_of_new(&self, scope: &Scope, named: Option<&str>) -> Result<OrganizationId> {
        let Some(named) = named else { return Ok(scope.owner_of_new(None)?) };
        let named = named.parse().map_err(|_| Invalid::one("organization_id", "must be a UUID"))?;
        let owner = scope.owner_of_new(Some(named))?;
        match self.store.organization(scope, owner).await? {
            Some(_) => Ok(owner),
            None => Err(Invalid::one("organization_id", "there is no such organization").into()),
        }
    }

    /// The audit entry for what `actor` is about to do.
    pub(super) fn entry(&self, actor: &Actor, action: &str, resource_type: &str) -> AuditEntry {
        AuditEntry::of(AuditId(self.id()), self.now(), actor, action, resource_type)
    }

    /// Runs a write and records a refusal. The store records a success in the transaction of the write.
    pub(super) async fn audited<T>(
        &self,
        entry: &AuditEntry,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let result = work.await;
        if let Some(reason) = result.as_ref().err().and_then(super::AppError::refusal) {
            self.record_refusal(entry.clone().failed(reason)).await;
        }
        result
    }

    /// Writes a refused write to the audit log: at once, or, if there are many or the store fails, with the next counts.
    pub(super) async fn record_refusal(&self, entry: AuditEntry) {
        let entry = [entry];
        if !self.refusals.is_written_at_once(&entry[0]) || self.store.record_audit(&entry).await.is_err() {
            entry.into_iter().for_each(|entry| self.refusals.count(entry));
        }
    }
}
