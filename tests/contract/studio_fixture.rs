//! Studios to test with, and their history.

use serde_json::json;
use streamward::adapters::system::SystemIds;
use streamward::domain::access::Scope;
use streamward::domain::event::StudioEventDetails;
use streamward::domain::studio::{
    AgeRating, Alert, Arrival, Block, Cause, Check, CheckState, Checked, Choice, ConnectionStatus,
    ContentKind, ContentName, ContentSource, DecisionKind, Downtime, Drill, DrillId, DrillKind, DrillState,
    FailoverEvent, FailureKind, HealthSample, LinkState, Media, NowPlaying, OwnerSession, OwnerState, Paused,
    Preflight, Reason, Record, Rung, SceneName, ScenePurpose, Schedule, Snapshot, StreamSession, StreamState,
    StreamingStatus, Studio, StudioDecision, StudioDecisionId, StudioId, StudioName, Subject, Tier,
    Transition, TransitionKind, Verification,
};
use streamward::domain::{OrganizationId, Timestamp};
use streamward::ports::{IdGen as _, StudioReport};

use crate::fixture::{World, at};

pub(crate) fn name(text: &str) -> StudioName {
    StudioName::parse(text).unwrap()
}

pub(crate) fn content(text: &str) -> ContentName {
    ContentName::parse(text).unwrap()
}

/// A studio that was configured just now.
pub(crate) fn studio(called: &str, when: Timestamp) -> Studio {
    Studio {
        id: unknown(),
        organization_id: OrganizationId::DEFAULT,
        name: name(called),
        desired: None,
        desired_by: None,
        hold: None,
        schedule: None,
        created_at: when,
        updated_at: when,
    }
}

/// A studio that was never stored.
pub(crate) fn unknown() -> StudioId {
    StudioId(SystemIds.uuid())
}

pub(crate) fn schedule() -> Schedule {
    let block = Block {
        name: "The \"school\" röom".into(),
        from: "15:00".parse().unwrap(),
        to: "18:00".parse().unwrap(),
        days: vec![],
        age: AgeRating::Kids,
        kinds: vec![ContentKind::VideoFile],
    };
    let source = ContentSource {
        name: content("lesson"),
        media: Media::VideoFile { path: "/media/a.mp4".into() },
        age: AgeRating::AllAges,
        blocks: vec![block.name.clone()],
        tier: Tier::Premium,
        priority: 20,
        plays_for_seconds: Some(600),
    };
    Schedule { time_zone: "Asia/Kolkata".parse().unwrap(), blocks: vec![block], content: vec![source] }
}

pub(crate) fn snapshot(when: Timestamp) -> Snapshot {
    let check = Checked {
        check: Check::Network,
        state: CheckState::Failed,
        detail: "no \"route\"".into(),
        advice: "connect the cable".into(),
    };
    let playing = NowPlaying {
        name: "lesson".into(),
        kind: Some(ContentKind::VideoFile),
        place: "/media/a.mp4".into(),
        since: Some(when),
        length_ms: Some(90_000),
    };
    Snapshot {
        at: when,
        heartbeat: Some(when),
        link: LinkState::Connected,
        link_problem: None,
        obs_version: Some("32.0.1".into()),
        stream: StreamState::Live,
        streaming: StreamingStatus::Streaming,
        connection: ConnectionStatus::Degraded,
        far_end: Arrival::Low,
        far_end_kbps: Some(900),
        bitrate_kbps: 5_998.5,
        dropped_percent: 0.25,
        cpu_percent: 12.5,
        scene: Some("Automated Content".into()),
        purpose: Some(ScenePurpose::Automated),
        reason: Reason::Schedule,
        content: Some(playing),
        next: Some("break".into()),
        paused: Some(Paused { name: "film".into(), position_ms: 61_000 }),
        owner: OwnerState::Absent,
        rung: Rung::Failover,
        restarts: 2,
        alerts: vec![Alert::TechnicalDifficulties],
        preflight: Some(Preflight { at: when, checks: vec![check] }),
        nothing_to_play_at: Some(when),
    }
}

pub(crate) fn sample(when: Timestamp) -> HealthSample {
    HealthSample {
        at: when,
        bitrate_kbps: 6_000.0,
        dropped_percent: 0.5,
        cpu_percent: 20.0,
        scene: Some("Owner Live".into()),
        source: None,
        connection: ConnectionStatus::Connected,
        streaming: StreamingStatus::Streaming,
    }
}

pub(crate) fn decision(studio: StudioId, when: Timestamp) -> StudioDecision {
    let choice = Choice {
        subject: Subject::Scene,
        from: Some("Automated Content".into()),
        to: "Failover".into(),
        kind: DecisionKind::Failed,
        reason: Reason::ContentFailed,
        by: Some("ann".into()),
        numbers: json!({"failure": "unplayable", "item": "/media/ä.mp4", "attempts": 2})
            .as_object()
            .unwrap()
            .clone(),
    };
    StudioDecision { id: StudioDecisionId(SystemIds.uuid()), studio, at: when, choice }
}

pub(crate) fn drill(studio: StudioId, when: Timestamp) -> Drill {
    Drill {
        id: DrillId(SystemIds.uuid()),
        studio,
        kind: DrillKind::ObsHang,
        state: DrillState::Requested,
        by: "ann".into(),
        created_at: when,
        started_at: None,
        ended_at: None,
        report: None,
        error: None,
    }
}

pub(crate) fn session(began: i64, ended: Option<i64>) -> StreamSession {
    StreamSession { started_at: at(began), ended_at: ended.map(at) }
}

pub(crate) fn downtime(began: i64, ended: Option<i64>) -> Downtime {
    Downtime { started_at: at(began), ended_at: ended.map(at), cause: Cause::ObsCrash }
}

pub(crate) fn transition(when: Timestamp) -> Record {
    Record::Transition(Transition {
        kind: TransitionKind::ToOwner,
        from: Some("Automated Content".into()),
        to: "Owner Live".into(),
        noticed_at: when,
        decided_at: when,
        took_ms: 700,
        total_ms: 3_700,
    })
}

pub(crate) fn failover(when: Timestamp, ended: Option<Timestamp>) -> Record {
    Record::Failover(FailoverEvent {
        failed_at: when,
        kind: FailureKind::Timeout,
        item: "/media/a.mp4".into(),
        to: Rung::Failover,
        recovered_ms: ended.map(|_| 900),
        ended_at: ended,
    })
}

pub(crate) fn owner_session(when: Timestamp) -> Record {
    let interrupted = Some(content("lesson"));
    Record::OwnerSession(OwnerSession {
        started_at: when,
        ended_at: None,
        interrupted,
        position_ms: Some(30_000),
    })
}

pub(crate) fn verification(when: Timestamp, problem: Option<&str>) -> Verification {
    Verification { at: when, duration_ms: Some(90_000), problem: problem.map(ToOwned::to_owned) }
}

pub(crate) fn scene(text: &str) -> SceneName {
    SceneName::parse(text).unwrap()
}

impl World {
    /// A stored studio.
    pub(crate) async fn studio(&self, called: &str) -> Studio {
        self.store.open_studio(&studio(called, at(0))).await.unwrap()
    }

    pub(crate) async fn record_studio(&self, id: StudioId, report: &StudioReport, when: Timestamp) {
        self.store.record_studio(id, report, when).await.unwrap();
    }

    /// What the events about studios say, in order.
    pub(crate) async fn studio_events(&self) -> Vec<StudioEventDetails> {
        use streamward::domain::event::{EventBody, Topic};
        let rows = self.store.events_after(&Scope::system(), Some(Topic::Studio), 0, 1_000).await.unwrap();
        let details = rows.iter().map(|row| match row.decode().unwrap().body {
            EventBody::Studio(event) => event.details,
            other => panic!("{other:?} in the topic of studios"),
        });
        details.collect()
    }
}
