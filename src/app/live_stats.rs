//! What the live streams carry now, as the polls of this instance saw it. It is for metrics, so it is in memory only, and
//! forgets a stream when it ends.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::domain::media_server::{MediaServerName, SourceId};
use crate::domain::path::StreamPath;
use crate::domain::reconcile::Carried;

/// A bitrate is measured over at least this time: media servers count whole frames, and polls may follow each other at
/// once.
const WINDOW: Duration = Duration::from_secs(4);

/// A live stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveStream {
    /// Its public path.
    pub path: StreamPath,
    /// How many read it.
    pub readers: u32,
    /// What arrives, in bytes per second; `None` until it was measured.
    pub bytes_per_second: Option<u64>,
}

/// The live streams of the media servers that this instance polls.
#[derive(Debug, Default)]
pub struct LiveStats(Mutex<BTreeMap<MediaServerName, Poll>>);

#[derive(Debug)]
struct Poll {
    until: Instant,
    streams: BTreeMap<StreamPath, Measured>,
}

#[derive(Debug)]
struct Measured {
    session: SourceId,
    readers: u32,
    since: Instant,
    bytes: u64,
    bytes_per_second: Option<u64>,
}

impl LiveStats {
    /// A poll saw these sessions. They count for `valid`, or until the next poll.
    pub fn note(&self, server: &MediaServerName, sessions: &[Carried], valid: Duration) {
        let now = Instant::now();
        let mut polls = self.polls();
        let mut before = polls.remove(server).map(|poll| poll.streams).unwrap_or_default();
        let streams = sessions.iter().map(|seen| {
            let measured = match before.remove(&seen.path) {
                Some(before) if before.session == seen.session => before.measure(seen, now),
                _ => Measured::begin(seen, now),
            };
            (seen.path.clone(), measured)
        });
        let poll = Poll { until: now + valid, streams: streams.collect() };
        polls.insert(server.clone(), poll);
    }

    /// A poll failed, so nothing is known of its streams.
    pub(super) fn forget(&self, server: &MediaServerName) {
        self.polls().remove(server);
    }

    /// Those that are known to be live, by media server and path.
    pub fn now(&self) -> Vec<(MediaServerName, LiveStream)> {
        let now = Instant::now();
        let polls = self.polls();
        let known = polls.iter().filter(|(_, poll)| poll.until > now);
        let streams = known.flat_map(|(server, poll)| {
            poll.streams.iter().map(|(path, measured)| {
                let Measured { readers, bytes_per_second, .. } = *measured;
                (server.clone(), LiveStream { path: path.clone(), readers, bytes_per_second })
            })
        });
        streams.collect()
    }

    fn polls(&self) -> MutexGuard<'_, BTreeMap<MediaServerName, Poll>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Measured {
    fn begin(seen: &Carried, now: Instant) -> Self {
        let (session, readers, bytes) = (seen.session.clone(), seen.readers, seen.inbound_bytes);
        Self { session, readers, since: now, bytes, bytes_per_second: None }
    }

    fn measure(self, seen: &Carried, now: Instant) -> Self {
        let took = now.saturating_duration_since(self.since);
        if took < WINDOW {
            return Self { readers: seen.readers, ..self };
        }
        let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        // A counter that began again has measured nothing.
        let grown = seen.inbound_bytes.checked_sub(self.bytes);
        let bytes_per_second = grown.and_then(|bytes| bytes.saturating_mul(1_000).checked_div(millis));
        Self { bytes_per_second, ..Self::begin(seen, now) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(path: &str, session: &str, readers: u32, inbound_bytes: u64) -> Carried {
        let path = StreamPath::parse(path).unwrap();
        Carried { path, session: SourceId::parse(session).unwrap(), readers, inbound_bytes }
    }

    fn shown(stats: &LiveStats) -> Vec<(String, u32, Option<u64>)> {
        let all = stats.now().into_iter();
        all.map(|(_, live)| (live.path.to_string(), live.readers, live.bytes_per_second)).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_is_shown_with_its_bitrate_until_it_ends() {
        let (stats, server) = (LiveStats::default(), MediaServerName::default());
        let valid = Duration::from_secs(30);
        let poll = |sessions: &[Carried]| stats.note(&server, sessions, valid);
        let [a, b] = ["live/a", "live/b"].map(str::to_owned);
        poll(&[session("live/a", "1", 0, 1_000), session("live/b", "2", 3, 0)]);
        assert_eq!(shown(&stats), [(a.clone(), 0, None), (b.clone(), 3, None)]);
        tokio::time::advance(Duration::from_secs(2)).await;
        poll(&[session("live/a", "1", 1, 9_000), session("live/b", "2", 3, 0)]);
        assert_eq!(shown(&stats)[0], (a.clone(), 1, None), "two seconds are too short to measure");
        tokio::time::advance(Duration::from_secs(2)).await;
        poll(&[session("live/a", "1", 1, 501_000), session("live/b", "2", 3, 0)]);
        assert_eq!(shown(&stats), [(a.clone(), 1, Some(125_000)), (b.clone(), 3, Some(0))]);
        tokio::time::advance(Duration::from_secs(4)).await;
        poll(&[session("live/a", "9", 1, 900_000)]);
        assert_eq!(
            shown(&stats),
            [(a, 1, None)],
            "another session counts from its own begin; the other stream ended"
        );
        stats.forget(&server);
        assert_eq!(shown(&stats), []);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_not_polled_any_more_is_not_shown() {
        let (stats, server) = (LiveStats::default(), MediaServerName::default());
        stats.note(&server, &[session("live/a", "1", 0, 0)], Duration::from_secs(10));
        tokio::time::advance(Duration::from_secs(11)).await;
        assert_eq!(shown(&stats), []);
    }
}
