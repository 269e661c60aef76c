//! Kick, put together from the configuration: its API, the feed that was chosen, the check of its webhooks.

use std::num::NonZeroU32;
use std::sync::Arc;

use anyhow::Context as _;
use url::Url;

use super::config::{Config, Guarded, Kick as KickConfig, KickFeedChoice};
use crate::adapters::kick::feed::{FeedChoice, FeedSettings, KickFeed};
use crate::adapters::kick::{
    KickHttp, KickSettings, KickWebhooks, SubscriptionSettings, WebhookKeySettings, WebhookSubscriptions,
};
use crate::adapters::system::{SystemClock, SystemIds};
use crate::app::App;
use crate::app::streamer::Watcher;
use crate::domain::secret::Secret;
use crate::ports::{Kick, StatusFeed, WebhookVerifier};

/// What watching streamers needs of the outside.
pub(super) struct Outside {
    /// Kick's API.
    kick: Arc<dyn Kick>,
    /// The feed; `None` if only the sweep is to tell who is live.
    feed: Option<Arc<dyn StatusFeed>>,
    goes_by_channel: bool,
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
        let goes_by_channel = config.feed.is_some_and(KickFeedChoice::is_unofficial);
        Ok(Self { kick, feed, goes_by_channel })
    }

    /// The watcher of `app`'s streamers.
    pub(super) fn watcher(&self, app: &Arc<App>) -> Watcher {
        Watcher::new(Arc::clone(app), self.feed.clone(), Arc::clone(&self.kick), self.goes_by_channel)
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
        client_secret: config.client_secret.clone().map_or_else(|| Secret::new(""), |Guarded(secret)| secret),
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
