//! The store's side of the reconcile loop. The number of statements does not grow with the number of streams.

use std::collections::{HashMap, HashSet};

use serde_json::json;
use sqlx::FromRow;
use uuid::Uuid;

use super::args::{hash_list, id_list, text_list};
use super::db::{Db, Tx};
use super::error::corrupt;
use super::rows::{BroadcasterRow, HashedKeyRow, Id, KeyRow, StreamRow, all, ingest_word, signed};
use super::stream_keys::holder_row;
use super::{events, leases};
use crate::domain::broadcaster::Broadcaster;
use crate::domain::media_server::MediaServerName;
use crate::domain::path::{IngestPath, StreamPath};

use crate::domain::reconcile::{ActiveStream, Changes, HookEvent, Observation, Records, View, Writes, apply};
use crate::domain::stream::{Stream, StreamState};
use crate::domain::stream_key::StreamKey;
use crate::domain::{StreamId, Timestamp};
use crate::ports::{Applied, Assignment, StoreError};

/// How many changes one transaction writes: enough to be quick, few enough not to block others.
const CHUNK: usize = 500;

statements! {
    ACTIVE_ON = [
        "SELECT ", (stream_columns!()), ", refreshed_at FROM streams WHERE ended_at IS NULL AND media_server = $1",
    ];
    KEYS_FOR = [
        "SELECT key_hash, ", (key_columns!()), " FROM stream_keys WHERE id IN (\
         SELECT id FROM stream_keys WHERE holder_server = $1 \
         UNION SELECT stream_key_id FROM streams WHERE ended_at IS NULL AND media_server = $1 \
         UNION SELECT id FROM stream_keys WHERE revoked_at IS NULL AND path IN ", [texts "$2"],
        " UNION SELECT id FROM stream_keys WHERE key_hash IN ", [bytes "$3"], ")",
    ];
    KEYS_OF_STREAMS = ["SELECT DISTINCT stream_key_id FROM streams WHERE id IN ", [ids "$1"]];
    LOCK_KEYS = [
        "SELECT ", (key_columns!()), " FROM stream_keys WHERE id IN ", [ids "$1"], " ORDER BY id", [lock],
    ];
    LOCK_STREAMS = [
        "SELECT ", (stream_columns!()), " FROM streams WHERE ended_at IS NULL AND id IN (\
         SELECT id FROM streams WHERE id IN ", [ids "$1"],
        " UNION SELECT id FROM streams WHERE ended_at IS NULL AND stream_key_id IN ", [ids "$2"], ") ORDER BY id",
        [lock],
    ];
    BROADCASTERS = ["SELECT ", (broadcaster_columns!()), " FROM broadcasters WHERE id IN ", [ids "$1"]];
    UNREACHABLE = ["SELECT name FROM media_servers WHERE NOT reachable"];
    END = [
        "UPDATE streams SET ended_at = r.ended_at, end_reason = r.end_reason, readers = r.readers FROM ",
        [rows "$1" id uuid, ended_at int, end_reason text, readers int], " WHERE streams.id = r.id",
    ];
    HOLD = [
        "UPDATE stream_keys SET holder_kind = r.holder_kind, holder_server = r.holder_server, \
         holder_conn = r.holder_conn, holder_until = r.holder_until FROM ",
        [rows "$1" id uuid, holder_kind text, holder_server text, holder_conn text, holder_until int],
        " WHERE stream_keys.id = r.id",
    ];
    START = [
        "INSERT INTO streams (", (stream_columns!()), ", refreshed_at) SELECT ", (stream_columns!()),
        ", started_at FROM ",
        [rows "$1" id uuid, stream_key_id uuid, broadcaster_id uuid, broadcaster_name text, path text,
         media_server text, started_at int, ended_at int, end_reason text, source_kind text, source_id text,
         ingest text, readers int, tracks text, inbound_bytes int, metadata text, recording_ref text],
    ];
    REFRESH = [
        "UPDATE streams SET readers = r.readers, tracks = r.tracks, inbound_bytes = r.inbound_bytes, refreshed_at = $2 \
         FROM ", [rows "$1" id uuid, readers int, tracks text, inbound_bytes int], " WHERE streams.id = r.id",
    ];
    RELEASE = [
        "UPDATE stream_keys SET holder_kind = 'claimed', holder_until = $2 \
         WHERE holder_server = $1 AND holder_kind = 'live'",
    ];
}

#[derive(FromRow)]
struct ActiveRow {
    #[sqlx(flatten)]
    stream: StreamRow,
    refreshed_at: i64,
}

impl TryFrom<ActiveRow> for ActiveStream {
    type Error = StoreError;

    fn try_from(row: ActiveRow) -> Result<Self, StoreError> {
        let refreshed_at = Timestamp::from_micros(row.refreshed_at);
        Ok(Self { stream: row.stream.try_into()?, refreshed_at })
    }
}

#[derive(FromRow)]
struct Name(String);

pub(super) async fn view(
    db: &Db,
    server: &MediaServerName,
    observations: &[Observation],
    hook_events: &[HookEvent],
) -> Result<View, StoreError> {
    let seen = observations.iter().filter_map(|observation| match &observation.seen.path {
        IngestPath::Public(path) => Some(path),
        IngestPath::Private(_) | IngestPath::Other(_) => None,
    });
    let paths = seen
        .chain(hook_events.iter().filter_map(|hook_event| hook_event.path.as_ref()))
        .map(StreamPath::as_str);
    let hashes = observations
        .iter()
        .filter_map(|observation| observation.hash)
        .chain(hook_events.iter().filter_map(|hook_event| hook_event.hash));
    let wanted = args![server.as_str(), text_list(paths), hash_list(hashes)];
    let mut tx = db.snapshot().await?;
    let streams: Vec<ActiveRow> = tx.rows(ACTIVE_ON, args![server.as_str()]).await?;
    let keys: Vec<HashedKeyRow> = tx.rows(KEYS_FOR, wanted).await?;
    tx.commit().await?;
    Ok(View { streams: all(streams)?, keys: all(keys)? })
}

/// Splits the changes in order: streams end before others start.
pub(super) fn chunks(changes: &Changes) -> Vec<Changes> {
    let ended = changes.ended.chunks(CHUNK).map(|c| Changes { ended: c.to_vec(), ..Changes::default() });
    let started =
        changes.started.chunks(CHUNK).map(|c| Changes { started: c.to_vec(), ..Changes::default() });
    let refreshed =
        changes.refreshed.chunks(CHUNK).map(|c| Changes { refreshed: c.to_vec(), ..Changes::default() });
    let total = changes.ended.len() + changes.started.len() + changes.refreshed.len();
    if total <= CHUNK { vec![changes.clone()] } else { ended.chain(started).chain(refreshed).collect() }
}

pub(super) async fn apply_chunk(
    db: &Db,
    assignment: &Assignment,
    server: &MediaServerName,
    changes: &Changes,
    now: Timestamp,
    new_id: &(dyn Fn() -> StreamId + Send + Sync),
    applied: &mut Applied,
) -> Result<(), StoreError> {
    let mut tx = db.begin().await?;
    leases::guard(&mut tx, assignment).await?;
    let records = lock_records(&mut tx, changes).await?;
    let writes = apply(server, changes, records, now, new_id);
    write(&mut tx, &writes, now).await?;
    tx.commit().await?;
    applied.ended.extend(writes.ended);
    applied.started.extend(writes.started);
    applied.refreshed += writes.refreshed.len();
    applied.postponed += writes.postponed;
    Ok(())
}

/// Reads and locks the rows of the changes: keys before streams, each by id, as everywhere, so that transactions never
/// deadlock.
async fn lock_records(tx: &mut Tx, changes: &Changes) -> Result<Records, StoreError> {
    let starting: HashSet<Uuid> = changes.started.iter().map(|start| start.key.0).collect();
    let mut keys = starting.clone();
    let mut records = Records::default();
    if !changes.ended.is_empty() {
        let ended = id_list(changes.ended.iter().map(|(id, _)| id.0));
        let of_ended: Vec<Id> = tx.rows(KEYS_OF_STREAMS, args![ended]).await?;
        keys.extend(of_ended.into_iter().map(|Id(id)| id));
    }
    if !keys.is_empty() {
        let locked: Vec<StreamKey> = all(tx.rows::<KeyRow>(LOCK_KEYS, args![id_list(keys)]).await?)?;
        records.keys = locked.into_iter().map(|key| (key.id, key)).collect();
    }
    let named = changes.ended.iter().map(|(id, _)| *id).chain(changes.refreshed.iter().map(|r| r.stream));
    let wanted = args![id_list(named.map(|id| id.0)), id_list(starting.iter().copied())];
    records.active = all(tx.rows::<StreamRow>(LOCK_STREAMS, wanted).await?)?;
    if !starting.is_empty() {
        let owners: HashSet<Uuid> = records.keys.values().map(|key| key.broadcaster_id.0).collect();
        let owners: Vec<Broadcaster> =
            all(tx.rows::<BroadcasterRow>(BROADCASTERS, args![id_list(owners)]).await?)?;
        records.broadcasters = owners.into_iter().map(|one| (one.id, one)).collect::<HashMap<_, _>>();
        for Name(name) in tx.rows::<Name>(UNREACHABLE, args![]).await? {
            records.unreachable.insert(MediaServerName::parse(&name).map_err(corrupt)?);
        }
    }
    Ok(records)
}

async fn write(tx: &mut Tx, writes: &Writes, now: Timestamp) -> Result<(), StoreError> {
    if !writes.ended.is_empty() {
        tx.run(END, args![json!(writes.ended.iter().map(ended_row).collect::<Vec<_>>()).to_string()]).await?;
    }
    if !writes.holders.is_empty() {
        let rows: Vec<_> = writes.holders.iter().map(|(id, holder)| holder_row(*id, holder)).collect();
        tx.run(HOLD, args![json!(rows).to_string()]).await?;
    }
    if !writes.started.is_empty() {
        let rows: Vec<_> = writes.started.iter().map(started_row).collect();
        tx.run(START, args![json!(rows).to_string()]).await?;
    }
    if !writes.refreshed.is_empty() {
        let rows: Vec<_> = writes.refreshed.iter().map(numbers_row).collect();
        tx.run(REFRESH, args![json!(rows).to_string(), now]).await?;
    }
    events::append(tx, now, &writes.events).await.map(drop)
}

fn ended_row(stream: &Stream) -> serde_json::Value {
    let (ended_at, reason) = match stream.state {
        StreamState::Ended { ended_at, end_reason } => (Some(ended_at.micros()), Some(end_reason.as_str())),
        StreamState::Active { ending } => (None, ending.map(crate::domain::stream::EndReason::as_str)),
    };
    json!({"id": stream.id, "ended_at": ended_at, "end_reason": reason, "readers": stream.stats.readers})
}

fn numbers_row(stream: &Stream) -> serde_json::Value {
    json!({
        "id": stream.id,
        "readers": stream.stats.readers,
        "tracks": json!(stream.stats.tracks).to_string(),
        "inbound_bytes": signed(stream.stats.inbound_bytes),
    })
}

fn started_row(stream: &Stream) -> serde_json::Value {
    json!({
        "id": stream.id,
        "stream_key_id": stream.stream_key_id,
        "broadcaster_id": stream.broadcaster_id,
        "broadcaster_name": stream.broadcaster_name,
        "path": stream.path,
        "media_server": stream.media_server,
        "started_at": stream.started_at.micros(),
        // A media server's text may contain NUL, which PostgreSQL cannot store.
        "source_kind": stream.source_kind.as_ref().map(|kind| kind.to_string().replace('\0', "")),
        "source_id": stream.source_id,
        "ingest": ingest_word(stream.ingest),
        "readers": stream.stats.readers,
        "tracks": json!(stream.stats.tracks).to_string(),
        "inbound_bytes": signed(stream.stats.inbound_bytes),
        "metadata": stream.metadata.to_json(),
    })
}

pub(super) async fn release(
    db: &Db,
    assignment: &Assignment,
    server: &MediaServerName,
    now: Timestamp,
) -> Result<u64, StoreError> {
    let mut tx = db.begin().await?;
    leases::guard(&mut tx, assignment).await?;
    let released = tx.run(RELEASE, args![server.as_str(), now]).await?;
    tx.commit().await?;
    Ok(released)
}
