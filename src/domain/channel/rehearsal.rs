//! Rehearsals: the live input is treated as lost for some seconds, and the report says what the destinations noticed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

use super::decision::{Decision, DecisionKind, Source};
use super::model::ChannelId;
use super::programme::OutputId;
use super::status::{OutputState, ProgrammeStatus};
use crate::domain::Timestamp;
use crate::domain::id::id;
use crate::domain::invalid::Invalid;

id!(/// Names a rehearsal.
    RehearsalId);

/// The figure of a decision that says how long the hole of its cut was, in milliseconds of the programme.
pub const HOLE_MS: &str = "hole_ms";

/// Where a rehearsal is.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    Display,
    EnumString,
    IntoStaticStr,
    VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum RehearsalState {
    /// It was requested, and begins within seconds.
    Requested,
    /// The live input is treated as lost.
    Running,
    /// Its report is there.
    Done,
    /// It ended without a report.
    Failed,
}

/// A rehearsal of a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rehearsal {
    /// Its identity.
    pub id: RehearsalId,
    /// The channel.
    pub channel: ChannelId,
    /// For how long the live input is treated as lost.
    pub cut_live_for_seconds: u32,
    /// Where it is.
    pub state: RehearsalState,
    /// When it was requested.
    pub created_at: Timestamp,
    /// When the live input was cut.
    pub started_at: Option<Timestamp>,
    /// When the report was made, or the rehearsal failed.
    pub ended_at: Option<Timestamp>,
    /// What happened.
    pub report: Option<RehearsalReport>,
    /// Why there is no report.
    pub error: Option<String>,
}

impl Rehearsal {
    /// Whether it is still to be done.
    pub fn is_open(&self) -> bool {
        matches!(self.state, RehearsalState::Requested | RehearsalState::Running)
    }

    /// Checks a length: 1 to 300 s.
    pub fn check_seconds(seconds: u32) -> Result<u32, Invalid> {
        if (1..=300).contains(&seconds) {
            return Ok(seconds);
        }
        Err(Invalid::one("cut_live_for_seconds", format!("must be 1 to 300, got {seconds}")))
    }
}

/// What a rehearsal found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RehearsalReport {
    /// What was on air before.
    pub on_air_before: Source,
    /// What was on air at the end of the cut, before the live input was allowed again.
    pub on_air_during: Source,
    /// The longest hole of the cuts in this time, in milliseconds of the programme; `None` if nothing was cut.
    pub hole_ms: Option<u64>,
    /// The outputs.
    pub outputs: Vec<RehearsedOutput>,
}

/// What a rehearsal found at one output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RehearsedOutput {
    /// Which.
    pub output: OutputId,
    /// New connections in this time. None is the aim.
    pub reconnects: u64,
    /// Video frames that were dropped in this time.
    pub dropped_frames: u64,
    /// Its state at the end.
    pub state: OutputState,
}

impl RehearsalReport {
    /// Compares the programme before and at the end, with the decisions in between.
    pub fn of(before: &ProgrammeStatus, after: &ProgrammeStatus, decisions: &[Decision]) -> Self {
        let earlier: BTreeMap<_, _> = before.outputs.iter().map(|(id, status)| (*id, status)).collect();
        let cuts = decisions.iter().filter(|decision| decision.kind == DecisionKind::Cut);
        let measured = cuts.filter_map(|cut| cut.numbers.get(HOLE_MS)?.as_u64()).max();
        let grown = (after.longest_hole_ms > before.longest_hole_ms).then_some(after.longest_hole_ms);
        let output = |(id, now): &(OutputId, _)| {
            let now: &super::status::OutputStatus = now;
            let then = earlier.get(id);
            let since = |now: u64, then: Option<u64>| now.saturating_sub(then.unwrap_or(0));
            RehearsedOutput {
                output: *id,
                reconnects: since(now.connects, then.map(|then| then.connects)),
                dropped_frames: since(now.dropped_frames, then.map(|then| then.dropped_frames)),
                state: now.state,
            }
        };
        Self {
            on_air_before: before.on_air,
            on_air_during: after.on_air,
            hole_ms: measured.max(grown),
            outputs: after.outputs.iter().map(output).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use crate::domain::channel::{DecisionId, InputState, InputStatus, OutputStatus, Reason};

    const AT: Timestamp = Timestamp::from_seconds(100);

    fn status(on_air: Source, longest_hole_ms: u64, connects: u64) -> ProgrammeStatus {
        let input = InputStatus {
            state: InputState::Ready,
            bitrate_kbps: None,
            fps: None,
            keyframe_interval_ms: None,
            codecs: vec![],
            last_frame_ms: None,
            problem: None,
        };
        let output = OutputStatus {
            state: OutputState::Live,
            since: AT,
            last_error: None,
            next_attempt_at: None,
            connects,
            bytes: 0,
            dropped_frames: 10 * connects,
            queue_ms: 0,
            rtt_ms: None,
        };
        ProgrammeStatus {
            at: AT,
            started_at: AT,
            on_air,
            since: AT,
            reason: Reason::Start,
            cuts: 0,
            longest_hole_ms,
            live: input.clone(),
            backup: input,
            outputs: vec![(OutputId::MediaServer, output)],
        }
    }

    fn cut(kind: DecisionKind, hole_ms: u64) -> Decision {
        Decision {
            id: DecisionId(Uuid::nil()),
            channel: ChannelId(Uuid::nil()),
            at: AT,
            from: None,
            to: Source::Backup,
            kind,
            reason: Reason::Rehearsal,
            numbers: json!({ HOLE_MS: hole_ms }).as_object().unwrap().clone(),
        }
    }

    #[test]
    fn report_compares_the_programme_before_and_after() {
        let (before, after) = (status(Source::Live, 900, 3), status(Source::Backup, 900, 4));
        let decisions =
            [cut(DecisionKind::Cut, 40), cut(DecisionKind::Cut, 66), cut(DecisionKind::Refused, 999)];
        let report = RehearsalReport::of(&before, &after, &decisions);
        assert_eq!((report.on_air_before, report.on_air_during), (Source::Live, Source::Backup));
        assert_eq!(report.hole_ms, Some(66), "an earlier hole was longer");
        assert_eq!((report.outputs[0].reconnects, report.outputs[0].dropped_frames), (1, 10));
    }

    #[test]
    fn hole_is_that_of_the_programme_if_the_decisions_do_not_say_it() {
        let before = status(Source::Live, 40, 1);
        let hole = |after: u64| RehearsalReport::of(&before, &status(Source::Backup, after, 1), &[]).hole_ms;
        assert_eq!((hole(70), hole(40)), (Some(70), None));
    }
}
