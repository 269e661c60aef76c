//! Commands that change something, and commands that print.

use serde_json::Value;

use super::{HOOK_SECRET, Home};

#[test]
fn help_says_what_each_group_of_commands_is_for() {
    let help = Home::new().ok(&["--help"]);
    for about in ["List and end streams", "Manage stream keys", "Manage broadcasters", "Manage tokens"] {
        assert!(help.contains(about), "{about}: {help}");
    }
}

#[test]
fn error_is_said_once() {
    let home = Home::new().prepared();
    let refused = home.refused(&["broadcaster", "create", ""]);
    assert_eq!(refused.matches("display_name must be 1 to 255 characters, got 0").count(), 1, "{refused}");
    assert_eq!(refused.matches("must be").count(), 1, "{refused}");
}

#[test]
fn refused_attempts_are_listed() {
    let home = Home::new().prepared();
    assert_eq!(home.ok(&["auth", "failures"]), "no auth failures\n");
    assert_eq!(home.json(&["auth", "failures"])["count"], 0);
}

#[test]
fn settings_are_printed_for_every_media_server_or_for_the_one_that_is_named() {
    let home = Home::new()
        .with("MEDIA_SERVERS__DEFAULT__RTMP_URL", "rtmp://one.example.org")
        .with("MEDIA_SERVERS__EU__API_URL", "http://127.0.0.1:10")
        .with("MEDIA_SERVERS__EU__RTMP_URL", "rtmp://two.example.org")
        .prepared();
    home.ok(&["broadcaster", "create", "Alice"]);
    let text = home.ok(&["key", "create", "--broadcaster", "Alice"]);
    for line in [
        "On the media server default",
        "On the media server eu",
        "rtmp://one.example.org/live",
        "rtmp://two.example.org/live",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    let text = home.ok(&["key", "rotate", "live/alice", "--server", "eu"]);
    assert!(text.contains("rtmp://two.example.org/live") && !text.contains("one.example.org"), "{text}");
    let key = home.json(&["key", "rotate", "live/alice"]);
    let of = |server: &str| key["ingest"]["by_media_server"][server]["obs"]["server"].clone();
    assert_eq!(
        (of("default"), of("eu")),
        ("rtmp://one.example.org/live".into(), "rtmp://two.example.org/live".into())
    );
    assert_eq!(key["ingest"]["by_media_server"]["eu"]["whip"]["bearer_token"], key["key_value"]);
    let refused = home.refused(&["key", "rotate", "live/alice", "--server", "us"]);
    assert!(
        refused.contains("no media server is called \"us\": the configuration has default, eu"),
        "{refused}"
    );
    assert_eq!(
        home.json(&["key", "list"])["stream_keys"][0]["key_prefix"],
        key["key_prefix"],
        "it was not rotated"
    );
}

#[test]
fn commands_create_a_key_and_print_encoder_settings() {
    let home = Home::new().prepared();
    let text = home.ok(&["broadcaster", "create", "Alice B.", "--metadata", r#"{"team": 7}"#]);
    assert!(text.contains("streamward key create --broadcaster 'Alice B.'"), "{text}");
    let alice = home.json(&["broadcaster", "show", "Alice B."]);
    assert_eq!(alice["metadata"]["team"], 7);
    home.ok(&["broadcaster", "update", "Alice B.", "--name", "Alice"]);

    let key = home.json(&["key", "create", "--broadcaster", "Alice", "--label", "OBS", "--expires-in", "2h"]);
    let secret = key["key_value"].as_str().expect("a secret").to_owned();
    assert_eq!(
        (&key["path"], &key["status"], &key["label"]),
        (&"live/alice".into(), &"active".into(), &"OBS".into())
    );
    assert!(key["expires_at"].is_string());
    let text = home.ok(&["key", "rotate", "live/alice"]);
    let fresh = text.split_whitespace().find(|word| word.starts_with("sk_")).expect("a secret").to_owned();
    assert_ne!(fresh, secret);
    for line in [
        "Server      rtmp://127.0.0.1:1935/live".to_owned(),
        format!("Stream Key  alice?key={fresh}"),
        format!("RTMP        rtmp://127.0.0.1:1935/live/alice?key={fresh}"),
        format!("SRT         srt://127.0.0.1:8890?streamid=publish:live/alice:key:{fresh}&pkt_size=1316"),
        format!("RTSP        rtsp://key:{fresh}@127.0.0.1:8554/live/alice"),
        "WHIP        http://127.0.0.1:8889/live/alice/whip".to_owned(),
        format!("RTMP        rtmp://127.0.0.1:1935/{fresh}"),
    ] {
        assert!(text.contains(&line), "{line} is not in\n{text}");
    }
    let list = home.ok(&["key", "list", "--broadcaster", "Alice"]);
    assert!(list.contains("live/alice") && !list.contains(&fresh) && !list.contains(&secret), "{list}");

    let takeover = home.json(&["key", "create", "--broadcaster", "Alice", "--path", "b", "--takeover"]);
    assert_eq!(takeover["on_conflict"], "takeover");
    let taken = home.refused(&["key", "create", "--broadcaster", "Alice", "--path", "b"]);
    assert!(taken.contains("another usable stream key has the path b"), "{taken}");
    home.ok(&["key", "revoke", "live/alice"]);
    let id = key["id"].as_str().expect("an id");
    assert_eq!(home.json(&["key", "show", id])["status"], "revoked");
    home.ok(&["broadcaster", "delete", "Alice"]);
    assert_eq!(home.json(&["key", "list"])["count"], 0);
    let gone = home.refused(&["broadcaster", "show", "Alice"]);
    assert!(gone.contains("the broadcaster does not exist"), "{gone}");
}

#[test]
fn tokens_are_created_listed_and_deleted() {
    let home = Home::new().prepared();
    let made = home.json(&["token", "create", "dashboard", "--role", "viewer", "--expires-in", "30d"]);
    assert!(made["token"].as_str().is_some_and(|token| token.starts_with("swt_")));
    let list = home.json(&["token", "list"]);
    assert_eq!((&list["count"], &list["api_tokens"][0]["role"]), (&1.into(), &"viewer".into()));
    assert!(list["api_tokens"][0].get("token").is_none());
    home.ok(&["token", "delete", "dashboard"]);
    assert_eq!(home.ok(&["token", "list"]).trim(), "no api tokens");
    assert!(home.refused(&["token", "delete", "dashboard"]).contains("no token is called"));
    assert!(home.refused(&["stream", "end", "live/x"]).contains("nothing is live on"));
    assert_eq!(home.json(&["media-server", "list"])["media_servers"][0]["name"], "default");
}

#[tokio::test]
async fn change_by_command_takes_effect_in_the_service_and_is_audited() {
    let home = Home::new().with("HOOKS__SECRET", HOOK_SECRET);
    let _service = home.serve().await;
    let key = home.key();
    assert_eq!(home.may_publish(&key, 1).await, 200);
    home.ok(&["key", "revoke", "live/alice"]);
    assert_eq!(home.may_publish(&key, 1).await, 401);
    let audit =
        super::client().get(home.url("/audit-logs?actor=cli&action=delete")).bearer_auth(home.admin_token());
    let audit: Value = audit.send().await.expect("an answer").json().await.expect("JSON");
    let entry = &audit["audit_logs"][0];
    let recorded = (&entry["request_method"], &entry["request_path"], &entry["resource_type"]);
    assert_eq!(recorded, (&"CLI".into(), &"key revoke".into(), &"stream_key".into()));
}

#[test]
fn configuration_is_shown_without_secrets_until_one_is_revealed() {
    let home = Home::new().with("HOOKS__SECRET", HOOK_SECRET).with("API__HMAC_KEYS__DASH", "signing-secret");
    let shown = home.ok(&["config"]) + &home.ok(&["config", "--json"]);
    assert!(shown.contains("STREAMWARD_HOOKS__SECRET") && shown.contains("dash"), "{shown}");
    assert!(!shown.contains(HOOK_SECRET) && !shown.contains("signing-secret"), "{shown}");
    assert!(!home.dir.path().join("streamward.db").exists(), "it opened a database");
    let home = home.prepared();
    assert_eq!(home.ok(&["config", "--reveal", "hooks.secret"]).trim(), HOOK_SECRET);
    assert!(
        home.refused(&["config", "--reveal", "api.hmac_secret"]).contains("because api.hmac_keys is set")
    );
    let made = Home::new().prepared();
    let secret = made.ok(&["config", "--reveal", "api.hmac_secret"]);
    assert_eq!(secret.trim().len(), 43);
    assert_eq!(made.ok(&["config", "--reveal", "api.hmac_secret"]), secret, "it is generated once");
}

#[test]
fn mediamtx_configuration_follows_its_version() {
    let home = Home::new().with("HOOKS__SECRET", HOOK_SECRET).prepared();
    let old = home.ok(&["mediamtx-config", "--for-version", "v1.15.4"]);
    let new = home.ok(&["mediamtx-config", "--for-version", "v1.20.1", "--url", "http://streamward:8080"]);
    assert!(old.contains("runOnReady:") && !old.contains("runOnAvailable:") && !old.contains("moq"), "{old}");
    assert!(new.contains("runOnAvailable:") && !new.contains("runOnReady:"), "{new}");
    assert!(
        new.contains(&format!("http://streamward:{HOOK_SECRET}@streamward:8080/auth?server=default")),
        "{new}"
    );
    let hook = old.lines().find(|line| line.contains("runOnReady:")).expect("a hook");
    assert!(!hook.contains(HOOK_SECRET) && hook.contains("streamward-secrets.hook"), "{hook}");
    assert!(home.refused(&["mediamtx-config", "--for-version", "newest"]).contains("is not a version"));
    assert!(
        home.refused(&["mediamtx-config", "--server", "eu"])
            .contains("the configuration has no media server eu")
    );
    let text = home.ok(&["mediamtx-config", "--install", "for-mediamtx"]);
    for name in ["mediamtx.yml", "hook-secret", "streamward"] {
        assert!(home.dir.path().join("for-mediamtx").join(name).is_file() && text.contains(name), "{text}");
    }
}

#[test]
fn output_for_machines_is_complete() {
    let home = Home::new();
    let document: Value = serde_json::from_str(&home.ok(&["openapi"])).expect("JSON");
    assert!(document["paths"]["/auth"].is_object());
    let problems: Value = serde_json::from_str(&home.ok(&["openapi", "--problems"])).expect("JSON");
    assert!(problems.as_array().is_some_and(|all| all.len() > 5));
    let first = home.json(&["migrate"]);
    assert!(first["applied"].as_array().is_some_and(|applied| !applied.is_empty()), "{first}");
    assert!(home.ok(&["migrate"]).contains("up to date"));
    assert!(home.ok(&["--version"]).contains(env!("CARGO_PKG_VERSION")));
}
