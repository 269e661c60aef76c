//! The section `[kick]`: watching streamers on Kick.com. Off until `feed` is set.

use serde::Serialize;
use strum::{EnumString, IntoStaticStr, VariantNames};

use super::error::ConfigError;
use super::section::section;
use super::values::{ConfigDuration, SecretValue, address, choice, if_set, within};

section! {
    pub struct Kick, check app; {
        /// The source of status changes. Without it no streamer is watched. `webhook` and `poll` are official; `auto`,
        /// `pusher` and `centrifugo` are the feeds of Kick's web site: unofficial, but faster.
        feed: Option<KickFeedChoice>,
            unset "not set: nobody is watched; auto, pusher, centrifugo (unofficial), webhook, poll";
        /// The id of your app, from kick.com/settings/developer.
        client_id: Option<String>;
        /// The secret of that app.
        client_secret: Option<SecretValue>, unset "not set: Kick's official API cannot be used";
        /// How often all streamers are polled at Kick's API.
        sweep_interval: ConfigDuration = ConfigDuration::MINUTE,
            check within(ConfigDuration::SECOND, ConfigDuration::HOUR);
        /// The most requests to Kick's API in a minute.
        requests_per_minute: u32 = 60, check within(1, 100_000);
        /// The most channels on one connection of a feed. With Centrifugo never more than 100.
        channels_per_connection: u32 = 250, check within(1, 10_000);
        /// How long a streamer must be offline before the change is announced.
        flap_window: ConfigDuration = ConfigDuration::seconds(15),
            check within(ConfigDuration::seconds(0), ConfigDuration::HOUR);
        /// How long status changes are kept. The last one of each streamer is kept for ever.
        history_retention: ConfigDuration = ConfigDuration::days(365),
            check within(ConfigDuration::HOUR, ConfigDuration::CENTURY);
        /// The key of Kick's Pusher app. Fetched from Kick if not set.
        pusher_key: Option<String>, unset "not set: fetched from Kick";
        /// The Pusher server.
        pusher_url: String = "wss://ws-us2.pusher.com".into(), check address(&["wss", "ws"]);
        /// The Centrifugo server. Fetched from Kick if not set.
        centrifugo_url: Option<String>, check if_set(address(&["wss", "ws"])), unset "not set: fetched from Kick";
        /// Where Kick's web site publishes which feed to use.
        realtime_url: String = "https://web.kick.com".into(), check address(&["https", "http"]);
        /// Kick's official API.
        api_url: String = "https://api.kick.com".into(), check address(&["https", "http"]);
        /// Where the tokens for Kick's official API come from.
        auth_url: String = "https://id.kick.com".into(), check address(&["https", "http"]);
        /// Kick's web site. Only it has the channel ids of streamers who are not live. Unofficial.
        site_url: String = "https://kick.com".into(), check address(&["https", "http"]);
        /// Kick's public key, as PEM, for the signatures of webhooks. Fetched from Kick if not set.
        webhook_public_key: Option<String>, unset "not set: fetched from Kick";
    }
}

/// Where status changes come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, EnumString, IntoStaticStr, VariantNames)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum KickFeedChoice {
    /// The feed that Kick's web site uses now. Unofficial.
    Auto,
    /// Pusher. Unofficial.
    Pusher,
    /// Centrifugo. Unofficial.
    Centrifugo,
    /// Kick's webhooks. Official.
    Webhook,
    /// None: the official API is polled.
    Poll,
}

impl KickFeedChoice {
    /// The word in the configuration.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Whether it is a feed of Kick's web site.
    pub fn is_unofficial(self) -> bool {
        matches!(self, Self::Auto | Self::Pusher | Self::Centrifugo)
    }
}

choice!(KickFeedChoice);

/// An app of Kick needs both its id and its secret, and the official feeds need an app.
fn app(kick: &mut Kick) -> Result<(), ConfigError> {
    let needs_app = matches!(kick.feed, Some(KickFeedChoice::Webhook | KickFeedChoice::Poll));
    let refuse = |key: &str, rule: &str| Err(ConfigError::new(key, rule));
    match (&kick.client_id, &kick.client_secret) {
        (None, Some(_)) => refuse("client_id", "is missing: it belongs to kick.client_secret"),
        (Some(_), None) => refuse("client_secret", "is missing: it belongs to kick.client_id"),
        (None, None) if needs_app => refuse(
            "client_id",
            "and kick.client_secret are needed with this kick.feed: make an app at kick.com/settings/developer",
        ),
        _ => Ok(()),
    }
}
