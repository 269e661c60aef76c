//! A store to test, and the things to put into it.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use streamward::adapters::memory::MemoryStore;
use streamward::adapters::sql::{Db, PgSettings, SqlStore, migrate, open_postgres, open_sqlite};
use streamward::adapters::system::{SystemClock, SystemIds};
use streamward::domain::access::{Actor, Scope};
use streamward::domain::audit::AuditEntry;
use streamward::domain::broadcaster::{Broadcaster, DisplayName, Metadata};
use streamward::domain::media_server::{Connection, MediaServerName, SourceId, SourceKind, StreamStats};
use streamward::domain::path::StreamPath;
use streamward::domain::publish::PublishRequest;
use streamward::domain::reconcile::{Changes, Start};
use streamward::domain::secret::{KeySecret, SecretHash};
use streamward::domain::stream::{IngestForm, Stream};
use streamward::domain::stream_key::{Holder, OnConflict, StreamKey, Takeovers};
use streamward::domain::{AuditId, BroadcasterId, OrganizationId, StreamId, StreamKeyId, Timestamp};
use streamward::ports::{Assignment, Change, IdGen as _, InstanceLease, KeyCreation, Store};
use streamward_test_support::{Cluster, TimeLimit};
use tempfile::TempDir;

pub(crate) const TTL: Duration = Duration::from_secs(15);

/// The kind of store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    Memory,
    Sqlite,
    Postgres,
}

/// A store, and what a test needs around it.
pub(crate) struct World {
    pub(crate) store: Arc<dyn Store>,
    /// Must live as long as the store: its folder or database.
    _keep: Box<dyn Any + Send + Sync>,
}

impl Engine {
    /// A fresh, empty store.
    pub(crate) async fn world(self) -> World {
        match self {
            Self::Memory => {
                let store = MemoryStore::new(Arc::new(SystemClock));
                World { store: Arc::new(store), _keep: Box::new(TimeLimit::start()) }
            }
            Self::Sqlite => {
                let folder = TempDir::new().unwrap();
                let db = open_sqlite(&folder.path().join("streamward.db")).await.unwrap();
                migrate(&db).await.unwrap();
                World::over(db, folder)
            }
            Self::Postgres => {
                let database = postgres().await;
                // Password hashing is slow in debug builds.
                let settings = PgSettings { acquire_timeout: Duration::from_secs(10), ..PgSettings::new(12) };
                let db = open_postgres(database.url(), &settings).unwrap();
                World::over(db, database)
            }
        }
    }
}

/// A migrated PostgreSQL database.
pub(crate) async fn postgres() -> streamward_test_support::Database {
    streamward_test_support::database(|url| async move {
        let db = open_postgres(&url, &PgSettings::new(1))?;
        migrate(&db).await
    })
    .await
}

/// A PostgreSQL server for one test, of the installed programs.
pub(crate) fn own_cluster() -> Cluster {
    Cluster::start(false)
        .unwrap_or_else(|error| panic!("this needs PostgreSQL's programs, run .ci/setup: {error}"))
}

/// Seconds on the tests' clock. Stores take the time as an argument.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(1_000_000 + seconds)
}

/// A number that is unique in this process.
fn next() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

pub(crate) fn server(name: &str) -> MediaServerName {
    MediaServerName::parse(name).unwrap()
}

pub(crate) fn connection(server_name: &str, id: &str) -> Connection {
    Connection { server: server(server_name), id: SourceId::parse(id).unwrap() }
}

/// A unique hash.
pub(crate) fn fresh_hash() -> SecretHash {
    let mut hash = [0; 32];
    hash[..8].copy_from_slice(&next().to_be_bytes());
    SecretHash(hash)
}

pub(crate) fn path(text: &str) -> StreamPath {
    StreamPath::parse(text).unwrap()
}

pub(crate) fn audit(action: &str, when: Timestamp) -> AuditEntry {
    AuditEntry::of(AuditId(SystemIds.uuid()), when, &Actor::cli("test"), action, "thing")
}

/// A change of everyone's data, with this audit entry.
pub(crate) fn by(audit: &AuditEntry) -> Change<'_> {
    const ALL: &Scope = &Scope::system();
    Change::new(ALL, audit)
}

pub(crate) fn broadcaster(name: &str, when: Timestamp) -> Broadcaster {
    Broadcaster {
        id: BroadcasterId(SystemIds.uuid()),
        organization_id: OrganizationId::DEFAULT,
        display_name: DisplayName::parse(name).unwrap(),
        metadata: Metadata::parse(serde_json::json!({"name": name, "ä": [1, null, {"b": "\""}]})).unwrap(),
        created_at: when,
        updated_at: when,
    }
}

pub(crate) fn key(of: BroadcasterId, on: &str, when: Timestamp) -> StreamKey {
    StreamKey {
        id: StreamKeyId(SystemIds.uuid()),
        organization_id: OrganizationId::DEFAULT,
        broadcaster_id: of,
        label: None,
        path: path(on),
        key_prefix: "sk_abcde".into(),
        on_conflict: OnConflict::Reject,
        playback_access: None,
        created_at: when,
        expires_at: None,
        revoked_at: None,
        last_used_at: None,
        holder: Holder::Free,
        takeovers: Takeovers::default(),
    }
}

/// A request to publish from a connection on the default media server.
pub(crate) fn request(id: &str) -> PublishRequest {
    request_from(Some(connection("default", id)))
}

pub(crate) fn request_from(connection: Option<Connection>) -> PublishRequest {
    PublishRequest {
        secret: KeySecret::from_random([1; 32]),
        path: None,
        connection,
        ip: "192.0.2.7".parse().ok(),
    }
}

pub(crate) fn start(key: StreamKeyId, connection: Connection) -> Start {
    Start {
        key,
        connection,
        aliases: vec![],
        kind: Some(SourceKind::Rtmp),
        form: IngestForm::NamedPath,
        stats: StreamStats { readers: 1, tracks: vec!["H264".into(), "Opus".into()], inbound_bytes: 42 },
    }
}

pub(crate) fn new_id() -> StreamId {
    StreamId(SystemIds.uuid())
}

impl World {
    /// A store in a migrated database.
    pub(crate) fn over(db: Db, keep: impl Any + Send + Sync) -> Self {
        Self { store: Arc::new(SqlStore::new(db)), _keep: Box::new((keep, TimeLimit::start())) }
    }

    /// A stored broadcaster.
    pub(crate) async fn broadcaster(&self, name: &str) -> Broadcaster {
        let one = broadcaster(name, at(0));
        self.store.create_broadcaster(&one, by(&audit("create", at(0)))).await.unwrap();
        one
    }

    /// A stored key with its own broadcaster.
    pub(crate) async fn key(&self, on: &str) -> (StreamKey, SecretHash) {
        self.key_with(on, |key| key).await
    }

    pub(crate) async fn key_with(
        &self,
        on: &str,
        change: impl FnOnce(StreamKey) -> StreamKey,
    ) -> (StreamKey, SecretHash) {
        let owner = self.broadcaster(on).await;
        let (key, hash) = (change(key(owner.id, on, at(0))), fresh_hash());
        assert_eq!(self.create(&key, &hash).await, KeyCreation::Created);
        (key, hash)
    }

    pub(crate) async fn create(&self, key: &StreamKey, hash: &SecretHash) -> KeyCreation {
        self.store.create_stream_key(key, hash, by(&audit("create", key.created_at))).await.unwrap()
    }

    /// The hashes that the key cache would have.
    pub(crate) async fn hashes(&self) -> Vec<SecretHash> {
        self.store.cached_keys(None, 10_000).await.unwrap().iter().map(|key| key.hash).collect()
    }

    /// The key as stored.
    pub(crate) async fn stored(&self, key: &StreamKey) -> StreamKey {
        self.store.stream_key(&Scope::system(), key.id).await.unwrap().expect("the key is stored")
    }

    pub(crate) async fn claim(
        &self,
        hash: &SecretHash,
        request: &PublishRequest,
        when: Timestamp,
    ) -> StreamKey {
        self.store.claim_for_publish(hash, request, when, TTL).await.unwrap().expect("the key is known")
    }

    /// The assignment for reconciling a media server.
    pub(crate) async fn assignment(&self, name: &str) -> Assignment {
        let taken = self.take("us", &[&format!("reconcile:{name}")]).await;
        taken.into_iter().next().expect("it is free")
    }

    /// Takes `keys` for an instance under a lease of a minute; returns its assignments.
    pub(crate) async fn take(&self, instance: &str, keys: &[&str]) -> Vec<Assignment> {
        let lease = self.store.renew_instance(instance, 1_000, Duration::from_secs(60)).await.unwrap();
        self.take_under(&lease, keys).await
    }

    pub(crate) async fn take_under(&self, lease: &InstanceLease, keys: &[&str]) -> Vec<Assignment> {
        let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
        let mut who = self.store.take_assignments(lease, &keys).await.unwrap();
        who.retain(|one| one.instance == lease.instance);
        who
    }

    pub(crate) async fn apply(
        &self,
        on: &str,
        changes: &Changes,
        when: Timestamp,
    ) -> streamward::ports::Applied {
        let assignment = self.assignment(on).await;
        self.store.apply_changes(&assignment, &server(on), changes, when, &new_id).await.unwrap()
    }

    /// A key that is live on the default media server, by connection `id`.
    pub(crate) async fn live(&self, on: &str, id: &str) -> (StreamKey, SecretHash, Stream) {
        self.live_on("default", on, id).await
    }

    pub(crate) async fn live_on(
        &self,
        server_name: &str,
        on: &str,
        id: &str,
    ) -> (StreamKey, SecretHash, Stream) {
        let (key, hash) = self.key(on).await;
        let by = connection(server_name, id);
        self.claim(&hash, &request_from(Some(by.clone())), at(1)).await;
        let stream = self.start(&key, by, at(2)).await;
        (key, hash, stream)
    }

    pub(crate) async fn start(&self, key: &StreamKey, by: Connection, when: Timestamp) -> Stream {
        let on = by.server.to_string();
        let changes = Changes { started: vec![start(key.id, by)], ..Changes::default() };
        let applied = self.apply(&on, &changes, when).await;
        assert_eq!(applied.postponed, 0);
        applied.started.into_iter().next().expect("it starts")
    }

    /// The kinds and subjects of all events, in order.
    pub(crate) async fn events(&self) -> Vec<(&'static str, uuid::Uuid)> {
        let events = self.store.events_after(&Scope::system(), None, 0, 10_000).await.unwrap();
        let numbers: Vec<i64> = events.iter().map(|event| event.seq).collect();
        let expected: Vec<i64> = (1..).take(events.len()).collect();
        assert_eq!(numbers, expected, "events are numbered without gaps");
        events.into_iter().map(|event| (event.decode().unwrap().body.kind(), event.subject)).collect()
    }

    /// The actions of all audit entries, newest first.
    pub(crate) async fn audited(&self) -> Vec<String> {
        let filter = streamward::domain::audit::AuditFilter { limit: 100, ..Default::default() };
        let (entries, _) = self.store.audit_entries(&Scope::system(), &filter).await.unwrap();
        entries.into_iter().map(|entry| entry.action).collect()
    }
}
