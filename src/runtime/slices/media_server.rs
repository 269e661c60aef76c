//! Media servers, and the loops that reconcile the records with them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use clap::{FromArgMatches as _, Subcommand as _};

use super::{Commands, Parts, Shared, Slice};
use crate::adapters::cli::media_server::{MediaServerCommand, run};
use crate::adapters::http;
use crate::app::Core;
use crate::app::housekeeping::Retention;
use crate::app::media_server::ConfiguredServers;
use crate::app::poll_requests::PollRequests;
use crate::app::reconcile::{ReconcileIntervals, Reconciler};
use crate::app::task::{AnyTask, TaskError, TaskSet};
use crate::domain::media_server::MediaServerName;
use crate::ports::{MediaServer, WakeUp};

/// How long an instance whose lease expired is remembered.
const INSTANCES_KEPT: Duration = Duration::from_secs(86_400);

pub(super) const SLICE: Slice = Slice {
    document: || http::media_server::routes().document(),
    commands: &[Commands {
        name: "media-server",
        define: |command| {
            MediaServerCommand::augment_subcommands(command.about("Show the configured media servers"))
        },
        run: |matches, context| {
            Box::pin(async move {
                let command = MediaServerCommand::from_arg_matches(matches)?;
                context.run(async |shared, out| run(&shared.media_servers, &command, out).await).await
            })
        },
    }],
    build,
};

fn build(shared: &Shared, parts: &mut Parts) -> anyhow::Result<()> {
    parts.serve(http::media_server::routes(), Arc::clone(&shared.media_servers));
    parts.health.push(http::media_server::health(Arc::clone(&shared.media_servers)));
    parts.retentions.push(Retention { keep: INSTANCES_KEPT, prune: |store, at| store.prune_instances(at) });
    parts.tasks(Reconcilers {
        core: Arc::clone(&shared.core),
        servers: Arc::clone(&shared.servers),
        polls: Arc::clone(&shared.polls),
        remotes: shared.outside.media_servers.clone(),
        intervals: ReconcileIntervals {
            poll: shared.config.reconcile.interval.0,
            claim_ttl: shared.config.auth.claim_ttl.0,
        },
    });
    Ok(())
}

/// One reconcile loop for each configured media server.
struct Reconcilers {
    core: Arc<Core>,
    servers: Arc<ConfiguredServers>,
    polls: Arc<PollRequests>,
    remotes: BTreeMap<MediaServerName, Arc<dyn MediaServer>>,
    intervals: ReconcileIntervals,
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
        let remote = (name.clone(), Arc::clone(self.remotes.get(name)?));
        let (servers, polls) = (Arc::clone(&self.servers), Arc::clone(&self.polls));
        let reconciler = Reconciler::new(Arc::clone(&self.core), servers, polls, remote, self.intervals);
        Some(AnyTask::periodic(reconciler))
    }
}
