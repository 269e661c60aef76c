//! What the tasks of channels read and write, in memory.

use async_trait::async_trait;

use super::channels::about;
use super::{MemoryStore, newest_first};
use crate::domain::Timestamp;
use crate::domain::access::Scope;
use crate::domain::channel::{
    Channel, ChannelId, Decision, DecisionKind, Destination, Hold, ProgrammeStatus, Rehearsal,
};
use crate::domain::event::{ChannelEvent, ChannelEventKind, EventBody};
use crate::domain::page::{Newest, Page};
use crate::ports::{ProgrammeStore, ReportedProgrammes, Result, StoredProgramme};

#[async_trait]
impl ProgrammeStore for MemoryStore {
    async fn enabled_channels(&self) -> Result<Vec<ChannelId>> {
        let state = self.state();
        Ok(state.channels.values().filter(|(one, _)| one.enabled).map(|(one, _)| one.id).collect())
    }

    async fn programme(&self, id: ChannelId) -> Result<Option<StoredProgramme>> {
        let state = self.state();
        let Some((channel, sealed_programme_key)) = state.channels.get(&id).cloned() else { return Ok(None) };
        let of = state.destinations.values().filter(|(one, _)| one.channel == id && one.enabled);
        let mut destinations: Vec<(Destination, String)> = of.cloned().collect();
        destinations.sort_by_key(|(one, _)| (one.created_at, one.id));
        let rehearsal = state.rehearsals.values().find(|one| one.channel == id && one.is_open()).cloned();
        Ok(Some(StoredProgramme { channel, sealed_programme_key, destinations, rehearsal }))
    }

    async fn expire_hold(&self, id: ChannelId, now: Timestamp) -> Result<Option<Channel>> {
        let mut state = self.state();
        let found = state.channels.get_mut(&id).map(|(channel, _)| channel);
        let Some(channel) = found.filter(|one| one.hold.expires_at.is_some_and(|at| at <= now)) else {
            return Ok(None);
        };
        channel.hold = Hold::default();
        channel.updated_at = now;
        let channel = channel.clone();
        state.append_event(now, channel.organization_id, &about(ChannelEventKind::Updated, &channel));
        Ok(Some(channel))
    }

    async fn save_rehearsal(&self, rehearsal: &Rehearsal) -> Result<()> {
        if let Some(stored) = self.state().rehearsals.get_mut(&rehearsal.id) {
            *stored = rehearsal.clone();
        }
        Ok(())
    }

    async fn record_programmes(&self, reported: &ReportedProgrammes, now: Timestamp) -> Result<()> {
        let mut state = self.state();
        for (id, status) in &reported.statuses {
            let is_later = state.channel_status.get(id).is_none_or(|stored| stored.at < status.at);
            if is_later && state.channels.contains_key(id) {
                state.channel_status.insert(*id, status.clone());
            }
        }
        for change in &reported.changes {
            let owner = state.channels.get(&change.id).map(|(channel, _)| channel.organization_id);
            if let Some(owner) = owner {
                state.append_event(now, owner, &EventBody::channel(change.clone()));
            }
        }
        for decision in &reported.decisions {
            let Some((channel, _)) = state.channels.get(&decision.channel) else { continue };
            let (name, owner) = (channel.name.clone(), channel.organization_id);
            if state.decisions.contains_key(&decision.id) {
                continue;
            }
            state.decisions.insert(decision.id, decision.clone());
            if decision.kind == DecisionKind::Cut {
                let cut = EventBody::channel(ChannelEvent::cut(&name, decision));
                state.append_event(now, owner, &cut);
            }
        }
        Ok(())
    }

    async fn channel_status(&self, scope: &Scope, id: ChannelId) -> Result<Option<ProgrammeStatus>> {
        let state = self.state();
        let is_visible = state.channel_in(scope, id).is_some();
        Ok(state.channel_status.get(&id).filter(|_| is_visible).cloned())
    }

    async fn decisions(&self, scope: &Scope, id: ChannelId, page: &Page<Newest>) -> Result<Vec<Decision>> {
        let state = self.state();
        let is_visible = state.channel_in(scope, id).is_some();
        Ok(newest_first(state.decisions.values().filter(|one| one.channel == id && is_visible), page))
    }

    async fn prune_decisions(&self, before: Timestamp) -> Result<u64> {
        let mut state = self.state();
        let count = state.decisions.len() + state.rehearsals.len();
        state.decisions.retain(|_, one| one.at >= before);
        state.rehearsals.retain(|_, one| one.ended_at.is_none_or(|at| at >= before));
        Ok((count - state.decisions.len() - state.rehearsals.len()) as u64)
    }
}
