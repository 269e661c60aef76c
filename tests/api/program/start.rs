//! Starting: what is printed once, and what prevents a start.

use std::net::TcpListener;

use super::{Home, client};

#[tokio::test]
async fn first_start_prints_an_admin_token_once_and_does_not_log_it() {
    let home = Home::new().with("LOG__FORMAT", "json").with("LOG__LEVEL", "debug");
    let mut service = home.serve().await;
    let token = home.admin_token();
    let list = |token: String| client().get(home.url("/api-tokens")).bearer_auth(token).send();
    assert_eq!(list(token.clone()).await.expect("an answer").status(), 200);
    assert_eq!(list(format!("{token}x")).await.expect("an answer").status(), 401);
    assert!(service.terminate(super::SOON).await.expect("it stops").success());

    let log = home.log();
    let lines: Vec<&str> = log.lines().filter(|line| line.starts_with('{')).collect();
    assert!(lines.len() > 3 && lines.iter().all(|line| !line.contains(&token)), "{lines:#?}");

    let _again = home.serve().await;
    assert_eq!(home.admin_token(), token, "the second start prints no token");
    assert_eq!(list(token).await.expect("an answer").status(), 200);
}

#[tokio::test]
async fn configured_admin_token_replaces_the_generated_one() {
    let home = Home::new().with("API__ADMIN_TOKEN", "my-own-admin-token");
    let _service = home.serve().await;
    let log = home.log();
    assert!(log.contains("api.admin_token") && !log.contains("swt_"), "{log}");
    assert!(!log.contains("my-own-admin-token"), "{log}");
    let tokens = home.json(&["token", "list"]);
    assert_eq!((&tokens["count"], &tokens["api_tokens"][0]["name"]), (&1.into(), &"setup link".into()));
}

#[tokio::test]
async fn second_service_on_the_same_file_is_refused() {
    let home = Home::new();
    let _service = home.serve().await;
    let file = home.dir.path().join("streamward.db");
    let other = Home::new().with("DATABASE__URL", &format!("sqlite://{}", file.display()));
    let line = other.refused(&["serve"]);
    assert!(line.contains("already served by another Streamward (process "), "{line}");
    assert!(line.contains("DATABASE_URL"), "{line}");
    assert_eq!(home.json(&["broadcaster", "list"])["count"], 0, "commands work while the service runs");
}

#[tokio::test]
async fn port_in_use_is_reported_before_anything_is_created() {
    let home = Home::new();
    let _taken = TcpListener::bind(("127.0.0.1", home.port)).expect("it is free");
    let line = home.refused(&["serve"]);
    assert!(line.contains(&format!("http.listen 127.0.0.1:{} cannot be used", home.port)), "{line}");
    assert!(line.contains("STREAMWARD_HTTP__LISTEN"), "{line}");
    assert!(!home.dir.path().join("streamward.db").exists());
}

#[test]
fn configuration_error_is_one_line_with_exit_code_two() {
    for (name, value, expected) in [
        ("HTTP__LISTEN_ON", "x", "http.listen_on is not a key; did you mean http.listen?"),
        ("AUTH__CLAIM_TTL", "soon", "auth.claim_ttl must be a duration such as"),
        ("LOG__LEVEL", "streamward=loud", "log.level"),
    ] {
        let home = Home::new().with(name, value);
        let ended = home.run(&["serve"]);
        assert!(ended.err.contains(expected), "{}", ended.err);
        assert_eq!(ended.err.trim().lines().count(), 1, "{}", ended.err);
        assert_eq!(ended.code, Some(2), "{name}");
    }
    let home = Home::new();
    let line = home.refused(&["--config", "nowhere.toml", "serve"]);
    assert!(line.contains("nowhere.toml does not exist"), "{line}");
}

#[tokio::test]
async fn another_master_key_is_refused_at_startup() {
    let home = Home::new().prepared();
    home.ok(&["broadcaster", "create", "Alice"]);
    let key = home.dir.path().join("streamward-secrets.key");
    let kept = std::fs::read(&key).expect("it was generated");
    std::fs::remove_file(&key).expect("removed");
    let line = home.refused(&["serve"]);
    assert!(line.contains("the master key of this database is missing"), "{line}");
    assert!(!key.exists(), "it generated another key");
    let other = Home { env: home.env.clone(), ..home }.with("MASTER_KEY", &"00".repeat(32));
    let line = other.refused(&["serve"]);
    assert!(line.contains("encrypted under another master key"), "{line}");
    std::fs::write(other.dir.path().join("the-key"), kept).expect("written");
    let line =
        Home { env: vec![], ..other }.with("MASTER_KEY_FILE", "the-key").json(&["broadcaster", "list"]);
    assert_eq!(line["count"], 1);
}
