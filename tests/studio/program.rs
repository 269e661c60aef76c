//! The program as a whole with a studio: killed and started again, and one of two instances. The OBS is fake: what matters
//! here is on our side.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use libtest_mimic::{Completion, Failed, Trial};
use serde_json::{Value, json};
use streamward_test_support::Cluster;
use streamward_test_support::obs::{FakeObs, FakeOptions};
use streamward_test_support::ports;
use streamward_test_support::process::{Process, eventually};
use tempfile::TempDir;
use tokio::task::block_in_place;
use tokio::time::{Instant, sleep};

use crate::supervised::KEY;
use crate::{SOON, report, run};

const ADMIN_TOKEN: &str = "studio-admin-token";
const FILM: &str = "/media/film.mp4";

pub(crate) fn trials() -> Vec<Trial> {
    let killed = || run(killed_streamward_adopts_its_stream()).map_err(|error| failed(&error));
    let two = || match Cluster::start(false) {
        Err(missing) => Ok(Completion::ignored_with(format!("no PostgreSQL server: {missing}"))),
        Ok(cluster) => match run(one_of_two_instances_supervises(cluster)) {
            Ok(()) => Ok(Completion::Completed),
            Err(error) => Err(failed(&error)),
        },
    };
    vec![
        Trial::test("program::killed_streamward_adopts_its_stream", killed),
        Trial::ignorable_test("program::one_of_two_instances_supervises", two),
    ]
}

fn failed(error: &anyhow::Error) -> Failed {
    Failed::from(format!("{error:#}"))
}

/// A `streamward serve` with one studio, `main`.
struct Program {
    name: &'static str,
    dir: PathBuf,
    database: Option<String>,
    port: u16,
    health_port: u16,
    process: Option<Process>,
    http: reqwest::Client,
}

impl Program {
    async fn start(dir: &Path, name: &'static str, obs: &FakeObs, database: Option<String>) -> Result<Self> {
        let dir = dir.join(name);
        fs::create_dir_all(&dir)?;
        let (port, health_port) = (ports::free()?, ports::free()?);
        let toml = format!(
            "data_dir = {dir:?}\n[http]\nlisten = \"127.0.0.1:{port}\"\n[studios.main]\nwebsocket_url = {:?}\npassword = {:?}\n\
             health_listen = \"127.0.0.1:{health_port}\"\n[studios.main.content]\nfailover_video = {FILM:?}\n\
             [studios.main.platform]\nurl = \"rtmp://127.0.0.1:{}/live\"\nkey = {KEY:?}\n",
            obs.url(),
            obs.password(),
            // Nobody listens there, so that only a person starts the stream.
            ports::free()?,
        );
        fs::write(dir.join("streamward.toml"), toml)?;
        let http = reqwest::Client::builder().no_proxy().tls_certs_only([]).timeout(Duration::from_secs(10));
        let http = http.build()?;
        let mut program = Self { name, dir, database, port, health_port, process: None, http };
        program.run().await?;
        Ok(program)
    }

    async fn run(&mut self) -> Result<()> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_streamward"));
        command.args(["serve", "--config", "streamward.toml"]).current_dir(&self.dir);
        command.env_remove("DATABASE_URL").env("STREAMWARD_API__ADMIN_TOKEN", ADMIN_TOKEN);
        if let Some(url) = &self.database {
            command.env("STREAMWARD_DATABASE__URL", url);
        }
        self.process = Some(Process::start("streamward", &mut command, &self.dir)?);
        let url = format!("http://127.0.0.1:{}/readyz", self.port);
        let ready = eventually("Streamward is ready", SOON, async || {
            Ok(self.http.get(&url).send().await?.status().is_success().then_some(()))
        });
        ready.await.with_context(|| self.log()).map(drop)
    }

    fn log(&self) -> String {
        self.process.as_ref().map(Process::log).unwrap_or_default()
    }

    async fn get(&self, path: &str) -> Result<Value> {
        let url = format!("http://127.0.0.1:{}{path}", self.port);
        let answer = self.http.get(url).bearer_auth(ADMIN_TOKEN).send().await?;
        ensure!(answer.status().is_success(), "{path}: {}", answer.status());
        Ok(answer.json().await?)
    }

    /// Waits until the studio is as wanted.
    async fn until(&self, what: &str, is_wanted: impl Fn(&Value) -> bool) -> Result<(Value, Duration)> {
        let wanted = async || Ok(self.get("/studios/main").await.ok().filter(&is_wanted));
        eventually(what, SOON, wanted).await.with_context(|| format!("{}: {}", self.name, self.log()))
    }
}

fn starts(obs: &FakeObs) -> usize {
    obs.requests().iter().filter(|(name, _)| name == "StartStream").count()
}

/// A fake OBS with a film.
async fn obs_with_a_film() -> FakeObs {
    let obs = FakeObs::start(FakeOptions::default()).await;
    obs.file(FILM, Duration::from_secs(3_600));
    obs
}

async fn killed_streamward_adopts_its_stream() -> Result<()> {
    let dir = TempDir::new()?;
    let obs = obs_with_a_film().await;
    let mut program = Program::start(dir.path(), "alone", &obs, None).await?;
    program.until("it is seen", |studio| studio["obs"]["connection"] == "connected").await?;
    obs.act("StartStream", &json!({}));
    program.until("it is on air", |studio| studio["stream"]["state"] == "live").await?;
    let health = async || {
        let url = format!("http://127.0.0.1:{}/health", program.health_port);
        let answer = program.http.get(url).send().await?;
        Ok(answer.status().is_success().then_some(answer.json::<Value>().await?))
    };
    let (health, _) = eventually("the health API answers without sign-in", SOON, health).await?;
    ensure!(health["streaming"] == true, "{health}");
    let log = program.log();
    program.process = None;
    sleep(Duration::from_secs(5)).await;
    program.run().await?;
    program.until("it is supervised again", |studio| studio["supervised"] == true).await?;
    sleep(Duration::from_secs(3)).await;
    ensure!(starts(&obs) == 0, "the stream was started anew");
    let uptime = program.get("/studios/main/health/uptime?period_days=1").await?;
    let down = uptime["total_downtime_seconds"].as_f64().context("seconds")?;
    report("downtime of a killed Streamward", Duration::from_secs_f64(down.max(0.0)));
    ensure!(down <= 1.0, "{uptime}");
    // Nothing tells the password of OBS or the key of the platform.
    let said = format!("{log}{}{}", program.log(), program.get("/studios/main").await?);
    for secret in [obs.password(), KEY] {
        ensure!(!said.contains(secret), "{secret} is told");
    }
    Ok(())
}

async fn one_of_two_instances_supervises(cluster: Cluster) -> Result<()> {
    let dir = TempDir::new()?;
    let obs = obs_with_a_film().await;
    let url = Some(cluster.url("postgres"));
    let mut one = Program::start(dir.path(), "one", &obs, url.clone()).await?;
    // Instances of one database have the same master key.
    let key = "streamward-secrets.key";
    fs::create_dir_all(dir.path().join("other"))?;
    fs::copy(dir.path().join("one").join(key), dir.path().join("other").join(key))?;
    let mut other = Program::start(dir.path(), "other", &obs, url).await?;
    obs.act("StartStream", &json!({}));
    other.until("it is on air", |studio| studio["stream"]["state"] == "live").await?;
    let connections = obs.requests().iter().filter(|(name, _)| name == "GetVersion").count();
    ensure!(connections == 1, "{connections} connections of two instances");
    // The one that supervises is killed.
    let is_ones = one.log().contains("a studio is supervised");
    ensure!(is_ones != other.log().contains("a studio is supervised"), "one of them supervises");
    let (killed, left) = if is_ones { (&mut one, &other) } else { (&mut other, &one) };
    let before = left.get("/studios/main").await?["seen_at"].clone();
    let at = Instant::now();
    killed.process = None;
    let taken = async || Ok(left.log().contains("a studio is supervised").then_some(()));
    eventually("the other one takes over", SOON, taken).await?;
    report("another instance supervises after", at.elapsed());
    left.until("it sees OBS", |studio| studio["supervised"] == true && studio["seen_at"] != before).await?;
    ensure!(starts(&obs) == 0, "the stream was started anew");
    drop(one);
    drop(other);
    block_in_place(|| drop(cluster));
    Ok(())
}
