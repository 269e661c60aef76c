//! Streamward beside MediaMTX, configured as documented, with encoders.

use std::process::ExitStatus;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use streamward::adapters::mediamtx::config::{ConfigInput, HookCommands, yaml};
use streamward::domain::media_server::MediaServerName;
use streamward::domain::secret::Secret;
use tokio::task::JoinSet;

use crate::Bench;
use crate::encoder::{self, WhipEncoder};
use crate::media_server::{Ports, Server};
use crate::process::Process;
use crate::program::{HOOK_SECRET, Key, Streamward, hook_environment};

/// How an encoder sends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Way {
    /// To a named path.
    Rtmp,
    /// Its key is the path.
    SecretPath,
    Srt,
    Rtsp,
    Whip,
}

/// All running programs.
pub(crate) struct World<'a> {
    pub(crate) bench: &'a Bench,
    pub(crate) server: Server,
    pub(crate) streamward: Streamward,
}

impl<'a> World<'a> {
    /// With hooks.
    pub(crate) async fn start(bench: &'a Bench) -> Result<Self> {
        Self::start_with(bench, true).await
    }

    pub(crate) async fn start_with(bench: &'a Bench, hooks: bool) -> Result<Self> {
        let ports = Ports::free()?;
        let streamward = Streamward::start(bench, &ports).await?;
        let run = |word: &str| {
            vec![bench.tools.streamward.display().to_string(), "hook".to_owned(), word.to_owned()]
        };
        let setup = ConfigInput {
            streamward: format!("http://127.0.0.1:{}", streamward.port),
            server: MediaServerName::default(),
            hook_secret: Secret::new(HOOK_SECRET),
            hooks: hooks.then(|| HookCommands { ready: run("ready"), not_ready: run("not-ready") }),
            addresses: ports.addresses(),
        };
        let file = yaml(&setup, Some(&bench.tools.version));
        let environment = hook_environment(streamward.port);
        let server = Server::start_with(&bench.tools, bench.path(), ports, &file, environment).await?;
        Ok(Self { bench, server, streamward })
    }

    /// An encoder with `key`.
    pub(crate) fn encoder(&self, way: Way, key: &Key) -> Result<Encoder> {
        let dir = self.bench.path();
        let url = match way {
            Way::Rtmp => key.url("rtmp")?,
            Way::SecretPath => key.url("rtmp_secret_path")?,
            Way::Srt => key.url("srt")?,
            Way::Rtsp => key.url("rtsp")?,
            Way::Whip => {
                let name = format!("whip-{}", key.path.replace('/', "-"));
                let sender =
                    WhipEncoder::start(&self.bench.tools, dir, &name, &key.url("whip")?, &key.secret)?;
                return Ok(Encoder::Whip(sender));
            }
        };
        self.encoder_at(&key.path, &url)
    }

    /// An encoder at `url`.
    pub(crate) fn encoder_at(&self, name: &str, url: &str) -> Result<Encoder> {
        let name = format!("encoder-{}", name.replace('/', "-"));
        Ok(Encoder::Ffmpeg(encoder::publish(&self.bench.tools, self.bench.path(), &name, url)?))
    }

    /// An encoder that restarts whenever it is disconnected, until it is dropped.
    pub(crate) fn stubborn_encoder(&self, way: Way, key: &Key) -> Result<JoinSet<()>> {
        let url = match way {
            Way::SecretPath => key.url("rtmp_secret_path")?,
            _ => key.url("rtmp")?,
        };
        let name = format!("stubborn-{}", key.path.replace('/', "-"));
        let (tools, dir) = (self.bench.tools.clone(), self.bench.path().to_owned());
        let mut task = JoinSet::new();
        task.spawn(async move {
            while let Ok(mut encoder) = encoder::publish(&tools, &dir, &name, &url) {
                let _ = encoder.wait(Duration::from_secs(3_600)).await;
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        });
        Ok(task)
    }

    /// Fails unless an encoder with `key` is refused. Its path, which was not live before, must stay so.
    pub(crate) async fn is_refused(&self, way: Way, key: &Key) -> Result<()> {
        let mut encoder = self.encoder(way, key)?;
        encoder.refused().await.with_context(|| format!("{way:?} at {}", key.path))?;
        ensure!(self.streamward.live(&key.path).await?.is_none(), "{} is live", key.path);
        Ok(())
    }

    /// Fails if a log of Streamward or MediaMTX contains `secret`.
    pub(crate) fn is_not_logged(&self, secret: &str) -> Result<()> {
        for (who, log) in [("Streamward", self.streamward.log()), ("MediaMTX", self.server.log())] {
            if let Some(line) = log.lines().find(|line| line.contains(secret)) {
                bail!("{who} logs a secret: {line}");
            }
        }
        Ok(())
    }
}

/// Something that publishes.
pub(crate) enum Encoder {
    Ffmpeg(Process),
    Whip(WhipEncoder),
}

impl Encoder {
    /// Waits for its end. A WHIP encoder starts again by itself, so it has none.
    pub(crate) async fn cut_off(&mut self) -> Result<Option<ExitStatus>> {
        match self {
            Self::Ffmpeg(process) => process.wait(Duration::from_secs(8)).await.map(Some),
            Self::Whip(_) => Ok(None),
        }
    }

    /// Waits until it was refused.
    async fn refused(&mut self) -> Result<()> {
        match self {
            // An accepted encoder would publish for an hour.
            Self::Ffmpeg(process) => {
                let status = process.wait(Duration::from_secs(12)).await?;
                ensure!(!status.success(), "the encoder ended without an error");
                Ok(())
            }
            Self::Whip(sender) => sender.refused(Duration::from_secs(8)).await,
        }
    }
}
