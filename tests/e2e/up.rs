//! `streamward up`: one command runs everything.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tokio::time::Instant;

use crate::Bench;
use crate::encoder;
use crate::media_server::Ports;
use crate::ports;
use crate::process::{Process, Signal, eventually, output_within, send_signal};

const SOON: Duration = Duration::from_secs(20);
/// How long everything may take to stop.
const STOP: Duration = Duration::from_secs(10);

/// The secret of MediaMTX's control API.
const CONTROL_SECRET: &str = "a-control-secret-for-tests";

/// A directory in which `up` is run.
struct Home<'a> {
    bench: &'a Bench,
    ports: Ports,
    listen: u16,
    webrtc_udp: u16,
}

impl<'a> Home<'a> {
    fn new(bench: &'a Bench) -> Result<Self> {
        Ok(Self { bench, ports: Ports::free()?, listen: ports::free()?, webrtc_udp: ports::free()? })
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.bench.tools.streamward);
        command.args(arguments).current_dir(self.bench.path());
        for name in ["DATABASE_URL", "MEDIAMTX_BIN", "STREAMWARD_MASTER_KEY"] {
            command.env_remove(name);
        }
        let urls = self.ports.urls();
        for (name, value) in [
            ("HTTP__LISTEN", format!("127.0.0.1:{}", self.listen)),
            ("DATABASE__URL", self.bench.database_url()),
            ("MEDIA_SERVERS__DEFAULT__API_URL", self.ports.api_url()),
            ("MEDIA_SERVERS__DEFAULT__CONTROL_SECRET", CONTROL_SECRET.to_owned()),
            ("MEDIA_SERVERS__DEFAULT__RTMP_URL", urls.rtmp),
            ("MEDIA_SERVERS__DEFAULT__RTSP_URL", urls.rtsp),
            ("MEDIA_SERVERS__DEFAULT__SRT_URL", urls.srt),
            ("MEDIA_SERVERS__DEFAULT__HLS_URL", urls.hls),
            ("MEDIA_SERVERS__DEFAULT__WEBRTC_URL", urls.webrtc),
        ] {
            command.env(format!("STREAMWARD_{name}"), value);
        }
        command
    }

    /// Runs it until it is healthy and its media server answers.
    async fn up(&self) -> Result<Process> {
        let process = Process::start("up", &mut self.up_command(), self.bench.path())?;
        self.reachable().await?;
        Ok(process)
    }

    fn up_command(&self) -> Command {
        let mediamtx = self.bench.tools.mediamtx.display().to_string();
        let udp = self.webrtc_udp.to_string();
        self.command(&["up", "--mediamtx", &mediamtx, "--bind", "127.0.0.1", "--webrtc-udp-port", &udp])
    }

    async fn reachable(&self) -> Result<()> {
        let seen = eventually("the media server is seen", SOON, async || {
            let list = self.json(&["media-server", "list"])?;
            Ok((list["media_servers"][0]["reachable"] == true).then_some(()))
        });
        seen.await.map(drop)
    }

    fn json(&self, arguments: &[&str]) -> Result<Value> {
        let output = output_within(&mut self.command(&[&["--json"], arguments].concat()), SOON)?;
        ensure!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    fn secret(&self, key: &str) -> Result<String> {
        let revealed = self.json(&["config", "--reveal", key])?;
        Ok(revealed["value"].as_str().context("a secret")?.to_owned())
    }

    /// The process id of the running MediaMTX.
    fn child(&self) -> Result<String> {
        let pid = fs::read_to_string(self.bench.path().join("mediamtx.pid"))?;
        ensure!(PathBuf::from(format!("/proc/{pid}")).exists(), "{pid} is gone");
        Ok(pid)
    }

    async fn live(&self, count: usize) -> Result<()> {
        let seen = eventually(format!("{count} streams are listed"), SOON, async || {
            Ok((self.json(&["stream", "list"])?["count"] == count).then_some(()))
        });
        seen.await.map(drop)
    }
}

/// The command lines of the processes with `dir` in their arguments.
fn process_list(dir: &Path) -> BTreeSet<String> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let called = processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
    let words = called.map(|bytes| String::from_utf8_lossy(&bytes).replace('\0', " "));
    words.filter(|words| words.contains(&*dir.to_string_lossy())).collect()
}

pub(crate) async fn one_command_puts_a_stream_on_the_air(bench: &Bench) -> Result<()> {
    let home = Home::new(bench)?;
    let mut up = home.up().await?;
    home.json(&["broadcaster", "create", "Alice"])?;
    let key = home.json(&["key", "create", "--broadcaster", "Alice"])?;
    let secrets = [home.secret("hooks.secret")?, home.secret("api.hmac_secret")?];
    let url = key["ingest"]["srt"].as_str().context("an address")?;
    let encoder = encoder::publish(&bench.tools, bench.path(), "encoder", url)?;
    home.live(1).await?;
    drop(encoder);
    // Hooks end quickly, so the list is polled.
    let mut seen = BTreeSet::new();
    let started = Instant::now();
    while !seen.iter().any(|called: &String| called.contains("hook not-ready")) && started.elapsed() < SOON {
        seen.extend(process_list(bench.path()));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    home.live(0).await?;
    ensure!(seen.iter().any(|called| called.contains("mediamtx.yml")), "{seen:#?}");
    ensure!(seen.iter().any(|called| called.contains("hook not-ready")), "{seen:#?}");
    ensure!(
        !secrets.iter().any(|secret| seen.iter().any(|called| called.contains(secret))),
        "a secret is shown"
    );
    let environment = fs::read(format!("/proc/{}/environ", home.child()?))?;
    let environment = String::from_utf8_lossy(&environment);
    ensure!(!environment.contains("STREAMWARD_"), "what hooks inherit: {environment}");

    let doctor = output_within(&mut home.command(&["doctor"]), SOON)?;
    let found = String::from_utf8_lossy(&doctor.stdout).into_owned();
    ensure!(doctor.status.success() && found.contains("hook"), "{found}");
    let child = home.child()?;
    let status = up.terminate(STOP).await?;
    ensure!(status.success(), "{status}: {}", up.log());
    ensure!(!PathBuf::from(format!("/proc/{child}")).exists(), "MediaMTX is stopped with it");
    ensure!(!up.log().contains(&secrets[0]), "the hook secret is in the log");
    Ok(())
}

pub(crate) async fn the_media_server_is_started_again(bench: &Bench) -> Result<()> {
    let home = Home::new(bench)?;
    let mut up = home.up().await?;
    let first = home.child()?;
    send_signal(first.trim().parse()?, Signal::KILL)?;
    let again = eventually("another one runs", SOON, async || {
        Ok(home.child().ok().filter(|pid| *pid != first && !pid.is_empty()))
    });
    let (second, took) = again.await?;
    ensure!(took < Duration::from_secs(3), "{took:?}");
    home.reachable().await?;
    // Now the service is killed, and its media server outlives it.
    up.kill();
    ensure!(home.child()? == second, "it outlives a kill");
    let mut up = home.up().await?;
    let replaced = eventually("the old one is replaced", SOON, async || {
        let gone = !PathBuf::from(format!("/proc/{second}")).exists();
        Ok(home.child().ok().filter(|pid| gone && *pid != second))
    });
    replaced.await?;
    home.reachable().await?;
    ensure!(up.terminate(STOP).await?.success(), "{}", up.log());
    Ok(())
}

/// What a person changes in mediamtx.yml between two runs is still there, and MediaMTX runs with it.
pub(crate) async fn edited_configuration_is_kept(bench: &Bench) -> Result<()> {
    let home = Home::new(bench)?;
    let file = bench.path().join("mediamtx.yml");
    ensure!(home.up().await?.terminate(STOP).await?.success(), "it stops");
    let generated = fs::read_to_string(&file)?;
    let camera = "\npaths:\n  # the camera in the hall\n  cam1:\n    source: publisher\n    maxReaders: 7\n";
    let edited = generated.replace("\npaths:\n", camera).replace("api: yes", "api: no") + "hls: no\n";
    ensure!(edited.contains("cam1:") && edited.contains("api: no"), "{generated}");
    fs::write(&file, &edited)?;

    let mut up = home.up().await?;
    let config = async |what: &str| -> Result<Value> {
        let http = reqwest::Client::builder().no_proxy().tls_certs_only([]).timeout(STOP).build()?;
        let url = format!("{}/v3/config/{what}", home.ports.api_url());
        let answer = http.get(url).bearer_auth(CONTROL_SECRET).send().await?;
        Ok(answer.error_for_status()?.json().await?)
    };
    // The list of media servers may still show the run before.
    let listens = eventually("the control API answers", SOON, async || config("global/get").await.map(Some));
    let (global, path) = (listens.await?.0, config("paths/get/cam1").await?);
    ensure!(global["hls"] == false && global["api"] == true && global["rtmp"] == true, "{global:#}");
    ensure!(path["maxReaders"] == 7, "{path:#}");
    let text = fs::read_to_string(&file)?;
    ensure!(text.contains("# the camera in the hall") && !text.contains("hls: yes"), "{text}");
    ensure!(
        fs::read_to_string(bench.path().join("mediamtx.yml.bak"))? == edited,
        "the backup is the file before"
    );
    ensure!(up.log().contains("mediamtx.yml was updated"), "{}", up.log());
    ensure!(up.terminate(STOP).await?.success(), "{}", up.log());

    ensure!(home.up().await?.terminate(STOP).await?.success(), "it stops");
    ensure!(fs::read_to_string(&file)? == text, "a third run changes nothing");
    // What cannot be merged is named, and left as it is.
    fs::write(&file, format!("{text}readTimeout: 1s\nreadTimeout: 2s\n"))?;
    let refused = output_within(&mut home.up_command(), SOON)?;
    let why = String::from_utf8_lossy(&refused.stderr).into_owned();
    ensure!(!refused.status.success() && why.contains("the key readTimeout is there twice"), "{why}");
    Ok(())
}

/// At the level `info`, which is the default.
pub(crate) async fn a_quiet_system_writes_no_lines(bench: &Bench) -> Result<()> {
    let home = Home::new(bench)?;
    let mut up = home.up().await?;
    // Somebody looks at it all the time.
    let http = reqwest::Client::builder().no_proxy().tls_certs_only([]).timeout(STOP).build()?;
    let health = format!("http://127.0.0.1:{}/health", home.listen);
    tokio::time::sleep(Duration::from_secs(5)).await;
    let before = up.log();
    ensure!(!before.contains(" WARN ") && !before.contains(" ERROR "), "{before}");
    for _ in 0..15 {
        http.get(&health).send().await?.error_for_status()?;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let after = up.log();
    ensure!(after == before, "{}", after.strip_prefix(&before).unwrap_or(&after));
    // `doctor` is no attack.
    output_within(&mut home.command(&["doctor"]), SOON)?;
    let after = up.log();
    ensure!(
        !after.contains("deny") && !after.contains(" WARN "),
        "{}",
        after.strip_prefix(&before).unwrap_or(&after)
    );
    ensure!(up.terminate(STOP).await?.success(), "{}", up.log());
    Ok(())
}

/// As in compose.yaml: one directory has everything MediaMTX needs.
pub(crate) async fn what_is_installed_suffices(bench: &Bench) -> Result<()> {
    let home = Home::new(bench)?;
    let folder = bench.path().join("for-mediamtx");
    let place = folder.display().to_string();
    let udp = ports::free()?.to_string();
    let mut serve = home.command(&["serve"]);
    serve.env("STREAMWARD_LOG__LEVEL", "info,streamward::adapters::http::request_log=warn");
    let service = Process::start("serve", &mut serve, bench.path())?;
    // The first start makes the secrets.
    // Nothing runs yet that says its version, and the newest is assumed.
    let version = bench.tools.version.trim_start_matches('v');
    let local = ["--bind", "127.0.0.1", "--webrtc-udp-port", &udp, "--for", version];
    let install: Vec<&str> = ["mediamtx-config", "--install", &place].into_iter().chain(local).collect();
    eventually("the configuration is installed", SOON, async || Ok(home.json(&install).ok())).await?;
    let elsewhere = bench.path().join("elsewhere");
    fs::create_dir(&elsewhere)?;
    let mut mediamtx = Command::new(&bench.tools.mediamtx);
    mediamtx.arg(folder.join("mediamtx.yml")).env_clear().env("MTX_MOQ", "no");
    let _mediamtx = Process::start("mediamtx", &mut mediamtx, &elsewhere)?;
    home.reachable().await?;
    home.json(&["broadcaster", "create", "Alice"])?;
    let key = home.json(&["key", "create", "--broadcaster", "Alice"])?;
    let url = key["ingest"]["rtmp_secret_path"].as_str().context("an address")?;
    let _encoder = encoder::publish(&bench.tools, bench.path(), "encoder", url)?;
    home.live(1).await?;
    let hooked = eventually("its hook arrives", SOON, async || {
        Ok(service.log().contains("kind=\"ready\"").then_some(()))
    });
    hooked.await?;
    let secret = key["key_value"].as_str().context("a secret")?;
    ensure!(!service.log().contains(secret), "the key is in the log");
    Ok(())
}
