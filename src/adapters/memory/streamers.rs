//! Streamers, in memory.

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;

use super::{MemoryStore, State, limit, prune};
use crate::domain::access::Scope;
use crate::domain::event::{EventBody, StreamerEventKind};
use crate::domain::page::{Page, Placed};
use crate::domain::streamer::apply::apply_reports;
use crate::domain::streamer::decide::Report;
use crate::domain::streamer::feed::WatchStatus;
use crate::domain::streamer::{Learned, Slug, Status, StatusEvent, Streamer, StreamerPatch};
use crate::domain::{StreamerId, Timestamp};
use crate::ports::{Change, Recorded, ReportStore, Result, StreamerFilter, StreamerStore, Written};

fn passes(filter: &StreamerFilter, streamer: &Streamer) -> bool {
    let wanted = filter.username.as_ref();
    filter.status.is_none_or(|status| streamer.track.status == status)
        && filter.user.is_none_or(|user| streamer.ids.user == Some(user))
        && filter.is_active.is_none_or(|is_active| streamer.is_active == is_active)
        && wanted.is_none_or(|wanted| wanted.eq_ignore_ascii_case(&streamer.username))
}

impl State {
    /// A streamer, if it is in the scope.
    fn streamer_in(&self, scope: &Scope, id: StreamerId) -> Option<&Streamer> {
        self.streamers.get(&id).filter(|one| scope.includes(one.organization_id))
    }

    /// Whether a row other than `id` has a name.
    fn is_name_taken(&self, username: &str, id: StreamerId) -> bool {
        self.streamers.values().any(|one| one.id != id && one.username.eq_ignore_ascii_case(username))
    }
}

#[async_trait]
impl StreamerStore for MemoryStore {
    async fn create_streamer(&self, streamer: &Streamer, by: Change<'_>) -> Result<Written<()>> {
        let mut state = self.state();
        if state.is_name_taken(&streamer.username, streamer.id) {
            return Ok(Written::NameTaken);
        }
        state.must_have_organization(streamer.organization_id)?;
        state.streamers.insert(streamer.id, streamer.clone());
        let event = EventBody::streamer(StreamerEventKind::Created, streamer, None);
        state.record(streamer.created_at, by.audit, streamer.organization_id, &event);
        Ok(Written::Done(()))
    }

    async fn streamer(&self, scope: &Scope, id: StreamerId) -> Result<Option<Streamer>> {
        Ok(self.state().streamer_in(scope, id).cloned())
    }

    async fn streamers(
        &self,
        scope: &Scope,
        filter: &StreamerFilter,
        page: &Page<String>,
    ) -> Result<Vec<Streamer>> {
        let state = self.state();
        let is_after = |one: &&Streamer| page.after.as_ref().is_none_or(|after| one.place() > *after);
        let all = state.streamers.values().filter(|one| scope.includes(one.organization_id));
        let all = all.filter(|one| passes(filter, one)).filter(is_after);
        let mut all: Vec<Streamer> = all.cloned().collect();
        all.sort_by_key(Placed::place);
        all.truncate(limit(page));
        Ok(all)
    }

    async fn update_streamer(
        &self,
        id: StreamerId,
        patch: &StreamerPatch,
        by: Change<'_>,
    ) -> Result<Written<Streamer>> {
        let mut state = self.state();
        let found = state.streamer_in(by.scope, id).cloned();
        let Some(streamer) = found else { return Ok(Written::NotFound) };
        let streamer = streamer.patched(patch, by.at());
        if state.is_name_taken(&streamer.username, id) {
            return Ok(Written::NameTaken);
        }
        state.streamers.insert(id, streamer.clone());
        let event = EventBody::streamer(StreamerEventKind::Updated, &streamer, None);
        state.record(by.at(), by.audit, streamer.organization_id, &event);
        Ok(Written::Done(streamer))
    }

    async fn delete_streamer(&self, id: StreamerId, by: Change<'_>) -> Result<bool> {
        let mut state = self.state();
        let Some(streamer) = state.streamer_in(by.scope, id).cloned() else { return Ok(false) };
        state.streamers.remove(&id);
        state.status_events.retain(|event| event.streamer_id != id);
        let event = EventBody::streamer(StreamerEventKind::Deleted, &streamer, None);
        state.record(by.at(), by.audit, streamer.organization_id, &event);
        Ok(true)
    }

    async fn status_events(
        &self,
        scope: &Scope,
        id: StreamerId,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Option<Vec<StatusEvent>>> {
        let state = self.state();
        if state.streamer_in(scope, id).is_none() {
            return Ok(None);
        }
        let newest_first = state.status_events.iter().rev();
        let wanted = newest_first
            .filter(|event| event.streamer_id == id && before.is_none_or(|before| event.seq < before));
        Ok(Some(wanted.take(limit as usize).cloned().collect()))
    }

    async fn prune_status_events(&self, before: Timestamp) -> Result<u64> {
        let mut state = self.state();
        let last: HashMap<StreamerId, i64> =
            state.status_events.iter().map(|event| (event.streamer_id, event.seq)).collect();
        let is_last = |event: &StatusEvent| last.get(&event.streamer_id) == Some(&event.seq);
        Ok(prune(&mut state.status_events, |event| event.recorded_at >= before || is_last(event)))
    }

    async fn keep_watch_status(&self, status: &WatchStatus) -> Result<()> {
        self.state().watch_status = Some(status.clone());
        Ok(())
    }

    async fn watch_status(&self, _: &Scope) -> Result<Option<WatchStatus>> {
        Ok(self.state().watch_status.clone())
    }
}

#[async_trait]
impl ReportStore for MemoryStore {
    async fn record_reports(
        &self,
        reports: &[Report],
        flap_window: Duration,
        now: Timestamp,
    ) -> Result<Vec<Recorded>> {
        let mut state = self.state();
        let named = reports.iter().filter_map(|report| state.streamers.get(&report.streamer));
        let applied = apply_reports(named.cloned(), reports, flap_window);
        for streamer in applied.changed {
            state.streamers.insert(streamer.id, streamer);
        }
        for event in applied.events {
            state.append_event(
                now,
                event.streamer.organization_id,
                &EventBody::streamer(event.announcement.into(), &event.streamer, event.change.as_ref()),
            );
            let (seq, streamer_id) = (state.last_event, event.streamer.id);
            let change =
                event.change.map(|change| StatusEvent { seq, streamer_id, change, recorded_at: now });
            state.status_events.extend(change);
        }
        let decisions = reports.iter().zip(applied.decisions);
        Ok(decisions.map(|(report, decision)| Recorded::new(report.streamer, decision)).collect())
    }

    async fn learn(&self, learned: &[Learned], now: Timestamp) -> Result<()> {
        let mut state = self.state();
        for one in learned {
            let Some(streamer) = state.streamers.get(&one.streamer) else { continue };
            let is_taken = |name: &Slug| state.is_name_taken(name.as_str(), streamer.id);
            let Some(after) = streamer.learned(&one.found, now, is_taken) else { continue };
            state.streamers.insert(after.id, after.clone());
            let event = EventBody::streamer(StreamerEventKind::Updated, &after, None);
            state.append_event(now, after.organization_id, &event);
        }
        Ok(())
    }

    async fn announce_offline(&self, now: Timestamp) -> Result<u64> {
        let mut state = self.state();
        let is_due = |one: &&Streamer| one.track.offline_due.is_some_and(|due| due <= now);
        let mut due: Vec<Streamer> = state.streamers.values().filter(is_due).cloned().collect();
        let mut announced = 0;
        for streamer in &mut due {
            streamer.track.offline_due = None;
            state.streamers.insert(streamer.id, streamer.clone());
            if streamer.track.status == Status::Offline {
                let event = EventBody::streamer(StreamerEventKind::Offline, streamer, None);
                state.append_event(now, streamer.organization_id, &event);
                announced += 1;
            }
        }
        Ok(announced)
    }
}
