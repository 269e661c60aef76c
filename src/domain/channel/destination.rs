//! Destinations: where a programme is pushed.

use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};
use url::Url;

use super::model::ChannelId;
use super::srt::SrtAddress;
use crate::domain::Timestamp;
use crate::domain::id::id;
use crate::domain::invalid::{Invalid, text_type};
use crate::domain::page::newest_first;
use crate::domain::secret::Secret;

id!(/// Names a destination.
    DestinationId);

/// Where a destination is.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    Display,
    EnumString,
    IntoStaticStr,
    VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[expect(missing_docs, reason = "the names of the platforms")]
pub enum Platform {
    Youtube,
    Facebook,
    Twitch,
    Kick,
    Custom,
}

impl Platform {
    /// The address that the platform tells everybody; `None` if each account has its own.
    pub fn default_url(self) -> Option<&'static str> {
        match self {
            Self::Youtube => Some("rtmps://a.rtmps.youtube.com/live2"),
            Self::Facebook => Some("rtmps://live-api-s.facebook.com:443/rtmp"),
            Self::Twitch => Some("rtmps://live.twitch.tv/app"),
            Self::Kick | Self::Custom => None,
        }
    }

    /// The platform's second address, for when the first does not answer.
    pub fn default_backup_url(self) -> Option<&'static str> {
        match self {
            Self::Youtube => Some("rtmps://b.rtmps.youtube.com/live2?backup=1"),
            _ => None,
        }
    }

    /// After how long the platform ends a broadcast, in seconds. A new session has to begin before that.
    pub fn default_rotation(self) -> Option<u32> {
        match self {
            // Facebook ends a broadcast after eight hours.
            Self::Facebook => Some(8 * 3_600 - 300),
            _ => None,
        }
    }
}

/// An address to push to, without the key: `rtmp://host[:port]/app`, `rtmps://…` or `srt://host:port`, at most 500
/// characters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PushUrl(String);

text_type!(PushUrl);

impl PushUrl {
    /// Parses an address. Refuses user, password and fragment, which could be a secret: the key is sent apart.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let bad = |rule: &str| Invalid::one("url", rule);
        if text.len() > 500 {
            return Err(bad("must be at most 500 characters"));
        }
        // The parser would leave some of them out.
        if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(bad("must not contain spaces or line breaks"));
        }
        let url = Url::parse(text).map_err(|_| bad("must be an address such as rtmps://host/app"))?;
        if !matches!(url.scheme(), "rtmp" | "rtmps" | "srt") || url.host_str().is_none_or(str::is_empty) {
            return Err(bad("must begin with rtmp://, rtmps:// or srt:// and name a host"));
        }
        if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
            return Err(bad("must not contain a user, a password or a fragment; send the key as `key`"));
        }
        if url.port() == Some(0) {
            return Err(bad("must not have the port 0"));
        }
        if url.scheme() == "srt" {
            SrtAddress::parse(text)?;
        } else if url.path().trim_matches('/').is_empty() {
            return Err(bad("must contain an application, such as /live in rtmp://host/live"));
        }
        Ok(Self(text.to_owned()))
    }
}

impl PushUrl {
    /// Whether it ends with the key, as some platforms show both together. Everybody who may read would see the key.
    pub fn ends_with_key(&self, key: &Secret) -> bool {
        let path = self.0.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
        let before = path.strip_suffix(key.expose()).and_then(|rest| rest.strip_suffix('/'));
        // `rtmp://host/live` with the key `live` has an application and no key.
        before.is_some_and(|before| !key.is_empty() && Self::parse(before).is_ok())
    }

    /// Whether a session there is one over SRT, which has keys of its own kind.
    pub fn is_srt(&self) -> bool {
        SrtAddress::is_meant(&self.0)
    }
}

/// Where a programme is pushed. Its key is stored apart, sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// Its identity.
    pub id: DestinationId,
    /// The channel whose programme it gets.
    pub channel: ChannelId,
    /// Its name as people see it.
    pub name: String,
    /// Which platform it is.
    pub platform: Platform,
    /// Where it is.
    pub url: PushUrl,
    /// Where it is if the first address fails.
    pub backup_url: Option<PushUrl>,
    /// Whether the programme is pushed to it.
    pub enabled: bool,
    /// A new session begins after this many seconds.
    pub rotate_session_every_seconds: Option<u32>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

newest_first!(Destination, created_at);
