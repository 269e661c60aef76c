//! Studios and their history, in memory.

use async_trait::async_trait;

use super::stored_studio::StoredStudio;
use super::{MemoryStore, State, newest_first};
use crate::domain::Timestamp;
use crate::domain::access::Scope;
use crate::domain::event::{EventBody, OrderDetails, StudioEvent};
use crate::domain::page::{Newest, Page};
use crate::domain::studio::{
    Drill, HealthSample, Ledger, Library, Order, OrderKind, Record, RecordKind, Snapshot, Studio,
    StudioDecision, StudioId, StudioName,
};
use crate::ports::{Change, DrillCreation, Result, StudioReport, StudioStore};

impl State {
    fn studio_named(&mut self, name: &StudioName) -> Option<&mut Studio> {
        self.studios.values_mut().map(|stored| &mut stored.studio).find(|one| one.name == *name)
    }

    /// Reads the studio's rows; of a studio that does not exist, or is not in the scope, there are none.
    fn of_studio<T: Default>(&self, scope: &Scope, id: StudioId, read: impl FnOnce(&StoredStudio) -> T) -> T {
        let found = self.studios.get(&id).filter(|one| scope.includes(one.studio.organization_id));
        found.map(read).unwrap_or_default()
    }
}

/// The last `most` of these.
fn last<'a, T: Clone + 'a>(rows: impl DoubleEndedIterator<Item = &'a T>, most: u32) -> Vec<T> {
    let mut last: Vec<T> = rows.rev().take(most as usize).cloned().collect();
    last.reverse();
    last
}

#[async_trait]
impl StudioStore for MemoryStore {
    async fn open_studio(&self, studio: &Studio) -> Result<Studio> {
        let mut state = self.state();
        if let Some(stored) = state.studio_named(&studio.name) {
            stored.organization_id = studio.organization_id;
            return Ok(stored.clone());
        }
        state.studios.insert(studio.id, StoredStudio::new(studio));
        Ok(studio.clone())
    }

    async fn studio(&self, scope: &Scope, name: &StudioName) -> Result<Option<Studio>> {
        let mut state = self.state();
        let found = state.studio_named(name).filter(|one| scope.includes(one.organization_id));
        Ok(found.cloned())
    }

    async fn order_studio(
        &self,
        name: &StudioName,
        order: &Order,
        reason: Option<&str>,
        by: Change<'_>,
    ) -> Result<Option<Studio>> {
        let mut state = self.state();
        let found = state.studio_named(name);
        let Some(stored) = found.filter(|one| by.scope.includes(one.organization_id)) else {
            return Ok(None);
        };
        *stored = stored.clone().ordered(order, by.actor(), by.at());
        let studio = stored.clone();
        let details = OrderDetails {
            order: order.kind(),
            by: by.actor().to_owned(),
            reason: reason.map(ToOwned::to_owned),
        };
        let event = EventBody::studio(StudioEvent::ordered(&studio, details));
        state.record(by.at(), by.audit, studio.organization_id, &event);
        Ok(Some(studio))
    }

    async fn expire_studio_hold(&self, id: StudioId, now: Timestamp) -> Result<bool> {
        let mut state = self.state();
        let hold = state.studios.get_mut(&id).map(|stored| &mut stored.studio.hold);
        Ok(hold.and_then(|hold| hold.take_if(|hold| hold.has_expired(now))).is_some())
    }

    async fn create_drill(&self, drill: &Drill, by: Change<'_>) -> Result<DrillCreation> {
        let mut state = self.state();
        let found = state.studios.get_mut(&drill.studio);
        let Some(stored) = found.filter(|one| by.scope.includes(one.studio.organization_id)) else {
            return Ok(DrillCreation::NotFound);
        };
        if stored.open_drill().is_some() {
            return Ok(DrillCreation::Busy);
        }
        stored.drills.push(drill.clone());
        let details = OrderDetails { order: OrderKind::Drill, by: drill.by.clone(), reason: None };
        let event = EventBody::studio(StudioEvent::ordered(&stored.studio, details));
        let owner = stored.studio.organization_id;
        state.record(by.at(), by.audit, owner, &event);
        Ok(DrillCreation::Created)
    }

    async fn open_drill(&self, id: StudioId) -> Result<Option<Drill>> {
        Ok(self.state().of_studio(&Scope::system(), id, |stored| stored.open_drill().cloned()))
    }

    async fn drills(&self, scope: &Scope, id: StudioId, page: &Page<Newest>) -> Result<Vec<Drill>> {
        Ok(self.state().of_studio(scope, id, |stored| newest_first(stored.drills.iter(), page)))
    }

    async fn record_studio(&self, id: StudioId, report: &StudioReport, now: Timestamp) -> Result<()> {
        let mut state = self.state();
        let Some(stored) = state.studios.get_mut(&id) else { return Ok(()) };
        let (name, owner) = (stored.studio.name.clone(), stored.studio.organization_id);
        let new = stored.record(report, now);
        let decided = new.iter().map(|one| StudioEvent::decided(&name, one));
        for event in decided.chain(report.events.iter().cloned()) {
            state.append_event(now, owner, &EventBody::studio(event));
        }
        Ok(())
    }

    async fn studio_snapshot(&self, scope: &Scope, id: StudioId) -> Result<Option<Snapshot>> {
        Ok(self.state().of_studio(scope, id, |stored| stored.snapshot.clone()))
    }

    async fn studio_ledger(&self, scope: &Scope, id: StudioId, since: Timestamp) -> Result<Ledger> {
        let lasted = |ended_at: Option<Timestamp>| ended_at.is_none_or(|at| at >= since);
        Ok(self.state().of_studio(scope, id, |stored| {
            let sessions = stored.sessions.values().copied().filter(|one| lasted(one.ended_at));
            let downtimes = stored.downtimes.values().copied().filter(|one| lasted(one.ended_at));
            let heartbeat = stored.snapshot.as_ref().and_then(|snapshot| snapshot.heartbeat);
            Ledger::restored(sessions.collect(), downtimes.collect(), heartbeat)
        }))
    }

    async fn studio_library(&self, scope: &Scope, id: StudioId) -> Result<Library> {
        Ok(self.state().of_studio(scope, id, |stored| stored.library.clone()))
    }

    async fn studio_records(
        &self,
        scope: &Scope,
        id: StudioId,
        kind: RecordKind,
        since: Timestamp,
        most: u32,
    ) -> Result<Vec<Record>> {
        let is_wanted = |one: &&Record| one.kind() == kind && one.began_at() >= since;
        Ok(self.state().of_studio(scope, id, |stored| last(stored.records.values().filter(is_wanted), most)))
    }

    async fn studio_samples(
        &self,
        scope: &Scope,
        id: StudioId,
        (from, to): (Timestamp, Timestamp),
        most: u32,
    ) -> Result<(Vec<HealthSample>, u64)> {
        let is_wanted = |one: &&HealthSample| one.at >= from && one.at < to;
        Ok(self.state().of_studio(scope, id, |stored| {
            let wanted = || stored.samples.values().filter(is_wanted);
            (last(wanted(), most), wanted().count() as u64)
        }))
    }

    async fn studio_decisions(
        &self,
        scope: &Scope,
        id: StudioId,
        page: &Page<Newest>,
    ) -> Result<Vec<StudioDecision>> {
        Ok(self.state().of_studio(scope, id, |stored| newest_first(stored.decisions.iter(), page)))
    }

    async fn prune_studio_samples(&self, before: Timestamp) -> Result<u64> {
        let mut state = self.state();
        let count = |state: &State| state.studios.values().map(|one| one.samples.len()).sum::<usize>();
        let all = count(&state);
        state.studios.values_mut().for_each(|one| one.samples.retain(|at, _| *at >= before));
        Ok((all - count(&state)) as u64)
    }

    async fn prune_studio_history(&self, before: Timestamp) -> Result<u64> {
        let mut state = self.state();
        let count = |state: &State| state.studios.values().map(StoredStudio::history).sum::<usize>();
        let all = count(&state);
        state.studios.values_mut().for_each(|one| one.prune(before));
        Ok((all - count(&state)) as u64)
    }
}
