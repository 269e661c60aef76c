//! Channels of several instances, and of an instance without its database: what a platform sees of them.

use std::process::Command;
use std::time::Duration;

use streamward_test_support::platform::{Platform, Publisher};
use streamward_test_support::process::{Process, Signal, eventually, output_within};

use tokio::time::Instant;

use super::instances::{cluster, empty, instance};
use super::{Home, SOON, client};

/// The key that the platform gives.
const KEY: &str = "platform-key-4711";
/// The promise: a channel is on air again this long after its instance was killed.
const AGAIN: Duration = Duration::from_secs(5);

/// An instance whose media server cannot be reached, so that the slate is on air.
fn without_media_server(url: &str) -> Home {
    instance(url).with("MEDIA_SERVERS__DEFAULT__RTMP_URL", "rtmp://127.0.0.1:9")
}

/// Creates the channel `Temple`, with the platform as its destination.
fn create(home: &Home, platform: &Platform) {
    home.ok(&["channel", "create", "Temple"]);
    std::fs::write(home.dir.path().join("key"), KEY).expect("written");
    let to = ["--url", &platform.url(), "--key-file", "key"];
    home.ok(&[&["destination", "add", "Temple", "custom"], &to[..]].concat());
}

/// Waits until the publisher of this number has sent this many messages more.
async fn sends(platform: &Platform, number: usize, messages: u64) -> Publisher {
    let before = platform.publishers().get(number).map_or(0, |publisher| publisher.messages);
    let sent = eventually("the programme is at the platform", 2 * SOON, async || {
        let publisher = platform.publishers().get(number).cloned();
        Ok(publisher.filter(|publisher| publisher.messages >= before + messages))
    });
    sent.await.expect("it is").0
}

fn runs(home: &Home) -> bool {
    home.log().contains("a channel starts")
}

/// Two instances on one database, with the one that runs the channel first.
async fn two(a: &Home, b: &Home, platform: &Platform) -> (Process, Process) {
    let (a_serves, b_serves) = (a.serve().await, b.serve().await);
    create(a, platform);
    let first = sends(platform, 0, 100).await;
    assert_eq!(first.key, KEY);
    assert!(runs(a) != runs(b), "one of them runs it");
    if runs(a) { (a_serves, b_serves) } else { (b_serves, a_serves) }
}

#[tokio::test]
async fn channel_of_a_killed_instance_is_on_air_again_soon_and_never_has_two_publishers() {
    let (database, platform) = (empty().await, Platform::start().expect("it listens"));
    let (a, b) = (without_media_server(database.url()), without_media_server(database.url()));
    let (mut holder, _other) = two(&a, &b, &platform).await;
    let killed = Instant::now();
    holder.kill();
    let second = sends(&platform, 1, 1).await;
    let took = second.media.expect("media").0 - killed;
    eprintln!("channels: killed; the platform has the programme again after {} ms", took.as_millis());
    assert!(took <= AGAIN, "{took:?}");
    sends(&platform, 1, 300).await;
    let publishers = platform.publishers();
    assert_eq!(publishers.len(), 2, "one reconnect");
    assert!(publishers[0].ended <= publishers[1].began && publishers[0].ended.is_some(), "{publishers:?}");
    assert_eq!(publishers[1].ended, None);
    for log in [a.log(), b.log()] {
        assert!(!log.contains(KEY));
    }
}

#[tokio::test]
async fn instance_that_was_suspended_past_its_lease_sends_nothing_when_it_continues() {
    let (database, platform) = (empty().await, Platform::start().expect("it listens"));
    let (a, b) = (without_media_server(database.url()), without_media_server(database.url()));
    let (holder, _other) = two(&a, &b, &platform).await;
    let frozen = Instant::now();
    holder.signal(Signal::STOP).expect("it is suspended");
    let second = sends(&platform, 1, 100).await;
    let took = second.media.expect("media").0 - frozen;
    eprintln!("channels: suspended; the platform has the programme again after {} ms", took.as_millis());
    let before = platform.publishers()[0].clone();
    assert_eq!(before.ended, None, "its connection is open while it is suspended");
    holder.signal(Signal::CONT).expect("it continues");
    let continued = Instant::now();
    let ended = eventually("it ends its connection", SOON, async || Ok(platform.publishers()[0].ended));
    let ended = ended.await.expect("it does").0;
    eprintln!("channels: continued; its connection ends after {} ms", (ended - continued).as_millis());
    assert_eq!(platform.publishers()[0].messages, before.messages, "it sends nothing more");
    sends(&platform, 1, 300).await;
    let publishers = platform.publishers();
    assert_eq!((publishers.len(), publishers[1].ended), (2, None));
}

/// Makes a short film in the directory of the program.
fn film(home: &Home) {
    let arguments = "-v error -f lavfi -i testsrc=s=128x96:r=25:d=2 -c:v libx264 film.mp4";
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(arguments.split(' ')).current_dir(home.dir.path());
    let made = output_within(&mut ffmpeg, SOON).expect("ffmpeg: run .ci/setup");
    assert!(made.status.success(), "{made:?}");
}

#[tokio::test]
async fn channel_of_the_only_instance_continues_without_the_database_and_its_decisions_are_stored_later() {
    // The hold ends while the database is unreachable.
    let (hold, outage) = if std::env::var("FAULTS").is_ok_and(|faults| faults == "all") {
        ("30s", Duration::from_secs(60))
    } else {
        ("8s", Duration::from_secs(10))
    };
    let (mut cluster, platform) = (cluster().await, Platform::start().expect("it listens"));
    let home = without_media_server(&cluster.url("postgres"));
    film(&home);
    let _serves = home.serve().await;
    create(&home, &platform);
    let clip = home.json(&["clip", "add", "film.mp4"]);
    home.ok(&["channel", "update", "Temple", "--clips", clip["id"].as_str().expect("an id")]);
    let on_air = async |source: &str| {
        let shown = eventually(format!("{source} is on air"), 2 * SOON, async || {
            Ok((home.json(&["channel", "show", "Temple"])["status"]["on_air"] == source).then_some(()))
        });
        shown.await.expect("it is");
    };
    on_air("backup").await;
    home.ok(&["channel", "mode", "Temple", "slate", "--for", hold, "--reason", "a test"]);
    on_air("slate").await;

    cluster.stop();
    let stopped = Instant::now();
    tokio::time::sleep(outage).await;
    sends(&platform, 0, 100).await;
    assert!(home.log().contains("the database is unreachable"), "{}", home.log());
    let lasted = stopped.elapsed();
    cluster.run().expect("it starts");
    home.ready().await;

    let stored = eventually("the decision is stored", 2 * SOON, async || {
        let list = home.json(&["channel", "decisions", "Temple"]);
        Ok((list["decisions"][0]["to"] == "backup").then(|| list["decisions"][0].clone()))
    });
    let decision = stored.await.expect("it is").0;
    assert_eq!(
        (&decision["from"], &decision["reason"]),
        (&"slate".into(), &"hold_expired".into()),
        "{decision}"
    );
    sends(&platform, 0, 100).await;
    let publishers = platform.publishers();
    let (silence, until) = publishers[0].longest_silence.expect("media");
    eprintln!(
        "channels: {} s without the database; the longest silence at the platform: {} ms, until {} ms after the stop",
        lasted.as_secs(),
        silence.as_millis(),
        until.saturating_duration_since(stopped).as_millis()
    );
    assert_eq!((publishers.len(), publishers[0].ended), (1, None), "it keeps its connection");
    assert!(silence < Duration::from_secs(2), "{publishers:?}");
    on_air("backup").await;
}

/// Whether a line of the metrics has this name, these labels and this value.
fn has(metrics: &str, name: &str, labels: &[&str], value: &str) -> bool {
    metrics.lines().any(|line| {
        line.split('{').next() == Some(name)
            && labels.iter().all(|label| line.contains(label))
            && line.rsplit(' ').next() == Some(value)
    })
}

#[tokio::test]
async fn what_a_channel_does_is_in_the_metrics_and_in_health() {
    let platform = Platform::start().expect("it listens");
    let home = Home::new().with("MEDIA_SERVERS__DEFAULT__RTMP_URL", "rtmp://127.0.0.1:9");
    let _serves = home.serve().await;
    create(&home, &platform);
    sends(&platform, 0, 100).await;
    let metrics = async || client().get(home.url("/metrics")).send().await?.error_for_status()?.text().await;
    let channel = "channel=\"Temple\"";
    let shown = eventually("the metrics show the channel", SOON, async || {
        let shown = metrics().await?;
        let is_live =
            has(&shown, "streamward_destination_state", &[channel, "name=\"custom\"", "state=\"live\""], "1");
        let is_counted = shown.contains("streamward_channel_decisions_total");
        Ok(Some(shown).filter(|_| is_live && is_counted))
    });
    let shown = shown.await.expect("they do").0;
    let slate = [channel, "source=\"slate\""];
    assert!(has(&shown, "streamward_channel_on_air", &slate, "1"), "{shown}");
    assert!(has(&shown, "streamward_channel_on_air", &[channel, "source=\"live\""], "0"), "{shown}");
    let start = [channel, "kind=\"cut\"", "to=\"slate\"", "reason=\"start\""];
    assert!(has(&shown, "streamward_channel_decisions_total", &start, "1"), "{shown}");
    let to = [channel, "name=\"custom\""];
    assert!(has(&shown, "streamward_destination_connects_total", &to, "1"), "{shown}");
    assert!(!has(&shown, "streamward_destination_sent_bytes_total", &to, "0"), "{shown}");
    assert!(!shown.contains(KEY));

    let health = async || -> anyhow::Result<serde_json::Value> {
        Ok(client().get(home.url("/health")).send().await?.json().await?)
    };
    let channels = health().await.expect("health")["channels"].clone();
    assert!(!channels.to_string().contains(KEY));
    assert_eq!((&channels["running"], &channels["problems"][0]["channel"]), (&1.into(), &"Temple".into()));
    let problem = channels["problems"][0]["problem"].as_str().expect("a problem");
    assert!(problem.contains("neither the live input nor the backup"), "{problem}");
    home.ok(&["channel", "mode", "Temple", "slate", "--reason", "a test"]);
    eventually("the slate is wanted", SOON, async || {
        Ok((health().await?["channels"]["problems"].as_array().is_some_and(Vec::is_empty)).then_some(()))
    })
    .await
    .expect("it is");
    home.ok(&["channel", "update", "Temple", "--disable"]);
    eventually("nothing is on air", SOON, async || {
        let is_off = has(&metrics().await?, "streamward_channel_on_air", &slate, "0");
        Ok((is_off && health().await?["channels"]["running"] == 0).then_some(()))
    })
    .await
    .expect("it is so");
}
