//! Studios: one OBS that is on air around the clock, unattended.
//!
//! The [`Director`] decides what is on air, from what is seen of OBS, the [`Schedule`], the owner and a person's orders. The
//! [`Ledger`] keeps the downtime, from which [`Uptime`] is computed.

mod block;
mod content;
mod decision;
mod director;
mod downtime;
mod failover;
mod far_end;
mod ids;
mod ledger;
mod link;
mod metrics;
mod model;
mod moment;
mod observation;
mod output;
mod owner;
mod picture;
mod playout;
mod preflight;
mod record;
mod restart;
mod schedule;
mod settings;
mod snapshot;
#[expect(clippy::module_inception, reason = "it is a studio")]
mod studio;
mod words;

pub use super::local_time::{Day, TimeOfDay, TimeZone};
pub use block::Block;
pub use content::{
    AgeRating, ContentKind, ContentName, ContentSource, Library, Media, Tier, VERIFY_AGAIN_AFTER,
    Verification,
};
pub use decision::{Choice, DecisionKind, Reason, StudioDecision, StudioDecisionId, Subject};
pub use director::{Alert, Change, Command, Director, Step, StudioStatus};
pub use downtime::{Budget, Cause, Downtime, StreamSession, TARGET_PERCENT, TARGET_SECONDS, Uptime};
pub use failover::{FailureKind, Rung};
pub use far_end::Arrival;
pub use ids::StudioId;
pub use ledger::{Ledger, LedgerChange, OnAir};
pub use link::LinkState;
pub use metrics::{
    ConnectionStatus, FAILOVER_WITHIN, HealthSample, Meter, OWNER_WITHIN, Rates, StreamingStatus, Summary,
};
pub use model::{Desired, Hold, SceneName, ScenePurpose, Scenes, SourceName, StudioName};
pub use moment::Moment;
pub use observation::{FarEndReport, Observation, OwnerSignal, StreamEvent, StreamSample, Turn};
pub use output::StreamState;
pub use owner::{GOING_LIVE_SOON_AT_MOST, OwnerState};
pub use playout::{Item, Play};
pub use preflight::{
    Check, CheckState, Checked, FailoverFound, Findings, NetworkFound, ObsFound, PlatformFound, Preflight,
    RETRY, ScenesFound,
};
pub use record::{FailoverEvent, OwnerSession, Record, RecordKind, Transition, TransitionKind};
pub use restart::ATTEMPTS;
pub use schedule::{LONGEST_PREVIEW, PlannedTime, Schedule};
pub use settings::{Detection, FarEndSettings, HealthSettings, OwnerSettings, StudioSettings, VideoSettings};
pub use snapshot::{NowPlaying, Paused, Snapshot};
pub use studio::{Drill, DrillId, DrillKind, DrillReport, DrillState, Order, OrderKind, Studio};
