//! Studios on the command line, and their own addresses.

use std::net::TcpListener;

use serde_json::{Value, json};
use streamward_test_support::obs::{FakeObs, FakeOptions};

use super::{Home, SOON, client, eventually};

/// An address at which nobody listens: no OBS.
fn home() -> Home {
    Home::new()
        .with("STUDIOS__MAIN__WEBSOCKET_URL", "ws://127.0.0.1:9")
        .with("STUDIOS__MAIN__PASSWORD", "obs-password-Zt9Kk2")
        .with("STUDIOS__MAIN__SUPERVISE", "false")
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").port()
}

#[tokio::test]
async fn health_is_served_at_an_address_of_its_own_without_sign_in() {
    let port = free_port();
    let home = home().with("STUDIOS__MAIN__HEALTH_LISTEN", &format!("127.0.0.1:{port}"));
    let _service = home.serve().await;
    let get = |path: &str| client().get(format!("http://127.0.0.1:{port}{path}")).send();
    let uptime = get("/health/uptime").await.expect("an answer");
    assert_eq!(uptime.status(), 200);
    let uptime: Value = uptime.json().await.expect("JSON");
    assert_eq!((&uptime["period_days"], &uptime["meets_sc001"]), (&json!(7), &json!(false)));
    let health = get("/health").await.expect("an answer");
    assert_eq!(health.status(), 503);
    let error: Value = health.json().await.expect("JSON");
    assert!(error["error"].is_string() && error["details"].is_string() && error["timestamp"].is_string());
    assert_eq!(get("/studios").await.expect("an answer").status(), 404);
    let metrics = eventually("the gauges of the studio are there", SOON, async || {
        let text = client().get(home.url("/metrics")).send().await?.text().await?;
        Ok(text.contains("streamward_studio_supervised{studio=\"main\"} 0").then_some(text))
    });
    let ((metrics, _), log) = (metrics.await.expect("they are"), home.log());
    assert!(!log.contains("obs-password-Zt9Kk2") && !metrics.contains("obs-password-Zt9Kk2"), "{log}");
}

#[tokio::test]
async fn address_that_is_taken_stops_the_start_before_anything_is_created() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address").to_string();
    let home = home().with("STUDIOS__MAIN__HEALTH_LISTEN", &address);
    let line = home.refused(&["serve"]);
    assert!(line.contains(&format!("studios.main.health_listen {address} cannot be used")), "{line}");
    assert!(line.contains("STREAMWARD_STUDIOS__MAIN__HEALTH_LISTEN"), "{line}");
    assert!(!home.dir.path().join("streamward.db").exists());
}

#[tokio::test]
async fn studio_is_operated_on_the_command_line() {
    let home = home()
        .with("STUDIOS__MAIN__PLATFORM__URL", "rtmp://127.0.0.1:9/live")
        .with("STUDIOS__MAIN__PLATFORM__KEY", "platform-key-4711");
    home.ok(&["migrate"]);
    assert_eq!(home.json(&["studio", "list"])["studios"][0]["name"], "main");
    let line = home.refused(&["studio", "check", "main"]);
    assert!(line.contains("no instance supervises the studio main"), "{line}");
    let line = home.refused(&["studio", "show", "other"]);
    assert!(line.contains("there is no studio \"other\" in the configuration; there is: main"), "{line}");
    let stopped = home.json(&["studio", "stop", "main", "--reason", "power supply"]);
    assert_eq!((&stopped["desired"], &stopped["desired_by"]), (&json!("stopped"), &json!("cli")));
    let held = home.json(&["studio", "scene", "main", "owner", "--reason", "live", "--for", "30m"]);
    assert_eq!((&held["hold"]["scene"], &held["hold"]["reason"]), (&json!("Owner Live"), &json!("live")));
    assert!(held["hold"]["until"].is_string());
    let text = home.ok(&["studio", "show", "main"]);
    assert!(text.contains("stopped, by cli") && text.contains("on Owner Live by cli (live)"), "{text}");
    assert_eq!(home.json(&["studio", "release", "main", "--reason", "over"])["hold"], json!(null));
    assert_eq!(home.json(&["studio", "start", "main", "--reason", "back"])["desired"], "on_air");
    let line = home.refused(&["studio", "drill", "main", "content_failure"]);
    assert!(line.contains("no instance supervises the studio now"), "{line}");

    let schedule = json!({"time_zone": "Europe/Vienna",
        "blocks": [{"name": "Night", "from": "22:00", "to": "06:00"}],
        "content": [{"name": "Clock", "media": {"kind": "scene_composition", "scene": "Clock"}}]});
    std::fs::write(home.dir.path().join("s.json"), schedule.to_string()).expect("written");
    assert_eq!(home.json(&["studio", "schedule", "set", "main", "s.json"])["blocks"][0]["name"], "Night");
    assert_eq!(home.json(&["studio", "schedule", "show", "main"])["time_zone"], "Europe/Vienna");
    let span = ["--from", "2026-03-28T21:00:00Z", "--to", "2026-03-29T05:00:00Z"];
    let preview = home.ok(&[&["studio", "schedule", "preview", "main"], &span[..]].concat());
    let expected = "2026-03-28T22:00:00+01:00  to  2026-03-29T06:00:00+02:00  Night: Clock";
    assert!(preview.contains(expected), "{preview}");
    std::fs::write(home.dir.path().join("bad.json"), r#"{"blocks": [{"name": "A", "from": "25:00"}]}"#)
        .expect("written");
    let line = home.refused(&["studio", "schedule", "set", "main", "bad.json"]);
    assert!(line.contains("must be a time of day such as 18:00"), "{line}");

    assert_eq!(home.json(&["studio", "decisions", "main"])["count"], 0);
    let uptime = home.json(&["studio", "uptime", "main", "--days", "30"]);
    assert_eq!((&uptime["period_days"], &uptime["total_uptime_seconds"]), (&json!(30), &json!(0)));
    let shown = home.ok(&["config"]);
    assert!(shown.contains("[studios.main.platform]"), "{shown}");
    for secret in ["obs-password-Zt9Kk2", "platform-key-4711"] {
        assert!(!shown.contains(secret) && !text.contains(secret), "{shown}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn doctor_says_whether_obs_answers_and_takes_the_password() {
    let obs = FakeObs::start(FakeOptions::default()).await;
    let found = |url: &str, password: &str| {
        let home = home().with("STUDIOS__MAIN__WEBSOCKET_URL", url).with("STUDIOS__MAIN__PASSWORD", password);
        let ended = home.run(&["doctor", "--json"]);
        let report: Value = serde_json::from_str(&ended.out).expect("JSON");
        let all = report["findings"].as_array().cloned().unwrap_or_default();
        let finding = all.into_iter().find(|one| one["check"] == "studio main").expect("a finding");
        assert!(!ended.out.contains(password) && !ended.err.contains(password), "{}", ended.out);
        finding
    };
    let good = found(&obs.url(), obs.password());
    assert_eq!(good["severity"], "good", "{good}");
    let wrong = found(&obs.url(), "another-password");
    assert!(
        wrong["severity"] == "failure" && wrong["advice"].to_string().contains("password_file"),
        "{wrong}"
    );
    let nobody = found("ws://127.0.0.1:9", "another-password");
    assert!(
        nobody["severity"] == "failure" && nobody["advice"].to_string().contains("start OBS"),
        "{nobody}"
    );
}
