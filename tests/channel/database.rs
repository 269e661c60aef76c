//! The database is unreachable while a programme runs.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection as _, Executor as _, SqliteConnection};
use streamward_test_support::Cluster;
use streamward_test_support::process::eventually;
use tokio::task::block_in_place;
use tokio::time::sleep;

use crate::platform::Nginx;
use crate::world::{Channel, PROFILE, World};
use crate::{Bench, HOLE, SOON, report};

/// Another program holds the write lock of the file while the encoder dies.
pub(crate) async fn a_locked_file_delays_decisions_and_nothing_else(bench: &Bench) -> Result<()> {
    let mut nginx = Nginx::start(bench, "nginx").await?;
    let world = World::start(bench, &[]).await?;
    let channel = world.channel(json!({})).await?;
    channel.add_destination("nginx", &nginx.url()).await?;
    channel.is_live("nginx").await?;
    let live = world.encoder(&channel, "profile", PROFILE)?;
    channel.is_on_air("live").await?;
    let options = SqliteConnectOptions::new().filename(bench.path().join("streamward.db")).busy_timeout(SOON);
    let mut other = SqliteConnection::connect_with(&options).await?;
    other.execute("BEGIN IMMEDIATE").await?;
    drop(live);
    sleep(Duration::from_secs(6)).await;
    ensure!(stored(&channel, "live_ended").await? == 0, "the decision was stored");
    other.execute("ROLLBACK").await?;
    other.close().await?;
    is_stored(&channel, "live_ended").await?;
    channel.is_on_air("slate").await?;
    channel.is_unharmed("nginx").await?;
    nginx.stop().await?;
    report("a locked file: the longest hole of the picture", nginx.recording()?.is_continuous(HOLE)?);
    Ok(())
}

/// PostgreSQL is killed for a while, and the only instance is told to continue.
pub(crate) async fn a_stopped_postgresql_delays_decisions_and_nothing_else(bench: &Bench) -> Result<()> {
    let mut cluster = block_in_place(|| Cluster::start(false)).map_err(anyhow::Error::msg)?;
    let mut admin = sqlx::PgConnection::connect(&cluster.url("postgres")).await?;
    admin.execute("CREATE DATABASE channel").await?;
    admin.close().await?;
    let mut nginx = Nginx::start(bench, "nginx").await?;
    let more = [
        ("STREAMWARD_DATABASE__URL", cluster.url("channel")),
        ("STREAMWARD_CHANNELS__RUN_WITHOUT_DATABASE", "true".to_owned()),
    ];
    let world = World::start(bench, &more).await?;
    let channel = world.channel(json!({})).await?;
    channel.add_destination("nginx", &nginx.url()).await?;
    channel.is_live("nginx").await?;
    let live = world.encoder(&channel, "profile", PROFILE)?;
    channel.is_on_air("live").await?;
    block_in_place(|| cluster.stop());
    sleep(Duration::from_secs(2)).await;
    drop(live);
    sleep(Duration::from_secs(10)).await;
    block_in_place(|| cluster.run()).map_err(anyhow::Error::msg)?;
    is_stored(&channel, "live_ended").await?;
    channel.is_on_air("slate").await?;
    channel.is_unharmed("nginx").await?;
    nginx.stop().await?;
    report("PostgreSQL stopped: the longest hole of the picture", nginx.recording()?.is_continuous(HOLE)?);
    Ok(())
}

async fn stored(channel: &Channel<'_>, reason: &str) -> Result<usize> {
    Ok(channel.reasons().await?.iter().filter(|stored| *stored == reason).count())
}

async fn is_stored(channel: &Channel<'_>, reason: &str) -> Result<()> {
    let found = eventually(format!("the decision {reason} is stored"), SOON, async || {
        Ok((stored(channel, reason).await? == 1).then_some(()))
    });
    found.await.map(drop).context("after the database is back")
}
