//! The list of refused attempts.

use std::time::Duration;

use rstest_reuse::apply;
use serde_json::{Value, json};
use streamward::domain::access::TokenSecret;
use streamward_test_support::process::eventually;

use crate::harness::{Engine, Shows, TestApp, every_engine};
use crate::request_log::{LogLines, recorder};

/// The rows, once there are so many attempts in all.
async fn failures(app: &TestApp, count: u64) -> Vec<Value> {
    app.until(
        || app.as_operator().get("/auth-failures"),
        |answer| {
            let rows = answer.json()["auth_failures"].as_array().cloned()?;
            let attempts: u64 = rows.iter().filter_map(|row| row["count"].as_u64()).sum();
            (attempts >= count).then_some(rows)
        },
    )
    .await
}

fn of<'a>(rows: &'a [Value], cause: &str) -> &'a Value {
    rows.iter().find(|row| row["cause"] == cause).unwrap_or_else(|| panic!("no {cause} in {rows:?}"))
}

#[apply(every_engine)]
#[tokio::test]
async fn refused_attempts_are_listed_once_with_their_number_and_what_to_do(#[case] engine: Engine) {
    let app = TestApp::on(engine).await;
    let key = app.key("live/alice").await;
    let made_up = format!("sk_{}", "a".repeat(43));
    let publish = |path: &str, secret: &str, id: &str| {
        let query = format!("key={secret}");
        app.auth(json!({"action": "publish", "path": path, "protocol": "rtmp", "id": id, "ip": "192.0.2.7", "query": query}))
    };
    for id in ["a", "b", "c"] {
        publish("live/alcie", &key.secret, id).await.assert_status(401);
    }
    publish("live/alcie", &made_up, "d").await.assert_status(401);
    publish("live/alice", &made_up, "e").await.assert_status(401);
    publish("live/alcie", "", "f").await.assert_status(401);
    let rows = failures(&app, 6).await;
    assert_eq!(rows.len(), 4, "{rows:?}");
    let wrong = of(&rows, "wrong_path");
    assert_eq!((&wrong["path"], &wrong["key_path"]), (&json!("live/alcie"), &json!("live/alice")));
    assert_eq!((&wrong["nearest_path"], &wrong["count"]), (&json!("live/alice"), &json!(3)));
    assert_eq!((&wrong["stream_key_id"], &wrong["ip_address"]), (&json!(key.id), &json!("192.0.2.7")));
    assert!(wrong["first_at"].as_str() <= wrong["last_at"].as_str());
    assert!(
        wrong["advice"].as_str().unwrap().contains("set the path of the encoder to live/alice"),
        "{wrong}"
    );
    assert_eq!(wrong["key_prefix"].as_str(), key.secret.get(..8));
    let none = of(&rows, "no_key");
    assert_eq!((&none["path"], &none["nearest_path"]), (&json!("live/alcie"), &json!("live/alice")));
    let text = json!(rows).to_string();
    assert!(!text.contains(&key.secret) && !text.contains("sk_aaa"), "{text}");
    // The list has pages like every other.
    let page = app.as_operator().get("/auth-failures?limit=3").await.assert_status(200).json();
    assert_eq!((&page["count"], page["next_cursor"].is_string()), (&json!(3), true));
    let next = format!("/auth-failures?limit=3&cursor={}", page["next_cursor"].as_str().unwrap());
    assert_eq!(app.as_operator().get(&next).await.json()["count"], 1);
    app.as_viewer().get("/auth-failures").await.assert_status(403);
}

#[tokio::test]
async fn audit_entry_of_a_wrong_path_names_both_paths_and_the_one_that_is_meant() {
    let app = TestApp::memory().await;
    let key = app.key("live/alice").await;
    let query = format!("key={}", key.secret);
    app.auth(json!({"action": "publish", "path": "live/alcie", "id": "a", "query": query}))
        .await
        .assert_status(401);
    failures(&app, 1).await;
    let entries = app.until(
        || app.as_admin().get("/audit-logs?action=publish"),
        |answer| answer.json()["audit_logs"].as_array().filter(|entries| !entries.is_empty()).cloned(),
    );
    let metadata = entries.await[0]["metadata"].clone();
    assert_eq!(
        (&metadata["path"], &metadata["requested_path"]),
        (&json!("live/alice"), &json!("live/alcie"))
    );
    let detail = "the key is for live/alice, and live/alcie was requested: live/alice is probably meant";
    assert_eq!(metadata["detail"], detail);
}

#[tokio::test]
async fn request_of_rtsp_without_credentials_is_refused_and_is_no_failed_attempt() {
    let recorder = recorder();
    let _counting = metrics::set_default_local_recorder(&recorder);
    let app = TestApp::memory().await;
    let key = app.key("live/alice").await;
    let request = |password: &str| {
        json!({"action": "publish", "path": "live/alice", "protocol": "rtsp", "id": "a", "ip": "192.0.2.7",
               "user": "", "password": password, "token": password, "query": ""})
    };
    for _ in 0..5 {
        app.auth(request("")).await.assert_status(401).assert_problem("denied");
        app.auth(request(&key.secret)).await.assert_status(200);
    }
    // `doctor`, and a look at an API without credentials, which is asked for them.
    app.auth(json!({"action": "doctor"})).await.assert_status(401).assert_problem("denied");
    app.auth(json!({"action": "api"})).await.assert_status(401);
    app.auth(json!({"action": "api", "password": "wrong"})).await.assert_status(401);
    let metrics = recorder.handle().render();
    let decisions = |labels: &str| {
        metrics
            .lines()
            .any(|line| line.starts_with("streamward_auth_decisions_total") && line.contains(labels))
    };
    assert!(decisions(r#"outcome="challenge",reason="no_credentials""#), "{metrics}");
    assert!(!decisions(r#"action="publish",protocol="rtsp",outcome="deny""#), "{metrics}");
    let rows = failures(&app, 1).await;
    let causes: Vec<&Value> = rows.iter().map(|row| &row["cause"]).collect();
    assert_eq!(causes, ["wrong_control_secret"]);
    let entries = app.until(
        || app.as_admin().get("/audit-logs?action=publish"),
        |answer| answer.json()["audit_logs"].as_array().filter(|entries| !entries.is_empty()).cloned(),
    );
    assert!(entries.await.iter().all(|entry| entry["outcome"] == "success"));
}

#[apply(every_engine)]
#[tokio::test]
async fn encoders_that_take_a_key_from_each_other_are_stopped_after_two_takeovers(#[case] engine: Engine) {
    let app = TestApp::on(engine).await;
    let key = app.key_with(json!({"path": "live/alice", "on_conflict": "takeover"})).await;
    let query = format!("key={}", key.secret);
    let publish = |id: &str, ip: &str| {
        let request = json!({"action": "publish", "path": "live/alice", "protocol": "rtmp", "id": id, "ip": ip, "query": query});
        app.auth(request)
    };
    let (one, other) = ("192.0.2.1", "192.0.2.2");
    for (id, ip, status) in
        [("a", one, 200), ("b", other, 200), ("c", one, 200), ("d", other, 401), ("e", other, 401)]
    {
        publish(id, ip).await.assert_status(status);
    }
    let row = failures(&app, 2).await.remove(0);
    assert_eq!((&row["cause"], &row["count"]), (&json!("too_many_takeovers"), &json!(2)));
    let detail = row["detail"].as_str().unwrap();
    assert!(detail.contains(one) && detail.contains(other), "{detail}");
    let audit = format!("/audit-logs?action=publish&resource_id={}", key.id);
    let entries = app.until(
        || app.as_admin().get(&audit),
        |answer| {
            let entries = answer.json()["audit_logs"].as_array().cloned()?;
            entries.into_iter().find(|entry| entry["outcome"] == "failure")
        },
    );
    assert_eq!(entries.await["metadata"]["detail"], detail);
}

/// The message of the line about exceeded budgets.
const GUESSING: &str = "guessing: many attempts with wrong secrets within a minute; known secrets still work at once; see /auth-failures";

#[apply(every_engine)]
#[tokio::test]
async fn whoever_guesses_keys_is_named_and_delays_nobody(#[case] engine: Engine) {
    let lines = LogLines::default();
    let _collecting = lines.collect();
    let app = TestApp::on(engine).await;
    lines.until_collecting(&app).await;
    let key = app.key("live/alice").await;
    let publish = |path: &str, secret: &str, ip: &str| {
        app.auth(json!({"action": "publish", "path": path, "protocol": "rtmp", "id": "a", "ip": ip, "query": format!("key={secret}")}))
    };
    for n in 0..500 {
        let (path, secret) = (format!("live/{n}"), format!("sk_{n:043}"));
        publish(&path, &secret, "192.0.2.66").await.assert_status(401).assert_problem("denied");
    }
    for n in 0..10 {
        publish("live/alice", &format!("sk_{n:043}"), &format!("2001:db8::{n}")).await.assert_status(401);
    }
    // The owner is behind the same address, and on the same path.
    publish("live/alice", &key.secret, "192.0.2.66").await.assert_status(200);
    let of_address = |line: &&Value| line["ip"] == "192.0.2.66" && line["level"] == "INFO";
    let shown = lines.with_message("auth").iter().filter(of_address).count();
    assert!(shown <= 62, "{shown} lines of 501");
    let offenders = app.until(
        || app.as_operator().get("/auth-failures?limit=1"),
        |answer| {
            let offenders = answer.json()["offenders"].as_array().cloned()?;
            (offenders.first()?["attempts"] == 500 && offenders.get(1)?["attempts"] == 10)
                .then_some(offenders)
        },
    );
    let offenders = offenders.await;
    assert_eq!(
        (&offenders[0]["address"], &offenders[1]["address"]),
        (&json!("192.0.2.66"), &json!("2001:db8::/64"))
    );
    assert!(offenders[0]["paths"].as_u64() >= Some(20), "{offenders:?}");
    assert_eq!(offenders[0]["causes"], json!(["unknown_key"]));
    assert!(offenders[0]["since"].as_str() <= offenders[0]["last_at"].as_str());
    tracing::callsite::rebuild_interest_cache();
    app.clock.advance(Duration::from_secs(60));
    let told = eventually("the guesser is named", Duration::from_secs(20), async || {
        let told = lines.with_message(GUESSING);
        Ok((!told.is_empty()).then_some(told))
    });
    let (told, _) = told.await.unwrap();
    assert_eq!(
        (told.len(), &told[0]["of"], &told[0]["attempts"]),
        (1, &json!("address 192.0.2.66"), &json!(500))
    );
    let entries = app.as_admin().get("/audit-logs?action=publish").await.json();
    let failures =
        entries["audit_logs"].as_array().unwrap().iter().filter(|entry| entry["outcome"] == "failure");
    assert!(failures.count() <= 20, "{entries}");
}

#[apply(every_engine)]
#[tokio::test]
async fn wrong_tokens_signatures_and_passwords_are_listed_and_delay_no_right_token(#[case] engine: Engine) {
    let app = TestApp::on(engine).await;
    let wrong = |n: u8| app.showing(Shows::Bearer(TokenSecret::from_random([n; 32]).expose().to_owned()));
    for n in 50..150 {
        wrong(n).get("/streams").await.assert_status(401).assert_problem("unauthenticated");
    }
    app.showing(Shows::Bearer("swt_mistyped".into())).get("/streams").await.assert_status(401);
    let signer =
        Shows::Signature { key_id: "dashboard".into(), secret: "wrong".into(), at: app.clock.seconds() };
    app.showing(signer).get("/streams").await.assert_status(401);
    let password = json!({"email": "nobody@example.org", "password": "a wrong password"});
    app.as_nobody().post("/session").json(password).await.assert_status(401);
    // Tokens that this instance has not seen yet, one of them made on another instance just now.
    let other = app.another().await;
    let made = |name: &str| {
        app.as_admin().post("/api-tokens").json(json!({"name": name, "role": "viewer"})).shown_once()
    };
    let here = made("here").await.assert_status(201).text("/token");
    app.showing(Shows::Bearer(here.clone())).get("/streams").await.assert_status(200);
    for n in 50..150 {
        let secret = TokenSecret::from_random([n; 32]).expose().to_owned();
        other.showing(Shows::Bearer(secret)).get("/streams").await.assert_status(401);
    }
    other.showing(Shows::Bearer(here)).get("/streams").await.assert_status(200);
    let there = made("there").await.assert_status(201).text("/token");
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    other.showing(Shows::Bearer(there)).get("/streams").await.assert_status(200);
    let rows = failures(&app, 203).await;
    for (cause, count) in
        [("unknown_token", 200), ("malformed_token", 1), ("wrong_signature", 1), ("wrong_password", 1)]
    {
        let row = of(&rows, cause);
        assert_eq!(
            (&row["count"], &row["protocol"], &row["ip_address"]),
            (&json!(count), &json!("api"), &json!("192.0.2.1"))
        );
        assert!(!row["advice"].as_str().unwrap().contains("newer version"), "{row}");
    }
    assert!(!json!(rows).to_string().contains("nobody@example.org"));
}
