//! The subject: the application with its accept loop on a real database with keys and streams.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use streamward::adapters::http::HttpOptions;
use streamward::adapters::local_wake_ups::LocalWakeUps;
use streamward::adapters::mediamtx::url_templates;
use streamward::adapters::sql::{Db, PgSettings, SqlStore, migrate, open_postgres, open_sqlite};
use streamward::adapters::system::{SystemClock, SystemIds};
use streamward::app::Core;
use streamward::app::access::AccessSettings;
use streamward::app::broadcaster::BroadcasterDraft;
use streamward::app::key_cache_loader::KeyCacheLoader;
use streamward::app::list::{ListStore, PAGES_AT_ONCE};
use streamward::app::media_server::{ConfiguredServers, MediaServerSettings};
use streamward::app::playback::PlaybackRefresh;
use streamward::app::refusal_rollup::RefusalRollup;
use streamward::app::stream_key::StreamKeyDraft;
use streamward::app::task::{PeriodicTask as _, TaskContext};
use streamward::app::user::UserDraft;
use streamward::domain::access::Actor;
use streamward::domain::media_server::{
    BaseUrls, Capabilities, Connection, MediaServerName, SourceId, SourceKind, StreamStats,
};
use streamward::domain::reconcile::{Changes, Start};
use streamward::domain::seal::Sealer;
use streamward::domain::secret::{KeySecret, MasterKey, Secret};
use streamward::domain::stream::IngestForm;
use streamward::domain::{StreamId, StreamKeyId};
use streamward::ports::{Clock as _, IdGen as _, Store, WakeUps};
use streamward::runtime::config::Config;
use streamward::runtime::serve::{ServeLimits, serve};
use streamward::runtime::slices::{Instance, Outside, Secrets, Shared};
use streamward_test_support::Cluster;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::database::Database;
use crate::{CALLERS, SIGN_INS};

/// What is in the database before the measurement.
#[derive(Clone, Copy)]
pub(crate) struct Size {
    /// Keys beside those of the callers and of the live streams.
    pub(crate) keys: usize,
    pub(crate) live: usize,
    pub(crate) ended: usize,
}

impl Size {
    pub(crate) const ORDINARY: Self = Self { keys: 0, live: 100, ended: 10_000 };
}

/// The stores, by their names in the table.
pub(crate) const STORES: [&str; 2] = ["SQLite", "PostgreSQL"];
/// Connections for claims to PostgreSQL. SQLite has one writer.
const CONNECTIONS: u32 = 11;
const HOOK: &str = "hook-secret-of-the-bench";
const ADMIN: &str = "admin-token-of-the-bench";
const PASSWORD: &str = "correct horse battery";

/// Where a Streamward listens, in this process or another, and the keys it knows.
pub(crate) struct Target {
    pub(crate) store: String,
    pub(crate) address: SocketAddr,
    pub(crate) keys: Vec<KeySecret>,
}

/// A running Streamward.
pub(crate) struct Subject {
    pub(crate) target: Target,
    pub(crate) database: Database,
    stop: CancellationToken,
    tasks: JoinSet<io::Result<()>>,
    cluster: Option<Cluster>,
    _files: Option<tempfile::TempDir>,
}

impl Subject {
    /// On the database of this name.
    pub(crate) async fn on(store: &str, size: Size) -> Self {
        if store == STORES[0] { Self::sqlite(size).await } else { Self::postgres(size).await }
    }

    /// On a SQLite file.
    async fn sqlite(size: Size) -> Self {
        let files = tempfile::tempdir().expect("a temporary folder");
        let file = files.path().join("bench.db");
        let db = open_sqlite(&file).await.expect("a SQLite file");
        let store: Arc<dyn Store> = Arc::new(SqlStore::new(prepared(db).await));
        let stores = [(); 4].map(|()| Arc::clone(&store));
        let mut subject = Self::start(STORES[0], stores, Database::sqlite(&file).await, size).await;
        subject._files = Some(files);
        subject
    }

    /// On a PostgreSQL that syncs to disk, with separate connections for each kind of work as in the service.
    async fn postgres(size: Size) -> Self {
        let cluster = Cluster::start(true).expect("PostgreSQL's programs: .ci/setup installs them");
        let url = cluster.url("postgres");
        let pool = |n| open_postgres(&url, &PgSettings::new(n)).expect("a pool");
        let auth = prepared(pool(CONNECTIONS)).await;
        let lists = PgSettings { for_lists: true, ..PgSettings::new(PAGES_AT_ONCE) };
        let lists = open_postgres(&url, &lists).expect("a pool");
        let stores = [auth, pool(12), lists, pool(5)].map(|db| Arc::new(SqlStore::new(db)) as Arc<dyn Store>);
        let database = Database::postgres(&url, CONNECTIONS).await;
        let mut subject = Self::start(STORES[1], stores, database, size).await;
        subject.cluster = Some(cluster);
        subject
    }

    async fn start(name: &'static str, stores: [Arc<dyn Store>; 4], database: Database, size: Size) -> Self {
        let [auth_store, store, lists, worker_store] = stores;
        let wake_ups: Arc<dyn WakeUps> = Arc::new(LocalWakeUps::default());
        let core = Core {
            auth_store,
            store: Arc::clone(&store),
            lists: ListStore::new(lists),
            worker_store,
            clock: Arc::new(SystemClock),
            ids: Arc::new(SystemIds),
            wake_ups,
            hasher: MasterKey::new([1; 32]).hasher(),
            sealer: Sealer::new(&MasterKey::new([1; 32])),
            audience: "sw-bench".to_owned(),
            refusals: RefusalRollup::default(),
            lines: Arc::default(),
        };
        let end_wait = Duration::from_secs(2);
        let shared = Shared::new(core, Config::default(), secrets(), Outside::default(), end_wait);
        let keys = fill(&shared, &*store, size.live).await;
        database.add_keys(size.keys).await;
        database.add_ended(size.ended).await;
        KeyCacheLoader::new(&shared.core, Arc::clone(&shared.key_cache), Arc::clone(&shared.events))
            .tick(&TaskContext::default())
            .await
            .expect("the keys load");
        let (guard, events) = (Arc::clone(&shared.playback_guard), Arc::clone(&shared.events));
        PlaybackRefresh::new(Arc::clone(&shared.core), guard, events, Duration::from_secs(86_400))
            .tick(&TaskContext::default())
            .await
            .expect("the rules load");
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port on loopback");
        let address = listener.local_addr().expect("the port");
        let stop = CancellationToken::new();
        let options = HttpOptions { stop: stop.clone(), ..HttpOptions::default() };
        let router = Instance::build(&shared, options).router;
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(listener, router, ServeLimits::default(), stop.clone()));
        let target = Target { store: name.to_owned(), address, keys };
        Self { target, database, stop, tasks, cluster: None, _files: None }
    }

    pub(crate) async fn stop(mut self) {
        self.stop.cancel();
        while let Some(ended) = self.tasks.join_next().await {
            ended.expect("the service does not panic").expect("the service stops cleanly");
        }
    }

    /// The body of `GET /streams`, for the reference to send.
    pub(crate) async fn list_body(&self) -> String {
        let answer =
            crate::load::fetch(self.target.address, &self.target.list(0, 0)).await.expect("the list");
        let (_, body) = answer.split_once("\r\n\r\n").expect("an HTTP head");
        body.to_owned()
    }
}

impl Target {
    /// A viewer's `/auth` request.
    pub(crate) fn read(&self, n: usize, _: usize) -> Vec<u8> {
        auth_request("read", &format!("live/{n}"), n, "")
    }

    /// An encoder's `/auth` request with a valid key, always of the same connection, so that each one is a claim.
    pub(crate) fn known(&self, n: usize, _: usize) -> Vec<u8> {
        auth_request("publish", &format!("live/{n}"), n, &format!("key={}", self.keys[n].expose()))
    }

    /// An encoder's `/auth` request with an unknown key.
    pub(crate) fn unknown(&self, n: usize, i: usize) -> Vec<u8> {
        let mut bytes = [0xAB; 32];
        bytes[..8].copy_from_slice(&(n * 1_000_000 + i).to_le_bytes());
        auth_request(
            "publish",
            &format!("live/{n}"),
            n,
            &format!("key={}", KeySecret::from_random(bytes).expose()),
        )
    }

    /// A person who signs in; each caller is another one.
    pub(crate) fn sign_in(&self, n: usize, _: usize) -> Vec<u8> {
        let body = format!("{{\"email\":\"{}\",\"password\":\"{PASSWORD}\"}}", email(n));
        format!(
            "POST /session HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    }

    /// A dashboard's `GET /streams`.
    pub(crate) fn list(&self, _: usize, _: usize) -> Vec<u8> {
        format!("GET /streams HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {ADMIN}\r\n\r\n").into_bytes()
    }
}

fn email(n: usize) -> String {
    format!("person{n}@bench.example")
}

fn auth_request(action: &str, path: &str, n: usize, query: &str) -> Vec<u8> {
    let body = format!(
        "{{\"ip\":\"127.0.0.1\",\"user\":\"\",\"password\":\"\",\"token\":\"\",\"action\":\"{action}\",\"path\":\"{path}\",\
         \"protocol\":\"rtmp\",\"id\":\"188d9bad-0000-4000-8000-{n:012}\",\"query\":\"{query}\",\
         \"userAgent\":\"FMLE/3.0 (compatible; Lavf59.27.100)\"}}"
    );
    format!(
        "POST /auth HTTP/1.1\r\nhost: bench\r\nuser-agent: Go-http-client/1.1\r\nauthorization: Bearer {HOOK}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

async fn prepared(db: Db) -> Db {
    migrate(&db).await.expect("the schema");
    db
}

fn secrets() -> Secrets {
    let urls = BaseUrls {
        hls: "http://localhost:8888".into(),
        webrtc: "http://localhost:8889".into(),
        rtmp: "rtmp://localhost:1935".into(),
        rtsp: "rtsp://localhost:8554".into(),
        srt: "srt://localhost:8890".into(),
    };
    let server = MediaServerSettings {
        urls: url_templates(&urls),
        capabilities: Capabilities::MEDIAMTX,
        control_secret: Secret::new("control"),
        relay_secret: Secret::new("relay"),
    };
    Secrets {
        servers: ConfiguredServers([(MediaServerName::default(), server)].into()),
        access: AccessSettings {
            hook_secrets: vec![Secret::new(HOOK)],
            admin_token: Some(Secret::new(ADMIN)),
            ..AccessSettings::default()
        },
    }
}

/// People with a password, a key for each caller, and live streams with other keys.
async fn fill(shared: &Shared, store: &dyn Store, streams: usize) -> Vec<KeySecret> {
    let actor = Actor::cli("bench");
    for n in 0..SIGN_INS {
        let draft = UserDraft { email: Some(email(n)), ..UserDraft::default() };
        shared.users.create(&actor, &draft, Some(PASSWORD)).await.expect("a person");
    }
    let draft = BroadcasterDraft { display_name: Some("Bench".into()), ..BroadcasterDraft::default() };
    let broadcaster = shared.broadcasters.create(&actor, draft).await.expect("a broadcaster").id.to_string();
    let key = async |path: String| {
        let draft = StreamKeyDraft {
            broadcaster_id: broadcaster.clone(),
            path: Some(path),
            ..StreamKeyDraft::default()
        };
        shared.stream_keys.create(&actor, draft).await.expect("a key")
    };
    let mut secrets = Vec::new();
    for n in 0..CALLERS {
        secrets.push(key(format!("live/{n}")).await.secret);
    }
    let mut started = Vec::new();
    for n in 0..streams {
        started.push(start(n, key(format!("show/{n}")).await.key.id));
    }
    let server = MediaServerName::default();
    let lease = store.renew_instance("bench", 1, Duration::from_secs(600)).await.expect("the store");
    let assigned = store.take_assignments(&lease, &["bench".to_owned()]).await.expect("the store");
    let assignment = assigned.first().expect("an assignment");
    let changes = Changes { started, ..Changes::default() };
    let (now, new_id) = (SystemClock.now(), || StreamId(SystemIds.uuid()));
    let applied = store.apply_changes(assignment, &server, &changes, now, &new_id).await;
    assert_eq!(applied.expect("streams start").started.len(), streams);
    secrets
}

/// A stream that a poll finds.
fn start(n: usize, key: StreamKeyId) -> Start {
    let id = SourceId::parse(&format!("live-{n}")).expect("an id");
    Start {
        key,
        connection: Connection { server: MediaServerName::default(), id },
        aliases: vec![],
        kind: Some(SourceKind::Rtmp),
        form: IngestForm::NamedPath,
        stats: StreamStats {
            readers: 3,
            tracks: vec!["H264".into(), "MPEG-4 Audio".into()],
            inbound_bytes: 1 << 30,
        },
    }
}
