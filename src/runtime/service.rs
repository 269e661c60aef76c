//! `streamward serve`: starts the service, and stops it in order.

mod first_start;
mod listen;
mod manager;
mod open_files;
mod starting;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use futures_util::future::try_join_all;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::open_files::Budget;
use self::starting::Starting;
use super::bootstrap::Bootstrap;
use super::config::{Config, DatabaseKind, Loaded};
use super::databases::{Purpose, Schema};
use super::doctor::OwnExaminer;
use super::gauges;
use super::outside::outside;
use super::secrets::secrets;
use super::serve::{ServeLimits, serve};
use super::signals::Signals;
use super::slices::Instance;
use super::tasks::{LeaseTerms, Tasks};
use super::telemetry::{Telemetry, TelemetryConfig};
use super::up::{Supervised, SupervisedMediaMtx};
use crate::adapters::cli::UpArgs;
use crate::adapters::http::HttpOptions;
use crate::adapters::sql::{Db, ServeLock, SqlStore, check_pages};
use crate::adapters::system::{SystemClock, SystemIds};
use crate::app::database_clock::FollowClock;
use crate::app::housekeeping::Housekeeping;
use crate::app::key_cache::KeyCache;
use crate::app::playback::PlaybackGuard;
use crate::app::task::AnyTask;
use crate::ports::{IdGen as _, StoreError};

/// How long a call that ends sessions waits until they have ended.
const END_WAIT: Duration = Duration::from_secs(2);
/// How long the start waits for the key cache; without it every key is read from the database, which also works.
const WARM_UP: Duration = Duration::from_secs(2);
/// How long the start waits for the check of the database file.
const CHECK: Duration = Duration::from_secs(2);
/// The most connections at an address of a studio. Its clients are few.
const OWN_CONNECTIONS: usize = 64;
/// How long requests in flight may take after the stop.
const DRAIN: Duration = Duration::from_secs(8);
/// How long the last writes may take.
const LAST_WRITES: Duration = Duration::from_secs(1);

/// Serves until a signal stops it, with a supervised MediaMTX if `up` is given.
pub(super) async fn run(loaded: Loaded, up: Option<UpArgs>) -> anyhow::Result<()> {
    let instance = SystemIds.uuid().to_string();
    let telemetry = Telemetry::init(&telemetry_config(&loaded.config, &instance))?;
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    // Not one of `tasks`, since it waits for a second signal until the process ends.
    let signals = TaskTracker::new();
    signals.spawn(Signals::listen()?.watch(stop.clone()));
    let service = Service { telemetry: &telemetry, instance, stop: stop.clone(), tasks };
    // Stopped before it started.
    let started = stop.run_until_cancelled(Box::pin(service.start(loaded, up))).await;
    let result = match started {
        Some(Ok(running)) => service.until_stopped(running).await,
        Some(Err(error)) => Err(error),
        None => Ok(()),
    };
    // Threads send the last data. Waiting for them here would block.
    let flushed = tokio::task::spawn_blocking(|| telemetry.shutdown()).await;
    result.and(flushed.context("flushing telemetry"))
}

fn telemetry_config(config: &Config, instance: &str) -> TelemetryConfig {
    TelemetryConfig {
        level: config.log.level.clone(),
        format: config.log.format,
        otlp_endpoint: config.otel.endpoint.clone(),
        service_instance: instance.to_owned(),
    }
}

struct Service<'a> {
    telemetry: &'a Telemetry,
    instance: String,
    stop: CancellationToken,
    tasks: TaskTracker,
}

/// The running parts, which must be stopped in order.
struct Running {
    base: Bootstrap,
    router: Router,
    media_router: Router,
    budget: Budget,
    background: Tasks,
    /// What is done once more after the background tasks.
    last: Housekeeping,
    listener: TcpListener,
    media_listener: Option<TcpListener>,
    own_listeners: Vec<(TcpListener, Router)>,
    supervised: Option<Supervised>,
    /// Ends the parts that outlive the tasks: wake-ups, gauges.
    after: CancellationToken,
    _lock: Option<ServeLock>,
}

impl Service<'_> {
    async fn start(&self, loaded: Loaded, up: Option<UpArgs>) -> anyhow::Result<Running> {
        // In this order, so that a fault stops the start before anything is created or changed.
        let supervised = match up {
            Some(args) => Some(SupervisedMediaMtx::find(args).await?),
            None => None,
        };
        let lock = match loaded.config.database_kind() {
            DatabaseKind::Sqlite(file) => {
                if let Some(folder) = file.parent() {
                    let _ = std::fs::create_dir_all(folder);
                }
                Some(ServeLock::take(&file)?)
            }
            DatabaseKind::Postgres(_) => None,
        };
        let http = &loaded.config.http;
        let bound = listen::bind("http.listen", &http.listen).await?;
        let media_bound = match &http.media_listen {
            Some(address) => Some(listen::bind("http.media_listen", address).await?),
            None => None,
        };
        let mut own_bound = BTreeMap::new();
        for (key, address) in loaded.config.studio_listeners() {
            let bound = listen::bind(&key, address).await?;
            own_bound.insert(key, bound);
        }
        let budget = budget(&loaded.config);
        let mut starting = Starting::new(&loaded.config.base_path());
        let listener = starting.answer(listen::listen(bound)?, budget.main)?;
        let mut media_listener = None;
        if let Some(bound) = media_bound {
            media_listener = Some(starting.answer(listen::listen(bound)?, budget.media)?);
        }
        let mut listening = BTreeMap::new();
        for (key, bound) in own_bound {
            listening.insert(key, starting.answer(listen::listen(bound)?, OWN_CONNECTIONS)?);
        }
        self.tasks.spawn(manager::keep_alive(loaded.config.local_url(), self.stop.clone()));
        let opening = Bootstrap::open(loaded, Purpose::Serve, Schema::Migrate);
        let base = manager::waiting(Box::pin(opening)).await?;
        let after = CancellationToken::new();
        let check = self.tasks.spawn(check_file(base.databases.api.clone(), after.clone()));
        let wake_ups = base.databases.wake_ups(&self.instance, &self.tasks, after.clone());
        let secrets = secrets(&base).await?;
        let mut outside = outside(base.config(), &secrets, &(Arc::clone(&base.clock) as _))?;
        outside.examiner = Some(Arc::new(OwnExaminer(base.loaded.clone())));
        let supervised = match (supervised, secrets.access.hook_secrets.first()) {
            (Some(supervised), Some(secret)) => Some(supervised.prepare(base.config(), secret)?),
            _ => None,
        };
        let shared = base.shared(secrets, outside, Arc::clone(&wake_ups), END_WAIT);
        let (access, users) = (&shared.access, &shared.users);
        let welcome = first_start::welcome(&base, access, users, supervised.is_some()).await?;
        if lock.is_some() {
            // Nobody else serves the file. A killed process may have left a lease that lies in the future.
            shared.core.worker_store.end_all_leases().await?;
        }
        shared.media_servers.retire_former_servers().await?;
        let leases = Arc::new(SqlStore::new(base.databases.leases()));
        let leases = LeaseTerms::new(leases, &*self.instance);
        let background = Tasks::new(leases, wake_ups, Arc::new(SystemClock));
        let Instance { router, media_router, own_routers, tasks, last } =
            Instance::build(&shared, self.http_options(base.config(), budget, &background));
        let store = Arc::clone(&shared.core.worker_store);
        background.start(AnyTask::periodic(FollowClock::new(Arc::clone(&base.clock), store)));
        tasks.into_iter().for_each(|task| background.start(task));
        tokio::join!(warm_up(&shared.key_cache, &shared.playback_guard), wait_for(check));
        self.tasks.spawn(self.telemetry.upkeep(after.clone()));
        self.tasks.spawn(gauges::take(
            (shared.media_servers, shared.studios),
            base.databases.clone(),
            after.clone(),
        ));
        let own = own_routers.into_iter();
        let own = own.filter_map(|(key, router)| Some((listening.remove(&key)?, router)));
        let own_listeners = own.collect();
        starting.end().await;
        tracing::info!(
            version = env!("CARGO_PKG_VERSION"),
            database = base.databases.api.engine(),
            media_servers = base.config().media_servers.len(),
            "ready"
        );
        if let Some(welcome) = welcome {
            first_start::print(&welcome);
        }
        manager::ready();
        Ok(Running {
            base,
            router,
            media_router,
            budget,
            background,
            last,
            listener,
            media_listener,
            own_listeners,
            supervised,
            after,
            _lock: lock,
        })
    }

    fn http_options(&self, config: &Config, budget: Budget, background: &Tasks) -> HttpOptions {
        HttpOptions {
            metrics: Some(Arc::new(self.telemetry.prometheus())),
            metrics_token: config.metrics.token.clone().map(|token| token.0),
            trusted_proxies: config.http.trusted_proxies.0.clone(),
            connections: budget.main,
            tasks: background.list(),
            stop: self.stop.clone(),
        }
    }

    async fn until_stopped(&self, running: Running) -> anyhow::Result<()> {
        let Running { base, background, last, supervised, after, _lock: lock, budget, .. } = running;
        let limits =
            |max_connections| ServeLimits { max_connections, drain: DRAIN, ..ServeLimits::default() };
        let (stopping, closing) = (self.stop.clone(), CancellationToken::new());
        let close = closing.clone();
        self.tasks.spawn(async move {
            match supervised {
                // Its last hooks are still received.
                Some(supervised) => supervised.run(stopping).await,
                None => stopping.cancelled().await,
            }
            close.cancel();
        });
        let stopping = self.stop.clone();
        self.tasks.spawn(async move {
            stopping.cancelled().await;
            manager::stopping();
        });
        let media_served = async {
            match running.media_listener {
                Some(listener) => {
                    serve(listener, running.media_router, limits(budget.media), closing.clone()).await
                }
                None => Ok(()),
            }
        };
        let own = running
            .own_listeners
            .into_iter()
            .map(|(listener, router)| serve(listener, router, limits(OWN_CONNECTIONS), closing.clone()));
        let served = serve(running.listener, running.router, limits(budget.main), closing.clone());
        let served = tokio::try_join!(served, media_served, try_join_all(own));
        // Also when serving failed, so that everything that waits for the stop ends.
        self.stop.cancel();
        background.stop().await;
        // Counts that are not stored yet.
        let written = timeout(LAST_WRITES, last.run_at_stop()).await;
        if !matches!(written, Ok(Ok(_))) {
            tracing::warn!("the last counts for the audit log are lost");
        }
        after.cancel();
        self.tasks.close();
        let _ = timeout(LAST_WRITES, self.tasks.wait()).await;
        let _ = timeout(LAST_WRITES, base.databases.close()).await;
        drop(lock);
        tracing::info!("stopped");
        served.map(|_| ()).context("serving HTTP")
    }
}

/// Reads all pages of the database once. Damage is logged and shown in `/health`, and does not stop the start: what can be
/// read still works.
async fn check_file(db: Db, stop: CancellationToken) {
    let started = Instant::now();
    match stop.run_until_cancelled(check_pages(&db)).await {
        Some(Ok(())) => tracing::info!(took = ?started.elapsed(), "the database file is not damaged"),
        Some(Err(StoreError::Unavailable(why))) => {
            tracing::warn!(%why, "the database file could not be checked for damage");
        }
        // It was logged when it was found.
        _ => {}
    }
}

/// Waits for the check of the database file. A long one continues beside the service.
async fn wait_for(check: JoinHandle<()>) {
    if timeout(CHECK, check).await.is_err() {
        tracing::info!("the database file is still being checked for damage");
    }
}

/// How many connections there can be, after the limit of open files was raised.
fn budget(config: &Config) -> Budget {
    let http = &config.http;
    let (for_database, most) = (config.database.max_connections.into(), http.max_connections.into());
    open_files::divide(open_files::raise_limit(), for_database, most, http.media_listen.is_some())
}

/// Waits until the key cache and what is known of viewers were loaded, or it is clear that this takes longer.
async fn warm_up(cache: &KeyCache, playback: &PlaybackGuard) {
    let deadline = Instant::now() + WARM_UP;
    if timeout_at(deadline, cache.loaded()).await.is_err() {
        tracing::warn!(
            "the key cache could not be loaded yet: each key is read from the database until it is"
        );
    }
    if timeout_at(deadline, playback.loaded()).await.is_err() {
        tracing::warn!("it could not be read yet who may watch what: viewers are refused until it is");
    }
}
