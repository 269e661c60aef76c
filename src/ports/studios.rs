//! Studios: what persons ordered, what their supervisors saw, and the history.

use async_trait::async_trait;

use super::{Change, Result};
use crate::domain::Timestamp;
use crate::domain::access::Scope;
use crate::domain::event::StudioEvent;
use crate::domain::page::{Newest, Page};
use crate::domain::studio::{
    ContentName, Downtime, Drill, HealthSample, Ledger, Library, Order, Record, RecordKind, Snapshot,
    StreamSession, Studio, StudioDecision, StudioId, StudioName, Verification,
};

/// What a supervisor has to store.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StudioReport {
    /// What it sees.
    pub snapshot: Option<Snapshot>,
    /// Sessions that began or ended. They are named by their beginning.
    pub sessions: Vec<StreamSession>,
    /// Downtimes that began or ended.
    pub downtimes: Vec<Downtime>,
    /// Downtimes that there were not, by their beginning. They are removed before `downtimes` are stored.
    pub withdrawn: Vec<Timestamp>,
    /// What was decided.
    pub decisions: Vec<StudioDecision>,
    /// What happened.
    pub records: Vec<Record>,
    /// The health, every few seconds.
    pub samples: Vec<HealthSample>,
    /// Content that was verified.
    pub verified: Vec<(ContentName, Verification)>,
    /// A drill that went on.
    pub drill: Option<Drill>,
    /// What to announce, beside the decisions.
    pub events: Vec<StudioEvent>,
}

impl StudioReport {
    /// A session, in place of what was said of it before.
    pub fn keep_session(&mut self, session: StreamSession) {
        self.sessions.retain(|one| one.started_at != session.started_at);
        self.sessions.push(session);
    }

    /// A downtime, in place of what was said of it before.
    pub fn keep_downtime(&mut self, downtime: Downtime) {
        self.withdrawn.retain(|began| *began != downtime.started_at);
        self.downtimes.retain(|one| one.started_at != downtime.started_at);
        self.downtimes.push(downtime);
    }

    /// There was no downtime that began then.
    pub fn withdraw(&mut self, began: Timestamp) {
        self.downtimes.retain(|one| one.started_at != began);
        self.withdrawn.retain(|one| *one != began);
        self.withdrawn.push(began);
    }

    /// A record, in place of what was said of it before.
    pub fn keep_record(&mut self, record: Record) {
        self.records.retain(|one| (one.kind(), one.began_at()) != (record.kind(), record.began_at()));
        self.records.push(record);
    }
}

/// What became of a request for a drill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DrillCreation {
    /// It was stored.
    Created,
    /// There is no such studio.
    NotFound,
    /// Another one has not ended.
    Busy,
}

/// Studios and their history.
#[async_trait]
pub trait StudioStore: Send + Sync {
    /// MUST store the studio; if one of its name is stored, only its organization. MUST return what is stored then.
    async fn open_studio(&self, studio: &Studio) -> Result<Studio>;

    /// MUST return the studio, or `None`.
    async fn studio(&self, scope: &Scope, name: &StudioName) -> Result<Option<Studio>>;

    /// MUST carry out the order ([`Studio::ordered`], by the actor of the audit entry) with a `studio.ordered` event that
    /// has `reason`, and return the studio. `None` if there is none.
    async fn order_studio(
        &self,
        name: &StudioName,
        order: &Order,
        reason: Option<&str>,
        by: Change<'_>,
    ) -> Result<Option<Studio>>;

    /// MUST remove a hold that has expired at `now`, and return whether there was one. `updated_at` stays: no person did
    /// it.
    async fn expire_studio_hold(&self, id: StudioId, now: Timestamp) -> Result<bool>;

    /// MUST store the drill, with a `studio.ordered` event by [`Drill::by`], unless another one of the studio is open.
    async fn create_drill(&self, drill: &Drill, by: Change<'_>) -> Result<DrillCreation>;

    /// MUST return the studio's drill that has not ended.
    async fn open_drill(&self, id: StudioId) -> Result<Option<Drill>>;

    /// MUST return the page of the studio's drills, newest first.
    async fn drills(&self, scope: &Scope, id: StudioId, page: &Page<Newest>) -> Result<Vec<Drill>>;

    /// MUST store all of it or nothing, each of it once however often it is reported: the snapshot unless a later one is
    /// stored (one from after `now` is not later: the clock was set back); sessions, downtimes, records and verifications
    /// in place of those with the same name or beginning, of several the last; samples; decisions with a
    /// `studio.decided` event each; the drill in place of the stored one. The events have no name, so they are stored as
    /// often as they are reported. MUST do nothing for a studio that does not exist.
    async fn record_studio(&self, id: StudioId, report: &StudioReport, now: Timestamp) -> Result<()>;

    /// MUST return the last snapshot; `None` if another version wrote it in a form that cannot be read.
    async fn studio_snapshot(&self, scope: &Scope, id: StudioId) -> Result<Option<Snapshot>>;

    /// MUST return the ledger ([`Ledger::restored`]): the sessions and downtimes that lasted at `since` or later, oldest
    /// first, and the heartbeat of the last snapshot. It is there even if [`StudioStore::studio_snapshot`] cannot read it.
    async fn studio_ledger(&self, scope: &Scope, id: StudioId, since: Timestamp) -> Result<Ledger>;

    /// MUST return what was found of the content.
    async fn studio_library(&self, scope: &Scope, id: StudioId) -> Result<Library>;

    /// MUST return the records of a kind that began at `since` or later, oldest first, at most the last `most`.
    async fn studio_records(
        &self,
        scope: &Scope,
        id: StudioId,
        kind: RecordKind,
        since: Timestamp,
        most: u32,
    ) -> Result<Vec<Record>>;

    /// MUST return the last `most` samples from `from` to before `to`, oldest first, and the number of all of them.
    async fn studio_samples(
        &self,
        scope: &Scope,
        id: StudioId,
        (from, to): (Timestamp, Timestamp),
        most: u32,
    ) -> Result<(Vec<HealthSample>, u64)>;

    /// MUST return the page of the studio's decisions, newest first.
    async fn studio_decisions(
        &self,
        scope: &Scope,
        id: StudioId,
        page: &Page<Newest>,
    ) -> Result<Vec<StudioDecision>>;

    /// MUST remove samples from before `before`; returns how many.
    async fn prune_studio_samples(&self, before: Timestamp) -> Result<u64>;

    /// MUST remove sessions, downtimes and drills that ended before `before`, and decisions and records from before it;
    /// returns how many.
    async fn prune_studio_history(&self, before: Timestamp) -> Result<u64>;
}
