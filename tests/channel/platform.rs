//! Platforms: an nginx with the RTMP module, and a MediaMTX.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use streamward::adapters::mediamtx::Version;
use streamward_test_support::ports;
use streamward_test_support::process::{Process, Signal, eventually, output_within};

use crate::judge::Recorded;
use crate::{Bench, SOON};

/// Where Debian has the module.
const MODULE: &str = "/usr/lib/nginx/modules/ngx_rtmp_module.so";
const NGINX: &str = "/usr/sbin/nginx";

/// An nginx that records each publisher in a file of its own. Its application `refuses` denies everybody.
pub(crate) struct Nginx {
    pub(crate) port: u16,
    dir: PathBuf,
    process: Option<Process>,
}

impl Nginx {
    /// Why there is none on this machine.
    pub(crate) fn is_missing() -> Option<String> {
        let runs =
            output_within(Command::new(NGINX).arg("-v"), SOON).is_ok_and(|output| output.status.success());
        let why = "nginx with its RTMP module is missing: install libnginx-mod-rtmp (.ci/setup does)";
        (!runs || !PathBuf::from(MODULE).exists()).then(|| why.to_owned())
    }

    pub(crate) async fn start(bench: &Bench, name: &str) -> Result<Self> {
        let (port, dir) = (ports::free()?, bench.path().join(name));
        fs::create_dir_all(dir.join("recorded"))?;
        let d = dir.display();
        let conf = format!(
            "load_module {MODULE};\ndaemon off;\nmaster_process off;\npid {d}/nginx.pid;\nerror_log {d}/error.log info;\n\
             events {{}}\nrtmp {{\n access_log off;\n server {{\n  listen 127.0.0.1:{port};\n  \
             application live {{ live on; record all; record_path {d}/recorded; record_unique on; }}\n  \
             application refuses {{ live on; deny publish all; }}\n }}\n}}\n"
        );
        fs::write(dir.join("nginx.conf"), conf)?;
        let mut nginx = Self { port, dir, process: None };
        nginx.run().await?;
        Ok(nginx)
    }

    async fn run(&mut self) -> Result<()> {
        let mut command = Command::new(NGINX);
        command.arg("-p").arg(&self.dir).arg("-c").arg(self.dir.join("nginx.conf"));
        command.arg("-e").arg(self.dir.join("error.log"));
        self.process = Some(Process::start("nginx", &mut command, &self.dir)?);
        let port = self.port;
        let listens = eventually("nginx listens", SOON, async || {
            Ok(tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok())
        });
        listens.await.map(drop)
    }

    pub(crate) fn url(&self) -> String {
        format!("rtmp://127.0.0.1:{}/live", self.port)
    }

    pub(crate) fn refusing_url(&self) -> String {
        format!("rtmp://127.0.0.1:{}/refuses", self.port)
    }

    /// What each publisher sent, in their order.
    pub(crate) fn recordings(&self) -> Result<Vec<Recorded>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(self.dir.join("recorded"))? {
            let entry = entry?;
            files.push((entry.metadata()?.created().or(entry.metadata()?.modified())?, entry.path()));
        }
        files.sort();
        Ok(files.into_iter().map(|(_, file)| Recorded(file)).collect())
    }

    /// What its one publisher sent; fails if it was another number of them.
    pub(crate) fn recording(&self) -> Result<Recorded> {
        let mut recordings = self.recordings()?;
        ensure!(recordings.len() == 1, "{} connections instead of one", recordings.len());
        recordings.pop().context("one recording")
    }

    /// Waits until `seconds` more of the newest publisher are recorded, at 30 pictures a second.
    pub(crate) async fn more(&self, seconds: usize) -> Result<()> {
        let count = || -> Result<usize> { self.recordings()?.last().map_or(Ok(0), Recorded::pictures) };
        let before = count()?;
        let more = eventually(format!("{seconds} s more at nginx"), SOON, async || {
            tokio::time::sleep(Duration::from_millis(200)).await;
            Ok((count()? >= before + 30 * seconds).then_some(()))
        });
        more.await.map(drop)
    }

    /// Ends it in good order, so that its files are complete.
    pub(crate) async fn stop(&mut self) -> Result<()> {
        if let Some(mut process) = self.process.take() {
            process.signal(Signal::TERM)?;
            process.wait(SOON).await?;
        }
        Ok(())
    }
}

/// A MediaMTX that takes everything over RTMP, and over SRT with a passphrase.
pub(crate) struct Mtx {
    pub(crate) rtmp: u16,
    pub(crate) srt: u16,
    api: u16,
    dir: PathBuf,
    process: Process,
}

/// What an SRT publisher of [`Mtx`] needs.
pub(crate) const PASSPHRASE: &str = "srt-passphrase-4711";

impl Mtx {
    pub(crate) async fn start(bench: &Bench) -> Result<Self> {
        let (rtmp, srt, api) = (ports::free()?, ports::free()?, ports::free()?);
        // Without it, two at once would use the same port.
        let has_moq = Version::parse(&bench.tools.version).is_some_and(|version| version >= Version::MOQ);
        let moq = if has_moq { "moq: no\n" } else { "" };
        let yaml = format!(
            "{moq}api: yes\napiAddress: 127.0.0.1:{api}\nrtmpAddress: 127.0.0.1:{rtmp}\nrtsp: no\nhls: no\nwebrtc: no\n\
             srtAddress: 127.0.0.1:{srt}\npaths:\n  all_others:\n    srtPublishPassphrase: {PASSPHRASE}\n"
        );
        let dir = bench.path().join("platform");
        fs::create_dir_all(&dir)?;
        fs::write(dir.join("platform.yml"), yaml)?;
        let process = Self::run(&bench.tools.mediamtx, &dir)?;
        let platform = Self { rtmp, srt, api, dir, process };
        platform.listens().await?;
        Ok(platform)
    }

    fn run(binary: &std::path::Path, dir: &std::path::Path) -> Result<Process> {
        Process::start("platform", Command::new(binary).arg("platform.yml"), dir)
    }

    async fn listens(&self) -> Result<()> {
        let listens = eventually("the platform listens", SOON, async || {
            Ok(tokio::net::TcpStream::connect(("127.0.0.1", self.api)).await.ok())
        });
        listens.await.map(drop)
    }

    /// `kill -9`, and a new one.
    pub(crate) async fn restart(&mut self, bench: &Bench) -> Result<()> {
        self.process.kill();
        self.process = Self::run(&bench.tools.mediamtx, &self.dir)?;
        self.listens().await
    }

    /// Everything it logged.
    pub(crate) fn log(&self) -> String {
        self.process.log()
    }

    pub(crate) fn url(&self) -> String {
        format!("rtmp://127.0.0.1:{}/live", self.rtmp)
    }

    /// The connection that publishes, if there is one.
    pub(crate) async fn session_now(&self) -> Result<Option<String>> {
        let url = format!("http://127.0.0.1:{}/v3/paths/list", self.api);
        let list: Value =
            reqwest::Client::builder().no_proxy().build()?.get(url).send().await?.json().await?;
        let path = list["items"].as_array().into_iter().flatten().find(|path| path["ready"] == true);
        Ok(path.and_then(|path| path["source"]["id"].as_str().map(str::to_owned)))
    }

    pub(crate) async fn session(&self) -> Result<String> {
        Ok(eventually("the platform has the programme", SOON, async || self.session_now().await).await?.0)
    }
}
