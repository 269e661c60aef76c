//! The destinations and rehearsals of channels.

use super::args::{arg, newest};
use super::commit::commit;
use super::db::Tx;
use super::row::{NewRow, Record, Row, rows};
use super::store::SqlStore;
use crate::domain::OrganizationId;
use crate::domain::access::Scope;
use crate::domain::channel::{
    ChannelId, ChannelName, Destination, DestinationId, DestinationPatch, Rehearsal, RehearsalId,
};
use crate::domain::event::{ChannelEvent, ChannelEventKind, EventBody};
use crate::domain::page::{Newest, Page};
use crate::ports::{Change, RehearsalCreation, Result};

statements! {
    // Keeps the channel from being deleted meanwhile.
    HOLD_CHANNEL = ["SELECT name, organization_id FROM channels WHERE id = $1 AND ", [in_scope "$2"], [share]];
    INSERT = [[insert destinations]];
    GET = [
        [select destinations], " WHERE channel_id = $1 AND id = $2 AND ", [owner_in_scope channels "$1" "$3"],
    ];
    GET_LOCKED = [[select destinations], " WHERE channel_id = $1 AND id = $2", [lock]];
    PAGE = [
        [select destinations], " WHERE channel_id = $1 AND ", [owner_in_scope channels "$1" "$5"],
        " AND (created_at, id) < ($2, $3) ORDER BY created_at DESC, id DESC LIMIT $4",
    ];
    UPDATE = [
        [update destinations name platform url backup_url enabled rotate_session_every_seconds updated_at],
    ];
    SET_KEY = ["UPDATE destinations SET stream_key = $2 WHERE id = $1"];
    DELETE = ["DELETE FROM destinations WHERE id = $1"];
    // If two request one at the same moment, the unique index on open rehearsals decides.
    REHEARSE = [[insert channel_rehearsals], " WHERE true ON CONFLICT (channel_id) WHERE ended_at IS NULL DO NOTHING"];
    REHEARSAL = [
        [select channel_rehearsals], " WHERE channel_id = $1 AND id = $2 AND ", [owner_in_scope channels "$1" "$3"],
    ];
}

/// The name and the owner of a channel.
type Held = (ChannelName, OrganizationId);

async fn hold_channel(tx: &mut Tx, id: ChannelId, scope: &Scope) -> Result<Option<Held>> {
    tx.row(HOLD_CHANNEL, args![id, scope]).await
}

impl Record for Held {
    fn read(row: &Row<'_>) -> std::result::Result<Self, sqlx::Error> {
        Ok((row.get("name")?, row.get("organization_id")?))
    }
}

fn event(kind: ChannelEventKind, name: &ChannelName, of: &Destination) -> EventBody {
    EventBody::channel(ChannelEvent::destination(kind, (of.channel, name), of))
}

pub(super) async fn create(
    store: &SqlStore,
    one: &Destination,
    sealed_key: &str,
    by: Change<'_>,
) -> Result<bool> {
    let mut tx = store.db.begin().await?;
    let Some((name, owner)) = hold_channel(&mut tx, one.channel, by.scope).await? else {
        return tx.rollback(false).await;
    };
    tx.run(INSERT, args![rows([NewRow::of(one).with("stream_key", sealed_key)])]).await?;
    let event = event(ChannelEventKind::DestinationCreated, &name, one);
    commit(tx, by.at(), by.audit, owner, &[event]).await?;
    Ok(true)
}

pub(super) async fn get(
    store: &SqlStore,
    scope: &Scope,
    channel: ChannelId,
    id: DestinationId,
) -> Result<Option<Destination>> {
    store.db.row(GET, args![channel, id, scope]).await
}

pub(super) async fn page(
    store: &SqlStore,
    scope: &Scope,
    channel: ChannelId,
    page: &Page<Newest>,
) -> Result<Vec<Destination>> {
    let mut values = args![channel];
    values.extend(newest(page));
    values.push(arg(scope));
    store.db.rows(PAGE, values).await
}

pub(super) async fn update(
    store: &SqlStore,
    (channel, id): (ChannelId, DestinationId),
    patch: &DestinationPatch,
    sealed_key: Option<&str>,
    by: Change<'_>,
) -> Result<Option<Destination>> {
    let mut tx = store.db.begin().await?;
    // Channels are locked before their destinations, as everywhere.
    let Some((name, owner)) = hold_channel(&mut tx, channel, by.scope).await? else {
        return tx.rollback(None).await;
    };
    let Some(one) = tx.row::<Destination>(GET_LOCKED, args![channel, id]).await? else {
        return tx.rollback(None).await;
    };
    let one = one.patched(patch, by.at());
    tx.run(UPDATE, args![rows([NewRow::of(&one)])]).await?;
    if let Some(sealed_key) = sealed_key {
        tx.run(SET_KEY, args![id, *sealed_key]).await?;
    }
    let event = event(ChannelEventKind::DestinationUpdated, &name, &one);
    commit(tx, by.at(), by.audit, owner, &[event]).await?;
    Ok(Some(one))
}

pub(super) async fn delete(
    store: &SqlStore,
    (channel, id): (ChannelId, DestinationId),
    by: Change<'_>,
) -> Result<bool> {
    let mut tx = store.db.begin().await?;
    let Some((name, owner)) = hold_channel(&mut tx, channel, by.scope).await? else {
        return tx.rollback(false).await;
    };
    let Some(one) = tx.row::<Destination>(GET_LOCKED, args![channel, id]).await? else {
        return tx.rollback(false).await;
    };
    tx.run(DELETE, args![id]).await?;
    let event = event(ChannelEventKind::DestinationDeleted, &name, &one);
    commit(tx, by.at(), by.audit, owner, &[event]).await?;
    Ok(true)
}

pub(super) async fn create_rehearsal(
    store: &SqlStore,
    rehearsal: &Rehearsal,
    by: Change<'_>,
) -> Result<RehearsalCreation> {
    let mut tx = store.db.begin().await?;
    let Some((_, owner)) = hold_channel(&mut tx, rehearsal.channel, by.scope).await? else {
        return tx.rollback(RehearsalCreation::NotFound).await;
    };
    if tx.run(REHEARSE, args![rows([NewRow::of(rehearsal)])]).await? == 0 {
        return tx.rollback(RehearsalCreation::Busy).await;
    }
    commit(tx, by.at(), by.audit, owner, &[]).await?;
    Ok(RehearsalCreation::Created)
}

pub(super) async fn rehearsal(
    store: &SqlStore,
    scope: &Scope,
    channel: ChannelId,
    id: RehearsalId,
) -> Result<Option<Rehearsal>> {
    store.db.row(REHEARSAL, args![channel, id, scope]).await
}
