//! The application under test: the real router, a real store, the tasks, and media servers in memory.
//! `TestApp::memory().await.as_admin().post("/broadcasters").json(…).await.assert_status(201)`.

mod answer;
mod call;
mod clock;
mod engine;
mod media;
mod reader;
mod record;
mod steps;
mod work;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use streamward::adapters::http::{HttpOptions, MetricsText};
use streamward::adapters::local_wake_ups::LocalWakeUps;
use streamward::adapters::mediamtx::url_templates;
use streamward::adapters::sql::{Db, SqlStore};
use streamward::adapters::system::SystemIds;
use streamward::app::Core;
use streamward::app::access::AccessSettings;
use streamward::app::list::ListStore;
use streamward::app::media_server::{ConfiguredServers, MediaServerSettings};
use streamward::app::studio::StudioSetup;
use streamward::app::task::TaskList;
use streamward::app::user::Providers;
use streamward::domain::access::{Role, TokenSecret};
use streamward::domain::media_server::{BaseUrls, Capabilities, MediaServerName};
use streamward::domain::secret::{MasterKey, Secret};
use streamward::ports::{ChannelEngine, Clock, DestinationProbe, Mailer, WakeUps, WebhookVerifier};
use streamward::runtime::config::{Config, ConfigDuration, KickFeedChoice, Studio};
use streamward::runtime::slices::{Instance, Outside, Secrets, Shared};
use streamward_test_support::TimeLimit;
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub(crate) use answer::Answer;
pub(crate) use call::{Call, Caller, Shows};
pub(crate) use clock::TestClock;
pub(crate) use engine::{Engine, Place, every_engine};
pub(crate) use media::FakeMedia;
pub(crate) use reader::{Got, Reader};
pub(crate) use record::Record;
pub(crate) use steps::Key;
pub(crate) use work::assigned;

pub(crate) const HOOK_SECRET: &str = "hook-secret-0123456789";
pub(crate) const CONTROL_SECRET: &str = "control-secret-0123456789";
pub(crate) const RELAY_SECRET: &str = "relay-secret-0123456789";
pub(crate) const HMAC_SECRET: &str = "hmac-secret-0123456789";

/// An instance with its store and media servers.
pub(crate) struct TestApp {
    pub(crate) router: Router,
    /// Those with addresses of their own.
    pub(crate) own_routers: Vec<(String, Router)>,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) media_servers: BTreeMap<MediaServerName, FakeMedia>,
    pub(crate) record: Record,
    pub(crate) stop: CancellationToken,
    pub(crate) db: Option<Db>,
    /// The database for lists.
    pub(crate) lists: Option<Db>,
    pub(crate) place: Arc<Place>,
    /// The folder of clips.
    pub(crate) media_dir: Arc<TempDir>,
    tokens: BTreeMap<Role, String>,
    instance: String,
    setup: Setup,
    tasks: JoinSet<()>,
    _limit: TimeLimit,
}

/// What a test may configure.
#[derive(Clone)]
pub(crate) struct Setup {
    pub(crate) hmac_keys: BTreeMap<String, Secret>,
    pub(crate) hook_secrets: Vec<Secret>,
    pub(crate) metrics: Option<MetricsText>,
    pub(crate) metrics_token: Option<Secret>,
    pub(crate) trusted_proxies: Vec<ipnet::IpNet>,
    pub(crate) end_wait: Duration,
    pub(crate) tasks: TaskList,
    pub(crate) webhooks: Option<Arc<dyn WebhookVerifier>>,
    pub(crate) channel_engine: Option<Arc<dyn ChannelEngine>>,
    pub(crate) destination_probe: Option<Arc<dyn DestinationProbe>>,
    /// No instance supervises them.
    pub(crate) studios: Vec<StudioSetup>,
    pub(crate) mailer: Option<Arc<dyn Mailer>>,
    pub(crate) providers: Providers,
    /// Changes the configuration.
    pub(crate) configure: fn(&mut Config),
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            hmac_keys: BTreeMap::new(),
            hook_secrets: vec![Secret::new(HOOK_SECRET)],
            metrics: None,
            metrics_token: None,
            trusted_proxies: vec![],
            end_wait: Duration::from_secs(2),
            tasks: TaskList::default(),
            webhooks: None,
            channel_engine: None,
            destination_probe: None,
            studios: vec![],
            mailer: None,
            providers: Providers::new(),
            configure: |_| {},
        }
    }
}

impl TestApp {
    pub(crate) async fn memory() -> Self {
        Self::on(Engine::Memory).await
    }

    pub(crate) async fn on(engine: Engine) -> Self {
        Self::with(engine, Setup::default()).await
    }

    pub(crate) async fn with(engine: Engine, setup: Setup) -> Self {
        let clock = Arc::new(TestClock::default());
        let place = Arc::new(Place::fresh(engine, Arc::clone(&clock) as Arc<dyn Clock>).await);
        let media_servers = ["default", "eu"]
            .map(|name| (MediaServerName::parse(name).expect("a good name"), FakeMedia::default()));
        let tokens = BTreeMap::from([(Role::Admin, TokenSecret::from_random([7; 32]).expose().to_owned())]);
        let mut app = Self {
            router: Router::new(),
            own_routers: vec![],
            clock,
            media_servers: media_servers.into(),
            record: Record::default(),
            stop: CancellationToken::new(),
            db: None,
            lists: None,
            place,
            media_dir: Arc::new(TempDir::new().expect("a folder")),
            tokens,
            instance: "one".into(),
            setup,
            tasks: JoinSet::new(),
            _limit: TimeLimit::start(),
        };
        app.start().await;
        for (role, name) in [(Role::Viewer, "viewer"), (Role::Operator, "operator")] {
            let draft = serde_json::json!({"name": name, "role": name});
            let made = app.as_admin().post("/api-tokens").json(draft).shown_once().await.assert_status(201);
            app.tokens.insert(role, made.text("/token"));
        }
        app
    }

    /// A second instance over the same store.
    pub(crate) async fn another(&self) -> Self {
        let mut app = Self {
            router: Router::new(),
            own_routers: vec![],
            clock: Arc::clone(&self.clock),
            media_servers: self.media_servers.clone(),
            record: self.record.clone(),
            stop: CancellationToken::new(),
            db: None,
            lists: None,
            place: Arc::clone(&self.place),
            media_dir: Arc::clone(&self.media_dir),
            tokens: self.tokens.clone(),
            instance: "two".into(),
            setup: self.setup.clone(),
            tasks: JoinSet::new(),
            _limit: TimeLimit::start(),
        };
        app.start().await;
        app
    }

    /// Starts anew with the same store, as after a crash.
    pub(crate) async fn restart(&mut self) {
        self.tasks.shutdown().await;
        for db in [self.lists.take(), self.db.take()].into_iter().flatten() {
            db.close().await;
        }
        self.stop = CancellationToken::new();
        self.start().await;
    }

    async fn start(&mut self) {
        let (store, db) = self.place.open().await;
        let wake_ups: Arc<dyn WakeUps> = Arc::new(LocalWakeUps::default());
        let mut core = Core::over_one_store(
            Arc::clone(&store),
            Arc::clone(&self.clock) as Arc<dyn Clock>,
            Arc::new(SystemIds),
            Arc::clone(&wake_ups),
            &MasterKey::new([9; 32]),
        );
        let [db, lists] = db.map_or([None, None], |db| db.map(Some));
        if let Some(lists) = &lists {
            core.lists = ListStore::new(Arc::new(SqlStore::new(lists.clone())));
        }
        let mut config = Config::default();
        config.kick.feed = Some(KickFeedChoice::Poll);
        config.reconcile.interval = ConfigDuration(work::EVERY);
        config.media.dir = Some(self.media_dir.path().to_owned());
        for setup in &self.setup.studios {
            let health_listen = Some("127.0.0.1:8000".into());
            let studio = Studio { supervise: false, health_listen, ..Studio::default() };
            config.studios.insert(setup.name.clone(), studio);
        }
        (self.setup.configure)(&mut config);
        let media = self.media_servers.iter();
        let outside = Outside {
            media_servers: media.map(|(name, media)| (name.clone(), Arc::new(media.clone()) as _)).collect(),
            webhooks: self.setup.webhooks.clone(),
            kick: None,
            channel_engine: self.setup.channel_engine.clone(),
            destination_probe: self.setup.destination_probe.clone(),
            media: None,
            studios: self.setup.studios.clone(),
            mailer: self.setup.mailer.clone(),
            providers: self.setup.providers.clone(),
        };
        let shared = Shared::new(core, config, self.secrets(), outside, self.setup.end_wait);
        let options = HttpOptions {
            metrics: self.setup.metrics.clone(),
            metrics_token: self.setup.metrics_token.clone(),
            trusted_proxies: self.setup.trusted_proxies.clone(),
            tasks: self.setup.tasks.clone(),
            stop: self.stop.clone(),
            ..HttpOptions::default()
        };
        (self.db, self.lists) = (db, lists);
        let instance = Instance::build(&shared, options);
        self.tasks = work::start(instance.tasks, &store, &wake_ups, &self.instance).await;
        (self.router, self.own_routers) = (instance.router, instance.own_routers);
    }

    fn secrets(&self) -> Secrets {
        let server = |name: &MediaServerName| {
            let urls = BaseUrls {
                hls: format!("http://{name}.test:8888"),
                webrtc: format!("http://{name}.test:8889"),
                rtmp: format!("rtmp://{name}.test:1935"),
                rtsp: format!("rtsp://{name}.test:8554"),
                srt: format!("srt://{name}.test:8890"),
            };
            let (control_secret, relay_secret) = (Secret::new(CONTROL_SECRET), Secret::new(RELAY_SECRET));
            let (urls, capabilities) = (url_templates(&urls), Capabilities::MEDIAMTX);
            (name.clone(), MediaServerSettings { urls, capabilities, control_secret, relay_secret })
        };
        Secrets {
            servers: ConfiguredServers(self.media_servers.keys().map(server).collect()),
            access: AccessSettings {
                hook_secrets: self.setup.hook_secrets.clone(),
                admin_token: self.tokens.get(&Role::Admin).map(Secret::new),
                hmac_secret: Some(Secret::new(HMAC_SECRET)),
                hmac_keys: self.setup.hmac_keys.clone(),
            },
        }
    }

    /// The media server `default`.
    pub(crate) fn media(&self) -> &FakeMedia {
        &self.media_servers[&MediaServerName::default()]
    }

    pub(crate) fn token(&self, role: Role) -> &str {
        &self.tokens[&role]
    }

    pub(crate) fn as_role(&self, role: Role) -> Caller {
        self.showing(Shows::Bearer(self.token(role).to_owned()))
    }

    pub(crate) fn as_viewer(&self) -> Caller {
        self.as_role(Role::Viewer)
    }

    pub(crate) fn as_operator(&self) -> Caller {
        self.as_role(Role::Operator)
    }

    pub(crate) fn as_admin(&self) -> Caller {
        self.as_role(Role::Admin)
    }

    pub(crate) fn as_nobody(&self) -> Caller {
        self.showing(Shows::Nothing)
    }

    /// Signs with the right secret and time.
    pub(crate) fn as_signer(&self) -> Caller {
        self.signing_at(self.clock.seconds())
    }

    pub(crate) fn signing_at(&self, at: i64) -> Caller {
        let (key_id, secret) = ("dashboard".to_owned(), HMAC_SECRET.to_owned());
        self.showing(Shows::Signature { key_id, secret, at })
    }

    pub(crate) fn showing(&self, shows: Shows) -> Caller {
        Caller { router: self.router.clone(), record: self.record.clone(), shows }
    }
}
