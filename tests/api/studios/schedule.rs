//! The schedule: what it accepts, what it answers, and what the preview says.

use rstest_reuse::apply;
use serde_json::{Value, json};
use streamward::domain::studio::{ContentName, Verification};
use streamward::ports::{Clock as _, StudioReport};

use super::{app, report};
use crate::harness::{Answer, Engine, TestApp, every_engine};

async fn put(app: &TestApp, schedule: Value) -> Answer {
    app.as_admin().call(axum::http::Method::PUT, "/studios/main/schedule").json(schedule).await
}

fn draft() -> Value {
    json!({
        "blocks": [
            {"name": "Night", "from": "22:00", "to": "06:00", "days": ["sat", "sun"], "kinds": ["video_file"]},
            {"name": "Kids", "from": "15:00", "to": "18:00", "age": "kids"},
        ],
        "content": [
            {"name": "Episode 1", "media": {"kind": "video_file", "path": "/media/1.mp4"}, "blocks": ["Night"],
                "tier": "premium", "priority": 20},
            {"name": "Clock", "media": {"kind": "scene_composition", "scene": "Clock"}, "plays_for_seconds": 60},
            {"name": "Field", "media": {"kind": "live_input", "url": "srt://10.0.0.5:9000"}, "age": "adult"},
        ],
    })
}

#[apply(every_engine)]
#[tokio::test]
async fn schedule_is_replaced_and_echoed(#[case] engine: Engine) {
    let app = app(engine).await;
    let get = || app.as_viewer().get("/studios/main/schedule");
    let none = json!({"time_zone": "Europe/Vienna", "blocks": [], "content": []});
    assert_eq!(get().await.assert_status(200).json(), none);
    let set = put(&app, draft()).await.assert_status(200).json();
    assert_eq!(set["time_zone"], "Europe/Vienna", "that of the configuration");
    let night = json!({"name": "Night", "from": "22:00", "to": "06:00", "days": ["sat", "sun"], "age": "all_ages",
        "kinds": ["video_file"]});
    assert_eq!(set["blocks"][0], night);
    let clock = json!({"name": "Clock", "media": {"kind": "scene_composition", "scene": "Clock"}, "age": "all_ages",
        "blocks": [], "tier": "standard", "priority": 50, "plays_for_seconds": 60});
    assert_eq!(set["content"][1], clock);
    assert_eq!(get().await.json(), set);
    // What was read can be sent again.
    assert_eq!(put(&app, set.clone()).await.assert_status(200).json(), set);
    let other = json!({"time_zone": "Asia/Kolkata", "reason": "we moved"});
    assert_eq!(put(&app, other).await.assert_status(200).text("/time_zone"), "Asia/Kolkata");
    let audited = app.audit("resource_type=studio&action=schedule").await;
    assert_eq!(audited.len(), 3);
}

#[tokio::test]
async fn only_admins_set_the_schedule() {
    let app = app(Engine::Memory).await;
    let call = |caller: crate::harness::Caller| {
        caller.call(axum::http::Method::PUT, "/studios/main/schedule").json(draft())
    };
    call(app.as_viewer()).await.assert_status(403);
    call(app.as_operator()).await.assert_status(403);
    call(app.as_admin()).await.assert_status(200);
}

#[tokio::test]
async fn refused_schedule_names_every_fault_and_repeats_no_value() {
    let app = app(Engine::Memory).await;
    let block = |from: &str, to: &str| json!({"name": "A", "from": from, "to": to});
    let source = |media: Value| json!({"name": "a", "media": media});
    for (schedule, field, message) in [
        (
            json!({"blocks": [block("25:00", "06:00")]}),
            "blocks[0].from",
            "must be a time of day such as 18:00",
        ),
        (json!({"blocks": [block("06:00", "06:00")]}), "blocks[0].to", "must differ from `from`"),
        (
            json!({"blocks": [block("06:00", "08:00"), {"name": "B", "from": "07:00", "to": "09:00"}]}),
            "blocks",
            "'A' and 'B' overlap at mon 07:00",
        ),
        (json!({"blocks": [{"name": "A", "from": "06:00"}]}), "blocks[0].to", "must be given"),
        (json!({"time_zone": "Mars/Base"}), "time_zone", "must be a time zone such as Asia/Kolkata"),
        (
            json!({"content": [{"name": "", "media": {"kind": "video_file", "path": "/a"}}]}),
            "content[0].name",
            "must be 1 to 100",
        ),
        (
            json!({"content": [source(json!({"kind": "live_input", "url": "srt://h:1?passphrase=hunter2hunter2"}))]}),
            "content[0].media.url",
            "must not contain a user, a password or a key",
        ),
        (
            json!({"content": [{"name": "a", "media": {"kind": "scene_composition", "scene": "S"}, "priority": 5}]}),
            "content[0].priority",
            "must be 11 to 100, got 5",
        ),
        (
            json!({"content": [{"name": "a", "media": {"kind": "scene_composition", "scene": "S"}, "blocks": ["X"]}]}),
            "content[0].blocks",
            "there is no block 'X'",
        ),
        (json!({"content": [], "colour": "red"}), "colour", "is not known here"),
    ] {
        let refused = put(&app, schedule).await.assert_refuses(&[field]);
        let found = refused.text("/errors/0/message");
        assert!(found.contains(message), "{field}: {found}");
        assert!(!String::from_utf8_lossy(&refused.body).contains("hunter2"), "{refused:?}");
    }
    let stored = app.as_viewer().get("/studios/main/schedule").await.json();
    assert_eq!(stored["blocks"], json!([]));
}

#[apply(every_engine)]
#[tokio::test]
async fn preview_goes_by_the_clock_of_the_place_also_when_it_changes(#[case] engine: Engine) {
    let app = app(engine).await;
    put(&app, draft()).await.assert_status(200);
    // The clock goes from 02:00 to 03:00 in the night to 2026-03-29, which is a Sunday.
    let path = "/studios/main/schedule/preview?from=2026-03-28T21:00:00Z&to=2026-03-29T05:00:00Z";
    let times = app.as_viewer().get(path).await.assert_status(200).json();
    assert_eq!(times["time_zone"], "Europe/Vienna");
    let local: Vec<(&str, &str)> = times["times"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|time| Some((time["local_from"].as_str()?, time["local_to"].as_str()?)))
        .collect();
    assert_eq!(
        local,
        [
            ("2026-03-28T22:00:00+01:00", "2026-03-29T06:00:00+02:00"),
            ("2026-03-29T06:00:00+02:00", "2026-03-29T07:00:00+02:00"),
        ]
    );
    let night = &times["times"][0];
    assert_eq!((&night["block"], &night["to"]), (&json!("Night"), &json!("2026-03-29T04:00:00Z")));
    assert_eq!(
        (&night["plays"], &night["unplayable"]),
        (&json!([]), &json!(["Episode 1"])),
        "not verified yet"
    );

    let found = Verification { at: app.clock.now(), duration_ms: Some(90_000), problem: None };
    let verified = vec![(ContentName::parse("Episode 1").expect("a name"), found)];
    report(&app, &StudioReport { verified, ..StudioReport::default() }).await;
    let times = app.as_viewer().get(path).await.json();
    assert_eq!(times["times"][0]["plays"], json!(["Episode 1"]));
    let library = app.as_viewer().get("/studios/main/content-library").await.assert_status(200).json();
    let first = &library["content"][0];
    assert_eq!(
        (&first["playable"], &first["due"], &first["duration_sec"]),
        (&json!(true), &json!(false), &json!(90.0))
    );
    assert_eq!((&library["count"], &library["content"][1]["playable"]), (&json!(3), &json!(true)));

    for (query, field) in [
        ("?from=2026-01-01T00:00:00Z&to=2026-02-02T00:00:00Z", "to"),
        ("?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", "to"),
        ("?from=now", "from"),
    ] {
        app.as_viewer().get(&format!("/studios/main/schedule/preview{query}")).await.assert_refuses(&[field]);
    }
}
