//! Streamward beside a real SRS, configured by what `srs-config` prints.

use std::fs;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use tokio::task::JoinSet;

use crate::Bench;
use crate::encoder;
use crate::media_server::Ports;
use crate::process::{Process, eventually};
use crate::program::{Key, Streamward};

/// Both programs.
pub(crate) struct World<'a> {
    pub(crate) bench: &'a Bench,
    pub(crate) srs: Srs,
    pub(crate) streamward: Streamward,
}

impl<'a> World<'a> {
    pub(crate) async fn start(bench: &'a Bench) -> Result<Self> {
        let ports = Ports::free()?;
        let more = [
            ("STREAMWARD_MEDIA_SERVERS__DEFAULT__KIND", "srs".to_owned()),
            ("STREAMWARD_MEDIA_SERVERS__DEFAULT__WEBRTC_URL", ports.api_url()),
        ];
        let streamward = Streamward::start_with(bench, &ports, &more).await?;
        let file =
            streamward.output_of(&["srs-config", "--webrtc-udp-port", &ports.webrtc_udp.to_string()])?;
        let srs = Srs::start(bench, ports, &file).await?;
        Ok(Self { bench, srs, streamward })
    }

    /// An encoder at `url`.
    pub(crate) fn encoder(&self, name: &str, url: &str) -> Result<Process> {
        encoder::publish(&self.bench.tools, self.bench.path(), &format!("encoder-{name}"), url)
    }

    /// An encoder that starts again whenever it is disconnected, until it is dropped.
    pub(crate) fn stubborn_encoder(&self, name: &str, url: &str) -> JoinSet<()> {
        let (tools, dir) = (self.bench.tools.clone(), self.bench.path().to_owned());
        let (name, url) = (format!("stubborn-{name}"), url.to_owned());
        let mut task = JoinSet::new();
        task.spawn(async move {
            while let Ok(mut encoder) = encoder::publish(&tools, &dir, &name, &url) {
                let _ = encoder.wait(Duration::from_secs(3_600)).await;
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        });
        task
    }

    /// Fails unless an encoder at `url` is refused.
    pub(crate) async fn is_refused(&self, name: &str, url: &str) -> Result<()> {
        let mut encoder = self.encoder(name, url)?;
        let status =
            encoder.wait(Duration::from_secs(20)).await.with_context(|| format!("{name} was let in"))?;
        ensure!(!status.success(), "{name}: the encoder ended without an error");
        Ok(())
    }

    /// Fails if Streamward logs the secret of a key.
    pub(crate) fn is_not_logged(&self, key: &Key) -> Result<()> {
        match self.streamward.log().lines().find(|line| line.contains(&key.secret)) {
            Some(line) => bail!("Streamward logs a secret: {line}"),
            None => Ok(()),
        }
    }
}

/// An SRS that can be killed and started again.
pub(crate) struct Srs {
    binary: PathBuf,
    dir: PathBuf,
    pub(crate) ports: Ports,
    process: Option<Process>,
}

impl Srs {
    async fn start(bench: &Bench, ports: Ports, file: &str) -> Result<Self> {
        let dir = bench.path().to_owned();
        fs::create_dir_all(dir.join("objs/nginx/html"))?;
        let mut options = fs::File::options();
        let mut to =
            options.create(true).truncate(true).write(true).mode(0o600).open(dir.join("srs.conf"))?;
        std::io::Write::write_all(&mut to, file.as_bytes())?;
        let binary = bench.tools.srs.clone().map_err(|why| anyhow!("{why}"))?;
        let mut srs = Self { binary, dir, ports, process: None };
        srs.start_again().await?;
        Ok(srs)
    }

    /// Starts it and waits until it listens.
    pub(crate) async fn start_again(&mut self) -> Result<()> {
        let mut command = Command::new(&self.binary);
        self.process = Some(Process::start("srs", command.args(["-c", "srs.conf"]), &self.dir)?);
        for port in [self.ports.api, self.ports.rtmp, self.ports.hls] {
            let listens = eventually("SRS listens", Duration::from_secs(20), async || {
                Ok(tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok())
            });
            listens.await.map_err(|error| anyhow!("{error}:\n{}", self.log()))?;
        }
        Ok(())
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.process = None;
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.process.as_mut().and_then(Process::exit_status)
    }

    /// Everything it logged.
    pub(crate) fn log(&self) -> String {
        self.process.as_ref().map(Process::log).unwrap_or_default()
    }
}
