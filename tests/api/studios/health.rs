//! The specification's health API, field for field: in the path, and at an address of its own.

use std::time::Duration;

use rstest_reuse::apply;
use serde_json::{Value, json};
use streamward::domain::Timestamp;
use streamward::domain::studio::{
    Cause, ConnectionStatus, Downtime, FailoverEvent, FailureKind, HealthSample, Record, Rung, Snapshot,
    StreamSession, StreamingStatus,
};
use streamward::ports::{Clock as _, StudioReport};

use super::{app, report, snapshot, stored, supervise};
use crate::harness::{Caller, Engine, TestApp, every_engine};

fn sample(at: Timestamp, bitrate_kbps: f64) -> HealthSample {
    HealthSample {
        at,
        bitrate_kbps,
        dropped_percent: 0.5,
        cpu_percent: 20.0,
        scene: Some("Automated Content".into()),
        source: Some("Episode 1".into()),
        connection: ConnectionStatus::Connected,
        streaming: StreamingStatus::Streaming,
    }
}

/// `main` on air for 1000 s, with a downtime of 20 s and samples of the last 150 times 2 s.
async fn on_air(app: &TestApp) -> Timestamp {
    app.clock.stop();
    let now = app.clock.now();
    let ago = |seconds: u64| now.minus(Duration::from_secs(seconds));
    let failover = FailoverEvent {
        failed_at: ago(700),
        kind: FailureKind::Unplayable,
        item: "/media/a.mp4".into(),
        to: Rung::Failover,
        recovered_ms: Some(2_500),
        ended_at: None,
    };
    let found = StudioReport {
        snapshot: Some(snapshot(now)),
        sessions: vec![StreamSession { started_at: ago(1_000), ended_at: None }],
        downtimes: vec![Downtime {
            started_at: ago(500),
            ended_at: Some(ago(480)),
            cause: Cause::ConnectionLost,
        }],
        records: vec![Record::Failover(failover)],
        samples: (0..150).rev().map(|n| sample(ago(n * 2), 6_000.0)).collect(),
        ..StudioReport::default()
    };
    report(app, &found).await;
    now
}

/// The caller at the address of the studio, without sign-in.
fn at_its_own_address(app: &TestApp) -> Caller {
    let (key, router) = app.own_routers.first().expect("a router for health_listen");
    assert_eq!(key, "studios.main.health_listen");
    Caller { router: router.clone(), ..app.as_nobody() }
}

#[apply(every_engine)]
#[tokio::test]
async fn health_of_a_studio_on_air_has_the_fields_of_the_specification(#[case] engine: Engine) {
    let app = app(engine).await;
    let now = on_air(&app).await;
    let (_, id) = stored(&app).await;
    let started = now.minus(Duration::from_secs(1_000));
    let expected = json!({
        "streaming": true,
        "uptime_seconds": 980,
        "uptime_percentage": 98.0,
        "current_scene": "Automated Content",
        "stream_quality": {"bitrate_kbps": 6_000.123, "dropped_frames_pct": 0.25, "cpu_usage_pct": 12.5,
            "connection_status": "connected"},
        "owner_live": false,
        "session_info": {"session_id": id.session(started), "start_time": started, "total_downtime_sec": 20},
        "last_failover": {"timestamp": now.minus(Duration::from_secs(700)), "failure_cause": "content_failure",
            "recovery_time_sec": 2.5, "failure_kind": "unplayable"},
    });
    let health = app.as_viewer().get("/studios/main/health").await.assert_status(200).json();
    assert_eq!(health, expected);
    let with =
        app.as_viewer().get("/studios/main/health?include_history=true").await.assert_status(200).json();
    let history = with["history"].as_array().expect("a history");
    assert_eq!(history.len(), 100);
    let last: &Value = &history[99];
    assert_eq!(
        *last,
        json!({"metric_id": id.sample(now), "stream_session_id": id.session(started), "timestamp": now,
            "bitrate_kbps": 6_000.0, "dropped_frames_pct": 0.5, "cpu_usage_pct": 20.0,
            "active_scene": "Automated Content", "active_source": "Episode 1",
            "connection_status": "connected", "streaming_status": "streaming"})
    );
    let own = at_its_own_address(&app);
    assert_eq!(own.get("/health").await.assert_status(200).json(), expected);
    own.get("/studios").await.assert_status(404);
    app.as_nobody().get("/studios/main/health").await.assert_status(401);
}

#[tokio::test]
async fn studio_that_is_off_air_is_503_with_the_reason() {
    let app = app(Engine::Memory).await;
    let offline = async |details: &str| {
        for answer in
            [app.as_viewer().get("/studios/main/health").await, at_its_own_address(&app).get("/health").await]
        {
            let error = answer.assert_status(503).assert_problem("studio-offline").json();
            assert_eq!(error["error"], "The studio is not on air");
            assert!(error["details"].as_str().is_some_and(|found| found.contains(details)), "{error}");
            assert!(error["timestamp"].as_str().is_some_and(|at| at.ends_with('Z')), "{error}");
        }
    };
    offline("No instance of Streamward supervises the studio").await;
    let now = app.clock.now();
    let mut failed = snapshot(now);
    failed.streaming = StreamingStatus::Stopped;
    if let Some(preflight) = &mut failed.preflight {
        preflight.checks[0].state = streamward::domain::studio::CheckState::Failed;
        preflight.checks[0].detail = "OBS not reachable".into();
    }
    report(&app, &StudioReport { snapshot: Some(failed), ..StudioReport::default() }).await;
    offline("Pre-flight validation failed: OBS not reachable").await;
    app.as_operator().post("/studios/main/stop").json(json!({"reason": "x"})).await.assert_status(200);
    offline("stopped by token:operator").await;
    app.as_operator().post("/studios/main/start").json(json!({"reason": "x"})).await.assert_status(200);

    // The stream was on, and was stopped in OBS.
    let session = StreamSession { started_at: now, ended_at: None };
    let stopped = Snapshot { streaming: StreamingStatus::Stopped, ..snapshot(app.clock.now()) };
    let found = StudioReport { snapshot: Some(stopped), sessions: vec![session], ..StudioReport::default() };
    report(&app, &found).await;
    offline("OBS does not stream yet").await;
    supervise(&app).await;
    app.as_viewer().get("/studios/main/health").await.assert_status(200);
    app.as_viewer().get("/studios/plain/health").await.assert_status(503);
}

#[apply(every_engine)]
#[tokio::test]
async fn recorded_health_is_read_by_time(#[case] engine: Engine) {
    let app = app(engine).await;
    let now = on_air(&app).await;
    let get = |query: &str| app.as_viewer().get(&format!("/studios/main/health/metrics{query}"));
    let all = get("").await.assert_status(200).json();
    assert_eq!((all["metrics"].as_array().map(Vec::len), &all["total_count"]), (Some(100), &json!(150)));
    assert_eq!(all["query"], json!({"limit": 100}));
    assert_eq!(all["metrics"][99]["timestamp"], json!(now), "the last ones, oldest first");
    let (from, to) = (now.minus(Duration::from_secs(20)), now.minus(Duration::from_secs(10)));
    let part = get(&format!("?start_time={from}&end_time={to}&limit=3")).await.assert_status(200).json();
    assert_eq!((part["metrics"].as_array().map(Vec::len), &part["total_count"]), (Some(3), &json!(5)));
    assert_eq!(part["query"], json!({"start_time": from, "end_time": to, "limit": 3}));
    for (query, field) in [
        ("?limit=0", "limit"),
        ("?limit=1001", "limit"),
        ("?start_time=yesterday", "start_time"),
        ("?start_time=2026-01-02T00:00:00Z&end_time=2026-01-01T00:00:00Z", "end_time"),
        ("?nonsense=1", "nonsense"),
    ] {
        for answer in
            [get(query).await, at_its_own_address(&app).get(&format!("/health/metrics{query}")).await]
        {
            let refused = answer.assert_refuses(&[field]);
            let (details, json) = (refused.text("/details"), refused.json());
            assert!(details.contains(field) && json["error"].is_string() && json["timestamp"].is_string());
        }
    }
    app.as_viewer()
        .get("/studios/main/health?include_history=maybe")
        .await
        .assert_refuses(&["include_history"]);
}

#[apply(every_engine)]
#[tokio::test]
async fn uptime_comes_from_the_ledger(#[case] engine: Engine) {
    let app = app(engine).await;
    let now = on_air(&app).await;
    let get = |query: &str| app.as_viewer().get(&format!("/studios/main/health/uptime{query}"));
    let week = get("").await.assert_status(200).json();
    let event = json!({"timestamp": now.minus(Duration::from_secs(500)), "duration_sec": 20.0,
        "failure_cause": "connection_lost", "recovery_action": "OBS stays on and connects to the platform again",
        "ongoing": false});
    let budget = json!({"meets_percent": false, "percent_seconds_left": 584.8, "meets_seconds": true, "seconds_left": 10.0});
    let expected = json!({"period_days": 7, "total_uptime_seconds": 980, "total_downtime_seconds": 20,
        "uptime_percentage": 98.0, "meets_sc001": false, "downtime_events": [event], "budget": budget});
    assert_eq!(week, expected);
    assert_eq!(get("?period_days=30").await.json()["period_days"], 30);
    assert_eq!(at_its_own_address(&app).get("/health/uptime").await.assert_status(200).json(), expected);
    for query in ["?period_days=0", "?period_days=31", "?period_days=x", "?period_days=%2B7"] {
        get(query).await.assert_refuses(&["period_days"]);
    }
    // Two seconds later the supervisor has not reported again yet: they are not unknown.
    app.clock.advance(Duration::from_secs(2));
    assert_eq!(get("").await.json()["total_downtime_seconds"], 20);
    // After ten seconds nobody supervises it: everything since the last report is downtime.
    app.clock.advance(Duration::from_secs(58));
    let lost = get("").await.json();
    assert_eq!(lost["total_downtime_seconds"], 80, "{lost}");
    assert_eq!(lost["downtime_events"][1]["ongoing"], true);
}
