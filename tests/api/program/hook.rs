//! `streamward hook`, which MediaMTX runs. It always ends in time and never prints a path.

use std::process::Command;
use std::time::{Duration, Instant};

use streamward_test_support::process::output_within;

use super::{Ended, HOOK_SECRET, Home};

const PATH: &str = "live/sk_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

#[expect(clippy::disallowed_methods, reason = "a process is timed from outside")]
fn timed(mut command: Command) -> (Ended, Duration) {
    command.env("MTX_PATH", PATH).env("MTX_SOURCE_TYPE", "rtmpConn").env("MTX_SOURCE_ID", "11");
    command.env("MTX_QUERY", "key=sk_aaa");
    let started = Instant::now();
    let ended = Ended::of(output_within(&mut command, super::COMMAND_LIMIT).expect("it ends"));
    (ended, started.elapsed())
}

#[tokio::test]
async fn hook_finds_its_secret_as_the_service_does() {
    let home = Home::new();
    let _service = home.serve().await;
    for event in ["ready", "not-ready"] {
        let (ended, took) = timed(home.command(&["hook", event]));
        assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
        assert!(took < Duration::from_secs(3), "{took:?}");
    }
    super::eventually("both are logged", super::SOON, async || {
        Ok((home.log().matches("app::hook").count() == 2).then_some(()))
    })
    .await
    .expect("logged");
    assert!(!home.log().contains(PATH), "{}", home.log());
}

#[tokio::test]
async fn hook_takes_address_and_secret_as_flags() {
    let home = Home::new().with("HOOKS__SECRET", HOOK_SECRET);
    let _service = home.serve().await;
    let elsewhere = Home::new();
    std::fs::write(elsewhere.dir.path().join("secret"), HOOK_SECRET).expect("written");
    let url = home.url("/");
    let (ended, _) = timed(elsewhere.command(&["hook", "ready", "--url", &url, "--secret-file", "secret"]));
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
    assert!(!elsewhere.dir.path().join("streamward.db").exists(), "it opened a database");
    std::fs::write(elsewhere.dir.path().join("secret"), "another-secret").expect("written");
    let (ended, took) =
        timed(elsewhere.command(&["hook", "ready", "--url", &url, "--secret-file", "secret"]));
    assert_eq!(ended.code, Some(1));
    assert!(
        ended.err.contains("hook secret is wrong") && took < Duration::from_secs(3),
        "{took:?} {}",
        ended.err
    );
}

#[test]
fn hook_gives_up_in_time_without_a_service() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let addresses = [super::nowhere(), silent.local_addr().expect("bound")];
    for address in addresses {
        let home =
            Home::new().with("HOOKS__SECRET", HOOK_SECRET).with("HOOKS__URL", &format!("http://{address}"));
        let (ended, took) = timed(home.command(&["hook", "ready"]));
        assert_eq!(ended.code, Some(1));
        assert!(took < Duration::from_secs(5), "{took:?}");
        assert_eq!(ended.err.trim().lines().count(), 1, "{}", ended.err);
        assert!(!ended.err.contains("sk_") && !ended.err.contains("live/"), "{}", ended.err);
    }
}

#[tokio::test]
async fn unreachable_database_does_not_delay_the_hook() {
    let url = format!("postgres://nobody@{}/nothing", super::nowhere());
    let (ended, took) = timed(Home::new().with("DATABASE__URL", &url).command(&["hook", "not-ready"]));
    assert_eq!(ended.code, Some(6));
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[test]
fn hook_run_by_hand_explains_what_is_missing() {
    let home = Home::new().with("HOOKS__SECRET", HOOK_SECRET);
    assert!(home.refused(&["hook", "ready"]).contains("MTX_PATH is not set"));
}

#[test]
fn hook_in_an_empty_directory_creates_nothing() {
    let home = Home::new();
    let (ended, _) = timed(home.command(&["hook", "ready"]));
    assert_eq!(ended.code, Some(3));
    assert!(ended.err.contains("give --url and --secret-file"), "{}", ended.err);
    assert_eq!(std::fs::read_dir(home.dir.path()).expect("a directory").count(), 0);
}
