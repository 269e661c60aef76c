//! Downtime: intervals in which the platform had no good picture, with their cause.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::words::words;
use crate::domain::Timestamp;

words! {
    /// Why the platform had no good picture.
    #[derive(PartialOrd, Ord, Hash)]
    Cause {
        /// The stream did not reach the platform.
        ConnectionLost,
        /// OBS ended, or did not answer.
        ObsCrash,
        /// What was on air failed, and nothing else was on air yet.
        ContentFailure,
        /// The stream reached the platform with too low a bitrate.
        NetworkDegraded,
        /// Somebody stopped the stream in OBS.
        ManualStop,
    }
}

impl Cause {
    /// What Streamward does about it, for people.
    pub fn recovery_action(self) -> &'static str {
        match self {
            Self::ConnectionLost => "OBS stays on and connects to the platform again",
            Self::ObsCrash => "OBS is restarted and the stream started again",
            Self::ContentFailure => "other content continues air, or the failover content",
            Self::NetworkDegraded => "the stream stays on until the bitrate has recovered",
            Self::ManualStop => "the stream is started again",
        }
    }
}

/// An interval in which the platform had no good picture. No two of a studio overlap, so `started_at` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Downtime {
    /// The first bad moment.
    pub started_at: Timestamp,
    /// The first good moment; `None` while it lasts.
    pub ended_at: Option<Timestamp>,
    /// Why.
    pub cause: Cause,
}

/// A time in which the studio was to be on air, from its first good moment to a person's stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamSession {
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended; `None` while it lasts.
    pub ended_at: Option<Timestamp>,
}

/// Uptime of a period.
#[derive(Clone, Debug, PartialEq)]
pub struct Uptime {
    /// The time in which the studio was to be on air.
    pub total: Duration,
    /// The part of it without a good picture.
    pub downtime: Duration,
    /// The share with a good picture, in percent; 0 if the studio was never to be on air.
    pub percent: f64,
    /// The downtime, clipped to the period. What lasts has no end.
    pub events: Vec<Downtime>,
    /// What is left of the promise.
    pub budget: Budget,
}

/// What is left of the promise. The specification has two figures that contradict each other: 99.9 % of seven days, which is
/// 604.8 s, and 30 s. For another period both are in proportion.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Budget {
    /// Whether the share is at least 99.9 %.
    pub meets_percent: bool,
    /// Seconds of downtime until it is not, by the percentage. Negative if it is not.
    pub percent_seconds_left: f64,
    /// Whether the downtime is at most 30 s in seven days.
    pub meets_seconds: bool,
    /// Seconds of downtime until it is not. Negative if it is not.
    pub seconds_left: f64,
}

/// The promised share, in percent.
pub const TARGET_PERCENT: f64 = 99.9;
/// The promised most of downtime in seven days, in seconds.
pub const TARGET_SECONDS: f64 = 30.0;

impl Uptime {
    /// The uptime of a period, with its parts.
    pub(super) fn of(period: Duration, total: Duration, downtime: Duration, events: Vec<Downtime>) -> Self {
        let (all, down) = (total.as_secs_f64(), downtime.as_secs_f64());
        let percent = if total.is_zero() { 0.0 } else { (all - down) / all * 100.0 };
        let weeks = period.as_secs_f64() / (7.0 * 86_400.0);
        let allowed = period.as_secs_f64() * (100.0 - TARGET_PERCENT) / 100.0;
        let budget = Budget {
            meets_percent: percent >= TARGET_PERCENT,
            percent_seconds_left: allowed - down,
            meets_seconds: down <= TARGET_SECONDS * weeks,
            seconds_left: TARGET_SECONDS * weeks - down,
        };
        Self { total, downtime, percent, events, budget }
    }
}
