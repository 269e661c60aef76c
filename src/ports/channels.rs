//! The store of channels and their destinations. `programmes.rs` has what their tasks need.

use async_trait::async_trait;
use uuid::Uuid;

use super::{Change, Result};
use crate::domain::access::Scope;
use crate::domain::broadcaster::Broadcaster;
use crate::domain::channel::{
    Channel, ChannelId, ChannelName, ChannelPatch, ClipId, Destination, DestinationId, DestinationPatch,
    Hold, Rehearsal, RehearsalId,
};
use crate::domain::page::{Newest, Page};
use crate::domain::path::StreamPath;
use crate::domain::secret::SecretHash;
use crate::domain::stream::Stream;
use crate::domain::stream_key::StreamKey;

/// A channel to create, with all that belongs to it.
#[derive(Clone, Debug)]
pub struct ChannelCreation {
    /// The channel.
    pub channel: Channel,
    /// The owner of its keys.
    pub broadcaster: Broadcaster,
    /// Its keys, each with the hash of its secret.
    pub keys: Vec<(StreamKey, SecretHash)>,
    /// The sealed secret of the key that publishes the programme.
    pub sealed_programme_key: String,
}

/// The result of creating or changing a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChannelWrite<T> {
    /// It is stored.
    Done(T),
    /// There is no such channel; nothing was written.
    NotFound,
    /// Another one has the name; nothing was written.
    NameTaken,
    /// A usable stream key has this path; nothing was written.
    PathTaken(StreamPath),
    /// The playlist names a clip that the channel's organization does not have; nothing was written.
    NoClip(ClipId),
}

/// The result of requesting a rehearsal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RehearsalCreation {
    /// It is stored.
    Created,
    /// There is no such channel; nothing was written.
    NotFound,
    /// Another rehearsal of the channel has not ended; nothing was written.
    Busy,
}

/// Channels, their destinations and rehearsals.
#[async_trait]
pub trait ChannelStore: Send + Sync {
    /// MUST store the channel, its broadcaster and its keys, with the events `broadcaster.created`, `stream_key.created`
    /// (each) and `channel.created` and one audit entry, or none of them. MUST refuse a name that another channel has,
    /// and a path that another usable key has, also of concurrent calls. MUST refuse a playlist with a clip that its
    /// organization does not have, also if it is deleted at the same moment.
    async fn create_channel(&self, creation: &ChannelCreation, by: Change<'_>) -> Result<ChannelWrite<()>>;

    /// MUST return the channel as it was last stored, or `None`.
    async fn channel(&self, scope: &Scope, id: ChannelId) -> Result<Option<Channel>>;

    /// MUST return the channel of this name, or `None`.
    async fn channel_named(&self, scope: &Scope, name: &ChannelName) -> Result<Option<Channel>>;

    /// MUST return the channel that the broadcaster or key with this id was made for, or `None`.
    async fn channel_of(&self, scope: &Scope, id: Uuid) -> Result<Option<Channel>>;

    /// MUST return which of these clips are in playlists, and of which channels, in order of channel and clip.
    async fn clip_uses(&self, scope: &Scope, clips: &[ClipId]) -> Result<Vec<(ClipId, ChannelId)>>;

    /// MUST return the page of all channels, newest first, ties by id.
    async fn channels(&self, scope: &Scope, page: &Page<Newest>) -> Result<Vec<Channel>>;

    /// MUST change what the patch names ([`Channel::patched`]) and nothing else, with a `channel.updated` event and the
    /// audit entry; nothing at all if the new name is taken, or if the playlist has a clip that its
    /// organization does not have, also if it is deleted at the same moment.
    async fn update_channel(
        &self,
        id: ChannelId,
        patch: &ChannelPatch,
        by: Change<'_>,
    ) -> Result<ChannelWrite<Channel>>;

    /// MUST replace the hold, with a `channel.updated` event and the audit entry. MUST return `None` and write nothing
    /// if there is no such channel.
    async fn set_hold(&self, id: ChannelId, hold: &Hold, by: Change<'_>) -> Result<Option<Channel>>;

    /// MUST remove the channel with its destinations, decisions, status and rehearsals, and its broadcaster as
    /// [`delete_broadcaster`](super::BroadcasterStore::delete_broadcaster) does, with the events `channel.deleted` and
    /// `broadcaster.deleted` and one audit entry. Returns the streams that must end now, or `None` (nothing written) if
    /// there is no such channel.
    async fn delete_channel(&self, id: ChannelId, by: Change<'_>) -> Result<Option<Vec<Stream>>>;

    /// MUST store the destination and its sealed key, a `destination.created` event and the audit entry. MUST return
    /// false and write nothing if its channel does not exist.
    async fn create_destination(
        &self,
        destination: &Destination,
        sealed_key: &str,
        by: Change<'_>,
    ) -> Result<bool>;

    /// MUST return the destination of this channel as it was last stored, or `None`.
    async fn destination(
        &self,
        scope: &Scope,
        channel: ChannelId,
        id: DestinationId,
    ) -> Result<Option<Destination>>;

    /// MUST return the page of the channel's destinations, newest first, ties by id.
    async fn destinations(
        &self,
        scope: &Scope,
        channel: ChannelId,
        page: &Page<Newest>,
    ) -> Result<Vec<Destination>>;

    /// MUST change what the patch names, and the key if there is a new one, and nothing else, with a
    /// `destination.updated` event and the audit entry. MUST return `None` and write nothing if the channel has no such
    /// destination.
    async fn update_destination(
        &self,
        channel: ChannelId,
        id: DestinationId,
        patch: &DestinationPatch,
        sealed_key: Option<&str>,
        by: Change<'_>,
    ) -> Result<Option<Destination>>;

    /// MUST remove the destination and its key, with a `destination.deleted` event and the audit entry. Returns whether
    /// the channel had it; if not, nothing is written.
    async fn delete_destination(&self, channel: ChannelId, id: DestinationId, by: Change<'_>)
    -> Result<bool>;

    /// MUST store the rehearsal and the audit entry, unless another one of the channel is open, also of concurrent
    /// calls.
    async fn create_rehearsal(&self, rehearsal: &Rehearsal, by: Change<'_>) -> Result<RehearsalCreation>;

    /// MUST return the rehearsal of this channel as it was last stored, or `None`.
    async fn rehearsal(
        &self,
        scope: &Scope,
        channel: ChannelId,
        id: RehearsalId,
    ) -> Result<Option<Rehearsal>>;
}
