//! One database per test, cloned from a migrated template.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::Path;
use std::process;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

use crate::cluster::Cluster;
use crate::docker;

/// The variable with the address of an existing PostgreSQL.
const GIVEN: &str = "STREAMWARD_TEST_DATABASE_URL";

/// The server for this process.
enum Server {
    /// The address of the maintenance database.
    Given(String),
    Ours(Cluster),
    /// The address up to the database's name.
    Container(String),
}

impl Server {
    /// The given server, else one from installed programs, else one in a container.
    fn get() -> &'static Self {
        static SERVER: OnceLock<Result<Server, String>> = OnceLock::new();
        let server = SERVER.get_or_init(|| match std::env::var(GIVEN) {
            Ok(url) if !url.is_empty() => Ok(Self::Given(url)),
            _ => Cluster::start(false).map(Self::Ours).or_else(|own| {
                docker::start().map(Self::Container).map_err(|docker| {
                    format!(
                        "No PostgreSQL to test with. Run .ci/setup (it installs one), or start Docker, or set {GIVEN} \
                         to a server where databases may be created.\n  own: {own}\n  Docker: {docker}"
                    )
                })
            }),
        });
        server.as_ref().unwrap_or_else(|error| panic!("{error}"))
    }

    fn url(&self, database: &str) -> String {
        match self {
            // Only the path changes: user, password and parameters stay.
            Self::Given(url) => {
                let (rest, query) = url.split_once('?').map_or((url.as_str(), None), |(r, q)| (r, Some(q)));
                let start = rest.find("://").map_or(0, |at| at + 3);
                let host = rest[start..].find('/').map_or(rest, |at| &rest[..start + at]);
                query.map_or(format!("{host}/{database}"), |query| format!("{host}/{database}?{query}"))
            }
            Self::Ours(cluster) => cluster.url(database),
            Self::Container(base) => format!("{base}/{database}"),
        }
    }

    fn maintenance(&self) -> String {
        match self {
            Self::Given(url) => url.clone(),
            Self::Ours(_) | Self::Container(_) => self.url("postgres"),
        }
    }

    async fn admin(&self) -> PgConnection {
        // A container's server restarts once while it sets itself up.
        for _ in 0..50 {
            if let Ok(conn) = PgConnection::connect(&self.maintenance()).await {
                return conn;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        PgConnection::connect(&self.maintenance()).await.expect("the tests' PostgreSQL answers")
    }
}

/// A database for one test, dropped with this value.
#[derive(Debug)]
pub struct Database {
    name: String,
    url: String,
}

impl Database {
    /// Its address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let name = self.name.clone();
        // A thread, since this may run inside a runtime, which cannot block. Open sessions are ended.
        let dropped = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let mut conn = PgConnection::connect(&Server::get().maintenance()).await?;
                let statement = format!("DROP DATABASE IF EXISTS \"{name}\" WITH (FORCE)");
                conn.execute(AssertSqlSafe(statement)).await.map(drop)
            })
        });
        // The test has its result already; a leftover database must not change it.
        let _: Result<Result<(), sqlx::Error>, _> = dropped.join();
    }
}

/// A fresh database with the current schema. `migrate` is called with the address of a template, once for each state
/// of `migrations/postgres`.
///
/// # Panics
/// If there is no PostgreSQL, or if migrating fails.
pub async fn database<M, F, E>(migrate: M) -> Database
where
    M: FnOnce(String) -> F,
    F: Future<Output = Result<(), E>>,
    E: std::fmt::Debug,
{
    let mut admin = Server::get().admin().await;
    let template = template(Server::get(), &mut admin, migrate).await;
    let _ = admin.close().await;
    clone_of(&template).await
}

async fn clone_of(template: &str) -> Database {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let server = Server::get();
    let mut admin = server.admin().await;
    let name = format!("streamward_test_{}_{}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    for statement in [
        format!("DROP DATABASE IF EXISTS \"{name}\" WITH (FORCE)"),
        format!("CREATE DATABASE \"{name}\" TEMPLATE \"{template}\""),
    ] {
        admin.execute(AssertSqlSafe(statement)).await.expect("a database is made from the template");
    }
    let _ = admin.close().await;
    let url = server.url(&name);
    Database { name, url }
}

/// A fresh database without any tables.
///
/// # Panics
/// If there is no PostgreSQL.
pub async fn empty_database() -> Database {
    clone_of("template1").await
}

/// The name of the migrated template. The first caller creates it; it appears when it is complete.
async fn template<M, F, E>(server: &Server, admin: &mut PgConnection, migrate: M) -> String
where
    M: FnOnce(String) -> F,
    F: Future<Output = Result<(), E>>,
    E: std::fmt::Debug,
{
    let name = format!("streamward_template_{:016x}", fingerprint());
    let half = format!("{name}_half");
    let exists = "SELECT count(*) FROM pg_database WHERE datname = $1";
    let there = |count: i64| count > 0;
    admin.execute("SELECT pg_advisory_lock(7236478236478)").await.expect("a lock is given");
    let count =
        sqlx::query_scalar(exists).bind(&name).fetch_one(&mut *admin).await.expect("databases are counted");
    if !there(count) {
        for statement in [
            format!("DROP DATABASE IF EXISTS \"{half}\" WITH (FORCE)"),
            format!("CREATE DATABASE \"{half}\""),
        ] {
            admin.execute(AssertSqlSafe(statement)).await.expect("databases may be created");
        }
        migrate(server.url(&half)).await.expect("the template migrates");
        let statement = format!("ALTER DATABASE \"{half}\" RENAME TO \"{name}\"");
        let mut renamed = admin.execute(AssertSqlSafe(statement.clone())).await;
        for _ in 0..50 {
            if renamed.is_ok() {
                break;
            }
            // Sessions of the migration may take a moment to go.
            tokio::time::sleep(Duration::from_millis(100)).await;
            renamed = admin.execute(AssertSqlSafe(statement.clone())).await;
        }
        renamed.expect("nobody uses the template any more");
    }
    admin.execute("SELECT pg_advisory_unlock(7236478236478)").await.expect("the lock is given back");
    name
}

fn fingerprint() -> u64 {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations/postgres");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .expect("there are migrations")
        .flatten()
        .map(|entry| entry.path())
        .collect();
    files.sort();
    let mut hasher = DefaultHasher::new();
    for file in files {
        std::fs::read(file).expect("a migration can be read").hash(&mut hasher);
    }
    hasher.finish()
}
