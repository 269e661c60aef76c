//! Measures: bitrate and dropped frames in a window, and how long things took.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::moment::Moment;
use super::observation::StreamSample;
use super::words::words;
use crate::domain::Timestamp;

/// A failover that took longer is no success.
pub const FAILOVER_WITHIN: Duration = Duration::from_secs(5);
/// A change to or from the owner that took longer is no success.
pub const OWNER_WITHIN: Duration = Duration::from_secs(10);

/// Measures the stream from the differences between samples.
#[derive(Clone, Debug)]
pub struct Meter {
    window: Duration,
    last: Option<(Duration, StreamSample)>,
    /// The time of a sample, and what came since the one before: the time, bytes, skipped frames, frames.
    parts: VecDeque<(Duration, Duration, [u64; 3])>,
}

/// The stream, in a window.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rates {
    /// In kbit/s.
    pub bitrate_kbps: f64,
    /// The share of the frames that were dropped because the network was too slow, in percent.
    pub dropped_percent: f64,
}

impl Meter {
    /// A meter with a window of this length.
    pub fn new(window: Duration) -> Self {
        Self { window, last: None, parts: VecDeque::new() }
    }

    /// Takes a sample. Where a counter is less than before, OBS connected again and counted from 0.
    pub fn add(&mut self, now: Moment, sample: StreamSample) {
        let now = now.elapsed;
        if let Some((at, before)) = self.last.replace((now, sample)) {
            let since = |now: u64, before: u64| if now >= before { now - before } else { now };
            let counts = [
                since(sample.bytes, before.bytes),
                since(sample.skipped_frames, before.skipped_frames),
                since(sample.total_frames, before.total_frames),
            ];
            self.parts.push_back((now, now.saturating_sub(at), counts));
        }
        while self.parts.front().is_some_and(|(at, ..)| now.saturating_sub(*at) >= self.window) {
            self.parts.pop_front();
        }
    }

    /// OBS is out of sight: the next sample begins anew.
    pub fn forget(&mut self) {
        self.last = None;
        self.parts.clear();
    }

    /// The stream in the window before the last sample.
    pub fn rates(&self) -> Rates {
        let sum = |n: usize| self.parts.iter().map(|(_, _, counts)| float(counts[n])).sum::<f64>();
        let seconds: f64 = self.parts.iter().map(|(_, passed, _)| passed.as_secs_f64()).sum();
        let share = |part: f64, of: f64| if of > 0.0 { part / of } else { 0.0 };
        Rates {
            bitrate_kbps: share(sum(0) * 8.0 / 1_000.0, seconds),
            dropped_percent: (share(sum(1), sum(2)) * 100.0).min(100.0),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a measure needs no more than 15 digits")]
fn float(count: u64) -> f64 {
    count as f64
}

words! {
    /// The connection, as the health API calls it.
    ConnectionStatus {
        /// The stream reaches the platform.
        Connected,
        /// It does not.
        Disconnected,
        /// It does, but frames are dropped or the bitrate is low.
        Degraded,
    }
}

words! {
    /// The stream, as the health API calls it.
    StreamingStatus {
        /// It runs.
        Streaming,
        /// It does not.
        Stopped,
        /// It begins.
        Starting,
        /// It ends.
        Stopping,
    }
}

/// A studio's health, as it is recorded every few seconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HealthSample {
    /// When.
    pub at: Timestamp,
    /// In kbit/s, in the window.
    pub bitrate_kbps: f64,
    /// In percent, in the window.
    pub dropped_percent: f64,
    /// OBS's share of the processor, in percent.
    pub cpu_percent: f64,
    /// The scene that was on air.
    pub scene: Option<String>,
    /// The content that was on air.
    pub source: Option<String>,
    /// The connection.
    pub connection: ConnectionStatus,
    /// The stream.
    pub streaming: StreamingStatus,
}

/// How long things took.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// How many there were.
    pub count: usize,
    /// In seconds.
    pub average: f64,
    /// The median, in seconds.
    pub p50: f64,
    /// In seconds.
    pub p95: f64,
    /// The longest, in seconds.
    pub longest: f64,
    /// The share that took no longer than promised, in percent; 100 if there were none.
    pub success_percent: f64,
}

impl Summary {
    /// Summarizes times. Those up to `promised` are successes. The percentile is that of the specification: the value at
    /// `int(n * 0.95)` of the sorted ones, so for up to 20 it is the longest.
    pub fn of(times: &[Duration], promised: Duration) -> Self {
        let mut sorted: Vec<f64> = times.iter().map(Duration::as_secs_f64).collect();
        sorted.sort_by(f64::total_cmp);
        let count = sorted.len();
        let at = |percent: usize| sorted.get(count * percent / 100).copied().unwrap_or_default();
        let good = times.iter().filter(|time| **time <= promised).count();
        let of = |part: f64, or: f64| if count == 0 { or } else { part / float(count as u64) };
        Self {
            count,
            average: of(sorted.iter().sum(), 0.0),
            p50: at(50),
            p95: at(95),
            longest: sorted.last().copied().unwrap_or_default(),
            success_percent: of(float(good as u64) * 100.0, 100.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::super::moment::test_moment as ms;
    use super::*;

    fn sample(bytes: u64, skipped_frames: u64, total_frames: u64) -> StreamSample {
        StreamSample { active: true, bytes, skipped_frames, total_frames, ..StreamSample::default() }
    }

    #[test]
    fn rates_are_of_the_window_only() {
        let mut meter = Meter::new(Duration::from_secs(10));
        assert_eq!(meter.rates(), Rates::default());
        for second in 0..=100_u64 {
            // 2,500 bytes and 10 frames a second; half of the frames are dropped until the 85th.
            let dropped = 5 * second.min(85);
            meter.add(ms(second * 1_000), sample(2_500 * second, dropped, 10 * second));
        }
        assert_eq!(meter.rates(), Rates { bitrate_kbps: 20.0, dropped_percent: 0.0 });
    }

    #[test]
    fn counters_that_restart_count_from_zero() {
        let mut meter = Meter::new(Duration::from_secs(10));
        meter.add(ms(0), sample(1_000_000, 50, 5_000));
        meter.add(ms(2_000), sample(500, 1, 20));
        assert_eq!(meter.rates(), Rates { bitrate_kbps: 2.0, dropped_percent: 5.0 });
        meter.forget();
        meter.add(ms(3_000), sample(900_000, 1, 20));
        assert_eq!(meter.rates(), Rates::default());
    }

    #[test]
    fn percentiles_are_those_of_the_specification() {
        let seconds = |seconds: &[u64]| seconds.iter().copied().map(Duration::from_secs).collect::<Vec<_>>();
        let none = Summary::of(&[], FAILOVER_WITHIN);
        assert_eq!((none.average, none.p95, none.success_percent), (0.0, 0.0, 100.0));
        let few = Summary::of(&seconds(&[4, 1, 6, 2]), FAILOVER_WITHIN);
        assert_eq!((few.average, few.p50, few.p95, few.success_percent), (3.25, 4.0, 6.0, 75.0));
        let twenty = Summary::of(&seconds(&(1..=20).collect::<Vec<_>>()), OWNER_WITHIN);
        assert_eq!((twenty.p95, twenty.longest), (20.0, 20.0));
        let hundred = Summary::of(&seconds(&(1..=100).collect::<Vec<_>>()), OWNER_WITHIN);
        assert_eq!((hundred.p50, hundred.p95, hundred.success_percent), (51.0, 96.0, 10.0));
    }

    proptest! {
        /// Whatever the counters do, the measures stay within what is possible.
        #[test]
        fn counters_that_jump_do_no_harm(samples in vec((0_u64..5_000, any::<[u32; 3]>()), 0..50)) {
            let mut meter = Meter::new(Duration::from_secs(10));
            let mut at = 0;
            for (passed, [bytes, skipped, total]) in samples {
                at += passed;
                meter.add(ms(at), sample(bytes.into(), skipped.into(), total.into()));
                let rates = meter.rates();
                prop_assert!(rates.bitrate_kbps >= 0.0 && rates.bitrate_kbps.is_finite());
                prop_assert!((0.0..=100.0).contains(&rates.dropped_percent));
            }
        }
    }
}
