//! Kick's push feeds as its web page uses them: the Pusher protocol, which it is leaving, and Centrifugo. Both are
//! unofficial: Kick documents neither and may change them without a word.
//!
//! ```text
//!   KickFeed ── supervise ──► which provider? (realtime)
//!                  │
//!                  ├─ plan: which channels share a connection
//!                  └─ shard, one for each connection ── socket
//!                        └─ machine: pusher | centrifugo ── payload
//! ```
//!
//! The machines do no I/O and know no clock, so every rule of the protocols is tested without either.

mod backoff;
mod centrifugo;
mod connection_status;
mod log;
mod payload;
mod plan;
mod protocol;
mod pusher;
mod realtime;
mod send_buffer;
mod settings;
mod shard;
mod socket;
mod subscriptions;
mod supervise;

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};
use tokio_tungstenite::Connector;

use self::connection_status::ConnectionStatuses;
use self::realtime::Realtime;
pub use self::settings::{FeedChoice, FeedSettings, MOST_ON_CENTRIFUGO, PUSHER_URL, REALTIME_URL, Timing};
use crate::domain::LogThrottle;
use crate::ports::{Clock, FeedSignal, IdGen, RemoteError, StatusFeed, Wanted};

/// Kick's feed, whichever it is at the moment.
pub struct KickFeed {
    settings: FeedSettings,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdGen>,
    tls: Connector,
    realtime: Realtime,
}

impl KickFeed {
    /// Takes the settings; connects to nothing yet.
    ///
    /// # Errors
    /// [`RemoteError::Unsupported`] if an address is not one of its kind.
    pub fn new(
        settings: FeedSettings,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdGen>,
    ) -> Result<Self, RemoteError> {
        let unsupported = |text: &str| Err(RemoteError::Unsupported(text.into()));
        if !matches!(settings.realtime_url.scheme(), "http" | "https") {
            return unsupported("the realtime address must begin with http:// or https://");
        }
        let sockets = || std::iter::once(&settings.pusher_url).chain(&settings.centrifugo_url);
        if !sockets().all(|url| matches!(url.scheme(), "ws" | "wss")) {
            return unsupported("a feed's address must begin with ws:// or wss://");
        }
        let is_plain = settings.realtime_url.scheme() == "http" && sockets().all(|url| url.scheme() == "ws");
        // Before TLS: this installs the process's provider.
        let realtime = Realtime::new(&settings)?;
        let tls = if is_plain { Connector::Plain } else { socket::tls() };
        Ok(Self { settings, clock, ids, tls, realtime })
    }
}

/// What everything that belongs to one [`StatusFeed::watch`] shares.
struct SharedState {
    timing: Timing,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdGen>,
    tls: Connector,
    realtime: Realtime,
    statuses: ConnectionStatuses,
    throttle: LogThrottle<&'static str>,
    /// When the next connection may be opened.
    next_open: Mutex<Instant>,
}

impl SharedState {
    /// Waits until a connection may be opened.
    async fn acquire(&self) {
        let turn = {
            let mut next = self.next_open.lock().unwrap_or_else(PoisonError::into_inner);
            let turn = (*next).max(Instant::now());
            *next = turn + self.timing.open_every;
            turn
        };
        sleep_until(turn).await;
    }

    /// Any number.
    fn random(&self) -> u64 {
        self.ids.random32().iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
    }
}

#[async_trait]
impl StatusFeed for KickFeed {
    async fn watch(&self, wanted: watch::Receiver<Arc<Wanted>>, out: mpsc::Sender<FeedSignal>) {
        let shared = SharedState {
            timing: self.settings.timing.clone(),
            clock: Arc::clone(&self.clock),
            ids: Arc::clone(&self.ids),
            tls: self.tls.clone(),
            realtime: self.realtime.clone(),
            statuses: ConnectionStatuses::new(),
            throttle: LogThrottle::default(),
            next_open: Mutex::new(Instant::now()),
        };
        supervise::watch(Arc::new(shared), &self.settings, wanted, out).await;
    }
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;
    use crate::adapters::system::{SystemClock, SystemIds};

    fn feed(change: impl FnOnce(&mut FeedSettings)) -> Result<KickFeed, RemoteError> {
        let mut settings = FeedSettings::new(FeedChoice::Auto).unwrap();
        change(&mut settings);
        KickFeed::new(settings, Arc::new(SystemClock), Arc::new(SystemIds))
    }

    #[test]
    fn addresses_must_be_of_their_kind() {
        assert!(feed(|_| {}).is_ok_and(|feed| matches!(feed.tls, Connector::Rustls(_))));
        for bad in ["ftp://kick.com", "https://kick.com"] {
            let url = Url::parse(bad).unwrap();
            assert!(feed(|settings| settings.pusher_url = url.clone()).is_err(), "{bad}");
            assert!(feed(|settings| settings.centrifugo_url = Some(url)).is_err(), "{bad}");
        }
        assert!(feed(|settings| settings.realtime_url = Url::parse(PUSHER_URL).unwrap()).is_err());
    }
}
