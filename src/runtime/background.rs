//! The background work of an instance.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use async_trait::async_trait;
use tokio::time::timeout;

use super::bootstrap::Bootstrap;
use super::media_servers;
use super::services::Services;
use super::streamers::Outside;
use super::tasks::{LeaseTerms, Tasks, supervise};
use crate::adapters::sql::SqlStore;
use crate::adapters::system::SystemClock;
use crate::app::task::{AnyTask, TaskError, TaskSet};
use crate::domain::media_server::MediaServerName;
use crate::ports::{MediaServer, WakeUp, WakeUps};

/// How long the start waits for the key cache; without it every key is read from the database, which also works.
const WARM_UP: Duration = Duration::from_secs(2);

/// Starts the background work of the instance with the id `instance`.
pub(super) async fn start(
    services: &Services,
    base: &Bootstrap,
    wake_ups: Arc<dyn WakeUps>,
    instance: &str,
) -> anyhow::Result<Tasks> {
    let reconcilers = Reconcilers::new(services, base)?;
    let leases = Arc::new(SqlStore::new(base.databases.leases()));
    let tasks = Tasks::new(LeaseTerms::new(leases, instance), wake_ups, Arc::new(SystemClock));
    let mut key_cache = tasks.start(AnyTask::periodic(services.key_cache_loader())).status;
    tasks.start(AnyTask::periodic(services.event_tail()));
    tasks.start(AnyTask::periodic(services.housekeeping()));
    if base.config().kick.feed.is_some() {
        tasks.start(AnyTask::long_running(Outside::new(&base.config().kick)?.watcher(services)));
    }
    supervise(&tasks, reconcilers);
    if timeout(WARM_UP, key_cache.wait_for(|status| status.last_ok.is_some())).await.is_err() {
        tracing::warn!(
            "the key cache could not be loaded yet: each key is read from the database until it is"
        );
    }
    Ok(tasks)
}

/// One reconciler for each configured media server.
struct Reconcilers {
    services: Services,
    remotes: BTreeMap<MediaServerName, Arc<dyn MediaServer>>,
    poll: Duration,
}

impl Reconcilers {
    fn new(services: &Services, base: &Bootstrap) -> anyhow::Result<Self> {
        let mut remotes = BTreeMap::new();
        for (name, server) in &base.config().media_servers {
            let secret = services.servers().get(name).map(|known| known.control_secret.clone());
            let secret = secret.context("no settings for this media server")?;
            let remote = media_servers::connect(server, secret);
            let remote = remote.with_context(|| format!("media_servers.{name}.api_url"))?;
            remotes.insert(name.clone(), remote);
        }
        Ok(Self { services: services.clone(), remotes, poll: base.config().reconcile.interval.0 })
    }
}

#[async_trait]
impl TaskSet for Reconcilers {
    type Key = MediaServerName;

    fn name(&self) -> String {
        "media-servers".to_owned()
    }

    fn description(&self) -> &'static str {
        "Keeps one reconcile task running for each media server."
    }

    fn wakes_on(&self, _: &WakeUp) -> bool {
        false
    }

    async fn desired(&mut self) -> Result<BTreeSet<MediaServerName>, TaskError> {
        Ok(self.remotes.keys().cloned().collect())
    }

    fn task(&self, name: &MediaServerName) -> Option<AnyTask> {
        let remote = Arc::clone(self.remotes.get(name)?);
        Some(AnyTask::periodic(self.services.reconciler(name.clone(), remote, self.poll)))
    }
}
