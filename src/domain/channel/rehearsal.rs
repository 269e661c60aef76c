//! Rehearsals: the live input is treated as lost for some seconds, and the report says what the destinations noticed.

use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

use super::decision::{Decision, DecisionKind, Source};
use super::model::ChannelId;
use super::programme::OutputId;
use super::status::{OutputState, OutputStatus, ProgrammeStatus};
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
    /// The longest hole when the live input was cut, in milliseconds of the programme; `None` if nothing was cut.
    pub hole_ms: Option<u64>,
    /// The hole of the return to the live input; `None` if it did not return in time, or was not on air before.
    #[serde(default)]
    pub return_hole_ms: Option<u64>,
    /// The outputs.
    pub outputs: Vec<RehearsedOutput>,
}

/// What a rehearsal found at one output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RehearsedOutput {
    /// Which.
    pub output: OutputId,
    /// The hole when the live input was cut, as this output has it; `None` if it is longer than that of the programme,
    /// because the output connected again or frames were dropped.
    #[serde(default)]
    pub hole_ms: Option<u64>,
    /// The same for the return to the live input.
    #[serde(default)]
    pub return_hole_ms: Option<u64>,
    /// New connections in this time. None is the aim.
    pub reconnects: u64,
    /// Video frames that were dropped in this time.
    pub dropped_frames: u64,
    /// Its state at the end.
    pub state: OutputState,
}

impl RehearsalReport {
    /// Compares the programme before, at the end of the cut (`during`) and after the return, with the decisions in between.
    pub fn of(
        before: &ProgrammeStatus,
        during: &ProgrammeStatus,
        after: &ProgrammeStatus,
        decisions: &[Decision],
    ) -> Self {
        let hole = |is_wanted: fn(&Decision) -> bool| {
            let cuts = decisions.iter().filter(|one| one.kind == DecisionKind::Cut && is_wanted(one));
            cuts.filter_map(|cut| cut.numbers.get(HOLE_MS)?.as_u64()).max()
        };
        let grown = (during.longest_hole_ms > before.longest_hole_ms).then_some(during.longest_hole_ms);
        let hole_ms = hole(|one| one.to != Source::Live).max(grown);
        let return_hole_ms = hole(|one| one.to == Source::Live);
        let counts = |status: &ProgrammeStatus, id: OutputId| {
            let output = status.outputs.iter().find(|(one, _)| *one == id);
            output.map_or((0, 0), |(_, output)| (output.connects, output.dropped_frames))
        };
        let output = |(id, last): &(OutputId, OutputStatus)| {
            let [before, during, after] = [before, during, after].map(|status| counts(status, *id));
            let whole = |hole: Option<u64>, is_whole: bool| hole.filter(|_| is_whole);
            RehearsedOutput {
                output: *id,
                hole_ms: whole(hole_ms, before == during && last.state == OutputState::Live),
                return_hole_ms: whole(return_hole_ms, during == after && last.state == OutputState::Live),
                reconnects: after.0.saturating_sub(before.0),
                dropped_frames: after.1.saturating_sub(before.1),
                state: last.state,
            }
        };
        Self {
            on_air_before: before.on_air,
            on_air_during: during.on_air,
            hole_ms,
            return_hole_ms,
            outputs: after.outputs.iter().map(output).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use crate::domain::channel::{DecisionId, InputState, InputStatus, Reason};

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

    fn cut(kind: DecisionKind, to: Source, hole_ms: u64) -> Decision {
        Decision {
            id: DecisionId(Uuid::nil()),
            channel: ChannelId(Uuid::nil()),
            at: AT,
            from: None,
            to,
            kind,
            reason: Reason::Rehearsal,
            numbers: json!({ HOLE_MS: hole_ms }).as_object().unwrap().clone(),
        }
    }

    #[test]
    fn report_compares_the_programme_before_and_after() {
        let (before, during) = (status(Source::Live, 900, 3), status(Source::Backup, 900, 3));
        let after = status(Source::Live, 900, 4);
        let (cuts, back) = (DecisionKind::Cut, Source::Backup);
        let decisions = [
            cut(cuts, back, 40),
            cut(cuts, Source::Slate, 66),
            cut(DecisionKind::Refused, back, 999),
            cut(cuts, Source::Live, 33),
        ];
        let report = RehearsalReport::of(&before, &during, &after, &decisions);
        assert_eq!((report.on_air_before, report.on_air_during), (Source::Live, Source::Backup));
        assert_eq!(
            (report.hole_ms, report.return_hole_ms),
            (Some(66), Some(33)),
            "an earlier hole was longer"
        );
        let output = report.outputs[0];
        assert_eq!((output.reconnects, output.dropped_frames), (1, 10));
        assert_eq!(
            (output.hole_ms, output.return_hole_ms),
            (Some(66), None),
            "it connected again at the return"
        );
        let report = RehearsalReport::of(&before, &during, &during, &decisions[..1]);
        assert_eq!((report.return_hole_ms, report.outputs[0].hole_ms), (None, Some(40)));
    }

    #[test]
    fn hole_is_that_of_the_programme_if_the_decisions_do_not_say_it() {
        let before = status(Source::Live, 40, 1);
        let hole = |during: u64| {
            let during = status(Source::Backup, during, 1);
            RehearsalReport::of(&before, &during, &during, &[]).hole_ms
        };
        assert_eq!((hole(70), hole(40)), (Some(70), None));
    }
}
