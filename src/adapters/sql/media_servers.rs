//! The last known state of each media server.

use async_trait::async_trait;
use sqlx::FromRow;

use super::rows::{all, signed};
use super::{SqlStore, leases};
use crate::adapters::sql::error::corrupt;
use crate::domain::Timestamp;
use crate::domain::access::Scope;
use crate::domain::media_server::{MediaServerName, MediaServerStatus};
use crate::ports::{Assignment, Contact, MediaServerStore, PollResult, StoreError};

macro_rules! columns {
    () => {
        "name, version, run, reachable, since, last_reconcile, last_error, drift_repaired, last_hook, last_auth"
    };
}
macro_rules! since {
    () => {
        "since = CASE WHEN media_servers.reachable = excluded.reachable THEN media_servers.since ELSE excluded.since END"
    };
}

statements! {
    SEEN = [
        "INSERT INTO media_servers (", (columns!()), ") VALUES ($1, $2, $3, $4, $5, $5, NULL, $6, NULL, NULL) \
         ON CONFLICT (name) DO UPDATE SET version = excluded.version, run = excluded.run, ", (since!()),
        ", reachable = excluded.reachable, last_reconcile = excluded.last_reconcile, last_error = NULL, \
         drift_repaired = media_servers.drift_repaired + excluded.drift_repaired",
    ];
    FAILED = [
        "INSERT INTO media_servers (", (columns!()), ") VALUES ($1, NULL, NULL, $2, $3, NULL, $4, 0, NULL, NULL) \
         ON CONFLICT (name) DO UPDATE SET ", (since!()),
        ", reachable = excluded.reachable, last_error = excluded.last_error",
    ];
    HOOK = [
        "INSERT INTO media_servers (", (columns!()), ") VALUES ($1, NULL, NULL, $2, $3, NULL, NULL, 0, $3, NULL) \
         ON CONFLICT (name) DO UPDATE SET last_hook = excluded.last_hook \
         WHERE media_servers.last_hook IS NULL OR media_servers.last_hook < excluded.last_hook",
    ];
    AUTH = [
        "INSERT INTO media_servers (", (columns!()), ") VALUES ($1, NULL, NULL, $2, $3, NULL, NULL, 0, NULL, $3) \
         ON CONFLICT (name) DO UPDATE SET last_auth = excluded.last_auth \
         WHERE media_servers.last_auth IS NULL OR media_servers.last_auth < excluded.last_auth",
    ];
    LIST = ["SELECT ", (columns!()), " FROM media_servers ORDER BY name"];
}

#[derive(FromRow)]
struct StatusRow {
    name: String,
    version: Option<String>,
    run: Option<String>,
    reachable: bool,
    since: i64,
    last_reconcile: Option<i64>,
    last_error: Option<String>,
    drift_repaired: i64,
    last_hook: Option<i64>,
    last_auth: Option<i64>,
}

impl TryFrom<StatusRow> for MediaServerStatus {
    type Error = StoreError;

    fn try_from(row: StatusRow) -> Result<Self, StoreError> {
        Ok(Self {
            name: MediaServerName::parse(&row.name).map_err(corrupt)?,
            version: row.version,
            run: row.run,
            reachable: row.reachable,
            since: Timestamp::from_micros(row.since),
            last_reconcile: row.last_reconcile.map(Timestamp::from_micros),
            last_error: row.last_error,
            drift_repaired: u64::try_from(row.drift_repaired).map_err(corrupt)?,
            last_hook: row.last_hook.map(Timestamp::from_micros),
            last_auth: row.last_auth.map(Timestamp::from_micros),
        })
    }
}

#[async_trait]
impl MediaServerStore for SqlStore {
    async fn record_poll(
        &self,
        assignment: &Assignment,
        server: &MediaServerName,
        poll: &PollResult,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        leases::guard(&mut tx, assignment).await?;
        match poll {
            PollResult::Succeeded { version, run, repaired } => {
                let (version, run) = (version.as_deref(), run.as_deref());
                tx.run(SEEN, args![server.as_str(), version, run, true, now, signed(*repaired)]).await?
            }
            PollResult::Failed(why) => {
                tx.run(FAILED, args![server.as_str(), false, now, why.as_str()]).await?
            }
        };
        tx.commit().await
    }

    async fn record_contact(
        &self,
        server: &MediaServerName,
        contact: Contact,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let statement = match contact {
            Contact::Auth => AUTH,
            Contact::Hook => HOOK,
        };
        // Before the first poll, nobody knows whether the server can be reached.
        self.db.write::<()>(statement, args![server.as_str(), false, now]).await.map(drop)
    }

    async fn media_servers(&self, _: &Scope) -> Result<Vec<MediaServerStatus>, StoreError> {
        all(self.db.rows::<StatusRow>(LIST, args![]).await?)
    }
}
