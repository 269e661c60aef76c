//! The store's side of the reconcile loop. The number of statements does not grow with the number of streams.

use std::collections::HashSet;

use async_trait::async_trait;

use super::args::list;
use super::commit::append_events;
use super::db::Tx;
use super::leases;
use super::row::{NewRow, rows};
use super::store::SqlStore;
use crate::domain::broadcaster::Broadcaster;
use crate::domain::media_server::MediaServerName;
use crate::domain::reconcile::{Changes, HookEvent, Observation, Records, View, Writes, apply};
use crate::domain::stream_key::StreamKey;
use crate::domain::{StreamId, StreamKeyId, Timestamp};
use crate::ports::{Applied, Assignment, ReconcileStore, Result, named_hashes, named_paths};

/// How many changes one transaction writes: enough to be quick, few enough not to block others.
const CHUNK: usize = 500;

statements! {
    ACTIVE_ON = [
        "SELECT ", [columns streams], ", refreshed_at FROM streams WHERE ended_at IS NULL AND media_server = $1",
    ];
    KEYS_FOR = [
        "SELECT key_hash, ", [columns stream_keys], " FROM stream_keys WHERE id IN (\
         SELECT id FROM stream_keys WHERE holder_server = $1 \
         UNION SELECT stream_key_id FROM streams WHERE ended_at IS NULL AND media_server = $1 \
         UNION SELECT id FROM stream_keys WHERE revoked_at IS NULL AND path IN ", [texts "$2"],
        " UNION SELECT id FROM stream_keys WHERE key_hash IN ", [bytes "$3"], ")",
    ];
    KEYS_OF_STREAMS = ["SELECT DISTINCT stream_key_id FROM streams WHERE id IN ", [ids "$1"]];
    LOCK_KEYS = [[select stream_keys], " WHERE id IN ", [ids "$1"], " ORDER BY id", [lock]];
    LOCK_STREAMS = [
        [select streams], " WHERE ended_at IS NULL AND id IN (SELECT id FROM streams WHERE id IN ", [ids "$1"],
        " UNION SELECT id FROM streams WHERE ended_at IS NULL AND stream_key_id IN ", [ids "$2"], ") ORDER BY id",
        [lock],
    ];
    BROADCASTERS = [[select broadcasters], " WHERE id IN ", [ids "$1"]];
    UNREACHABLE = ["SELECT name FROM media_servers WHERE NOT reachable"];
    END = [[update streams ended_at end_reason readers]];
    HOLD = [[update stream_keys holder_kind holder_server holder_conn holder_until]];
    START = [[insert streams]];
    REFRESH = [[update streams "refreshed_at = $2, " readers tracks inbound_bytes]];
    RELEASE = [
        "UPDATE stream_keys SET holder_kind = 'claimed', holder_until = $2 \
         WHERE holder_server = $1 AND holder_kind = 'live'",
    ];
}

#[async_trait]
impl ReconcileStore for SqlStore {
    async fn reconcile_view(
        &self,
        server: &MediaServerName,
        observations: &[Observation],
        hook_events: &[HookEvent],
    ) -> Result<View> {
        let paths = list(named_paths(observations, hook_events));
        let hashes = list(named_hashes(observations, hook_events));
        let mut tx = self.db.snapshot().await?;
        let streams = tx.rows(ACTIVE_ON, args![server]).await?;
        let keys = tx.rows(KEYS_FOR, args![server, paths, hashes]).await?;
        tx.commit().await?;
        Ok(View { streams, keys })
    }

    async fn apply_changes(
        &self,
        assignment: &Assignment,
        server: &MediaServerName,
        changes: &Changes,
        now: Timestamp,
        new_id: &(dyn Fn() -> StreamId + Send + Sync),
    ) -> Result<Applied> {
        let mut applied = Applied::default();
        for chunk in chunks(changes) {
            let mut tx = self.db.begin().await?;
            leases::guard(&mut tx, assignment).await?;
            let records = lock_records(&mut tx, &chunk).await?;
            let writes = apply(server, &chunk, records, now, new_id);
            write(&mut tx, &writes, now).await?;
            tx.commit().await?;
            applied.add(writes);
        }
        Ok(applied)
    }

    async fn release_holders(
        &self,
        assignment: &Assignment,
        server: &MediaServerName,
        now: Timestamp,
    ) -> Result<u64> {
        let mut tx = self.db.begin().await?;
        leases::guard(&mut tx, assignment).await?;
        let released = tx.run(RELEASE, args![server, now]).await?;
        tx.commit().await?;
        Ok(released)
    }
}

/// Splits the changes in order: streams end before others start.
fn chunks(changes: &Changes) -> Vec<Changes> {
    let ended = changes.ended.chunks(CHUNK).map(|c| Changes { ended: c.to_vec(), ..Changes::default() });
    let started =
        changes.started.chunks(CHUNK).map(|c| Changes { started: c.to_vec(), ..Changes::default() });
    let refreshed =
        changes.refreshed.chunks(CHUNK).map(|c| Changes { refreshed: c.to_vec(), ..Changes::default() });
    let total = changes.ended.len() + changes.started.len() + changes.refreshed.len();
    if total <= CHUNK { vec![changes.clone()] } else { ended.chain(started).chain(refreshed).collect() }
}

/// Reads and locks the rows of the changes: keys before streams, each by id, as everywhere, so that transactions never
/// deadlock.
async fn lock_records(tx: &mut Tx, changes: &Changes) -> Result<Records> {
    let starting: HashSet<StreamKeyId> = changes.started.iter().map(|start| start.key).collect();
    let ended = changes.ended.iter().map(|(id, _)| id);
    let mut keys = starting.clone();
    let mut records = Records::default();
    if !changes.ended.is_empty() {
        keys.extend(tx.rows::<StreamKeyId>(KEYS_OF_STREAMS, args![list(ended.clone())]).await?);
    }
    if !keys.is_empty() {
        let locked: Vec<StreamKey> = tx.rows(LOCK_KEYS, args![list(&keys)]).await?;
        records.keys = locked.into_iter().map(|key| (key.id, key)).collect();
    }
    let named = ended.chain(changes.refreshed.iter().map(|refresh| &refresh.stream));
    records.active = tx.rows(LOCK_STREAMS, args![list(named), list(&starting)]).await?;
    if !starting.is_empty() {
        let owners: HashSet<_> = records.keys.values().map(|key| key.broadcaster_id).collect();
        let owners: Vec<Broadcaster> = tx.rows(BROADCASTERS, args![list(owners)]).await?;
        records.broadcasters = owners.into_iter().map(|one| (one.id, one)).collect();
        records.unreachable = tx.rows(UNREACHABLE, args![]).await?.into_iter().collect();
    }
    Ok(records)
}

async fn write(tx: &mut Tx, writes: &Writes, now: Timestamp) -> Result<()> {
    if !writes.ended.is_empty() {
        let ended = writes.ended.iter();
        let ended =
            ended.map(|one| NewRow::of(&one.state).with("id", &one.id).with("readers", &one.stats.readers));
        tx.run(END, args![rows(ended)]).await?;
    }
    if !writes.holders.is_empty() {
        let holders = writes.holders.iter().map(|(id, holder)| NewRow::of(holder).with("id", id));
        tx.run(HOLD, args![rows(holders)]).await?;
    }
    if !writes.started.is_empty() {
        let started = writes.started.iter();
        let started = started.map(|one| NewRow::of(one).with("refreshed_at", &one.started_at));
        tx.run(START, args![rows(started)]).await?;
    }
    if !writes.refreshed.is_empty() {
        let refreshed = writes.refreshed.iter().map(|one| NewRow::of(&one.stats).with("id", &one.id));
        tx.run(REFRESH, args![rows(refreshed), now]).await?;
    }
    append_events(tx, now, &writes.events).await.map(drop)
}
