//! Measures how long it takes until a status change of every streamer can be read in the database.

use std::collections::HashMap;
use std::time::Duration;

use streamward::adapters::system::SystemClock;
use streamward::ports::Clock as _;
use streamward_test_support::feed_server::{FeedServer, live, stop};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::database::{Database, Who};
use crate::program::channel;

/// How often the database is read: times are at most this much too long, and never too short.
const LOOK: Duration = Duration::from_millis(1);
/// How long until a change counts as lost.
const PATIENCE: Duration = Duration::from_secs(60);

/// A status change of every streamer.
#[derive(Clone, Copy)]
pub(crate) struct Wave {
    pub(crate) people: u64,
    /// Whether they go live or offline.
    pub(crate) live: bool,
    /// Streamer `n` has the livestream `base + n`.
    pub(crate) base: u64,
    /// The time over which the changes are spread.
    pub(crate) over: Duration,
}

/// The result of a wave.
#[derive(Default)]
pub(crate) struct Outcome {
    /// From the frame to the row, sorted.
    latencies: Vec<Duration>,
    /// From the first frame to the last row.
    pub(crate) elapsed: Duration,
}

impl Outcome {
    /// A percentile of the latency, in milliseconds.
    pub(crate) fn percentile(&self, of_hundred: usize) -> f64 {
        let at = (self.latencies.len() * of_hundred / 100).min(self.latencies.len().saturating_sub(1));
        self.latencies.get(at).map_or(f64::NAN, |latency| latency.as_secs_f64() * 1e3)
    }

    pub(crate) fn per_second(&self) -> f64 {
        self.latencies.len() as f64 / self.elapsed.as_secs_f64()
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.latencies.extend(other.latencies);
        self.latencies.sort_unstable();
        self.elapsed += other.elapsed;
    }
}

/// Publishes the changes on the feed and reads the database on another connection.
pub(crate) async fn run(wave: Wave, feed: &FeedServer, database: &Database, who: Who) -> Outcome {
    let (last, eye) = (database.last(who).await, database.clone());
    let mut reader = JoinSet::new();
    reader.spawn(async move { timeout(PATIENCE, watch(&eye, who, last, wave.people)).await });
    let now = SystemClock.now().to_string();
    let begun = Instant::now();
    let mut sent = HashMap::new();
    for n in 1..=wave.people {
        if !wave.over.is_zero() {
            sleep_until(begun + wave.over.mul_f64(n as f64 / wave.people as f64)).await;
        }
        let (channel, id) = (channel(n), wave.base + n);
        // The time before the write to the socket, so that latencies are never too short.
        sent.insert(channel, Instant::now());
        if wave.live {
            feed.publish(channel, r"App\Events\StreamerIsLive", &live(channel, id, &now));
        } else {
            feed.publish(channel, r"App\Events\StopStreamBroadcast", &stop(channel, id));
        }
    }
    let seen = reader.join_next().await.expect("one task").expect("it does not panic");
    let seen = seen.expect("no change is lost");
    let mut latencies: Vec<_> = seen.iter().map(|(channel, at)| *at - sent[channel]).collect();
    latencies.sort_unstable();
    let elapsed = seen.values().max().map_or(Duration::ZERO, |last| *last - begun);
    Outcome { latencies, elapsed }
}

/// When each channel's change was first read.
async fn watch(database: &Database, who: Who, mut last: i64, people: u64) -> HashMap<u64, Instant> {
    let mut seen = HashMap::new();
    while (seen.len() as u64) < people {
        let rows = database.after(who, last).await;
        let now = Instant::now();
        for (seq, channel) in rows {
            last = seq;
            seen.entry(channel.unsigned_abs()).or_insert(now);
        }
        sleep(LOOK).await;
    }
    seen
}
