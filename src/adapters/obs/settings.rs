//! How to reach an OBS, and how long it may take.

use std::time::Duration;

use url::Url;

use crate::domain::secret::Secret;

/// How to reach an OBS.
#[derive(Clone, Debug)]
pub struct ObsSettings {
    /// Its obs-websocket: `ws://host:4455`, or `wss` behind a proxy.
    pub url: Url,
    /// Its password; empty if it requires none.
    pub password: Secret,
    /// Deadlines and pauses.
    pub timing: Timing,
}

impl ObsSettings {
    /// With the default deadlines and pauses.
    pub fn new(url: Url, password: Secret) -> Self {
        Self { url, password, timing: Timing::default() }
    }
}

/// Deadlines and pauses. Tests use shorter ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// How long opening a connection may take, until OBS accepts the password.
    pub connect: Duration,
    /// How long a request may take.
    pub request: Duration,
    /// The pause before a request that found OBS loading is repeated.
    pub loading: Duration,
    /// After this long without an answer, OBS gets a request of our own.
    pub probe: Duration,
    /// OBS hangs if it has not answered such a request for this long.
    pub unanswered: Duration,
    /// OBS hangs if it has not answered any other request for this long: a part of it still answers.
    pub stuck: Duration,
    /// The shortest and the longest pause before connecting again.
    pub reconnect: (Duration, Duration),
    /// The pause after a password was refused: OBS shows a notice to its owner each time.
    pub refused: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        let (ms, s) = (Duration::from_millis, Duration::from_secs);
        Self {
            connect: s(5),
            request: s(2),
            loading: ms(100),
            probe: s(1),
            unanswered: s(4),
            stuck: s(10),
            reconnect: (ms(100), s(2)),
            refused: s(10),
        }
    }
}

impl Timing {
    /// The pause before connecting again: a fifth of the time without a connection, within the limits.
    pub(super) fn pause(&self, without: Duration) -> Duration {
        (without / 5).clamp(self.reconnect.0, self.reconnect.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_with_the_time_without_a_connection() {
        let (timing, ms) = (Timing::default(), Duration::from_millis);
        for (without, pause) in [(0, 100), (500, 100), (1_000, 200), (5_000, 1_000), (3_600_000, 2_000)] {
            assert_eq!(timing.pause(ms(without)), ms(pause), "after {without} ms");
        }
    }

    #[test]
    fn frozen_obs_is_noticed_within_six_seconds() {
        let timing = Timing::default();
        assert!(timing.probe + timing.unanswered <= Duration::from_secs(5));
        assert!(timing.request < timing.unanswered, "a request fails before the connection does");
    }

    #[test]
    fn password_is_not_printed() {
        let url = Url::parse("ws://127.0.0.1:4455").unwrap();
        assert!(!format!("{:?}", ObsSettings::new(url, Secret::new("hunter2"))).contains("hunter2"));
    }
}
