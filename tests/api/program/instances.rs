//! Several instances on one PostgreSQL, and an instance whose PostgreSQL stops and starts.

use std::path::PathBuf;
use std::time::Duration;

use sqlx::{Connection as _, Executor as _, PgConnection};
use streamward::adapters::sql::{PgSettings, migrate, open_postgres};
use streamward_test_support::process::Process;
use streamward_test_support::{Cluster, Database, PgBouncer};

use tokio::time::Instant;

use super::{HOOK_SECRET, Home, SOON, eventually};

/// An instance on this database; all have one master key.
pub(super) fn instance(url: &str) -> Home {
    Home::new()
        .with("DATABASE__URL", url)
        .with("HOOKS__SECRET", HOOK_SECRET)
        .with("MASTER_KEY", &"07".repeat(32))
}

/// An empty database.
pub(super) async fn empty() -> Database {
    let database = streamward_test_support::database(|url| async move {
        let db = open_postgres(&url, &PgSettings::new(2))?;
        let done = migrate(&db).await;
        db.close().await;
        done
    })
    .await;
    let mut conn = PgConnection::connect(database.url()).await.expect("connected");
    for statement in ["DROP SCHEMA public CASCADE", "CREATE SCHEMA public"] {
        conn.execute(statement).await.expect("done");
    }
    conn.close().await.expect("closed");
    database
}

fn leads(home: &Home) -> bool {
    let log = home.log();
    log.matches("task assigned to this instance").count()
        > log.matches("the lease of this instance is lost").count() + log.matches("tasks given back").count()
}

/// The instance that reconciles, and the other one.
async fn led<'a>(
    a: (&'a Home, Process),
    b: (&'a Home, Process),
) -> ((&'a Home, Process), (&'a Home, Process)) {
    eventually("the task is assigned", SOON, async || Ok((leads(a.0) || leads(b.0)).then_some(())))
        .await
        .expect("assigned");
    assert!(!(leads(a.0) && leads(b.0)), "it is assigned to both");
    if leads(a.0) { (a, b) } else { (b, a) }
}

#[tokio::test]
async fn two_instances_start_and_migrate_at_the_same_time() {
    let database = empty().await;
    let (a, b) = (instance(database.url()), instance(database.url()));
    let running = (a.start(), b.start());
    a.ready().await;
    b.ready().await;
    let log = a.log() + &b.log();
    assert_eq!(log.matches("Admin API token").count(), 1, "only the first start prints it: {log}");
    let revealed = |home: &Home| home.ok(&["config", "--reveal", "api.hmac_secret"]);
    assert_eq!(revealed(&a), revealed(&b), "their secrets differ");
    drop(running);
}

#[tokio::test]
async fn revoked_key_is_refused_by_the_other_process() {
    let database = empty().await;
    let (a, b) =
        (instance(database.url()), instance(database.url()).with("API__ADMIN_TOKEN", "admin-of-b-for-tests"));
    let _running = (a.serve().await, b.serve().await);
    for round in 0..5 {
        let name = format!("Alice {round}");
        a.ok(&["broadcaster", "create", &name]);
        let key = a.json(&["key", "create", "--broadcaster", &name]);
        assert_eq!(b.may_publish(&key, 1).await, 200, "a new key works on every instance at once");
        let id = key["id"].as_str().expect("an id");
        let revoke =
            super::client().delete(a.url(&format!("/stream-keys/{id}"))).bearer_auth(a.admin_token());
        assert_eq!(revoke.send().await.expect("an answer").status(), 204);
        assert_eq!(b.may_publish(&key, 1).await, 401);
        assert_eq!(a.may_publish(&key, 2).await, 401);
    }
}

/// libfaketime, which gives a program another clock.
fn faketime() -> PathBuf {
    let folders = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten().map(|entry| entry.path());
    let mut libraries = folders.map(|folder| folder.join("faketime/libfaketimeMT.so.1"));
    libraries.find(|library| library.is_file()).expect("libfaketime: run .ci/setup")
}

#[tokio::test]
async fn claim_holds_on_an_instance_by_whose_clock_it_is_over() {
    let library = faketime();
    let database = empty().await;
    let (a, mut b) = (instance(database.url()), instance(database.url()));
    let library = library.display().to_string();
    let ahead = [("LD_PRELOAD", &*library), ("FAKETIME", "+16"), ("FAKETIME_DONT_FAKE_MONOTONIC", "1")];
    b.env.extend(ahead.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let _running = (a.serve().await, b.serve().await);
    let key = a.key();
    assert_eq!(a.may_publish(&key, 1).await, 200);
    assert_eq!(b.may_publish(&key, 2).await, 401, "the claim of 15 s is not over by the database's clock");
    eventually("its clock is found wrong", SOON, async || {
        let health: serde_json::Value = super::client().get(b.url("/health")).send().await?.json().await?;
        let mut workers = health["workers"].as_array().into_iter().flatten();
        let is_found = workers.any(|worker| worker["name"] == "clock" && worker["failing"] == true);
        Ok(is_found.then_some(()))
    })
    .await
    .expect("it says so");
}

#[tokio::test]
async fn tasks_move_within_five_seconds_when_their_instance_is_killed() {
    let database = empty().await;
    let (a, b) = (instance(database.url()), instance(database.url()));
    let (a, b) = ((&a, a.serve().await), (&b, b.serve().await));
    let ((_, mut leader), (follower, mut other)) = led(a, b).await;
    leader.kill();
    let (_, took) =
        eventually("it is assigned to the other", SOON, async || Ok(leads(follower).then_some(())))
            .await
            .expect("assigned");
    assert!(took <= Duration::from_secs(5), "{took:?}");
    assert!(other.terminate(SOON).await.expect("it stops").success());
}

/// The reconcile task in `/health`.
async fn reconcile(home: &Home) -> anyhow::Result<serde_json::Value> {
    let health: serde_json::Value = super::client().get(home.url("/health")).send().await?.json().await?;
    let mut workers = health["workers"].as_array().into_iter().flatten();
    Ok(workers.find(|worker| worker["name"] == "reconcile:default").cloned().unwrap_or_default())
}

#[tokio::test]
async fn task_that_nobody_can_take_over_is_unhealthy_until_somebody_does() {
    let database = empty().await;
    let (a, b) = (instance(database.url()), instance(database.url()));
    let (a, b) = ((&a, a.serve().await), (&b, b.serve().await));
    let ((_, mut leader), (follower, _other)) = led(a, b).await;
    let standby = reconcile(follower).await.expect("health");
    assert_eq!((&standby["failing"], &standby["waiting_since"]), (&false.into(), &serde_json::Value::Null));
    leader.kill();
    // A transaction that hangs, as of a frozen instance.
    let mut hangs = PgConnection::connect(database.url()).await.expect("connected");
    hangs.execute("BEGIN; SELECT key FROM assignments FOR UPDATE").await.expect("locked");
    eventually("the standby is unhealthy", 2 * SOON, async || {
        let worker = reconcile(follower).await?;
        Ok((worker["failing"] == true && worker["waiting_since"].is_string()).then_some(()))
    })
    .await
    .expect("unhealthy");
    assert!(follower.log().contains("waits for its assignment since"));
    hangs.execute("ROLLBACK").await.expect("unlocked");
    eventually("the standby runs it", SOON, async || {
        Ok(reconcile(follower).await?["waiting_since"].is_null().then_some(()))
    })
    .await
    .expect("it runs");
    assert!(leads(follower));
}

#[tokio::test]
async fn two_instances_work_behind_a_pooler_in_transaction_mode() {
    let cluster = cluster().await;
    let pooler = PgBouncer::start(&cluster, 4).expect("PgBouncer: run .ci/setup");
    let url = pooler.url("postgres");
    let line = instance(&url).refused(&["serve"]);
    assert!(line.contains("pooler in transaction mode") && line.contains("database.pooled = true"), "{line}");
    let pooled = || instance(&url).with("DATABASE__POOLED", "true");
    let (a, b) = (pooled().with("DATABASE__LISTEN_URL", &cluster.url("postgres")), pooled());
    let mut running = (a.start(), b.start());
    a.ready().await;
    b.ready().await;
    assert!(b.log().contains("it polls") && !a.log().contains("it polls"), "{}", b.log());
    let key = a.key();
    assert_eq!(b.may_publish(&key, 1).await, 200);
    assert_eq!(a.may_publish(&key, 2).await, 401, "the other connection holds it");
    b.ok(&["key", "revoke", key["id"].as_str().expect("an id")]);
    assert_eq!(a.may_publish(&key, 1).await, 401);
    assert_eq!(b.may_publish(&key, 1).await, 401);
    let doctor = a.run(&["doctor"]).out;
    assert!(doctor.contains("PostgreSQL answers") && !doctor.contains("FAIL  database"), "{doctor}");
    for log in [a.log(), b.log()] {
        assert!(!log.contains("prepared statement"), "{log}");
    }
    assert!(running.0.terminate(SOON).await.expect("it stops").success());
    assert!(running.1.terminate(SOON).await.expect("it stops").success());
}

#[tokio::test]
async fn tasks_move_at_once_when_their_instance_is_stopped() {
    let database = empty().await;
    let (a, b) = (instance(database.url()), instance(database.url()));
    let (a, b) = ((&a, a.serve().await), (&b, b.serve().await));
    let ((_, mut leader), (follower, _other)) = led(a, b).await;
    assert!(leader.terminate(SOON).await.expect("it stops").success());
    let (_, took) =
        eventually("it is assigned to the other", SOON, async || Ok(leads(follower).then_some(())))
            .await
            .expect("assigned");
    assert!(took <= Duration::from_secs(2), "{took:?}");
}

#[tokio::test]
async fn instance_with_another_master_key_refuses_to_start() {
    let database = empty().await;
    let a = instance(database.url());
    let _running = a.serve().await;
    let b = Home::new().with("DATABASE__URL", database.url());
    let line = b.refused(&["serve"]);
    assert!(line.contains("the master key of this database is missing"), "{line}");
}

pub(super) async fn cluster() -> Cluster {
    tokio::task::spawn_blocking(|| Cluster::start(true)).await.expect("no panic").expect("a cluster")
}

#[tokio::test]
async fn broadcasts_start_while_the_database_is_unreachable() {
    let mut cluster = cluster().await;
    let home = instance(&cluster.url("postgres"));
    let mut service = home.serve().await;
    let known = home.key();
    let revoked = home.json(&["key", "create", "--broadcaster", "Alice"]);
    home.ok(&["key", "revoke", revoked["id"].as_str().expect("an id")]);
    // The key cache reads the events of the command line's keys within a second.
    tokio::time::sleep(Duration::from_secs(2)).await;

    cluster.stop();
    assert_eq!(home.may_publish(&known, 1).await, 200, "it was valid at the last contact");
    let started = Instant::now();
    assert_eq!(home.may_publish(&known, 1).await, 200, "the same connection requests again");
    assert_eq!(home.may_publish(&known, 2).await, 401, "one connection a key");
    assert_eq!(home.may_publish(&revoked, 3).await, 401, "it was revoked");
    let made_up = serde_json::json!({"key_value": format!("sk_{}", "a".repeat(43)), "path": "live/made-up"});
    assert_eq!(home.may_publish(&made_up, 4).await, 401, "it is unknown");
    assert!(
        started.elapsed() < Duration::from_millis(1_500),
        "known to be unreachable, it does not wait: {:?}",
        started.elapsed()
    );
    assert!(home.log().contains("the database is unreachable"));

    cluster.run().expect("it starts");
    home.ready().await;
    let id = known["id"].as_str().expect("an id");
    eventually("the claim is written down", SOON, async || {
        let key = home.json(&["key", "show", id]);
        Ok((key["in_use"] == true).then_some(()))
    })
    .await
    .expect("written");
    assert_eq!(home.may_publish(&known, 2).await, 401, "the first connection holds it");
    assert!(service.terminate(SOON).await.expect("it stops").success());
}

#[tokio::test]
async fn service_waits_for_an_unreachable_database_and_recovers() {
    let mut cluster = cluster().await;
    let home = instance(&cluster.url("postgres")).with("AUTH__GRACE", "0s");
    cluster.stop();
    let mut service = home.start();
    eventually("it reports what it waits for", SOON, async || {
        Ok(home.log().contains("the database is unreachable; trying again").then_some(()))
    })
    .await
    .expect("reported");
    assert!(!home.log().contains("Admin API token"));
    cluster.run().expect("it starts");
    home.ready().await;
    let key = home.key();
    assert_eq!(home.may_publish(&key, 1).await, 200);

    cluster.stop();
    assert_eq!(home.may_publish(&key, 1).await, 401, "auth.grace is 0s");
    let health = super::client().get(home.url("/health")).send().await.expect("an answer");
    assert_eq!(health.status(), 503);
    let doctor = home.run(&["doctor"]).out;
    assert!(doctor.contains("FAIL  database") && doctor.contains("but cannot use its database"), "{doctor}");
    assert!(!doctor.contains("another program"), "{doctor}");
    cluster.run().expect("it starts");
    home.ready().await;
    let (status, _) = eventually("it allows again", SOON, async || {
        Ok(Some(home.may_publish(&key, 1).await).filter(|status| *status == 200))
    })
    .await
    .expect("allowed");
    assert_eq!(status, 200);
    assert!(service.terminate(SOON).await.expect("it stops").success());
}
