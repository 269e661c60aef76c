//! A model of publishing: random histories of encoders, hooks, polls, revocations, outages and restarts, and what must
//! hold after each of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use proptest::prelude::*;
use streamward::adapters::local_wake_ups::LocalWakeUps;
use streamward::adapters::mediamtx::url_templates;
use streamward::adapters::memory::MemoryStore;
use streamward::adapters::system::SystemIds;
use streamward::app::Core;
use streamward::app::broadcaster::BroadcasterDraft;
use streamward::app::hook::{HookMessage, Hooks};
use streamward::app::list::List as _;
use streamward::app::media_server::{ConfiguredServers, MediaServerSettings};
use streamward::app::reconcile::{ReconcileIntervals, Reconciler};
use streamward::app::stream_key::StreamKeyDraft;
use streamward::app::task::{PeriodicTask as _, Task as _, TaskContext};
use streamward::domain::access::{Actor, Scope};
use streamward::domain::credentials::{Action, AuthRequest, Credentials};
use streamward::domain::media_server::{
    BaseUrls, Capabilities, MediaServerName, ObservedPath, ObservedSource, Relay, Snapshot, SourceId,
    SourceKind, StreamStats,
};
use streamward::domain::page::Page;
use streamward::domain::path::{IngestPath, StreamPath};
use streamward::domain::reconcile::HookKind;
use streamward::domain::secret::{KeySecret, MasterKey, Secret};
use streamward::domain::{StreamKeyId, Timestamp};
use streamward::ports::{
    Assignment, Clock, LeaseStore as _, MediaServer, RelayRemoval, RemoteError, ServerInfo, ServerSettings,
    StatusFilter, StreamFilter,
};
use streamward::runtime::config::Config;
use streamward::runtime::slices::{Outside, Secrets, Shared};

use crate::harness::assigned;

/// How many keys there are; each has a path of its own.
const KEYS: usize = 3;
/// How many connections may come.
const CONNECTIONS: usize = 8;

/// What can happen.
#[derive(Clone, Debug)]
enum Step {
    /// A connection requests to publish with a key, at a named path or at the key as the path.
    Publish { connection: usize, key: usize, private: bool },
    /// An allowed connection becomes live.
    GoLive { connection: usize },
    /// A connection ends, allowed or live.
    Leave { connection: usize },
    /// A hook event arrives, true or not, perhaps late or twice.
    Hook { kind: HookKind, connection: usize, key: usize },
    /// The reconcile loop polls.
    Poll,
    /// The media server stops or begins to answer.
    Reachable(bool),
    /// The media server restarts.
    RestartServer,
    /// Streamward restarts.
    RestartStreamward,
    /// A key is revoked.
    Revoke { key: usize },
    /// A key gets a new secret.
    Rotate { key: usize },
    /// An operator ends the stream of a key.
    End { key: usize },
    /// Time passes.
    Wait { seconds: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    let (connection, key) = (0..CONNECTIONS, 0..KEYS);
    let kind = prop_oneof![Just(HookKind::Ready), Just(HookKind::NotReady)];
    prop_oneof![
        6 => (connection.clone(), key.clone(), any::<bool>()).prop_map(|(connection, key, private)| Step::Publish { connection, key, private }),
        6 => connection.clone().prop_map(|connection| Step::GoLive { connection }),
        3 => connection.clone().prop_map(|connection| Step::Leave { connection }),
        4 => (kind, connection, key.clone()).prop_map(|(kind, connection, key)| Step::Hook { kind, connection, key }),
        6 => Just(Step::Poll),
        2 => any::<bool>().prop_map(Step::Reachable),
        1 => Just(Step::RestartServer),
        1 => Just(Step::RestartStreamward),
        1 => key.clone().prop_map(|key| Step::Revoke { key }),
        1 => key.clone().prop_map(|key| Step::Rotate { key }),
        1 => key.prop_map(|key| Step::End { key }),
        3 => (0..20u64).prop_map(|seconds| Step::Wait { seconds }),
    ]
}

/// A clock that is set by the test.
struct Hands(Mutex<Timestamp>);

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        *self.0.lock().expect("the clock's lock")
    }
}

/// A media server in memory.
#[derive(Default)]
struct Server(Mutex<ServerState>);

#[derive(Default)]
struct ServerState {
    unreachable: bool,
    run: u32,
    /// Connection → path, once live.
    live: HashMap<String, String>,
    relays: HashMap<String, String>,
}

impl Server {
    fn state(&self) -> std::sync::MutexGuard<'_, ServerState> {
        self.0.lock().expect("the server's lock")
    }
}

#[async_trait]
impl MediaServer for Server {
    fn capabilities(&self) -> Capabilities {
        Capabilities::MEDIAMTX
    }

    async fn snapshot(&self) -> Result<Snapshot, RemoteError> {
        let state = self.state();
        if state.unreachable {
            return Err(RemoteError::TimedOut);
        }
        let publisher = |(id, path): (&String, &String)| ObservedPath {
            path: IngestPath::from_media_server(path),
            live: true,
            configured: false,
            source: Some(ObservedSource {
                kind: SourceKind::Rtmp,
                publishes: true,
                id: SourceId::parse(id),
                aliases: vec![],
            }),
            stats: StreamStats::default(),
        };
        let relay = |path: &String| ObservedPath {
            path: IngestPath::from_media_server(path),
            live: false,
            configured: true,
            source: Some(ObservedSource {
                kind: SourceKind::from_name("rtspSource"),
                publishes: false,
                id: None,
                aliases: vec![],
            }),
            stats: StreamStats::default(),
        };
        let paths = state.live.iter().map(publisher).chain(state.relays.keys().map(relay)).collect();
        Ok(Snapshot { run: Some(state.run.to_string()), version: None, paths, unreadable: vec![] })
    }

    async fn disconnect(&self, source: &ObservedSource) -> Result<(), RemoteError> {
        let mut state = self.state();
        if state.unreachable {
            return Err(RemoteError::TimedOut);
        }
        state.live.remove(source.id.as_ref().expect("publishers have ids").as_str());
        Ok(())
    }

    async fn ensure_relay(&self, relay: &Relay, _: &Secret) -> Result<(), RemoteError> {
        self.state().relays.insert(relay.public.to_string(), relay.private.expose().to_owned());
        Ok(())
    }

    async fn remove_relay(&self, public: &StreamPath) -> Result<RelayRemoval, RemoteError> {
        self.state().relays.remove(public.as_str());
        Ok(RelayRemoval::Gone)
    }

    async fn info(&self) -> Result<ServerInfo, RemoteError> {
        Ok(ServerInfo::default())
    }

    async fn settings(&self) -> Result<ServerSettings, RemoteError> {
        Ok(ServerSettings::default())
    }
}

struct World {
    clock: Arc<Hands>,
    store: Arc<MemoryStore>,
    server: Arc<Server>,
    shared: Shared,
    hooks: Hooks,
    reconciler: Reconciler,
    assignment: Assignment,
    instance: u32,
    keys: Vec<(StreamKeyId, KeySecret)>,
    /// Connections that were allowed and are not live yet: the path they publish to.
    allowed: HashMap<usize, String>,
    /// How often each client has reconnected; every time it is another connection.
    generation: Vec<u32>,
}

impl World {
    async fn new() -> Self {
        let clock = Arc::new(Hands(Mutex::new(Timestamp::from_seconds(1_800_000_000))));
        let store = Arc::new(MemoryStore::new(Arc::clone(&clock) as Arc<dyn Clock>));
        let server = Arc::new(Server::default());
        let (shared, reconciler, assignment) = start(&clock, &store, &server, 0).await;
        let broadcaster = shared
            .broadcasters
            .create(
                &actor(),
                BroadcasterDraft { display_name: Some("Alice".into()), ..BroadcasterDraft::default() },
            )
            .await
            .expect("a broadcaster");
        let mut keys = Vec::new();
        for n in 0..KEYS {
            let takeover = (n == 0).then(|| "takeover".to_owned());
            // The last one expires during the history.
            let expires = (n == KEYS - 1).then(|| clock.now().plus(Duration::from_secs(60)).to_string());
            let draft = StreamKeyDraft {
                broadcaster_id: broadcaster.id.to_string(),
                path: Some(format!("live/{n}")),
                on_conflict: takeover,
                expires_at: expires,
                label: None,
                playback_access: None,
            };
            let key = shared.stream_keys.create(&actor(), draft).await.expect("a key");
            keys.push((key.key.id, key.secret));
        }
        let generation = vec![0; CONNECTIONS];
        Self {
            clock,
            store,
            server,
            hooks: hooks(&shared),
            shared,
            reconciler,
            assignment,
            instance: 0,
            keys,
            allowed: HashMap::new(),
            generation,
        }
    }

    fn id(&self, connection: usize) -> String {
        format!("c{connection}-{}", self.generation[connection])
    }

    async fn take(&mut self, step: &Step) {
        match step {
            Step::Publish { connection, key, private } => {
                self.request_publish(*connection, *key, *private).await;
            }
            Step::GoLive { connection } => {
                if let Some(path) = self.allowed.remove(connection) {
                    let id = self.id(*connection);
                    let mut state = self.server.state();
                    // In MediaMTX a new publisher replaces the one at the same path.
                    state.live.retain(|_, other| *other != path);
                    state.live.insert(id, path);
                }
            }
            Step::Leave { connection } => self.leave(*connection),
            Step::Hook { kind, connection, key } => {
                let message = HookMessage {
                    kind: *kind,
                    path: IngestPath::from_media_server(&format!("live/{key}")),
                    source_type: Some("rtmpConn".into()),
                    source_id: Some(self.id(*connection)),
                };
                self.hooks
                    .accept(&MediaServerName::default(), message)
                    .await
                    .expect("the store takes a hook");
            }
            Step::Poll => self.poll().await,
            Step::Reachable(reachable) => self.server.state().unreachable = !reachable,
            Step::RestartServer => {
                {
                    let mut state = self.server.state();
                    state.run += 1;
                    state.live.clear();
                    state.relays.clear();
                }
                (0..CONNECTIONS).for_each(|connection| self.leave(connection));
            }
            Step::RestartStreamward => self.restart().await,
            Step::Revoke { key } => {
                self.shared.stream_keys.revoke(&actor(), self.keys[*key].0).await.expect("a known key");
            }
            Step::Rotate { key } => {
                // A revoked or expired key is refused, which is part of the history.
                if let Ok(rotated) = self.shared.stream_keys.rotate(&actor(), self.keys[*key].0).await {
                    self.keys[*key].1 = rotated.secret;
                }
            }
            Step::End { key } => {
                for stream in self.streams(StatusFilter::Active).await {
                    if stream.stream_key_id == self.keys[*key].0 {
                        self.shared.streams.end(&actor(), stream.id).await.expect("a known stream");
                    }
                }
            }
            Step::Wait { seconds } => {
                let mut now = self.clock.0.lock().expect("the clock's lock");
                *now = now.plus(Duration::from_secs(*seconds));
            }
        }
    }

    async fn request_publish(&mut self, connection: usize, key: usize, private: bool) {
        let live = self.server.state().live.contains_key(&self.id(connection));
        if live || self.allowed.contains_key(&connection) {
            return;
        }
        let secret = &self.keys[key].1;
        let path = if private { format!("live/{}", secret.expose()) } else { format!("live/{key}") };
        let request = AuthRequest {
            action: Action::Publish,
            path: IngestPath::from_media_server(&path),
            protocol: "rtmp",
            connection: SourceId::parse(&self.id(connection)),
            ip: None,
            credentials: Credentials {
                password: Secret::new(secret.expose()),
                token: Secret::new(""),
                query: Secret::new(""),
            },
        };
        if self.shared.publish.decide(&MediaServerName::default(), &request).await.result.is_ok() {
            self.allowed.insert(connection, path);
        }
    }

    fn leave(&mut self, connection: usize) {
        self.allowed.remove(&connection);
        let id = self.id(connection);
        self.server.state().live.remove(&id);
        self.generation[connection] += 1;
    }

    async fn poll(&mut self) {
        // The lease may have expired, since the clock may have jumped.
        let (instance, key) = (self.assignment.instance.clone(), self.reconciler.name());
        if let Some(assignment) = assigned(&*self.store, &instance, key).await.expect("the store") {
            self.assignment = assignment;
            // A failed poll is part of the history.
            let _ = self.reconciler.tick(&TaskContext::under(self.assignment.clone())).await;
        }
    }

    async fn restart(&mut self) {
        self.instance += 1;
        let held = std::slice::from_ref(&self.assignment);
        self.store.release_assignments(held).await.expect("the store");
        (self.shared, self.reconciler, self.assignment) =
            start(&self.clock, &self.store, &self.server, self.instance).await;
        self.hooks = hooks(&self.shared);
    }

    async fn streams(&self, status: StatusFilter) -> Vec<streamward::domain::stream::Stream> {
        let filter = StreamFilter { status, ..StreamFilter::default() };
        self.shared.streams.list(&actor(), &filter, &Page::default()).await.expect("the store lists streams")
    }

    /// What must hold at every moment.
    async fn check(&self) {
        let active = self.streams(StatusFilter::Active).await;
        for (key, _) in &self.keys {
            let live = active.iter().filter(|stream| stream.stream_key_id == *key).count();
            assert!(live <= 1, "{live} live streams for one key");
        }
    }

    /// What must hold once everything is reachable and has been polled several times.
    async fn check_recovered(&mut self) {
        self.server.state().unreachable = false;
        for _ in 0..6 {
            self.poll().await;
        }
        let active = self.streams(StatusFilter::Active).await;
        let live: Vec<String> = self.server.state().live.keys().cloned().collect();
        let mut recorded: Vec<String> =
            active.iter().filter_map(|s| s.source_id.as_ref().map(ToString::to_string)).collect();
        let mut carried = live.clone();
        recorded.sort();
        carried.sort();
        assert_eq!(recorded, carried, "the records differ from the media server");
        let now = self.clock.now();
        for stream in &active {
            let key = self.shared.stream_keys.get(&actor(), stream.stream_key_id).await.expect("its key").key;
            assert!(key.is_usable(now), "a live stream of an unusable key");
            assert_eq!(
                key.holder.connection().map(|c| &c.id),
                stream.source_id.as_ref(),
                "the holder is not the live connection"
            );
        }
        self.check_history().await;
        let private: usize = self.server.state().live.values().filter(|path| path.contains("sk_")).count();
        assert_eq!(self.server.state().relays.len(), private, "not one relay for each private session");
    }

    /// Every stream started once in the log, and ended once if it has ended; nothing is lost.
    async fn check_history(&self) {
        use streamward::ports::EventStore as _;
        let events = self.store.events_after(&Scope::system(), None, 0, u32::MAX).await.expect("the log");
        let of = |kind: &'static str| {
            let logged = events.iter().filter(move |event| event.kind == kind);
            let mut ids: Vec<_> = logged.map(|event| event.subject).collect();
            ids.sort();
            ids
        };
        let ids = |mut streams: Vec<streamward::domain::stream::Stream>| {
            streams.sort_by_key(|stream| stream.id);
            streams.into_iter().map(|stream| stream.id.0).collect::<Vec<_>>()
        };
        assert_eq!(of("stream.started"), ids(self.streams(StatusFilter::All).await));
        assert_eq!(of("stream.ended"), ids(self.streams(StatusFilter::Ended).await));
        assert!(events.iter().zip(1..).all(|(event, n)| event.seq == n), "a gap in the log");
    }
}

async fn start(
    clock: &Arc<Hands>,
    store: &Arc<MemoryStore>,
    server: &Arc<Server>,
    instance: u32,
) -> (Shared, Reconciler, Assignment) {
    let urls = BaseUrls {
        hls: "h".into(),
        webrtc: "w".into(),
        rtmp: "r".into(),
        rtsp: "rtsp://h".into(),
        srt: "s".into(),
    };
    let known = MediaServerSettings {
        capabilities: Capabilities::MEDIAMTX,
        urls: url_templates(&urls),
        control_secret: Secret::new("control"),
        relay_secret: Secret::new("relay"),
    };
    let servers = ConfiguredServers([(MediaServerName::default(), known)].into());
    let secrets = Secrets { servers, ..Secrets::default() };
    let core = Core::over_one_store(
        Arc::clone(store) as _,
        Arc::clone(clock) as _,
        Arc::new(SystemIds),
        Arc::new(LocalWakeUps::default()),
        &MasterKey::new([1; 32]),
    );
    // Nobody reconciles while a call waits for the end of a session.
    let shared = Shared::new(core, Config::default(), secrets, Outside::default(), Duration::ZERO);
    let remote = (MediaServerName::default(), Arc::clone(server) as Arc<dyn MediaServer>);
    let (core, servers, polls) = (&shared.core, &shared.servers, &shared.polls);
    let intervals = ReconcileIntervals { poll: Duration::from_secs(2), claim_ttl: Duration::from_secs(15) };
    let polls = (Arc::clone(polls), Arc::clone(&shared.grace), Arc::clone(&shared.live_stats));
    let reconciler = Reconciler::new(Arc::clone(core), Arc::clone(servers), polls, remote, intervals);
    let instance = format!("instance-{instance}");
    let assignment = assigned(&**store, &instance, reconciler.name()).await.expect("the store");
    (shared, reconciler, assignment.expect("it is free"))
}

fn hooks(shared: &Shared) -> Hooks {
    let (media_servers, polls) = (Arc::clone(&shared.media_servers), Arc::clone(&shared.polls));
    Hooks::new(Arc::clone(&shared.core), media_servers, polls, Arc::clone(&shared.grace))
}

fn actor() -> Actor {
    Actor::cli("model")
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 2_000, ..ProptestConfig::default() })]

    /// No history leaves two live streams of one key, a live stream of an unusable key, or a lost end.
    #[test]
    fn every_history_ends_with_correct_records(history in prop::collection::vec(step(), 1..80)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let mut world = World::new().await;
            for step in &history {
                world.take(step).await;
                world.check().await;
            }
            world.check_recovered().await;
        });
    }
}
