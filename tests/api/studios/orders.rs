//! Orders: start, stop, hold, release, scene, drills.

use rstest_reuse::apply;
use serde_json::{Value, json};
use streamward::domain::access::Scope;
use streamward::domain::page::Page;
use streamward::domain::studio::{Drill, DrillReport, DrillState, Reason};
use streamward::ports::{Clock as _, StudioReport};

use super::{app, report, stored, supervise};
use crate::harness::{Answer, Engine, Reader, TestApp, every_engine};

async fn order(app: &TestApp, what: &str, body: Value) -> Answer {
    app.as_operator().post(&format!("/studios/main/{what}")).json(body).await
}

#[apply(every_engine)]
#[tokio::test]
async fn orders_are_carried_out_recorded_and_announced(#[case] engine: Engine) {
    let app = app(engine).await;
    let mut reader = Reader::open(app.as_viewer().get("/studios/events")).await;
    let before = app.as_viewer().get("/studios/main").await.assert_status(200).json();
    assert_eq!((&before["desired"], before.get("desired_by")), (&json!("on_air"), None));

    let stopped = order(&app, "stop", json!({"reason": "power supply"})).await.assert_status(200).json();
    assert_eq!((&stopped["desired"], &stopped["desired_by"]), (&json!("stopped"), &json!("token:operator")));
    let event = reader.next().await;
    assert_eq!((event.event.as_str(), &event.data["studio"]), ("studio.ordered", &json!("main")));
    let expected = json!({"order": "stop", "by": "token:operator", "reason": "power supply"});
    assert_eq!(event.data["order"], expected);

    let held = order(&app, "hold", json!({"reason": "a guest", "for_seconds": 60})).await.assert_status(200);
    assert_eq!(
        (held.text("/hold/by"), held.text("/hold/reason")),
        ("token:operator".into(), "a guest".into())
    );
    assert_eq!(held.json()["hold"].get("scene"), None);
    let scene =
        order(&app, "scene", json!({"scene": "owner", "reason": "live now"})).await.assert_status(200);
    assert_eq!(scene.text("/hold/scene"), "Owner Live");
    assert_eq!(scene.json()["hold"].get("until"), None, "it holds until somebody releases it");
    let other = order(&app, "scene", json!({"scene": "Guests", "reason": "x", "for_seconds": 60})).await;
    assert_eq!(other.assert_status(200).text("/hold/scene"), "Guests");
    app.clock.advance(std::time::Duration::from_secs(61));
    let expired = app.as_viewer().get("/studios/main").await.json();
    assert_eq!(expired.get("hold"), None, "the hold has ended by itself");

    order(&app, "hold", json!({"reason": "y"})).await.assert_status(200);
    let released = order(&app, "release", json!({"reason": "over"})).await.assert_status(200).json();
    assert_eq!(released.get("hold"), None);
    let started = order(&app, "start", json!({"reason": "back"})).await.assert_status(200).json();
    assert_eq!(started["desired"], "on_air");

    let actions: Vec<Value> = app.audit("resource_type=studio").await;
    let words: Vec<&str> = actions.iter().filter_map(|entry| entry["action"].as_str()).collect();
    assert_eq!(words, ["start", "release", "hold", "scene", "scene", "hold", "stop"]);
    assert!(actions.iter().all(|entry| entry["resource_id"] == "main" && entry["outcome"] == "success"));
}

#[tokio::test]
async fn orders_need_the_operator_and_a_reason() {
    let app = app(Engine::Memory).await;
    for what in ["start", "stop", "hold", "release", "scene", "drills"] {
        let path = format!("/studios/main/{what}");
        app.as_viewer().post(&path).json(json!({"reason": "x"})).await.assert_status(403);
        app.as_nobody().post(&path).json(json!({"reason": "x"})).await.assert_status(401);
    }
    for what in ["start", "stop", "hold", "release"] {
        order(&app, what, json!({})).await.assert_refuses(&["reason"]);
        order(&app, what, json!({"reason": ""})).await.assert_refuses(&["reason"]);
    }
    for (body, field) in [
        (json!({"scene": "", "reason": "x"}), "scene"),
        (json!({"scene": "A", "reason": "x", "until": "tomorrow"}), "until"),
        (json!({"scene": "A", "reason": "x", "until": "2020-01-01T00:00:00Z"}), "until"),
        (json!({"scene": "A", "reason": "x", "until": "2020-01-01T00:00:00Z", "for_seconds": 5}), "until"),
        (json!({"scene": "A", "reason": "x", "for_seconds": 0}), "for_seconds"),
        (json!({"scene": "A", "reason": "x", "for_seconds": 9_999_999}), "for_seconds"),
        (json!({"scene": "A", "reason": "x", "for": 5}), "for"),
    ] {
        order(&app, "scene", body).await.assert_refuses(&[field]);
    }
    order(&app, "drills", json!({"kind": "fire"})).await.assert_refuses(&["kind"]);
    let untouched = app.as_viewer().get("/studios/main").await.json();
    assert_eq!((untouched.get("hold"), untouched.get("desired_by")), (None, None));
    let refused = app.audit("resource_type=studio").await;
    assert!(!refused.is_empty() && refused.iter().all(|entry| entry["outcome"] == "failure"));
}

#[tokio::test]
async fn studio_without_a_platform_is_watched_only() {
    let app = app(Engine::Memory).await;
    let plain = app.as_viewer().get("/studios/plain").await.assert_status(200).json();
    assert_eq!((&plain["desired"], &plain["has_platform"]), (&json!("stopped"), &json!(false)));
    let start = app.as_operator().post("/studios/plain/start").json(json!({"reason": "x"})).await;
    let refused = start.assert_status(409).assert_problem("studio-without-platform");
    assert!(refused.text("/detail").contains("studios.plain.platform.url"), "{refused:?}");
}

#[apply(every_engine)]
#[tokio::test]
async fn drill_is_requested_once_and_reports_its_times(#[case] engine: Engine) {
    let app = app(engine).await;
    let content = json!({"kind": "content_failure"});
    order(&app, "drills", content.clone()).await.assert_status(409).assert_problem("studio-not-supervised");
    supervise(&app).await;
    order(&app, "drills", json!({"kind": "rtmp_drop"}))
        .await
        .assert_status(409)
        .assert_problem("drill-not-possible");
    let made = order(&app, "drills", content.clone()).await.assert_status(201);
    assert_eq!((made.text("/kind"), made.text("/state")), ("content_failure".into(), "requested".into()));
    order(&app, "drills", content).await.assert_status(409).assert_problem("drill-open");

    let (store, id) = stored(&app).await;
    let page = Page::default();
    let mut drill: Drill = store.drills(&Scope::system(), id, &page).await.expect("read").remove(0);
    let now = app.clock.now();
    (drill.state, drill.started_at, drill.ended_at) = (DrillState::Done, Some(now), Some(now));
    drill.report = Some(DrillReport {
        noticed_ms: Some(310),
        recovered_ms: Some(1_250),
        reasons: vec![Reason::ContentFailed],
    });
    report(&app, &StudioReport { drill: Some(drill), ..StudioReport::default() }).await;
    let read = app.as_viewer().get(&made.header("location")).await.assert_status(200).json();
    let expected = json!({"noticed_ms": 310, "recovered_ms": 1250, "reasons": ["content_failed"]});
    assert_eq!((&read["state"], &read["report"]), (&json!("done"), &expected));
    let list = app.as_viewer().get("/studios/main/drills").await.assert_status(200).json();
    assert_eq!((&list["count"], &list["drills"][0]["id"]), (&json!(1), &read["id"]));
    let unknown = "/studios/main/drills/01890000-0000-7000-8000-000000000000";
    app.as_viewer().get(unknown).await.assert_status(404);
    app.as_viewer().get("/studios/main/drills/x").await.assert_refuses(&["drill_id"]);
}
