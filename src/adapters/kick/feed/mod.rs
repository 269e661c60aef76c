//! Kick's push feeds as its web page uses them: the Pusher protocol, which it is leaving, and Centrifugo. Both are
//! unofficial: Kick documents neither and may change them at any time.
//!
//! ```text
//!   KickFeed ── supervise ──► which provider? (realtime)
//!                  │
//!                  ├─ plan: which channels share a connection
//!                  └─ shard, one for each connection ── socket
//!                        └─ protocol: pusher | centrifugo ── payload
//! ```

mod backoff;
mod centrifugo;
mod connection_status;
mod payload;
mod plan;
mod protocol;
mod pusher;
mod realtime;
mod send_buffer;
mod settings;
mod shard;
mod shared_state;
mod socket;
mod subscriptions;
mod supervise;
#[cfg(test)]
mod talk;

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::{mpsc, watch};
use tokio_tungstenite::Connector;

use self::realtime::Realtime;
pub use self::settings::{FeedChoice, FeedSettings, MOST_ON_CENTRIFUGO, PUSHER_URL, REALTIME_URL, Timing};
use self::shared_state::SharedState;
use crate::ports::{Clock, FeedSignal, IdGen, RemoteError, StatusFeed, Wanted};

/// Kick's feed, whichever it serves at the moment.
pub struct KickFeed {
    settings: FeedSettings,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdGen>,
    tls: Connector,
    realtime: Realtime,
}

impl KickFeed {
    /// Does not connect yet. [`RemoteError::Unsupported`] if an address has the wrong scheme.
    pub fn new(
        settings: FeedSettings,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdGen>,
    ) -> Result<Self, RemoteError> {
        let sockets = || std::iter::once(&settings.pusher_url).chain(&settings.centrifugo_url);
        if !sockets().all(|url| matches!(url.scheme(), "ws" | "wss")) {
            return Err(RemoteError::Unsupported("a feed's address must begin with ws:// or wss://".into()));
        }
        let is_plain = settings.realtime_url.scheme() == "http" && sockets().all(|url| url.scheme() == "ws");
        // Before TLS: this installs the process's provider.
        let realtime = Realtime::new(&settings)?;
        let tls = if is_plain { Connector::Plain } else { socket::tls() };
        Ok(Self { settings, clock, ids, tls, realtime })
    }
}

#[async_trait]
impl StatusFeed for KickFeed {
    async fn watch(&self, wanted: watch::Receiver<Arc<Wanted>>, out: mpsc::Sender<FeedSignal>) {
        let (settings, clock, ids) = (self.settings.clone(), self.clock.clone(), self.ids.clone());
        let shared = SharedState::new(settings, clock, ids, self.tls.clone(), self.realtime.clone());
        supervise::watch(Arc::new(shared), wanted, out).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::system::{SystemClock, SystemIds};

    #[test]
    fn addresses_need_the_right_scheme() {
        let (kick, ws) = ("https://web.kick.com", "wss://kick.com");
        for (realtime, pusher, centrifugo, is_valid) in [
            (kick, PUSHER_URL, ws, true),
            (kick, "ftp://kick.com", ws, false),
            (kick, "https://kick.com", ws, false),
            (kick, PUSHER_URL, "ftp://kick.com", false),
            (kick, PUSHER_URL, "https://kick.com", false),
            (PUSHER_URL, PUSHER_URL, ws, false),
        ] {
            let mut settings = FeedSettings::new(FeedChoice::Auto).unwrap();
            settings.realtime_url = realtime.parse().unwrap();
            settings.pusher_url = pusher.parse().unwrap();
            settings.centrifugo_url = centrifugo.parse().ok();
            let feed = KickFeed::new(settings, Arc::new(SystemClock), Arc::new(SystemIds));
            let is_tls = feed.is_ok_and(|feed| matches!(feed.tls, Connector::Rustls(_)));
            assert_eq!(is_tls, is_valid, "{realtime} {pusher} {centrifugo}");
        }
    }
}
