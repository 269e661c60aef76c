//! What a supervisor has seen and decided, until it is stored. While the database is unreachable, it waits here, up to a
//! bound.

use std::sync::Arc;

use tokio::task::{JoinError, JoinSet};

use crate::app::Core;
use crate::domain::Timestamp;
use crate::domain::event::StudioEvent;
use crate::domain::studio::{
    Alert, Check, Choice, HealthSample, LedgerChange, LinkState, Preflight, Record, Snapshot, StudioDecision,
    StudioDecisionId, StudioId, StudioName,
};
use crate::ports::{StoreError, StudioReport, WakeUp};

/// The most of each kind that waits.
const MOST_WAITING: usize = 10_000;

/// What waits for the database.
pub(super) struct Reports {
    core: Arc<Core>,
    id: StudioId,
    name: StudioName,
    waiting: StudioReport,
    storing: JoinSet<(StudioReport, Result<(), StoreError>)>,
}

impl Reports {
    pub(super) fn new(core: Arc<Core>, id: StudioId, name: StudioName) -> Self {
        Self { core, id, name, waiting: StudioReport::default(), storing: JoinSet::new() }
    }

    pub(super) fn decided(&mut self, at: Timestamp, choice: Choice) {
        tracing::info!(
            studio = %self.name, subject = %choice.subject, to = %choice.to, outcome = %choice.kind,
            reason = %choice.reason, numbers = %serde_json::Value::Object(choice.numbers.clone()),
            "a studio decided"
        );
        let id = StudioDecisionId(self.core.id());
        push(&mut self.waiting.decisions, StudioDecision { id, studio: self.id, at, choice });
    }

    pub(super) fn recorded(&mut self, record: Record) {
        if let Record::Failover(failover) = &record {
            tracing::warn!(
                studio = %self.name, failure = %failover.kind, item = %failover.item, to = %failover.to,
                recovered_ms = failover.recovered_ms, "content failed"
            );
        }
        self.waiting.keep_record(record);
    }

    pub(super) fn ledger_changed(&mut self, change: LedgerChange) {
        let studio = (self.id, &self.name);
        let event = match change {
            LedgerChange::SessionBegan(session) | LedgerChange::SessionEnded(session) => {
                self.waiting.keep_session(session);
                tracing::info!(studio = %self.name, has_ended = session.ended_at.is_some(), "a session on air begins or ends");
                StudioEvent::session(studio, session)
            }
            LedgerChange::DowntimeBegan(downtime) | LedgerChange::DowntimeEnded(downtime) => {
                self.waiting.keep_downtime(downtime);
                let seconds = downtime.ended_at.map(|end| end.since(downtime.started_at).as_secs_f64());
                tracing::warn!(studio = %self.name, cause = %downtime.cause, seconds, "the platform has no good picture, or has it again");
                StudioEvent::downtime(studio, downtime, false)
            }
            LedgerChange::DowntimeWithdrawn(downtime) => {
                self.waiting.withdraw(downtime.started_at);
                StudioEvent::downtime(studio, downtime, true)
            }
        };
        push(&mut self.waiting.events, event);
    }

    pub(super) fn alerted(&mut self, alert: Alert, is_on: bool) {
        if is_on {
            tracing::error!(studio = %self.name, %alert, "a studio needs a person; `streamward studio check` says what to do");
        } else {
            tracing::info!(studio = %self.name, %alert, "an alert is over");
        }
        let event = StudioEvent::alert((self.id, &self.name), alert, is_on);
        push(&mut self.waiting.events, event);
    }

    /// The result of the pre-flight checks. `before` is the last one.
    pub(super) fn checked(&mut self, before: Option<&Preflight>, result: &Preflight) {
        let failed: Vec<Check> = result.failed().map(|check| check.check).collect();
        for check in result.failed() {
            tracing::error!(
                studio = %self.name, check = %check.check, detail = check.detail, advice = check.advice,
                "a pre-flight check failed; the stream is not started"
            );
        }
        let same =
            before.is_some_and(|before| before.failed().map(|one| one.check).eq(failed.iter().copied()));
        if !same {
            let event = StudioEvent::preflight((self.id, &self.name), failed, result.has_passed());
            push(&mut self.waiting.events, event);
        }
    }

    pub(super) fn connection(&mut self, state: LinkState, problem: Option<String>) {
        let event = StudioEvent::connection((self.id, &self.name), state, problem);
        push(&mut self.waiting.events, event);
    }

    pub(super) fn sampled(&mut self, sample: HealthSample) {
        push(&mut self.waiting.samples, sample);
    }

    /// What else is to be stored.
    pub(super) fn waiting(&mut self) -> &mut StudioReport {
        &mut self.waiting
    }

    /// Stores what waits, with this snapshot, unless something is being stored.
    pub(super) fn store(&mut self, snapshot: Snapshot) {
        self.waiting.snapshot = Some(snapshot);
        if !self.storing.is_empty() {
            return;
        }
        let report = std::mem::take(&mut self.waiting);
        let (core, id) = (Arc::clone(&self.core), self.id);
        self.storing.spawn(async move {
            let stored = core.worker_store.record_studio(id, &report, core.now()).await;
            let are_events = !report.events.is_empty() || !report.decisions.is_empty();
            if stored.is_ok() && are_events {
                core.wake_ups.send(WakeUp::Events);
            }
            (report, stored)
        });
    }

    /// Waits until something was stored. Pending while nothing is being stored.
    pub(super) async fn stored(&mut self) {
        let Some(ended) = self.storing.join_next().await else { return std::future::pending().await };
        self.take(ended);
    }

    /// Waits until all is stored; for the end.
    pub(super) async fn finish(&mut self, snapshot: Snapshot) {
        if let Some(ended) = self.storing.join_next().await {
            self.take(ended);
        }
        self.store(snapshot);
        if let Some(ended) = self.storing.join_next().await {
            self.take(ended);
        }
    }

    fn take(&mut self, ended: Result<(StudioReport, Result<(), StoreError>), JoinError>) {
        match ended {
            Ok((_, Ok(()))) => {}
            Ok((report, Err(error))) => {
                tracing::debug!(studio = %self.name, %error, "a report cannot be stored; it is tried again");
                let later = std::mem::replace(&mut self.waiting, report);
                append(&mut self.waiting, later);
            }
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => {}
        }
    }
}

/// Adds something, unless too much waits.
fn push<T>(list: &mut Vec<T>, item: T) {
    if list.len() < MOST_WAITING {
        list.push(item);
    } else {
        ::metrics::counter!("streamward_studio_reports_lost_total").increment(1);
    }
}

/// Adds what came later.
fn append(report: &mut StudioReport, later: StudioReport) {
    fn add<T>(list: &mut Vec<T>, later: Vec<T>) {
        later.into_iter().for_each(|item| push(list, item));
    }
    later.withdrawn.into_iter().for_each(|began| report.withdraw(began));
    later.downtimes.into_iter().for_each(|downtime| report.keep_downtime(downtime));
    later.sessions.into_iter().for_each(|session| report.keep_session(session));
    later.records.into_iter().for_each(|record| report.keep_record(record));
    add(&mut report.decisions, later.decisions);
    add(&mut report.samples, later.samples);
    add(&mut report.verified, later.verified);
    add(&mut report.events, later.events);
    report.snapshot = later.snapshot.or(report.snapshot.take());
    report.drill = later.drill.or(report.drill.take());
}
