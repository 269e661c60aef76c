//! The recovery grace: how long a live input must be good before it goes on air, and how that grows when it flaps.

use std::collections::VecDeque;
use std::time::Duration;

use crate::domain::channel::settings::Failover;

/// The grace without a setting of its own, once it grows.
const SHORTEST: Duration = Duration::from_secs(1);

/// The losses of a live input, and what they mean for the grace.
#[derive(Clone, Debug, Default)]
pub(super) struct Grace {
    losses: VecDeque<Duration>,
    /// When the input was last put on air.
    back: Option<Duration>,
    /// How often the grace is doubled.
    doublings: u32,
}

impl Grace {
    /// How long the input must be good.
    pub(super) fn length(&self, now: Duration, rules: &Failover) -> Duration {
        let grace = rules.recovery_grace();
        let Some(last) = self.losses.back().filter(|_| self.doublings > 0) else { return grace };
        let most = Duration::from_secs(u64::from(rules.flapping.max_grace_seconds)).max(grace);
        let grown = grace.max(SHORTEST).saturating_mul(2_u32.saturating_pow(self.doublings)).min(most);
        let is_long_ago = now.saturating_sub(*last) > grown + within(rules);
        if is_long_ago { grace } else { grown }
    }

    /// The input went on air.
    pub(super) fn back(&mut self, now: Duration) {
        self.back = Some(now);
    }

    /// The input was lost while it was on air.
    pub(super) fn lost(&mut self, now: Duration, rules: &Failover) {
        let within = within(rules);
        let was_quiet = self.back.is_none_or(|back| now.saturating_sub(back) >= within);
        if was_quiet {
            self.doublings = 0;
        }
        self.losses.retain(|loss| now.saturating_sub(*loss) < within);
        self.losses.push_back(now);
        let most = usize::try_from(rules.flapping.cuts).unwrap_or(usize::MAX);
        if self.losses.len() > most || self.doublings > 0 {
            self.doublings = (self.doublings + 1).min(16);
        }
    }
}

fn within(rules: &Failover) -> Duration {
    Duration::from_secs(u64::from(rules.flapping.within_seconds))
}
