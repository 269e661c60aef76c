//! Streamward with a channel, beside a MediaMTX or without one.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use reqwest::Method;
use serde_json::{Value, json};
use streamward::adapters::mediamtx::config::{ConfigInput, HookCommands, yaml};
use streamward::domain::media_server::MediaServerName;
use streamward::domain::secret::Secret;
use streamward_test_support::process::{Process, eventually};

use crate::encoder;
use crate::media_server::{Ports, Server};
use crate::program::{HOOK_SECRET, Key, Streamward, hook_environment};
use crate::tools::encode;
use crate::{Bench, SOON};

/// What the key of every destination contains.
pub(crate) const PLATFORM_KEY: &str = "platform-key-4711";

/// How long the preparation of a clip may take: everything else on the machine comes first.
const PREPARED: Duration = Duration::from_secs(120);

/// The encoder that has the default profile.
pub(crate) const PROFILE: &str = "-t 4 -f lavfi -i testsrc=size=1280x720:rate=30 \
    -t 4 -f lavfi -i sine=frequency=440:sample_rate=48000 -ac 2 -g 60 -b:v 1000k";

/// All running programs.
pub(crate) struct World<'a> {
    pub(crate) bench: &'a Bench,
    /// The MediaMTX that carries the live input.
    pub(crate) server: Option<Server>,
    pub(crate) streamward: Streamward,
}

impl<'a> World<'a> {
    /// Without a MediaMTX: no live input, and nobody takes the programme at the channel's path.
    pub(crate) async fn alone(bench: &'a Bench, more: &[(&str, String)]) -> Result<Self> {
        let streamward = Streamward::start_with(bench, &Ports::free()?, more).await?;
        Ok(Self { bench, server: None, streamward })
    }

    /// With a MediaMTX, configured as documented.
    pub(crate) async fn start(bench: &'a Bench, more: &[(&str, String)]) -> Result<Self> {
        Self::start_with(bench, more, None).await
    }

    /// The same with a MediaMTX that trusts the certificate authority in this file, and no other.
    pub(crate) async fn start_trusting(bench: &'a Bench, authority: &Path) -> Result<Self> {
        Self::start_with(bench, &[], Some(authority)).await
    }

    async fn start_with(bench: &'a Bench, more: &[(&str, String)], authority: Option<&Path>) -> Result<Self> {
        let ports = Ports::free()?;
        let streamward = Streamward::start_with(bench, &ports, more).await?;
        let run = |word: &str| {
            vec![bench.tools.streamward.display().to_string(), "hook".to_owned(), word.to_owned()]
        };
        let setup = ConfigInput {
            streamward: format!("http://127.0.0.1:{}", streamward.port),
            server: MediaServerName::default(),
            hook_secret: Secret::new(HOOK_SECRET),
            hooks: Some(HookCommands { ready: run("ready"), not_ready: run("not-ready") }),
            addresses: ports.addresses(),
        };
        let file = yaml(&setup, Some(&bench.tools.version));
        let mut environment = hook_environment(streamward.port);
        environment.extend(authority.map(|file| ("SSL_CERT_FILE".to_owned(), file.display().to_string())));
        let server = Server::start_with(&bench.tools, bench.path(), ports, &file, environment).await?;
        Ok(Self { bench, server: Some(server), streamward })
    }

    /// Fails if a log of Streamward or MediaMTX contains `secret`.
    pub(crate) fn is_not_logged(&self, secret: &str) -> Result<()> {
        let server = self.server.as_ref().map(Server::log).unwrap_or_default();
        for (who, log) in [("Streamward", self.streamward.log()), ("MediaMTX", server)] {
            if let Some(line) = log.lines().find(|line| line.contains(secret)) {
                bail!("{who} logs a secret: {line}");
            }
        }
        Ok(())
    }

    /// The memory of Streamward, in MiB.
    pub(crate) fn memory(&self) -> Result<u64> {
        let is_ours = |process: &PathBuf| {
            let at = |link: &str| fs::read_link(process.join(link)).ok();
            at("exe").as_deref() == Some(&*self.bench.tools.streamward)
                && at("cwd").as_deref() == Some(self.bench.path())
        };
        let mut processes = fs::read_dir("/proc")?.flatten().map(|process| process.path());
        let process = processes.find(is_ours).context("Streamward runs")?;
        let status = fs::read_to_string(process.join("status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
        let kib: u64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kib / 1024)
    }

    /// A file for encoders and clips, made by ffmpeg once. `input` are inputs and options.
    pub(crate) fn file(&self, name: &str, input: &str) -> Result<PathBuf> {
        let file = self.bench.path().join(name);
        if !file.exists() {
            encode(input, &file)?;
        }
        Ok(file)
    }

    /// Uploads a clip of `seconds` that shows a test picture, and waits until it is prepared; returns its id.
    pub(crate) async fn clip(&self, name: &str, picture: &str, seconds: u32) -> Result<String> {
        let input = format!(
            "-t {seconds} -f lavfi -i {picture}=size=320x180:rate=30 -t {seconds} -f lavfi -i sine=frequency=330"
        );
        let file = self.file(&format!("{name}.mp4"), &input)?;
        let added = self.streamward.output_of(&[
            "--json",
            "clip",
            "add",
            "--no-wait",
            &file.display().to_string(),
        ])?;
        let added: Value = serde_json::from_str(&added).with_context(|| format!("no JSON: {added}"))?;
        let id = added["id"].as_str().with_context(|| format!("no id: {added}"))?;
        let ready = eventually(format!("the clip {name} is prepared"), PREPARED, async || {
            let clip = self.streamward.get(&format!("/clips/{id}")).await?;
            ensure!(clip["state"] != "failed", "{clip}");
            Ok((clip["state"] == "ready").then_some(()))
        });
        ready.await?;
        Ok(id.to_owned())
    }

    pub(crate) async fn channel(&self, draft: Value) -> Result<Channel<'_>> {
        let mut all = json!({"name": "Classroom", "failover": {"recovery_grace_seconds": 1}});
        if let (Value::Object(all), Value::Object(draft)) = (&mut all, draft) {
            all.extend(draft);
        }
        let made = self.streamward.post("/channels", all).await?;
        Channel::of(&self.streamward, &made)
    }

    /// An encoder with `input`, which is encoded once.
    pub(crate) fn encoder(&self, channel: &Channel<'_>, name: &str, input: &str) -> Result<Process> {
        let file = self.file(&format!("{name}.mp4"), input)?;
        encoder::publish_file(&file, self.bench.path(), name, &channel.live.url("rtmp")?)
    }
}

/// A channel.
pub(crate) struct Channel<'a> {
    pub(crate) api: &'a Streamward,
    pub(crate) id: String,
    pub(crate) live: Key,
}

impl<'a> Channel<'a> {
    /// A channel that was made by `api`.
    pub(crate) fn of(api: &'a Streamward, made: &Value) -> Result<Self> {
        let id = made["id"].as_str().context("an id")?.to_owned();
        Ok(Self { api, id, live: Key::from(&made["live_key"])? })
    }
}

impl Channel<'_> {
    pub(crate) async fn add_destination(&self, name: &str, url: &str) -> Result<()> {
        // An nginx takes one publisher for a key.
        self.add(json!({"name": name, "url": url, "key": format!("{PLATFORM_KEY}-{name}")})).await
    }

    pub(crate) async fn add(&self, more: Value) -> Result<()> {
        let mut draft = json!({"platform": "custom", "key": PLATFORM_KEY});
        if let (Value::Object(draft), Value::Object(more)) = (&mut draft, more) {
            draft.extend(more);
        }
        let key = draft["key"].as_str().context("a key")?.to_owned();
        let answer = self.api.post(&format!("/channels/{}/destinations", self.id), draft).await?;
        ensure!(!answer.to_string().contains(&key), "the key is shown: {answer}");
        Ok(())
    }

    /// Tests a destination; returns the answer.
    pub(crate) async fn test_of(&self, name: &str) -> Result<Value> {
        let status = self.status().await?;
        let found = status["destinations"].as_array().into_iter().flatten().find(|one| one["name"] == name);
        let id = found.and_then(|one| one["id"].as_str()).context("the destination")?.to_owned();
        self.api.post(&format!("/channels/{}/destinations/{id}/test", self.id), json!({})).await
    }

    pub(crate) async fn change(&self, patch: Value) -> Result<()> {
        let (status, answer) =
            self.api.call(Method::PATCH, &format!("/channels/{}", self.id), Some(patch)).await?;
        ensure!(status == 200, "{status}: {answer}");
        Ok(())
    }

    pub(crate) async fn play(&self, clips: &[&str]) -> Result<()> {
        self.change(json!({"inputs": {"backup": {"playlist": {"clips": clips}}}})).await
    }

    pub(crate) async fn status(&self) -> Result<Value> {
        self.api.get(&format!("/channels/{}/status", self.id)).await
    }

    /// Waits until it is on air; returns how long that took.
    pub(crate) async fn is_on_air(&self, source: &str) -> Result<Duration> {
        let on_air = eventually(format!("{source} is on air"), SOON, async || {
            let status = self.status().await?;
            Ok((status["on_air"] == source).then_some(()))
        });
        Ok(on_air.await?.1)
    }

    pub(crate) async fn set_mode(&self, mode: &str) -> Result<()> {
        let body = json!({"mode": mode, "reason": "a test"});
        self.api.post(&format!("/channels/{}/mode", self.id), body).await.map(drop)
    }

    /// The connection of a destination.
    pub(crate) async fn connection(&self, name: &str) -> Result<Value> {
        let status = self.status().await?;
        let found = status["destinations"].as_array().into_iter().flatten().find(|one| one["name"] == name);
        Ok(found.with_context(|| format!("no destination {name}: {status}"))?["connection"].clone())
    }

    /// Waits until the connection of a destination is as wanted.
    pub(crate) async fn until(
        &self,
        name: &str,
        what: &str,
        limit: Duration,
        is_wanted: impl Fn(&Value) -> bool,
    ) -> Result<Value> {
        let found = eventually(format!("the destination {name} {what}"), limit, async || {
            let connection = self.connection(name).await?;
            Ok(is_wanted(&connection).then_some(connection))
        });
        match found.await {
            Ok((found, _)) => Ok(found),
            Err(error) => bail!("{error:#}: {}", self.status().await?),
        }
    }

    pub(crate) async fn is_live(&self, name: &str) -> Result<Value> {
        self.until(name, "is live", SOON, |connection| connection["state"] == "live").await
    }

    /// Fails unless a destination took the programme over one connection, without a frame dropped.
    pub(crate) async fn is_unharmed(&self, name: &str) -> Result<()> {
        let connection = self.connection(name).await?;
        let is_unharmed =
            connection["state"] == "live" && connection["connects"] == 1 && connection["dropped_frames"] == 0;
        ensure!(is_unharmed, "the destination {name}: {connection}");
        Ok(())
    }

    /// All decisions, newest first.
    pub(crate) async fn decisions(&self) -> Result<Vec<Value>> {
        let list = self.api.get(&format!("/channels/{}/decisions", self.id)).await?;
        list["decisions"].as_array().cloned().with_context(|| format!("no list: {list}"))
    }

    /// The reasons of all decisions.
    pub(crate) async fn reasons(&self) -> Result<Vec<String>> {
        let decisions = self.decisions().await?;
        Ok(decisions.iter().filter_map(|one| one["reason"].as_str().map(str::to_owned)).collect())
    }
}
