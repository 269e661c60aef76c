//! The configuration of MediaMTX that commands write, and what `doctor` says about it.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::json;
use sqlx::{Connection as _, Executor as _, SqliteConnection};

use super::instances::{empty, instance};
use super::{HOOK_SECRET, Home};
use crate::control_api::{ControlApi, Reply};

fn is_private(file: &Path) -> bool {
    fs::metadata(file).expect("it is there").permissions().mode() & 0o077 == 0
}

/// A program that says that it is a MediaMTX of this version.
fn program(home: &Home, version: &str) {
    let file = home.dir.path().join("mediamtx");
    fs::write(&file, format!("#!/bin/sh\necho '{version}'\n")).expect("written");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("it may run");
}

#[test]
fn configuration_is_written_privately_for_the_version_of_the_program() {
    let home = Home::new().with("HOOKS__SECRET", HOOK_SECRET).prepared();
    let output = home.dir.path().join("own.yml");
    fs::write(&output, "paths:\n  cam1:\n").expect("written");
    let refused = home.refused(&["mediamtx-config", "--output", "own.yml", "--for", "1.18"]);
    assert!(refused.contains("was not written by Streamward, so it stays as it is"), "{refused}");
    fs::remove_file(&output).expect("removed");
    home.ok(&["mediamtx-config", "--output", "own.yml", "--for", "1.18"]);
    fs::set_permissions(&output, fs::Permissions::from_mode(0o644)).expect("open to all");
    fs::write(&output, fs::read_to_string(&output).expect("text").replace("1935", "1936")).expect("changed");
    home.ok(&["mediamtx-config", "--output", "own.yml", "--for", "1.18"]);
    assert!(is_private(&output));
    let text = fs::read_to_string(&output).expect("text");
    assert!(
        text.contains("MediaMTX 1.18.0") && text.contains("runOnReady:") && !text.contains("moq"),
        "{text}"
    );

    program(&home, "v1.20.1");
    let text = home.ok(&["mediamtx-config", "--mediamtx", "mediamtx", "--auth-url", "http://vip:8080"]);
    assert!(text.contains("\nmoq: no\n") && text.contains("runOnAvailable:"), "{text}");
    assert!(text.contains("@vip:8080/auth?server=default"), "{text}");
    program(&home, "nonsense");
    assert!(home.refused(&["mediamtx-config", "--mediamtx", "mediamtx"]).contains("--for"));

    // None runs, and none is named.
    let newest = home.run(&["mediamtx-config"]);
    assert!(newest.out.contains("\nmoq: no\n") && newest.out.contains("runOnAvailable:"), "{}", newest.out);
    assert!(
        newest.err.contains("so this is for 1.20.1") && newest.err.contains("--mediamtx"),
        "{}",
        newest.err
    );
}

#[test]
fn output_into_a_file_that_others_may_read_is_warned_of() {
    let home = Home::new().with("HOOKS__SECRET", HOOK_SECRET).prepared();
    let file = home.dir.path().join("open.yml");
    for (mode, warns) in [(0o644, true), (0o600, false)] {
        let out = File::create(&file).expect("created");
        out.set_permissions(fs::Permissions::from_mode(mode)).expect("set");
        let mut command = home.command(&["mediamtx-config", "--for", "1.20"]);
        let ended = command.stdout(out).output().expect("it ends");
        let err = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert_eq!(err.contains("--output FILE") && err.contains("hook secret"), warns, "{mode:o}: {err}");
    }
}

#[test]
fn up_beside_the_configuration_of_the_archive_says_what_to_do() {
    let home = Home::new();
    program(&home, "v1.20.1");
    fs::write(home.dir.path().join("mediamtx.yml"), "# MediaMTX's own\nlogLevel: info\n").expect("written");
    let ended = home.run(&["up", "--mediamtx", "mediamtx"]);
    assert_eq!(ended.code, Some(1), "{}", ended.err);
    let last = ended.err.lines().last().unwrap_or_default();
    for words in ["was not written by Streamward", "--media-config", "--data-dir"] {
        assert!(last.contains(words), "{words}: {last}");
    }
    assert_eq!(
        fs::read_to_string(home.dir.path().join("mediamtx.yml")).expect("text"),
        "# MediaMTX's own\nlogLevel: info\n"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_master_key_is_a_failure_and_a_new_database_without_one_is_not() {
    let home = Home::new().with("MASTER_KEY", &"07".repeat(32)).prepared();
    home.ok(&["broadcaster", "list"]);
    let home = Home { env: Vec::new(), ..home };
    let lost = home.run(&["doctor"]);
    assert_eq!(lost.code, Some(7), "{}", lost.out);
    assert!(
        lost.out.contains("FAIL  master key") && lost.out.contains("restore the key file"),
        "{}",
        lost.out
    );
    let file = home.dir.path().join("streamward.db");
    let mut conn = SqliteConnection::connect(&format!("sqlite://{}", file.display())).await.expect("opened");
    conn.execute("DELETE FROM secrets").await.expect("written");
    conn.close().await.expect("closed");
    assert!(home.run(&["doctor"]).out.contains("warn  master key"), "there is no secret to lose");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn media_server_that_asks_a_dead_instance_is_explained() {
    let database = empty().await;
    let refusing = ControlApi::start(|_| Reply::Json(401, json!({"error": "authentication error"}))).await;
    let home = instance(database.url()).with("MEDIA_SERVERS__DEFAULT__API_URL", &refusing.url());
    let _service = home.serve().await;
    let found = home.run(&["doctor"]);
    assert_eq!(found.code, Some(7), "{}", found.out);
    for words in ["is down", "a virtual address", "a proxy beside", "beside each MediaMTX", "--auth-url"] {
        assert!(found.out.contains(words), "{words}: {}", found.out);
    }
}
