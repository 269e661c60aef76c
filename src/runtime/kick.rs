//! Builds the parts for Kick from the configuration: API, feed and webhook verifier.

use std::num::NonZeroU32;
use std::sync::Arc;

use anyhow::Context as _;
use url::Url;

use super::config::{Kick as KickConfig, KickFeedChoice};
use crate::adapters::kick::feed::{FeedChoice, FeedSettings, KickFeed};
use crate::adapters::kick::{
    KickHttp, KickSettings, KickWebhooks, SubscriptionSettings, WebhookKeySettings, WebhookSubscriptions,
};
use crate::adapters::system::{SystemClock, SystemIds};
use crate::app::streamer::{Streamers, Watcher};
use crate::ports::{KickApi, StatusFeed, WebhookVerifier};

/// The parts that watch Kick.
pub struct KickClients {
    /// Kick's API.
    pub(super) kick: Arc<dyn KickApi>,
    /// The feed; `None` if only full polls show who is live.
    pub(super) feed: Option<Arc<dyn StatusFeed>>,
    needs_channel_ids: bool,
}

impl KickClients {
    /// Builds the parts from `[kick]`. Does not connect yet.
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

    /// The same, without webhook subscriptions: they belong to the app, so a process that watches a few names would
    /// delete those of all others. This process receives no webhooks.
    pub(super) fn observing(self) -> Self {
        let keeps_subscriptions = self.feed.is_some() && !self.needs_channel_ids;
        Self { feed: self.feed.filter(|_| !keeps_subscriptions), ..self }
    }

    /// The watcher of these streamers.
    pub(super) fn watcher(&self, streamers: Arc<Streamers>) -> Watcher {
        Watcher::new(streamers, self.feed.clone(), Arc::clone(&self.kick), self.needs_channel_ids)
    }
}

/// The verifier of Kick's webhooks. They are accepted with every feed, as a second source.
pub(super) fn webhooks(config: &KickConfig) -> anyhow::Result<Arc<dyn WebhookVerifier>> {
    let key = WebhookKeySettings { pem: config.webhook_public_key.clone(), ..WebhookKeySettings::default() };
    let webhooks = KickWebhooks::new(&api(config)?, key).context("kick.webhook_public_key")?;
    Ok(Arc::new(webhooks))
}

fn api(config: &KickConfig) -> anyhow::Result<KickSettings> {
    Ok(KickSettings {
        api_url: url("kick.api_url", &config.api_url)?,
        auth_url: url("kick.auth_url", &config.auth_url)?,
        site_url: url("kick.site_url", &config.site_url)?,
        client_id: config.client_id.clone().unwrap_or_default(),
        client_secret: config.client_secret.clone().unwrap_or_default().0,
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
            let outside = KickClients::new(&config).unwrap().observing();
            assert_eq!(outside.feed.is_some(), has_feed, "{choice:?}");
        }
    }
}
