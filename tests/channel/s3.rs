//! A real S3 server: versitygw (`S3_SERVER_BIN`; `go install github.com/versity/versitygw/cmd/versitygw@latest`).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use streamward::adapters::media_store::S3;
use streamward::domain::secret::Secret;
use streamward_test_support::ports;
use streamward_test_support::process::{Process, eventually, output_within};

use crate::SOON;

const BUCKET: &str = "clips";
/// What its names begin with.
const PREFIX: &str = "a/prefix";
const REGION: &str = "eu-test-1";
const ACCESS_KEY: &str = "an-access-key";
/// The secret of the access key.
pub(crate) const SECRET: &str = "an-s3-secret-4711";

/// A server with one bucket.
pub(crate) struct S3Server {
    port: u16,
    dir: PathBuf,
    process: Option<Process>,
}

/// Why there is none on this machine.
pub(crate) fn is_missing() -> Option<String> {
    let Some(binary) = std::env::var_os("S3_SERVER_BIN") else {
        return Some("S3_SERVER_BIN is not set: the path of a versitygw".to_owned());
    };
    let version = output_within(Command::new(&binary).arg("--version"), SOON);
    let runs = version.is_ok_and(|output| output.status.success());
    (!runs).then(|| format!("S3_SERVER_BIN is {}, which does not run", binary.display()))
}

impl S3Server {
    pub(crate) async fn start(dir: &Path) -> Result<Self> {
        let dir = dir.join("s3");
        fs::create_dir_all(dir.join("data").join(BUCKET))?;
        fs::create_dir_all(dir.join("metadata"))?;
        let mut server = Self { port: ports::free()?, dir, process: None };
        server.run().await?;
        Ok(server)
    }

    /// Starts it again.
    pub(crate) async fn run(&mut self) -> Result<()> {
        let mut command = Command::new(std::env::var_os("S3_SERVER_BIN").context("S3_SERVER_BIN")?);
        command.env("ROOT_ACCESS_KEY_ID", ACCESS_KEY).env("ROOT_SECRET_ACCESS_KEY", SECRET);
        command.args(["--region", REGION, "--quiet", "--port", &format!("127.0.0.1:{}", self.port)]);
        command.arg("posix").arg("--sidecar").arg(self.dir.join("metadata")).arg(self.dir.join("data"));
        self.process = Some(Process::start("s3", &mut command, &self.dir)?);
        let port = self.port;
        let listens = eventually("the S3 server listens", SOON, async || {
            Ok(tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok())
        });
        listens.await.map(drop)
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.process = None;
    }

    /// Its bucket.
    pub(crate) fn bucket(&self) -> S3 {
        S3 {
            bucket: BUCKET.to_owned(),
            prefix: PREFIX.to_owned(),
            endpoint: Some(format!("http://127.0.0.1:{}", self.port)),
            region: Some(REGION.to_owned()),
            access_key: Some((ACCESS_KEY.to_owned(), Secret::new(SECRET))),
        }
    }

    /// The configuration of its bucket.
    pub(crate) fn settings(&self) -> Vec<(&'static str, String)> {
        vec![
            ("STREAMWARD_MEDIA__URL", format!("s3://{BUCKET}/{PREFIX}")),
            ("STREAMWARD_MEDIA__ENDPOINT", format!("http://127.0.0.1:{}", self.port)),
            ("STREAMWARD_MEDIA__REGION", REGION.to_owned()),
            ("STREAMWARD_MEDIA__ACCESS_KEY_ID", ACCESS_KEY.to_owned()),
            ("STREAMWARD_MEDIA__SECRET_ACCESS_KEY", SECRET.to_owned()),
        ]
    }

    /// The files in its bucket.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        files(&self.dir.join("data").join(BUCKET).join(PREFIX))
    }
}

/// All files below a folder.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let below = |path: PathBuf| if path.is_dir() { files(&path) } else { vec![path] };
    entries.flat_map(|entry| below(entry.path())).collect()
}
