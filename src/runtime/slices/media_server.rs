//! Media servers, and the loops that reconcile the records with them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::adapters::cli::media_server::{MediaServerCommand, run};
use crate::adapters::http;
use crate::app::Core;
use crate::app::grace::Grace;
use crate::app::live_stats::LiveStats;
use crate::app::media_server::ConfiguredServers;
use crate::app::poll_requests::PollRequests;
use crate::app::reconcile::{ReconcileIntervals, Reconciler};
use crate::app::task::{AnyTask, Task, TaskError, TaskSet};
use crate::domain::media_server::MediaServerName;
use crate::ports::{MediaServer, WakeUp};
use crate::runtime::shared::Shared;
use crate::runtime::slice::{Parts, Slice, commands};

/// How long an instance whose lease expired is remembered.
const INSTANCES_KEPT: Duration = Duration::from_secs(86_400);

pub(super) const SLICE: Slice = Slice {
    document: || http::media_server::routes().document(),
    commands: &[commands!(
        "media-server",
        "Show the configured media servers",
        MediaServerCommand,
        |command, api, out| run(api, &command, out)
    )],
    build,
};

fn build(shared: &Shared, parts: &mut Parts) {
    parts.add_routes(http::media_server::routes(), Arc::clone(&shared.media_servers));
    parts.health.push(http::media_server::health(Arc::clone(&shared.media_servers)));
    parts.event_views.push(http::media_server::event_view());
    parts.chores.push(Arc::clone(&shared.media_servers) as _);
    parts.retain(INSTANCES_KEPT, |store, at| store.prune_instances(at));
    let config = &shared.config;
    parts.tasks.push(AnyTask::Set(Box::new(Reconcilers {
        core: Arc::clone(&shared.core),
        servers: Arc::clone(&shared.servers),
        polls: Arc::clone(&shared.polls),
        grace: Arc::clone(&shared.grace),
        live: Arc::clone(&shared.live_stats),
        remotes: shared.outside.media_servers.clone(),
        intervals: ReconcileIntervals {
            poll: config.reconcile.interval.0,
            claim_ttl: config.auth.claim_ttl.0,
        },
    })));
}

/// One reconcile loop for each configured media server.
struct Reconcilers {
    core: Arc<Core>,
    servers: Arc<ConfiguredServers>,
    polls: Arc<PollRequests>,
    grace: Arc<Grace>,
    live: Arc<LiveStats>,
    remotes: BTreeMap<MediaServerName, Arc<dyn MediaServer>>,
    intervals: ReconcileIntervals,
}

impl Task for Reconcilers {
    fn name(&self) -> String {
        "media-servers".to_owned()
    }

    fn description(&self) -> &'static str {
        "Keeps one reconcile task running for each media server."
    }
}

#[async_trait]
impl TaskSet for Reconcilers {
    fn wakes_on(&self, _: &WakeUp) -> bool {
        false
    }

    async fn desired(&mut self) -> Result<BTreeSet<String>, TaskError> {
        Ok(self.remotes.keys().map(ToString::to_string).collect())
    }

    fn task(&self, key: &str) -> Option<AnyTask> {
        let (name, remote) = self.remotes.iter().find(|(name, _)| name.as_str() == key)?;
        let remote = (name.clone(), Arc::clone(remote));
        let servers = Arc::clone(&self.servers);
        let polls = (Arc::clone(&self.polls), Arc::clone(&self.grace), Arc::clone(&self.live));
        let reconciler = Reconciler::new(Arc::clone(&self.core), servers, polls, remote, self.intervals);
        Some(AnyTask::periodic(reconciler))
    }
}
