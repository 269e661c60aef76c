//! Another connection to the database of a subject: for the reference of a claim, and for rows by the million.

use std::path::Path;
use std::time::Duration;

use futures_util::TryFutureExt as _;
use sqlx::postgres::PgPoolOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{PgPool, SqlitePool};

/// Either kind, opened as the service opens it, with as many connections as `/auth` has for writing.
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

/// Numbers from 1 to `$1` as a table.
macro_rules! numbered {
    ($($text:literal),+) => {
        concat!(
            "WITH RECURSIVE numbers (n) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT n + 1 FROM numbers WHERE n < $1) ",
            $($text),+
        )
    };
}

impl Database {
    pub(crate) async fn sqlite(path: &Path) -> Self {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(10));
        let pool = SqlitePoolOptions::new().max_connections(1).test_before_acquire(false);
        Self::Sqlite(pool.connect_with(options).await.expect("the file opens"))
    }

    pub(crate) async fn postgres(url: &str, connections: u32) -> Self {
        let pool = PgPoolOptions::new().max_connections(connections).test_before_acquire(false);
        Self::Pg(pool.connect(url).await.expect("PostgreSQL lets us in"))
    }

    async fn run(&self, pg: &'static str, sqlite: &'static str, count: usize) {
        let count = i64::try_from(count).expect("a small number");
        on!(self, pg, sqlite, |text, pool| sqlx::query(text).bind(count).execute(pool).map_ok(drop));
    }

    /// The reference's table, with a row for each of `count` paths.
    pub(crate) async fn prepare_bare(&self, count: usize) {
        let table = "CREATE TABLE bare (path TEXT PRIMARY KEY, connection TEXT, at BIGINT)";
        on!(self, table, table, |text, pool| sqlx::query(text).execute(pool).map_ok(drop));
        let rows = numbered!("INSERT INTO bare (path) SELECT 'live/' || (n - 1) FROM numbers");
        self.run(rows, rows, count).await;
    }

    /// What a claim costs at least: one prepared update of one row.
    pub(crate) async fn update(&self, path: &str, connection: Option<&str>, now: i64) {
        let text = "UPDATE bare SET connection = $2, at = $3 WHERE path = $1";
        let changed = match self {
            Self::Pg(pool) => {
                let query = sqlx::query(text).bind(path).bind(connection).bind(now);
                query.execute(pool).await.expect("the row is written").rows_affected()
            }
            Self::Sqlite(pool) => {
                let query = sqlx::query(text).bind(path).bind(connection).bind(now);
                query.execute(pool).await.expect("the row is written").rows_affected()
            }
        };
        assert_eq!(changed, 1, "a row of {path}");
    }

    /// A broadcaster with `count` keys.
    pub(crate) async fn add_keys(&self, count: usize) {
        let broadcaster = "INSERT INTO broadcasters (id, organization_id, display_name, metadata, created_at, updated_at) \
                           SELECT id, id, 'Many', '{}', $1, $1 FROM organizations LIMIT 1";
        self.run(broadcaster, broadcaster, 1).await;
        self.run(
            numbered!(
                "INSERT INTO stream_keys (id, organization_id, broadcaster_id, path, path_held, key_hash, key_prefix, \
                 on_conflict, created_at) SELECT gen_random_uuid(), b.id, b.id, 'many/' || n, true, \
                 sha256(CAST(n::text AS BYTEA)), 'sk_many', 'reject', n FROM numbers, organizations AS b"
            ),
            numbered!(
                "INSERT INTO stream_keys (id, organization_id, broadcaster_id, path, path_held, key_hash, key_prefix, \
                 on_conflict, created_at) SELECT randomblob(16), b.id, b.id, 'many/' || n, true, randomblob(32), \
                 'sk_many', 'reject', n FROM numbers, organizations AS b"
            ),
            count,
        )
        .await;
        self.analyze("ANALYZE stream_keys").await;
    }

    /// `count` streams that ended before all others.
    pub(crate) async fn add_ended(&self, count: usize) {
        macro_rules! insert {
            ($id:literal) => {
                numbered!(
                    "INSERT INTO streams (id, organization_id, stream_key_id, broadcaster_id, broadcaster_name, path, \
                     media_server, started_at, ended_at, end_reason, source_kind, source_id, ingest, readers, tracks, \
                     inbound_bytes, metadata, refreshed_at) SELECT ",
                    $id,
                    ", organization_id, stream_key_id, broadcaster_id, broadcaster_name, path, media_server, \
                     started_at - n, started_at - n + 1, 'publisher_left', source_kind, source_id, ingest, readers, tracks, \
                     inbound_bytes, metadata, refreshed_at FROM (SELECT * FROM streams LIMIT 1) AS one, numbers"
                )
            };
        }
        self.run(insert!("gen_random_uuid()"), insert!("randomblob(16)"), count).await;
        self.analyze("ANALYZE streams").await;
    }

    /// As PostgreSQL does by itself a while later.
    async fn analyze(&self, text: &'static str) {
        if let Self::Pg(pool) = self {
            sqlx::query(text).execute(pool).await.expect("the statement works");
        }
    }
}
