//! Wake-ups within an instance and between two.

use std::time::Duration;
use streamward::domain::access::Scope;

use sqlx::{Connection as _, PgConnection};
use streamward::adapters::local_wake_ups::LocalWakeUps;
use streamward::adapters::sql::{Db, PgSettings, PgWakeUps, open_postgres};
use streamward::domain::page::Page;
use streamward::domain::streamer::decide::Outcome;
use streamward::ports::{StreamerFilter, WakeUp, WakeUps};
use tokio::sync::broadcast::Receiver;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::fixture::{World, at, own_cluster, postgres, server};
use crate::streamer_fixture::started;

struct Instance {
    wake_ups: PgWakeUps,
    received: Receiver<WakeUp>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// An instance that listens.
async fn instance(url: &str, name: &str) -> Instance {
    let Db::Pg(pg) = open_postgres(url, &PgSettings::new(2)).unwrap() else {
        panic!("PostgreSQL was opened")
    };
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    let wake_ups = PgWakeUps::start(pg.clone(), Some(pg), name, &tasks, stop.clone());
    let mut received = wake_ups.listen();
    assert_eq!(next(&mut received).await, WakeUp::Everything, "it may have missed some");
    Instance { wake_ups, received, tasks, stop }
}

async fn next(received: &mut Receiver<WakeUp>) -> WakeUp {
    timeout(Duration::from_secs(10), received.recv()).await.expect("a wake-up arrives").unwrap()
}

/// Waits for one wake-up among others.
async fn wait_for(received: &mut Receiver<WakeUp>, wanted: &WakeUp) {
    while next(received).await != *wanted {}
}

async fn silent(received: &mut Receiver<WakeUp>) -> bool {
    timeout(Duration::from_millis(300), received.recv()).await.is_err()
}

#[tokio::test]
async fn a_wake_up_reaches_this_instance_at_once() {
    let wake_ups = LocalWakeUps::default();
    wake_ups.send(WakeUp::Events);
    let (mut one, mut two) = (wake_ups.listen(), wake_ups.listen());
    wake_ups.send(WakeUp::Streamers);
    wake_ups.send_local(WakeUp::Events);
    for received in [&mut one, &mut two] {
        assert_eq!(received.try_recv().unwrap(), WakeUp::Streamers, "only what comes from now on");
        assert_eq!(received.try_recv().unwrap(), WakeUp::Events);
    }
}

#[tokio::test]
async fn a_wake_up_reaches_the_other_instances_and_does_not_come_back() {
    let database = postgres().await;
    let (mut a, mut b) = (instance(database.url(), "a").await, instance(database.url(), "b").await);
    let wake_up = WakeUp::Reconcile(server("default"));
    a.wake_ups.send(wake_up.clone());
    assert_eq!(a.received.try_recv().unwrap(), wake_up, "here it is at once");
    assert_eq!(next(&mut b.received).await, wake_up);
    assert!(silent(&mut a.received).await && silent(&mut b.received).await);
    b.wake_ups.send_local(WakeUp::Events);
    assert_eq!(next(&mut b.received).await, WakeUp::Events);
    assert!(silent(&mut a.received).await, "a local one stays here");
}

#[tokio::test]
async fn wake_ups_in_quick_succession_are_one_notification() {
    let database = postgres().await;
    let (a, mut b) = (instance(database.url(), "a").await, instance(database.url(), "b").await);
    for _ in 0..100 {
        a.wake_ups.send(WakeUp::Events);
    }
    assert_eq!(next(&mut b.received).await, WakeUp::Events);
    assert!(silent(&mut b.received).await);
}

/// Runs a statement like another program.
async fn sql(conn: &mut PgConnection, statement: &'static str) {
    sqlx::query(statement).execute(conn).await.unwrap();
}

#[tokio::test]
async fn another_program_that_changes_who_is_watched_wakes_instances_once() {
    let database = postgres().await;
    let mut conn = PgConnection::connect(database.url()).await.unwrap();
    let mut here = instance(database.url(), "a").await;
    for statement in [
        "INSERT INTO streamers (username) VALUES ('xqc')",
        "UPDATE streamers SET is_active = FALSE",
        "UPDATE streamers SET username = 'other'",
        "UPDATE streamers SET channel_id = 668",
        "UPDATE streamers SET user_id = 676",
        "INSERT INTO streamers (username) SELECT 's' || i FROM generate_series(1, 10000) AS i",
        "UPDATE streamers SET channel_id = 1",
        "DELETE FROM streamers",
    ] {
        sql(&mut conn, statement).await;
        let received = timeout(Duration::from_secs(1), here.received.recv()).await;
        assert_eq!(received.expect("at once").unwrap(), WakeUp::Streamers, "{statement}");
        assert!(silent(&mut here.received).await, "one for all rows: {statement}");
    }
}

#[tokio::test]
async fn a_write_that_does_not_change_who_is_watched_wakes_nobody() {
    let database = postgres().await;
    let mut conn = PgConnection::connect(database.url()).await.unwrap();
    sql(&mut conn, "INSERT INTO streamers (username, channel_id) VALUES ('xqc', 668), ('other', 1)").await;
    let mut here = instance(database.url(), "a").await;
    let db = open_postgres(database.url(), &PgSettings::new(2)).unwrap();
    let world = World::over(db, ());
    let all =
        world.store.streamers(&Scope::system(), &StreamerFilter::default(), &Page::default()).await.unwrap();
    assert_eq!(world.record_one(started(&all[0], 1, at(1))).await, Outcome::Changed);
    for statement in [
        "UPDATE streamers SET status = 'offline', last_seen_online = 5, session_title = 'x'",
        "UPDATE streamers SET display_name = 'X'",
        "UPDATE streamers SET username = username, is_active = is_active, channel_id = channel_id",
        "DELETE FROM streamers WHERE username = 'nobody'",
        "INSERT INTO streamers (username) VALUES ('XQC') ON CONFLICT DO NOTHING",
    ] {
        sql(&mut conn, statement).await;
    }
    assert!(silent(&mut here.received).await);
}

#[tokio::test]
async fn stopping_ends_the_tasks() {
    let database = postgres().await;
    let instance = instance(database.url(), "a").await;
    instance.stop.cancel();
    instance.tasks.close();
    timeout(Duration::from_secs(5), instance.tasks.wait()).await.expect("they end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_instance_whose_session_was_ended_checks_everything_and_listens_again() {
    let database = postgres().await;
    let (a, mut b) = (instance(database.url(), "a").await, instance(database.url(), "b").await);
    let mut admin = PgConnection::connect(database.url()).await.unwrap();
    for _ in 0..10 {
        let listeners = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                         WHERE datname = current_database() AND pid <> pg_backend_pid()";
        sqlx::query(listeners).execute(&mut admin).await.unwrap();
        wait_for(&mut b.received, &WakeUp::Everything).await;
    }
    // The sender's session was ended too; it retries by itself.
    a.wake_ups.send(WakeUp::Streamers);
    wait_for(&mut b.received, &WakeUp::Streamers).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wake_ups_resume_after_the_database_was_down() {
    let mut cluster = own_cluster();
    let url = cluster.url("postgres");
    let (a, mut b) = (instance(&url, "a").await, instance(&url, "b").await);
    cluster.stop();
    a.wake_ups.send(WakeUp::Streamers);
    tokio::time::sleep(Duration::from_millis(500)).await;
    cluster.run().unwrap();
    wait_for(&mut b.received, &WakeUp::Everything).await;
    loop {
        a.wake_ups.send(WakeUp::Events);
        if timeout(Duration::from_millis(500), wait_for(&mut b.received, &WakeUp::Events)).await.is_ok() {
            break;
        }
    }
}
