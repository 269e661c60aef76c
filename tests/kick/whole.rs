//! The whole program: from a frame of the feed to the API, through outages of everything around it.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use streamward::adapters::system::SystemClock;
use streamward::ports::Clock as _;
use streamward_test_support::Cluster;
use streamward_test_support::feed_server::Dialect;
use streamward_test_support::kick::{OTHER_TEST_KEY, SignedWebhook, TEST_KEY, stopped, went_live};
use tokio::time::sleep;

use crate::process::{eventually, output_within};
use crate::world::{SOON, World};

/// The prefix of the scripted server's guest tokens.
const GUEST_TOKEN: &str = "guest-";
const BOTH: [Dialect; 2] = [Dialect::Pusher, Dialect::Centrifugo];

fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// From names alone it finds numbers, subscribes and gets statuses.
pub(crate) async fn names_are_enough(_: &Path) -> Result<()> {
    for dialect in BOTH {
        let mut world = World::new(dialect).await?;
        world.start().await?;
        for n in 1..=6 {
            world.kick.set(|kick| kick.add(n, &format!("person-{n}")));
            world.ok(&["streamer", "add", &format!("Person_{n}")])?;
        }
        world.until_subscribed(6).await?;
        world.until_right(SOON).await?;
        for n in 1..=6 {
            world.goes_live(n);
        }
        let took = world.until_right(s(2)).await?;
        for n in 1..=3 {
            world.stops(n);
        }
        world.until_right(s(2)).await?;
        let changes = world.check_history().await?;
        ensure!(changes == 6 + 6 + 3, "{changes} changes; live after {took:?}");
    }
    Ok(())
}

/// Changes during an outage are found after it.
pub(crate) async fn missed_changes_are_found_later(_: &Path) -> Result<()> {
    let mut world = World::new(Dialect::Pusher).await?.with("KICK__SWEEP_INTERVAL", "1h");
    world.start().await?;
    world.add(20).await?;
    world.until_subscribed(20).await?;
    world.until_right(SOON).await?;
    for n in 1..=5 {
        world.goes_live(n);
    }
    world.until_right(s(2)).await?;
    world.feed.script(|script| script.refuses_sockets = Some(503));
    world.feed.cut_all();
    sleep(s(1)).await;
    for n in 6..=10 {
        world.goes_live(n);
    }
    world.feed.script(|script| script.refuses_sockets = None);
    world.until_right(s(30)).await?;
    world.check_history().await.map(drop)
}

/// With the feed refused for good, full polls continue, and the status shows why they are slow.
pub(crate) async fn full_polls_continue_without_a_feed(_: &Path) -> Result<()> {
    let mut world = World::new(Dialect::Pusher).await?;
    world.feed.script(|script| script.closes_with = Some(4001));
    world.start().await?;
    world.add(10).await?;
    world.until_right(SOON).await?;
    let rejected = eventually("the feed is rejected", SOON, async || {
        let health = world.get("/health").await?;
        Ok((health["streamers"]["feed_state"] == "rejected" && health["status"] == "ok").then_some(health))
    });
    let (health, _) = rejected.await?;
    ensure!(
        health["streamers"]["feed_error"].as_str().is_some_and(|error| error.contains("4001")),
        "{health}"
    );
    world.goes_live(3);
    world.until_right(s(6)).await?;
    let opened = world.feed.seen().opened;
    sleep(s(3)).await;
    ensure!(world.feed.seen().opened == opened && opened <= 3, "too many connections: {opened}");
    ensure!(
        !output_within(&mut world.command(&["kick", "status"]), SOON)?.status.success(),
        "nothing is wrong?"
    );
    Ok(())
}

/// A row that another program writes is noticed at once on PostgreSQL.
pub(crate) async fn a_row_written_by_another_program_is_watched_at_once(_: &Path) -> Result<()> {
    let cluster = tokio::task::spawn_blocking(|| Cluster::start(false)).await?.map_err(anyhow::Error::msg)?;
    let mut world = World::new(Dialect::Centrifugo).await?.with("DATABASE__URL", &cluster.url("postgres"));
    world.start().await?;
    world.kick.set(|kick| kick.add(1, "person-1"));
    let db = sqlx::PgPool::connect(&cluster.url("postgres")).await?;
    sqlx::query("INSERT INTO streamers (username) VALUES ('person-1')").execute(&db).await?;
    let (_, took) = eventually("it is subscribed to", s(5), async || {
        Ok((world.feed.seen().subscribed.len() == 1).then_some(()))
    })
    .await?;
    world.goes_live(1);
    world.until_right(s(2)).await?;
    sqlx::query("UPDATE streamers SET is_active = FALSE").execute(&db).await?;
    let left = eventually("it is not any more", s(3), async || {
        Ok(world.feed.seen().subscribed.is_empty().then_some(()))
    });
    left.await?;
    let status: String = sqlx::query_scalar("SELECT status FROM streamer_status").fetch_one(&db).await?;
    ensure!(status == "online", "{status}");
    ensure!(took < s(3), "subscribed after {took:?}");
    Ok(())
}

/// One of two instances watches. When it dies, the other one continues.
pub(crate) async fn another_instance_continues(_: &Path) -> Result<()> {
    let cluster = tokio::task::spawn_blocking(|| Cluster::start(false)).await?.map_err(anyhow::Error::msg)?;
    let mut world = World::new(Dialect::Pusher).await?.with("DATABASE__URL", &cluster.url("postgres"));
    world.start().await?;
    world.add(20).await?;
    world.until_subscribed(20).await?;
    let mut first = world.start_another().await?.context("the first one")?;
    world.until_right(SOON).await?;
    ensure!(world.feed.seen().open == 1, "only one of them watches");
    for n in 1..=10 {
        world.goes_live(n);
    }
    world.until_right(s(2)).await?;
    first.kill();
    for n in 5..=15 {
        if world.truth.contains_key(&n) {
            world.stops(n);
        } else {
            world.goes_live(n);
        }
    }
    world.feed.until("the other one listens", |seen| seen.opened == 2 && seen.subscribed.len() == 20).await;
    for n in 16..=20 {
        world.goes_live(n);
    }
    // Missed stops take two answers, the first one half a minute after the change.
    world.until_right(s(60)).await?;
    world.check_history().await.map(drop)
}

/// The database is unreachable while streamers go live and stop: nothing is lost, and the order is kept.
pub(crate) async fn the_database_may_be_unreachable(_: &Path) -> Result<()> {
    let outage: u64 =
        std::env::var("KICK_OUTAGE_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(5);
    let mut cluster =
        tokio::task::spawn_blocking(|| Cluster::start(false)).await?.map_err(anyhow::Error::msg)?;
    let mut world = World::new(Dialect::Pusher)
        .await?
        .with("DATABASE__URL", &cluster.url("postgres"))
        .with("KICK__SWEEP_INTERVAL", "1h");
    world.start().await?;
    world.add(50).await?;
    world.until_subscribed(50).await?;
    world.until_right(SOON).await?;
    let before = world.check_history().await?;
    cluster.stop();
    let begun = tokio::time::Instant::now();
    let mut changes = 0;
    while begun.elapsed() < s(outage) {
        for n in 1..=50 {
            if world.truth.contains_key(&n) {
                world.stops(n);
            } else {
                world.goes_live(n);
            }
            changes += 1;
        }
        sleep(Duration::from_millis(500)).await;
    }
    cluster.run().map_err(anyhow::Error::msg)?;
    world.until_right(SOON).await?;
    let written = eventually("all is written", SOON, async || {
        Ok((world.check_history().await? == before + changes).then_some(()))
    });
    written.await.with_context(|| format!("{changes} changes"))?;
    Ok(())
}

/// `kill -9` at work, several times.
pub(crate) async fn it_may_be_killed_at_any_time(_: &Path) -> Result<()> {
    let mut world = World::new(Dialect::Pusher).await?;
    world.start().await?;
    world.add(40).await?;
    world.until_subscribed(40).await?;
    for round in 0..5 {
        for step in 0..200_u64 {
            let n = step * 7 % 40 + 1;
            if world.truth.contains_key(&n) {
                world.stops(n);
            } else {
                world.goes_live(n);
            }
            sleep(Duration::from_millis(2)).await;
        }
        world.kill();
        // While it is down, too.
        for n in 1..=10 {
            if (n + round) % 2 == 0 {
                world.stops(n);
            } else if !world.truth.contains_key(&n) {
                world.goes_live(n);
            }
        }
        world.start().await?;
        world.check_history().await?;
        world.until_subscribed(40).await?;
    }
    // A stop that only answers report needs two of them, some time after each other and after the change.
    world.until_right(s(90)).await?;
    world.check_history().await.map(drop)
}

/// Signed webhooks are accepted, stored before they are acknowledged, and harmless when repeated.
pub(crate) async fn webhooks_change_the_status(_: &Path) -> Result<()> {
    let mut world = World::new(Dialect::Pusher).await?.with("KICK__FEED", "webhook");
    world.start().await?;
    world.add(3).await?;
    world.until_right(SOON).await?;
    let subscribed = eventually("webhooks are subscribed", SOON, async || {
        Ok((world.kick.set(|kick| kick.subscriptions.len()) == 3).then_some(()))
    });
    subscribed.await?;
    let send = async |webhook: &SignedWebhook| -> Result<u16> {
        let mut request = world.client().post(world.url("/kick/webhook")).body(webhook.body.clone());
        for (name, value) in webhook.headers() {
            request = request.header(name, value);
        }
        Ok(request.send().await?.status().as_u16())
    };
    let now = SystemClock.now().to_string();
    let start = SignedWebhook::new(&TEST_KEY, "01A", &now, &went_live(1, "person-1", &now, "hello"));
    let forged = SignedWebhook::new(&OTHER_TEST_KEY, "01B", &now, &went_live(2, "person-2", &now, "x"));
    ensure!(send(&forged).await? == 401);
    ensure!(send(&start).await? == 204);
    let statuses = world.statuses().await?;
    ensure!(statuses[&1] == "online" && statuses[&2] == "offline", "{statuses:?}");
    let stop = SignedWebhook::new(&TEST_KEY, "01C", &now, &stopped(1, "person-1", &now, &now));
    for webhook in [&start, &stop, &stop, &start] {
        ensure!(send(webhook).await? == 204);
    }
    ensure!(world.statuses().await?[&1] == "offline", "a repeated start is late");
    let changes = world.check_history().await?;
    ensure!(changes == 3 + 2, "{changes} changes");
    let odd = SignedWebhook::new(&TEST_KEY, "01D", &now, &json!({"is_live": 7}));
    ensure!(send(&odd).await? == 400);
    Ok(())
}

/// A dry run leaves the database unchanged.
pub(crate) async fn a_dry_run_writes_nothing(_: &Path) -> Result<()> {
    let mut world = World::new(Dialect::Centrifugo).await?;
    world.start().await?;
    world.add(5).await?;
    world.until_subscribed(5).await?;
    world.until_right(SOON).await?;
    world.kill();
    let before = world.ok(&["--json", "streamer", "list"])?;
    world.feed.until("nothing is connected", |seen| seen.open == 0).await;
    let mut watch = crate::process::Process::start(
        "watch",
        &mut world.command(&["--json", "streamer", "watch", "--dry-run"]),
        world.dir.path(),
    )?;
    world.feed.until("all are subscribed", |seen| seen.subscribed.len() == 5).await;
    world.goes_live(2);
    let changes = eventually("a change is printed", SOON, async || {
        let log = watch.log();
        Ok((log.contains("person-2") && log.contains("online")).then_some(()))
    });
    changes.await.with_context(|| watch.log())?;
    let ended = watch.terminate(SOON).await?;
    ensure!(ended.success(), "{ended}: {}", watch.log());
    let after = world.ok(&["--json", "streamer", "list"])?;
    ensure!(before == after, "{before}\n{after}");
    Ok(())
}

/// Commands print the state of Kick. No output contains a secret, not even the log at level `trace`.
pub(crate) async fn commands_query_kick_and_print_no_secret(_: &Path) -> Result<()> {
    let mut world = World::new(Dialect::Centrifugo).await?.with("LOG__LEVEL", "trace");
    world.start().await?;
    world.add(3).await?;
    world.until_subscribed(3).await?;
    world.goes_live(1);
    world.until_right(SOON).await?;
    let mut all = String::new();
    for arguments in [
        vec!["kick", "token"],
        vec!["kick", "status"],
        vec!["kick", "probe"],
        vec!["streamer", "test", "person_1"],
        vec!["streamer", "list"],
        vec!["config"],
    ] {
        all += &world.ok(&arguments)?;
    }
    for word in ["valid until", "connected", "online", "person-1"] {
        ensure!(all.contains(word), "{word}: {all}");
    }
    all += &world.log();
    all += &world.get("/health").await?.to_string();
    all += &world.client().get(world.url("/metrics")).send().await?.text().await?;
    for file in std::fs::read_dir(world.dir.path())?.flatten() {
        all += &String::from_utf8_lossy(&std::fs::read(file.path())?);
    }
    ensure!(all.contains("TRACE"), "the log has no trace lines");
    let tokens = world.kick.set(|kick| kick.tokens.clone());
    ensure!(!tokens.is_empty() && world.feed.seen().tokens > 0);
    for secret in tokens.iter().map(String::as_str).chain(["stub-client-secret", GUEST_TOKEN]) {
        let place = all.find(secret).map(|at| all.get(at.saturating_sub(300)..at + 50).unwrap_or_default());
        ensure!(place.is_none(), "{secret} is printed: {}", place.unwrap_or_default());
    }
    Ok(())
}
