//! The checks of `streamward doctor`, and the configuration, for the page.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use super::{AppError, Core, Result};
use crate::domain::Timestamp;
use crate::domain::access::{Action, Actor, Resource, Role};
use crate::domain::finding::{Finding, Severity};
use crate::ports::{EffectiveConfiguration, Examiner};

const RESOURCE: Resource = Resource::read_by(Role::Operator).of_installation();
/// It names files, addresses and everything else that is configured.
const CONFIGURATION: Resource = Resource::read_by(Role::Admin).of_installation();

/// How long a result is given to those who ask again.
const FRESH: Duration = Duration::from_secs(5);

/// What the checks found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Examination {
    /// When they began.
    pub at: Timestamp,
    /// One for each check.
    pub findings: Vec<Finding>,
}

impl Examination {
    /// The worst of all findings.
    pub fn severity(&self) -> Severity {
        self.findings.iter().map(|finding| finding.severity).max().unwrap_or(Severity::Good)
    }
}

/// Checks this installation.
pub struct Doctor {
    core: Arc<Core>,
    examiner: Option<Arc<dyn Examiner>>,
    /// Locked while the checks run, so that they run once, however many ask.
    last: Mutex<Option<(Instant, Arc<Examination>)>>,
}

impl Doctor {
    /// Without an examiner, nothing can be checked.
    pub fn new(core: Arc<Core>, examiner: Option<Arc<dyn Examiner>>) -> Self {
        Self { core, examiner, last: Mutex::default() }
    }

    /// Makes the checks, or returns what they found a moment ago.
    pub async fn examine(&self, actor: &Actor) -> Result<Arc<Examination>> {
        actor.authorize(Action::Read, &RESOURCE)?;
        let mut last = self.last.lock().await;
        if let Some((_, known)) = last.as_ref().filter(|(made, _)| made.elapsed() < FRESH) {
            return Ok(Arc::clone(known));
        }
        let at = self.core.now();
        let findings = self.examiner()?.examine().await;
        let examination = Arc::new(Examination { at, findings });
        *last = Some((Instant::now(), Arc::clone(&examination)));
        Ok(examination)
    }

    /// The configuration of this instance.
    pub fn configuration(&self, actor: &Actor) -> Result<EffectiveConfiguration> {
        actor.authorize(Action::Read, &CONFIGURATION)?;
        Ok(self.examiner()?.configuration())
    }

    fn examiner(&self) -> Result<&Arc<dyn Examiner>> {
        self.examiner.as_ref().ok_or(AppError::NotFound("running service"))
    }
}
