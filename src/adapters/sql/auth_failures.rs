//! Refused attempts, equal ones in one row.

use async_trait::async_trait;

use super::args::newest;
use super::row::{NewRow, Record, Row, Stored, rows};
use super::scope::in_scope;
use super::store::SqlStore;
use crate::domain::Timestamp;
use crate::domain::access::Scope;
use crate::domain::auth_failure::{AuthFailure, AuthFailureId, KeyOfAttempt, RefusedAttempt};
use crate::domain::page::{Newest, Page};
use crate::ports::{AuthFailureStore, Result};

ids!(AuthFailureId);

table! {
    auth_failures: AuthFailure {
        id uuid, first_at int, last_at int, count int as times;
        attempt: manual RefusedAttempt {
            organization_id uuid, cause text, detail text, media_server text, protocol text, path text,
            stream_key_id uuid, key_path text, key_prefix text, ip_address text,
        },
    }
}

macro_rules! page_of {
    () => {
        "(last_at, id) < ($1, $2) ORDER BY last_at DESC, id DESC LIMIT $3"
    };
}

statements! {
    ADD = [
        [insert auth_failures], " WHERE true ON CONFLICT (id) DO UPDATE SET times = auth_failures.times + excluded.times, \
         first_at = CASE WHEN excluded.first_at < auth_failures.first_at THEN excluded.first_at ELSE auth_failures.first_at END, \
         last_at = CASE WHEN excluded.last_at > auth_failures.last_at THEN excluded.last_at ELSE auth_failures.last_at END",
    ];
    // $3 is the largest number: SQLite knows no OFFSET without a LIMIT.
    REMOVE_OF_KNOWN = [
        "DELETE FROM auth_failures WHERE id IN (SELECT id FROM auth_failures WHERE organization_id IS NOT NULL AND id <> $1 \
         ORDER BY last_at DESC, id DESC LIMIT $3 OFFSET $2) RETURNING first_at, last_at, times",
    ];
    REMOVE_OF_UNKNOWN = [
        "DELETE FROM auth_failures WHERE id IN (SELECT id FROM auth_failures WHERE organization_id IS NULL AND id <> $1 \
         ORDER BY last_at DESC, id DESC LIMIT $3 OFFSET $2) RETURNING first_at, last_at, times",
    ];
    PAGE = [[select auth_failures], " WHERE ", [in_scope "$4"], " AND ", (page_of!())];
    PAGE_OF_ORGANIZATION = [[select auth_failures], " WHERE organization_id = $4 AND ", (page_of!())];
    PRUNE = [
        "DELETE FROM auth_failures WHERE id IN (SELECT id FROM auth_failures WHERE last_at < $1 ORDER BY last_at LIMIT $2)",
    ];
}

/// Rows in the same order on every instance, so that none waits for the other.
fn in_order(failures: &[AuthFailure]) -> String {
    let mut failures: Vec<&AuthFailure> = failures.iter().collect();
    failures.sort_by_key(|failure| failure.id);
    rows(failures.into_iter().map(NewRow::of))
}

#[async_trait]
impl AuthFailureStore for SqlStore {
    async fn record_auth_failures(&self, failures: &[AuthFailure], most: u32) -> Result<()> {
        self.db.write::<()>(ADD, args![in_order(failures)]).await?;
        let mut tx = self.db.begin().await?;
        let mut removed: Vec<(Timestamp, Timestamp, u64)> = Vec::new();
        for statement in [REMOVE_OF_KNOWN, REMOVE_OF_UNKNOWN] {
            let values = args![AuthFailureId::of_removed(), most, i64::MAX];
            removed.extend(tx.rows::<(Timestamp, Timestamp, u64)>(statement, values).await?);
        }
        let Some(sum) = AuthFailure::removed(&removed) else { return tx.rollback(()).await };
        tx.run(ADD, args![in_order(&[sum])]).await?;
        tx.commit().await
    }

    async fn auth_failures(&self, scope: &Scope, page: &Page<Newest>) -> Result<Vec<AuthFailure>> {
        let mut values = newest(page);
        let (statement, scope) = in_scope(scope, PAGE, PAGE_OF_ORGANIZATION);
        values.push(scope);
        self.db.rows(statement, values).await
    }

    async fn prune_auth_failures(&self, before: Timestamp) -> Result<u64> {
        self.prune(PRUNE, before).await
    }
}

impl Record for (Timestamp, Timestamp, u64) {
    fn read(row: &Row<'_>) -> Result<Self, sqlx::Error> {
        Ok((row.get("first_at")?, row.get("last_at")?, row.get("times")?))
    }
}

impl Record for RefusedAttempt {
    fn read(row: &Row<'_>) -> Result<Self, sqlx::Error> {
        let key = match (row.get("stream_key_id")?, row.get("key_path")?, row.get("key_prefix")?) {
            (Some(id), Some(path), Some(prefix)) => Some(KeyOfAttempt { id, path, prefix }),
            _ => None,
        };
        Ok(Self {
            organization_id: row.get("organization_id")?,
            cause: row.get("cause")?,
            detail: row.get("detail")?,
            media_server: row.get("media_server")?,
            protocol: row.get("protocol")?,
            path: row.get("path")?,
            key,
            ip_address: row.get("ip_address")?,
        })
    }
}

impl Stored for RefusedAttempt {
    fn write(&self, row: &mut NewRow) {
        row.set("organization_id", &self.organization_id);
        row.set("cause", &self.cause);
        row.set("detail", &self.detail);
        row.set("media_server", &self.media_server);
        row.set("protocol", &self.protocol);
        row.set("path", &self.path);
        row.set("stream_key_id", &self.key.as_ref().map(|key| key.id));
        row.set("key_path", &self.key.as_ref().map(|key| key.path.clone()));
        row.set("key_prefix", &self.key.as_ref().map(|key| key.prefix.clone()));
        row.set("ip_address", &self.ip_address);
    }
}
