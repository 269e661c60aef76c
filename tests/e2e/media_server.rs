//! A real MediaMTX on free ports of loopback, with the configuration Streamward writes for it.

use std::fs;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, anyhow};
use streamward::adapters::mediamtx::MediaMtx;
use streamward::adapters::mediamtx::config::{Addresses, ConfigInput, yaml};
use streamward::domain::media_server::BaseUrls;
use streamward::domain::secret::Secret;
use streamward::ports::MediaServer as _;

use crate::ports;
use crate::process::{Process, eventually};
use crate::tools::Tools;

/// The secret of its control API.
pub(crate) const CONTROL_SECRET: &str = "e2e-control-secret";

/// The ports of one MediaMTX.
#[derive(Clone, Copy)]
pub(crate) struct Ports {
    pub(crate) api: u16,
    pub(crate) rtmp: u16,
    pub(crate) rtsp: u16,
    pub(crate) srt: u16,
    pub(crate) hls: u16,
    pub(crate) webrtc: u16,
    pub(crate) webrtc_udp: u16,
}

impl Ports {
    pub(crate) fn free() -> Result<Self> {
        Ok(Self {
            api: ports::free()?,
            rtmp: ports::free()?,
            rtsp: ports::free()?,
            srt: ports::free()?,
            hls: ports::free()?,
            webrtc: ports::free()?,
            webrtc_udp: ports::free()?,
        })
    }

    pub(crate) fn addresses(&self) -> Addresses {
        let at = |port: u16| format!("127.0.0.1:{port}");
        Addresses {
            api: at(self.api),
            rtmp: at(self.rtmp),
            rtsp: at(self.rtsp),
            srt: at(self.srt),
            hls: at(self.hls),
            webrtc: at(self.webrtc),
            webrtc_udp: at(self.webrtc_udp),
        }
    }

    /// The ports that Streamward's configuration does not contain, as flags of `up` and `mediamtx-config`.
    pub(crate) fn flags(&self) -> [String; 2] {
        ["--bind=127.0.0.1".to_owned(), format!("--webrtc-udp-port={}", self.webrtc_udp)]
    }

    pub(crate) fn api_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.api)
    }

    pub(crate) fn urls(&self) -> BaseUrls {
        BaseUrls {
            hls: format!("http://127.0.0.1:{}", self.hls),
            webrtc: format!("http://127.0.0.1:{}", self.webrtc),
            rtmp: format!("rtmp://127.0.0.1:{}", self.rtmp),
            rtsp: format!("rtsp://127.0.0.1:{}", self.rtsp),
            srt: format!("srt://127.0.0.1:{}", self.srt),
        }
    }
}

/// A MediaMTX that can be killed and started again.
pub(crate) struct Server {
    binary: PathBuf,
    dir: PathBuf,
    environment: Vec<(String, String)>,
    pub(crate) ports: Ports,
    process: Option<Process>,
}

impl Server {
    /// Writes the configuration and starts it. `more` is added to the file.
    pub(crate) async fn start(
        tools: &Tools,
        dir: &Path,
        ports: Ports,
        setup: &ConfigInput,
        more: &str,
    ) -> Result<Self> {
        Self::start_with(tools, dir, ports, &(yaml(setup, Some(&tools.version)) + more), Vec::new()).await
    }

    /// Starts it with a file and an environment.
    pub(crate) async fn start_with(
        tools: &Tools,
        dir: &Path,
        ports: Ports,
        file: &str,
        environment: Vec<(String, String)>,
    ) -> Result<Self> {
        let path = dir.join("mediamtx.yml");
        let mut options = fs::File::options();
        let mut to = options.create(true).truncate(true).write(true).mode(0o600).open(path)?;
        std::io::Write::write_all(&mut to, file.as_bytes())?;
        let mut server =
            Self { binary: tools.mediamtx.clone(), dir: dir.to_owned(), environment, ports, process: None };
        server.start_again().await?;
        Ok(server)
    }

    /// Starts it and waits until it answers, even with a refusal.
    pub(crate) async fn start_again(&mut self) -> Result<()> {
        let mut command = Command::new(&self.binary);
        command.arg("mediamtx.yml").envs(self.environment.iter().map(|(k, v)| (k, v)));
        self.process = Some(Process::start("mediamtx", &mut command, &self.dir)?);
        let port = self.ports.api;
        let listens = eventually("MediaMTX listens", Duration::from_secs(10), async || {
            Ok(tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok())
        });
        listens.await.map_err(|error| anyhow!("{error}:\n{}", self.log()))?;
        Ok(())
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.process = None;
    }

    /// Everything it logged.
    pub(crate) fn log(&self) -> String {
        self.process.as_ref().map(Process::log).unwrap_or_default()
    }

    /// The adapter, talking to it.
    pub(crate) fn client(&self) -> Result<MediaMtx> {
        self.client_with(CONTROL_SECRET)
    }

    pub(crate) fn client_with(&self, secret: &str) -> Result<MediaMtx> {
        Ok(MediaMtx::new(&self.ports.api_url().parse()?, Secret::new(secret))?)
    }

    /// Waits until somebody publishes at `path`.
    pub(crate) async fn live(&self, path: &str, limit: Duration) -> Result<()> {
        let client = self.client()?;
        let live = eventually(format!("{path} is live"), limit, async || {
            let seen = client.snapshot().await?;
            Ok(seen.paths.iter().any(|p| p.live && p.path.public() == Some(path)).then_some(()))
        });
        live.await.map(drop)
    }

    /// Waits until nobody publishes at `path` any more; returns how long that took.
    pub(crate) async fn gone(&self, path: &str, limit: Duration) -> Result<Duration> {
        let client = self.client()?;
        let gone = eventually(format!("{path} is gone"), limit, async || {
            let seen = client.snapshot().await?;
            let there = seen.paths.iter().any(|p| p.live && p.path.public() == Some(path));
            Ok((!there).then_some(()))
        });
        Ok(gone.await?.1)
    }
}
