//! What everybody may read.

use std::time::Duration;

use rstest_reuse::apply;
use serde_json::{Value, json};
use streamward::adapters::system::SystemIds;
use streamward::domain::studio::{
    Alert, Choice, DecisionKind, FailoverEvent, FailureKind, NowPlaying, Reason, Record, Rung,
    StudioDecision, StudioDecisionId, Subject, Transition, TransitionKind,
};
use streamward::ports::{Clock as _, IdGen as _, StudioReport};

use super::{KEY, PASSWORD, app, report, snapshot, stored};
use crate::harness::{Engine, every_engine};

#[apply(every_engine)]
#[tokio::test]
async fn studios_are_listed_by_name_with_what_their_supervisors_see(#[case] engine: Engine) {
    let app = app(engine).await;
    let list = app.as_viewer().get("/studios").await.assert_status(200).json();
    assert_eq!((&list["count"], &list["studios"][0]["name"]), (&json!(2), &json!("main")));
    assert_eq!(list["studios"][1]["name"], "plain");
    let first = app.as_viewer().get("/studios?limit=1").await.assert_status(200);
    let next = format!("/studios?cursor={}", first.text("/next_cursor"));
    assert_eq!(app.as_viewer().get(&next).await.json()["studios"][0]["name"], "plain");
    let alone = app.as_viewer().get("/studios/main").await.json();
    assert_eq!((&alone["supervised"], alone.get("on_air")), (&json!(false), None));
    assert_eq!((&alone["time_zone"], &alone["can_restart"]), (&json!("Europe/Vienna"), &json!(true)));

    let now = app.clock.now();
    let content = NowPlaying {
        name: "Episode 1".into(),
        kind: None,
        place: "/media/1.mp4".into(),
        since: Some(now),
        length_ms: Some(60_000),
    };
    let seen = streamward::domain::studio::Snapshot {
        content: Some(content),
        alerts: vec![Alert::TechnicalDifficulties],
        ..snapshot(now)
    };
    report(&app, &StudioReport { snapshot: Some(seen), ..StudioReport::default() }).await;
    let found = app.as_viewer().get("/studios/main").await.assert_status(200).json();
    for (pointer, value) in [
        ("/supervised", json!(true)),
        ("/obs", json!({"connection": "connected", "version": "29.0.2", "restarts": 0})),
        ("/stream/state", json!("live")),
        ("/stream/far_end_kbps", json!(5_900)),
        ("/stream/bitrate_kbps", json!(6_000.123)),
        ("/on_air/scene", json!("Automated Content")),
        ("/on_air/purpose", json!("automated")),
        ("/on_air/content/name", json!("Episode 1")),
        ("/on_air/next", json!("Episode 2")),
        ("/on_air/owner", json!("absent")),
        ("/alerts", json!(["technical_difficulties"])),
        ("/preflight/passed", json!(true)),
        ("/preflight/checks/0/check", json!("obs")),
        ("/uptime/budget/meets_seconds", json!(true)),
    ] {
        assert_eq!(found.pointer(pointer), Some(&value), "{pointer}: {found}");
    }
    let health = app.as_nobody().get("/health").await.assert_status(200).json();
    assert_eq!(health["studios"]["configured"], 2);
    let problems: Vec<&str> = health["studios"]["problems"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|one| one["problem"].as_str())
        .collect();
    assert_eq!(problems.len(), 2, "{health}");
    assert!(
        problems[0].contains("failover content failed") && problems[1].contains("no instance"),
        "{problems:?}"
    );

    app.clock.advance(Duration::from_secs(11));
    let old = app.as_viewer().get("/studios/main").await.json();
    assert_eq!((&old["supervised"], old.get("stream")), (&json!(false), None), "its supervisor has ended");
    assert_eq!(old["seen_at"], found["seen_at"]);
}

#[tokio::test]
async fn studio_that_is_not_configured_does_not_exist() {
    let app = app(Engine::Memory).await;
    for name in ["other", "a%20b", "Main"] {
        for path in [
            "",
            "/health",
            "/health/metrics",
            "/health/uptime",
            "/schedule",
            "/schedule/preview",
            "/decisions",
            "/drills",
            "/analytics/transitions",
            "/analytics/failover",
            "/content-library",
        ] {
            let found = app.as_admin().get(&format!("/studios/{name}{path}")).await;
            found.assert_status(404).assert_problem("not-found");
        }
        for what in ["start", "stop", "hold", "release"] {
            let call = app.as_admin().post(&format!("/studios/{name}/{what}")).json(json!({"reason": "x"}));
            call.await.assert_status(404).assert_problem("not-found");
        }
    }
}

#[apply(every_engine)]
#[tokio::test]
async fn decisions_are_listed_newest_first_in_pages(#[case] engine: Engine) {
    let app = app(engine).await;
    let (_, studio) = stored(&app).await;
    let decision = |seconds: u64| StudioDecision {
        id: StudioDecisionId(SystemIds.uuid()),
        studio,
        at: app.clock.now().plus(Duration::from_secs(seconds)),
        choice: Choice {
            subject: Subject::Scene,
            from: None,
            to: format!("Scene {seconds}"),
            kind: DecisionKind::Done,
            reason: Reason::ContentFailed,
            by: None,
            numbers: json!({"item": "/media/a.mp4"}).as_object().expect("an object").clone(),
        },
    };
    let decisions = vec![decision(1), decision(2), decision(3)];
    report(&app, &StudioReport { decisions, ..StudioReport::default() }).await;
    let list = |query: &str| app.as_viewer().get(&format!("/studios/main/decisions{query}"));
    let first = list("?limit=2").await.assert_status(200);
    let json = first.json();
    assert_eq!((&json["count"], &json["decisions"][0]["to"]), (&json!(2), &json!("Scene 3")));
    assert_eq!(json["decisions"][0]["numbers"], json!({"item": "/media/a.mp4"}));
    let rest = list(&format!("?cursor={}", first.text("/next_cursor"))).await.json();
    assert_eq!((&rest["count"], &rest["decisions"][0]["to"]), (&json!(1), &json!("Scene 1")));
    list("?limit=0").await.assert_refuses(&["limit"]);
}

#[apply(every_engine)]
#[tokio::test]
async fn analytics_come_from_what_happened(#[case] engine: Engine) {
    let app = app(engine).await;
    let at = |ago: u64| app.clock.now().minus(Duration::from_secs(ago));
    let transition = |ago: u64, total_ms: u64| {
        Record::Transition(Transition {
            kind: TransitionKind::ToOwner,
            from: None,
            to: "Owner Live".into(),
            noticed_at: at(ago),
            decided_at: at(ago),
            took_ms: 100,
            total_ms,
        })
    };
    let failover = |ago: u64, recovered_ms: Option<u64>| {
        Record::Failover(FailoverEvent {
            failed_at: at(ago),
            kind: FailureKind::Unplayable,
            item: "/media/a.mp4".into(),
            to: Rung::Failover,
            recovered_ms,
            ended_at: None,
        })
    };
    let records = vec![
        transition(500, 2_000),
        transition(400, 6_000),
        transition(300, 12_000),
        transition(20 * 86_400, 50_000),
        failover(200, Some(1_500)),
        failover(60, None),
    ];
    report(&app, &StudioReport { records, ..StudioReport::default() }).await;
    let get = |path: &str| app.as_viewer().get(&format!("/studios/main/analytics/{path}"));
    let found = get("transitions").await.assert_status(200).json();
    let of = |kind: &str| -> Value {
        let all = found["transitions"].as_array().expect("a list");
        all.iter().find(|one| one["kind"] == kind).cloned().expect("each kind")
    };
    let owner = of("to_owner");
    assert_eq!(
        (&owner["count"], &owner["p50_sec"], &owner["longest_sec"]),
        (&json!(3), &json!(6.0), &json!(12.0))
    );
    assert_eq!((&owner["success_percent"], &owner["promised_sec"]), (&json!(66.667), &json!(10.0)));
    assert_eq!((&of("return")["count"], of("return").get("success_percent")), (&json!(0), None));
    let month = get("transitions?period_days=30").await.json();
    assert_eq!(month["transitions"][0]["count"], 4, "{month}");
    let failovers = get("failover").await.assert_status(200).json();
    assert_eq!((&failovers["count"], &failovers["ongoing"]), (&json!(2), &json!(1)));
    assert_eq!(failovers["success_percent"], 50.0, "what lasts for a minute is no success");
    assert_eq!(failovers["failovers"][1]["recovery_time_sec"], 1.5);
    get("failover?period_days=31").await.assert_refuses(&["period_days"]);
}

#[tokio::test]
async fn no_answer_has_a_secret_of_the_configuration() {
    let app = app(Engine::Memory).await;
    super::supervise(&app).await;
    for path in [
        "/studios",
        "/studios/main",
        "/studios/main/health",
        "/studios/main/health/metrics",
        "/studios/main/health/uptime",
        "/studios/main/schedule",
        "/studios/main/decisions",
        "/studios/main/content-library",
        "/health",
        "/tasks",
    ] {
        app.as_admin().get(path).await;
    }
    app.as_operator().post("/studios/main/stop").json(json!({"reason": "x"})).await.assert_status(200);
    let answers = app.record.bytes();
    assert!(String::from_utf8_lossy(&answers).contains("\"main\""));
    for secret in [PASSWORD, KEY] {
        assert!(!answers.windows(secret.len()).any(|bytes| bytes == secret.as_bytes()), "{secret}");
    }
}
