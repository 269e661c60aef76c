//! What subcommands run with.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::bootstrap::Bootstrap;
use super::clip;
use super::config::{Loaded, Sources};
use super::databases::{Purpose, Schema};
use super::secrets::secrets;
use super::shared::{Outside, Shared};
use super::studios::studios;
use crate::adapters::cli::Output;
use crate::adapters::system::SystemIds;
use crate::app::housekeeping::Chore as _;
use crate::ports::IdGen as _;

/// How long a command waits for the running service to end a session.
const END_WAIT: Duration = Duration::from_secs(5);
/// How long wake-ups to other instances may take when everything else is done.
const LEFTOVERS: Duration = Duration::from_millis(100);

/// The configuration of a command, and its output.
pub(super) struct CommandContext<'a> {
    pub(super) sources: &'a Sources,
    pub(super) out: &'a mut Output,
}

impl CommandContext<'_> {
    /// The configuration.
    pub(super) fn load(&self) -> anyhow::Result<Loaded> {
        Ok(self.sources.load()?)
    }

    /// The database that the running service uses.
    pub(super) async fn open(&self, loaded: Loaded) -> anyhow::Result<Bootstrap> {
        Bootstrap::open(loaded, Purpose::Command, Schema::Expect).await
    }

    /// Runs `work` over that database.
    pub(super) async fn run(
        self,
        work: impl AsyncFnOnce(&Shared, &mut Output) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let base = self.open(self.load()?).await?;
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let instance = format!("command {}", SystemIds.uuid());
        let wake_ups = base.databases.wake_ups(&instance, &tasks, stop.clone());
        let secrets = secrets(&base).await?;
        let outside = Outside {
            media: clip::bucket(base.config())?,
            studios: studios(base.config(), &secrets.servers)?,
            ..Outside::default()
        };
        let shared = base.shared(secrets, outside, wake_ups, END_WAIT);
        let done = work(&shared, self.out).await;
        if let Err(error) = shared.audit.run().await {
            tracing::error!(%error, "the audit entry of a refused command is lost");
        }
        if base.databases.wake_ups.is_some() {
            // The last wake-ups are on their way to the other instances.
            tokio::time::sleep(LEFTOVERS).await;
        }
        stop.cancel();
        base.databases.close().await;
        done
    }
}
