//! What is counted each time it happens, and logged at most once a minute per kind.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::machine::{Class, Ended};
use super::payload::Oddity;

const EVERY: Duration = Duration::from_secs(60);

/// When each kind was last logged, and how many were not logged since.
#[derive(Debug, Default)]
pub(super) struct Notices(Mutex<HashMap<&'static str, (Instant, u64)>>);

impl Notices {
    /// Something was not understood.
    pub(super) fn odd(&self, provider: &'static str, oddity: Oddity) {
        let kind = oddity.as_str();
        metrics::counter!("streamward_kick_feed_oddities_total", "kind" => kind).increment(1);
        let Some(unsaid) = self.turn(kind, Instant::now()) else { return };
        if oddity == Oddity::UnknownEvent {
            tracing::debug!(provider, kind, unsaid, "the feed told something that is not for us");
        } else {
            tracing::warn!(
                provider,
                kind,
                unsaid,
                "the feed told something that is not understood; it is ignored"
            );
        }
    }

    /// A connection, or an attempt at one, ended.
    pub(super) fn ended(&self, provider: &'static str, ended: &Ended) {
        metrics::counter!("streamward_kick_feed_reconnects_total", "reason" => ended.reason).increment(1);
        // A refusal is told by whoever has to live with it.
        if ended.class == Class::Rejected {
            return;
        }
        if let Some(unsaid) = self.turn(ended.reason, Instant::now()) {
            let error = ended.text.as_str();
            tracing::warn!(provider, error, unsaid, "a connection of the feed was lost; it is opened again");
        }
    }

    /// One connection was refused, while others are up.
    pub(super) fn refused(&self, provider: &'static str, ended: &Ended) {
        if let Some(unsaid) = self.turn("one_refused", Instant::now()) {
            let error = ended.text.as_str();
            tracing::warn!(
                provider,
                error,
                unsaid,
                "a connection of the feed was refused, others are not; it is opened again after minutes"
            );
        }
    }

    /// Whether `kind` may be logged, and how many were not since it last was.
    fn turn(&self, kind: &'static str, now: Instant) -> Option<u64> {
        let mut kinds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match kinds.get_mut(kind) {
            Some((last, unsaid)) if now < *last + EVERY => {
                *unsaid += 1;
                None
            }
            known => {
                let unsaid = known.map_or(0, |(_, unsaid)| *unsaid);
                kinds.insert(kind, (now, 0));
                Some(unsaid)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_kind_is_logged_once_a_minute() {
        let (notices, start) = (Notices::default(), Instant::now());
        for (kind, after, said) in [
            ("a", 0, Some(0)),
            ("b", 1, Some(0)),
            ("a", 2, None),
            ("a", 59, None),
            ("a", 60, Some(2)),
            ("b", 60, None),
            ("a", 120, Some(0)),
        ] {
            assert_eq!(
                notices.turn(kind, start + Duration::from_secs(after)),
                said,
                "{kind} after {after} s"
            );
        }
    }
}
