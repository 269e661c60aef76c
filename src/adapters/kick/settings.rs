//! Settings of Kick's HTTP API.

use std::num::NonZeroU32;
use std::time::Duration;

use url::Url;

use super::client::KickClient;
use crate::domain::secret::Secret;
use crate::ports::RemoteError;

const CONNECT: Duration = Duration::from_secs(3);

/// Addresses, credentials and limits.
#[derive(Clone, Debug)]
pub struct KickSettings {
    /// The official API.
    pub api_url: Url,
    /// Where tokens come from.
    pub auth_url: Url,
    /// The web site.
    pub site_url: Url,
    /// The app's id; empty if there is none.
    pub client_id: String,
    /// The app's secret; empty if there is none.
    pub client_secret: Secret,
    /// Most requests to the official API in a minute, repeated ones included. Kick does not document its limit; its staff
    /// named 100 in 2026.
    pub requests_per_minute: NonZeroU32,
    /// Most requests at once after a pause.
    pub burst: NonZeroU32,
    /// Whether the web site may be used for ids that the official API lacks.
    pub allow_site: bool,
    /// Timeouts.
    pub timing: Timing,
}

impl Default for KickSettings {
    fn default() -> Self {
        Self {
            api_url: known("https://api.kick.com"),
            auth_url: known("https://id.kick.com"),
            site_url: known("https://kick.com"),
            client_id: String::new(),
            client_secret: Secret::new(""),
            requests_per_minute: NonZeroU32::new(60).unwrap_or(NonZeroU32::MIN),
            burst: NonZeroU32::new(5).unwrap_or(NonZeroU32::MIN),
            allow_site: false,
            timing: Timing::default(),
        }
    }
}

impl KickSettings {
    pub(super) fn client(&self, base: &Url) -> Result<KickClient, RemoteError> {
        KickClient::new(base, CONNECT, self.timing.call, true)
    }
}

fn known(address: &'static str) -> Url {
    Url::parse(address).unwrap_or_else(|_| unreachable!("{address} is an address"))
}

/// Timeouts. The defaults suit Kick; tests use shorter ones.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// Longest time for a call with its answer, without the wait for its turn.
    pub call: Duration,
    /// The pause after a 429 without `Retry-After`.
    pub hold: Duration,
    /// The pause after a token request failed.
    pub token_pause: Duration,
    /// The time between two requests to the web site.
    pub site_interval: Duration,
    /// The pause after the web site refused us.
    pub site_closed: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            call: Duration::from_secs(10),
            hold: Duration::from_secs(30),
            token_pause: Duration::from_secs(5),
            site_interval: Duration::from_secs(1),
            site_closed: Duration::from_mins(15),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_do_not_show_the_secret() {
        let settings = KickSettings { client_secret: Secret::new("hunter2"), ..KickSettings::default() };
        assert!(!format!("{settings:?}").contains("hunter2"));
        assert_eq!((settings.requests_per_minute.get(), settings.burst.get()), (60, 5));
    }
}
