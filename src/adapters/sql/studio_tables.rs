//! The columns of studios and of their history.

use super::row::{Record, Row};
use crate::domain::Timestamp;
use crate::domain::studio::{
    Cause, Choice, ContentName, DecisionKind, Desired, Downtime, Drill, DrillId, DrillKind, DrillReport,
    DrillState, HealthSample, Hold, Reason, Record as StudioRecord, RecordKind, Schedule, Snapshot,
    StreamSession, Studio, StudioDecision, StudioDecisionId, StudioId, StudioName, Subject, Verification,
};

ids!(DrillId, StudioDecisionId, StudioId);
texts!(ContentName, StudioName);
words!(Cause, DecisionKind, Desired, DrillKind, DrillState, Reason, RecordKind, Subject);
as_json!(DrillReport, HealthSample, Hold, Schedule, Snapshot, StudioRecord, Verification);

table! {
    studios: Studio {
        id uuid, organization_id uuid, name text, desired text, desired_by text, hold text, schedule text,
        created_at int, updated_at int,
    }
}

table! {
    studio_drills: Drill {
        id uuid, studio uuid as studio_id, kind text, state text, by text as ordered_by, created_at int,
        started_at int, ended_at int, report text, error text,
    }
}

table! {
    studio_sessions: StreamSession { started_at int, ended_at int } extra { studio_id uuid }
}

table! {
    studio_downtimes: Downtime { started_at int, ended_at int, cause text } extra { studio_id uuid }
}

table! {
    studio_decisions: StudioDecision {
        id uuid, studio uuid as studio_id, at int;
        choice: struct Choice {
            subject text, from text as from_value, to text as to_value, kind text, reason text, by text as ordered_by,
            numbers text,
        },
    }
}

/// What a supervisor last saw.
pub(super) struct StoredSnapshot {
    pub(super) studio_id: StudioId,
    pub(super) at: Timestamp,
    pub(super) heartbeat: Option<Timestamp>,
    pub(super) snapshot: Snapshot,
}

table! {
    studio_snapshots: StoredSnapshot { studio_id uuid, at int, heartbeat int, snapshot text }
}

/// What happened in a studio.
pub(super) struct StoredRecord {
    pub(super) studio_id: StudioId,
    pub(super) kind: RecordKind,
    pub(super) began_at: Timestamp,
    pub(super) record: StudioRecord,
}

table! {
    studio_records: StoredRecord { studio_id uuid, kind text, began_at int, record text }
}

/// The health of a studio at a moment.
pub(super) struct StoredSample {
    pub(super) studio_id: StudioId,
    pub(super) at: Timestamp,
    pub(super) sample: HealthSample,
}

table! {
    studio_samples: StoredSample { studio_id uuid, at int, sample text }
}

/// What verifying content of a studio found.
pub(super) struct StoredVerification {
    pub(super) studio_id: StudioId,
    pub(super) content: ContentName,
    pub(super) verification: Verification,
}

table! {
    studio_verifications: StoredVerification { studio_id uuid, content text, verification text }
}

/// Content, and what verifying it found.
impl Record for (ContentName, Verification) {
    fn read(row: &Row<'_>) -> Result<Self, sqlx::Error> {
        Ok((row.get("content")?, row.get("verification")?))
    }
}
