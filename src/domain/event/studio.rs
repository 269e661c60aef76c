//! Events about studios. They hold no secret.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use strum::{EnumString, IntoStaticStr, VariantArray};
use uuid::Uuid;

use super::stored::{StoredEvent, UnreadableEvent};
use crate::domain::studio::{
    Alert, Check, DecisionKind, Downtime, LinkState, OrderKind, Reason, StreamSession, Studio,
    StudioDecision, StudioId, StudioName, Subject,
};

/// What happened to a studio.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumString, IntoStaticStr, VariantArray)]
pub enum StudioEventKind {
    /// A person ordered something.
    #[strum(serialize = "studio.ordered")]
    Ordered,
    /// Something was decided.
    #[strum(serialize = "studio.decided")]
    Decided,
    /// A session on air began or ended.
    #[strum(serialize = "studio.session")]
    Session,
    /// A downtime began or ended, or was withdrawn.
    #[strum(serialize = "studio.downtime")]
    Downtime,
    /// A person has to know something, or it is over.
    #[strum(serialize = "studio.alert")]
    Alert,
    /// The result of the pre-flight checks changed.
    #[strum(serialize = "studio.preflight")]
    Preflight,
    /// The connection to OBS changed.
    #[strum(serialize = "studio.connection")]
    Connection,
}

/// An event about a studio.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StudioEvent {
    /// What happened.
    pub kind: StudioEventKind,
    /// The studio.
    pub id: StudioId,
    /// Its name.
    pub name: StudioName,
    /// More about it.
    pub details: StudioEventDetails,
}

/// What more an event about a studio says. Each is there for its kind of event only.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StudioEventDetails {
    /// A person's order.
    pub order: Option<OrderDetails>,
    /// What was decided.
    pub decision: Option<DecisionDetails>,
    /// The session.
    pub session: Option<StreamSession>,
    /// The downtime.
    pub downtime: Option<DowntimeDetails>,
    /// What a person has to know.
    pub alert: Option<AlertDetails>,
    /// The pre-flight checks.
    pub preflight: Option<PreflightDetails>,
    /// The connection to OBS.
    pub connection: Option<ConnectionDetails>,
}

/// A person's order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderDetails {
    /// Which.
    pub order: OrderKind,
    /// Who.
    pub by: String,
    /// Why, in that person's words.
    pub reason: Option<String>,
}

/// What was decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionDetails {
    /// Its id.
    pub decision: Uuid,
    /// What it is about.
    pub subject: Subject,
    /// What was there before.
    pub from: Option<String>,
    /// What is to be there.
    pub to: String,
    /// What became of it.
    pub outcome: DecisionKind,
    /// Why.
    pub reason: Reason,
    /// The person who ordered it.
    pub by: Option<String>,
    /// The figures behind it.
    pub numbers: Map<String, Value>,
}

/// A downtime.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DowntimeDetails {
    /// The downtime.
    #[serde(flatten)]
    pub downtime: Downtime,
    /// Whether there was none: OBS proved that it streamed.
    pub is_withdrawn: bool,
}

/// What a person has to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertDetails {
    /// What.
    pub alert: Alert,
    /// Whether it is so now, or is over.
    pub is_on: bool,
}

/// The result of the pre-flight checks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreflightDetails {
    /// Whether all passed.
    pub has_passed: bool,
    /// Those that failed.
    pub failed: Vec<Check>,
}

/// The connection to OBS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionDetails {
    /// Its state.
    pub state: LinkState,
    /// Why there is none.
    pub problem: Option<String>,
}

pub(super) const VERSION: i64 = 1;

/// The stored form, version 1.
#[derive(Deserialize)]
struct StudioV1 {
    id: StudioId,
    name: StudioName,
    details: StudioEventDetails,
}

impl StudioEvent {
    fn new(kind: StudioEventKind, (id, name): (StudioId, &StudioName), details: StudioEventDetails) -> Self {
        Self { kind, id, name: name.clone(), details }
    }

    /// A person ordered something.
    pub fn ordered(studio: &Studio, order: OrderDetails) -> Self {
        let details = StudioEventDetails { order: Some(order), ..StudioEventDetails::default() };
        Self::new(StudioEventKind::Ordered, (studio.id, &studio.name), details)
    }

    /// Something was decided.
    pub fn decided(name: &StudioName, decision: &StudioDecision) -> Self {
        let choice = decision.choice.clone();
        let decided = DecisionDetails {
            decision: decision.id.0,
            subject: choice.subject,
            from: choice.from,
            to: choice.to,
            outcome: choice.kind,
            reason: choice.reason,
            by: choice.by,
            numbers: choice.numbers,
        };
        let details = StudioEventDetails { decision: Some(decided), ..StudioEventDetails::default() };
        Self::new(StudioEventKind::Decided, (decision.studio, name), details)
    }

    /// A session began or ended.
    pub fn session(studio: (StudioId, &StudioName), session: StreamSession) -> Self {
        let details = StudioEventDetails { session: Some(session), ..StudioEventDetails::default() };
        Self::new(StudioEventKind::Session, studio, details)
    }

    /// A downtime began, ended or was withdrawn.
    pub fn downtime(studio: (StudioId, &StudioName), downtime: Downtime, is_withdrawn: bool) -> Self {
        let downtime = Some(DowntimeDetails { downtime, is_withdrawn });
        let details = StudioEventDetails { downtime, ..StudioEventDetails::default() };
        Self::new(StudioEventKind::Downtime, studio, details)
    }

    /// A person has to know something, or it is over.
    pub fn alert(studio: (StudioId, &StudioName), alert: Alert, is_on: bool) -> Self {
        let alert = Some(AlertDetails { alert, is_on });
        let details = StudioEventDetails { alert, ..StudioEventDetails::default() };
        Self::new(StudioEventKind::Alert, studio, details)
    }

    /// The result of the pre-flight checks changed.
    pub fn preflight(studio: (StudioId, &StudioName), failed: Vec<Check>, has_passed: bool) -> Self {
        let preflight = Some(PreflightDetails { has_passed, failed });
        let details = StudioEventDetails { preflight, ..StudioEventDetails::default() };
        Self::new(StudioEventKind::Preflight, studio, details)
    }

    /// The connection to OBS changed.
    pub fn connection(studio: (StudioId, &StudioName), state: LinkState, problem: Option<String>) -> Self {
        let connection = Some(ConnectionDetails { state, problem });
        let details = StudioEventDetails { connection, ..StudioEventDetails::default() };
        Self::new(StudioEventKind::Connection, studio, details)
    }

    pub(super) fn data(&self) -> Value {
        json!({ "id": self.id, "name": self.name, "details": self.details })
    }

    pub(super) fn from_stored(stored: &StoredEvent) -> Result<Self, UnreadableEvent> {
        let (kind, StudioV1 { id, name, details }) = stored.read(VERSION)?;
        Ok(Self { kind, id, name, details })
    }
}
