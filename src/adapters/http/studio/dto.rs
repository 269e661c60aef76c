//! What clients send about studios, and the data of events.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use serde_with::skip_serializing_none;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::adapters::views::{DateTime, ScheduleBlockView, ScheduleContentView};
use crate::app::studio::{HoldDraft, ScheduleDraft};
use crate::domain::event::{Event, StudioEvent};
use crate::domain::studio::{
    Alert, Block, Cause, Check, ContentSource, DecisionKind as StudioDecisionKind, DrillKind, LinkState,
    OrderKind, Reason as StudioReason, Subject, TimeZone,
};

/// Why a person orders something.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StudioOrderDraft)]
pub(super) struct ReasonJson {
    /// For the people who see it.
    #[schema(min_length = 1, max_length = 500, example = "maintenance of the power supply")]
    pub(super) reason: String,
}

/// A hold: automation leaves the scene alone. It has no end without `until` and `for_seconds`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StudioHoldDraft)]
pub(super) struct HoldJson {
    /// Within the next 30 days.
    #[schema(value_type = Option<DateTime>)]
    until: Option<String>,
    /// The same, in seconds from now.
    #[schema(minimum = 1, maximum = 2_592_000)]
    for_seconds: Option<u64>,
    /// For the people who see it.
    #[schema(min_length = 1, max_length = 500)]
    reason: String,
}

/// A scene, and a hold on it. It has no end without `until` and `for_seconds`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StudioSceneDraft)]
pub(super) struct SceneJson {
    /// The name of a scene in OBS, or what one of ours is for, such as `owner`.
    #[schema(min_length = 1, max_length = 100, example = "technical_difficulties")]
    scene: String,
    /// Within the next 30 days.
    #[schema(value_type = Option<DateTime>)]
    until: Option<String>,
    /// The same, in seconds from now.
    #[schema(minimum = 1, maximum = 2_592_000)]
    for_seconds: Option<u64>,
    /// For the people who see it.
    #[schema(min_length = 1, max_length = 500)]
    reason: String,
}

impl From<HoldJson> for HoldDraft {
    fn from(HoldJson { until, for_seconds, reason }: HoldJson) -> Self {
        Self { scene: None, until, for_seconds, reason }
    }
}

impl From<SceneJson> for HoldDraft {
    fn from(SceneJson { scene, until, for_seconds, reason }: SceneJson) -> Self {
        Self { scene: Some(scene), until, for_seconds, reason }
    }
}

/// The failure to try out.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DrillDraft)]
pub(super) struct DrillJson {
    /// `content_failure`: what plays is replaced by a file that does not exist. `obs_hang`: OBS is frozen; it needs
    /// `launch`. `rtmp_drop`: the connection to the platform is ended; it needs `probe`.
    pub(super) kind: DrillKind,
}

/// What plays when.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StudioScheduleDraft)]
pub(super) struct ScheduleJson {
    /// Whose clock counts. Without it that of the configuration.
    #[schema(value_type = Option<String>, example = "Europe/Vienna")]
    time_zone: Option<TimeZone>,
    /// They must not overlap.
    #[serde(default)]
    #[schema(value_type = Vec<ScheduleBlockView>, required = false)]
    blocks: Vec<Block>,
    #[serde(default)]
    #[schema(value_type = Vec<ScheduleContentView>, required = false)]
    content: Vec<ContentSource>,
    /// For the people who see it.
    #[schema(min_length = 1, max_length = 500)]
    reason: Option<String>,
}

impl From<ScheduleJson> for ScheduleDraft {
    fn from(ScheduleJson { time_zone, blocks, content, reason }: ScheduleJson) -> Self {
        Self { time_zone, blocks, content, reason }
    }
}

/// The data of an event.
#[skip_serializing_none]
#[derive(Serialize, ToSchema)]
#[schema(as = StudioEvent)]
pub(super) struct EventJson {
    at: DateTime,
    studio_id: Uuid,
    /// Its name in the configuration.
    studio: String,
    /// With `studio.ordered`.
    order: Option<OrderJson>,
    /// With `studio.decided`.
    decision: Option<DecisionJson>,
    /// With `studio.session`.
    session: Option<SessionJson>,
    /// With `studio.downtime`.
    downtime: Option<DowntimeJson>,
    /// With `studio.alert`.
    alert: Option<AlertJson>,
    /// With `studio.preflight`.
    preflight: Option<PreflightJson>,
    /// With `studio.connection`.
    connection: Option<ConnectionJson>,
}

/// A person's order.
#[skip_serializing_none]
#[derive(Serialize, ToSchema)]
#[schema(as = StudioOrdered)]
struct OrderJson {
    order: OrderKind,
    by: String,
    reason: Option<String>,
}

/// A decision.
#[skip_serializing_none]
#[derive(Serialize, ToSchema)]
#[schema(as = StudioDecided)]
struct DecisionJson {
    decision_id: Uuid,
    subject: Subject,
    from: Option<String>,
    to: String,
    kind: StudioDecisionKind,
    reason: StudioReason,
    /// The person who ordered it.
    by: Option<String>,
    /// The figures behind it.
    #[schema(value_type = Object)]
    numbers: Map<String, Value>,
}

/// A session on air that began or ended.
#[skip_serializing_none]
#[derive(Serialize, ToSchema)]
#[schema(as = StudioSessionChange)]
struct SessionJson {
    id: Uuid,
    started_at: DateTime,
    ended_at: Option<DateTime>,
}

/// A downtime that began or ended.
#[skip_serializing_none]
#[derive(Serialize, ToSchema)]
#[schema(as = StudioDowntimeChange)]
struct DowntimeJson {
    started_at: DateTime,
    ended_at: Option<DateTime>,
    cause: Cause,
    /// Whether there was none: OBS proved that it streamed.
    withdrawn: bool,
}

/// Something a person has to know.
#[derive(Serialize, ToSchema)]
#[schema(as = StudioAlertChange)]
struct AlertJson {
    alert: Alert,
    /// Whether it is so now, or is over.
    on: bool,
}

/// The pre-flight checks have another result.
#[derive(Serialize, ToSchema)]
#[schema(as = StudioPreflightChange)]
struct PreflightJson {
    passed: bool,
    failed: Vec<Check>,
}

/// The connection to OBS has another state.
#[skip_serializing_none]
#[derive(Serialize, ToSchema)]
#[schema(as = StudioConnectionChange)]
struct ConnectionJson {
    state: LinkState,
    /// Why there is none.
    problem: Option<String>,
}

impl EventJson {
    pub(super) fn of(event: &Event, body: &StudioEvent) -> Self {
        let details = body.details.clone();
        Self {
            at: event.at,
            studio_id: body.id.0,
            studio: body.name.to_string(),
            order: details.order.map(|one| OrderJson { order: one.order, by: one.by, reason: one.reason }),
            decision: details.decision.map(|one| DecisionJson {
                decision_id: one.decision,
                subject: one.subject,
                from: one.from,
                to: one.to,
                kind: one.outcome,
                reason: one.reason,
                by: one.by,
                numbers: one.numbers,
            }),
            session: details.session.map(|one| SessionJson {
                id: body.id.session(one.started_at),
                started_at: one.started_at,
                ended_at: one.ended_at,
            }),
            downtime: details.downtime.map(|one| DowntimeJson {
                started_at: one.downtime.started_at,
                ended_at: one.downtime.ended_at,
                cause: one.downtime.cause,
                withdrawn: one.is_withdrawn,
            }),
            alert: details.alert.map(|one| AlertJson { alert: one.alert, on: one.is_on }),
            preflight: details
                .preflight
                .map(|one| PreflightJson { passed: one.has_passed, failed: one.failed }),
            connection: details
                .connection
                .map(|one| ConnectionJson { state: one.state, problem: one.problem }),
        }
    }
}
