//! Channels, in memory.

use async_trait::async_trait;
use uuid::Uuid;

use super::{MemoryStore, State, newest_first};
use crate::domain::OrganizationId;
use crate::domain::access::Scope;
use crate::domain::channel::{
    Backup, Channel, ChannelId, ChannelName, ChannelPatch, ClipId, Destination, DestinationId,
    DestinationPatch, Hold, Playlist, Rehearsal, RehearsalId, uses,
};
use crate::domain::event::{
    BroadcasterEventKind, ChannelEvent, ChannelEventKind, EventBody, StreamKeyEventKind,
};
use crate::domain::page::{Newest, Page};
use crate::domain::stream::{EndReason, Stream};
use crate::ports::{Change, ChannelCreation, ChannelStore, ChannelWrite, RehearsalCreation, Result};

pub(super) fn about(kind: ChannelEventKind, channel: &Channel) -> EventBody {
    EventBody::channel(ChannelEvent::about(kind, channel))
}

impl State {
    fn is_channel_name_taken(&self, name: &ChannelName, id: ChannelId) -> bool {
        self.channels.values().any(|(one, _)| one.id != id && one.name == *name)
    }

    pub(super) fn clip_uses(&self, clips: &[ClipId]) -> Vec<(ClipId, ChannelId)> {
        let playlist = |(one, _): &(Channel, String)| match &one.inputs.backup {
            Backup::Playlist(playlist) => Some((one.id, playlist.clone())),
            Backup::Stream(_) => None,
        };
        uses(&self.channels.values().filter_map(playlist).collect::<Vec<_>>(), clips)
    }

    /// A clip of the playlist that `owner` does not have.
    fn missing_clip(&self, playlist: &Playlist, owner: OrganizationId) -> Option<ClipId> {
        let has = |clip: &ClipId| self.clips.get(clip).is_some_and(|one| one.clip.organization_id == owner);
        playlist.all_clips().into_iter().find(|clip| !has(clip))
    }

    fn record_destination(&mut self, kind: ChannelEventKind, of: &Destination, by: Change<'_>) {
        let Some((channel, _)) = self.channels.get(&of.channel) else { return };
        let owner = channel.organization_id;
        let event = ChannelEvent::destination(kind, (channel.id, &channel.name), of);
        self.record(by.at(), by.audit, owner, &EventBody::channel(event));
    }

    /// A channel, if it is in the scope.
    pub(super) fn channel_in(&self, scope: &Scope, id: ChannelId) -> Option<&Channel> {
        self.channels.get(&id).map(|(one, _)| one).filter(|one| scope.includes(one.organization_id))
    }

    fn destination_of(&self, scope: &Scope, channel: ChannelId, id: DestinationId) -> Option<&Destination> {
        self.channel_in(scope, channel)?;
        self.destinations.get(&id).map(|(one, _)| one).filter(|one| one.channel == channel)
    }
}

#[async_trait]
impl ChannelStore for MemoryStore {
    async fn create_channel(&self, creation: &ChannelCreation, by: Change<'_>) -> Result<ChannelWrite<()>> {
        let ChannelCreation { channel, broadcaster, keys, sealed_programme_key } = creation;
        let mut state = self.state();
        if let Backup::Playlist(playlist) = &channel.inputs.backup
            && let Some(clip) = state.missing_clip(playlist, channel.organization_id)
        {
            return Ok(ChannelWrite::NoClip(clip));
        }
        if state.is_channel_name_taken(&channel.name, channel.id) {
            return Ok(ChannelWrite::NameTaken);
        }
        state.must_have_organization(channel.organization_id)?;
        for (key, _) in keys {
            let mut others = state.keys.values().map(|(_, other)| other);
            if others.any(|other| other.path == key.path && other.is_usable(key.created_at)) {
                return Ok(ChannelWrite::PathTaken(key.path.clone()));
            }
        }
        let (at, owner) = (channel.created_at, channel.organization_id);
        state.broadcasters.insert(broadcaster.id, broadcaster.clone());
        state.append_event(at, owner, &EventBody::broadcaster(BroadcasterEventKind::Created, broadcaster));
        for (key, hash) in keys {
            state.keys.insert(key.id, (*hash, key.clone()));
            state.append_event(at, owner, &EventBody::stream_key(StreamKeyEventKind::Created, key));
        }
        state.channels.insert(channel.id, (channel.clone(), sealed_programme_key.clone()));
        state.record(at, by.audit, owner, &about(ChannelEventKind::Created, channel));
        Ok(ChannelWrite::Done(()))
    }

    async fn channel(&self, scope: &Scope, id: ChannelId) -> Result<Option<Channel>> {
        Ok(self.state().channel_in(scope, id).cloned())
    }

    async fn channel_named(&self, scope: &Scope, name: &ChannelName) -> Result<Option<Channel>> {
        let state = self.state();
        Ok(state
            .channels
            .values()
            .map(|(channel, _)| channel)
            .find(|one| one.name == *name && scope.includes(one.organization_id))
            .cloned())
    }

    async fn channel_of(&self, scope: &Scope, id: Uuid) -> Result<Option<Channel>> {
        let owns = |one: &&Channel| {
            let inputs = &one.inputs;
            let backup = match inputs.backup {
                Backup::Stream(key) => Some(key.0),
                Backup::Playlist(_) => None,
            };
            inputs.broadcaster.0 == id
                || inputs.live_key.0 == id
                || inputs.programme_key.0 == id
                || backup == Some(id)
        };
        let state = self.state();
        let mut all = state.channels.values().map(|(channel, _)| channel);
        Ok(all.find(|one| owns(one) && scope.includes(one.organization_id)).cloned())
    }

    async fn clip_uses(&self, scope: &Scope, clips: &[ClipId]) -> Result<Vec<(ClipId, ChannelId)>> {
        let state = self.state();
        let mut uses = state.clip_uses(clips);
        uses.retain(|(_, channel)| state.channel_in(scope, *channel).is_some());
        Ok(uses)
    }

    async fn channels(&self, scope: &Scope, page: &Page<Newest>) -> Result<Vec<Channel>> {
        let state = self.state();
        let all = state.channels.values().map(|(channel, _)| channel);
        Ok(newest_first(all.filter(|one| scope.includes(one.organization_id)), page))
    }

    async fn update_channel(
        &self,
        id: ChannelId,
        patch: &ChannelPatch,
        by: Change<'_>,
    ) -> Result<ChannelWrite<Channel>> {
        let mut state = self.state();
        let Some(channel) = state.channel_in(by.scope, id) else { return Ok(ChannelWrite::NotFound) };
        let channel = channel.clone().patched(patch, by.at());
        if let Some(clip) =
            patch.playlist.as_ref().and_then(|it| state.missing_clip(it, channel.organization_id))
        {
            return Ok(ChannelWrite::NoClip(clip));
        }
        if state.is_channel_name_taken(&channel.name, id) {
            return Ok(ChannelWrite::NameTaken);
        }
        if let Some((stored, _)) = state.channels.get_mut(&id) {
            *stored = channel.clone();
        }
        state.record(by.at(), by.audit, channel.organization_id, &about(ChannelEventKind::Updated, &channel));
        Ok(ChannelWrite::Done(channel))
    }

    async fn set_hold(&self, id: ChannelId, hold: &Hold, by: Change<'_>) -> Result<Option<Channel>> {
        let mut state = self.state();
        let found = state.channels.get_mut(&id).map(|(channel, _)| channel);
        let Some(channel) = found.filter(|one| by.scope.includes(one.organization_id)) else {
            return Ok(None);
        };
        channel.hold = hold.clone();
        channel.updated_at = by.at();
        let channel = channel.clone();
        state.record(by.at(), by.audit, channel.organization_id, &about(ChannelEventKind::Updated, &channel));
        Ok(Some(channel))
    }

    async fn delete_channel(&self, id: ChannelId, by: Change<'_>) -> Result<Option<Vec<Stream>>> {
        let mut state = self.state();
        let Some(channel) = state.channel_in(by.scope, id).cloned() else { return Ok(None) };
        state.channels.remove(&id);
        state.destinations.retain(|_, (one, _)| one.channel != id);
        state.decisions.retain(|_, one| one.channel != id);
        state.rehearsals.retain(|_, one| one.channel != id);
        state.channel_status.remove(&id);
        state.record(by.at(), by.audit, channel.organization_id, &about(ChannelEventKind::Deleted, &channel));
        let owner = channel.inputs.broadcaster;
        let Some(broadcaster) = state.broadcasters.remove(&owner) else { return Ok(Some(Vec::new())) };
        state.keys.retain(|_, (_, key)| key.broadcaster_id != owner);
        let ending = state.mark(EndReason::BroadcasterDeleted, |stream| stream.broadcaster_id == owner);
        state.append_event(
            by.at(),
            channel.organization_id,
            &EventBody::broadcaster(BroadcasterEventKind::Deleted, &broadcaster),
        );
        Ok(Some(ending))
    }

    async fn create_destination(&self, one: &Destination, sealed_key: &str, by: Change<'_>) -> Result<bool> {
        let mut state = self.state();
        if state.channel_in(by.scope, one.channel).is_none() {
            return Ok(false);
        }
        state.destinations.insert(one.id, (one.clone(), sealed_key.to_owned()));
        state.record_destination(ChannelEventKind::DestinationCreated, one, by);
        Ok(true)
    }

    async fn destination(
        &self,
        scope: &Scope,
        channel: ChannelId,
        id: DestinationId,
    ) -> Result<Option<Destination>> {
        Ok(self.state().destination_of(scope, channel, id).cloned())
    }

    async fn destinations(
        &self,
        scope: &Scope,
        channel: ChannelId,
        page: &Page<Newest>,
    ) -> Result<Vec<Destination>> {
        let state = self.state();
        let all = state.destinations.values().map(|(one, _)| one);
        let is_visible = state.channel_in(scope, channel).is_some();
        Ok(newest_first(all.filter(|one| one.channel == channel && is_visible), page))
    }

    async fn update_destination(
        &self,
        channel: ChannelId,
        id: DestinationId,
        patch: &DestinationPatch,
        sealed_key: Option<&str>,
        by: Change<'_>,
    ) -> Result<Option<Destination>> {
        let mut state = self.state();
        let Some(one) = state.destination_of(by.scope, channel, id).cloned() else { return Ok(None) };
        let one = one.patched(patch, by.at());
        if let Some((stored, key)) = state.destinations.get_mut(&id) {
            *stored = one.clone();
            if let Some(sealed_key) = sealed_key {
                sealed_key.clone_into(key);
            }
        }
        state.record_destination(ChannelEventKind::DestinationUpdated, &one, by);
        Ok(Some(one))
    }

    async fn delete_destination(
        &self,
        channel: ChannelId,
        id: DestinationId,
        by: Change<'_>,
    ) -> Result<bool> {
        let mut state = self.state();
        let Some(one) = state.destination_of(by.scope, channel, id).cloned() else { return Ok(false) };
        state.destinations.remove(&id);
        state.record_destination(ChannelEventKind::DestinationDeleted, &one, by);
        Ok(true)
    }

    async fn create_rehearsal(&self, rehearsal: &Rehearsal, by: Change<'_>) -> Result<RehearsalCreation> {
        let mut state = self.state();
        let Some(channel) = state.channel_in(by.scope, rehearsal.channel) else {
            return Ok(RehearsalCreation::NotFound);
        };
        let owner = channel.organization_id;
        if state.rehearsals.values().any(|one| one.channel == rehearsal.channel && one.is_open()) {
            return Ok(RehearsalCreation::Busy);
        }
        state.rehearsals.insert(rehearsal.id, rehearsal.clone());
        state.audit.push(by.audit.clone().owned_by(owner));
        Ok(RehearsalCreation::Created)
    }

    async fn rehearsal(
        &self,
        scope: &Scope,
        channel: ChannelId,
        id: RehearsalId,
    ) -> Result<Option<Rehearsal>> {
        let state = self.state();
        if state.channel_in(scope, channel).is_none() {
            return Ok(None);
        }
        Ok(state.rehearsals.get(&id).filter(|one| one.channel == channel).cloned())
    }
}
