//! Studios: what persons ordered, and what is seen of them.

use serde::Serialize;
use serde_json::{Map, Value};
use serde_with::skip_serializing_none;
use utoipa::ToSchema;
use uuid::Uuid;

use super::DateTime;
use super::list::list;
use crate::app::studio::StudioOverview;
use crate::domain::studio::{
    Alert, Arrival, Check, CheckState, ConnectionStatus, ContentKind, DecisionKind, Desired, Drill,
    DrillKind, DrillState, Hold, LinkState, OwnerState, Preflight, Reason, Rung, ScenePurpose, Snapshot,
    StreamState, StreamingStatus, StudioDecision, Subject, Uptime,
};

list! {
    /// All studios.
    StudioList { studios: StudioView }
}

list! {
    /// What was decided about a studio.
    StudioDecisionList { decisions: StudioDecisionView }
}

list! {
    /// The drills of a studio.
    DrillList { drills: DrillView }
}

/// One OBS that is on air around the clock.
#[skip_serializing_none]
#[derive(Serialize, ToSchema)]
#[schema(as = Studio)]
pub(crate) struct StudioView {
    id: Uuid,
    /// Who owns it.
    organization_id: Uuid,
    /// Its name in the configuration.
    #[schema(example = "main")]
    name: String,
    /// Whether it is to be on air.
    desired: Desired,
    /// Who ordered that. Absent if nobody did: then a studio with a platform is to be on air.
    desired_by: Option<String>,
    /// Whether a platform is configured. Without one, the studio is only watched.
    has_platform: bool,
    /// Whether Streamward can start and end OBS.
    can_restart: bool,
    /// Whose clock the schedule goes by.
    #[schema(example = "Europe/Vienna")]
    time_zone: String,
    /// Whether an instance supervises it. If not, what it would see is absent.
    supervised: bool,
    /// A person's order that automation leaves the scene alone.
    hold: Option<HoldView>,
    /// When its supervisor last saw it.
    seen_at: Option<DateTime>,
    obs: Option<ObsView>,
    stream: Option<StudioStreamView>,
    on_air: Option<OnAirView>,
    /// What a person has to know of now.
    alerts: Vec<Alert>,
    /// The last pre-flight checks.
    preflight: Option<PreflightView>,
    /// From then on nothing in the schedule can be played. Absent if that is more than a day away.
    nothing_to_play_at: Option<DateTime>,
    /// The session on air that lasts.
    session: Option<StudioSessionView>,
    /// Of the last seven days.
    uptime: UptimeView,
    created_at: DateTime,
    /// When a person last ordered something.
    updated_at: DateTime,
}

/// A person's order that automation leaves the scene alone.
#[skip_serializing_none]
#[derive(Serialize, ToSchema)]
#[schema(as = StudioHold)]
struct HoldView {
    since: DateTime,
    /// When it ends by itself.
    until: Option<DateTime>,
    /// The scene that was ordered with it. Absent if what was on air stays.
    scene: Option<String>,
    by: String,
    reason: Option<String>,
}

impl From<&Hold> for HoldView {
    fn from(hold: &Hold) -> Self {
        let Hold { since, until, scene, by, reason } = hold.clone();
        Self { since, until, scene: scene.map(String::from), by, reason }
    }
}

/// The connection to OBS.
#[skip_serializing_none]
#[derive(Serialize, ToSchema)]
#[schema(as = StudioObs)]
struct ObsView {
    connection: LinkState,
    /// Why there is none.
    problem: Option<String>,
    #[schema(example = "29.0.2")]
    version: Option<String>,
    /// How often OBS was restarted since it was well.
    restarts: u32,
}

/// The stream to the platform.
#[skip_serializing_none]
#[derive(Serialize, ToSchema)]
#[schema(as = StudioStream)]
struct StudioStreamView {
    /// As OBS reports it.
    state: StreamState,
    /// The same, as the health API calls it.
    streaming: StreamingStatus,
    connection: ConnectionStatus,
    /// As the far end sees it.
    far_end: Arrival,
    far_end_kbps: Option<u32>,
    bitrate_kbps: f64,
    /// The share of the frames that were dropped, in a window.
    dropped_percent: f64,
    /// OBS's share of the processor.
    cpu_percent: f64,
}

/// What is on air.
#[skip_serializing_none]
#[derive(Serialize, ToSchema)]
#[schema(as = StudioOnAir)]
struct OnAirView {
    scene: Option<String>,
    /// What the scene is for. Absent if it is not one of ours.
    purpose: Option<ScenePurpose>,
    /// Why it was chosen.
    reason: Reason,
    content: Option<NowPlayingView>,
    /// What plays next.
    next: Option<String>,
    /// What is resumed after the owner or a failure.
    paused: Option<PausedView>,
    owner: OwnerState,
    /// Where automation is on the failover ladder.
    rung: Rung,
}

/// What plays.
#[skip_serializing_none]
#[derive(Serialize, ToSchema)]
#[schema(as = StudioContentNow)]
struct NowPlayingView {
    name: String,
    /// Absent for failover content.
    kind: Option<ContentKind>,
    /// The file or scene.
    place: String,
    since: Option<DateTime>,
    length_ms: Option<u64>,
}

/// Content that was interrupted.
#[derive(Serialize, ToSchema)]
#[schema(as = StudioContentPaused)]
struct PausedView {
    name: String,
    /// Where it is resumed.
    position_ms: u64,
}

/// The pre-flight checks.
#[skip_serializing_none]
#[derive(Serialize, ToSchema)]
#[schema(as = StudioPreflight)]
struct PreflightView {
    at: DateTime,
    passed: bool,
    /// When they are made again. Absent if they passed.
    next_at: Option<DateTime>,
    checks: Vec<CheckedView>,
}

/// A pre-flight check.
#[derive(Serialize, ToSchema)]
#[schema(as = StudioCheck)]
struct CheckedView {
    check: Check,
    state: CheckState,
    /// What was found.
    detail: String,
    /// What to do; empty if nothing is to be done.
    advice: String,
}

impl From<&Preflight> for PreflightView {
    fn from(preflight: &Preflight) -> Self {
        let checked = preflight.checks.iter().map(|one| CheckedView {
            check: one.check,
            state: one.state,
            detail: one.detail.clone(),
            advice: one.advice.clone(),
        });
        Self {
            at: preflight.at,
            passed: preflight.has_passed(),
            next_at: preflight.next_at(),
            checks: checked.collect(),
        }
    }
}

/// A time in which the studio was to be on air.
#[derive(Serialize, ToSchema)]
#[schema(as = StudioSession)]
struct StudioSessionView {
    id: Uuid,
    started_at: DateTime,
}

/// Uptime of a period.
#[derive(Serialize, ToSchema)]
#[schema(as = StudioUptimeSummary)]
struct UptimeView {
    period_days: u32,
    /// How long it was to be on air.
    total_seconds: f64,
    downtime_seconds: f64,
    /// The share with a good picture; 0 if it was never to be on air.
    percent: f64,
    budget: BudgetView,
}

/// What is left of the promise. Its two figures differ: 99.9 % of seven days are 604.8 s; the other one is 30 s in seven
/// days.
#[derive(Serialize, ToSchema)]
#[schema(as = DowntimeBudget)]
pub(super) struct BudgetView {
    /// Whether the share is at least 99.9 %.
    meets_percent: bool,
    /// Negative if the share is less.
    percent_seconds_left: f64,
    /// Whether the downtime is at most 30 s in seven days.
    meets_seconds: bool,
    /// Negative if it is more.
    seconds_left: f64,
}

impl From<&Uptime> for BudgetView {
    fn from(uptime: &Uptime) -> Self {
        let budget = uptime.budget;
        Self {
            meets_percent: budget.meets_percent,
            percent_seconds_left: rounded(budget.percent_seconds_left),
            meets_seconds: budget.meets_seconds,
            seconds_left: rounded(budget.seconds_left),
        }
    }
}

/// To three places.
pub(super) fn rounded(number: f64) -> f64 {
    (number * 1_000.0).round() / 1_000.0
}

impl From<StudioOverview> for StudioView {
    fn from(found: StudioOverview) -> Self {
        let now = found.now().cloned();
        let (now, hold) = (now.as_ref(), found.hold().map(HoldView::from));
        let uptime = UptimeView {
            period_days: 7,
            total_seconds: rounded(found.uptime.total.as_secs_f64()),
            downtime_seconds: rounded(found.uptime.downtime.as_secs_f64()),
            percent: rounded(found.uptime.percent),
            budget: BudgetView::from(&found.uptime),
        };
        let session = found.session.map(|session| StudioSessionView {
            id: found.studio.id.session(session.started_at),
            started_at: session.started_at,
        });
        Self {
            id: found.studio.id.0,
            organization_id: found.studio.organization_id.0,
            name: found.studio.name.into(),
            desired: found.desired,
            desired_by: found.studio.desired_by,
            has_platform: found.has_platform,
            can_restart: found.can_restart,
            time_zone: found.time_zone.to_string(),
            supervised: found.is_supervised,
            hold,
            seen_at: found.snapshot.as_ref().map(|snapshot| snapshot.at),
            obs: now.map(obs),
            stream: now.map(stream),
            on_air: now.map(on_air),
            alerts: now.map(|now| now.alerts.clone()).unwrap_or_default(),
            preflight: now.and_then(|now| now.preflight.as_ref()).map(PreflightView::from),
            nothing_to_play_at: now.and_then(|now| now.nothing_to_play_at),
            session,
            uptime,
            created_at: found.studio.created_at,
            updated_at: found.studio.updated_at,
        }
    }
}

fn obs(now: &Snapshot) -> ObsView {
    ObsView {
        connection: now.link,
        problem: now.link_problem.clone(),
        version: now.obs_version.clone(),
        restarts: now.restarts,
    }
}

fn stream(now: &Snapshot) -> StudioStreamView {
    StudioStreamView {
        state: now.stream,
        streaming: now.streaming,
        connection: now.connection,
        far_end: now.far_end,
        far_end_kbps: now.far_end_kbps,
        bitrate_kbps: rounded(now.bitrate_kbps),
        dropped_percent: rounded(now.dropped_percent),
        cpu_percent: rounded(now.cpu_percent),
    }
}

fn on_air(now: &Snapshot) -> OnAirView {
    let content = now.content.clone().map(|content| NowPlayingView {
        name: content.name,
        kind: content.kind,
        place: content.place,
        since: content.since,
        length_ms: content.length_ms,
    });
    let paused = now.paused.clone();
    let paused = paused.map(|paused| PausedView { name: paused.name, position_ms: paused.position_ms });
    OnAirView {
        scene: now.scene.clone(),
        purpose: now.purpose,
        reason: now.reason,
        content,
        next: now.next.clone(),
        paused,
        owner: now.owner,
        rung: now.rung,
    }
}

/// What was changed or refused, and why.
#[skip_serializing_none]
#[derive(Serialize, ToSchema)]
#[schema(as = StudioDecision)]
pub(crate) struct StudioDecisionView {
    id: Uuid,
    at: DateTime,
    subject: Subject,
    /// What was there before, such as the name of a scene.
    from: Option<String>,
    /// What is to be there.
    to: String,
    kind: DecisionKind,
    reason: Reason,
    /// The person who ordered it.
    by: Option<String>,
    /// The figures behind it.
    #[schema(value_type = Object)]
    numbers: Map<String, Value>,
}

impl From<StudioDecision> for StudioDecisionView {
    fn from(decision: StudioDecision) -> Self {
        let StudioDecision { id, at, choice, .. } = decision;
        Self {
            id: id.0,
            at,
            subject: choice.subject,
            from: choice.from,
            to: choice.to,
            kind: choice.kind,
            reason: choice.reason,
            by: choice.by,
            numbers: choice.numbers,
        }
    }
}

/// A failure that a person tries out.
#[skip_serializing_none]
#[derive(Serialize, ToSchema)]
#[schema(as = Drill)]
pub(crate) struct DrillView {
    id: Uuid,
    kind: DrillKind,
    state: DrillState,
    by: String,
    created_at: DateTime,
    /// When the making of the failure began.
    started_at: Option<DateTime>,
    ended_at: Option<DateTime>,
    report: Option<DrillReportView>,
    /// Why it failed.
    error: Option<String>,
}

/// The times of a drill, from the moment the making of the failure began.
#[skip_serializing_none]
#[derive(Serialize, ToSchema)]
#[schema(as = DrillReport)]
struct DrillReportView {
    /// Until it was noticed.
    noticed_ms: Option<u64>,
    /// Until there was a good picture again.
    recovered_ms: Option<u64>,
    /// The reasons of what was decided meanwhile, in order.
    reasons: Vec<Reason>,
}

impl From<Drill> for DrillView {
    fn from(drill: Drill) -> Self {
        let report = drill.report.map(|report| DrillReportView {
            noticed_ms: report.noticed_ms,
            recovered_ms: report.recovered_ms,
            reasons: report.reasons,
        });
        let Drill { id, kind, state, by, created_at, started_at, ended_at, error, .. } = drill;
        Self { id: id.0, kind, state, by, created_at, started_at, ended_at, report, error }
    }
}
