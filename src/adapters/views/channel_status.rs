//! What a channel's programme reports, and what tests of it found.

use serde::Serialize;
use serde_with::skip_serializing_none;
use utoipa::ToSchema;
use uuid::Uuid;

use super::DateTime;
use crate::app::channel::{ChannelStatus, DestinationTest};
use crate::domain::channel::{
    Destination, InputState, InputStatus, Mode, OutputId, OutputState, OutputStatus, Platform, Reason,
    Rehearsal, RehearsalReport, RehearsalState, RehearsedOutput, Source,
};
use crate::ports::{ProbeStep, ProbedStep};

/// What is on air, and the state of each input and destination.
#[skip_serializing_none]
#[derive(Serialize, ToSchema)]
#[schema(as = ChannelStatus)]
pub(crate) struct ChannelStatusView {
    channel_id: Uuid,
    /// Whether the programme runs. If not, only the destinations are listed.
    running: bool,
    mode: Mode,
    /// What is on air. Absent if the programme does not run, or if nothing can be on air yet.
    on_air: Option<Source>,
    /// Since when.
    since: Option<DateTime>,
    /// Why.
    reason: Option<Reason>,
    /// When the programme began to run on its instance.
    started_at: Option<DateTime>,
    /// When this was seen.
    at: Option<DateTime>,
    /// Cuts since the programme began.
    cuts: Option<u64>,
    /// The longest hole that a cut made, in milliseconds of the programme.
    longest_hole_ms: Option<u64>,
    inputs: Option<InputStatesView>,
    /// The channel's path on the media server.
    media_server: Option<OutputStatusView>,
    destinations: Vec<DestinationStatusView>,
}

/// The state of both inputs.
#[derive(Serialize, ToSchema)]
#[schema(as = InputStates)]
struct InputStatesView {
    live: InputStatusView,
    backup: InputStatusView,
}

/// The state of an input.
#[skip_serializing_none]
#[derive(Serialize, ToSchema)]
#[schema(as = InputStatus)]
struct InputStatusView {
    state: InputState,
    bitrate_kbps: Option<u32>,
    /// Video frames a second.
    fps: Option<f32>,
    /// The time between the last two keyframes.
    keyframe_interval_ms: Option<u32>,
    codecs: Vec<String>,
    /// The age of the last video frame.
    last_frame_ms: Option<u64>,
    /// What differs from the profile, and what to set in the encoder.
    problem: Option<String>,
}

impl From<InputStatus> for InputStatusView {
    fn from(status: InputStatus) -> Self {
        let InputStatus { state, bitrate_kbps, fps, keyframe_interval_ms, codecs, last_frame_ms, problem } =
            status;
        Self { state, bitrate_kbps, fps, keyframe_interval_ms, codecs, last_frame_ms, problem }
    }
}

/// The state of a connection.
#[skip_serializing_none]
#[derive(Serialize, ToSchema)]
#[schema(as = OutputStatus)]
struct OutputStatusView {
    state: OutputState,
    /// Since when.
    since: DateTime,
    /// The last error, in the words of the other side.
    last_error: Option<String>,
    next_attempt_at: Option<DateTime>,
    /// Connections that took the programme.
    connects: u64,
    /// Bytes sent.
    bytes: u64,
    /// Video frames that were dropped, because the other side was too slow.
    dropped_frames: u64,
    /// How much media waits to be sent.
    queue_ms: u64,
    /// The round-trip time.
    rtt_ms: Option<u32>,
}

impl From<&OutputStatus> for OutputStatusView {
    fn from(status: &OutputStatus) -> Self {
        Self {
            state: status.state,
            since: status.since,
            last_error: status.last_error.clone(),
            next_attempt_at: status.next_attempt_at,
            connects: status.connects,
            bytes: status.bytes,
            dropped_frames: status.dropped_frames,
            queue_ms: status.queue_ms,
            rtt_ms: status.rtt_ms,
        }
    }
}

/// A destination and the state of its connection.
#[skip_serializing_none]
#[derive(Serialize, ToSchema)]
#[schema(as = DestinationStatus)]
struct DestinationStatusView {
    id: Uuid,
    name: String,
    platform: Platform,
    enabled: bool,
    /// Absent while the programme does not run, unless the destination is disabled.
    connection: Option<OutputStatusView>,
}

impl From<ChannelStatus> for ChannelStatusView {
    fn from(found: ChannelStatus) -> Self {
        let running = found.is_running();
        let ChannelStatus { channel, status, destinations } = found;
        let status = status.filter(|_| running);
        let output = |wanted: OutputId| {
            let outputs = status.iter().flat_map(|status| &status.outputs);
            outputs.clone().find(|(id, _)| *id == wanted).map(|(_, output)| OutputStatusView::from(output))
        };
        let carried = || status.as_ref().filter(|status| !status.is_off_air());
        let destination = |one: Destination| DestinationStatusView {
            id: one.id.0,
            connection: if one.enabled {
                output(OutputId::Destination(one.id))
            } else {
                let off = OutputStatus { state: OutputState::Disabled, ..OutputStatus::new(one.updated_at) };
                Some(OutputStatusView::from(&off))
            },
            name: one.name,
            platform: one.platform,
            enabled: one.enabled,
        };
        Self {
            channel_id: channel.channel.id.0,
            running,
            mode: channel.channel.mode(channel.at),
            destinations: destinations.into_iter().map(destination).collect(),
            media_server: output(OutputId::MediaServer),
            on_air: carried().map(|status| status.on_air),
            since: carried().map(|status| status.since),
            reason: carried().map(|status| status.reason),
            started_at: status.as_ref().map(|status| status.started_at),
            at: status.as_ref().map(|status| status.at),
            cuts: status.as_ref().map(|status| status.cuts),
            longest_hole_ms: status.as_ref().map(|status| status.longest_hole_ms),
            inputs: status
                .map(|status| InputStatesView { live: status.live.into(), backup: status.backup.into() }),
        }
    }
}

/// A rehearsal: the live input is treated as lost for some seconds.
#[skip_serializing_none]
#[derive(Serialize, ToSchema)]
#[schema(as = Rehearsal)]
pub(crate) struct RehearsalView {
    id: Uuid,
    cut_live_for_seconds: u32,
    state: RehearsalState,
    created_at: DateTime,
    started_at: Option<DateTime>,
    ended_at: Option<DateTime>,
    report: Option<RehearsalReportView>,
    /// Why there is no report.
    error: Option<String>,
}

/// What a rehearsal found.
#[skip_serializing_none]
#[derive(Serialize, ToSchema)]
#[schema(as = RehearsalReport)]
struct RehearsalReportView {
    /// What was on air before.
    on_air_before: Source,
    /// What was on air while the live input was cut.
    on_air_during: Source,
    /// The longest hole when the live input was cut, in milliseconds of the programme. Absent if nothing was cut.
    hole_ms: Option<u64>,
    /// The hole of the return to the live input. Absent if it did not return in time, or was not on air before.
    return_hole_ms: Option<u64>,
    media_server: Option<RehearsedOutputView>,
    destinations: Vec<RehearsedDestinationView>,
}

/// What a rehearsal found at one connection.
#[skip_serializing_none]
#[derive(Serialize, ToSchema)]
#[schema(as = RehearsedOutput)]
struct RehearsedOutputView {
    /// The hole when the live input was cut, in milliseconds. Absent if it is longer than that of the programme, because of
    /// a reconnect or dropped frames.
    hole_ms: Option<u64>,
    /// The same for the return to the live input.
    return_hole_ms: Option<u64>,
    /// New connections in this time.
    reconnects: u64,
    /// Video frames that were dropped in this time.
    dropped_frames: u64,
    /// The state at the end.
    state: OutputState,
}

/// What a rehearsal found at one destination.
#[derive(Serialize, ToSchema)]
#[schema(as = RehearsedDestination)]
struct RehearsedDestinationView {
    id: Uuid,
    #[serde(flatten)]
    found: RehearsedOutputView,
}

impl From<RehearsedOutput> for RehearsedOutputView {
    fn from(output: RehearsedOutput) -> Self {
        let RehearsedOutput { hole_ms, return_hole_ms, reconnects, dropped_frames, state, .. } = output;
        Self { hole_ms, return_hole_ms, reconnects, dropped_frames, state }
    }
}

impl From<RehearsalReport> for RehearsalReportView {
    fn from(report: RehearsalReport) -> Self {
        let RehearsalReport { on_air_before, on_air_during, hole_ms, return_hole_ms, outputs } = report;
        let server = outputs.iter().find(|output| output.output == OutputId::MediaServer);
        let destinations = outputs.iter().filter_map(|output| match output.output {
            OutputId::MediaServer => None,
            OutputId::Destination(id) => Some(RehearsedDestinationView { id: id.0, found: (*output).into() }),
        });
        let (media_server, destinations) = (server.map(|server| (*server).into()), destinations.collect());
        Self { on_air_before, on_air_during, hole_ms, return_hole_ms, media_server, destinations }
    }
}

impl From<Rehearsal> for RehearsalView {
    fn from(rehearsal: Rehearsal) -> Self {
        Self {
            id: rehearsal.id.0,
            cut_live_for_seconds: rehearsal.cut_live_for_seconds,
            state: rehearsal.state,
            created_at: rehearsal.created_at,
            started_at: rehearsal.started_at,
            ended_at: rehearsal.ended_at,
            report: rehearsal.report.map(RehearsalReportView::from),
            error: rehearsal.error,
        }
    }
}

/// The result of reaching a destination without publishing.
#[skip_serializing_none]
#[derive(Serialize, ToSchema)]
#[schema(as = DestinationTest)]
pub(crate) struct DestinationTestView {
    /// Whether all steps succeeded, at one of the addresses.
    ok: bool,
    /// The steps at `url`, until the first that failed.
    url: Vec<ProbedStepView>,
    /// The same at `backup_url`, if there is one.
    backup_url: Option<Vec<ProbedStepView>>,
}

/// A step of reaching a destination.
#[skip_serializing_none]
#[derive(Serialize, ToSchema)]
#[schema(as = ProbedStep)]
struct ProbedStepView {
    step: ProbeStep,
    /// How long it took.
    milliseconds: u64,
    /// Why it failed.
    error: Option<String>,
}

impl From<ProbedStep> for ProbedStepView {
    fn from(ProbedStep { step, took, error }: ProbedStep) -> Self {
        Self { step, milliseconds: u64::try_from(took.as_millis()).unwrap_or(u64::MAX), error }
    }
}

impl From<DestinationTest> for DestinationTestView {
    fn from(test: DestinationTest) -> Self {
        let ok = test.works();
        let steps = |steps: Vec<ProbedStep>| steps.into_iter().map(ProbedStepView::from).collect();
        Self { ok, url: steps(test.url), backup_url: test.backup_url.map(steps) }
    }
}
