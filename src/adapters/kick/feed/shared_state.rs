//! What the tasks of a feed share. Every problem of the feed is counted, and each kind is logged at most once a minute.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::{Instant, sleep_until};
use tokio_tungstenite::Connector;

use super::connection_status::ConnectionStatuses;
use super::payload::ProtocolError;
use super::protocol::{Ended, Reconnect};
use super::realtime::Realtime;
use super::settings::FeedSettings;
use crate::domain::LogThrottle;
use crate::ports::{Clock, IdGen};

/// What the tasks of one [`StatusFeed::watch`] share.
pub(super) struct SharedState {
    pub(super) settings: FeedSettings,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) ids: Arc<dyn IdGen>,
    pub(super) tls: Connector,
    pub(super) realtime: Realtime,
    pub(super) statuses: ConnectionStatuses,
    throttle: LogThrottle<&'static str>,
    /// When the next connection may be opened.
    next_open: Mutex<Instant>,
}

impl SharedState {
    pub(super) fn new(
        settings: FeedSettings,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdGen>,
        tls: Connector,
        realtime: Realtime,
    ) -> Self {
        let (statuses, throttle) = (ConnectionStatuses::new(), LogThrottle::default());
        Self {
            settings,
            clock,
            ids,
            tls,
            realtime,
            statuses,
            throttle,
            next_open: Mutex::new(Instant::now()),
        }
    }

    pub(super) async fn wait_to_open(&self) {
        let at = {
            let mut next = self.next_open.lock().unwrap_or_else(PoisonError::into_inner);
            let at = (*next).max(Instant::now());
            *next = at + self.settings.timing.open_every;
            at
        };
        sleep_until(at).await;
    }

    pub(super) fn random(&self) -> u64 {
        self.ids.random32().iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
    }

    /// A message was not understood.
    pub(super) fn protocol_error(&self, provider: &'static str, error: ProtocolError) {
        let kind = error.into_str();
        metrics::counter!("streamward_kick_feed_protocol_errors_total", "kind" => kind).increment(1);
        let Some(suppressed) = self.throttle.allow(kind, self.clock.now()) else { return };
        if error == ProtocolError::UnknownEvent {
            tracing::debug!(
                provider,
                kind,
                suppressed,
                "the feed sent an event of another kind; it is ignored"
            );
        } else {
            tracing::warn!(provider, kind, suppressed, "the feed sent an invalid message; it is ignored");
        }
    }

    /// A connection, or an attempt to open one, ended.
    pub(super) fn connection_ended(&self, provider: &'static str, ended: &Ended) {
        metrics::counter!("streamward_kick_feed_reconnects_total", "reason" => ended.reason).increment(1);
        // The caller logs refusals, because it knows their consequences.
        if ended.reconnect != Reconnect::Rejected {
            self.warn(ended.reason, provider, ended, "a connection of the feed was lost; it is opened again");
        }
    }

    /// One connection was refused while others are up.
    pub(super) fn connection_refused(&self, provider: &'static str, ended: &Ended) {
        let message =
            "the feed refused one connection but not the others; it is opened again in a few minutes";
        self.warn("one_refused", provider, ended, message);
    }

    fn warn(&self, kind: &'static str, provider: &'static str, ended: &Ended, message: &'static str) {
        if let Some(suppressed) = self.throttle.allow(kind, self.clock.now()) {
            tracing::warn!(provider, error = ended.text, suppressed, "{message}");
        }
    }
}
