//! The content of a studio, and whether it was found playable.

use std::time::Duration;

use super::{RESOURCE, Studios};
use crate::app::Result;
use crate::domain::access::{Action, Actor};
use crate::domain::studio::{ContentSource, StudioName, Verification};

/// A source of content.
#[derive(Clone, Debug)]
pub struct LibraryEntry {
    /// The source.
    pub source: ContentSource,
    /// What verifying it last found; `None` if it was not verified.
    pub verification: Option<Verification>,
    /// Whether it has to be verified.
    pub is_due: bool,
    /// Whether it may be played.
    pub is_playable: bool,
    /// How long it plays; `None` if that is not known or has no end.
    pub plays_for: Option<Duration>,
}

impl Studios {
    /// The content of its schedule, in the order of the schedule.
    pub async fn library(&self, actor: &Actor, name: &StudioName) -> Result<Vec<LibraryEntry>> {
        let scope = actor.authorize(Action::Read, &RESOURCE)?;
        let (_, studio) = self.stored(&scope, name).await?;
        let library = self.core.store.studio_library(&scope, studio.id).await?;
        let now = self.core.now();
        let entry = |source: ContentSource| LibraryEntry {
            verification: library.get(&source.name).cloned(),
            is_due: library.is_due(&source, now),
            is_playable: library.is_playable(&source),
            plays_for: library.duration(&source),
            source,
        };
        Ok(studio.schedule.map(|it| it.content).unwrap_or_default().into_iter().map(entry).collect())
    }
}
