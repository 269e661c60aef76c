//! The launcher of a program, with a shell script instead of OBS.

use std::os::unix::fs::PermissionsExt as _;

use streamward_test_support::TimeLimit;
use tempfile::TempDir;
use tokio::signal::unix::{SignalKind, signal};

use super::*;

const KEY: &str = "live_4711_abc";

/// A launcher of a script.
fn launcher(folder: &TempDir, script: &str) -> ProcessLauncher {
    let program = folder.path().join("fake-obs");
    fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    ProcessLauncher::new(ProcessSettings {
        program,
        arguments: vec!["--profile".into(), "a b".into()],
        folder: folder.path().to_owned(),
        name: "main".into(),
        secrets: vec![Secret::new(KEY), Secret::new("")],
    })
}

async fn pid(launcher: &ProcessLauncher) -> Option<u32> {
    match launcher.state().await.unwrap() {
        ProcessState::Running { pid } => Some(pid),
        ProcessState::Ended { .. } => None,
    }
}

/// Waits until a file has a line, and returns the first one.
async fn line(folder: &TempDir, name: &str) -> String {
    loop {
        let text = fs::read_to_string(folder.path().join(name)).unwrap_or_default();
        if let Some((line, _)) = text.split_once('\n') {
            return line.to_owned();
        }
        sleep(CHECK).await;
    }
}

fn is_gone(pid: u32) -> bool {
    Identity::of(pid).is_none()
}

#[tokio::test]
async fn obs_is_started_once_and_quits_in_good_order() {
    // Like the program. Started in the background of a script, this process ignores SIGINT, and so would its children.
    let _interrupts = signal(SignalKind::interrupt()).unwrap();
    let (folder, _limit) = (TempDir::new().unwrap(), TimeLimit::start());
    let script = "cd $(dirname $0); trap 'echo quit > quit; exit 0' INT; echo \"$2\" > ready; while :; do sleep 0.05; done";
    let launcher = launcher(&folder, script);
    assert_eq!(pid(&launcher).await, None);
    launcher.start().await.unwrap();
    assert_eq!(line(&folder, "ready").await, "a b");
    let first = pid(&launcher).await.unwrap();
    launcher.start().await.unwrap();
    assert_eq!(pid(&launcher).await, Some(first));
    launcher.stop().await.unwrap();
    assert_eq!(line(&folder, "quit").await, "quit");
    assert!(pid(&launcher).await.is_none() && is_gone(first));
    launcher.stop().await.unwrap();
}

#[tokio::test]
async fn frozen_obs_is_killed_with_its_children_and_started_again() {
    let (folder, _limit) = (TempDir::new().unwrap(), TimeLimit::start());
    let launcher = launcher(&folder, "cd $(dirname $0); sleep 1000 & echo $! > child; wait");
    launcher.start().await.unwrap();
    let (first, child) = (pid(&launcher).await.unwrap(), line(&folder, "child").await.parse().unwrap());
    kill_process_group(to_pid(first).unwrap(), Signal::STOP).unwrap();
    assert_eq!(pid(&launcher).await, Some(first), "a frozen process is there");
    launcher.restart().await.unwrap();
    assert!(is_gone(first));
    while !is_gone(child) {
        sleep(CHECK).await;
    }
    assert_ne!(pid(&launcher).await.unwrap(), first);
    launcher.kill().await.unwrap();
}

#[tokio::test]
async fn obs_of_an_earlier_run_is_found_and_another_process_with_its_id_is_not() {
    let (folder, _limit) = (TempDir::new().unwrap(), TimeLimit::start());
    let script = "exec sleep 1000";
    let earlier = launcher(&folder, script);
    earlier.start().await.unwrap();
    let running = pid(&earlier).await.unwrap();
    let later = launcher(&folder, script);
    assert_eq!(pid(&later).await, Some(running));
    later.start().await.unwrap();
    assert_eq!(pid(&later).await, Some(running));
    // The earlier run still exists here, and has to wait for its child.
    let (killed, ()) = tokio::join!(later.kill(), async {
        while pid(&earlier).await.is_some() {
            sleep(CHECK).await;
        }
    });
    killed.unwrap();
    assert!(is_gone(running));

    let own = Identity::of(std::process::id()).unwrap();
    later.remember(Identity { started: own.started + 1, ..own }).unwrap();
    assert_eq!(pid(&later).await, None, "our own process is no OBS");
    later.kill().await.unwrap();
}

#[tokio::test]
async fn last_lines_are_kept_and_secrets_in_them_masked() {
    let (folder, _limit) = (TempDir::new().unwrap(), TimeLimit::start());
    let script = format!("for i in $(seq 30); do echo line $i; done; echo no {KEY} >&2; exit 3");
    let launcher = launcher(&folder, &script);
    launcher.start().await.unwrap();
    let last_words = loop {
        if let ProcessState::Ended { last_words } = launcher.state().await.unwrap() {
            break last_words;
        }
        sleep(CHECK).await;
    };
    assert_eq!(
        (last_words.len(), last_words[0].as_str(), last_words[19].as_str()),
        (20, "line 12", "no ***")
    );
    let mode = fs::metadata(folder.path().join("main.log")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(!format!("{launcher:?}").contains(KEY));
}

#[tokio::test]
async fn absent_program_is_named() {
    let folder = TempDir::new().unwrap();
    let mut launcher = launcher(&folder, "");
    launcher.settings.program = "/nowhere/obs".into();
    let error = launcher.start().await.unwrap_err();
    assert!(error.to_string().starts_with("there is no program /nowhere/obs"), "{error}");
    assert!(matches!(launcher.state().await, Ok(ProcessState::Ended { .. })));
}
