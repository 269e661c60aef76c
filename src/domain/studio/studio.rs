//! A studio as it is stored: what persons ordered.

use serde::{Deserialize, Serialize};

use super::decision::Reason;
use super::ids::StudioId;
use super::model::{Desired, Hold, StudioName};
use super::schedule::Schedule;
use super::words::words;
use crate::domain::id::id;
use crate::domain::{OrganizationId, Timestamp};

id!(/// Names a drill.
    DrillId);

/// A studio, and what persons ordered. How OBS is reached is in the configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Studio {
    /// Its identity.
    pub id: StudioId,
    /// Who owns it: `studios.<name>.organization` of the configuration.
    pub organization_id: OrganizationId,
    /// Its name in the configuration.
    pub name: StudioName,
    /// Whether it is to be on air; `None` if nobody ordered that yet (see [`Studio::desired`]).
    pub desired: Option<Desired>,
    /// Who ordered it.
    pub desired_by: Option<String>,
    /// A person's hold.
    pub hold: Option<Hold>,
    /// What plays when; `None` if nobody set it.
    pub schedule: Option<Schedule>,
    /// When it was first configured.
    pub created_at: Timestamp,
    /// When a person last ordered something.
    pub updated_at: Timestamp,
}

/// A person's order.
#[derive(Clone, Debug, PartialEq)]
pub enum Order {
    /// On air, as soon as the pre-flight checks pass.
    Start,
    /// Off air, until a person starts it.
    Stop,
    /// Leave the scene alone, or put this one on air and leave it.
    Hold(Hold),
    /// End the hold.
    Release,
    /// Play this.
    Schedule(Schedule),
}

words! {
    /// A person's order, in a word.
    OrderKind {
        /// It is to be on air.
        Start,
        /// It is to be off air.
        Stop,
        /// The scene is left alone.
        Hold,
        /// The hold ends.
        Release,
        /// The schedule is replaced.
        Schedule,
        /// A failure is tried out.
        Drill,
    }
}

impl Order {
    /// In a word.
    pub fn kind(&self) -> OrderKind {
        match self {
            Self::Start => OrderKind::Start,
            Self::Stop => OrderKind::Stop,
            Self::Hold(_) => OrderKind::Hold,
            Self::Release => OrderKind::Release,
            Self::Schedule(_) => OrderKind::Schedule,
        }
    }
}

impl Studio {
    /// One of the first organization that was just configured: nobody ordered anything yet.
    pub fn new(id: StudioId, name: StudioName, now: Timestamp) -> Self {
        let (created_at, updated_at) = (now, now);
        Self {
            id,
            organization_id: OrganizationId::DEFAULT,
            name,
            desired: None,
            desired_by: None,
            hold: None,
            schedule: None,
            created_at,
            updated_at,
        }
    }

    /// Whether it is to be on air. Until a person orders it, a studio with a platform starts by itself, and one without is
    /// only watched.
    pub fn desired(&self, has_platform: bool) -> Desired {
        self.desired.unwrap_or(if has_platform { Desired::OnAir } else { Desired::Stopped })
    }

    /// After an order of `by`.
    pub fn ordered(mut self, order: &Order, by: &str, at: Timestamp) -> Self {
        match order {
            Order::Start => (self.desired, self.desired_by) = (Some(Desired::OnAir), Some(by.to_owned())),
            Order::Stop => (self.desired, self.desired_by) = (Some(Desired::Stopped), Some(by.to_owned())),
            Order::Hold(hold) => self.hold = Some(hold.clone()),
            Order::Release => self.hold = None,
            Order::Schedule(schedule) => self.schedule = Some(schedule.clone()),
        }
        self.updated_at = at;
        self
    }
}

words! {
    /// A failure that is tried out.
    DrillKind {
        /// What plays is replaced by a file that does not exist.
        ContentFailure,
        /// OBS is frozen.
        ObsHang,
        /// The connection to the platform is ended.
        RtmpDrop,
    }
}

words! {
    /// Where a drill is.
    DrillState {
        /// It has not begun.
        Requested,
        /// The failure was made.
        Running,
        /// All is well again.
        Done,
        /// It could not be made, or nothing was well in time.
        Failed,
    }
}

/// A failure that a person tries out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drill {
    /// Its identity.
    pub id: DrillId,
    /// The studio.
    pub studio: StudioId,
    /// Which failure.
    pub kind: DrillKind,
    /// Where it is.
    pub state: DrillState,
    /// Who ordered it.
    pub by: String,
    /// When it was ordered.
    pub created_at: Timestamp,
    /// When the making of the failure began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// The times.
    pub report: Option<DrillReport>,
    /// Why it failed.
    pub error: Option<String>,
}

crate::domain::page::newest_first!(Drill, created_at);

impl Drill {
    /// Whether it has not ended.
    pub fn is_open(&self) -> bool {
        self.ended_at.is_none()
    }
}

/// The times of a drill, from the moment the making of the failure began, in milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrillReport {
    /// Until it was noticed.
    pub noticed_ms: Option<u64>,
    /// Until there was a good picture again.
    pub recovered_ms: Option<u64>,
    /// The reasons of what was decided meanwhile, in order.
    pub reasons: Vec<Reason>,
}
