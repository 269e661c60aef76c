//! Wrong clocks, by libfaketime.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use async_trait::async_trait;
use streamward_test_support::process::eventually;
use tokio::time::sleep;

use crate::fault::{Facts, Fault};
use crate::lights::failing_tasks;
use crate::load::Load;
use crate::world::{Instance, SOON, World};

fn library() -> Option<PathBuf> {
    let folders = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten().map(|entry| entry.path());
    let mut places = folders.map(|folder| folder.join("faketime/libfaketimeMT.so.1"));
    places.find(|library| library.is_file())
}

fn missing() -> Option<String> {
    library().is_none().then(|| "libfaketime is not installed (Debian: apt install faketime)".to_owned())
}

/// Gives an instance a clock that is off by `offset`, such as `+30`, from its next start on.
fn set_clock(instance: &mut Instance, offset: &str) -> Result<()> {
    let library = library().context("libfaketime")?;
    instance.set("LD_PRELOAD", &library.display().to_string());
    instance.set("FAKETIME", offset);
    // Timers go by the monotonic clock, which nobody sets.
    instance.set("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    Ok(())
}

/// Two instances whose clocks differ.
pub(crate) struct Apart;

#[async_trait(?Send)]
impl Fault for Apart {
    fn facts(&self) -> Facts {
        Facts {
            injected:
                "of two instances (PostgreSQL) one has a clock that is 16 s behind, and then 30 min ahead"
                    .to_owned(),
            promised: "both go by the clock of the database; the wrong one says so in `GET /tasks` and `/health`",
            lasts: Duration::ZERO,
            broadcasts_start: false,
            ..Facts::default()
        }
    }

    fn is_impossible(&self) -> Option<String> {
        missing()
    }

    async fn world(&mut self) -> Result<World> {
        World::on_postgresql(2).await
    }

    async fn inject(&mut self, world: &mut World, _: &Load) -> Result<()> {
        for offset in ["-16", "+1800"] {
            let caller = world.caller()?;
            let instance = &mut world.instances[1];
            instance.process()?.terminate(SOON).await?;
            set_clock(instance, offset)?;
            instance.start()?;
            instance.until_ready().await?;
            eventually("its clock is found wrong", SOON, async || {
                Ok(failing_tasks(&caller, 1).await?.iter().any(|name| name == "clock").then_some(()))
            })
            .await?;
            sleep(Duration::from_secs(4)).await;
        }
        Ok(())
    }

    async fn heal(&mut self, world: &mut World, _: &Load) -> Result<()> {
        let instance = &mut world.instances[1];
        instance.process()?.terminate(SOON).await?;
        instance.unset("LD_PRELOAD");
        instance.start()
    }
}

/// The clock of a machine is set while the service runs.
#[derive(Default)]
pub(crate) struct Stepped(Option<PathBuf>);

#[async_trait(?Send)]
impl Fault for Stepped {
    fn facts(&self) -> Facts {
        Facts {
            injected:
                "the clock of the machine (SQLite) is set back by an hour, then ahead by two, then right"
                    .to_owned(),
            promised: "publishing continues, and no live stream ends",
            lasts: Duration::ZERO,
            ..Facts::default()
        }
    }

    fn is_impossible(&self) -> Option<String> {
        missing()
    }

    async fn world(&mut self) -> Result<World> {
        let mut world = World::prepare_sqlite().await?;
        let file = world.dir.path().join("clock");
        std::fs::write(&file, "+0")?;
        let instance = &mut world.instances[0];
        set_clock(instance, "+0")?;
        instance.unset("FAKETIME");
        instance.set("FAKETIME_TIMESTAMP_FILE", &file.display().to_string());
        instance.set("FAKETIME_NO_CACHE", "1");
        self.0 = Some(file);
        world.serve().await
    }

    async fn inject(&mut self, world: &mut World, load: &Load) -> Result<()> {
        let file = self.0.as_ref().context("prepared")?;
        for offset in ["-3600", "+3600"] {
            std::fs::write(file, offset)?;
            sleep(Duration::from_secs(5)).await;
            // A new key is let in, whatever the clock says.
            let key = load.shared.create().await.context("a key could not be created")?;
            let connection =
                format!("00000000-0000-4000-8000-88888888{}", offset.trim_start_matches(['+', '-']));
            let (decision, _) = world.caller()?.auth(&key.path, &key.secret, &connection).await;
            ensure!(decision == crate::world::Decision::Allowed, "{decision:?} at {offset} s");
        }
        Ok(())
    }

    async fn heal(&mut self, _: &mut World, _: &Load) -> Result<()> {
        std::fs::write(self.0.as_ref().context("prepared")?, "+0")?;
        Ok(())
    }
}
