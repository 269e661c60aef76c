//! Writes down what was counted, and forgets what is old.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::App;
use super::access::SIGNATURE_WINDOW;
use super::worker::{Tick, TickError, Worker};
use crate::domain::Timestamp;
use crate::domain::audit::AuditEntry;
use crate::ports::{Lease, WakeUp};

/// How often old rows are removed.
const PRUNE_EVERY: Duration = Duration::from_secs(600);

/// Writes the counted auth decisions and contacts every few seconds; removes old rows now and then. Runs on every
/// instance: each has its own counts, and removing twice does no harm.
pub struct Housekeeping {
    app: Arc<App>,
    pruned: Option<Timestamp>,
    /// How this one calls itself on leases.
    owner: String,
}

impl Housekeeping {
    /// One that has not run yet.
    pub fn new(app: Arc<App>) -> Self {
        let owner = format!("housekeeping {}", app.parts.ids.uuid());
        Self { app, pruned: None, owner }
    }

    async fn write_down(&self) -> Result<(), TickError> {
        let store = &self.app.parts.worker_store;
        for ((server, contact), at) in self.app.rollup.take_contacts() {
            store.record_contact(&server, contact, at).await?;
        }
        let counted = self.app.rollup.entries(&*self.app.parts.ids);
        if !counted.is_empty() {
            let entries: Vec<AuditEntry> = counted.iter().map(|(_, entry)| entry.clone()).collect();
            store.record_audit(&entries).await?;
            self.app.rollup.written(&counted);
        }
        Ok(())
    }

    async fn forget(&self, now: Timestamp) -> Result<(), TickError> {
        let store = &self.app.parts.worker_store;
        let settings = self.app.settings();
        store.prune_events(now.minus(settings.event_retention)).await?;
        store.prune_status_events(now.minus(settings.streamers.history_retention)).await?;
        store.prune_audit(now.minus(settings.audit_retention)).await?;
        // Twice the window on either side: a request stamped in the future is valid for that much longer.
        let window = Duration::from_secs(SIGNATURE_WINDOW.unsigned_abs() * 4);
        store.prune_signatures(now.minus(window)).await?;
        Ok(())
    }
}

#[async_trait]
impl Worker for Housekeeping {
    fn name(&self) -> String {
        "housekeeping".into()
    }

    fn interval(&self) -> Duration {
        Duration::from_secs(5)
    }

    fn hears(&self, _: &WakeUp) -> bool {
        false
    }

    async fn tick(&mut self, _: Option<&Lease>) -> Result<Tick, TickError> {
        self.write_down().await?;
        self.app.retire_former_servers(&self.owner).await?;
        let now = self.app.now();
        if self.pruned.is_none_or(|at| now.since(at) >= PRUNE_EVERY) {
            self.forget(now).await?;
            self.pruned = Some(now);
        }
        Ok(Tick::default())
    }
}
