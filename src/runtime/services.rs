//! The services of the application, and what is made of them.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;

use crate::adapters::http::{self, EventStreams, Gate, HttpOptions};
use crate::app::Core;
use crate::app::access::{Access, AccessSettings, SIGNATURE_WINDOW};
use crate::app::audit::AuditLog;
use crate::app::broadcaster::Broadcasters;
use crate::app::events::{EventTail, Events};
use crate::app::health::Health;
use crate::app::hook::Hooks;
use crate::app::housekeeping::{Housekeeping, Retention};
use crate::app::key_cache::{KeyCache, KeyCacheLoader};
use crate::app::media_server::{ConfiguredServers, MediaServers};
use crate::app::poll_requests::PollRequests;
use crate::app::publish::{PublishAuth, PublishSettings};
use crate::app::reconcile::{ReconcileIntervals, Reconciler};
use crate::app::stream::Streams;
use crate::app::stream_key::StreamKeys;
use crate::app::streamer::{StreamerSettings, Streamers};
use crate::domain::media_server::MediaServerName;
use crate::ports::{MediaServer, WebhookVerifier};

/// How long an instance whose lease expired is remembered.
const INSTANCES_KEPT: Duration = Duration::from_secs(86_400);

/// Limits, secrets and media servers.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The media servers.
    pub servers: ConfiguredServers,
    /// What callers show.
    pub access: AccessSettings,
    /// How publish requests are decided.
    pub publish: PublishSettings,
    /// How long a call waits for a session to end.
    pub end_wait: Duration,
    /// How streamers are watched.
    pub streamers: StreamerSettings,
    /// How long events are kept.
    pub event_retention: Duration,
    /// How long audit entries are kept.
    pub audit_retention: Duration,
}

impl Default for Settings {
    /// No media servers, no secrets, and times as in the default configuration.
    fn default() -> Self {
        Self {
            servers: ConfiguredServers::default(),
            access: AccessSettings::default(),
            publish: PublishSettings::default(),
            end_wait: Duration::from_secs(2),
            streamers: StreamerSettings::default(),
            event_retention: Duration::from_secs(30 * 86_400),
            audit_retention: Duration::from_secs(365 * 86_400),
        }
    }
}

/// One service for each slice.
#[derive(Clone)]
#[expect(missing_docs, reason = "each field is named after its type")]
pub struct Services {
    pub core: Arc<Core>,
    pub access: Arc<Access>,
    pub audit: Arc<AuditLog>,
    pub broadcasters: Arc<Broadcasters>,
    pub events: Arc<Events>,
    pub health: Arc<Health>,
    pub hooks: Arc<Hooks>,
    pub media_servers: Arc<MediaServers>,
    pub publish: Arc<PublishAuth>,
    pub streams: Arc<Streams>,
    pub stream_keys: Arc<StreamKeys>,
    pub streamers: Arc<Streamers>,
    servers: Arc<ConfiguredServers>,
    polls: Arc<PollRequests>,
    key_cache: Arc<KeyCache>,
    claim_ttl: Duration,
    retentions: Vec<Retention>,
}

impl Services {
    /// Puts them together. Nothing runs yet.
    pub fn new(core: Core, settings: Settings, webhooks: Option<Arc<dyn WebhookVerifier>>) -> Self {
        let core = Arc::new(core);
        let servers = Arc::new(settings.servers);
        let polls = Arc::new(PollRequests::new(Arc::clone(&core.wake_ups)));
        let key_cache = Arc::new(KeyCache::default());
        let of = |core: &Arc<Core>| Arc::clone(core);
        let media_servers = Arc::new(MediaServers::new(of(&core), Arc::clone(&servers)));
        let streams = Streams::new(of(&core), Arc::clone(&servers), Arc::clone(&polls), settings.end_wait);
        let streams = Arc::new(streams);
        let stream_keys =
            StreamKeys::new(of(&core), Arc::clone(&servers), Arc::clone(&streams), Arc::clone(&key_cache));
        let stream_keys = Arc::new(stream_keys);
        let publish = PublishAuth::new(
            of(&core),
            settings.publish,
            Arc::clone(&servers),
            Arc::clone(&media_servers),
            Arc::clone(&polls),
            Arc::clone(&key_cache),
        );
        let streamers = settings.streamers;
        // Twice the window on either side: a request stamped in the future is valid for that much longer.
        let window = Duration::from_secs(SIGNATURE_WINDOW.unsigned_abs() * 4);
        let retentions = vec![
            Retention { keep: settings.event_retention, prune: |store, at| store.prune_events(at) },
            Retention { keep: streamers.history_retention, prune: |store, at| store.prune_status_events(at) },
            Retention { keep: settings.audit_retention, prune: |store, at| store.prune_audit(at) },
            Retention { keep: window, prune: |store, at| store.prune_signatures(at) },
            Retention { keep: INSTANCES_KEPT, prune: |store, at| store.prune_instances(at) },
        ];
        Self {
            access: Arc::new(Access::new(of(&core), settings.access, Arc::clone(&servers))),
            audit: Arc::new(AuditLog::new(of(&core))),
            broadcasters: Arc::new(Broadcasters::new(of(&core), Arc::clone(&stream_keys))),
            events: Arc::new(Events::new(&core)),
            health: Arc::new(Health::new(of(&core), Arc::clone(&servers), streamers.is_on)),
            hooks: Arc::new(Hooks::new(of(&core), Arc::clone(&media_servers), Arc::clone(&polls))),
            publish: Arc::new(publish),
            streamers: Arc::new(Streamers::new(of(&core), streamers, webhooks)),
            claim_ttl: settings.publish.claim_ttl,
            core,
            media_servers,
            streams,
            stream_keys,
            servers,
            polls,
            key_cache,
            retentions,
        }
    }

    /// The configured media servers.
    pub fn servers(&self) -> &ConfiguredServers {
        &self.servers
    }

    /// Loads the keys that may be looked up.
    pub fn key_cache_loader(&self) -> KeyCacheLoader {
        KeyCacheLoader::new(&self.core, Arc::clone(&self.key_cache), Arc::clone(&self.events))
    }

    /// Moves new events to the readers of this instance.
    pub fn event_tail(&self) -> EventTail {
        EventTail::new(Arc::clone(&self.events))
    }

    /// Writes counts down and removes old rows.
    pub fn housekeeping(&self) -> Housekeeping {
        let (publish, media_servers) = (Arc::clone(&self.publish), Arc::clone(&self.media_servers));
        Housekeeping::new(Arc::clone(&self.core), publish, media_servers, self.retentions.clone())
    }

    /// Reconciles one media server.
    pub fn reconciler(
        &self,
        name: MediaServerName,
        remote: Arc<dyn MediaServer>,
        poll: Duration,
    ) -> Reconciler {
        let intervals = ReconcileIntervals { poll, claim_ttl: self.claim_ttl };
        let (servers, polls) = (Arc::clone(&self.servers), Arc::clone(&self.polls));
        Reconciler::new(Arc::clone(&self.core), servers, polls, (name, remote), intervals)
    }

    /// Everything that is answered over HTTP.
    pub fn router(&self, options: HttpOptions) -> Router {
        let (access, streams) = (&self.access, &self.streams);
        let gate = Gate::new(Arc::clone(access), Arc::clone(&self.audit), &options.trusted_proxies);
        let events = EventStreams::new(Arc::clone(&self.events), Arc::clone(access), options.stop.clone());
        let document = openapi_json().into();
        let tasks = options.tasks.clone();
        let operation = http::operation::Operation { health: Arc::clone(&self.health), options, document };
        let slices = [
            http::streams::routes().serve(Arc::clone(streams), &gate),
            http::stream_events::routes().serve((events.clone(), Arc::clone(streams)), &gate),
            http::stream_keys::routes().serve(Arc::clone(&self.stream_keys), &gate),
            http::broadcasters::routes().serve(Arc::clone(&self.broadcasters), &gate),
            http::streamers::routes().serve(Arc::clone(&self.streamers), &gate),
            http::streamer_events::routes().serve(events, &gate),
            http::kick::routes().serve(Arc::clone(&self.streamers), &gate),
            http::api_tokens::routes().serve(Arc::clone(access), &gate),
            http::audit::routes().serve(Arc::clone(&self.audit), &gate),
            http::media_servers::routes().serve(Arc::clone(&self.media_servers), &gate),
            http::tasks::routes().serve(tasks, &gate),
            http::auth::routes().serve((Arc::clone(access), Arc::clone(&self.publish)), &gate),
            http::hooks::routes().serve((Arc::clone(access), Arc::clone(&self.hooks)), &gate),
            http::operation::serve(operation, &gate),
        ];
        http::router(slices, Arc::clone(&self.core.ids))
    }
}

/// The OpenAPI document of [`Services::router`].
pub fn openapi_json() -> String {
    http::openapi_json([
        http::streams::routes().document(),
        http::stream_events::routes().document(),
        http::stream_keys::routes().document(),
        http::broadcasters::routes().document(),
        http::streamers::routes().document(),
        http::streamer_events::routes().document(),
        http::kick::routes().document(),
        http::api_tokens::routes().document(),
        http::audit::routes().document(),
        http::media_servers::routes().document(),
        http::tasks::routes().document(),
        http::auth::routes().document(),
        http::hooks::routes().document(),
        http::operation::routes().document(),
    ])
}
