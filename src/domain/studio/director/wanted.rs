//! The scene that is to be on air.

use std::time::Duration;

use crate::domain::studio::model::SceneName;
use crate::domain::studio::moment::Moment;
use crate::domain::studio::record::TransitionKind;

/// The scene that is to be on air.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) scene: SceneName,
    /// Whether it was on air since it is wanted.
    pub(super) is_confirmed: bool,
    pub(super) from: Option<SceneName>,
    pub(super) fade: Duration,
    pub(super) kind: TransitionKind,
    pub(super) noticed: Moment,
    pub(super) decided: Moment,
    pub(super) sent_at: Option<Moment>,
}
