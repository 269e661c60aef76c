//! The answers of the specification's health API, field for field, and what is computed from records.

use serde::Serialize;
use serde_with::skip_serializing_none;
use utoipa::ToSchema;
use uuid::Uuid;

use super::DateTime;
use super::studio::{BudgetView, rounded};
use crate::app::studio::{
    FailoverAnalytics, HealthHistory, OnAirHealth, TransitionAnalytics, TransitionTimes, UptimeReport,
};
use crate::domain::studio::{
    Cause, ConnectionStatus, FailoverEvent, FailureKind, HealthSample, Rung, StreamingStatus, StudioId,
    Summary, TransitionKind,
};

/// The health of a studio that is on air.
#[skip_serializing_none]
#[derive(Serialize, ToSchema)]
#[schema(as = HealthSnapshot)]
pub(crate) struct HealthSnapshotView {
    streaming: bool,
    /// With a good picture, since the session began.
    uptime_seconds: u64,
    /// The same as a share, 0 to 100.
    uptime_percentage: f64,
    /// Empty if it is not known.
    current_scene: String,
    stream_quality: StreamQualityView,
    owner_live: bool,
    session_info: SessionInfoView,
    current_content: Option<String>,
    last_failover: Option<LastFailoverView>,
    /// The last hundred measures, oldest first. Only with `include_history=true`.
    history: Option<Vec<HealthMetricView>>,
}

/// The quality of the stream.
#[derive(Serialize, ToSchema)]
#[schema(as = StreamQuality)]
struct StreamQualityView {
    bitrate_kbps: f64,
    dropped_frames_pct: f64,
    cpu_usage_pct: f64,
    connection_status: ConnectionStatus,
}

/// The session on air.
#[derive(Serialize, ToSchema)]
#[schema(as = SessionInfo)]
struct SessionInfoView {
    session_id: Uuid,
    start_time: DateTime,
    total_downtime_sec: u64,
}

/// The last failure of content.
#[skip_serializing_none]
#[derive(Serialize, ToSchema)]
#[schema(as = LastFailover)]
struct LastFailoverView {
    timestamp: DateTime,
    failure_cause: Cause,
    /// From the first bad moment to a good picture. Absent while there is none.
    recovery_time_sec: Option<f64>,
    /// How the content failed.
    failure_kind: FailureKind,
}

/// The health of a studio at one moment.
#[skip_serializing_none]
#[derive(Serialize, ToSchema)]
#[schema(as = HealthMetric)]
struct HealthMetricView {
    metric_id: Uuid,
    /// Absent for a moment at which the studio was not to be on air.
    stream_session_id: Option<Uuid>,
    timestamp: DateTime,
    bitrate_kbps: f64,
    dropped_frames_pct: f64,
    cpu_usage_pct: f64,
    /// At most 100 characters; empty if it was not known.
    active_scene: String,
    /// At most 255 characters.
    active_source: Option<String>,
    connection_status: ConnectionStatus,
    streaming_status: StreamingStatus,
}

fn metric(studio: StudioId, session: Option<Uuid>, sample: HealthSample) -> HealthMetricView {
    let first = |text: String, most: usize| text.chars().take(most).collect::<String>();
    HealthMetricView {
        metric_id: studio.sample(sample.at),
        stream_session_id: session,
        timestamp: sample.at,
        bitrate_kbps: rounded(sample.bitrate_kbps),
        dropped_frames_pct: rounded(sample.dropped_percent),
        cpu_usage_pct: rounded(sample.cpu_percent),
        active_scene: first(sample.scene.unwrap_or_default(), 100),
        active_source: sample.source.map(|source| first(source, 255)),
        connection_status: sample.connection,
        streaming_status: sample.streaming,
    }
}

impl From<OnAirHealth> for HealthSnapshotView {
    fn from(health: OnAirHealth) -> Self {
        let OnAirHealth { id, snapshot, session, uptime, last_failover, history, sessions } = health;
        let measured = |sample: HealthSample| metric(id, sessions.at(id, sample.at), sample);
        Self {
            streaming: snapshot.streaming == StreamingStatus::Streaming,
            uptime_seconds: uptime.total.saturating_sub(uptime.downtime).as_secs(),
            uptime_percentage: rounded(uptime.percent),
            current_scene: snapshot.scene.unwrap_or_default(),
            stream_quality: StreamQualityView {
                bitrate_kbps: rounded(snapshot.bitrate_kbps),
                dropped_frames_pct: rounded(snapshot.dropped_percent),
                cpu_usage_pct: rounded(snapshot.cpu_percent),
                connection_status: snapshot.connection,
            },
            owner_live: snapshot.owner == crate::domain::studio::OwnerState::Live,
            session_info: SessionInfoView {
                session_id: id.session(session.started_at),
                start_time: session.started_at,
                total_downtime_sec: uptime.downtime.as_secs(),
            },
            current_content: snapshot.content.map(|content| content.name),
            last_failover: last_failover.map(|one| LastFailoverView {
                timestamp: one.failed_at,
                failure_cause: Cause::ContentFailure,
                recovery_time_sec: one.recovered_ms.map(seconds),
                failure_kind: one.kind,
            }),
            history: history.map(|samples| samples.into_iter().map(measured).collect()),
        }
    }
}

fn seconds(millis: u64) -> f64 {
    std::time::Duration::from_millis(millis).as_secs_f64()
}

/// The recorded health.
#[derive(Serialize, ToSchema)]
#[schema(as = HealthMetrics)]
pub(crate) struct HealthMetricsView {
    /// The last ones of the span, oldest first.
    metrics: Vec<HealthMetricView>,
    /// How many there are in the span.
    total_count: u64,
    query: HealthQueryView,
}

/// What was wanted.
#[skip_serializing_none]
#[derive(Serialize, ToSchema)]
#[schema(as = HealthMetricsQuery)]
struct HealthQueryView {
    start_time: Option<DateTime>,
    end_time: Option<DateTime>,
    limit: u32,
}

impl From<HealthHistory> for HealthMetricsView {
    fn from(found: HealthHistory) -> Self {
        let HealthHistory { id, samples, total, start_time, end_time, limit, sessions } = found;
        let measured = |sample: HealthSample| metric(id, sessions.at(id, sample.at), sample);
        Self {
            metrics: samples.into_iter().map(measured).collect(),
            total_count: total,
            query: HealthQueryView { start_time, end_time, limit },
        }
    }
}

/// Uptime of a period.
#[derive(Serialize, ToSchema)]
#[schema(as = StudioUptime)]
pub(crate) struct StudioUptimeView {
    period_days: u32,
    total_uptime_seconds: u64,
    total_downtime_seconds: u64,
    /// 0 to 100; 0 if the studio was never to be on air.
    uptime_percentage: f64,
    /// Whether the share is at least 99.9 %.
    meets_sc001: bool,
    downtime_events: Vec<DowntimeView>,
    budget: BudgetView,
}

/// A time without a good picture.
#[derive(Serialize, ToSchema)]
#[schema(as = DowntimeEvent)]
struct DowntimeView {
    timestamp: DateTime,
    /// Up to now while it lasts.
    duration_sec: f64,
    failure_cause: Cause,
    recovery_action: &'static str,
    /// Whether it lasts.
    ongoing: bool,
}

impl From<UptimeReport> for StudioUptimeView {
    fn from(report: UptimeReport) -> Self {
        let UptimeReport { period_days, uptime, until } = report;
        let events = uptime.events.iter().map(|one| DowntimeView {
            timestamp: one.started_at,
            duration_sec: rounded(one.ended_at.unwrap_or(until).since(one.started_at).as_secs_f64()),
            failure_cause: one.cause,
            recovery_action: one.cause.recovery_action(),
            ongoing: one.ended_at.is_none(),
        });
        Self {
            period_days,
            total_uptime_seconds: uptime.total.saturating_sub(uptime.downtime).as_secs(),
            total_downtime_seconds: uptime.downtime.as_secs(),
            uptime_percentage: rounded(uptime.percent),
            meets_sc001: uptime.budget.meets_percent,
            downtime_events: events.collect(),
            budget: BudgetView::from(&uptime),
        }
    }
}

/// How long the changes of the scene took.
#[derive(Serialize, ToSchema)]
#[schema(as = StudioTransitions)]
pub(crate) struct TransitionsView {
    period_days: u32,
    /// By what they were for.
    transitions: Vec<TransitionTimesView>,
}

/// How long the changes of the scene for one purpose took, from the first notice of their reason to the confirmation of OBS.
#[skip_serializing_none]
#[derive(Serialize, ToSchema)]
#[schema(as = StudioTransitionTimes)]
struct TransitionTimesView {
    kind: TransitionKind,
    /// How long they may take. Absent if nothing is promised.
    promised_sec: Option<f64>,
    #[serde(flatten)]
    times: SummaryView,
    /// The share that took no longer than promised, 0 to 100. Absent if nothing is promised.
    success_percent: Option<f64>,
}

/// How long things took, in seconds; all 0 if there were none.
#[derive(Serialize, ToSchema)]
#[schema(as = TimesSummary)]
struct SummaryView {
    count: usize,
    average_sec: f64,
    p50_sec: f64,
    p95_sec: f64,
    longest_sec: f64,
}

impl From<Summary> for SummaryView {
    fn from(times: Summary) -> Self {
        Self {
            count: times.count,
            average_sec: rounded(times.average),
            p50_sec: rounded(times.p50),
            p95_sec: rounded(times.p95),
            longest_sec: rounded(times.longest),
        }
    }
}

impl From<TransitionAnalytics> for TransitionsView {
    fn from(found: TransitionAnalytics) -> Self {
        let kind = |one: TransitionTimes| TransitionTimesView {
            kind: one.kind,
            promised_sec: one.promised.map(|promised| promised.as_secs_f64()),
            success_percent: one.promised.map(|_| rounded(one.times.success_percent)),
            times: one.times.into(),
        };
        Self { period_days: found.period_days, transitions: found.kinds.into_iter().map(kind).collect() }
    }
}

/// How long failovers took, from the first bad moment to a good picture. What lasts counts to now.
#[derive(Serialize, ToSchema)]
#[schema(as = StudioFailovers)]
pub(crate) struct FailoversView {
    period_days: u32,
    /// How long they may take.
    promised_sec: f64,
    #[serde(flatten)]
    times: SummaryView,
    /// The share that took no longer than promised, 0 to 100; 100 if there were none.
    success_percent: f64,
    /// How many last.
    ongoing: usize,
    /// The last hundred, newest first.
    failovers: Vec<FailoverView>,
}

/// A failure of content, and what followed.
#[skip_serializing_none]
#[derive(Serialize, ToSchema)]
#[schema(as = StudioFailover)]
struct FailoverView {
    failed_at: DateTime,
    kind: FailureKind,
    /// The file, scene or name.
    item: String,
    /// What was put on air instead.
    to: Rung,
    /// Absent while there is no good picture.
    recovery_time_sec: Option<f64>,
    /// When content of the schedule was on air again.
    ended_at: Option<DateTime>,
}

impl From<FailoverAnalytics> for FailoversView {
    fn from(found: FailoverAnalytics) -> Self {
        let failover = |one: FailoverEvent| FailoverView {
            failed_at: one.failed_at,
            kind: one.kind,
            item: one.item,
            to: one.to,
            recovery_time_sec: one.recovered_ms.map(seconds),
            ended_at: one.ended_at,
        };
        Self {
            period_days: found.period_days,
            promised_sec: found.promised.as_secs_f64(),
            success_percent: rounded(found.times.success_percent),
            times: found.times.into(),
            ongoing: found.ongoing,
            failovers: found.last.into_iter().map(failover).collect(),
        }
    }
}
