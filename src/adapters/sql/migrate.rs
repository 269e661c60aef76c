//! Migrates the schema and checks whether it is up to date.

use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{Connection as _, Executor as _};
use tokio::time::timeout;

use super::db::Db;
use super::drain::drain_pg;
use super::error::{classify, corrupt, timed_out};
use crate::domain::Timestamp;
use crate::ports::{Result, StoreError};

static PG: Migrator = sqlx::migrate!("migrations/postgres");
static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");

/// How long to wait for another instance that is migrating.
const LIMIT: Duration = Duration::from_secs(60);

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
                let mut conn = pg.connect().await.map_err(classify)?;
                let mut tx = conn.begin().await.map_err(classify)?;
                // Held until the transaction ends. This also works behind a pooler that switches connections.
                tx.execute("SELECT pg_advisory_xact_lock(6004296735847265876)").await.map_err(classify)?;
                unlocked(&PG).run(&mut *tx).await.map_err(refused)?;
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
    let (migrator, applied) = match db {
        Db::Pg(pg) => {
            // Uses a connection outside the pool, because the pool does not report why it cannot connect.
            let mut conn = pg.connect().await.map_err(classify)?;
            let rows = drain_pg::<i64>(&mut conn, APPLIED, args![]).await;
            (&PG, rows.map(|done| done.rows).map_err(classify))
        }
        Db::Sqlite(_) => (&SQLITE, db.rows::<i64>(APPLIED, args![]).await),
    };
    compare(migrator, applied)
}

/// The current time of the database. Leases use it.
pub async fn database_time(db: &Db) -> Result<Timestamp> {
    let now = db.row::<Timestamp>(TIME, args![]).await?;
    now.ok_or_else(|| corrupt("it does not know the time"))
}

fn compare(migrator: &Migrator, applied: Result<Vec<i64>>) -> Result<Migrations> {
    let applied: Vec<i64> = match applied {
        Ok(versions) => versions,
        // This plain statement can only fail because the table is missing.
        Err(StoreError::Corrupt(_)) => Vec::new(),
        Err(error) => return Err(error),
    };
    let missing = migrator.iter().filter(|ours| !applied.contains(&ours.version));
    Ok(Migrations {
        missing: missing.map(|ours| format!("{:04}_{}", ours.version, ours.description)).collect(),
        unknown: applied.iter().copied().filter(|version| !migrator.version_exists(*version)).collect(),
    })
}

/// Checks that the database answers and that the schema is ours.
pub(super) async fn check(db: &Db) -> Result<()> {
    let migrator = match db {
        Db::Pg(_) => &PG,
        Db::Sqlite(_) => &SQLITE,
    };
    let state = compare(migrator, db.rows::<i64>(APPLIED, args![]).await)?;
    if state.missing.is_empty() {
        // Unknown migrations are fine: during an upgrade, old instances run on the new schema.
        return Ok(());
    }
    Err(corrupt(format!("its schema is too old: {} must be applied", state.missing.join(", "))))
}
