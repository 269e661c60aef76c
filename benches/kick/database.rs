//! Another connection to a database, which sees changes as soon as they are committed.

use std::path::Path;
use std::time::Duration;

use futures_util::TryFutureExt as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, PgPool, SqlitePool};

/// Either kind, opened as the service opens it.
#[derive(Clone)]
pub(crate) enum Database {
    Pg(PgPool),
    Sqlite(SqlitePool),
}

/// The same on either kind, with PostgreSQL's text and with SQLite's.
macro_rules! on {
    ($db:expr, $pg:expr, $sqlite:expr, |$text:ident, $pool:ident| $run:expr) => {
        match $db {
            Database::Pg($pool) => {
                let $text = $pg;
                $run.await.expect("the statement works")
            }
            Database::Sqlite($pool) => {
                let $text = $sqlite;
                $run.await.expect("the statement works")
            }
        }
    };
}

/// Whose changes are read.
#[derive(Clone, Copy)]
pub(crate) enum Who {
    Streamward,
    Bare,
}

impl Database {
    pub(crate) async fn sqlite(path: &Path) -> Self {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(10));
        Self::Sqlite(SqlitePool::connect_with(options).await.expect("the file opens"))
    }

    pub(crate) async fn postgres(url: &str) -> Self {
        Self::Pg(PgPool::connect(url).await.expect("PostgreSQL lets us in"))
    }

    /// Runs a statement that is the same text on both.
    pub(crate) async fn run(&self, text: &str) {
        let text = || AssertSqlSafe(text.to_owned());
        match self {
            Self::Pg(pool) => drop(sqlx::query(text()).execute(pool).await.expect("the statement works")),
            Self::Sqlite(pool) => drop(sqlx::query(text()).execute(pool).await.expect("the statement works")),
        }
    }

    /// Adds people `1..=count` with their channel ids, as another program would.
    pub(crate) async fn add_people(&self, count: i64) {
        on!(
            self,
            "INSERT INTO streamers (username, user_id, channel_id) \
             SELECT 'person-' || n, n, n + 1000000 FROM generate_series(1, $1) AS n",
            "WITH RECURSIVE people (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM people WHERE n < $1) \
             INSERT INTO streamers (username, user_id, channel_id) SELECT 'person-' || n, n, n + 1000000 FROM people",
            |text, pool| sqlx::query(text).bind(count).execute(pool).map_ok(drop)
        );
    }

    /// How many people are not known to be offline.
    pub(crate) async fn not_offline(&self) -> i64 {
        let sql = "SELECT count(*) FROM streamers WHERE status <> 'offline'";
        on!(self, sql, sql, |text, pool| sqlx::query_scalar(text).fetch_one(pool))
    }

    /// The last change there is.
    pub(crate) async fn last(&self, who: Who) -> i64 {
        let sql = match who {
            Who::Streamward => "SELECT coalesce(max(seq), 0) FROM status_events",
            Who::Bare => "SELECT coalesce(max(seq), 0) FROM history",
        };
        on!(self, sql, sql, |text, pool| sqlx::query_scalar(text).fetch_one(pool))
    }

    /// Changes after `seq`, each with the channel.
    pub(crate) async fn after(&self, who: Who, seq: i64) -> Vec<(i64, i64)> {
        let sql = match who {
            Who::Streamward => {
                "SELECT seq, channel_id FROM status_events JOIN streamers ON streamers.id = streamer_id WHERE seq > $1 \
                 ORDER BY seq"
            }
            Who::Bare => "SELECT seq, channel FROM history WHERE seq > $1 ORDER BY seq",
        };
        on!(self, sql, sql, |text, pool| sqlx::query_as(text).bind(seq).fetch_all(pool))
    }

    /// Creates the reference's tables: a row for each channel, and a history.
    pub(crate) async fn prepare_bare(&self, count: i64) {
        self.run(
            "CREATE TABLE people (channel BIGINT PRIMARY KEY, status TEXT NOT NULL, at BIGINT NOT NULL)",
        )
        .await;
        on!(
            self,
            "CREATE TABLE history (seq BIGINT PRIMARY KEY GENERATED ALWAYS AS IDENTITY, channel BIGINT NOT NULL, \
             status TEXT NOT NULL, at BIGINT NOT NULL)",
            "CREATE TABLE history (seq INTEGER PRIMARY KEY, channel INTEGER NOT NULL, status TEXT NOT NULL, \
             at INTEGER NOT NULL)",
            |text, pool| sqlx::query(text).execute(pool).map_ok(drop)
        );
        on!(
            self,
            "INSERT INTO people SELECT n + 1000000, 'unknown', 0 FROM generate_series(1, $1) AS n",
            "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < $1) \
             INSERT INTO people SELECT n + 1000000, 'unknown', 0 FROM numbers",
            |text, pool| sqlx::query(text).bind(count).execute(pool).map_ok(drop)
        );
    }

    /// Writes a batch as the reference does: `[{"channel", "status", "at"}]`, one transaction, two statements.
    pub(crate) async fn record_bare(&self, batch: &str) {
        const ROWS_PG: &str = "jsonb_to_recordset($1::jsonb) AS r (channel bigint, status text, at bigint)";
        const ROWS_LITE: &str = "(SELECT value ->> 'channel' AS channel, value ->> 'status' AS status, \
                                 value ->> 'at' AS at FROM json_each($1)) AS r";
        let texts = |rows: &str| {
            [
                format!(
                    "UPDATE people SET status = r.status, at = r.at FROM {rows} WHERE people.channel = r.channel"
                ),
                format!("INSERT INTO history (channel, status, at) SELECT channel, status, at FROM {rows}"),
            ]
        };
        macro_rules! both {
            ($pool:expr, $rows:expr) => {{
                let mut tx = $pool.begin().await.expect("a transaction");
                for text in texts($rows) {
                    let query = sqlx::query(AssertSqlSafe(text)).bind(batch);
                    query.execute(&mut *tx).await.expect("the statement works");
                }
                tx.commit().await.expect("the transaction is committed");
            }};
        }
        match self {
            Self::Pg(pool) => both!(pool, ROWS_PG),
            Self::Sqlite(pool) => both!(pool, ROWS_LITE),
        }
    }
}
