//! Faults of an instance: it is killed or stopped.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use async_trait::async_trait;
use serde_json::Value;
use streamward_test_support::process::{Process, output_within};
use tokio::time::sleep;

use crate::fault::{Facts, Fault};
use crate::lights::Ready;
use crate::load::Load;
use crate::report::Row;
use crate::world::{SOON, World, cluster};

/// How long a start that is killed may run; spread over its whole length.
const LIFETIMES: std::ops::Range<u64> = 0..24;

/// `kill -9` at any moment, again and again.
pub(crate) struct Killed {
    pub(crate) times: usize,
    /// How many instances there are; on PostgreSQL, if there are two.
    pub(crate) instances: usize,
}

#[async_trait(?Send)]
impl Fault for Killed {
    fn facts(&self) -> Facts {
        let times = self.times;
        let injected = match self.instances {
            1 => format!("the instance (SQLite) is killed {times} times while it serves, and started again"),
            n => format!("{n} instances (PostgreSQL) are killed in turn, {times} times, and started again"),
        };
        Facts {
            injected,
            promised: "no acknowledged write is lost, no key is held twice, no live stream ends; a media server that gets \
                no answer refuses publishers",
            lasts: Duration::ZERO,
            ready: Ready::MayBeLost,
            broadcasts_start: false,
            ..Facts::default()
        }
    }

    async fn world(&mut self) -> Result<World> {
        if self.instances == 1 {
            World::on_sqlite().await
        } else {
            World::on_postgresql(self.instances).await
        }
    }

    async fn inject(&mut self, world: &mut World, _: &Load) -> Result<()> {
        for n in 0..self.times {
            let at = n % world.instances.len();
            let instance = &mut world.instances[at];
            instance.kill();
            sleep(Duration::from_millis(200)).await;
            instance.start()?;
            instance.until_ready().await?;
            // Another moment of the load each time.
            sleep(Duration::from_millis(400 + 37 * (n as u64 % 11))).await;
        }
        world.instances[0].kill();
        sleep(Duration::from_millis(500)).await;
        Ok(())
    }

    async fn heal(&mut self, world: &mut World, _: &Load) -> Result<()> {
        world.instances[0].start()
    }
}

/// SIGTERM, as at an upgrade.
pub(crate) struct Stopped;

#[async_trait(?Send)]
impl Fault for Stopped {
    fn facts(&self) -> Facts {
        Facts {
            injected: "the instance (SQLite) is stopped with SIGTERM under load, and started again"
                .to_owned(),
            promised: "it finishes what it has begun and ends with 0 within 10 s; nothing is lost",
            lasts: Duration::ZERO,
            ready: Ready::MayBeLost,
            broadcasts_start: false,
            ..Facts::default()
        }
    }

    async fn inject(&mut self, world: &mut World, _: &Load) -> Result<()> {
        let ended = world.instances[0].process()?.terminate(SOON).await?;
        ensure!(ended.code() == Some(0), "{ended}");
        let log = world.instances[0].log();
        ensure!(log.contains("tasks given back") && log.trim_end().ends_with("stopped"), "it ended early");
        Ok(())
    }

    async fn heal(&mut self, world: &mut World, _: &Load) -> Result<()> {
        world.instances[0].start()
    }
}

/// The first start is killed while it migrates; the next one continues.
pub(crate) async fn killed_while_migrating() -> Result<Row> {
    for on_postgresql in [false, true] {
        for lifetime in LIFETIMES.step_by(if on_postgresql { 8 } else { 2 }) {
            let mut world = if on_postgresql {
                let cluster = cluster().await?;
                let url = cluster.url("postgres");
                World::new(tempfile::tempdir()?, Some(cluster), &url, 1).await?
            } else {
                World::prepare_sqlite().await?
            };
            let dir = world.dir.path().to_owned();
            let mut first = Process::start("first", &mut world.instances[0].command(&["serve"]), &dir)?;
            sleep(Duration::from_millis(20 * lifetime)).await;
            first.kill();
            let instance = &mut world.instances[0];
            instance.start()?;
            instance.until_ready().await.with_context(|| format!("killed after {} ms", 20 * lifetime))?;
            let output = output_within(&mut instance.command(&["doctor", "--json"]), SOON)?;
            let found: Value = serde_json::from_slice(&output.stdout)?;
            let all = found["findings"].as_array().context("findings")?;
            let schema = all.iter().find(|one| one["check"] == "schema").context("the schema is checked")?;
            ensure!(schema["severity"] == "good", "{schema}");
        }
    }
    let (sqlite, postgresql) = (LIFETIMES.step_by(2).count(), LIFETIMES.step_by(8).count());
    Ok(Row {
        injected: format!(
            "the first start is killed after 0 to 460 ms, in the middle of its migrations: {sqlite} times on SQLite, \
             {postgresql} times on PostgreSQL"
        ),
        promised: "the next start finishes them".to_owned(),
        seen: "every next start was ready, and `doctor` found the schema complete.".to_owned(),
    })
}
