//! Counts every problem of the feed, and logs each kind at most once a minute.

use super::SharedState;
use super::payload::ProtocolError;
use super::protocol::{Ended, Reconnect};

impl SharedState {
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
