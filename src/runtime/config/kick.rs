//! The section `[kick]`: watching streamers on Kick.com.

use serde::{Deserialize, Serialize};

use super::types::{ConfigDuration, SecretValue, number};

/// Watching streamers on Kick.com. Off until `feed` is set.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Kick {
    /// Where edges come from, and with it whether streamers are watched at all. `webhook` and `poll` are official;
    /// `auto`, `pusher` and `centrifugo` are Kick's own web feeds, unofficial and quicker.
    pub feed: Option<KickFeedChoice>,
    /// The app of kick.com/settings/developer.
    pub client_id: Option<String>,
    /// Its secret.
    pub client_secret: Option<SecretValue>,
    /// How often everyone is asked about.
    pub sweep_interval: ConfigDuration,
    /// Questions to Kick's API in a minute, at most.
    #[serde(deserialize_with = "number")]
    pub requests_per_minute: u32,
    /// Channels on one connection of a feed, at most; never more than 100 with Centrifugo.
    #[serde(deserialize_with = "number")]
    pub channels_per_connection: u32,
    /// How long somebody must have been offline before it is announced; a comeback within that time is not.
    pub flap_window: ConfigDuration,
    /// How long changes of status are kept; each streamer's last one for ever.
    pub history_retention: ConfigDuration,
    /// The key of Kick's Pusher app; asked for when absent.
    pub pusher_key: Option<String>,
    /// The Pusher server.
    pub pusher_url: String,
    /// The Centrifugo server; asked for when absent.
    pub centrifugo_url: Option<String>,
    /// Where the web site says which feed to use.
    pub realtime_url: String,
    /// The official API.
    pub api_url: String,
    /// Where tokens come from.
    pub auth_url: String,
    /// The web site, which alone tells the channel numbers of those who are not live. Unofficial.
    pub site_url: String,
    /// Kick's public key, as PEM, for the signatures of webhooks; asked for when absent.
    pub webhook_public_key: Option<String>,
}

/// Where edges come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KickFeedChoice {
    /// Whatever Kick's web site is told to use. Unofficial.
    Auto,
    /// Pusher. Unofficial.
    Pusher,
    /// Centrifugo. Unofficial.
    Centrifugo,
    /// Kick's webhooks. Official.
    Webhook,
    /// No edges: the official API is asked now and then.
    Poll,
}

impl KickFeedChoice {
    /// As it is configured and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Pusher => "pusher",
            Self::Centrifugo => "centrifugo",
            Self::Webhook => "webhook",
            Self::Poll => "poll",
        }
    }

    /// Whether it is one of Kick's own web feeds.
    pub fn is_unofficial(self) -> bool {
        matches!(self, Self::Auto | Self::Pusher | Self::Centrifugo)
    }
}

impl Default for Kick {
    fn default() -> Self {
        Self {
            feed: None,
            client_id: None,
            client_secret: None,
            sweep_interval: ConfigDuration::seconds(60),
            requests_per_minute: 60,
            channels_per_connection: 250,
            flap_window: ConfigDuration::seconds(15),
            history_retention: ConfigDuration::days(365),
            pusher_key: None,
            pusher_url: "wss://ws-us2.pusher.com".into(),
            centrifugo_url: None,
            realtime_url: "https://web.kick.com".into(),
            api_url: "https://api.kick.com".into(),
            auth_url: "https://id.kick.com".into(),
            site_url: "https://kick.com".into(),
            webhook_public_key: None,
        }
    }
}
