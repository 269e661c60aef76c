//! Events about studios.

use super::*;
use crate::domain::studio::{
    Alert, Cause, Check, Choice, DecisionKind, Desired, Downtime, LinkState, OrderKind, Reason,
    StreamSession, Studio, StudioDecision, StudioDecisionId, StudioId, StudioName, Subject,
};

const ID: StudioId = StudioId(Uuid::from_u128(8));

fn name() -> StudioName {
    StudioName::parse("main").unwrap()
}

fn decision() -> StudioDecision {
    let choice = Choice {
        subject: Subject::Scene,
        from: None,
        to: "Failover".into(),
        kind: DecisionKind::Done,
        reason: Reason::ContentFailed,
        by: Some("ann".into()),
        numbers: json!({"item": "/media/a.mp4"}).as_object().unwrap().clone(),
    };
    StudioDecision { id: StudioDecisionId(Uuid::from_u128(7)), studio: ID, at: AT, choice }
}

/// One of each kind, in the order of the kinds.
fn events() -> Vec<StudioEvent> {
    let (name, order) = (name(), OrderDetails { order: OrderKind::Drill, by: "ann".into(), reason: None });
    let of = (ID, &name);
    let stored = Studio {
        id: ID,
        organization_id: OWNER,
        name: name.clone(),
        desired: Some(Desired::OnAir),
        desired_by: None,
        hold: None,
        schedule: None,
        created_at: AT,
        updated_at: AT,
    };
    let downtime = Downtime { started_at: AT, ended_at: Some(AT), cause: Cause::ObsCrash };
    vec![
        StudioEvent::ordered(&stored, order),
        StudioEvent::decided(&name, &decision()),
        StudioEvent::session(of, StreamSession { started_at: AT, ended_at: None }),
        StudioEvent::downtime(of, downtime, true),
        StudioEvent::alert(of, Alert::HeldSceneIsBad, true),
        StudioEvent::preflight(of, vec![Check::Platform, Check::Network], false),
        StudioEvent::connection(of, LinkState::Unresponsive, Some("no \"answer\"".into())),
    ]
}

pub(super) fn bodies() -> impl Iterator<Item = EventBody> {
    let events = events();
    let kinds: Vec<_> = events.iter().map(|event| event.kind).collect();
    assert_eq!(kinds, StudioEventKind::VARIANTS);
    events.into_iter().map(EventBody::studio)
}

#[test]
fn stored_form_of_a_studio_does_not_change() {
    let (at, id) = ("1970-01-01T00:01:40Z", "00000000-0000-0000-0000-000000000008");
    let details = [
        ("order", json!({"order": "drill", "by": "ann", "reason": null})),
        (
            "decision",
            json!({"decision": "00000000-0000-0000-0000-000000000007", "subject": "scene", "from": null,
                "to": "Failover", "outcome": "done", "reason": "content_failed", "by": "ann",
                "numbers": {"item": "/media/a.mp4"}}),
        ),
        ("session", json!({"started_at": at, "ended_at": null})),
        ("downtime", json!({"started_at": at, "ended_at": at, "cause": "obs_crash", "is_withdrawn": true})),
        ("alert", json!({"alert": "held_scene_is_bad", "is_on": true})),
        ("preflight", json!({"has_passed": false, "failed": ["platform", "network"]})),
        ("connection", json!({"state": "unresponsive", "problem": "no \"answer\""})),
    ];
    let fields: Vec<&str> = details.iter().map(|(field, _)| *field).collect();
    for ((field, value), event) in details.iter().zip(events()) {
        let mut expected: serde_json::Map<String, Value> =
            fields.iter().map(|field| ((*field).to_owned(), Value::Null)).collect();
        expected.insert((*field).to_owned(), value.clone());
        let stored = EventBody::studio(event).stored(1, AT, OWNER);
        assert_eq!((stored.version, stored.subject), (1, ID.0));
        assert_eq!(stored.data, json!({"id": id, "name": "main", "details": expected}));
    }
}
