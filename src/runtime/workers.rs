//! The background work of an instance.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;

use super::bootstrap::Bootstrap;
use super::services::Services;
use super::streamers::Outside;
use super::worker::{LeaseTerms, WorkerHandle, WorkerOptions, start, start_job};
use crate::adapters::http::{WorkerHealth, WorkersHealth};
use crate::adapters::mediamtx::MediaMtx;
use crate::adapters::sql::SqlStore;
use crate::app::worker::Worker;
use crate::ports::{LeaseStore, WakeUps};

/// How long a tick may take.
const TICK_LIMIT: Duration = Duration::from_secs(10);
/// How long the known keys are waited for at the start; without them every key is looked up, which also works.
const WARM_UP: Duration = Duration::from_secs(2);
/// How long workers may take to stop and give their leases back.
const STOP_LIMIT: Duration = Duration::from_secs(2);

/// The running workers.
pub(super) struct Workers {
    handles: Vec<WorkerHandle>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Workers {
    /// Starts all of them; `owner` is the name of this instance on leases.
    pub(super) fn start(
        services: &Services,
        base: &Bootstrap,
        wake_ups: &dyn WakeUps,
        owner: &str,
    ) -> anyhow::Result<Self> {
        let mut workers =
            Self { handles: Vec::new(), tasks: TaskTracker::new(), stop: CancellationToken::new() };
        let leases: Arc<dyn LeaseStore> = Arc::new(SqlStore::new(base.databases.worker.clone()));
        let options = || WorkerOptions {
            tick_limit: TICK_LIMIT,
            lease: Some(LeaseTerms::new(Arc::clone(&leases), owner)),
            wake_ups: wake_ups.listen(),
        };
        workers.add(services.key_cache_loader(), options());
        workers.add(services.event_tail(), options());
        workers.add(services.housekeeping(), options());
        if base.config().kick.feed.is_some() {
            let watcher = Outside::new(&base.config().kick)?.watcher(services);
            let terms = LeaseTerms::new(Arc::clone(&leases), owner);
            workers.handles.push(start_job(watcher, terms, &workers.tasks, workers.stop.clone()));
        }
        for (name, server) in &base.config().media_servers {
            let secret = services.servers().get(name).map(|known| known.control_secret.clone());
            let remote = Url::parse(server.api_url()).context("media server address").and_then(|url| {
                let secret = secret.context("a media server without settings")?;
                Ok(MediaMtx::new(&url, secret)?)
            });
            let remote = remote.with_context(|| format!("media_servers.{name}.api_url"))?;
            let interval = base.config().reconcile.interval.0;
            workers.add(services.reconciler(name.clone(), Arc::new(remote), interval), options());
        }
        Ok(workers)
    }

    fn add(&mut self, worker: impl Worker + 'static, options: WorkerOptions) {
        self.handles.push(start(worker, options, &self.tasks, self.stop.clone()));
    }

    /// Waits until the known keys were loaded once, or it is clear that this takes longer.
    pub(super) async fn warm_up(&self) {
        let Some(loader) = self.handles.first() else { return };
        let mut status = loader.watch();
        if timeout(WARM_UP, status.wait_for(|status| status.last_ok.is_some())).await.is_err() {
            tracing::warn!("the known keys could not be loaded yet: each one is looked up until they are");
        }
    }

    /// How they are, for `/health`.
    pub(super) fn health(&self) -> WorkersHealth {
        let handles = self.handles.clone();
        Arc::new(move || {
            let of = |handle: &WorkerHandle| {
                let status = handle.status();
                let since = |at: Instant| at.elapsed().as_secs();
                WorkerHealth {
                    name: handle.name().to_owned(),
                    failing: status.failing,
                    error: status.last_error.filter(|_| status.failing).map(|failure| failure.message),
                    seconds_since_ok: status.last_ok.map(since),
                }
            };
            handles.iter().map(of).collect()
        })
    }

    /// Stops them; leases are given back.
    pub(super) async fn stop(self) {
        self.stop.cancel();
        self.tasks.close();
        if timeout(STOP_LIMIT, self.tasks.wait()).await.is_err() {
            tracing::warn!("background work did not stop in time");
        }
    }
}
