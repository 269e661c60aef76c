//! The audit log.

use async_trait::async_trait;
use serde_json::{Map, Value, json};
use sqlx::FromRow;
use uuid::Uuid;

use super::SqlStore;
use super::args::Args;
use super::db::Tx;
use super::error::corrupt;
use super::rows::{Number, all, signed};
use crate::domain::access::Scope;
use crate::domain::audit::{AuditEntry, AuditFilter, Outcome};
use crate::domain::{AuditId, Timestamp};
use crate::ports::{AuditStore, StoreError};

macro_rules! columns {
    () => {
        "id, at, actor, action, resource_type, resource_id, request_method, request_path, ip_address, outcome, \
         failure_reason, metadata, request_id, told"
    };
}

// The comparison comes before `IS NULL`, so that PostgreSQL takes the argument's type from the column.
macro_rules! passes {
    () => {
        "(at >= $1 OR $1 IS NULL) AND (at <= $2 OR $2 IS NULL) AND (actor = $3 OR $3 IS NULL) \
         AND (action = $4 OR $4 IS NULL) AND (resource_type = $5 OR $5 IS NULL) AND (resource_id = $6 OR $6 IS NULL)"
    };
}

statements! {
    INSERT = [
        "INSERT INTO audit_log (", (columns!()), ") SELECT ", (columns!()), " FROM ",
        [rows "$1" id uuid, at int, actor text, action text, resource_type text, resource_id text,
         request_method text, request_path text, ip_address text, outcome text, failure_reason text, metadata text,
         request_id text, told bool],
    ];
    COUNT = ["SELECT COUNT(*) FROM audit_log WHERE ", (passes!())];
    PAGE = [
        "SELECT ", (columns!()), " FROM audit_log WHERE ", (passes!()),
        " ORDER BY at DESC, id DESC LIMIT $7 OFFSET $8",
    ];
    PRUNE = ["DELETE FROM audit_log WHERE id IN (SELECT id FROM audit_log WHERE at < $1 ORDER BY at LIMIT $2)"];
}

/// Writes entries within a transaction.
pub(super) async fn record(tx: &mut Tx, entries: &[AuditEntry]) -> Result<(), StoreError> {
    if entries.is_empty() {
        return Ok(());
    }
    let rows: Vec<Value> = entries.iter().map(to_row).collect();
    tx.run(INSERT, args![json!(rows).to_string()]).await.map(drop)
}

fn to_row(entry: &AuditEntry) -> Value {
    json!({
        "id": entry.id,
        "at": entry.timestamp.micros(),
        "actor": entry.actor,
        "action": entry.action,
        "resource_type": entry.resource_type,
        "resource_id": entry.resource_id,
        "request_method": entry.request_method,
        "request_path": entry.request_path,
        "ip_address": entry.ip_address,
        "outcome": entry.outcome.as_str(),
        "failure_reason": entry.failure_reason,
        "metadata": Value::Object(entry.metadata.clone()).to_string(),
        "request_id": entry.request_id,
        "told": entry.told,
    })
}

#[derive(FromRow)]
struct AuditRow {
    id: Uuid,
    at: i64,
    actor: Option<String>,
    action: String,
    resource_type: Option<String>,
    resource_id: Option<String>,
    request_method: Option<String>,
    request_path: Option<String>,
    ip_address: Option<String>,
    outcome: String,
    failure_reason: Option<String>,
    metadata: String,
    request_id: Option<String>,
    told: bool,
}

impl TryFrom<AuditRow> for AuditEntry {
    type Error = StoreError;

    fn try_from(row: AuditRow) -> Result<Self, StoreError> {
        let metadata: Map<String, Value> = serde_json::from_str(&row.metadata).map_err(corrupt)?;
        Ok(Self {
            id: AuditId(row.id),
            timestamp: Timestamp::from_micros(row.at),
            actor: row.actor,
            action: row.action,
            resource_type: row.resource_type,
            resource_id: row.resource_id,
            request_method: row.request_method,
            request_path: row.request_path,
            ip_address: row.ip_address,
            outcome: Outcome::parse(&row.outcome)
                .ok_or_else(|| corrupt(format!("outcome {:?}", row.outcome)))?,
            failure_reason: row.failure_reason,
            metadata,
            request_id: row.request_id,
            told: row.told,
        })
    }
}

#[async_trait]
impl AuditStore for SqlStore {
    async fn record_audit(&self, entries: &[AuditEntry]) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        record(&mut tx, entries).await?;
        tx.commit().await
    }

    async fn audit_entries(
        &self,
        _: &Scope,
        filter: &AuditFilter,
    ) -> Result<(Vec<AuditEntry>, u64), StoreError> {
        let passes = || -> Args {
            args![
                filter.from,
                filter.to,
                filter.actor.as_deref(),
                filter.action.as_deref(),
                filter.resource_type.as_deref(),
                filter.resource_id.as_deref(),
            ]
        };
        let mut page = passes();
        page.extend(args![i64::from(filter.limit), signed(filter.offset)]);
        let mut tx = self.db.snapshot().await?;
        let count: Option<Number> = tx.row(COUNT, passes()).await?;
        let rows: Vec<AuditRow> = tx.rows(PAGE, page).await?;
        tx.commit().await?;
        let total = count.and_then(|Number(count)| u64::try_from(count).ok()).unwrap_or_default();
        Ok((all(rows)?, total))
    }

    async fn prune_audit(&self, before: Timestamp) -> Result<u64, StoreError> {
        self.prune(PRUNE, before).await
    }
}
