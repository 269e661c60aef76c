//! Streams, active and ended.

use async_trait::async_trait;
use uuid::Uuid;

use super::commit::commit;
use super::ending::mark;
use super::store::SqlStore;
use crate::domain::access::Scope;
use crate::domain::stream::{EndReason, Stream};
use crate::domain::{StreamId, Timestamp};
use crate::ports::{Change, Result, StatusFilter, StreamCursor, StreamFilter, StreamStore};

// A start position is always given (the earliest time and the highest id, if there is none), so this is a range of the
// index. The comparison comes before `IS NULL`, so that PostgreSQL takes the argument's type from the column.
macro_rules! passes {
    () => {
        "(broadcaster_id = $1 OR $1 IS NULL) AND (path = $2 OR $2 IS NULL) AND (media_server = $3 OR $3 IS NULL) \
         AND (started_at, id) < ($4, $5) ORDER BY started_at DESC, id DESC LIMIT $6"
    };
}

statements! {
    ACTIVE = [[select streams], " WHERE ended_at IS NULL AND ", (passes!())];
    ENDED = [[select streams], " WHERE ended_at IS NOT NULL AND ", (passes!())];
    EVERY = [[select streams], " WHERE ", (passes!())];
    GET = [[select streams], " WHERE id = $1"];
    GET_LOCKED = [[select streams], " WHERE id = $1", [lock]];
}

#[async_trait]
impl StreamStore for SqlStore {
    async fn streams(&self, _: &Scope, filter: &StreamFilter) -> Result<Vec<Stream>> {
        let statement = match filter.status {
            StatusFilter::Active => ACTIVE,
            StatusFilter::Ended => ENDED,
            StatusFilter::All => EVERY,
        };
        let StreamFilter { status: _, broadcaster_id, path, media_server, limit, after } = filter;
        let end = StreamCursor { started_at: Timestamp::from_micros(i64::MAX), id: StreamId(Uuid::max()) };
        let after = after.unwrap_or(end);
        let limit = limit.map_or(i64::MAX, i64::from);
        let values = args![broadcaster_id, path, media_server, after.started_at, after.id, limit];
        self.db.rows(statement, values).await
    }

    async fn stream(&self, _: &Scope, id: StreamId) -> Result<Option<Stream>> {
        self.db.row(GET, args![id]).await
    }

    async fn request_end(&self, id: StreamId, reason: EndReason, by: Change<'_>) -> Result<Option<Stream>> {
        let mut tx = self.db.begin().await?;
        let Some(stream): Option<Stream> = tx.row(GET_LOCKED, args![id]).await? else {
            return tx.rollback(None).await;
        };
        let ending = mark(&mut tx, vec![stream.clone()], reason).await?.pop();
        commit(tx, by.at(), by.audit, &[]).await?;
        Ok(Some(ending.unwrap_or(stream)))
    }
}
