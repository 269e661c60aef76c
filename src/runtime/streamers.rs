//! Kick, put together from the configuration: its API, the feed that was chosen, the check of its webhooks; and the
//! commands that need it.

use std::ffi::OsString;
use std::num::NonZeroU32;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;

use super::bootstrap::Bootstrap;
use super::config::{Config, Kick as KickConfig, KickFeedChoice, Loaded, SecretValue};
use super::databases::{Purpose, Schema};
use super::main::with_services;
use super::secrets::settings;
use super::service::END_WAIT;
use super::services::{Services, Settings};
use super::signals::Signals;
use crate::adapters::cli::streamer::WatchArgs;
use crate::adapters::cli::{self, Output};
use crate::adapters::kick::feed::{FeedChoice, FeedSettings, KickFeed};
use crate::adapters::kick::{
    KickHttp, KickSettings, KickWebhooks, SubscriptionSettings, WebhookKeySettings, WebhookSubscriptions,
};
use crate::adapters::local_wake_ups::LocalWakeUps;
use crate::adapters::memory::MemoryStore;
use crate::adapters::system::{SystemClock, SystemIds};
use crate::app::Core;
use crate::app::streamer::Watcher;
use crate::app::task::{LongRunningTask as _, TaskContext};
use crate::domain::AuditId;
use crate::domain::access::{Actor, Scope};
use crate::domain::audit::AuditEntry;
use crate::domain::secret::Secret;
use crate::domain::streamer::{Slug, Streamer};
use crate::ports::{
    Clock as _, IdGen as _, KickApi, StatusFeed, Store, StreamerFilter, StreamerStore as _, WebhookVerifier,
};

/// What watching streamers needs of the outside.
pub(super) struct Outside {
    /// Kick's API.
    pub(super) kick: Arc<dyn KickApi>,
    /// The feed; `None` if only the sweep is to tell who is live.
    pub(super) feed: Option<Arc<dyn StatusFeed>>,
    needs_channel_ids: bool,
}

impl Outside {
    /// As `[kick]` says. Connects to nothing yet.
    pub(super) fn new(config: &KickConfig) -> anyhow::Result<Self> {
        let kick = Arc::new(KickHttp::new(&api(config)?, Arc::new(SystemClock)).context("kick")?);
        let unofficial = |choice| -> anyhow::Result<Arc<dyn StatusFeed>> {
            let settings = feed(config, choice)?;
            Ok(Arc::new(KickFeed::new(settings, Arc::new(SystemClock), Arc::new(SystemIds)).context("kick")?))
        };
        let feed = match config.feed {
            None | Some(KickFeedChoice::Poll) => None,
            Some(KickFeedChoice::Auto) => Some(unofficial(FeedChoice::Auto)?),
            Some(KickFeedChoice::Pusher) => Some(unofficial(FeedChoice::Pusher)?),
            Some(KickFeedChoice::Centrifugo) => Some(unofficial(FeedChoice::Centrifugo)?),
            Some(KickFeedChoice::Webhook) => {
                let settings = SubscriptionSettings::default();
                Some(Arc::new(WebhookSubscriptions::new(Arc::clone(&kick), settings)) as Arc<dyn StatusFeed>)
            }
        };
        let needs_channel_ids = config.feed.is_some_and(KickFeedChoice::is_unofficial);
        Ok(Self { kick, feed, needs_channel_ids })
    }

    /// The same, but it changes nothing at Kick: subscriptions to webhooks belong to the app, and whoever watches a few
    /// names only would have Kick drop those of all others. Webhooks do not come to this process in any case.
    fn observing(self) -> Self {
        let keeps_subscriptions = self.feed.is_some() && !self.needs_channel_ids;
        Self { feed: self.feed.filter(|_| !keeps_subscriptions), ..self }
    }

    /// The watcher of these streamers.
    pub(super) fn watcher(&self, services: &Services) -> Watcher {
        Watcher::new(
            Arc::clone(&services.streamers),
            self.feed.clone(),
            Arc::clone(&self.kick),
            self.needs_channel_ids,
        )
    }
}

/// What tells Kick's webhooks from others, if they are to be heard: with every feed but none at all, as a second way.
pub(super) fn webhooks(config: &Config) -> anyhow::Result<Option<Arc<dyn WebhookVerifier>>> {
    if config.kick.feed.is_none() {
        return Ok(None);
    }
    let key =
        WebhookKeySettings { pem: config.kick.webhook_public_key.clone(), ..WebhookKeySettings::default() };
    let webhooks = KickWebhooks::new(&api(&config.kick)?, key).context("kick.webhook_public_key")?;
    Ok(Some(Arc::new(webhooks)))
}

fn api(config: &KickConfig) -> anyhow::Result<KickSettings> {
    Ok(KickSettings {
        api_url: url("kick.api_url", &config.api_url)?,
        auth_url: url("kick.auth_url", &config.auth_url)?,
        site_url: url("kick.site_url", &config.site_url)?,
        client_id: config.client_id.clone().unwrap_or_default(),
        client_secret: config
            .client_secret
            .clone()
            .map_or_else(|| Secret::new(""), |SecretValue(secret)| secret),
        requests_per_minute: NonZeroU32::new(config.requests_per_minute).unwrap_or(NonZeroU32::MIN),
        allow_site: config.feed.is_some_and(KickFeedChoice::is_unofficial),
        ..KickSettings::default()
    })
}

fn feed(config: &KickConfig, choice: FeedChoice) -> anyhow::Result<FeedSettings> {
    let centrifugo_url = config.centrifugo_url.as_deref().map(|text| url("kick.centrifugo_url", text));
    Ok(FeedSettings {
        realtime_url: url("kick.realtime_url", &config.realtime_url)?,
        pusher_url: url("kick.pusher_url", &config.pusher_url)?,
        pusher_key: config.pusher_key.clone(),
        centrifugo_url: centrifugo_url.transpose()?,
        channels_per_connection: usize::try_from(config.channels_per_connection).unwrap_or(usize::MAX),
        ..FeedSettings::new(choice)?
    })
}

fn url(key: &str, text: &str) -> anyhow::Result<Url> {
    Url::parse(text).with_context(|| format!("{key} is no address"))
}

/// `streamer test`: what Kick says of somebody.
pub(super) async fn test(
    loaded: Loaded,
    env: &[(OsString, OsString)],
    username: &str,
    out: &mut Output,
) -> anyhow::Result<()> {
    let kick = Outside::new(&loaded.config.kick)?.kick;
    let work =
        async |services: &Services| cli::streamer::lookup(&services.streamers, &*kick, username, out).await;
    with_services(loaded, env, work).await
}

/// `kick token`: whether Kick knows us. Needs no database.
pub(super) async fn token(loaded: &Loaded, out: &mut Output) -> anyhow::Result<()> {
    let kick = Outside::new(&loaded.config.kick)?.kick;
    cli::kick::token(&*kick, SystemClock.now(), out).await
}

/// `kick probe`: whether the feed lets us in.
pub(super) async fn probe(
    loaded: Loaded,
    env: &[(OsString, OsString)],
    channels: &[u64],
    out: &mut Output,
) -> anyhow::Result<()> {
    let Some(feed) = Outside::new(&loaded.config.kick)?.feed else {
        bail!("kick.feed is not set, or it is poll, which is no feed to connect to: set it to auto");
    };
    let work = async |services: &Services| cli::kick::probe(&services.streamers, feed, channels, out).await;
    with_services(loaded, env, work).await
}

/// `streamer watch`: streamers live, until a key or a signal ends it.
pub(super) async fn watch(
    loaded: Loaded,
    env: &[(OsString, OsString)],
    args: &WatchArgs,
    out: &mut Output,
) -> anyhow::Result<()> {
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    tasks.spawn(Signals::listen()?.watch(stop.clone()));
    if !args.dry_run {
        let show = async |services: &Services| {
            cli::streamer::watch(&services.streamers, &services.events, args, stop, out).await
        };
        return with_services(loaded, env, show).await;
    }
    if loaded.config.kick.feed.is_none() {
        bail!("kick.feed is not set: it says how to watch, for example STREAMWARD_KICK__FEED=auto");
    }
    let outside = Outside::new(&loaded.config.kick)?.observing();
    let base = Bootstrap::open(loaded, env, Purpose::Command, Schema::Expect).await?;
    let settings = settings(&base, END_WAIT).await?;
    let streamers = chosen(&base, &args.usernames).await?;
    // From here on the database is not touched any more.
    base.databases.close().await;
    let services = over_memory(&base, settings, &streamers).await?;
    let mut watcher = outside.watcher(&services);
    let context = TaskContext::new(tokio::sync::watch::Sender::default(), stop.clone());
    let watching = watcher.run(&context);
    tokio::select! {
        shown = cli::streamer::watch(&services.streamers, &services.events, args, stop, out) => shown,
        ended = watching => ended.context("watching ended"),
    }
}

/// Those on the list that were named, and those that were named and are not on it; or the whole list.
async fn chosen(base: &Bootstrap, names: &[String]) -> anyhow::Result<Vec<Streamer>> {
    let filter = StreamerFilter { is_active: Some(true), ..StreamerFilter::default() };
    let mut streamers = base.store().streamers(&Scope::system(), &filter).await?;
    if names.is_empty() {
        return Ok(streamers);
    }
    let slugs = names.iter().map(|name| Slug::parse(name)).collect::<Result<Vec<_>, _>>()?;
    streamers.retain(|streamer| slugs.iter().any(|slug| slug.is(&streamer.username)));
    for slug in slugs {
        if !streamers.iter().any(|streamer| slug.is(&streamer.username)) {
            let id = crate::domain::StreamerId(SystemIds.uuid());
            streamers.push(Streamer::new(id, &slug, SystemClock.now()));
        }
    }
    Ok(streamers)
}

/// The services over a store that forgets everything, with these streamers in it.
async fn over_memory(
    base: &Bootstrap,
    settings: Settings,
    streamers: &[Streamer],
) -> anyhow::Result<Services> {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new(Arc::new(SystemClock)));
    let actor = Actor::cli("streamer watch --dry-run");
    for streamer in streamers {
        let id = AuditId(SystemIds.uuid());
        let entry = AuditEntry::of(id, SystemClock.now(), &actor, "create", "streamer");
        store.create_streamer(&Scope::system(), streamer, &entry).await?;
    }
    let hasher = base.master.hasher();
    let wake_ups = Arc::new(LocalWakeUps::default());
    let core = Core::over_one_store(store, Arc::new(SystemClock), Arc::new(SystemIds), wake_ups, hasher);
    Ok(Services::new(core, settings, None))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_only_observes_keeps_no_subscriptions_at_kick() {
        for (choice, has_feed) in [
            (KickFeedChoice::Webhook, false),
            (KickFeedChoice::Poll, false),
            (KickFeedChoice::Auto, true),
            (KickFeedChoice::Pusher, true),
        ] {
            let config = KickConfig { feed: Some(choice), ..KickConfig::default() };
            let outside = Outside::new(&config).unwrap().observing();
            assert_eq!(outside.feed.is_some(), has_feed, "{choice:?}");
        }
    }
}
