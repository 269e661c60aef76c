//! What a channel that MediaMTX carries reports.

use std::collections::VecDeque;
use std::time::Duration;

use crate::adapters::mediamtx::dto::PathItem;
use crate::domain::Timestamp;
use crate::domain::channel::{
    Decision, InputState, InputStatus, OutputId, OutputStatus, ProgrammeStatus, Publishing, Source, Standby,
};

/// The time over which the bitrate is measured.
const WINDOW: Duration = Duration::from_secs(5);

/// What is known for the status.
pub(super) struct Report {
    status: ProgrammeStatus,
    /// Why the channel is not carried as it should be.
    pub(super) problem: Option<String>,
    /// Decisions that were not taken yet.
    pub(super) waiting: VecDeque<Decision>,
    tracks: Vec<String>,
    /// Who publishes, and the bytes at each poll.
    measured: Option<(String, VecDeque<(Duration, u64)>)>,
}

impl Report {
    pub(super) fn new(now: Timestamp) -> Self {
        let status = ProgrammeStatus::new(now, Source::Backup);
        Self { status, problem: None, waiting: VecDeque::new(), tracks: Vec::new(), measured: None }
    }

    pub(super) fn measure(&mut self, now: Duration, seen: Option<&Publishing>, found: &PathItem) {
        let tracks = found.tracks2.iter().flatten().map(|track| track.codec.clone());
        self.tracks = tracks.collect();
        let Some(seen) = seen else {
            self.measured = None;
            return;
        };
        let same = self.measured.take().filter(|(session, _)| *session == seen.session);
        let (session, mut points) = same.unwrap_or_else(|| (seen.session.clone(), VecDeque::new()));
        points.push_back((now, seen.bytes));
        while points.front().is_some_and(|(at, _)| now.saturating_sub(*at) > WINDOW) {
            points.pop_front();
        }
        self.measured = Some((session, points));
    }

    /// What is on air now.
    pub(super) fn decided(&mut self, decision: &Decision) {
        let status = &mut self.status;
        status.cuts += u64::from(decision.from.is_some());
        (status.on_air, status.since, status.reason) = (decision.to, decision.at, decision.reason);
    }

    fn bitrate_kbps(&self) -> Option<u32> {
        let (_, points) = self.measured.as_ref()?;
        let ((from, first), (to, last)) = (points.front()?, points.back()?);
        let ms = to.saturating_sub(*from).as_millis();
        let bits = u128::from(last.saturating_sub(*first)) * 8;
        (ms >= 1_000).then(|| u32::try_from(bits / ms).unwrap_or(u32::MAX))
    }

    /// The status, as it is now.
    pub(super) fn status(
        &mut self,
        (now, at): (Duration, Timestamp),
        standby: &Standby,
        outputs: Vec<(OutputId, OutputStatus)>,
    ) -> ProgrammeStatus {
        let is_live = standby.on_air() == Some(Source::Live);
        let last = standby.last_bytes(now).map(|age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX));
        let (live, backup) = match (standby.on_air(), is_live) {
            (None, _) => (InputState::Absent, InputState::Absent),
            (_, true) => (InputState::OnAir, InputState::Ready),
            (_, false) => (InputState::Absent, InputState::OnAir),
        };
        let tracks = |is_wanted: bool| if is_wanted { self.tracks.clone() } else { Vec::new() };
        self.status.live = InputStatus {
            bitrate_kbps: self.bitrate_kbps(),
            codecs: tracks(is_live),
            last_frame_ms: last,
            problem: self.problem.clone(),
            ..InputStatus::new(live)
        };
        self.status.backup = InputStatus { codecs: tracks(!is_live), ..InputStatus::new(backup) };
        self.status.at = at;
        self.status.outputs = outputs;
        self.status.clone()
    }
}
