//! Clips in an S3 bucket: the rules of the port against a real server, two instances, and a bucket that is unreachable.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, ensure};
use serde_json::{Value, json};
use sqlx::{Connection as _, Executor as _};
use streamward::adapters::media_store::{BucketMedia, S3};
use streamward::domain::secret::Secret;
use streamward_test_support::Cluster;
use streamward_test_support::process::eventually;
use tokio::task::block_in_place;

use crate::media_server::Ports;
use crate::media_suite::{Instances, RULES};
use crate::platform::Nginx;
use crate::program::Streamward;
use crate::s3::{S3Server, SECRET, files};
use crate::tools::encode;
use crate::world::Channel;
use crate::{Bench, HOLE, SOON, report};

/// How long preparing may take: everything else on the machine comes first.
const PREPARED: Duration = Duration::from_secs(120);

/// The contract of the port, against a real server.
pub(crate) async fn a_real_server_keeps_the_rules(bench: &Bench) -> Result<()> {
    let server = S3Server::start(bench.path()).await?;
    let instance = |name: &str| -> Result<Arc<BucketMedia>> {
        let objects = server.bucket().objects().map_err(anyhow::Error::msg)?;
        Ok(Arc::new(BucketMedia::new(bench.path().join(name), objects, u64::MAX)))
    };
    let instances = Instances { one: instance("one")?, other: instance("other")? };
    for (name, rule) in RULES {
        rule(&instances).await.with_context(|| name)?;
    }
    Ok(())
}

/// What is wrong is one sentence, from `doctor` and in the log, and shows no secret.
pub(crate) async fn wrong_settings_are_explained_in_one_sentence(bench: &Bench) -> Result<()> {
    let server = S3Server::start(bench.path()).await?;
    let good = server.bucket();
    good.objects().map_err(anyhow::Error::msg)?.try_all().await?;
    let key = |id: &str, secret: &str| Some((id.to_owned(), Secret::new(secret)));
    let id = good.access_key.clone().context("a key")?.0;
    let cases: [(S3, &str); 5] = [
        (S3 { bucket: "nowhere".into(), ..good.clone() }, "no such bucket"),
        (S3 { access_key: key("nobody", SECRET), ..good.clone() }, "media.access_key_id"),
        (S3 { access_key: key(&id, "wrong-secret-4711"), ..good.clone() }, "media.secret_access_key"),
        (S3 { region: Some("us-east-1".into()), ..good.clone() }, "media.region"),
        (S3 { endpoint: Some("http://127.0.0.1:9".into()), ..good.clone() }, "refused"),
    ];
    for (settings, part) in cases {
        let objects = settings.objects().map_err(anyhow::Error::msg)?;
        let error = objects.try_all().await.err().with_context(|| format!("no error about {part}"))?;
        let words = error.to_string();
        ensure!(words.contains(part) && !words.contains('\n'), "about {part}: {words}");
        ensure!(!words.contains("4711") && !words.contains("nobody"), "it shows the key: {words}");
    }
    let mut settings = server.settings();
    settings.push(("STREAMWARD_MEDIA__SECRET_ACCESS_KEY", "wrong-secret-4711".to_owned()));
    let streamward = Streamward::start_with(bench, &Ports::free()?, &settings).await?;
    let logged = eventually("the log says it", SOON, async || {
        Ok(streamward.log().lines().find(|line| line.contains("media.secret_access_key")).map(str::to_owned))
    });
    logged.await?;
    let doctor = streamward.output_of(&["doctor"]).err().map(|error| error.to_string()).unwrap_or_default();
    let line = doctor.lines().find(|line| line.contains("bucket of clips")).unwrap_or_default();
    ensure!(line.contains("FAIL") && line.contains("media.secret_access_key"), "{doctor}");
    let shown = streamward.output_of(&["config"]).unwrap_or_default();
    for text in [streamward.log(), doctor, shown] {
        ensure!(!text.contains("4711"), "a secret is shown: {text}");
    }
    Ok(())
}

/// One instance takes and prepares the clip, another one plays it. Then the bucket is stopped.
pub(crate) async fn a_clip_of_one_instance_is_played_by_another(bench: &Bench) -> Result<()> {
    let cluster = block_in_place(|| Cluster::start(false)).map_err(anyhow::Error::msg)?;
    let mut admin = sqlx::PgConnection::connect(&cluster.url("postgres")).await?;
    admin.execute("CREATE DATABASE clips").await?;
    admin.close().await?;
    let mut server = S3Server::start(bench.path()).await?;
    let mut nginx = Nginx::start(bench, "nginx").await?;
    let folder = |name: &str| bench.path().join(name);
    let start = async |name: &str, more: (&'static str, &str)| {
        let mut settings = server.settings();
        settings.push(("STREAMWARD_DATABASE__URL", cluster.url("clips")));
        settings.push(("STREAMWARD_MEDIA__DIR", folder(name).display().to_string()));
        settings.push((more.0, more.1.to_owned()));
        Streamward::start_with(bench, &Ports::free()?, &settings).await
    };
    let taker = start("taker", ("STREAMWARD_CHANNELS__ENABLED", "false")).await?;
    let player = start("player", ("STREAMWARD_MEDIA__JOBS", "0")).await?;

    let intro = add(bench, &taker, "intro")?;
    is_ready(&taker, &intro).await?;
    ensure!(server.files().len() == 2, "the bucket has {:?}", server.files());
    ensure!(renditions(&folder("player")).is_empty(), "nobody needed it there");
    let draft = json!({
        "name": "Classroom", "inputs": {"backup": {"playlist": {"clips": [intro]}}},
        "failover": {"recovery_grace_seconds": 1},
    });
    let made = player.post("/channels", draft).await?;
    let channel = Channel::of(&player, &made)?;
    channel.add_destination("nginx", &nginx.url()).await?;
    channel.is_live("nginx").await?;
    let fetched = eventually("the clip is fetched", SOON, async || {
        Ok((!renditions(&folder("player")).is_empty()).then_some(()))
    });
    fetched.await?;
    channel.is_on_air("backup").await?;

    // The bucket is stopped: what plays continues, everything else waits and says why.
    server.kill();
    let word = "the bucket of the clips cannot be used";
    let shown = eventually("/health shows it", SOON, async || {
        let problem = player.get("/health").await?["clips"]["problem"].clone();
        Ok(problem.as_str().filter(|problem| problem.contains(word)).map(str::to_owned))
    });
    shown.await?;
    nginx.more(6).await?;
    ensure!(channel.status().await?["on_air"] == "backup");
    let late = add(bench, &taker, "late")?;
    let waits = eventually("the upload waits for the bucket", SOON, async || {
        let clip = taker.get(&format!("/clips/{late}")).await?;
        Ok(clip["error"].as_str().filter(|error| error.contains(word)).map(str::to_owned))
    });
    waits.await?;

    // It is back: the upload is prepared, and played after the first clip without a gap.
    server.run().await?;
    is_ready(&taker, &late).await?;
    channel.play(&[&late]).await?;
    let fetched = eventually("the second clip is fetched", SOON, async || {
        Ok((renditions(&folder("player")).len() == 2).then_some(()))
    });
    fetched.await?;
    nginx.more(6).await?;
    let healthy = eventually("/health is right again", SOON, async || {
        Ok(player.get("/health").await?["clips"]["problem"].is_null().then_some(()))
    });
    healthy.await?;
    player.delete(&format!("/clips/{intro}")).await?;
    ensure!(server.files().len() == 2, "the other clip only: {:?}", server.files());
    channel.is_unharmed("nginx").await?;
    for streamward in [&taker, &player] {
        ensure!(!streamward.log().contains(SECRET), "the secret is logged");
    }
    nginx.stop().await?;
    report("a bucket unreachable: the longest hole of the picture", nginx.recording()?.is_continuous(HOLE)?);
    Ok(())
}

/// The renditions in a folder of clips.
fn renditions(folder: &std::path::Path) -> Vec<PathBuf> {
    let is_flv = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "flv");
    files(&folder.join("clips")).into_iter().filter(is_flv).collect()
}

/// Adds a clip of four seconds at one instance; returns its id.
fn add(bench: &Bench, streamward: &Streamward, name: &str) -> Result<String> {
    let file = bench.path().join(format!("{name}.mp4"));
    encode("-t 4 -f lavfi -i testsrc=size=320x180:rate=30 -t 4 -f lavfi -i sine=frequency=330", &file)?;
    let added = streamward.output_of(&["--json", "clip", "add", "--no-wait", &file.display().to_string()])?;
    let added: Value = serde_json::from_str(&added).with_context(|| format!("no JSON: {added}"))?;
    added["id"].as_str().map(str::to_owned).with_context(|| format!("no id: {added}"))
}

async fn is_ready(streamward: &Streamward, id: &str) -> Result<()> {
    let ready = eventually(format!("the clip {id} is prepared"), PREPARED, async || {
        let clip = streamward.get(&format!("/clips/{id}")).await?;
        ensure!(clip["state"] != "failed", "{clip}");
        Ok((clip["state"] == "ready").then_some(()))
    });
    ready.await.map(drop).map_err(|error| anyhow!("{error:#}\n{}", streamward.log()))
}
