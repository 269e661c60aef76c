//! Reads and prunes the audit log. `commit.rs` writes it.

use async_trait::async_trait;

use super::args::newest;
use super::commit::record_audit;
use super::store::SqlStore;
use crate::domain::Timestamp;
use crate::domain::access::Scope;
use crate::domain::audit::{AuditEntry, AuditFilter};
use crate::domain::page::Page;
use crate::ports::{AuditStore, Result};

// The comparison comes before `IS NULL`, so that PostgreSQL takes the argument's type from the column.
macro_rules! passes {
    () => {
        "(at >= $1 OR $1 IS NULL) AND (at <= $2 OR $2 IS NULL) AND (actor = $3 OR $3 IS NULL) \
         AND (action = $4 OR $4 IS NULL) AND (resource_type = $5 OR $5 IS NULL) AND (resource_id = $6 OR $6 IS NULL)"
    };
}

statements! {
    COUNT = ["SELECT COUNT(*) FROM audit_log WHERE ", (passes!())];
    PAGE = [
        [select audit_log], " WHERE (at, id) < ($7, $8) AND ", (passes!()),
        " ORDER BY at DESC, id DESC LIMIT $9 OFFSET $10",
    ];
    PRUNE = ["DELETE FROM audit_log WHERE id IN (SELECT id FROM audit_log WHERE at < $1 ORDER BY at LIMIT $2)"];
}

#[async_trait]
impl AuditStore for SqlStore {
    async fn record_audit(&self, entries: &[AuditEntry]) -> Result<()> {
        let mut tx = self.db.begin().await?;
        record_audit(&mut tx, entries).await?;
        tx.commit().await
    }

    async fn audit_entries(&self, _: &Scope, filter: &AuditFilter) -> Result<(Vec<AuditEntry>, u64)> {
        let AuditFilter { from, to, actor, action, resource_type, resource_id, limit, offset, after } =
            filter;
        let passes = args![from, to, actor, action, resource_type, resource_id];
        let mut page = passes.clone();
        page.extend(newest(&Page { limit: Some(*limit), after: *after }));
        page.extend(args![offset]);
        let mut tx = self.db.snapshot().await?;
        let count: Option<u64> = tx.row(COUNT, passes).await?;
        let entries = tx.rows(PAGE, page).await?;
        tx.commit().await?;
        Ok((entries, count.unwrap_or(0)))
    }

    async fn prune_audit(&self, before: Timestamp) -> Result<u64> {
        self.prune(PRUNE, before).await
    }
}
