//! The one statement that decides who may publish.

use super::args::Args;
use super::db::Db;
use super::dialect::Sql;
use super::drain::Done;
use super::error::classify;
use super::group_commit::{Claim, Outcome, Turn};
use super::row::{NewRow, Record, rows};
use super::sqlite_pool::PooledSqlite;
use super::store::SqlStore;
use crate::domain::stream_key::StreamKey;
use crate::ports::Result;

// A column of a claim: in `CLAIM` an argument, in `CLAIM_TOGETHER` a column of its list.
macro_rules! asked {
    (one at) => {
        "$2"
    };
    (one requested) => {
        "$3"
    };
    (one server) => {
        "$4"
    };
    (one connection) => {
        "$5"
    };
    (one until) => {
        "$6"
    };
    (one ip) => {
        "$7"
    };
    (one since) => {
        "$8"
    };
    (many $column:ident) => {
        stringify!($column)
    };
}
// `decide_publish` as SQL. A property test (`tests/contract`) proves that both decide the same.
macro_rules! may_publish {
    ($how:ident) => {
        concat!(
            "revoked_at IS NULL AND (expires_at > ", asked!($how at), " OR expires_at IS NULL) \
             AND (path = ", asked!($how requested), " OR ", asked!($how requested), " IS NULL) \
             AND (holder_kind IS NULL OR holder_kind = 'evicted' \
                  OR (on_conflict = 'takeover' AND (takeover_before IS NULL OR takeover_before <= ", asked!($how since),
            " OR takeover_before > 2 * ", asked!($how at), " - ", asked!($how since), ")) \
                  OR (holder_kind = 'claimed' AND (holder_until <= ", asked!($how at),
            " OR holder_until > 2 * ", asked!($how until), " - ", asked!($how at), ")) \
                  OR (holder_server = ", asked!($how server), " AND holder_conn = ", asked!($how connection), "))"
        )
    };
}
macro_rules! is_live {
    ($how:ident) => {
        concat!(
            "holder_kind = 'live' AND holder_server = ", asked!($how server),
            " AND holder_conn = ", asked!($how connection)
        )
    };
}
// Another connection is active.
macro_rules! is_takeover {
    ($how:ident) => {
        concat!(
            "NOT (holder_server = ", asked!($how server), " AND holder_conn = ", asked!($how connection), ") \
             AND (holder_kind = 'live' OR (holder_kind = 'claimed' AND holder_until > ", asked!($how at),
            " AND holder_until <= 2 * ", asked!($how until), " - ", asked!($how at), "))"
        )
    };
}
macro_rules! claimed {
    ($how:ident) => {
        concat!(
            "holder_server = ", asked!($how server), ", holder_conn = ", asked!($how connection),
            ", last_used_at = ", asked!($how at), ", claimed_from = ", asked!($how ip),
            ", takeover_before = CASE WHEN ", is_takeover!($how), " THEN takeover_at ELSE takeover_before END, \
             takeover_at = CASE WHEN ", is_takeover!($how), " THEN ", asked!($how at), " ELSE takeover_at END, \
             holder_kind = CASE WHEN ", is_live!($how), " THEN 'live' ELSE 'claimed' END, \
             holder_until = CASE WHEN ", is_live!($how), " THEN NULL ELSE ", asked!($how until), " END"
        )
    };
}

statements! {
    // One statement: its row lock makes simultaneous requests pass one after the other, and each sees the result of the
    // one before (PostgreSQL's READ COMMITTED evaluates the condition again on the new row). A request that may not
    // publish writes nothing.
    CLAIM = [
        "UPDATE stream_keys SET ", (claimed!(one)), " WHERE key_hash = $1 AND ", (may_publish!(one)),
        " RETURNING ", [columns stream_keys],
    ];
    // The same for claims of different keys. It waits for no row that another transaction has locked, so batches of
    // several instances cannot wait for each other.
    CLAIM_TOGETHER = [
        "WITH held AS MATERIALIZED (SELECT id AS held_id, r.* FROM stream_keys, ", [rows claims],
        " WHERE key_hash = hash AND ", (may_publish!(many)), [skip_locked "stream_keys"],
        ") UPDATE stream_keys SET ", (claimed!(many)), " FROM held WHERE id = held_id RETURNING key_hash, ",
        [columns stream_keys],
    ];
}

impl Claim {
    fn args(&self) -> Args {
        let Self { hash, at, requested, server, connection, until, ip, since } = self;
        args![hash, at, requested, server, connection, until, ip, since]
    }
}

impl SqlStore {
    /// Claims the key, together with those who do so at the same time. `None` if there is no such key, or it may not
    /// publish. It is committed on return.
    pub(super) async fn claim(&self, claim: Claim) -> Result<Option<StreamKey>> {
        let outcome = match self.db.claims().turn(&claim).await {
            Ok(turn) => lead(turn, &self.db, &claim).await?,
            Err(outcome) => outcome?,
        };
        match outcome {
            Outcome::Claimed(key) => Ok(Some(*key)),
            Outcome::Refused => Ok(None),
            Outcome::Apart => Ok(self.db.write_ahead(CLAIM, claim.args()).await?.rows.pop()),
        }
    }
}

/// Runs `claim` and all that wait. If dropped halfway, the others get no answer and try again.
async fn lead(turn: Turn, db: &Db, claim: &Claim) -> Result<Outcome> {
    // Those that come while it waits for SQLite's writer run too.
    let writer = match db {
        Db::Pg(_) => None,
        Db::Sqlite(sqlite) => Some(sqlite.write.acquire_ahead().await.map_err(classify)?),
    };
    let others = turn.take(claim);
    if others.is_empty() {
        let done = turn.hold(run(db, writer, CLAIM, claim.args())).await?;
        let key = done.rows.into_iter().next().map(Box::new);
        return Ok(key.map_or(Outcome::Refused, Outcome::Claimed));
    }
    let list = rows(others.claims().chain([claim]).map(NewRow::of));
    let done = turn.hold(run(db, writer, CLAIM_TOGETHER, args![list])).await;
    others.tell(done.map(|done| done.rows), claim)
}

/// Running it twice is harmless: the second time, the requester already holds the key.
async fn run<R: Record>(db: &Db, writer: Option<PooledSqlite>, sql: Sql, args: Args) -> Result<Done<R>> {
    match (writer, db) {
        (Some(mut writer), _) => writer.exec(sql, args).await.map_err(classify),
        (None, Db::Pg(pg)) => pg.claim(sql, args).await.map_err(classify),
        (None, Db::Sqlite(_)) => db.write(sql, args).await,
    }
}
