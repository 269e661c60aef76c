//! Streamward beside a stand-in for SRS, configured by what `srs-config` prints.

use std::time::Duration;

use anyhow::Context as _;
use serde_json::{Value, json};
use sqlx::{Connection as _, Executor as _, SqliteConnection};
use streamward::adapters::system::SystemClock;
use streamward::ports::Clock as _;
use streamward_test_support::process::{Process, Signal};
use streamward_test_support::srs::{Refused, SrsClient, SrsStub};
use tokio::time::Instant;

use super::{HOOK_SECRET, Home, SOON, client, eventually};

/// SRS and Streamward.
pub(super) struct World {
    pub(super) home: Home,
    pub(super) srs: SrsStub,
    service: Process,
    token: String,
}

/// A stream key.
struct Key {
    id: String,
    secret: String,
}

impl Key {
    fn param(&self) -> String {
        format!("?key={}", self.secret)
    }
}

impl World {
    pub(super) async fn start() -> Self {
        let srs = SrsStub::start().await;
        let home = Home::new()
            .with("MEDIA_SERVERS__DEFAULT__KIND", "srs")
            .with("MEDIA_SERVERS__DEFAULT__API_URL", &srs.url())
            .with("HOOKS__SECRET", HOOK_SECRET);
        let service = home.serve().await;
        srs.configure(&home.ok(&["srs-config"]));
        let token = home.admin_token();
        Self { home, srs, service, token }
    }

    /// Kills the service.
    pub(super) fn stop(&mut self) {
        self.service.kill();
    }

    async fn call(&self, method: &str, path: &str, body: &Value) -> anyhow::Result<Value> {
        let request = client().request(method.parse()?, self.home.url(path)).bearer_auth(&self.token);
        let answer = request.json(body).send().await?;
        let status = answer.status();
        let text = answer.text().await?;
        anyhow::ensure!(status.is_success(), "{method} {path}: {status} {text}");
        Ok(serde_json::from_str(&text).unwrap_or_default())
    }

    async fn get(&self, path: &str) -> anyhow::Result<Value> {
        let answer = client().get(self.home.url(path)).bearer_auth(&self.token).send().await?;
        Ok(answer.error_for_status()?.json().await?)
    }

    async fn key(&self, path: &str, more: Value) -> Key {
        // A machine without any time to spare answers 503 now and then.
        let made = async |route: &str, draft: &Value| {
            self.wait(route, async || self.call("POST", route, draft).await.map(Some)).await
        };
        let owner = made("/broadcasters", &json!({"display_name": path})).await;
        let mut draft = json!({"broadcaster_id": owner["id"], "path": path});
        draft.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
        let made = made("/stream-keys", &draft).await;
        let text = |field: &str| made[field].as_str().unwrap_or_default().to_owned();
        Key { id: text("id"), secret: text("key_value") }
    }

    /// The live streams.
    async fn live(&self) -> anyhow::Result<Vec<Value>> {
        Ok(self.get("/streams").await?["streams"].as_array().context("a list")?.clone())
    }

    /// An encoder that gets in and sends media.
    async fn encoder(&self, app: &str, name: &str, param: &str) -> SrsClient {
        let encoder = self.srs.publish(app, name, param).await.expect("it gets in");
        self.srs.send(&encoder, 100_000);
        encoder
    }

    /// The stream of this encoder, once it is live.
    async fn on_air(&self, encoder: &SrsClient) -> Value {
        let find = async || Ok(self.live().await?.into_iter().find(|one| one["source_id"] == *encoder.0));
        self.wait("the encoder is live", find).await
    }

    /// The stream, once it has ended.
    async fn ended(&self, stream: &Value) -> Value {
        let path = format!("/streams/{}", stream["id"].as_str().expect("an id"));
        let find = async || Ok(Some(self.get(&path).await?).filter(|now| now["status"] == "ended"));
        self.wait("the stream has ended", find).await
    }

    async fn wait<T>(&self, what: &str, poll: impl AsyncFn() -> anyhow::Result<Option<T>>) -> T {
        match eventually(what, SOON, poll).await {
            Ok((found, _)) => found,
            Err(error) => panic!("{error:#}\n{:?}\n{}", self.srs.requests(), self.home.log()),
        }
    }

    fn is_not_logged(&self, secret: &str) {
        assert!(!self.home.log().contains(secret), "{}", self.home.log());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stream_on_a_named_path_is_live_with_its_numbers() {
    let world = World::start().await;
    let key = world.key("live/alice", json!({})).await;
    let encoder = world.encoder("live", "alice", &key.param()).await;
    let stream = world.on_air(&encoder).await;
    assert_eq!((&stream["path"], &stream["source_type"]), (&json!("live/alice"), &json!("rtmpConn")));
    assert_eq!(stream["stream_key_id"], key.id);
    assert_eq!(stream["tracks"], json!(["H264", "AAC"]));
    assert_eq!(stream["urls"]["hls"], "http://127.0.0.1:8888/live/alice.m3u8");
    assert_eq!(stream["urls"]["flv"], "http://127.0.0.1:8888/live/alice.flv");
    assert_eq!(stream["urls"]["rtmp"], "rtmp://127.0.0.1:1935/live/alice");
    let whep = stream["urls"]["webrtc"].as_str().expect("an address");
    assert!(whep.ends_with("/rtc/v1/whep/?app=live&stream=alice"), "{whep}");
    assert_eq!(stream["urls"].get("rtsp"), None);
    let viewer = world.srs.play("live", "alice").await.expect("everybody may watch");
    world
        .wait("the viewer is counted", async || {
            Ok(world
                .live()
                .await?
                .into_iter()
                .find(|one| one["readers"] == 1 && one["inbound_bytes"] == 100_000))
        })
        .await;
    world.srs.leave(&encoder);
    assert_eq!(world.ended(&stream).await["end_reason"], "publisher_left");

    // The player still waits, so SRS goes on counting; the next publisher begins at its own bytes.
    let again = world.encoder("live", "alice", &key.param()).await;
    let next = world.on_air(&again).await;
    assert_eq!(next["inbound_bytes"], 100_000, "{next}");
    assert_ne!(next["id"], stream["id"]);
    world.srs.leave(&viewer);
    world.is_not_logged(&key.secret);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn key_as_the_name_of_the_stream_is_taken_and_shown_to_nobody() {
    let world = World::start().await;
    let key = world.key("shows/bob", json!({})).await;
    let encoder = world.encoder("live", &key.secret, "").await;
    let stream = world.on_air(&encoder).await;
    assert_eq!(stream["path"], "shows/bob");
    // SRS cannot show it under another name.
    assert_eq!(stream.get("urls"), None);
    let refused = world.srs.play("live", &key.secret).await;
    assert!(matches!(refused, Err(Refused::ByCallback(_))), "{refused:?}");
    let second = world.srs.publish("shows", "bob", &key.param()).await;
    assert!(matches!(second, Err(Refused::ByCallback(_))), "{second:?}");
    assert!(world.srs.has(&encoder));
    world.is_not_logged(&key.secret);
    let shown = [world.get("/streams?status=all").await, world.get("/audit-events").await];
    assert!(!format!("{shown:?}").contains(&key.secret));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn second_encoder_is_refused_and_the_first_stays() {
    let world = World::start().await;
    let key = world.key("live/alice", json!({})).await;
    let first = world.encoder("live", "alice", &key.param()).await;
    let stream = world.on_air(&first).await;
    for (app, name, param) in [
        ("live", "alice", key.param()),
        ("live", key.secret.as_str(), String::new()),
        ("live", "alice", String::new()),
    ] {
        let second = world.srs.publish(app, name, &param).await;
        assert!(matches!(second, Err(Refused::ByCallback(_))), "{second:?}");
    }
    assert!(world.srs.has(&first) && world.srs.ended().is_empty());
    assert_eq!(world.on_air(&first).await["id"], stream["id"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn takeover_ends_the_first_encoder_before_srs_would_refuse_the_second() {
    let world = World::start().await;
    let key = world.key("live/alice", json!({"on_conflict": "takeover"})).await;
    let first = world.encoder("live", "alice", &key.param()).await;
    let stream = world.on_air(&first).await;
    // On a machine without any time to spare the answer may come first. Then the next try succeeds.
    let second = eventually("the second encoder gets in", SOON, async || {
        Ok(world.srs.publish("live", "alice", &key.param()).await.ok())
    });
    let second = second.await.expect("it does").0;
    world.srs.send(&second, 5_000);
    assert_eq!(world.ended(&stream).await["end_reason"], "takeover");
    assert_eq!(world.srs.ended().first(), Some(&first.0));
    assert_ne!(world.on_air(&second).await["id"], stream["id"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn key_that_ends_takes_its_stream_off_the_air() {
    let world = World::start().await;
    for (path, reason) in [("live/a", "key_revoked"), ("live/b", "key_rotated"), ("live/c", "key_expired")] {
        let draft = match reason {
            "key_expired" => {
                json!({"expires_at": SystemClock.now().plus(Duration::from_secs(8)).to_string()})
            }
            _ => json!({}),
        };
        let key = world.key(path, draft).await;
        let (app, name) = path.split_once('/').expect("two parts");
        let encoder = world.encoder(app, name, &key.param()).await;
        let stream = world.on_air(&encoder).await;
        let address = format!("/stream-keys/{}", key.id);
        match reason {
            "key_revoked" => drop(world.call("DELETE", &address, &json!({})).await.expect("revoked")),
            "key_rotated" => {
                drop(world.call("POST", &format!("{address}/rotate"), &json!({})).await.expect("rotated"));
            }
            _ => {}
        }
        assert_eq!(world.ended(&stream).await["end_reason"], reason);
        assert_eq!(world.srs.ended().last(), Some(&encoder.0), "{reason}");
        let again = world.srs.publish(app, name, &key.param()).await;
        assert!(matches!(again, Err(Refused::ByCallback(_))), "{reason}: {again:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn srs_crashes_and_comes_back() {
    let world = World::start().await;
    let key = world.key("live/alice", json!({})).await;
    let encoder = world.encoder("live", "alice", &key.param()).await;
    let stream = world.on_air(&encoder).await;
    world.srs.restart();
    assert_eq!(world.ended(&stream).await["end_reason"], "media_server_restarted");
    let again = world.encoder("live", "alice", &key.param()).await;
    world.on_air(&again).await;

    // While its HTTP API hangs, whoever left is known by the callback.
    let stream = world.on_air(&again).await;
    world.srs.set_hanging(true);
    world
        .wait("it counts as unreachable", async || {
            let servers = world.get("/media-servers").await?;
            Ok((servers["media_servers"][0]["reachable"] == false).then_some(()))
        })
        .await;
    world.srs.leave(&again);
    assert_eq!(world.ended(&stream).await["end_reason"], "publisher_left");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streamward_is_killed_and_finds_everything_as_it_was() {
    let mut world = World::start().await;
    let (alice, bob) = (world.key("live/alice", json!({})).await, world.key("live/bob", json!({})).await);
    let first = world.encoder("live", "alice", &alice.param()).await;
    let stream = world.on_air(&first).await;
    world.service.kill();
    // Callbacks fail closed: nobody comes in, but nobody is thrown out.
    let refused = world.srs.publish("live", "bob", &bob.param()).await;
    assert!(matches!(refused, Err(Refused::ByCallback(_))), "{refused:?}");
    assert!(world.srs.has(&first));
    world.service = world.home.serve().await;
    let second = world.encoder("live", "bob", &bob.param()).await;
    world.on_air(&second).await;
    assert_eq!(world.on_air(&first).await["id"], stream["id"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callbacks_are_answered_in_time_whatever_is_broken() {
    let world = World::start().await;
    let (alice, bob) = (world.key("live/alice", json!({})).await, world.key("live/bob", json!({})).await);
    let dave = world.key("live/dave", json!({})).await;
    let encoder = world.encoder("live", "alice", &alice.param()).await;
    world.on_air(&encoder).await;

    // The database is locked by somebody else.
    let file = world.home.dir.path().join("streamward.db");
    let mut conn = SqliteConnection::connect(&format!("sqlite://{}", file.display())).await.expect("opened");
    conn.execute("BEGIN EXCLUSIVE").await.expect("locked");
    let post = async |name: &str, body: &Value| {
        let url = world.home.url(&format!("/srs/{name}?server=default&secret={HOOK_SECRET}"));
        let started = Instant::now();
        let answer = client().post(url).json(body).send().await.expect("an answer");
        assert_eq!(answer.status(), 200, "{name}");
        let answer: Value = answer.json().await.expect("JSON");
        // Less than SRS waits, with room for a busy machine.
        assert!(started.elapsed() < Duration::from_secs(5), "{name}: {:?}", started.elapsed());
        answer["code"].as_u64().expect("a code")
    };
    let body = json!({"client_id": "x", "app": "live", "stream": "bob", "param": bob.param(), "stream_url": "/live/bob"});
    // Whether `auth.grace` lets it in depends on when the lock is noticed.
    post("on_publish", &body).await;
    let unknown = json!({"client_id": "y", "app": "live", "stream": "bob", "stream_url": "/live/bob",
        "param": "?key=sk_Zm9yLXRlc3RzLW9ubHktbm90LWEtcmVhbC1rZXktMTI"});
    assert_ne!(post("on_publish", &unknown).await, 0, "a key that nobody knows");
    for name in ["on_unpublish", "on_play", "on_stop", "on_connect", "on_close"] {
        assert_eq!(post(name, &body).await, 0, "{name}");
    }
    conn.execute("ROLLBACK").await.expect("free");
    world
        .wait("publishers come in again", async || {
            Ok(world.srs.publish("live", "dave", &dave.param()).await.ok())
        })
        .await;

    // A Streamward that hangs gives no answer, and SRS refuses.
    let carol = world.key("live/carol", json!({})).await;
    world.service.signal(Signal::STOP).expect("sent");
    let refused = world.srs.publish("live", "carol", &carol.param()).await;
    assert_eq!(refused, Err(Refused::ByCallback("no answer in time".into())));
    world.service.signal(Signal::CONT).expect("sent");
    assert!(world.srs.has(&encoder));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callback_without_the_secret_is_refused() {
    let world = World::start().await;
    let key = world.key("live/alice", json!({})).await;
    for query in [
        "",
        "?server=default",
        "?server=default&secret=wrong",
        "?server=other&secret=a-hook-secret-for-tests",
    ] {
        let body = json!({"client_id": "x", "app": "live", "stream": "alice", "param": key.param()});
        let url = world.home.url(&format!("/srs/on_publish{query}"));
        let answer = client().post(url).json(&body).send().await.expect("an answer");
        assert_eq!(answer.status(), 401, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_streams_are_all_seen() {
    const STREAMS: usize = 200;
    let world = World::start().await;
    let mut encoders = Vec::new();
    for n in 0..STREAMS {
        let key = world.key(&format!("live/s{n:03}"), json!({})).await;
        encoders.push(world.encoder("live", &format!("s{n:03}"), &key.param()).await);
    }
    let live = async || anyhow::Ok(world.live().await?.len());
    world.wait("all are live", async || Ok((live().await? == STREAMS).then_some(()))).await;
    assert!(world.srs.ended().is_empty(), "nobody was thrown out");
    encoders.iter().for_each(|encoder| world.srs.leave(encoder));
    world.wait("all have ended", async || Ok((live().await? == 0).then_some(()))).await;
}

#[test]
fn configuration_of_the_other_kind_is_refused_with_a_hint() {
    let srs = Home::new().with("MEDIA_SERVERS__DEFAULT__KIND", "srs").prepared();
    assert!(srs.refused(&["mediamtx-config"]).contains("use `streamward srs-config`"));
    let mediamtx = Home::new().prepared();
    assert!(mediamtx.refused(&["srs-config"]).contains("use `streamward mediamtx-config`"));
    let unusable = srs.with("MEDIA_SERVERS__DEFAULT__CONTROL_SECRET", "has;a semicolon");
    assert!(unusable.refused(&["srs-config"]).contains("use only letters, digits"));
}
