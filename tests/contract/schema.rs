//! The statements and the schema on both engines.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, SqlSafeStr as _};
use streamward::adapters::sql::{
    Migrations, PgSettings, SqlStore, migrate, open_postgres, open_sqlite, pending_migrations, statements,
};
use streamward::ports::{Store as _, StoreError};
use tempfile::TempDir;

use crate::fixture::{World, postgres};

/// A migrated SQLite file and a pool on it.
async fn sqlite() -> (TempDir, SqlitePool) {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("streamward.db");
    migrate(&open_sqlite(&file).await.unwrap()).await.unwrap();
    let pool = SqlitePool::connect_with(SqliteConnectOptions::new().filename(&file)).await.unwrap();
    (folder, pool)
}

#[tokio::test]
async fn every_statement_prepares_on_both_engines() {
    let database = postgres().await;
    let mut pg = PgConnection::connect(database.url()).await.unwrap();
    let (_folder, sqlite_pool) = sqlite().await;
    let mut count = 0;
    for (name, pg_text, lite_text) in statements() {
        count += 1;
        let prepared = pg.prepare(AssertSqlSafe(pg_text).into_sql_str()).await;
        assert!(prepared.is_ok(), "PostgreSQL: {name}: {}\n{pg_text}", prepared.err().unwrap());
        let prepared = sqlite_pool.prepare(AssertSqlSafe(lite_text).into_sql_str()).await;
        assert!(prepared.is_ok(), "SQLite: {name}: {}\n{lite_text}", prepared.err().unwrap());
    }
    assert!(count > 50, "only {count} statements were found");
}

/// Table → column → (type, may be NULL).
type Tables = BTreeMap<String, BTreeMap<String, (&'static str, bool)>>;

fn kind(word: &str) -> &'static str {
    match word.to_ascii_lowercase().as_str() {
        "bigint" | "boolean" | "integer" => "number",
        "text" => "text",
        "uuid" | "bytea" | "blob" => "bytes",
        other => panic!("a column of type {other}"),
    }
}

fn tables(rows: Vec<(String, String, String, bool)>) -> Tables {
    let mut tables = Tables::new();
    for (table, column, word, nullable) in rows {
        tables.entry(table).or_default().insert(column, (kind(&word), nullable));
    }
    tables
}

#[tokio::test]
async fn both_migrations_yield_the_same_tables_columns_and_indexes() {
    let database = postgres().await;
    let mut pg = PgConnection::connect(database.url()).await.unwrap();
    let (_folder, sqlite_pool) = sqlite().await;
    let columns = "SELECT table_name::text, column_name::text, data_type::text, is_nullable = 'YES' \
                   FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> '_sqlx_migrations' \
                   AND table_name IN (SELECT tablename FROM pg_tables)";
    let in_pg = tables(sqlx::query_as(columns).fetch_all(&mut pg).await.unwrap());
    let columns = "SELECT m.name, c.name, c.type, c.\"notnull\" = 0 FROM sqlite_schema m, pragma_table_info(m.name) c \
                   WHERE m.type = 'table' AND m.name <> '_sqlx_migrations'";
    let mut in_lite = tables(sqlx::query_as(columns).fetch_all(&sqlite_pool).await.unwrap());
    // An INTEGER PRIMARY KEY is never NULL, although its column is not declared NOT NULL.
    for name in ["events", "hook_events", "status_events"] {
        in_lite.get_mut(name).unwrap().get_mut("seq").unwrap().1 = false;
    }
    assert_eq!(in_pg, in_lite);
    assert!(in_pg.len() >= 12);

    let indexes = "SELECT indexname::text FROM pg_indexes WHERE schemaname = 'public' AND indexname NOT LIKE '%_pkey' \
                   ORDER BY indexname COLLATE \"C\"";
    let of_pg: Vec<(String,)> = sqlx::query_as(indexes).fetch_all(&mut pg).await.unwrap();
    let indexes = "SELECT name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL ORDER BY name";
    let of_lite: Vec<(String,)> = sqlx::query_as(indexes).fetch_all(&sqlite_pool).await.unwrap();
    assert_eq!(of_pg, of_lite);
}

#[test]
fn migrations_have_the_same_names_in_both_folders() {
    let names = |folder: &str| {
        let files = std::fs::read_dir(format!("{}/migrations/{folder}", env!("CARGO_MANIFEST_DIR"))).unwrap();
        let mut names: Vec<_> = files.map(|file| file.unwrap().file_name()).collect();
        names.sort();
        names
    };
    assert_eq!(names("postgres"), names("sqlite"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_instances_may_migrate_at_the_same_moment() {
    let database = streamward_test_support::empty_database().await;
    let instances = (0..4).map(|_| open_postgres(database.url(), &PgSettings::new(2)).unwrap());
    let outcomes = join_all(instances.map(|db| async move { migrate(&db).await })).await;
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    let db = open_postgres(database.url(), &PgSettings::new(2)).unwrap();
    assert!(pending_migrations(&db).await.unwrap().is_current());
    World::over(db, database).broadcaster("Alice").await;

    let folder = TempDir::new().unwrap();
    let file = folder.path().join("streamward.db");
    let outcomes = join_all((0..4).map(|_| async {
        let db = open_sqlite(&file).await?;
        migrate(&db).await
    }));
    let outcomes: Vec<Result<(), StoreError>> = outcomes.await;
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    World::over(open_sqlite(&file).await.unwrap(), folder).broadcaster("Alice").await;
}

#[tokio::test]
async fn an_old_schema_is_reported_and_a_newer_one_is_not_migrated() {
    let database = streamward_test_support::empty_database().await;
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("streamward.db");
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                 VALUES (9999, 'tomorrow', true, '', 0)";
    for pg in [true, false] {
        let db = if pg {
            open_postgres(database.url(), &PgSettings::new(2)).unwrap()
        } else {
            open_sqlite(&file).await.unwrap()
        };
        let state = pending_migrations(&db).await.unwrap();
        assert_eq!(state.missing.first().map(String::as_str), Some("0001_core"));
        let store = SqlStore::new(db.clone());
        let error = store.ping().await.unwrap_err();
        assert!(matches!(error, StoreError::Corrupt(_)), "{error}");
        migrate(&db).await.unwrap();
        assert_eq!(pending_migrations(&db).await.unwrap(), Migrations::default());
        store.ping().await.unwrap();
        migrate(&db).await.unwrap();
        if pg {
            PgConnection::connect(database.url()).await.unwrap().execute(newer).await.unwrap();
        } else {
            let options = SqliteConnectOptions::new().filename(&file);
            SqlitePool::connect_with(options).await.unwrap().execute(newer).await.unwrap();
        }
        assert_eq!(pending_migrations(&db).await.unwrap().unknown, [9999]);
        let error = migrate(&db).await.unwrap_err().to_string();
        assert!(error.contains("newer Streamward"), "{error}");
        store.ping().await.unwrap();
    }
}
