//! Studios: use-cases, and the task that supervises each of them.

mod analytics;
mod decisions;
mod draft;
mod drills;
mod health;
mod library;
mod metrics;
mod orders;
mod overview;
mod run;
mod schedule;
mod setup;

use std::sync::Arc;

pub use analytics::{FailoverAnalytics, TransitionAnalytics, TransitionTimes};
pub use decisions::StudioDecisions;
pub use draft::{HoldDraft, ScheduleDraft};
pub use drills::Drills;
pub use health::{HealthHistory, HealthQuery, OnAirHealth, StudioHealth, UptimeReport};
pub use library::LibraryEntry;
pub use metrics::show;
pub use overview::{StudioOverview, StudioProblem};
pub use run::StudioTasks;
pub use schedule::{SchedulePreview, StudioSchedule};
pub use setup::{PlatformSetup, StudioSetup};

use super::{AppError, Core, Result};
use crate::domain::Timestamp;
use crate::domain::access::{Resource, Scope};
use crate::domain::studio::{Ledger, Snapshot, Studio, StudioId, StudioName};
use crate::ports::{Store, StoreError, WakeUp};

const RESOURCE: Resource = Resource::READ_BY_ALL;

const KIND: &str = "studio";

/// The configured studios.
pub struct Studios {
    core: Arc<Core>,
    /// By name.
    setups: Vec<StudioSetup>,
}

impl Studios {
    /// Those of the configuration. Others do not exist, also if rows of them are stored.
    pub fn new(core: Arc<Core>, mut setups: Vec<StudioSetup>) -> Self {
        setups.sort_by(|one, other| one.name.cmp(&other.name));
        Self { core, setups }
    }

    /// Their names, in order.
    pub fn names(&self) -> impl Iterator<Item = &StudioName> {
        self.setups.iter().map(|setup| &setup.name)
    }

    /// The present time.
    pub fn now(&self) -> Timestamp {
        self.core.now()
    }

    /// Those in the scope.
    fn setups(&self, scope: &Scope) -> impl Iterator<Item = &StudioSetup> {
        self.setups.iter().filter(move |setup| scope.includes(setup.organization_id))
    }

    fn setup(&self, scope: &Scope, name: &StudioName) -> Result<&StudioSetup> {
        self.setups(scope).find(|setup| setup.name == *name).ok_or(AppError::NotFound(KIND))
    }

    /// A configured studio as it is stored. Its row is made when it is first needed.
    async fn stored(&self, scope: &Scope, name: &StudioName) -> Result<(&StudioSetup, Studio)> {
        let setup = self.setup(scope, name)?;
        Ok((setup, self.row(&*self.core.store, setup).await?))
    }

    async fn row(&self, store: &dyn Store, setup: &StudioSetup) -> std::result::Result<Studio, StoreError> {
        let found = store.studio(&Scope::system(), &setup.name).await?;
        match found.filter(|studio| studio.organization_id == setup.organization_id) {
            Some(studio) => Ok(studio),
            None => store.open_studio(&setup.blank(StudioId(self.core.id()), self.core.now())).await,
        }
    }

    fn changed(&self) {
        self.core.wake_ups.send(WakeUp::Events);
        self.core.wake_ups.send(WakeUp::Studios);
    }
}

/// The snapshot of a supervisor that still runs.
fn fresh(snapshot: Option<&Snapshot>, now: Timestamp) -> Option<&Snapshot> {
    snapshot.filter(|snapshot| snapshot.is_fresh(now))
}

/// Up to when uptime is computed. While a supervisor runs, that is its last entry: the second since then is not unknown.
fn known_until(ledger: &Ledger, snapshot: Option<&Snapshot>, now: Timestamp) -> Timestamp {
    fresh(snapshot, now).and_then(|_| ledger.heartbeat()).map_or(now, |heartbeat| heartbeat.min(now))
}
