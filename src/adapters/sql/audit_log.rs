//! Reads and prunes the audit log. `commit.rs` writes it.

use async_trait::async_trait;
use uuid::Uuid;

use super::args::{Arg, arg};
use super::commit::record_audit;
use super::dialect::Sql;
use super::scope::in_scope;
use super::store::SqlStore;
use crate::domain::Timestamp;
use crate::domain::access::Scope;
use crate::domain::audit::{AuditEntry, AuditFilter, Outcome};
use crate::domain::page::Newest;
use crate::ports::{AuditStore, Result};

// As in `streams.rs`: always a range of an index. $1 is the first time, and the entries are older than the place $2, $3.
macro_rules! within {
    () => {
        "at >= $1 AND (at, id) < ($2, $3)"
    };
}
macro_rules! passes {
    () => {
        "(actor = $4 OR $4 IS NULL) AND (action = $5 OR $5 IS NULL) AND (resource_type = $6 OR $6 IS NULL) \
         AND (resource_id = $7 OR $7 IS NULL) AND (outcome = $8 OR $8 IS NULL)"
    };
}
macro_rules! newest_of {
    () => {
        concat!(within!(), " AND ", passes!(), " ORDER BY at DESC, id DESC LIMIT $9 OFFSET $10")
    };
}
macro_rules! count_of {
    () => {
        concat!("SELECT COUNT(*) FROM audit_log WHERE ", within!(), " AND ", passes!())
    };
}

statements! {
    PAGE = [[select audit_log], " WHERE ", [in_scope "$11"], " AND ", (newest_of!())];
    PAGE_OF_ORGANIZATION = [[select audit_log], " WHERE organization_id = $11 AND ", (newest_of!())];
    PAGE_OF_ACTOR = [[select audit_log], " WHERE actor = $4 AND ", [in_scope "$11"], " AND ", (newest_of!())];
    PAGE_OF_ACTION = [[select audit_log], " WHERE action = $5 AND ", [in_scope "$11"], " AND ", (newest_of!())];
    PAGE_OF_RESOURCE_TYPE = [[select audit_log], " WHERE resource_type = $6 AND ", [in_scope "$11"], " AND ", (newest_of!())];
    PAGE_OF_RESOURCE_ID = [[select audit_log], " WHERE resource_id = $7 AND ", [in_scope "$11"], " AND ", (newest_of!())];
    PAGE_OF_OUTCOME = [[select audit_log], " WHERE outcome = $8 AND ", [in_scope "$11"], " AND ", (newest_of!())];
    COUNT = ["SELECT COUNT(*) FROM audit_log WHERE ", (within!())];
    COUNT_IN_SCOPE = ["SELECT COUNT(*) FROM audit_log WHERE ", (within!()), " AND ", [in_scope "$4"]];
    COUNT_OF_ORGANIZATION = ["SELECT COUNT(*) FROM audit_log WHERE ", (within!()), " AND organization_id = $4"];
    COUNT_OF_ACTOR = [(count_of!()), " AND ", [in_scope "$9"], " AND actor = $4"];
    COUNT_OF_ACTION = [(count_of!()), " AND ", [in_scope "$9"], " AND action = $5"];
    COUNT_OF_RESOURCE_TYPE = [(count_of!()), " AND ", [in_scope "$9"], " AND resource_type = $6"];
    COUNT_OF_RESOURCE_ID = [(count_of!()), " AND ", [in_scope "$9"], " AND resource_id = $7"];
    COUNT_OF_OUTCOME = [(count_of!()), " AND ", [in_scope "$9"], " AND outcome = $8"];
    PRUNE = ["DELETE FROM audit_log WHERE id IN (SELECT id FROM audit_log WHERE at < $1 ORDER BY at LIMIT $2)"];
}

/// The statements that count and read what passes a filter, by the index of the filter that finds the fewest entries.
fn statements_for(filter: &AuditFilter) -> (Sql, Sql) {
    let AuditFilter { actor, action, resource_type, resource_id, outcome, .. } = filter;
    match (resource_id, actor, action, resource_type, outcome) {
        (Some(_), ..) => (COUNT_OF_RESOURCE_ID, PAGE_OF_RESOURCE_ID),
        (_, Some(_), ..) => (COUNT_OF_ACTOR, PAGE_OF_ACTOR),
        (_, _, Some(_), ..) => (COUNT_OF_ACTION, PAGE_OF_ACTION),
        (_, _, _, Some(_), _) => (COUNT_OF_RESOURCE_TYPE, PAGE_OF_RESOURCE_TYPE),
        (.., Some(_)) => (COUNT_OF_OUTCOME, PAGE_OF_OUTCOME),
        (None, None, None, None, None) => (COUNT, PAGE),
    }
}

#[async_trait]
impl AuditStore for SqlStore {
    async fn record_audit(&self, entries: &[AuditEntry]) -> Result<()> {
        let mut tx = self.db.begin().await?;
        record_audit(&mut tx, entries).await?;
        tx.commit().await
    }

    async fn audit_entries(&self, scope: &Scope, filter: &AuditFilter) -> Result<(Vec<AuditEntry>, u64)> {
        let AuditFilter {
            from,
            to,
            actor,
            action,
            resource_type,
            resource_id,
            outcome,
            limit,
            offset,
            after,
        } = filter;
        let (count, page) = statements_for(filter);
        let is_filtered = page.sqlite != PAGE.sqlite;
        let from = from.unwrap_or(Timestamp::from_micros(i64::MIN));
        // The place behind all entries of that time.
        let end = to.map_or(Newest::START, |to| Newest { at: to, id: Uuid::max() });
        let within = |end: Newest| vec![arg(&from), arg(&end.at), Arg::Id(Some(end.id))];
        let passes = args![actor, action, resource_type, resource_id, outcome.map(Outcome::as_str)];
        let (page, of_scope) = match is_filtered {
            true => (page, arg(scope)),
            false => in_scope(scope, page, PAGE_OF_ORGANIZATION),
        };
        let mut of_count = within(end);
        let count = if is_filtered {
            of_count.extend(passes.clone());
            of_count.push(arg(scope));
            count
        } else if scope.organizations().is_some() {
            of_count.push(of_scope.clone());
            in_scope(scope, COUNT_IN_SCOPE, COUNT_OF_ORGANIZATION).0
        } else {
            // Read from the index alone.
            count
        };
        let mut of_page = within(after.map_or(end, |after| after.min(end)));
        of_page.extend(passes);
        of_page.extend(args![i64::from(*limit), offset]);
        of_page.push(of_scope);
        let mut tx = self.db.snapshot().await?;
        let count: Option<u64> = tx.row(count, of_count).await?;
        let entries = tx.rows(page, of_page).await?;
        tx.commit().await?;
        Ok((entries, count.unwrap_or(0)))
    }

    async fn prune_audit(&self, before: Timestamp) -> Result<u64> {
        self.prune(PRUNE, before).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_counted_and_read_by_the_filter_that_finds_the_fewest() {
        let some = || Some("x".to_owned());
        let outcome = AuditFilter { outcome: Some(Outcome::Failure), ..AuditFilter::default() };
        let kind = AuditFilter { resource_type: some(), ..outcome.clone() };
        let action = AuditFilter { action: some(), ..kind.clone() };
        let actor = AuditFilter { actor: some(), ..action.clone() };
        let id = AuditFilter { resource_id: some(), ..actor.clone() };
        for (filter, by) in [
            (outcome, "outcome = $8"),
            (kind, "resource_type = $6"),
            (action, "action = $5"),
            (actor, "actor = $4"),
            (id, "resource_id = $7"),
        ] {
            let (count, page) = statements_for(&filter);
            assert!(count.sqlite.ends_with(&format!(" AND {by}")), "{}", count.sqlite);
            assert!(page.sqlite.contains(&format!(" WHERE {by} AND ")), "{}", page.sqlite);
        }
        let (count, page) = statements_for(&AuditFilter::default());
        assert_eq!((count.sqlite, page.sqlite), (COUNT.sqlite, PAGE.sqlite));
    }
}
