//! How a running programme rehearses the loss of its live input.

use std::time::Duration;

use crate::domain::Timestamp;
use crate::domain::channel::{Decision, ProgrammeStatus, Rehearsal, RehearsalReport, RehearsalState};

/// How long a requested rehearsal waits for the first status of its programme.
const PATIENCE: Duration = Duration::from_secs(30);

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
    until: Timestamp,
}

impl Rehearsing {
    /// Whether the live input counts as lost.
    pub(super) fn is_cut(&self) -> bool {
        self.running.is_some()
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
        open: &Rehearsal,
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
                let until = now.plus(Duration::from_secs(u64::from(open.cut_live_for_seconds)));
                let (before, decisions) = (before.clone(), Vec::new());
                self.running = Some(Running { rehearsal: rehearsal.clone(), before, decisions, until });
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

    /// Ends the rehearsal if its time is over. It is then in `ended`, with its report.
    pub(super) fn end_if_due(&mut self, status: Option<&ProgrammeStatus>, now: Timestamp) -> bool {
        let Some(running) = self.running.take_if(|running| running.until <= now) else { return false };
        let mut rehearsal = running.rehearsal;
        match status {
            Some(after) => {
                rehearsal.state = RehearsalState::Done;
                rehearsal.ended_at = Some(now);
                rehearsal.report = Some(RehearsalReport::of(&running.before, after, &running.decisions));
            }
            None => fail(&mut rehearsal, now, "the programme reports nothing any more"),
        }
        self.ended = Some(rehearsal);
        true
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
