//! Streamers on the command line: the list, and watching changes with and without a terminal.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use streamward::adapters::sql::{SqlStore, open_sqlite};
use streamward::adapters::system::SystemClock;
use streamward::domain::Timestamp;
use streamward::domain::streamer::decide::{Report, ReportedStatus};
use streamward::domain::streamer::feed::{FeedState, FeedStatus, WatchStatus};
use streamward::domain::streamer::{Session, Source};
use streamward::ports::{Clock as _, ReportStore as _, StreamerStore as _};
use streamward_test_support::process::{Process, Signal, eventually, wait_for_exit};

use super::{Home, SOON};

/// A store on the program's database, as the watcher uses it.
async fn store(home: &Home) -> SqlStore {
    SqlStore::new(open_sqlite(&home.dir.path().join("streamward.db")).await.expect("opened"))
}

async fn report(store: &SqlStore, streamer: &Value, reported: ReportedStatus) {
    let now = SystemClock.now();
    let id = streamer["id"].as_str().and_then(|id| id.parse().ok()).expect("an id");
    let report = Report { streamer: id, source: Source::Centrifugo, at: now, reported };
    let recorded = store.record_reports(&[report], Duration::ZERO, now).await.expect("recorded");
    assert!(recorded[0].change.is_some(), "{recorded:?}");
}

async fn starts(store: &SqlStore, streamer: &Value, session: u64) {
    let title = Some("Juice".into());
    report(
        store,
        streamer,
        ReportedStatus::Started(Session { id: Some(session.to_string()), title, ..Session::default() }),
    )
    .await;
}

async fn stops(store: &SqlStore, streamer: &Value, session: u64) {
    let session = Session { id: Some(session.to_string()), ..Session::default() };
    report(store, streamer, ReportedStatus::Stopped { session, banned: true }).await;
}

/// The only streamer with this name.
fn listed(home: &Home, username: &str) -> Value {
    let list = home.json(&["streamer", "list"]);
    let all = list["streamers"].as_array().cloned().unwrap_or_default();
    all.into_iter().find(|one| one["username"] == username).expect("it is listed")
}

fn names(list: &Value) -> Vec<&str> {
    let streamers = list["streamers"].as_array().expect("a list");
    streamers.iter().filter_map(|one| one["username"].as_str()).collect()
}

#[tokio::test]
async fn streamers_are_added_paused_and_removed_by_command() {
    let home = Home::new().prepared();
    assert_eq!(home.ok(&["streamer", "list"]).trim(), "no streamers");
    let added = home.ok(&["streamer", "add", "xQc", "@alice", "https://kick.com/bob"]);
    for name in ["Watching xqc (", "Watching alice (", "Watching bob (", "kick.feed is not set"] {
        assert!(added.contains(name), "{added}");
    }
    let named = home.json(&["streamer", "add", "dora", "--display-name", "Dora", "--channel-id", "668"]);
    assert_eq!((&named["streamers"][0]["display_name"], &named["refused"]), (&json!("Dora"), &json!([])));

    home.ok(&["streamer", "pause", "BOB"]);
    assert_eq!(names(&home.json(&["streamer", "list", "--inactive"])), ["bob"]);
    assert_eq!(names(&home.json(&["streamer", "list"])), ["alice", "bob", "dora", "xqc"]);
    home.ok(&["streamer", "resume", "bob"]);
    assert_eq!(home.json(&["streamer", "list", "--inactive"])["count"], 0);

    let (store, alice) = (store(&home).await, listed(&home, "alice"));
    starts(&store, &alice, 1).await;
    stops(&store, &alice, 1).await;
    starts(&store, &alice, 2).await;
    assert_eq!(names(&home.json(&["streamer", "list", "--status", "online"])), ["alice"]);
    let events = home.json(&["streamer", "events", "alice", "--limit", "2"]);
    assert_eq!(events["count"], 2);
    assert_eq!(
        (&events["events"][0]["new_status"], &events["events"][1]["banned"]),
        (&json!("online"), &json!(true))
    );
    let table = home.ok(&["streamer", "events", alice["id"].as_str().expect("an id")]);
    assert!(table.lines().count() == 4 && table.contains("centrifugo") && table.contains("Juice"), "{table}");

    let removed = home.ok(&["streamer", "remove", "alice"]);
    assert_eq!(removed.trim(), "Removed alice and the history.");
    let gone = home.refused(&["streamer", "events", "alice"]);
    assert!(gone.contains("the streamer does not exist") && gone.contains("streamer list"), "{gone}");
}

#[test]
fn refused_name_does_not_stop_the_others() {
    let home = Home::new().prepared();
    home.ok(&["streamer", "add", "alice"]);
    let ended = home.run(&["streamer", "add", "ALICE", "a b", "carol"]);
    assert_eq!(ended.code, Some(1), "{}", ended.err);
    assert_eq!(ended.err.trim(), "streamward: 2 of 3 names were not added");
    for line in [
        "Watching carol (",
        "Not added: ALICE: alice is on the list already",
        "Not added: a b: username must",
    ] {
        assert!(ended.out.contains(line), "{line} is not in\n{}", ended.out);
    }
    let ended = home.run(&["--json", "streamer", "add", "alice", "dora"]);
    let report: Value = serde_json::from_str(&ended.out).expect("JSON");
    assert_eq!((ended.code, names(&report)), (Some(1), vec!["dora"]));
    assert_eq!(report["refused"][0]["username"], "alice");
    let refused = home.refused(&["streamer", "add", "x", "y", "--user-id", "7"]);
    assert!(refused.contains("one by one"), "{refused}");
    assert_eq!(names(&home.json(&["streamer", "list"])), ["alice", "carol", "dora"]);
}

#[tokio::test]
async fn kick_status_exit_code_is_the_health() {
    let home = Home::new().prepared();
    let never = home.refused(&["kick", "status"]);
    assert!(never.contains("kick.feed") && never.contains("streamward serve"), "{never}");
    let (store, now) = (store(&home).await, SystemClock.now());
    let keep = async |state: FeedState, at: Timestamp, error: Option<&str>| {
        let provider = Some(Source::Centrifugo);
        let error = error.map(str::to_owned);
        let feed =
            FeedStatus { provider, state, connections: 3, connected: 2, wanted: 9, subscribed: 8, error };
        let (watched, unresolved, queued) = (10, 1, 0);
        let (last_report_at, last_full_poll_at, poll_error) = (None, Some(at), None);
        let status = WatchStatus {
            at,
            feed,
            watched,
            unresolved,
            queued,
            last_report_at,
            last_full_poll_at,
            poll_error,
        };
        store.keep_watch_status(&status).await.expect("kept");
    };
    keep(FeedState::Degraded, now, Some("closed with 4200")).await;
    let text = home.ok(&["kick", "status"]);
    for line in
        ["degraded (centrifugo)", "2 of 3", "8 of 9 subscribed", "10 watched, 1 of them unresolved", "4200"]
    {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    let status = home.json(&["kick", "status"]);
    assert_eq!((&status["healthy"], &status["status"]["feed"]["state"]), (&json!(true), &json!("degraded")));
    keep(FeedState::Rejected, now, Some("the app key is not known (4001)")).await;
    let rejected = home.refused(&["kick", "status"]);
    assert!(rejected.contains("4001") && rejected.contains("only full polls"), "{rejected}");
    keep(FeedState::Connected, now.minus(Duration::from_secs(61)), None).await;
    let stale = home.refused(&["kick", "status"]);
    assert!(stale.contains("nobody has watched for 1m"), "{stale}");
}

#[tokio::test]
async fn watch_without_a_terminal_prints_a_line_per_change_until_a_signal() {
    let home = Home::new().prepared();
    home.ok(&["streamer", "add", "alice", "bob"]);
    let (store, alice, bob) = (store(&home).await, listed(&home, "alice"), listed(&home, "bob"));
    let watch = |name: &str, arguments: &[&str]| {
        Process::start(name, &mut home.command(arguments), home.dir.path()).expect("it starts")
    };
    let mut all = watch("all", &["streamer", "watch", "--json"]);
    let mut one = watch("one", &["streamer", "watch", "@Bob"]);
    // Only new changes are printed, so wait until both print some.
    let mut session = 0;
    while all.log().is_empty() || one.log().is_empty() {
        session += 1;
        assert!(session < 100, "{} {}", all.log(), one.log());
        starts(&store, &bob, session).await;
        stops(&store, &bob, session).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    starts(&store, &alice, 1).await;
    starts(&store, &bob, session + 1).await;
    let arrived = eventually("all changes are printed", SOON, async || {
        let (all, one) = (all.log(), one.log());
        let is_there = all.ends_with('\n') && all.trim_end().lines().count() > 3;
        let last: Value = serde_json::from_str(all.trim_end().lines().last().unwrap_or_default())?;
        let is_last = last["streamer"]["username"] == "bob" && last["change"]["new_status"] == "online";
        let is_printed = one.trim_end().ends_with("bob  offline → online  (centrifugo)  Juice");
        Ok((is_there && is_last && is_printed).then_some((all, one)))
    });
    let ((json_lines, lines), _) = arrived.await.expect("printed");
    let changes: Vec<Value> =
        json_lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert!(changes.windows(2).all(|two| two[0]["seq"].as_i64() < two[1]["seq"].as_i64()));
    assert!(changes.iter().any(|one| one["streamer"]["username"] == "alice"));
    assert!(!lines.contains("alice") && lines.contains("online → offline  (centrifugo, banned)"), "{lines}");
    all.signal(Signal::INT).expect("sent");
    assert_eq!(all.wait(SOON).await.expect("it ends").code(), Some(0));
    assert_eq!(one.terminate(SOON).await.expect("it ends").code(), Some(0));
    let mistyped = home.refused(&["streamer", "watch", "alcie"]);
    assert!(
        mistyped.contains("alcie is not watched") && mistyped.contains("streamer add alcie"),
        "{mistyped}"
    );
}

#[tokio::test]
async fn watch_ends_quietly_when_its_reader_goes() {
    let home = Home::new().prepared();
    home.ok(&["streamer", "add", "alice"]);
    let (store, alice) = (store(&home).await, listed(&home, "alice"));
    let mut command = home.command(&["streamer", "watch"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    drop(child.stdout.take());
    // It learns it at its next write.
    let mut session = 0;
    while child.try_wait().expect("its status").is_none() && session < 100 {
        session += 1;
        starts(&store, &alice, session).await;
        stops(&store, &alice, session).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let status = wait_for_exit(&mut child, SOON).expect("it ends");
    assert_eq!(status.code(), Some(0));
    let output = child.wait_with_output().expect("it ended");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[tokio::test]
async fn watch_shows_a_table_on_a_terminal_and_restores_the_terminal() {
    let home = Home::new().prepared();
    home.ok(&["streamer", "add", "alice", "bob"]);
    starts(&store(&home).await, &listed(&home, "bob"), 1).await;
    for key in ["q", "\u{1b}", "\u{3}"] {
        let (pty, inside) = pty_process::blocking::open().expect("a terminal");
        pty.resize(pty_process::Size::new(12, 110)).expect("resized");
        let mut terminal = File::from(OwnedFd::from(pty));
        let mut command = home.command(&["streamer", "watch"]);
        command.env("TERM", "xterm");
        let mut child = pty_process::blocking::Command::from(command).spawn(inside).expect("it starts");
        let output = TerminalOutput::of(terminal.try_clone().expect("the terminal again"));
        let table = eventually("the table appears", SOON, async || {
            let text = output.text();
            Ok((text.contains("USERNAME") && text.contains("Juice") && text.contains("q quit")).then_some(()))
        });
        if let Err(error) = table.await {
            let _ = child.kill();
            panic!("{error}: {}", output.text());
        }
        terminal.write_all(key.as_bytes()).expect("pressed");
        let status = wait_for_exit(&mut child, SOON).expect("it ends");
        assert_eq!(status.code(), Some(0), "{key:?}: {}", output.text());
        let restored = eventually("the terminal is restored", SOON, async || {
            let text = output.text();
            Ok((text.contains("\u{1b}[?1049h") && text.contains("\u{1b}[?1049l")).then_some(()))
        });
        restored.await.unwrap_or_else(|error| panic!("{key:?}: {error}: {}", output.text()));
    }
}

/// The output of a program to a terminal.
struct TerminalOutput(Arc<Mutex<Vec<u8>>>);

impl TerminalOutput {
    /// Reads until the program has closed the terminal.
    fn of(mut terminal: File) -> Self {
        let all = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&all);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(read @ 1..) = terminal.read(&mut buffer) {
                kept.lock().expect("not poisoned").extend_from_slice(&buffer[..read]);
            }
        });
        Self(all)
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().expect("not poisoned")).into_owned()
    }
}
