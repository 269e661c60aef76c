//! The last known state of each media server.

use async_trait::async_trait;

use super::commit::append_events;
use super::leases;
use super::store::SqlStore;
use crate::domain::access::Scope;
use crate::domain::event::{EventBody, MediaServerEvent};
use crate::domain::media_server::{MediaServerName, MediaServerStatus};
use crate::domain::{OrganizationId, Timestamp};
use crate::ports::{Assignment, Contact, MediaServerStore, PollResult, Result};

table! {
    media_servers: MediaServerStatus {
        name text, version text, run text, reachable bool, since int, last_reconcile int, last_error text,
        drift_repaired int, last_hook int, last_auth int, told_unreachable bool,
    }
}

macro_rules! since {
    () => {
        "since = CASE WHEN media_servers.reachable = excluded.reachable THEN media_servers.since ELSE excluded.since END"
    };
}

statements! {
    SEEN = [
        "INSERT INTO media_servers (", [columns media_servers], ") VALUES ($1, $2, $3, $4, $5, $5, NULL, $6, NULL, NULL, FALSE) \
         ON CONFLICT (name) DO UPDATE SET version = excluded.version, run = excluded.run, ", (since!()),
        ", reachable = excluded.reachable, last_reconcile = excluded.last_reconcile, last_error = NULL, \
         drift_repaired = media_servers.drift_repaired + excluded.drift_repaired \
         RETURNING ", [columns media_servers],
    ];
    FAILED = [
        "INSERT INTO media_servers (", [columns media_servers], ") VALUES ($1, NULL, NULL, $2, $3, NULL, $4, 0, NULL, NULL, FALSE) \
         ON CONFLICT (name) DO UPDATE SET ", (since!()),
        ", reachable = excluded.reachable, last_error = excluded.last_error RETURNING ", [columns media_servers],
    ];
    HOOK = [
        "INSERT INTO media_servers (", [columns media_servers], ") VALUES ($1, NULL, NULL, $2, $3, NULL, NULL, 0, $3, NULL, FALSE) \
         ON CONFLICT (name) DO UPDATE SET last_hook = excluded.last_hook \
         WHERE media_servers.last_hook IS NULL OR media_servers.last_hook < excluded.last_hook",
    ];
    AUTH = [
        "INSERT INTO media_servers (", [columns media_servers], ") VALUES ($1, NULL, NULL, $2, $3, NULL, NULL, 0, NULL, $3, FALSE) \
         ON CONFLICT (name) DO UPDATE SET last_auth = excluded.last_auth \
         WHERE media_servers.last_auth IS NULL OR media_servers.last_auth < excluded.last_auth",
    ];
    TOLD = ["UPDATE media_servers SET told_unreachable = NOT reachable WHERE name = $1"];
    LIST = [[select media_servers], " ORDER BY name"];
}

#[async_trait]
impl MediaServerStore for SqlStore {
    async fn record_poll(
        &self,
        assignment: &Assignment,
        server: &MediaServerName,
        poll: &PollResult,
        now: Timestamp,
    ) -> Result<bool> {
        let mut tx = self.db.begin().await?;
        leases::guard(&mut tx, assignment).await?;
        let status: Option<MediaServerStatus> = match poll {
            PollResult::Succeeded { version, run, repaired } => {
                tx.row(SEEN, args![server, version, run, true, now, repaired]).await?
            }
            PollResult::Failed(why) => tx.row(FAILED, args![server, false, now, why]).await?,
        };
        let event = status.and_then(|status| MediaServerEvent::missing(&status, now));
        let is_told = event.is_some();
        if let Some(event) = event {
            tx.run(TOLD, args![server]).await?;
            append_events(&mut tx, now, &[(OrganizationId::DEFAULT, EventBody::MediaServer(event))]).await?;
        }
        tx.commit().await?;
        Ok(is_told)
    }

    async fn record_contact(&self, server: &MediaServerName, contact: Contact, now: Timestamp) -> Result<()> {
        let statement = match contact {
            Contact::Auth => AUTH,
            Contact::Hook => HOOK,
        };
        // Before the first poll, nobody knows whether the server can be reached.
        self.db.write::<()>(statement, args![server, false, now]).await.map(drop)
    }

    async fn media_servers(&self, _: &Scope) -> Result<Vec<MediaServerStatus>> {
        self.db.rows(LIST, args![]).await
    }
}
