//! What plays when.

use std::time::Duration;

use super::draft::ScheduleDraft;
use super::{KIND, RESOURCE, Studios};
use crate::app::{AppError, Result};
use crate::domain::access::{Action, Actor};
use crate::domain::invalid::Checks;
use crate::domain::studio::{LONGEST_PREVIEW, Order, PlannedTime, Schedule, StudioName, TimeZone};
use crate::domain::{Invalid, Timestamp};
use crate::ports::Change;

/// The length of a preview without an end.
const PREVIEW: Duration = Duration::from_secs(86_400);

/// A studio's schedule.
#[derive(Clone, Debug)]
pub struct StudioSchedule {
    /// The schedule; an empty one if nobody set it.
    pub schedule: Schedule,
    /// Whether somebody set it.
    pub is_set: bool,
}

/// What plays in a time.
#[derive(Clone, Debug)]
pub struct SchedulePreview {
    /// When it begins.
    pub from: Timestamp,
    /// When it ends.
    pub to: Timestamp,
    /// Whose clock counts.
    pub time_zone: TimeZone,
    /// What plays, in order, without gaps.
    pub times: Vec<PlannedTime>,
}

impl Studios {
    /// Its schedule.
    pub async fn schedule(&self, actor: &Actor, name: &StudioName) -> Result<StudioSchedule> {
        let scope = actor.authorize(Action::Read, &RESOURCE)?;
        let (setup, studio) = self.stored(&scope, name).await?;
        let is_set = studio.schedule.is_some();
        let schedule = studio.schedule.unwrap_or_else(|| Schedule::empty(setup.settings.time_zone));
        Ok(StudioSchedule { schedule, is_set })
    }

    /// Replaces its schedule.
    pub async fn set_schedule(
        &self,
        actor: &Actor,
        name: &StudioName,
        draft: ScheduleDraft,
    ) -> Result<StudioSchedule> {
        let entry = self.core.entry(actor, "schedule", KIND).on(name);
        let stored = self
            .core
            .audited(&entry, async {
                let scope = actor.authorize(Action::Manage, &RESOURCE)?;
                let (setup, _) = self.stored(&scope, name).await?;
                let (schedule, reason) = draft.schedule(setup.settings.time_zone)?;
                let (order, by) = (Order::Schedule(schedule), Change::new(&scope, &entry));
                let done = self.core.store.order_studio(name, &order, reason.as_deref(), by).await?;
                done.and_then(|studio| studio.schedule).ok_or(AppError::NotFound(KIND))
            })
            .await?;
        self.changed();
        Ok(StudioSchedule { schedule: stored, is_set: true })
    }

    /// What plays from `from` to `to`: from now on, and for a day, without them.
    pub async fn preview(
        &self,
        actor: &Actor,
        name: &StudioName,
        from: Option<&str>,
        to: Option<&str>,
    ) -> Result<SchedulePreview> {
        let scope = actor.authorize(Action::Read, &RESOURCE)?;
        let (from, to) = self.span(from, to)?;
        let (setup, studio) = self.stored(&scope, name).await?;
        let library = self.core.store.studio_library(&scope, studio.id).await?;
        let schedule = studio.schedule.unwrap_or_else(|| Schedule::empty(setup.settings.time_zone));
        let times = schedule.preview(&library, from, to);
        Ok(SchedulePreview { from, to, time_zone: schedule.time_zone, times })
    }

    fn span(
        &self,
        from: Option<&str>,
        to: Option<&str>,
    ) -> std::result::Result<(Timestamp, Timestamp), Invalid> {
        let mut checks = Checks::default();
        let from = checks.take_opt(from.map(|text| time("from", text)));
        let to = checks.take_opt(to.map(|text| time("to", text)));
        checks.finish()?;
        let from = from.unwrap_or_else(|| self.core.now());
        let to = to.unwrap_or_else(|| from.plus(PREVIEW));
        if to <= from {
            return Err(Invalid::one("to", "must be after from"));
        }
        if to.since(from) > LONGEST_PREVIEW {
            return Err(Invalid::one("to", "must be at most 31 days after from"));
        }
        Ok((from, to))
    }
}

/// Reads a time.
pub(super) fn time(field: &str, text: &str) -> std::result::Result<Timestamp, Invalid> {
    text.parse().map_err(|rule: &str| Invalid::one(field, rule))
}
