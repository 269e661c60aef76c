//! Exit codes, errors as JSON, tables, and the texts that say what to do next.

use serde_json::{Value, json};
use sqlx::{Connection as _, Executor as _, PgConnection, SqliteConnection};

use super::instances::{cluster, instance};
use super::{Ended, Home, SOON};

/// The error of a command with `--json`, and its exit code.
fn error(home: &Home, arguments: &[&str]) -> (Option<i32>, Value) {
    let Ended { code, out, err } = home.run(&[&["--json"], arguments].concat());
    assert_eq!(out, "", "{arguments:?}");
    let problem = serde_json::from_str(&err).unwrap_or_else(|error| panic!("{error}: {err}"));
    (code, problem)
}

#[test]
fn error_with_json_is_the_problem_of_the_api_with_the_exit_code() {
    let home = Home::new().prepared();
    home.key();
    let missing = "01890000-0000-7000-8000-000000000000";
    let taken = ["key", "create", "--broadcaster", "Alice", "--path", "live/alice"];
    for (arguments, code, kind, status) in [
        (&["key", "show", missing][..], 3, "/problems/not-found", json!(404)),
        (&taken[..], 5, "/problems/path-taken", json!(409)),
        (&["broadcaster", "create", " "], 2, "/problems/validation", json!(400)),
        (&["broadcaster", "show", "Bob"], 3, "about:blank", Value::Null),
        (&["broadcaster", "update", "Alice"], 2, "about:blank", Value::Null),
        (&["broadcaster", "list", "--nonsense"], 2, "about:blank", Value::Null),
        (&["studio", "show", "x"], 3, "about:blank", Value::Null),
    ] {
        let (found, problem) = error(&home, arguments);
        assert_eq!(
            (found, &problem["type"], &problem["status"]),
            (Some(code), &json!(kind), &status),
            "{problem}"
        );
        assert_eq!(problem["exit_code"], code, "{problem}");
        assert!(problem["title"].is_string() && problem["detail"].is_string(), "{problem}");
    }
    assert_eq!(error(&home, &["broadcaster", "create", " "]).1["errors"][0]["field"], "display_name");
    let (code, problem) = error(&Home::new(), &["stream", "list"]);
    assert_eq!(code, Some(3), "{problem}");
    let unreachable = Home::new().with("DATABASE__URL", &format!("postgres://u@{}/d", super::nowhere()));
    assert_eq!(error(&unreachable, &["stream", "list"]).0, Some(6));
    let invalid = Home::new().with("HTTP__LISTEN", "nowhere");
    assert_eq!(error(&invalid, &["config"]).0, Some(2));
}

#[test]
fn unknown_broadcaster_and_the_second_of_a_name_come_with_the_next_command() {
    let home = Home::new().prepared();
    let unknown = home.refused(&["key", "create", "--broadcaster", "Bob"]);
    assert!(unknown.contains("streamward broadcaster create Bob"), "{unknown}");
    home.ok(&["broadcaster", "create", "Alice"]);
    let text = home.ok(&["broadcaster", "create", "Alice"]);
    assert!(text.contains("Another broadcaster is called Alice too"), "{text}");
    let next = text.lines().find_map(|line| line.strip_prefix("Next: streamward ")).expect("a next command");
    home.ok(&next.split(' ').collect::<Vec<_>>());
    let ambiguous = home.run(&["key", "create", "--broadcaster", "Alice"]);
    assert_eq!(ambiguous.code, Some(5), "{}", ambiguous.err);
    assert!(
        ambiguous.err.contains("2 broadcasters are called \"Alice\": name one by its id"),
        "{}",
        ambiguous.err
    );
}

#[test]
fn audit_log_is_listed_by_outcome() {
    let home = Home::new().prepared();
    home.ok(&["broadcaster", "create", "Alice"]);
    home.refused(&["broadcaster", "create", " "]);
    let of =
        |outcome: &str| home.json(&["audit", "list", "--outcome", outcome, "--resource-type", "broadcaster"]);
    let (done, refused) = (of("success"), of("failure"));
    assert_eq!((&done["count"], &refused["count"]), (&json!(1), &json!(1)), "{done} {refused}");
    let entry = &refused["audit_logs"][0];
    assert_eq!((&entry["actor"], &entry["request_path"]), (&json!("cli"), &json!("broadcaster create")));
    assert!(entry["failure_reason"].as_str().is_some_and(|why| why.contains("display_name")), "{entry}");
    let table = home.ok(&["audit", "list", "--outcome", "failure"]);
    assert!(table.contains("REASON") && table.contains("failure"), "{table}");
}

#[tokio::test]
async fn tables_fit_100_columns_and_show_owners_and_ends() {
    let home = Home::new().prepared();
    let name = "A very long name of a broadcaster ".repeat(6);
    let alice = home.json(&["broadcaster", "create", &name]);
    let path = format!("live/{}", "a".repeat(90));
    let id = alice["id"].as_str().expect("an id");
    let key = home.json(&["key", "create", "--broadcaster", id, "--path", &path, "--expires-in", "2h"]);
    let bytes = |id: &Value| id.as_str().expect("an id").replace('-', "");
    let file = home.dir.path().join("streamward.db");
    let mut conn = SqliteConnection::connect(&format!("sqlite://{}", file.display())).await.expect("opened");
    let ended = format!(
        "INSERT INTO streams VALUES (x'{}', x'{}', x'{}', x'{}', '{name}', '{path}', 'default', 1700000000000000,
         1700000060000000, 'key_revoked', 'rtmpConn', 's1', 'named_path', 0, '[]', 0, '{{}}', NULL, 0)",
        "01890000000070008000000000000000",
        bytes(&key["organization_id"]),
        bytes(&key["id"]),
        bytes(&alice["id"]),
    );
    conn.execute(sqlx::AssertSqlSafe(ended)).await.expect("written");
    conn.close().await.expect("closed");
    for (command, words) in [
        (&["key", "list"][..], &["BROADCASTER", "A very", "EXPIRES AT"][..]),
        (&["broadcaster", "list"], &["A very"]),
        (&["stream", "list", "--status", "ended"], &["ENDED AT", "2023-11-14T22:14:20Z", "key_revoked"]),
        (&["audit", "list"], &["OUTCOME"]),
        (&["organization", "list"], &["NAME"]),
        (&["media-server", "list"], &["default"]),
    ] {
        let table = home.ok(command);
        for line in table.lines() {
            assert!(line.chars().count() <= 100, "{command:?}: {line}");
        }
        for word in words {
            assert!(table.contains(word), "{word} is not in\n{table}");
        }
    }
}

#[test]
fn completions_and_manual_pages_name_every_command() {
    let home = Home::new();
    let bash = home.ok(&["completions", "bash"]);
    let page = home.ok(&["man"]);
    for word in ["broadcaster", "audit", "mediamtx-config"] {
        assert!(bash.contains(word), "{word}");
        assert!(page.replace('\\', "").contains(word), "{word}");
    }
    assert!(page.starts_with(".ie") || page.contains(".TH streamward 1"), "{page}");
    assert!(home.ok(&["--help"]).contains("Exit codes: 0 done, 1 failed"));
    home.ok(&["man", "--dir", "pages"]);
    assert!(home.dir.path().join("pages/streamward-key-create.1").is_file());
    for shell in ["zsh", "fish"] {
        assert!(home.ok(&["completions", shell]).contains("broadcaster"));
    }
}

#[tokio::test]
async fn missing_role_or_database_of_postgresql_ends_the_start_with_its_name_and_the_remedy() {
    let cluster = cluster().await;
    let url = cluster.url("absent");
    let home = instance(&url);
    let started = tokio::time::Instant::now();
    for command in [&["serve"][..], &["migrate"], &["stream", "list"]] {
        let ended = home.run(command);
        assert_eq!(ended.code, Some(6), "{command:?}: {}", ended.err);
        let place = format!("the database absent at 127.0.0.1:{}", cluster.port());
        let last = ended.err.lines().last().unwrap_or_default();
        assert!(last.contains(&place) && last.contains("createdb --owner"), "{last}");
    }
    let mut address = url::Url::parse(&cluster.url("postgres")).expect("a URL");
    address.set_username("nobody").expect("a user");
    let ended = instance(address.as_str()).run(&["serve"]);
    let last = ended.err.lines().last().unwrap_or_default();
    assert!(last.contains("createuser --pwprompt nobody"), "{last}");
    assert!(started.elapsed() < SOON, "{:?}", started.elapsed());
    // The cluster itself is well.
    PgConnection::connect(&cluster.url("postgres")).await.expect("connected");
}
