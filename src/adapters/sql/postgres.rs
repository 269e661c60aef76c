//! Connections to PostgreSQL, also behind a pooler, and recovery from broken ones.
//!
//! A pooler in transaction mode (PgBouncer) may run each transaction in another session of PostgreSQL. So behind one
//! nothing is left in a session: every statement is in a transaction, with its limits, and no prepared statement has a name.

use std::fmt;
use std::str::FromStr as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _, PgPool, Postgres, Row as _};
use tokio::time::{Instant, timeout};

use super::args::Args;
use super::dialect::Sql;
use super::drain::{Done, drain_pg};
use super::error::{BEHIND_POOLER, classify, corrupt, is_broken, timed_out};
use super::group_commit::Queue;
use super::row::Record;
use crate::ports::{Result, StoreError};

/// The limits of a session. PostgreSQL enforces them, so we never hold locks for long, even if this process is frozen.
const SESSION: &str = "SET statement_timeout = 2000; SET idle_in_transaction_session_timeout = 5000";
/// For pages of long lists. By default PostgreSQL takes a row behind an index for four times as slow as its neighbour, as on
/// a turning disk, and so rather sorts all live streams for each page of a hundred.
const SESSION_FOR_LISTS: &str = "SET random_page_cost = 1.1";
/// What names another session than ours, if a pooler is between.
const BACKEND: &str = "SELECT pg_backend_pid()";

/// How a transaction begins: in a session of our own, and behind a pooler.
#[derive(Clone, Copy)]
pub(super) struct Begin {
    session: &'static str,
    pooled: &'static str,
}

macro_rules! begin {
    ($text:literal) => {
        Begin {
            session: $text,
            pooled: concat!(
                $text,
                "; SET LOCAL statement_timeout = 2000; SET LOCAL idle_in_transaction_session_timeout = 5000"
            ),
        }
    };
}

pub(super) const BEGIN: Begin = begin!("BEGIN");
pub(super) const BEGIN_RELAXED: Begin = begin!("BEGIN; SET LOCAL synchronous_commit = off");
pub(super) const BEGIN_SNAPSHOT: Begin = begin!("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY");
/// How many batches of claims run at once. PostgreSQL writes what they commit to the disk together, so those that came a
/// moment too late for a large batch need not wait for the next write but one.
const CLAIMS_AT_ONCE: usize = 4;
/// How long a connection stays with the claims after one of them. To put it back and to take it again wakes another thread,
/// which costs an encoder that comes alone a part of its answer's time.
const KEPT: Duration = Duration::from_secs(1);
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
    /// Whether a pooler in transaction mode is in front of PostgreSQL.
    pub pooled: bool,
    /// Whether it is for pages of long lists.
    pub for_lists: bool,
}

impl PgSettings {
    /// At most `max_connections`, a wait of half a second, the name `streamward`, no pooler, and not for lists.
    #[must_use]
    pub fn new(max_connections: u32) -> Self {
        Self {
            max_connections,
            acquire_timeout: Duration::from_millis(500),
            application_name: "streamward".into(),
            pooled: false,
            for_lists: false,
        }
    }
}

/// A pool of PostgreSQL connections.
#[derive(Clone)]
pub struct Pg {
    pub(super) pool: PgPool,
    pub(super) claims: Arc<Queue>,
    /// The connections of the last claims, and since when nobody uses them.
    kept: Arc<Mutex<Vec<(PooledConnection, Instant)>>>,
    pooled: bool,
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

/// The SQLSTATE of a refused login: class 28 (role or password) or 3D (database).
fn login_code(error: &sqlx::Error) -> Option<String> {
    let code = error.as_database_error()?.code()?.into_owned();
    ["28", "3D"].iter().any(|class| code.starts_with(class)).then_some(code)
}

impl Pg {
    /// Creates a pool for `url` (`postgres://…`). It connects later. An error never quotes the address.
    pub fn open(url: &str, settings: &PgSettings) -> Result<Self> {
        let options = PgConnectOptions::from_str(url)
            .map_err(classify)?
            .application_name(&settings.application_name)
            // Poolers refuse it, and we have no such numbers.
            .extra_float_digits(None)
            .log_statements(log::LevelFilter::Off)
            .log_slow_statements(log::LevelFilter::Warn, Duration::from_millis(500));
        let suspicion = Arc::new(Suspicion::default());
        let shared = Arc::clone(&suspicion);
        let (pooled, for_lists) = (settings.pooled, settings.for_lists);
        let pool = PgPoolOptions::new()
            .max_connections(settings.max_connections)
            .acquire_timeout(settings.acquire_timeout)
            .test_before_acquire(false)
            .after_connect(move |conn, _| {
                Box::pin(async move {
                    if pooled {
                        return Ok(());
                    }
                    conn.execute(SESSION).await?;
                    if for_lists { conn.execute(SESSION_FOR_LISTS).await.map(drop) } else { Ok(()) }
                })
            })
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
        Ok(Self { pool, claims: Queue::new(CLAIMS_AT_ONCE), kept: Arc::default(), pooled, suspicion })
    }

    /// Database and host, for people.
    pub(super) fn place(&self) -> String {
        let options = self.pool.connect_options();
        // PostgreSQL's default is the user's name.
        let name = options.get_database().unwrap_or_else(|| options.get_username());
        match options.get_socket() {
            Some(folder) => format!("the database {name} at {}", folder.display()),
            None => format!("the database {name} at {}:{}", options.get_host(), options.get_port()),
        }
    }

    /// Opens a connection outside the pool and without its limits. It reports why it fails; the pool does not. Refuses a
    /// pooler that was not announced.
    pub(super) async fn connect(&self) -> Result<sqlx::PgConnection> {
        let options = self.pool.connect_options();
        let connect = async || {
            let connected = timeout(ANSWER_LIMIT, options.connect()).await;
            connected.unwrap_or_else(|_| Err(timed_out())).map_err(|error| self.not_connected(error))
        };
        let mut connection = connect().await?;
        if !self.pooled {
            let mut other = connect().await?;
            // Twice, since a pooler may take turns. Two sessions of PostgreSQL have two processes.
            for _ in 0..2 {
                if backend(&mut connection).await? == backend(&mut other).await? {
                    return Err(corrupt(BEHIND_POOLER));
                }
            }
        }
        Ok(connection)
    }

    /// Names the database, and says what to do if the role or the database is missing.
    fn not_connected(&self, error: sqlx::Error) -> StoreError {
        let options = self.pool.connect_options();
        let user = options.get_username();
        let name = options.get_database().unwrap_or(user);
        let advice = match login_code(&error).as_deref() {
            Some(code) if code.starts_with("3D") => format!(
                "create it there with `createdb --owner {user} {name}`, or correct database.url (DATABASE_URL)"
            ),
            Some(_) => format!(
                "create the role there with `createuser --pwprompt {user}` and its database with `createdb --owner {user} {name}`, \
                 allow it in pg_hba.conf, or correct user and password in database.url (DATABASE_URL)"
            ),
            None => "see that PostgreSQL runs there, or correct database.url (DATABASE_URL)".to_owned(),
        };
        match classify(error) {
            StoreError::Unavailable(why) => {
                StoreError::Unavailable(format!("{}: {why}; {advice}", self.place()))
            }
            other => other,
        }
    }

    /// Whether PostgreSQL answers and does not let us in: the role or the database is missing, or the password is wrong.
    pub(super) async fn is_refused(&self) -> bool {
        let options = self.pool.connect_options();
        match timeout(ANSWER_LIMIT, options.connect()).await {
            Ok(Err(error)) => login_code(&error).is_some(),
            _ => false,
        }
    }

    fn kept(&self) -> MutexGuard<'_, Vec<(PooledConnection, Instant)>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Connections in use and connections open.
    pub(super) fn connections(&self) -> (u32, u32) {
        let (open, kept) = (self.pool.size(), self.kept().len());
        let idle = u32::try_from(self.pool.num_idle() + kept).unwrap_or(u32::MAX);
        (open.saturating_sub(idle), open)
    }

    /// Closes all connections.
    pub(super) async fn close(&self) {
        // From here on claims keep no connection.
        let closing = self.pool.close();
        self.kept().clear();
        closing.await;
    }

    async fn acquire(&self) -> Result<PooledConnection, sqlx::Error> {
        // Nobody waits for a connection that nobody uses.
        if self.pool.num_idle() == 0 {
            drop(self.take_kept());
        }
        let conn = self.pool.acquire().await?;
        let (suspicion, pooled) = (Arc::clone(&self.suspicion), self.pooled);
        Ok(PooledConnection { conn: Some(conn), suspicion, within: false, pooled })
    }

    pub(super) async fn begin(&self, begin: Begin) -> Result<PooledConnection, sqlx::Error> {
        let mut connection = self.acquire().await?;
        connection.within = true;
        connection.execute_statement(if self.pooled { begin.pooled } else { begin.session }).await?;
        Ok(connection)
    }

    /// Runs one statement. Retries once on a fresh connection if the first one is broken.
    pub(super) async fn exec_twice<R: Record>(&self, sql: Sql, args: Args) -> Result<Done<R>, sqlx::Error> {
        self.twice(sql, args, false).await
    }

    /// The same on a connection that stays with the claims for a moment.
    pub(super) async fn claim<R: Record>(&self, sql: Sql, args: Args) -> Result<Done<R>, sqlx::Error> {
        self.twice(sql, args, true).await
    }

    async fn twice<R: Record>(&self, sql: Sql, args: Args, keep: bool) -> Result<Done<R>, sqlx::Error> {
        match self.exec(sql, args.clone(), keep).await {
            Err(error) if is_broken(&error) && !is_time_out(&error) => self.exec(sql, args, keep).await,
            done => done,
        }
    }

    async fn exec<R: Record>(&self, sql: Sql, args: Args, keep: bool) -> Result<Done<R>, sqlx::Error> {
        if self.pooled {
            // The driver sends a statement in two steps. Without a transaction the second may reach another session.
            let mut transaction = self.begin(BEGIN).await?;
            let done = transaction.exec(sql, args).await?;
            transaction.finish("COMMIT").await?;
            return Ok(done);
        }
        let kept = if keep { self.take_kept() } else { None };
        let mut connection = match kept {
            Some(kept) => kept,
            None => self.acquire().await?,
        };
        let done = connection.exec(sql, args).await?;
        if keep {
            self.keep(connection);
        }
        Ok(done)
    }

    /// Keeps the connection for the next claim, if nobody else can need it.
    fn keep(&self, connection: PooledConnection) {
        let mut kept = self.kept();
        if kept.len() < CLAIMS_AT_ONCE && self.has_room() && !self.pool.is_closed() {
            kept.push((connection, Instant::now()));
        }
    }

    /// Whether nobody can be waiting for a connection.
    fn has_room(&self) -> bool {
        self.pool.num_idle() > 0 || self.pool.size() < self.pool.options().get_max_connections()
    }

    fn take_kept(&self) -> Option<PooledConnection> {
        let mut all = self.kept();
        while let Some((mut connection, since)) = all.pop() {
            // One that may be broken is closed; the pool would not test it.
            connection.within = self.suspicion.is_about(since.elapsed());
            if !connection.within && since.elapsed() < KEPT {
                return Some(connection);
            }
        }
        None
    }
}

async fn backend(connection: &mut sqlx::PgConnection) -> Result<i32> {
    let row = timeout(ANSWER_LIMIT, connection.fetch_one(BACKEND)).await;
    row.unwrap_or_else(|_| Err(timed_out())).and_then(|row| row.try_get(0)).map_err(classify)
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
    pooled: bool,
}

impl PooledConnection {
    pub(super) async fn exec<R: Record>(&mut self, sql: Sql, args: Args) -> Result<Done<R>, sqlx::Error> {
        let before = std::mem::replace(&mut self.within, true);
        let Some(conn) = self.conn.as_mut() else { return Err(sqlx::Error::WorkerCrashed) };
        let done = timeout(ANSWER_LIMIT, drain_pg(conn, sql, args, !self.pooled)).await;
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
