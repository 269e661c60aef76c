//! Marks active streams as ending: of a key that cannot be used any more, of a broadcaster that is deleted.

use super::db::Tx;
use super::row::{NewRow, rows};
use crate::domain::stream::{EndReason, Stream};
use crate::domain::{BroadcasterId, StreamKeyId};
use crate::ports::Result;

statements! {
    LOCK_OF_KEY = [[select streams], " WHERE ended_at IS NULL AND stream_key_id = $1 ORDER BY id", [lock]];
    LOCK_OF_BROADCASTER = [[select streams], " WHERE ended_at IS NULL AND broadcaster_id = $1 ORDER BY id", [lock]];
    MARK = [[update streams end_reason]];
}

pub(super) async fn end_of_key(tx: &mut Tx, id: StreamKeyId, why: EndReason) -> Result<Vec<Stream>> {
    let streams = tx.rows(LOCK_OF_KEY, args![id]).await?;
    mark(tx, streams, why).await
}

pub(super) async fn end_of_broadcaster(
    tx: &mut Tx,
    id: BroadcasterId,
    why: EndReason,
) -> Result<Vec<Stream>> {
    let streams = tx.rows(LOCK_OF_BROADCASTER, args![id]).await?;
    mark(tx, streams, why).await
}

/// Marks those of these locked streams that are active, and returns them.
pub(super) async fn mark(tx: &mut Tx, streams: Vec<Stream>, reason: EndReason) -> Result<Vec<Stream>> {
    let streams: Vec<Stream> =
        streams.into_iter().filter_map(|stream| stream.end_requested(reason).ok()).collect();
    if !streams.is_empty() {
        let ending = streams.iter().map(|stream| NewRow::of(&stream.state).with("id", &stream.id));
        tx.run(MARK, args![rows(ending)]).await?;
    }
    Ok(streams)
}
