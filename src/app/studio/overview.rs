//! What is known of a studio at one moment.

use std::time::Duration;

use async_trait::async_trait;

use super::{RESOURCE, StudioSetup, Studios, fresh, known_until};
use crate::app::Result;
use crate::app::list::List;
use crate::domain::Timestamp;
use crate::domain::access::{Action, Actor, Scope};
use crate::domain::page::{Page, Placed};
use crate::domain::studio::{
    Alert, Desired, Hold, Preflight, Snapshot, StreamSession, Studio, StudioName, TimeZone, Uptime,
};
use crate::ports::{Store, StoreError};

/// The period that the promise is about.
pub(super) const WEEK: Duration = Duration::from_secs(7 * 86_400);

/// A studio: what persons ordered, and what its supervisor sees.
#[derive(Clone, Debug)]
pub struct StudioOverview {
    /// What persons ordered.
    pub studio: Studio,
    /// Whether it is to be on air.
    pub desired: Desired,
    /// Whether a platform is configured.
    pub has_platform: bool,
    /// Whether Streamward can start and end OBS.
    pub can_restart: bool,
    /// Whose clock the schedule goes by.
    pub time_zone: TimeZone,
    /// What its supervisor last saw; `None` if it never ran.
    pub snapshot: Option<Snapshot>,
    /// Whether an instance supervises it now.
    pub is_supervised: bool,
    /// The session on air that lasts.
    pub session: Option<StreamSession>,
    /// Uptime of the last seven days.
    pub uptime: Uptime,
    /// When all this was read.
    pub at: Timestamp,
}

impl StudioOverview {
    /// The hold that lasts.
    pub fn hold(&self) -> Option<&Hold> {
        self.studio.hold.as_ref().filter(|hold| !hold.has_expired(self.at))
    }

    /// What its supervisor sees now; `None` if there is none.
    pub fn now(&self) -> Option<&Snapshot> {
        fresh(self.snapshot.as_ref(), self.at)
    }
}

impl Placed for StudioOverview {
    type Place = StudioName;

    fn place(&self) -> StudioName {
        self.studio.name.clone()
    }
}

/// What is wrong with a studio, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StudioProblem {
    /// Its name.
    pub studio: StudioName,
    /// What is wrong, and what to do.
    pub problem: String,
}

impl Studios {
    /// One studio.
    pub async fn get(&self, actor: &Actor, name: &StudioName) -> Result<StudioOverview> {
        let scope = actor.authorize(Action::Read, &RESOURCE)?;
        Ok(self.overview(&*self.core.store, &scope, self.setup(&scope, name)?).await?)
    }

    /// All studios, by name.
    pub async fn all(&self, actor: &Actor) -> Result<Vec<StudioOverview>> {
        self.list(actor, &(), &Page::default()).await
    }

    pub(super) async fn overview(
        &self,
        store: &dyn Store,
        scope: &Scope,
        setup: &StudioSetup,
    ) -> std::result::Result<StudioOverview, StoreError> {
        let studio = self.row(store, setup).await?;
        let snapshot = store.studio_snapshot(scope, studio.id).await?;
        let since = self.core.now().minus(WEEK);
        let ledger = store.studio_ledger(scope, studio.id, since).await?;
        let at = self.core.now();
        Ok(StudioOverview {
            desired: studio.desired(setup.platform.is_some()),
            has_platform: setup.platform.is_some(),
            can_restart: setup.launcher.is_some(),
            time_zone: studio.schedule.as_ref().map_or(setup.settings.time_zone, |it| it.time_zone),
            is_supervised: fresh(snapshot.as_ref(), at).is_some(),
            session: ledger.session(),
            uptime: ledger.uptime(known_until(&ledger, snapshot.as_ref(), at), WEEK),
            snapshot,
            studio,
            at,
        })
    }

    /// How many studios are configured, and what is wrong with them.
    pub async fn problems(&self) -> std::result::Result<(usize, Vec<StudioProblem>), StoreError> {
        let mut problems = Vec::new();
        for setup in &self.setups {
            let studio = self.row(&*self.core.store, setup).await?;
            let snapshot = self.core.store.studio_snapshot(&Scope::system(), studio.id).await?;
            let found = match fresh(snapshot.as_ref(), self.core.now()) {
                None => vec!["no instance supervises it: see `studio:…` in /tasks".to_owned()],
                Some(now) => problems_of(&studio, now, setup),
            };
            let name = &setup.name;
            problems.extend(found.into_iter().map(|problem| StudioProblem { studio: name.clone(), problem }));
        }
        Ok((self.setups.len(), problems))
    }
}

fn problems_of(studio: &Studio, now: &Snapshot, setup: &StudioSetup) -> Vec<String> {
    let mut found: Vec<String> = now.alerts.iter().map(|alert| words(*alert).to_owned()).collect();
    if studio.desired(setup.platform.is_some()) == Desired::OnAir {
        let checks = now.preflight.iter().flat_map(Preflight::failed);
        found.extend(checks.map(|check| format!("{}: {} {}", check.check, check.detail, check.advice)));
    }
    if let Some(at) = now.nothing_to_play_at {
        found.push(format!("from {at} on nothing in its schedule can be played: change the schedule"));
    }
    found
}

/// What an alert means, for people.
fn words(alert: Alert) -> &'static str {
    match alert {
        Alert::ObsUnreachable => "OBS cannot be reached",
        Alert::RestartsFailed => "OBS was restarted three times without success; it is restarted on",
        Alert::TechnicalDifficulties => "content and failover content failed",
        Alert::HeldSceneIsBad => "the scene that a person holds is black or silent",
        Alert::StoppedInObs => "the stream was stopped in OBS; it is started again",
    }
}

#[async_trait]
impl List for Studios {
    type Filter = ();
    type Row = StudioOverview;

    /// By name.
    async fn list(&self, actor: &Actor, (): &(), page: &Page<StudioName>) -> Result<Vec<StudioOverview>> {
        let scope = actor.authorize(Action::Read, &RESOURCE)?;
        let after = |setup: &&StudioSetup| page.after.as_ref().is_none_or(|after| setup.name > *after);
        let limit = page.limit.map_or(usize::MAX, |limit| limit as usize);
        let turn = self.core.lists.turn().await;
        let mut found = Vec::new();
        for setup in self.setups(&scope).filter(after).take(limit) {
            found.push(self.overview(&*turn, &scope, setup).await?);
        }
        Ok(found)
    }
}
