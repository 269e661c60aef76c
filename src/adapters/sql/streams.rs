//! Streams, active and ended.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::args::{Arg, arg, newest};
use super::commit::commit;
use super::dialect::Sql;
use super::ending::mark;
use super::row::{Record, Row};
use super::scope::in_scope;
use super::store::SqlStore;
use crate::domain::StreamId;
use crate::domain::access::Scope;
use crate::domain::media_server::MediaServerName;
use crate::domain::page::{Newest, Page};
use crate::domain::stream::{EndReason, Stream};
use crate::ports::{Change, Result, StatusFilter, StreamFilter, StreamStore};

// The page is a range of an index: a place is always given, and SQLite uses the index of a filter only if the statement
// always has that filter. The comparison comes before `IS NULL`, so that PostgreSQL takes the argument's type from the
// column.
macro_rules! passes {
    () => {
        "(broadcaster_id = $1 OR $1 IS NULL) AND (path = $2 OR $2 IS NULL) AND (media_server = $3 OR $3 IS NULL) \
         AND (ended_at IS NOT NULL OR $4) \
         AND (started_at, id) < ($5, $6) ORDER BY started_at DESC, id DESC LIMIT $7"
    };
}

statements! {
    // Few streams are live, whatever the filter.
    PAGE_ACTIVE = [[select streams], " WHERE ended_at IS NULL AND ", [in_scope "$8"], " AND ", (passes!())];
    PAGE = [[select streams], " WHERE ", [in_scope "$8"], " AND ", (passes!())];
    PAGE_OF_ORGANIZATION = [[select streams], " WHERE organization_id = $8 AND ", (passes!())];
    PAGE_OF_BROADCASTER = [
        [select streams], " WHERE broadcaster_id = $1 AND ", [in_scope "$8"], " AND ", (passes!()),
    ];
    PAGE_ON_PATH = [[select streams], " WHERE path = $2 AND ", [in_scope "$8"], " AND ", (passes!())];
    PAGE_ON_SERVER = [[select streams], " WHERE media_server = $3 AND ", [in_scope "$8"], " AND ", (passes!())];
    LIVE = [
        "SELECT media_server, COUNT(*) FROM streams WHERE ended_at IS NULL AND ", [in_scope "$1"],
        " GROUP BY media_server",
    ];
    GET = [[select streams], " WHERE id = $1 AND ", [in_scope "$2"]];
    GET_LOCKED = [[select streams], " WHERE id = $1 AND ", [in_scope "$2"], [lock]];
}

/// The statement that reads a page by the filter that finds the fewest streams, and its argument for the scope.
fn page_of(filter: &StreamFilter, scope: &Scope) -> (Sql, Arg) {
    let StreamFilter { status, broadcaster_id, path, media_server } = filter;
    let statement = match (status, path, broadcaster_id, media_server) {
        (StatusFilter::Active, ..) => PAGE_ACTIVE,
        (_, Some(_), ..) => PAGE_ON_PATH,
        (_, None, Some(_), _) => PAGE_OF_BROADCASTER,
        (_, None, None, Some(_)) => PAGE_ON_SERVER,
        (_, None, None, None) => return in_scope(scope, PAGE, PAGE_OF_ORGANIZATION),
    };
    (statement, arg(scope))
}

#[async_trait]
impl StreamStore for SqlStore {
    async fn streams(
        &self,
        scope: &Scope,
        filter: &StreamFilter,
        page: &Page<Newest>,
    ) -> Result<Vec<Stream>> {
        let StreamFilter { status, broadcaster_id, path, media_server } = filter;
        let also_active = *status != StatusFilter::Ended;
        let mut values = args![broadcaster_id, path, media_server, also_active];
        values.extend(newest(page));
        let (statement, scope) = page_of(filter, scope);
        values.push(scope);
        self.db.rows(statement, values).await
    }

    async fn live_streams(&self, scope: &Scope) -> Result<BTreeMap<MediaServerName, u64>> {
        let live: Vec<(MediaServerName, u64)> = self.db.rows(LIVE, args![scope]).await?;
        Ok(live.into_iter().collect())
    }

    async fn stream(&self, scope: &Scope, id: StreamId) -> Result<Option<Stream>> {
        self.db.row(GET, args![id, scope]).await
    }

    async fn request_end(&self, id: StreamId, reason: EndReason, by: Change<'_>) -> Result<Option<Stream>> {
        let mut tx = self.db.begin().await?;
        let Some(stream): Option<Stream> = tx.row(GET_LOCKED, args![id, by.scope]).await? else {
            return tx.rollback(None).await;
        };
        let ending = mark(&mut tx, vec![stream.clone()], reason).await?.pop();
        commit(tx, by.at(), by.audit, stream.organization_id, &[]).await?;
        Ok(Some(ending.unwrap_or(stream)))
    }
}

impl Record for (MediaServerName, u64) {
    fn read(row: &Row<'_>) -> Result<Self, sqlx::Error> {
        Ok((row.get(0)?, row.get(1)?))
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::BroadcasterId;
    use crate::domain::path::StreamPath;

    #[test]
    fn page_is_read_by_the_filter_that_finds_the_fewest() {
        let all = StreamFilter { status: StatusFilter::All, ..StreamFilter::default() };
        let on_server = StreamFilter { media_server: Some(MediaServerName::default()), ..all.clone() };
        let of_broadcaster =
            StreamFilter { broadcaster_id: Some(BroadcasterId(Uuid::nil())), ..on_server.clone() };
        let on_path = StreamFilter { path: StreamPath::parse("a").ok(), ..of_broadcaster.clone() };
        let ended = StreamFilter { status: StatusFilter::Ended, ..on_path.clone() };
        let live = StreamFilter { status: StatusFilter::Active, ..on_path.clone() };
        for (filter, by) in [
            (on_server, "media_server = $3"),
            (of_broadcaster, "broadcaster_id = $1"),
            (on_path, "path = $2"),
            (ended, "path = $2"),
            (live, "ended_at IS NULL"),
        ] {
            let page = page_of(&filter, &Scope::system()).0.sqlite;
            assert!(page.contains(&format!(" WHERE {by} AND ")), "{filter:?}: {page}");
        }
        assert_eq!(page_of(&all, &Scope::system()).0.sqlite, PAGE.sqlite);
    }
}
