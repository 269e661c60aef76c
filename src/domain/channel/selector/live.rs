//! The live input as the rules see it: when frames and keyframes came, and how many bytes.

use std::collections::VecDeque;
use std::time::Duration;

use crate::domain::channel::decision::Reason;
use crate::domain::channel::settings::Failover;

/// The time over which the bitrate is measured.
const WINDOW: Duration = Duration::from_secs(5);
/// How often it is measured.
const PERIOD: Duration = Duration::from_secs(1);

/// A connected live input.
#[derive(Clone, Debug)]
pub(super) struct Live {
    connected_at: Duration,
    last_frame: Duration,
    last_keyframe: Option<Duration>,
    /// Since when every frame was good; `None` while something is wrong, or before the first keyframe.
    good_since: Option<Duration>,
    trouble: Option<Reason>,
    /// Bytes of each of the last five seconds, the newest last.
    periods: VecDeque<u64>,
    period_began: Duration,
    bytes: u64,
}

impl Live {
    pub(super) fn new(now: Duration) -> Self {
        Self {
            connected_at: now,
            last_frame: now,
            last_keyframe: None,
            good_since: None,
            trouble: None,
            periods: VecDeque::new(),
            period_began: now,
            bytes: 0,
        }
    }

    /// A video frame came.
    pub(super) fn frame(&mut self, now: Duration, keyframe: bool, bytes: u32, rules: &Failover) {
        self.advance(now, rules);
        self.last_frame = now;
        self.bytes += u64::from(bytes);
        if keyframe {
            self.last_keyframe = Some(now);
        }
    }

    /// Applies the rules at `now`.
    pub(super) fn advance(&mut self, now: Duration, rules: &Failover) {
        while now.saturating_sub(self.period_began) >= PERIOD {
            // A long pause is five seconds without bytes.
            let pause = now.saturating_sub(self.period_began);
            self.period_began = if pause > WINDOW * 2 { now } else { self.period_began + PERIOD };
            if pause > WINDOW * 2 {
                self.periods.clear();
                self.periods.extend([0; 4]);
            }
            self.periods.push_back(std::mem::take(&mut self.bytes));
            while self.periods.len() > 5 {
                self.periods.pop_front();
            }
        }
        self.trouble = self.rule_broken(now, rules);
        match self.trouble {
            Some(_) => self.good_since = None,
            None if self.last_keyframe.is_some() => {
                self.good_since.get_or_insert(now);
            }
            None => {}
        }
    }

    /// The input has to be good once more from the next frame on.
    pub(super) fn doubt(&mut self) {
        self.good_since = None;
    }

    fn rule_broken(&self, now: Duration, rules: &Failover) -> Option<Reason> {
        if now >= self.last_frame + rules.stall() {
            return Some(Reason::LiveStalled);
        }
        if keyframe_gap(rules).is_some_and(|gap| now >= self.last_keyframe() + gap) {
            return Some(Reason::LiveWithoutKeyframes);
        }
        match (self.bitrate_kbps(), rules.min_bitrate_kbps) {
            (Some(is), Some(min)) if is < u64::from(min) => Some(Reason::LiveBitrateLow),
            _ => None,
        }
    }

    pub(super) fn trouble(&self) -> Option<Reason> {
        self.trouble
    }

    /// How long every frame was good; `None` if the last was not.
    pub(super) fn was_good_for(&self, now: Duration) -> Option<Duration> {
        self.good_since.map(|since| now.saturating_sub(since))
    }

    pub(super) fn has_keyframe(&self) -> bool {
        self.last_keyframe.is_some()
    }

    pub(super) fn last_frame(&self) -> Duration {
        self.last_frame
    }

    /// When the last keyframe came, or the connection if none did.
    pub(super) fn last_keyframe(&self) -> Duration {
        self.last_keyframe.unwrap_or(self.connected_at)
    }

    /// Over the last five seconds; `None` before that.
    pub(super) fn bitrate_kbps(&self) -> Option<u64> {
        let is_full = self.periods.len() >= 5;
        is_full.then(|| self.periods.iter().sum::<u64>() * 8 / 1_000 / WINDOW.as_secs())
    }

    /// When a rule can be broken next.
    pub(super) fn next_deadline(&self, rules: &Failover) -> Option<Duration> {
        let stall = (self.trouble != Some(Reason::LiveStalled)).then(|| self.last_frame + rules.stall());
        let gap = keyframe_gap(rules).filter(|_| self.trouble.is_none());
        let keyframe = gap.map(|gap| self.last_keyframe() + gap);
        let bitrate = rules.min_bitrate_kbps.filter(|_| stall.is_some()).map(|_| self.period_began + PERIOD);
        [stall, keyframe, bitrate].into_iter().flatten().min()
    }
}

fn keyframe_gap(rules: &Failover) -> Option<Duration> {
    rules.max_keyframe_gap_seconds.map(|seconds| Duration::from_secs(u64::from(seconds)))
}
