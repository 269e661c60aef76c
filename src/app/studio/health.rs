//! The three answers of the specification's health API.

use std::time::Duration;

use uuid::Uuid;

use super::schedule::time;
use super::{RESOURCE, Studios, fresh, known_until};
use crate::app::Result;
use crate::domain::access::{Action, Actor};
use crate::domain::invalid::Checks;
use crate::domain::studio::{
    Desired, FailoverEvent, HealthSample, LinkState, Record, RecordKind, Snapshot, StreamSession,
    StreamingStatus, Studio, StudioId, StudioName, Uptime,
};
use crate::domain::{Invalid, Timestamp};

/// How many samples a health answer has.
const HISTORY: u32 = 100;
const DAY: u64 = 86_400;
/// The longest period, in days.
const LONGEST: u32 = 30;
const BEGIN: Timestamp = Timestamp::from_seconds(0);

/// The health of a studio now.
#[derive(Clone, Debug)]
pub enum StudioHealth {
    /// It streams, or is about to.
    OnAir(Box<OnAirHealth>),
    /// It does not; why.
    Offline(String),
}

/// The health of a studio that is on air.
#[derive(Clone, Debug)]
pub struct OnAirHealth {
    /// The studio.
    pub id: StudioId,
    /// What its supervisor sees.
    pub snapshot: Snapshot,
    /// The session that lasts.
    pub session: StreamSession,
    /// Uptime since the session began.
    pub uptime: Uptime,
    /// The last failure of content.
    pub last_failover: Option<FailoverEvent>,
    /// The last hundred samples, if they were wanted.
    pub history: Option<Vec<HealthSample>>,
    /// The sessions in which samples were taken.
    pub sessions: SessionsOfSamples,
}

/// Which part of the recorded health is wanted, as it was sent.
#[derive(Clone, Debug, Default)]
pub struct HealthQuery {
    /// Not before.
    pub start_time: Option<String>,
    /// Before.
    pub end_time: Option<String>,
    /// At most this many, the last ones: 1 to 1000, 100 without it.
    pub limit: Option<String>,
}

/// A part of the recorded health.
#[derive(Clone, Debug)]
pub struct HealthHistory {
    /// The studio.
    pub id: StudioId,
    /// The samples, oldest first.
    pub samples: Vec<HealthSample>,
    /// How many there are in the span.
    pub total: u64,
    /// The beginning of the span that was given.
    pub start_time: Option<Timestamp>,
    /// The end of the span that was given.
    pub end_time: Option<Timestamp>,
    /// The most samples.
    pub limit: u32,
    /// The sessions in which they were taken.
    pub sessions: SessionsOfSamples,
}

/// Uptime of a period.
#[derive(Clone, Debug)]
pub struct UptimeReport {
    /// The period, in days.
    pub period_days: u32,
    /// The uptime.
    pub uptime: Uptime,
    /// Up to when it is known.
    pub until: Timestamp,
}

/// Sessions, so that the one of a sample can be found.
#[derive(Clone, Debug, Default)]
pub struct SessionsOfSamples(Vec<StreamSession>);

impl SessionsOfSamples {
    /// The id of the session that lasted at `at`; `None` if there was none.
    pub fn at(&self, studio: StudioId, at: Timestamp) -> Option<Uuid> {
        let lasted = |one: &&StreamSession| one.started_at <= at && one.ended_at.is_none_or(|end| at < end);
        self.0.iter().find(lasted).map(|one| studio.session(one.started_at))
    }
}

/// A period in days, 7 without a text.
pub(super) fn days(text: Option<&str>) -> std::result::Result<(u32, Duration), Invalid> {
    let days = number("period_days", text, 7, LONGEST)?;
    Ok((days, Duration::from_secs(u64::from(days) * DAY)))
}

fn number(field: &str, text: Option<&str>, default: u32, most: u32) -> std::result::Result<u32, Invalid> {
    let Some(text) = text else { return Ok(default) };
    let number = text.parse().ok().filter(|number| (1..=most).contains(number));
    let is_plain = text.bytes().all(|b| b.is_ascii_digit());
    let rule = || Invalid::one(field, format!("must be a whole number from 1 to {most}"));
    number.filter(|_| is_plain).ok_or_else(rule)
}

impl Studios {
    /// Its health now, with the last hundred samples if they are wanted.
    pub async fn health(&self, actor: &Actor, name: &StudioName, history: bool) -> Result<StudioHealth> {
        let scope = actor.authorize(Action::Read, &RESOURCE)?;
        let (setup, studio) = self.stored(&scope, name).await?;
        let (store, id) = (&self.core.store, studio.id);
        let snapshot = store.studio_snapshot(&scope, id).await?;
        let now = self.core.now();
        let lasting = store.studio_ledger(&scope, id, now).await?.session();
        let (Some(snapshot), Some(session)) = (fresh(snapshot.as_ref(), now), lasting) else {
            let desired = studio.desired(setup.platform.is_some());
            return Ok(StudioHealth::Offline(why_offline(&studio, desired, fresh(snapshot.as_ref(), now))));
        };
        if snapshot.link != LinkState::Connected || snapshot.streaming == StreamingStatus::Stopped {
            let desired = studio.desired(setup.platform.is_some());
            return Ok(StudioHealth::Offline(why_offline(&studio, desired, Some(snapshot))));
        }
        let ledger = store.studio_ledger(&scope, id, session.started_at).await?;
        let until = known_until(&ledger, Some(snapshot), now);
        let last = store.studio_records(&scope, id, RecordKind::Failover, BEGIN, 1).await?.pop();
        let history = match history {
            true => Some(store.studio_samples(&scope, id, (BEGIN, after(now)), HISTORY).await?.0),
            false => None,
        };
        let from = history.iter().flatten().map(|sample| sample.at).min().unwrap_or(session.started_at);
        Ok(StudioHealth::OnAir(Box::new(OnAirHealth {
            id,
            snapshot: snapshot.clone(),
            session,
            uptime: ledger.uptime(until, until.since(session.started_at)),
            last_failover: last.and_then(|record| match record {
                Record::Failover(one) => Some(one),
                Record::Transition(_) | Record::OwnerSession(_) => None,
            }),
            history,
            sessions: SessionsOfSamples(store.studio_ledger(&scope, id, from).await?.sessions().to_vec()),
        })))
    }

    /// The recorded health.
    pub async fn health_history(
        &self,
        actor: &Actor,
        name: &StudioName,
        query: &HealthQuery,
    ) -> Result<HealthHistory> {
        let scope = actor.authorize(Action::Read, &RESOURCE)?;
        let mut checks = Checks::default();
        let start_time = checks.take_opt(query.start_time.as_deref().map(|text| time("start_time", text)));
        let end_time = checks.take_opt(query.end_time.as_deref().map(|text| time("end_time", text)));
        let limit = checks.take(number("limit", query.limit.as_deref(), HISTORY, 1_000)).unwrap_or(HISTORY);
        if let (Some(start), Some(end)) = (start_time, end_time)
            && start >= end
        {
            checks.take::<()>(Err(Invalid::one("end_time", "must be after start_time")));
        }
        checks.finish()?;
        let (_, studio) = self.stored(&scope, name).await?;
        let span = (start_time.unwrap_or(BEGIN), end_time.unwrap_or_else(|| after(self.core.now())));
        let turn = self.core.lists.turn().await;
        let (samples, total) = turn.studio_samples(&scope, studio.id, span, limit).await?;
        let sessions = match samples.first() {
            Some(first) => turn.studio_ledger(&scope, studio.id, first.at).await?.sessions().to_vec(),
            None => Vec::new(),
        };
        let (id, sessions) = (studio.id, SessionsOfSamples(sessions));
        Ok(HealthHistory { id, samples, total, start_time, end_time, limit, sessions })
    }

    /// Uptime of the last `period_days`: 1 to 30, 7 without them.
    pub async fn uptime(
        &self,
        actor: &Actor,
        name: &StudioName,
        period_days: Option<&str>,
    ) -> Result<UptimeReport> {
        let scope = actor.authorize(Action::Read, &RESOURCE)?;
        let (period_days, period) = days(period_days)?;
        let (_, studio) = self.stored(&scope, name).await?;
        let store = &self.core.store;
        let snapshot = store.studio_snapshot(&scope, studio.id).await?;
        let ledger = store.studio_ledger(&scope, studio.id, self.core.now().minus(period)).await?;
        let until = known_until(&ledger, snapshot.as_ref(), self.core.now());
        Ok(UptimeReport { period_days, uptime: ledger.uptime(until, period), until })
    }
}

/// The end of a span that has everything up to `now` in it.
fn after(now: Timestamp) -> Timestamp {
    now.plus(Duration::from_secs(1))
}

/// Why it is not on air, for people.
fn why_offline(studio: &Studio, desired: Desired, now: Option<&Snapshot>) -> String {
    let Some(now) = now else {
        return "No instance of Streamward supervises the studio: start `streamward serve`".to_owned();
    };
    if desired == Desired::Stopped {
        return match &studio.desired_by {
            Some(by) => format!("The studio was stopped by {by}"),
            None => "The studio has no platform, so it is only watched".to_owned(),
        };
    }
    if let Some(failed) = now.preflight.as_ref().and_then(|preflight| preflight.failed().next()) {
        return format!("Pre-flight validation failed: {}. {}", failed.detail, failed.advice);
    }
    match (now.link, &now.link_problem) {
        (LinkState::Connected, _) => "OBS does not stream yet".to_owned(),
        (_, Some(problem)) => format!("OBS cannot be reached: {problem}"),
        (LinkState::Unresponsive, None) => "OBS does not answer".to_owned(),
        (LinkState::Unknown | LinkState::Disconnected, None) => "OBS cannot be reached".to_owned(),
    }
}
