//! How a running programme rehearses the loss of its live input.

use std::time::Duration;

use tokio::time::Instant;

use crate::domain::Timestamp;
use crate::domain::channel::{
    Decision, DecisionKind, Failover, ProgrammeStatus, Rehearsal, RehearsalReport, RehearsalState, Source,
};

/// How long a requested rehearsal waits for the first status of its programme.
const PATIENCE: Duration = Duration::from_secs(30);
/// How much longer than the longest recovery grace the return to the live input may take.
const RETURN: Duration = Duration::from_secs(30);

/// The rehearsal of one programme.
#[derive(Debug, Default)]
pub(super) struct Rehearsing {
    running: Option<Running>,
    /// Ended, but not stored yet.
    pub(super) ended: Option<Rehearsal>,
}

#[derive(Debug)]
struct Running {
    rehearsal: Rehearsal,
    before: ProgrammeStatus,
    decisions: Vec<Decision>,
    until: Instant,
    /// How long the return to the live input may take.
    patience: Duration,
    /// The programme at the end of the cut, and until when its return is awaited.
    during: Option<(ProgrammeStatus, Instant)>,
}

impl Running {
    /// Whether there is nothing more to wait for after the cut.
    fn has_returned(&self) -> bool {
        let is_return = |one: &Decision| one.to == Source::Live && one.kind == DecisionKind::Cut;
        self.before.on_air != Source::Live || self.decisions.iter().any(is_return)
    }
}

impl Rehearsing {
    /// Whether the live input counts as lost.
    pub(super) fn is_cut(&self) -> bool {
        self.running.as_ref().is_some_and(|running| running.during.is_none())
    }

    /// Notes a decision, for the report.
    pub(super) fn decided(&mut self, decision: &Decision) {
        if let Some(running) = &mut self.running {
            running.decisions.push(decision.clone());
        }
    }

    /// Takes the open rehearsal in the store. Returns it as it must be stored, if it begins or fails now.
    pub(super) fn take(
        &mut self,
        (open, failover): (&Rehearsal, &Failover),
        status: Option<&ProgrammeStatus>,
        now: Timestamp,
    ) -> Option<Rehearsal> {
        if self.running.is_some() || self.ended.is_some() {
            return None;
        }
        let mut rehearsal = open.clone();
        match (open.state, status) {
            (RehearsalState::Requested, Some(before)) => {
                rehearsal.state = RehearsalState::Running;
                rehearsal.started_at = Some(now);
                let until = Instant::now() + Duration::from_secs(u64::from(open.cut_live_for_seconds));
                let (before, decisions) = (before.clone(), Vec::new());
                let grace = failover.recovery_grace_seconds.max(failover.flapping.max_grace_seconds);
                let patience = Duration::from_secs(u64::from(grace)) + RETURN;
                let (rehearsal, during) = (rehearsal.clone(), None);
                self.running = Some(Running { rehearsal, before, decisions, until, patience, during });
            }
            (RehearsalState::Requested, None) if now.since(open.created_at) < PATIENCE => return None,
            (RehearsalState::Requested, None) => fail(&mut rehearsal, now, "the programme does not run"),
            _ => fail(&mut rehearsal, now, "the instance that ran it stopped"),
        }
        if !rehearsal.is_open() {
            self.ended = Some(rehearsal.clone());
        }
        Some(rehearsal)
    }

    /// Ends the cut when its time is over, and the rehearsal when the live input is on air again. It is then in `ended`, with
    /// its report. Returns whether the cut ends now.
    pub(super) fn advance(&mut self, status: Option<&ProgrammeStatus>, now: Timestamp) -> bool {
        let instant = Instant::now();
        let Some(mut running) = self.running.take_if(|running| running.until <= instant) else {
            return false;
        };
        let ends_now = running.during.is_none();
        let Some(after) = status else {
            fail(&mut running.rehearsal, now, "the programme reports nothing any more");
            self.ended = Some(running.rehearsal);
            return ends_now;
        };
        let patience = running.patience;
        let (during, until) =
            running.during.get_or_insert_with(|| (after.clone(), instant + patience)).clone();
        if until > instant && !running.has_returned() {
            self.running = Some(running);
            return ends_now;
        }
        let mut rehearsal = running.rehearsal;
        rehearsal.state = RehearsalState::Done;
        rehearsal.ended_at = Some(now);
        let report = RehearsalReport::of(&running.before, &during, after, &running.decisions);
        rehearsal.report = Some(report);
        self.ended = Some(rehearsal);
        ends_now
    }

    /// The programme stops.
    pub(super) fn stop(&mut self, now: Timestamp) {
        if let Some(mut running) = self.running.take() {
            fail(&mut running.rehearsal, now, "the programme was stopped");
            self.ended = Some(running.rehearsal);
        }
    }
}

fn fail(rehearsal: &mut Rehearsal, now: Timestamp, why: &str) {
    rehearsal.state = RehearsalState::Failed;
    rehearsal.ended_at = Some(now);
    rehearsal.error = Some(why.to_owned());
}
