//! Drills: failures that a person tries out.

use std::sync::Arc;

use async_trait::async_trait;

use super::{KIND, RESOURCE, StudioSetup, Studios, fresh};
use crate::app::error::Conflict;
use crate::app::list::List;
use crate::app::{AppError, Result};
use crate::domain::access::{Action, Actor};
use crate::domain::page::{Newest, Page};
use crate::domain::studio::{Drill, DrillId, DrillKind, DrillState, StudioName};
use crate::ports::{Change, DrillCreation};

impl Studios {
    /// Requests a drill. Its supervisor makes the failure, and reports the times.
    pub async fn drill(&self, actor: &Actor, name: &StudioName, kind: DrillKind) -> Result<Drill> {
        let entry = self.core.entry(actor, "drill", KIND).on(name);
        let drill = self
            .core
            .audited(&entry, async {
                let scope = actor.authorize(Action::Operate, &RESOURCE)?;
                let (setup, studio) = self.stored(&scope, name).await?;
                require(setup, kind)?;
                let snapshot = self.core.store.studio_snapshot(&scope, studio.id).await?;
                if fresh(snapshot.as_ref(), self.core.now()).is_none() {
                    return Err(Conflict::StudioNotSupervised.into());
                }
                let drill = Drill {
                    id: DrillId(self.core.id()),
                    studio: studio.id,
                    kind,
                    state: DrillState::Requested,
                    by: actor.name.clone(),
                    created_at: self.core.now(),
                    started_at: None,
                    ended_at: None,
                    report: None,
                    error: None,
                };
                match self.core.store.create_drill(&drill, Change::new(&scope, &entry)).await? {
                    DrillCreation::Created => Ok(drill),
                    DrillCreation::NotFound => Err(AppError::NotFound(KIND)),
                    DrillCreation::Busy => Err(Conflict::DrillOpen.into()),
                }
            })
            .await?;
        self.changed();
        Ok(drill)
    }

    /// One drill, with its report when it is done.
    pub async fn read_drill(&self, actor: &Actor, name: &StudioName, id: DrillId) -> Result<Drill> {
        let scope = actor.authorize(Action::Read, &RESOURCE)?;
        let (_, studio) = self.stored(&scope, name).await?;
        let drills = self.core.store.drills(&scope, studio.id, &Page::default()).await?;
        drills.into_iter().find(|drill| drill.id == id).ok_or(AppError::NotFound("drill"))
    }
}

/// Refuses a failure that cannot be made here.
fn require(setup: &StudioSetup, kind: DrillKind) -> Result<()> {
    let missing = match kind {
        DrillKind::ObsHang if setup.launcher.is_none() => "launch",
        DrillKind::RtmpDrop if setup.arrival.is_none() => "probe",
        DrillKind::ContentFailure | DrillKind::ObsHang | DrillKind::RtmpDrop => return Ok(()),
    };
    Err(Conflict::DrillNeeds(format!("studios.{}.{missing}", setup.name)).into())
}

/// The drills of studios.
pub struct Drills(pub Arc<Studios>);

#[async_trait]
impl List for Drills {
    type Filter = StudioName;
    type Row = Drill;

    /// Those of one studio, newest first.
    async fn list(&self, actor: &Actor, of: &StudioName, page: &Page<Newest>) -> Result<Vec<Drill>> {
        let scope = actor.authorize(Action::Read, &RESOURCE)?;
        let (_, studio) = self.0.stored(&scope, of).await?;
        Ok(self.0.core.lists.turn().await.drills(&scope, studio.id, page).await?)
    }
}
