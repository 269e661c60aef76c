//! Whether the stream runs, and whether OBS does.

use std::time::Duration;

use super::{Command, Director, Step};
use crate::domain::millis;
use crate::domain::studio::decision::{Reason, Subject, Why};
use crate::domain::studio::downtime::Cause;
use crate::domain::studio::link::LinkState;
use crate::domain::studio::model::Desired;
use crate::domain::studio::moment::Moment;
use crate::domain::studio::output::StreamState;

/// A start or stop that failed is repeated after this time.
const AGAIN: Duration = Duration::from_secs(10);
/// A start that OBS ignored is repeated after this time: right after the end of a stream it can ignore one.
const IGNORED: Duration = Duration::from_secs(2);

impl Director {
    pub(super) fn choose_stream(&mut self, now: Moment, step: &mut Step) {
        let is_due = |sent: Option<Moment>, after: Duration| sent.is_none_or(|sent| now.since(sent) >= after);
        let start_again = if self.is_start_seen { AGAIN } else { IGNORED };
        let state = self.output.state();
        if state == StreamState::Off {
            self.must_stop = false;
        }
        match self.desired {
            Desired::Stopped
                if self.must_stop && self.output.is_active() && is_due(self.stop_sent, AGAIN) =>
            {
                self.stop_sent = Some(now);
                self.output.we_stop();
                self.stream_choice(&Why::new(Reason::Operator), "streaming", "stopped", step);
                step.commands.push(Command::StopStream);
            }
            Desired::OnAir
                if state == StreamState::Off
                    && self.checks == Some(true)
                    && is_due(self.start_sent, start_again) =>
            {
                let has_scene = self.wanted.as_ref().is_some_and(|wanted| wanted.is_confirmed);
                if !has_scene && self.hold.is_none() {
                    return;
                }
                (self.start_sent, self.is_start_seen) = (Some(now), false);
                self.stream_choice(&self.why_start(), "stopped", "streaming", step);
                step.commands.push(Command::StartStream);
            }
            Desired::OnAir | Desired::Stopped => {}
        }
    }

    fn why_start(&self) -> Why {
        let reason = match self.output.outage() {
            _ if !self.has_been_live => Reason::PreflightPassed,
            _ if self.crash.is_some() => Reason::ObsGone,
            Some((Cause::ManualStop, _)) => Reason::StoppedInObs,
            Some(_) => Reason::ConnectionLost,
            None => Reason::Operator,
        };
        Why::new(reason)
    }

    fn stream_choice(&self, why: &Why, from: &str, to: &str, step: &mut Step) {
        let mut choice = why.choice(Subject::Stream, Some(from.to_owned()), to);
        if choice.reason == Reason::Operator {
            choice.by.clone_from(&self.started_by);
        }
        step.choices.push(choice);
    }

    /// OBS is lost until its stream is there again.
    pub(super) fn notice_crash(&mut self, now: Moment) {
        if let Some(lost) = self.link.lost() {
            if self.far_end.has_arrived_since(now, lost) {
                (self.crash, self.arrived) = (None, Some(now));
            } else {
                let arrived = self.arrived.filter(|arrived| arrived.elapsed > lost.elapsed);
                self.crash.get_or_insert(arrived.unwrap_or(lost));
            }
        } else if self.output.state() == StreamState::Live {
            self.crash = None;
        }
    }

    pub(super) fn restart_obs(&mut self, now: Moment, step: &mut Step) {
        let Some(lost) = self.link.lost() else {
            self.restarts.due(now, &self.link, self.settings.health.detection_timeout);
            return;
        };
        let must_run = self.settings.can_restart && self.desired == Desired::OnAir;
        if !must_run || self.far_end.has_arrived_since(now, lost) {
            return;
        }
        let timeout = self.settings.health.detection_timeout;
        let Some(attempt) = self.restarts.due(now, &self.link, timeout) else { return };
        let reason = match self.link.state() {
            LinkState::Unresponsive => Reason::ObsUnresponsive,
            LinkState::Unknown | LinkState::Connected | LinkState::Disconnected => Reason::ObsGone,
        };
        let why = Why::new(reason).with("attempt", attempt).with("gone_ms", millis(now.since(lost)));
        step.choices.push(why.choice(Subject::Obs, None, "restarted"));
        step.commands.push(Command::RestartObs { attempt });
    }
}
