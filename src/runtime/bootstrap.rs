//! What the service and every command with a database need: configuration, database, master key.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;

use super::config::{Config, Loaded, MasterKeySource, create_master_key, find_master_key};
use super::databases::{Databases, NotPrepared, Purpose, Schema, prepare};
use super::shared::{Outside, Secrets, Shared};
use crate::adapters::sql::{Db, SqlStore};
use crate::adapters::system::{SystemClock, SystemIds};
use crate::app::Core;
use crate::app::database_clock::DatabaseClock;
use crate::app::list::ListStore;
use crate::app::refusal_rollup::RefusalRollup;
use crate::app::secrets::first_time;
use crate::domain::playback::audience;
use crate::domain::seal::Sealer;
use crate::domain::secret::MasterKey;
use crate::ports::{IdGen as _, SecretStore as _, Store, WakeUps};

/// The first secret that is stored. It shows whether the master key is the one that the database was created with.
pub(super) const SET_UP: &str = "set_up";

/// Configuration, database and master key.
pub(super) struct Bootstrap {
    pub(super) loaded: Loaded,
    pub(super) databases: Databases,
    pub(super) master: MasterKey,
    pub(super) sealer: Sealer,
    pub(super) clock: Arc<DatabaseClock>,
}

impl Bootstrap {
    /// Opens the database, prepares its schema, and finds or creates the master key. With [`Schema::Expect`] nothing is
    /// created.
    pub(super) async fn open(loaded: Loaded, purpose: Purpose, schema: Schema) -> anyhow::Result<Self> {
        // First, so that a wrong master key is reported before anything is created.
        let found = find_master_key(&loaded.config, &loaded.env)?;
        let databases = Databases::open(&loaded.config, purpose, schema).await?;
        prepare(&databases.api, purpose, schema).await?;
        let secret_store = SqlStore::new(databases.api.clone());
        let master = match found {
            MasterKeySource::Found(master) => master,
            MasterKeySource::Absent(file) => absent_key(&loaded, &secret_store, &file, schema).await?,
        };
        let sealer = Sealer::new(&master);
        first_time(&secret_store, &sealer, &SystemIds, SET_UP).await?;
        let clock = Arc::new(DatabaseClock::new(Arc::new(SystemClock)));
        clock.synchronise(&SqlStore::new(databases.api.clone())).await?;
        Ok(Self { loaded, databases, master, sealer, clock })
    }

    pub(super) fn config(&self) -> &Config {
        &self.loaded.config
    }

    /// A store for the management API, commands and secrets.
    pub(super) fn store(&self) -> SqlStore {
        SqlStore::new(self.databases.api.clone())
    }

    /// What slices share, on this bootstrap.
    pub(super) fn shared(
        &self,
        secrets: Secrets,
        outside: Outside,
        wake_ups: Arc<dyn WakeUps>,
        end_wait: Duration,
    ) -> Shared {
        let store = |db: &Db| Arc::new(SqlStore::new(db.clone())) as Arc<dyn Store>;
        let core = Core {
            auth_store: store(&self.databases.auth),
            store: store(&self.databases.api),
            lists: ListStore::new(store(&self.databases.lists)),
            worker_store: store(&self.databases.worker),
            clock: Arc::clone(&self.clock) as _,
            ids: Arc::new(SystemIds),
            wake_ups,
            hasher: self.master.hasher(),
            sealer: self.sealer.clone(),
            audience: audience(&self.master),
            refusals: RefusalRollup::default(),
            lines: Arc::default(),
        };
        Shared::new(core, self.config().clone(), secrets, outside, end_wait)
    }
}

/// Creates the master key of a new database in `file`.
pub(super) async fn absent_key(
    loaded: &Loaded,
    secret_store: &SqlStore,
    file: &Path,
    schema: Schema,
) -> anyhow::Result<MasterKey> {
    let is_set_up = secret_store.sealed(SET_UP).await?.is_some();
    // Again, since another process may have created it meanwhile, before it prepared the database.
    if let MasterKeySource::Found(master) = find_master_key(&loaded.config, &loaded.env)? {
        return Ok(master);
    }
    let no_key = |advice: String| Err(NotPrepared::NoMasterKey(advice).into());
    match (is_set_up, schema) {
        (true, _) => no_key(format!(
            "the master key of this database is missing: set STREAMWARD_MASTER_KEY_FILE, or restore the key file {}",
            file.display()
        )),
        (false, Schema::Expect) => no_key(format!(
            "this database has no master key yet: start the service once, which creates {}, or set STREAMWARD_MASTER_KEY",
            file.display()
        )),
        (false, Schema::Migrate) => create_master_key(file, SystemIds.random32())
            .with_context(|| format!("the master key cannot be written to {}", file.display())),
    }
}
