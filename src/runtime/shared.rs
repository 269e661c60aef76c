//! What slices share: the configuration, the systems outside, and the services that more than one slice calls.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::adapters::argon2_pool::Argon2Pool;
use crate::app::Core;
use crate::app::access::{Access, AccessSettings};
use crate::app::audit::AuditLog;
use crate::app::auth_failures::AuthFailures;
use crate::app::broadcaster::Broadcasters;
use crate::app::clip::{ClipSettings, Clips};
use crate::app::events::Events;
use crate::app::grace::Grace;
use crate::app::key_cache::KeyCache;
use crate::app::live_stats::LiveStats;
use crate::app::media_server::{ConfiguredServers, MediaServers};
use crate::app::organization::Organizations;
use crate::app::playback::{Playback, PlaybackGuard};
use crate::app::poll_requests::PollRequests;
use crate::app::publish::{PublishAuth, PublishSettings};
use crate::app::stream::Streams;
use crate::app::stream_key::StreamKeys;
use crate::app::studio::{StudioSetup, Studios};
use crate::app::user::{Providers, UserSettings, Users};
use crate::domain::media_server::MediaServerName;
use crate::domain::user::SessionTerms;
use crate::ports::{
    ChannelEngine, DestinationProbe, Examiner, Mailer, MediaServer, MediaStore, WebhookVerifier,
};
use crate::runtime::config::Config;
use crate::runtime::kick::KickClients;

/// The secrets: from the configuration, or made at the first start and kept in the database.
#[derive(Clone, Debug, Default)]
pub struct Secrets {
    /// The secrets that clients and media servers send.
    pub access: AccessSettings,
    /// The media servers, with the secrets between them and us.
    pub servers: ConfiguredServers,
}

/// The systems outside, behind their ports.
#[derive(Default)]
pub struct Outside {
    /// The media servers.
    pub media_servers: BTreeMap<MediaServerName, Arc<dyn MediaServer>>,
    /// Kick, if streamers are watched.
    pub kick: Option<KickClients>,
    /// Verifies Kick's webhooks, if they are accepted.
    pub webhooks: Option<Arc<dyn WebhookVerifier>>,
    /// What carries the media of channels, if this instance runs them.
    pub channel_engine: Option<Arc<dyn ChannelEngine>>,
    /// What tests destinations.
    pub destination_probe: Option<Arc<dyn DestinationProbe>>,
    /// Where the files of clips are; `None` for the folder `media.dir`.
    pub media: Option<Arc<dyn MediaStore>>,
    /// The studios, by name.
    pub studios: Vec<StudioSetup>,
    /// What sends e-mail, if a mail server is configured.
    pub mailer: Option<Arc<dyn Mailer>>,
    /// The providers that people sign in with.
    pub providers: Providers,
    /// What checks this installation, in a running service.
    pub examiner: Option<Arc<dyn Examiner>>,
}

/// What slices share.
#[expect(missing_docs, reason = "most fields are named after their type")]
pub struct Shared {
    pub config: Config,
    pub outside: Outside,
    pub core: Arc<Core>,
    pub servers: Arc<ConfiguredServers>,
    pub polls: Arc<PollRequests>,
    pub grace: Arc<Grace>,
    pub key_cache: Arc<KeyCache>,
    pub live_stats: Arc<LiveStats>,
    pub access: Arc<Access>,
    pub audit: Arc<AuditLog>,
    pub auth_failures: Arc<AuthFailures>,
    pub broadcasters: Arc<Broadcasters>,
    pub clips: Arc<Clips>,
    pub events: Arc<Events>,
    pub media_servers: Arc<MediaServers>,
    pub organizations: Arc<Organizations>,
    pub playback: Arc<Playback>,
    pub playback_guard: Arc<PlaybackGuard>,
    pub publish: Arc<PublishAuth>,
    pub stream_keys: Arc<StreamKeys>,
    pub streams: Arc<Streams>,
    pub studios: Arc<Studios>,
    pub users: Arc<Users>,
}

impl Shared {
    /// Builds it. A call that ends sessions waits up to `end_wait` for them.
    pub fn new(core: Core, config: Config, secrets: Secrets, outside: Outside, end_wait: Duration) -> Self {
        let (core, servers) = (Arc::new(core), Arc::new(secrets.servers));
        let polls = Arc::new(PollRequests::new(Arc::clone(&core.wake_ups)));
        let (core, servers, polls) = (|| Arc::clone(&core), || Arc::clone(&servers), || Arc::clone(&polls));
        let key_cache = Arc::new(KeyCache::default());
        let grace = Arc::new(Grace::new(config.auth.grace.0, Arc::clone(&key_cache)));
        let media_servers = Arc::new(MediaServers::new(core(), servers()));
        let streams = Arc::new(Streams::new(core(), servers(), polls(), end_wait));
        let stream_keys = StreamKeys::new(core(), servers(), Arc::clone(&streams), Arc::clone(&key_cache));
        let stream_keys = Arc::new(stream_keys);
        let settings = PublishSettings { claim_ttl: config.auth.claim_ttl.0, ..PublishSettings::default() };
        let clips = ClipSettings {
            max_bytes: config.media.max_bytes.unwrap_or(u64::MAX),
            upload_expiry: config.media.upload_expiry.0,
            jobs: config.media.jobs,
        };
        let auth_failures = Arc::new(AuthFailures::new(core()));
        let failures = Arc::clone(&auth_failures);
        let access = Arc::new(Access::new(core(), secrets.access, servers(), failures));
        let (idle, longest) = (config.users.session_idle.0, config.users.session_max.0);
        let users = UserSettings { terms: SessionTerms { idle, longest }, public_url: config.public_url() };
        let (hasher, mailer) = (Arc::new(Argon2Pool::new()), outside.mailer.clone());
        let providers = outside.providers.clone();
        let users = Arc::new(Users::new(core(), Arc::clone(&access), hasher, mailer, providers, users));
        let failures = Arc::clone(&auth_failures);
        let guard = Arc::new(PlaybackGuard::new(config.playback.access, core().audience.clone()));
        let viewers = (Arc::clone(&guard), failures);
        let (contacts, cache) = (Arc::clone(&media_servers), (Arc::clone(&key_cache), Arc::clone(&grace)));
        Self {
            core: core(),
            servers: servers(),
            polls: polls(),
            access,
            users,
            audit: Arc::new(AuditLog::new(core())),
            broadcasters: Arc::new(Broadcasters::new(core(), Arc::clone(&stream_keys))),
            clips: Arc::new(Clips::new(core(), super::clip::outside(&config, outside.media.clone()), clips)),
            events: Arc::new(Events::new(&core())),
            organizations: Arc::new(Organizations::new(core())),
            publish: Arc::new(PublishAuth::new(
                core(),
                settings,
                servers(),
                contacts,
                polls(),
                cache,
                viewers,
            )),
            playback: Arc::new(Playback::new(core(), servers(), Arc::clone(&guard))),
            playback_guard: guard,
            auth_failures,
            studios: Arc::new(Studios::new(core(), outside.studios.clone())),
            config,
            outside,
            grace,
            key_cache,
            live_stats: Arc::default(),
            media_servers,
            stream_keys,
            streams,
        }
    }
}
