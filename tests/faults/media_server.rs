//! Faults of the media server and of its hooks.

use std::time::Duration;

use anyhow::{Result, ensure};
use async_trait::async_trait;

use crate::fault::{Facts, Fault};
use crate::load::{HookMode, Load};
use crate::stand_in::Mode;
use crate::world::World;

const RECONCILE: Option<&str> = Some("reconcile:default");
const PROMISED: &str =
    "publishing continues; no stream is ended, whatever the lists lack; `GET /tasks` says what is wrong";

/// Its control API is closed; its sessions continue.
pub(crate) struct Stopped;

#[async_trait(?Send)]
impl Fault for Stopped {
    fn facts(&self) -> Facts {
        Facts {
            injected: "the control API of the media server is closed for 6 s, while its sessions continue"
                .to_owned(),
            promised: PROMISED,
            failing_task: RECONCILE,
            ..Facts::default()
        }
    }

    async fn inject(&mut self, world: &mut World, _: &Load) -> Result<()> {
        world.media.stop();
        Ok(())
    }

    async fn heal(&mut self, world: &mut World, _: &Load) -> Result<()> {
        world.media.listen().await
    }
}

/// It answers wrongly, or not at all.
pub(crate) struct Answers(pub(crate) Mode);

#[async_trait(?Send)]
impl Fault for Answers {
    fn facts(&self) -> Facts {
        let injected = match self.0 {
            Mode::Frozen | Mode::Right => "the media server accepts connections and answers nothing for 10 s",
            Mode::Garbage => {
                "for 10 s the media server answers HTML, nothing, other JSON, wrong types, 500, and half a body"
            }
            Mode::HalfPages => {
                "for 10 s the lists of the media server lack items, repeat a page, or end in the middle"
            }
        };
        Facts {
            injected: injected.to_owned(),
            promised: PROMISED,
            lasts: Duration::from_secs(10),
            failing_task: RECONCILE,
            ..Facts::default()
        }
    }

    async fn inject(&mut self, world: &mut World, _: &Load) -> Result<()> {
        world.media.set(self.0);
        Ok(())
    }

    async fn heal(&mut self, world: &mut World, _: &Load) -> Result<()> {
        world.media.set(Mode::Right);
        Ok(())
    }
}

/// Another process takes its place, without the sessions.
pub(crate) struct RestartedEmpty;

#[async_trait(?Send)]
impl Fault for RestartedEmpty {
    fn facts(&self) -> Facts {
        Facts {
            injected: "the media server is restarted, and all its sessions are gone; the encoders return"
                .to_owned(),
            promised: "the old streams end, and the encoders are let in with the same keys",
            lasts: Duration::ZERO,
            sessions_are_lost: true,
            ..Facts::default()
        }
    }

    async fn inject(&mut self, world: &mut World, load: &Load) -> Result<()> {
        load.anchors_may_end();
        world.media.restart_empty();
        Ok(())
    }

    async fn heal(&mut self, _: &mut World, _: &Load) -> Result<()> {
        Ok(())
    }
}

/// Its hooks do not arrive, or arrive wrongly.
pub(crate) struct Hooks(pub(crate) HookMode);

#[async_trait(?Send)]
impl Fault for Hooks {
    fn facts(&self) -> Facts {
        let injected = match self.0 {
            HookMode::Lost | HookMode::Right => "no hook arrives for 8 s",
            HookMode::Wrong => {
                "for 8 s hooks arrive twice, in the wrong order, and among forged ones: with the secret, with another \
                 one and without, about streams that are live and about streams that do not exist"
            }
        };
        Facts {
            injected: injected.to_owned(),
            promised: "the lists of the media server decide; forged hooks are refused (401) or change nothing",
            lasts: Duration::from_secs(8),
            ..Facts::default()
        }
    }

    async fn inject(&mut self, _: &mut World, load: &Load) -> Result<()> {
        load.send_hooks(self.0);
        Ok(())
    }

    async fn heal(&mut self, world: &mut World, load: &Load) -> Result<()> {
        ensure!(world.media.polls() > 2, "the media server is polled without hooks");
        load.send_hooks(HookMode::Right);
        Ok(())
    }
}
