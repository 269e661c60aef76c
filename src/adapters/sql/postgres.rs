//! Connections to PostgreSQL, and recovery from broken ones.

use std::fmt;
use std::str::FromStr as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _, PgPool, Postgres};
use tokio::time::{Instant, timeout};

use super::args::Args;
use super::dialect::Sql;
use super::drain::{Done, drain_pg};
use super::error::{classify, is_broken, timed_out};
use super::row::Record;
use crate::ports::Result;

/// Settings of a session. PostgreSQL enforces these limits, so we never hold locks for long, even if this process is
/// frozen. They are set by a statement, because poolers refuse them at connect.
const SESSION: &str = "SET statement_timeout = 2000; SET idle_in_transaction_session_timeout = 5000";
/// How long to wait for an answer: longer than PostgreSQL's own statement limit.
const ANSWER_LIMIT: Duration = Duration::from_millis(3_000);

/// The size of the pool, and how long to wait for a connection.
#[derive(Clone, Debug)]
pub struct PgSettings {
    /// At most this many connections.
    pub max_connections: u32,
    /// How long a statement waits for a free or new connection.
    pub acquire_timeout: Duration,
    /// The name of the sessions in `pg_stat_activity`.
    pub application_name: String,
}

impl PgSettings {
    /// At most `max_connections`, a wait of half a second, and the name `streamward`.
    #[must_use]
    pub fn new(max_connections: u32) -> Self {
        Self {
            max_connections,
            acquire_timeout: Duration::from_millis(500),
            application_name: "streamward".into(),
        }
    }
}

/// A pool of PostgreSQL connections.
#[derive(Clone)]
pub struct Pg {
    pub(super) pool: PgPool,
    suspicion: Arc<Suspicion>,
}

impl fmt::Debug for Pg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The pool's own `Debug` would show the connect options.
        f.debug_struct("Pg").field("size", &self.pool.size()).finish_non_exhaustive()
    }
}

/// When a connection was last found broken. Connections idle since before then are tested before use. Testing every
/// connection every time would double the cost of a statement.
#[derive(Debug, Default)]
struct Suspicion(Mutex<Option<Instant>>);

impl Suspicion {
    fn raise(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    fn is_about(&self, idle_for: Duration) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|at| idle_for >= at.elapsed())
    }
}

impl Pg {
    pub(super) fn open(url: &str, settings: &PgSettings) -> Result<Self> {
        let options = PgConnectOptions::from_str(url)
            .map_err(classify)?
            .application_name(&settings.application_name)
            .log_statements(log::LevelFilter::Off)
            .log_slow_statements(log::LevelFilter::Warn, Duration::from_millis(500));
        let suspicion = Arc::new(Suspicion::default());
        let shared = Arc::clone(&suspicion);
        let pool = PgPoolOptions::new()
            .max_connections(settings.max_connections)
            .acquire_timeout(settings.acquire_timeout)
            .test_before_acquire(false)
            .after_connect(|conn, _| Box::pin(async move { conn.execute(SESSION).await.map(drop) }))
            .before_acquire(move |conn, meta| {
                let doubtful = shared.is_about(meta.idle_for);
                Box::pin(async move {
                    if doubtful {
                        conn.ping().await?;
                    }
                    Ok(true)
                })
            })
            .connect_lazy_with(options);
        Ok(Self { pool, suspicion })
    }

    /// Opens a connection outside the pool and without its limits. It reports why it fails; the pool does not.
    pub(super) async fn connect(&self) -> Result<sqlx::PgConnection, sqlx::Error> {
        let options = self.pool.connect_options();
        timeout(ANSWER_LIMIT, options.connect()).await.unwrap_or_else(|_| Err(timed_out()))
    }

    async fn acquire(&self) -> Result<PooledConnection, sqlx::Error> {
        let conn = self.pool.acquire().await?;
        Ok(PooledConnection { conn: Some(conn), suspicion: Arc::clone(&self.suspicion), within: false })
    }

    pub(super) async fn begin(&self, statement: &'static str) -> Result<PooledConnection, sqlx::Error> {
        let mut pooled = self.acquire().await?;
        pooled.within = true;
        pooled.execute_statement(statement).await?;
        Ok(pooled)
    }

    /// Runs one statement. Retries once on a fresh connection if the first one is broken.
    pub(super) async fn exec_twice<R: Record>(&self, sql: Sql, args: Args) -> Result<Done<R>, sqlx::Error> {
        match self.acquire().await?.exec(sql, args.clone()).await {
            Err(error) if is_broken(&error) && !is_time_out(&error) => {
                self.acquire().await?.exec(sql, args).await
            }
            done => done,
        }
    }
}

fn is_time_out(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Io(error) if error.kind() == std::io::ErrorKind::TimedOut)
}

/// A connection from the pool. It returns to the pool only if it is clean. If it broke, or if its user gave up during a
/// statement or transaction, it is closed, which also ends the transaction.
pub(super) struct PooledConnection {
    conn: Option<PoolConnection<Postgres>>,
    suspicion: Arc<Suspicion>,
    /// A statement or a transaction is still open.
    within: bool,
}

impl PooledConnection {
    pub(super) async fn exec<R: Record>(&mut self, sql: Sql, args: Args) -> Result<Done<R>, sqlx::Error> {
        let before = std::mem::replace(&mut self.within, true);
        let Some(conn) = self.conn.as_mut() else { return Err(sqlx::Error::WorkerCrashed) };
        let done = timeout(ANSWER_LIMIT, drain_pg(conn, sql, args)).await;
        self.judge(before, done.unwrap_or_else(|_| Err(timed_out())))
    }

    async fn execute_statement(&mut self, statement: &'static str) -> Result<(), sqlx::Error> {
        let before = std::mem::replace(&mut self.within, true);
        let Some(conn) = self.conn.as_mut() else { return Err(sqlx::Error::WorkerCrashed) };
        let done = timeout(ANSWER_LIMIT, conn.execute(statement)).await;
        self.judge(before, done.unwrap_or_else(|_| Err(timed_out())).map(drop))
    }

    pub(super) async fn finish(mut self, statement: &'static str) -> Result<(), sqlx::Error> {
        self.within = false;
        self.execute_statement(statement).await
    }

    fn judge<T>(&mut self, before: bool, done: Result<T, sqlx::Error>) -> Result<T, sqlx::Error> {
        match &done {
            Err(error) if is_broken(error) => self.suspicion.raise(),
            _ => self.within = before,
        }
        done
    }
}

impl Drop for PooledConnection {
    fn drop(&mut self) {
        if self.within
            && let Some(conn) = self.conn.take()
        {
            drop(conn.detach());
        }
    }
}
