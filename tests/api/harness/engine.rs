//! The store: in memory, or a database for one test.

use std::sync::Arc;
use std::time::Duration;

use rstest_reuse::template;
use streamward::adapters::memory::MemoryStore;
use streamward::adapters::sql::{Db, PgSettings, SqlStore, migrate, open_postgres, open_sqlite};
use streamward::ports::{Clock, Store};
use tempfile::TempDir;

/// Which store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    Memory,
    Sqlite,
    Postgres,
}

/// Runs a test over every store.
#[template]
#[rstest::rstest]
#[case::memory(crate::harness::Engine::Memory)]
#[case::sqlite(crate::harness::Engine::Sqlite)]
#[case::postgres(crate::harness::Engine::Postgres)]
pub(crate) fn every_engine(#[case] engine: crate::harness::Engine) {}

/// Where data is stored. It outlives the instances that use it.
pub(crate) enum Place {
    Memory(MemoryStore),
    File(TempDir),
    Database(streamward_test_support::Database),
}

impl Place {
    /// A busy machine needs long to open a connection.
    fn settings(size: u32) -> PgSettings {
        PgSettings { acquire_timeout: Duration::from_secs(10), ..PgSettings::new(size) }
    }

    pub(crate) async fn fresh(engine: Engine, clock: Arc<dyn Clock>) -> Self {
        match engine {
            Engine::Memory => Self::Memory(MemoryStore::new(clock)),
            Engine::Sqlite => Self::File(TempDir::new().expect("a folder")),
            Engine::Postgres => Self::Database(
                streamward_test_support::database(|url| async move {
                    migrate(&open_postgres(&url, &Self::settings(1))?).await
                })
                .await,
            ),
        }
    }

    /// Opens it, as a starting process does. The second database is for lists.
    pub(crate) async fn open(&self) -> (Arc<dyn Store>, Option<[Db; 2]>) {
        let db = match self {
            Self::Memory(store) => return (Arc::new(store.clone()), None),
            Self::File(folder) => {
                let db = open_sqlite(&folder.path().join("streamward.db")).await.expect("opened");
                migrate(&db).await.expect("migrated");
                let Db::Sqlite(file) = &db else { panic!("SQLite") };
                let lists = Db::Sqlite(file.with_readers(2, Duration::from_secs(5)));
                [db, lists]
            }
            Self::Database(database) => [12, 2]
                .map(|size| open_postgres(database.url(), &Self::settings(size)).expect("a good address")),
        };
        (Arc::new(SqlStore::new(db[0].clone())), Some(db))
    }
}
