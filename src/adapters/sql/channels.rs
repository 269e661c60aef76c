//! Channels. `channel_destinations.rs` has what belongs to them, `programmes.rs` what their tasks write.

use async_trait::async_trait;
use uuid::Uuid;

use super::args::newest;
use super::broadcasters::{insert_broadcaster, remove_broadcaster};
use super::channel_destinations as destinations;
use super::commit::commit;
use super::playlists;
use super::row::{NewRow, rows};
use super::scope::in_scope;
use super::store::SqlStore;
use super::stream_keys::insert_key;
use crate::domain::access::Scope;
use crate::domain::channel::{
    Backup, Channel, ChannelId, ChannelName, ChannelPatch, ClipId, Destination, DestinationId,
    DestinationPatch, Hold, Rehearsal, RehearsalId, uses,
};
use crate::domain::event::{
    BroadcasterEventKind, ChannelEvent, ChannelEventKind, EventBody, StreamKeyEventKind,
};
use crate::domain::page::{Newest, Page};
use crate::domain::stream::{EndReason, Stream};
use crate::ports::{Change, ChannelCreation, ChannelStore, ChannelWrite, RehearsalCreation, Result};

statements! {
    // If two create at the same moment, the unique index on names decides.
    INSERT = [[insert channels], " WHERE true ON CONFLICT (name) DO NOTHING"];
    GET = [[select channels], " WHERE id = $1 AND ", [in_scope "$2"]];
    GET_LOCKED = [[select channels], " WHERE id = $1 AND ", [in_scope "$2"], [lock]];
    NAMED = [[select channels], " WHERE name = $1 AND ", [in_scope "$2"]];
    OF = [
        [select channels], " WHERE (broadcaster_id = $1 OR live_key_id = $1 OR programme_key_id = $1 \
         OR backup_key_id = $1) AND ", [in_scope "$2"],
    ];
    PAGE = [
        [select channels], " WHERE ", [in_scope "$4"], " AND (created_at, id) < ($1, $2) \
         ORDER BY created_at DESC, id DESC LIMIT $3",
    ];
    PAGE_OF_ORGANIZATION = [
        [select channels], " WHERE organization_id = $4 AND (created_at, id) < ($1, $2) \
         ORDER BY created_at DESC, id DESC LIMIT $3",
    ];
    UPDATE = [[update channels]];
    DELETE_DESTINATIONS = ["DELETE FROM destinations WHERE channel_id = $1"];
    DELETE_DECISIONS = ["DELETE FROM channel_decisions WHERE channel_id = $1"];
    DELETE_STATUS = ["DELETE FROM channel_status WHERE channel_id = $1"];
    DELETE_REHEARSALS = ["DELETE FROM channel_rehearsals WHERE channel_id = $1"];
    DELETE = ["DELETE FROM channels WHERE id = $1"];
}

fn event(kind: ChannelEventKind, channel: &Channel) -> EventBody {
    EventBody::channel(ChannelEvent::about(kind, channel))
}

impl SqlStore {
    /// Stores a channel that was changed; false if its name is taken.
    async fn write_channel(&self, tx: &mut super::db::Tx, channel: &Channel) -> Result<bool> {
        tx.run_if_free(UPDATE, args![rows([NewRow::of(channel)])]).await
    }

    /// Replaces a hold if `applies`.
    pub(super) async fn replace_hold(
        &self,
        id: ChannelId,
        at: crate::domain::Timestamp,
        hold: &Hold,
        by: Option<Change<'_>>,
        applies: impl Fn(&Channel) -> bool,
    ) -> Result<Option<Channel>> {
        let mut tx = self.db.begin().await?;
        let system = Scope::system();
        let scope = by.map_or(&system, |by| by.scope);
        let found = tx.row::<Channel>(GET_LOCKED, args![id, scope]).await?;
        let Some(mut channel) = found.filter(applies) else { return tx.rollback(None).await };
        channel.hold = hold.clone();
        channel.updated_at = at;
        self.write_channel(&mut tx, &channel).await?;
        let (owner, event) = (channel.organization_id, event(ChannelEventKind::Updated, &channel));
        match by {
            Some(by) => commit(tx, at, by.audit, owner, &[event]).await?,
            None => {
                super::commit::append_events(&mut tx, at, &[(owner, event)]).await?;
                tx.commit().await?;
            }
        }
        Ok(Some(channel))
    }
}

#[async_trait]
impl ChannelStore for SqlStore {
    async fn create_channel(&self, creation: &ChannelCreation, by: Change<'_>) -> Result<ChannelWrite<()>> {
        let ChannelCreation { channel, broadcaster, keys, sealed_programme_key } = creation;
        let mut tx = self.db.begin().await?;
        if let Backup::Playlist(playlist) = &channel.inputs.backup
            && let Some(clip) = playlists::keep_clips(&mut tx, playlist, channel.organization_id).await?
        {
            return tx.rollback(ChannelWrite::NoClip(clip)).await;
        }
        // Before the paths, which are made of the name: who took the name is what a person has to know.
        if tx.row::<Channel>(NAMED, args![&channel.name, Scope::system()]).await?.is_some() {
            return tx.rollback(ChannelWrite::NameTaken).await;
        }
        insert_broadcaster(&mut tx, broadcaster).await?;
        let mut events = vec![EventBody::broadcaster(BroadcasterEventKind::Created, broadcaster)];
        for (key, hash) in keys {
            if !insert_key(&mut tx, key, hash).await? {
                return tx.rollback(ChannelWrite::PathTaken(key.path.clone())).await;
            }
            events.push(EventBody::stream_key(StreamKeyEventKind::Created, key));
        }
        let row = NewRow::of(channel).with("programme_key", sealed_programme_key);
        if tx.run(INSERT, args![rows([row])]).await? == 0 {
            return tx.rollback(ChannelWrite::NameTaken).await;
        }
        events.push(event(ChannelEventKind::Created, channel));
        commit(tx, channel.created_at, by.audit, channel.organization_id, &events).await?;
        Ok(ChannelWrite::Done(()))
    }

    async fn channel(&self, scope: &Scope, id: ChannelId) -> Result<Option<Channel>> {
        self.db.row(GET, args![id, scope]).await
    }

    async fn channel_named(&self, scope: &Scope, name: &ChannelName) -> Result<Option<Channel>> {
        self.db.row(NAMED, args![name, scope]).await
    }

    async fn channel_of(&self, scope: &Scope, id: Uuid) -> Result<Option<Channel>> {
        self.db.row(OF, args![id, scope]).await
    }

    async fn clip_uses(&self, scope: &Scope, clips: &[ClipId]) -> Result<Vec<(ClipId, ChannelId)>> {
        Ok(uses(&playlists::all(&self.db, scope).await?, clips))
    }

    async fn channels(&self, scope: &Scope, page: &Page<Newest>) -> Result<Vec<Channel>> {
        let (statement, scope) = in_scope(scope, PAGE, PAGE_OF_ORGANIZATION);
        self.db.rows(statement, [newest(page), vec![scope]].concat()).await
    }

    async fn update_channel(
        &self,
        id: ChannelId,
        patch: &ChannelPatch,
        by: Change<'_>,
    ) -> Result<ChannelWrite<Channel>> {
        let mut tx = self.db.begin().await?;
        let Some(channel) = tx.row::<Channel>(GET_LOCKED, args![id, by.scope]).await? else {
            return tx.rollback(ChannelWrite::NotFound).await;
        };
        if let Some(playlist) = &patch.playlist
            && let Some(clip) = playlists::keep_clips(&mut tx, playlist, channel.organization_id).await?
        {
            return tx.rollback(ChannelWrite::NoClip(clip)).await;
        }
        let channel = channel.patched(patch, by.at());
        if !self.write_channel(&mut tx, &channel).await? {
            return tx.rollback(ChannelWrite::NameTaken).await;
        }
        let event = event(ChannelEventKind::Updated, &channel);
        commit(tx, by.at(), by.audit, channel.organization_id, &[event]).await?;
        Ok(ChannelWrite::Done(channel))
    }

    async fn set_hold(&self, id: ChannelId, hold: &Hold, by: Change<'_>) -> Result<Option<Channel>> {
        self.replace_hold(id, by.at(), hold, Some(by), |_| true).await
    }

    async fn delete_channel(&self, id: ChannelId, by: Change<'_>) -> Result<Option<Vec<Stream>>> {
        let mut tx = self.db.begin().await?;
        let Some(channel) = tx.row::<Channel>(GET_LOCKED, args![id, by.scope]).await? else {
            return tx.rollback(None).await;
        };
        for statement in [DELETE_DESTINATIONS, DELETE_DECISIONS, DELETE_STATUS, DELETE_REHEARSALS, DELETE] {
            tx.run(statement, args![id]).await?;
        }
        let mut events = vec![event(ChannelEventKind::Deleted, &channel)];
        let removed =
            remove_broadcaster(&mut tx, by.scope, channel.inputs.broadcaster, EndReason::BroadcasterDeleted)
                .await?;
        let ending = removed.map_or_else(Vec::new, |(broadcaster, ending)| {
            events.push(EventBody::broadcaster(BroadcasterEventKind::Deleted, &broadcaster));
            ending
        });
        commit(tx, by.at(), by.audit, channel.organization_id, &events).await?;
        Ok(Some(ending))
    }

    async fn create_destination(&self, one: &Destination, sealed_key: &str, by: Change<'_>) -> Result<bool> {
        destinations::create(self, one, sealed_key, by).await
    }

    async fn destination(
        &self,
        scope: &Scope,
        channel: ChannelId,
        id: DestinationId,
    ) -> Result<Option<Destination>> {
        destinations::get(self, scope, channel, id).await
    }

    async fn destinations(
        &self,
        scope: &Scope,
        channel: ChannelId,
        page: &Page<Newest>,
    ) -> Result<Vec<Destination>> {
        destinations::page(self, scope, channel, page).await
    }

    async fn update_destination(
        &self,
        channel: ChannelId,
        id: DestinationId,
        patch: &DestinationPatch,
        sealed_key: Option<&str>,
        by: Change<'_>,
    ) -> Result<Option<Destination>> {
        destinations::update(self, (channel, id), patch, sealed_key, by).await
    }

    async fn delete_destination(
        &self,
        channel: ChannelId,
        id: DestinationId,
        by: Change<'_>,
    ) -> Result<bool> {
        destinations::delete(self, (channel, id), by).await
    }

    async fn create_rehearsal(&self, rehearsal: &Rehearsal, by: Change<'_>) -> Result<RehearsalCreation> {
        destinations::create_rehearsal(self, rehearsal, by).await
    }

    async fn rehearsal(
        &self,
        scope: &Scope,
        channel: ChannelId,
        id: RehearsalId,
    ) -> Result<Option<Rehearsal>> {
        destinations::rehearsal(self, scope, channel, id).await
    }
}
