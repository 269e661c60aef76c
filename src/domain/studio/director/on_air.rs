//! What is known of the picture that the platform has.

use super::Director;
use crate::domain::studio::downtime::Cause;
use crate::domain::studio::far_end::Arrival;
use crate::domain::studio::ledger::OnAir;
use crate::domain::studio::link::LinkState;
use crate::domain::studio::model::Desired;
use crate::domain::studio::moment::Moment;
use crate::domain::studio::output::StreamState;

impl Director {
    /// What is known of the picture that the platform has. One cause at a time: that of the part which is nearest to OBS.
    /// What the far end sees counts more than what OBS says, and a stream that it sees is there even without OBS in sight.
    pub fn on_air(&self, now: Moment) -> OnAir {
        if self.desired == Desired::Stopped {
            return OnAir::Off;
        }
        let (arrival, since) = self.far_end.state(now);
        if let Some(crash) = self.crash {
            return OnAir::Bad { cause: Cause::ObsCrash, since: crash.at };
        }
        let is_out_of_sight = self.link.lost().is_some();
        if !is_out_of_sight {
            match (self.link.state(), self.output.state(), self.output.outage()) {
                (LinkState::Unknown, ..) | (_, StreamState::Unknown, _) => return OnAir::Unknown,
                (_, StreamState::Stalled, _) if arrival == Arrival::Good => {}
                (_, _, Some((cause, since))) => return OnAir::Bad { cause, since },
                (_, StreamState::Live, None) => {}
                (_, _, None) => return OnAir::Bad { cause: Cause::ConnectionLost, since: now.at },
            }
        }
        match (arrival, self.picture.bad) {
            (Arrival::Absent, _) => OnAir::Bad { cause: Cause::ConnectionLost, since },
            (Arrival::Low, _) => OnAir::Bad { cause: Cause::NetworkDegraded, since },
            (_, Some(bad)) => OnAir::Bad { cause: Cause::ContentFailure, since: bad.at },
            (Arrival::Good | Arrival::Unknown, None) => {
                let parts = [self.output.good_since, self.link.good_since, since, self.picture.good_since];
                OnAir::Good { since: parts.into_iter().max().unwrap_or(now.at) }
            }
        }
    }
}
