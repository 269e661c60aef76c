//! When a session that is still there is disconnected again, so that sessions that cannot be ended cost few calls.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use tokio::time::Instant;

use crate::domain::media_server::SourceId;
use crate::domain::reconcile::Disconnect;

/// The pause after the first attempt. It doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause.
const MAX_PAUSE: Duration = Duration::from_secs(30);
/// How many sessions one poll disconnects; the next one continues.
const MAX_AT_ONCE: usize = 500;

/// The attempts on the sessions of one media server.
#[derive(Debug, Default)]
pub(super) struct DisconnectRetries(HashMap<String, Attempts>);

#[derive(Clone, Copy, Debug)]
struct Attempts {
    made: u32,
    next: Instant,
}

impl DisconnectRetries {
    /// Which of `wanted` to disconnect now: those that were never tried first, then those that waited longest. Forgets
    /// the sessions that are not wanted any more.
    pub(super) fn due<'a>(&mut self, wanted: &'a [Disconnect], now: Instant) -> Vec<&'a Disconnect> {
        let sessions: HashSet<&str> = wanted.iter().map(session).collect();
        self.0.retain(|known, _| sessions.contains(known.as_str()));
        let next = |one: &Disconnect| self.0.get(session(one)).map(|attempts| attempts.next);
        let mut due: Vec<(Option<Instant>, &Disconnect)> =
            wanted.iter().map(|one| (next(one), one)).collect();
        due.retain(|(next, _)| next.is_none_or(|next| next <= now));
        due.sort_by_key(|(next, _)| *next);
        due.into_iter().take(MAX_AT_ONCE).map(|(_, one)| one).collect()
    }

    /// These were tried at `now`, whatever came of it.
    pub(super) fn tried(&mut self, disconnects: &[&Disconnect], now: Instant) {
        for one in disconnects {
            let attempts = self.0.entry(session(one).to_owned()).or_insert(Attempts { made: 0, next: now });
            let pause = FIRST_PAUSE.saturating_mul(1 << attempts.made.min(16)).min(MAX_PAUSE);
            *attempts = Attempts { made: attempts.made + 1, next: now + pause };
        }
    }
}

/// What names a session: its id, or its path if it has none.
fn session(disconnect: &Disconnect) -> &str {
    let id = disconnect.source.id.as_ref().map(SourceId::as_str);
    id.or_else(|| disconnect.path.public()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::media_server::{ObservedSource, SourceKind};
    use crate::domain::path::IngestPath;
    use crate::domain::reconcile::DisconnectReason;

    fn wanted(ids: std::ops::Range<usize>) -> Vec<Disconnect> {
        let source = |n: usize| ObservedSource {
            kind: SourceKind::Rtmp,
            publishes: true,
            id: SourceId::parse(&n.to_string()),
            aliases: vec![],
        };
        let path = IngestPath::from_media_server("live/alice");
        let reason = DisconnectReason::UnknownKey;
        ids.map(|n| Disconnect { source: source(n), path: path.clone(), reason }).collect()
    }

    fn try_all_due(retries: &mut DisconnectRetries, wanted: &[Disconnect], now: Instant) -> usize {
        let due = retries.due(wanted, now);
        retries.tried(&due, now);
        due.len()
    }

    #[test]
    fn session_that_cannot_be_ended_is_tried_ever_less_often() {
        let (mut retries, wanted, start) = (DisconnectRetries::default(), wanted(0..1), Instant::now());
        let tried =
            |after: Duration, retries: &mut DisconnectRetries| try_all_due(retries, &wanted, start + after);
        let polls = (0..600).map(|n| Duration::from_millis(100 * n));
        let first_minute: usize = polls.map(|after| tried(after, &mut retries)).sum();
        assert_eq!(first_minute, 10, "at 0, 0.1, 0.3, 0.7, 1.5, 3.1, 6.3, 12.7, 25.5 and 51.1 s");
        // A session that went and came back is a new one.
        assert!(retries.due(&[], start).is_empty());
        assert_eq!(tried(Duration::from_secs(61), &mut retries), 1);
    }

    #[test]
    fn one_poll_disconnects_a_bounded_number_and_the_next_one_continues() {
        let (mut retries, wanted, start) = (DisconnectRetries::default(), wanted(0..1_200), Instant::now());
        let tried: Vec<usize> = (0..3).map(|_| try_all_due(&mut retries, &wanted, start)).collect();
        assert_eq!(tried, [500, 500, 200]);
        assert_eq!(retries.0.len(), 1_200);
    }
}
