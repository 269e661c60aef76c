//! Use-cases of the audit log.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use super::housekeeping::Chore;
use super::{AppError, Core};
use crate::domain::AuditId;
use crate::domain::access::{Action, Actor, Resource, Role};
use crate::domain::audit::{AuditEntry, AuditFilter, Outcome};
use crate::domain::broadcaster::Metadata;
use crate::domain::invalid::{Checks, Invalid, text};
use crate::ports::StoreError;

const RESOURCE: Resource = Resource::read_by(Role::Admin);

/// What a trusted dashboard reports about its users, not checked yet.
#[derive(Clone, Debug, Default)]
pub struct AuditReport {
    /// What was done, at most 50 characters.
    pub event_type: String,
    /// Who did it.
    pub actor: Option<String>,
    /// The kind of resource.
    pub resource_type: Option<String>,
    /// The id of the resource.
    pub resource_id: Option<String>,
    /// The method of the request.
    pub request_method: Option<String>,
    /// The path of the request.
    pub request_path: Option<String>,
    /// `success` (default) or `failure`.
    pub outcome: Option<String>,
    /// Why it failed.
    pub failure_reason: Option<String>,
    /// Details.
    pub metadata: Option<Value>,
}

/// The audit log.
pub struct AuditLog {
    core: Arc<Core>,
}

#[async_trait]
impl Chore for AuditLog {
    /// Writes the refusals, each kind once with its count.
    async fn run(&self) -> Result<(), StoreError> {
        let Core { refusals, worker_store, ids, .. } = &*self.core;
        refusals.write(&**worker_store, &**ids, self.core.now()).await
    }
}

impl AuditLog {
    /// Over the stores of `core`.
    pub fn new(core: Arc<Core>) -> Self {
        Self { core }
    }

    /// A page of the audit log, newest first, and how many entries pass the filter in all.
    pub async fn entries(
        &self,
        actor: &Actor,
        filter: &AuditFilter,
    ) -> Result<(Vec<AuditEntry>, u64), AppError> {
        let scope = actor.authorize(Action::Read, &RESOURCE)?;
        Ok(self.core.lists.turn().await.audit_entries(&scope, filter).await?)
    }

    /// Records a write that was refused before it reached a use-case: its body could not be read, or its path does not
    /// exist.
    pub async fn record_refusal(
        &self,
        actor: &Actor,
        action: &str,
        resource_type: &str,
        resource_id: Option<&str>,
        reason: &str,
    ) {
        let mut entry = self.core.entry(actor, action, resource_type).failed(reason);
        entry.resource_id = resource_id.map(str::to_owned);
        self.core.record_refusal(entry).await;
    }

    /// Records what a dashboard reports, marked as reported. `metadata.told_by` names the reporter.
    pub async fn report(&self, actor: &Actor, report: AuditReport) -> Result<AuditEntry, AppError> {
        let refusal = self.core.entry(actor, "create", "audit_event");
        self.core
            .audited(&refusal, async {
                actor.authorize(Action::Manage, &RESOURCE)?;
                let mut entry = AuditEntry { id: AuditId(self.core.id()), told: true, ..refusal.clone() };
                let mut checks = Checks::default();
                let mut field = |name: &str, value: &Option<String>, max: usize| {
                    checks.take_opt(value.as_deref().map(|value| text(name, value, 1, max)))
                };
                let action = field("event_type", &Some(report.event_type.clone()), 50);
                entry.actor = field("actor", &report.actor, 255).or_else(|| entry.actor.clone());
                entry.resource_type = field("resource_type", &report.resource_type, 100);
                entry.resource_id = field("resource_id", &report.resource_id, 255);
                entry.request_method = field("request_method", &report.request_method, 20)
                    .or_else(|| entry.request_method.clone());
                entry.request_path =
                    field("request_path", &report.request_path, 2_000).or_else(|| entry.request_path.clone());
                entry.failure_reason = field("failure_reason", &report.failure_reason, 1_000);
                let outcome = checks.take_opt(report.outcome.as_deref().map(|word| {
                    Outcome::parse(word).ok_or_else(|| Invalid::one("outcome", "must be success or failure"))
                }));
                let metadata = checks.take_opt(report.metadata.clone().map(Metadata::parse));
                checks.finish()?;
                entry.action = action.unwrap_or_default();
                entry.outcome = outcome.unwrap_or(Outcome::Success);
                entry.metadata = metadata.unwrap_or_default().as_object().clone();
                entry.metadata.insert("told_by".into(), Value::String(actor.name.clone()));
                self.core.store.record_audit(std::slice::from_ref(&entry)).await?;
                Ok(entry)
            })
            .await
    }
}
