//! Migrates the schema and checks whether it is up to date.

use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{Connection as _, Executor as _};
use tokio::time::timeout;

use super::db::Db;
use super::drain::{Done, drain_pg};
use super::error::{classify, corrupt, is_undefined_table, timed_out};
use crate::domain::Timestamp;
use crate::ports::{Result, StoreError};

static PG: Migrator = sqlx::migrate!("migrations/postgres");
static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");

/// How long to wait for another instance that is migrating.
const LIMIT: Duration = Duration::from_secs(60);

/// Removes the prepared statements of the migrator from the session, which a pooler gives to others afterwards.
const FORGET: &str = r"DO $$ DECLARE one text; BEGIN
    FOR one IN SELECT name FROM pg_prepared_statements WHERE name LIKE 'sqlx\_s\_%' LOOP
        EXECUTE format('DEALLOCATE %I', one);
    END LOOP;
END $$";

statements! {
    APPLIED = ["SELECT version FROM _sqlx_migrations WHERE success ORDER BY version"];
    TIME = ["SELECT ", [now]];
}

/// The state of the schema.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Migrations {
    /// Our migrations that have not been applied yet.
    pub missing: Vec<String>,
    /// Applied migrations that we do not know. A newer Streamward made them.
    pub unknown: Vec<i64>,
    /// No migration has been applied.
    pub is_empty: bool,
}

impl Migrations {
    /// Whether the schema is exactly ours.
    pub fn is_current(&self) -> bool {
        self.missing.is_empty() && self.unknown.is_empty()
    }
}

/// Migrates the schema, completely or not at all. Any number of instances may call this at once.
pub async fn migrate(db: &Db) -> Result<()> {
    let work = async {
        match db {
            Db::Pg(pg) => {
                let mut conn = pg.connect().await?;
                let mut tx = conn.begin().await.map_err(classify)?;
                // Held until the transaction ends: behind a pooler, the session is ours for no longer.
                tx.execute("SELECT pg_advisory_xact_lock(6004296735847265876)").await.map_err(classify)?;
                tx.execute(FORGET).await.map_err(classify)?;
                unlocked(&PG).run(&mut *tx).await.map_err(refused)?;
                tx.execute(FORGET).await.map_err(classify)?;
                tx.commit().await.map_err(classify)?;
                conn.close().await.map_err(classify)
            }
            Db::Sqlite(sqlite) => {
                let mut tx = sqlite.write.pool.begin_with("BEGIN IMMEDIATE").await.map_err(classify)?;
                unlocked(&SQLITE).run(&mut *tx).await.map_err(refused)?;
                tx.commit().await.map_err(classify)
            }
        }
    };
    timeout(LIMIT, work).await.unwrap_or_else(|_| Err(classify(timed_out())))
}

/// The same migrations, for a caller that already holds a lock.
fn unlocked(migrator: &Migrator) -> Migrator {
    let mut unlocked = Migrator::with_migrations(migrator.iter().cloned().collect());
    unlocked.set_locking(false);
    unlocked
}

fn refused(error: MigrateError) -> StoreError {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => classify(error),
        MigrateError::VersionMissing(version) => corrupt(format!(
            "a newer Streamward has changed its schema (migration {version}): use that version or a newer one"
        )),
        error => corrupt(error),
    }
}

/// Compares the schema with ours and changes nothing.
pub async fn pending_migrations(db: &Db) -> Result<Migrations> {
    match db {
        Db::Pg(pg) => {
            // Uses a connection outside the pool, because the pool does not report why it cannot connect.
            let mut conn = pg.connect().await?;
            let mut tx = conn.begin().await.map_err(classify)?;
            let applied = drain_pg(&mut tx, APPLIED, args![], false).await;
            Ok(compare(&PG, &applied_on_postgres(applied)?))
        }
        Db::Sqlite(_) => Ok(compare(&SQLITE, &applied_on_sqlite(db).await?)),
    }
}

fn applied_on_postgres(applied: Result<Done<i64>, sqlx::Error>) -> Result<Vec<i64>> {
    match applied {
        Err(error) if is_undefined_table(&error) => Ok(Vec::new()),
        applied => applied.map(|done| done.rows).map_err(classify),
    }
}

async fn applied_on_sqlite(db: &Db) -> Result<Vec<i64>> {
    match db.rows(APPLIED, args![]).await {
        // Of a whole database this plain statement can only fail because the table is missing.
        Err(StoreError::Corrupt(_)) => Ok(Vec::new()),
        applied => applied,
    }
}

/// The state of a SQLite file with these migrations.
pub fn compare_sqlite(applied: &[i64]) -> Migrations {
    compare(&SQLITE, applied)
}

/// The current time of the database. Leases use it.
pub async fn database_time(db: &Db) -> Result<Timestamp> {
    let now = db.row::<Timestamp>(TIME, args![]).await?;
    now.ok_or_else(|| corrupt("it does not know the time"))
}

fn compare(migrator: &Migrator, applied: &[i64]) -> Migrations {
    let missing = migrator.iter().filter(|ours| !applied.contains(&ours.version));
    Migrations {
        missing: missing.map(|ours| format!("{:04}_{}", ours.version, ours.description)).collect(),
        unknown: applied.iter().copied().filter(|version| !migrator.version_exists(*version)).collect(),
        is_empty: applied.is_empty(),
    }
}

/// Checks that the database answers and that the schema is ours.
pub(super) async fn check(db: &Db) -> Result<()> {
    let state = match db {
        Db::Pg(pg) => compare(&PG, &applied_on_postgres(pg.exec_twice(APPLIED, args![]).await)?),
        Db::Sqlite(_) => compare(&SQLITE, &applied_on_sqlite(db).await?),
    };
    if state.missing.is_empty() {
        // Unknown migrations are fine: during an upgrade, old instances run on the new schema.
        return Ok(());
    }
    Err(corrupt(format!("its schema is too old: {} must be applied", state.missing.join(", "))))
}
