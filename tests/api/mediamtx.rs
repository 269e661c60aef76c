//! The MediaMTX adapter before a control API that misbehaves in every way known: an answer is complete, or an error.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use streamward::domain::media_server::{ObservedSource, Relay, SourceId, SourceKind};
use streamward::domain::path::{IngestPath, StreamPath};
use streamward::domain::secret::{KeySecret, Secret};
use streamward::ports::{MediaServer as _, RelayRemoval, RemoteError, ServerInfo};
use tokio::time::Instant;

use crate::control_api::{Asked, ControlApi, Say};

fn info() -> Say {
    Say::ok(json!({"version": "v1.20.1", "started": "2026-11-20T12:29:12.715Z"}))
}

fn item(name: &str, kind: &str, id: &str) -> Value {
    json!({"name": name, "confName": "all_others", "ready": true, "available": true, "online": true,
        "source": {"type": kind, "id": id}, "tracks": ["H264"], "readers": [], "inboundBytes": 1})
}

fn list(items: &[Value]) -> Say {
    Say::ok(json!({"itemCount": items.len(), "pageCount": items.len().min(1), "items": items}))
}

/// The number after `page=`.
fn page_of(asked: &Asked) -> usize {
    asked.line.rsplit_once("page=").expect("a page is asked for").1.parse().expect("a number")
}

/// A server that holds on to pages of 100 whatever is asked for, like one we do not know yet.
fn paged(total: usize) -> impl Fn(&Asked) -> Say {
    move |asked| {
        let from = page_of(asked) * 100;
        let items: Vec<Value> = (from..total.min(from + 100))
            .map(|n| item(&format!("live/p{n:04}"), "rtmpConn", &format!("c{n}")))
            .collect();
        Say::ok(json!({"itemCount": total, "pageCount": total.div_ceil(100), "items": items}))
    }
}

fn source(kind: &str, id: &str) -> ObservedSource {
    ObservedSource {
        kind: SourceKind::from_name(kind),
        publishes: true,
        id: SourceId::parse(id),
        aliases: Vec::new(),
    }
}

#[tokio::test]
async fn five_thousand_paths_on_fifty_pages_are_all_seen() {
    let pages = paged(5_000);
    let server =
        ControlApi::start(move |a| if a.line.contains("/v3/info") { info() } else { pages(a) }).await;
    let started = Instant::now();
    let seen = server.client().snapshot().await.expect("complete");
    assert_eq!(seen.paths.len(), 5_000);
    assert_eq!(seen.version.as_deref(), Some("v1.20.1"));
    assert_eq!(seen.run.as_deref(), Some("2026-11-20T12:29:12.715Z"));
    assert_eq!(server.asked().len(), 51);
    assert!(server.asked().iter().all(|a| a.authorization.as_deref() == Some("Bearer control-secret")));
    assert!(started.elapsed() < Duration::from_secs(3), "took {:?}", started.elapsed());
}

#[tokio::test]
async fn pages_that_contradict_each_other_are_read_once_more() {
    // While the first reading is under way a path goes, so that one path is on no page, or on two.
    for settles in [true, false] {
        let readings = AtomicUsize::new(0);
        let server = ControlApi::start(move |asked| {
            if asked.line.contains("/v3/info") {
                return info();
            }
            let page = page_of(asked);
            let reading = if page == 0 { readings.fetch_add(1, Ordering::SeqCst) } else { 1 };
            let total = if page == 0 && (reading == 0 || !settles) { 201 } else { 200 };
            paged(total)(asked)
        })
        .await;
        let seen = server.client().snapshot().await;
        if settles {
            assert_eq!(seen.expect("the second reading is complete").paths.len(), 200);
        } else {
            assert!(matches!(seen, Err(RemoteError::Malformed(_))), "{seen:?}");
        }
    }
}

#[tokio::test]
async fn a_list_with_doubles_or_gaps_is_no_list() {
    let one = item("live/a", "rtmpConn", "1");
    for (what, page) in [
        ("doubles", json!({"itemCount": 2, "pageCount": 1, "items": [one, one]})),
        ("gaps", json!({"itemCount": 2, "pageCount": 1, "items": [one]})),
        ("no items", json!({"itemCount": 1, "pageCount": 1})),
        ("no counts", json!({"items": [one]})),
        ("a nameless path", json!({"itemCount": 1, "pageCount": 1, "items": [{"ready": true}]})),
        ("a path in no state", json!({"itemCount": 1, "pageCount": 1, "items": [{"name": "a"}]})),
        ("too many pages", json!({"itemCount": 1, "pageCount": 1_000_000_000, "items": [one]})),
        ("not a list", json!("oops")),
    ] {
        let server =
            ControlApi::start(
                move |a| {
                    if a.line.contains("/v3/info") { info() } else { Say::ok(page.clone()) }
                },
            )
            .await;
        let seen = server.client().snapshot().await;
        assert!(matches!(seen, Err(RemoteError::Malformed(_))), "{what}: {seen:?}");
    }
}

#[tokio::test]
async fn errors_and_half_answers_are_errors() {
    let status =
        |e: &RemoteError| matches!(e, RemoteError::Status { status: 500, message } if message == "boom");
    type Expected = fn(&RemoteError) -> bool;
    let cases: [(fn() -> Say, Expected); 4] = [
        (|| Say::error(500, "boom"), status),
        (
            || Say::Half(r#"{"itemCount":1,"pageCount":1,"items":["#),
            |e| matches!(e, RemoteError::Malformed(_)),
        ),
        (|| Say::Text(200, "<html>"), |e| matches!(e, RemoteError::Malformed(_))),
        (|| Say::error(401, "authentication error"), |e| *e == RemoteError::Unauthorised),
    ];
    for (answer, expected) in cases {
        let server =
            ControlApi::start(move |a| if a.line.contains("/v3/info") { info() } else { answer() }).await;
        let error = server.client().snapshot().await.expect_err("not an snapshot");
        assert!(expected(&error), "{error:?}");
    }
}

#[tokio::test]
async fn a_slow_answer_is_not_waited_for() {
    let late = || Say::Late(Duration::from_secs(30), Box::new(list(&[])));
    let server = ControlApi::start(move |a| if a.line.contains("/v3/info") { info() } else { late() }).await;
    let started = Instant::now();
    assert_eq!(server.client().snapshot().await, Err(RemoteError::TimedOut));
    assert!(started.elapsed() < Duration::from_secs(4));
}

#[tokio::test]
async fn a_look_ends_even_if_every_page_is_only_a_little_late() {
    let pages = paged(1_000);
    let server = ControlApi::start(move |a| {
        if a.line.contains("/v3/info") {
            info()
        } else {
            Say::Late(Duration::from_secs(1), Box::new(pages(a)))
        }
    })
    .await;
    let started = Instant::now();
    assert_eq!(server.client().snapshot().await, Err(RemoteError::TimedOut));
    assert!(started.elapsed() < Duration::from_secs(6));
}

#[tokio::test]
async fn nobody_there_is_unreachable() {
    let address = ControlApi::start(|_| info()).await.client();
    let error = address.snapshot().await.expect_err("it has stopped");
    assert!(matches!(error, RemoteError::Unreachable(_)), "{error:?}");
    assert!(!error.to_string().contains("http"), "{error}");
}

#[tokio::test]
async fn before_1_15_3_nothing_is_told_about_the_process() {
    let server = ControlApi::start(|asked| {
        if asked.line.contains("/v3/info") { Say::no_route() } else { list(&[item("a", "rtmpConn", "1")]) }
    })
    .await;
    assert_eq!(server.client().info().await, Ok(ServerInfo::default()));
    let seen = server.client().snapshot().await.expect("complete");
    assert_eq!((seen.version, seen.run, seen.paths.len()), (None, None, 1));
}

#[tokio::test]
async fn before_1_19_3_rtsp_publishers_are_known_by_their_connection_too() {
    for (version, asks) in [("v1.15.4", true), ("v1.19.2", true), ("v1.19.3", false), ("v1.20.1", false)] {
        let server = ControlApi::start(move |asked| match asked.line.as_str() {
            line if line.contains("/v3/info") => Say::ok(json!({"version": version, "started": "t"})),
            line if line.contains("/v3/paths/list") => {
                list(&[item("live/a", "rtspSession", "s1"), item("live/b", "rtmpConn", "r1")])
            }
            line if line.contains("/v3/rtspconns/list") => list(&[
                json!({"id": "c1", "session": "s1"}),
                json!({"id": "c2", "session": null}),
                json!({"id": "c3", "session": "s3"}),
            ]),
            _ => Say::no_route(),
        })
        .await;
        let seen = server.client().snapshot().await.expect("complete");
        let source = seen.paths[0].source.as_ref().expect("somebody publishes");
        assert_eq!(source.is(&SourceId::parse("c1").expect("an id")), asks, "{version}");
        assert_eq!(server.lines().iter().any(|line| line.contains("rtspconns")), asks, "{version}");
    }
}

#[tokio::test]
async fn every_kind_of_session_is_told_to_end_where_it_lives() {
    let server = ControlApi::start(|_| Say::empty()).await;
    let client = server.client();
    for (kind, list) in [
        ("rtmpConn", "rtmpconns"),
        ("rtmpsConn", "rtmpsconns"),
        ("rtspSession", "rtspsessions"),
        ("rtspsSession", "rtspssessions"),
        ("srtConn", "srtconns"),
        ("webRTCSession", "webrtcsessions"),
        ("moqSession", "moqsessions"),
    ] {
        client.disconnect(&source(kind, "188d-9bad")).await.expect("told");
        assert_eq!(server.lines().pop(), Some(format!("POST /v3/{list}/kick/188d-9bad")));
    }
    client.disconnect(&source("rtmpConn", "../x y")).await.expect("told");
    assert_eq!(server.lines().pop().as_deref(), Some("POST /v3/rtmpconns/kick/..%2Fx%20y"));
    for (kind, id) in [("rtspSource", "1"), ("newConn", "1"), ("rtmpConn", "")] {
        let told = client.disconnect(&source(kind, id)).await;
        assert!(matches!(told, Err(RemoteError::Unsupported(_))), "{kind}: {told:?}");
    }
}

#[tokio::test]
async fn a_session_that_is_not_there_has_been_told() {
    for gone in [|| Say::error(404, "connection not found"), || Say::no_route()] {
        let server = ControlApi::start(move |_| gone()).await;
        assert_eq!(server.client().disconnect(&source("srtConn", "1")).await, Ok(()));
    }
    let server = ControlApi::start(|_| Say::error(500, "boom")).await;
    let told = server.client().disconnect(&source("srtConn", "1")).await;
    assert!(matches!(told, Err(RemoteError::Status { status: 500, .. })), "{told:?}");
}

fn relay() -> (Relay, String) {
    let key = KeySecret::from_random([5; 32]).expose().to_owned();
    let IngestPath::Private(private) = IngestPath::from_media_server(&format!("live/{key}")) else {
        unreachable!("a path with a key in it is private")
    };
    (Relay { public: StreamPath::parse("live/alice").expect("a path"), private }, key)
}

/// A media server whose path `live/alice` has `existing` as its source, if any.
fn configured(existing: Option<String>) -> impl Fn(&Asked) -> Say {
    move |asked| match asked.line.as_str() {
        "GET /v3/config/global/get" => Say::ok(json!({"rtsp": true, "rtspAddress": ":8554",
            "rtspTransports": ["tcp"], "rtspEncryption": "no", "authHTTPAddress": "http://u:p@h/auth"})),
        "POST /v3/config/paths/add/live/alice" if existing.is_none() => Say::empty(),
        "POST /v3/config/paths/add/live/alice" => Say::Json(400, json!({"error": "path already exists"})),
        "GET /v3/config/paths/get/live/alice" => match &existing {
            Some(source) => Say::ok(json!({"name": "live/alice", "source": source})),
            None => Say::error(404, "path configuration not found"),
        },
        "POST /v3/config/paths/replace/live/alice" | "DELETE /v3/config/paths/delete/live/alice" => {
            Say::empty()
        }
        _ => Say::error(500, "not foreseen"),
    }
}

#[tokio::test]
async fn a_relay_is_put_in_place_once_and_an_operators_path_is_left_alone() {
    let (relay, key) = relay();
    let ours = format!("rtsp://streamward:re%2Flay@127.0.0.1:8554/live/{key}");
    let older = ours.replace(&key, KeySecret::from_random([6; 32]).expose());
    let theirs = "rtsp://camera.local/1".to_owned();
    for (existing, last) in [
        (None, "POST /v3/config/paths/add/live/alice"),
        (Some(ours.clone()), "GET /v3/config/paths/get/live/alice"),
        (Some(older), "POST /v3/config/paths/replace/live/alice"),
        (Some(theirs), "GET /v3/config/paths/get/live/alice"),
    ] {
        let refused = existing.as_deref() == Some("rtsp://camera.local/1");
        let server = ControlApi::start(configured(existing)).await;
        let put = server.client().ensure_relay(&relay, &Secret::new("re/lay")).await;
        let asked = server.asked();
        assert_eq!(asked.last().expect("asked").line, last);
        if refused {
            let why = put.expect_err("left alone").to_string();
            assert!(why.contains("live/alice has a configuration of its own"), "{why}");
        } else {
            put.expect("in place");
            let add = asked.iter().find(|a| a.line.contains("/add/")).expect("tried to add");
            assert_eq!(
                add.body,
                json!({"source": ours, "sourceOnDemand": true, "sourceOnDemandStartTimeout": "5s", "rtspTransport": "tcp"})
            );
        }
    }
}

#[tokio::test]
async fn only_a_relay_of_ours_is_removed() {
    let (relay, key) = relay();
    for (existing, removal, asks) in [
        (None, RelayRemoval::Gone, 1),
        (Some(format!("rtsp://streamward:x@127.0.0.1:8554/live/{key}")), RelayRemoval::Gone, 2),
        (Some("publisher".to_owned()), RelayRemoval::NotOurs, 1),
    ] {
        let server = ControlApi::start(configured(existing)).await;
        assert_eq!(server.client().remove_relay(&relay.public).await, Ok(removal));
        assert_eq!(server.asked().len(), asks);
    }
}

#[tokio::test]
async fn what_is_said_about_a_private_path_is_masked() {
    let (relay, key) = relay();
    let leak = format!("no stream is available on path 'live/{key}'");
    let server = ControlApi::start(move |_| Say::error(500, &leak)).await;
    let error = server.client().ensure_relay(&relay, &Secret::new("s")).await.expect_err("it said 500");
    assert!(error.to_string().contains("live/sk_***"), "{error}");
}

#[tokio::test]
async fn settings_show_what_doctor_asks_for_and_no_secret() {
    let server = ControlApi::start(|asked| match asked.line.as_str() {
        "GET /v3/config/global/get" => {
            Say::ok(json!({"rtsp": true, "rtspAddress": ":8554", "authMethod": "http",
            "authHTTPAddress": "http://streamward:hunter2@127.0.0.1:8080/auth?server=default"}))
        }
        _ => Say::ok(
            json!({"runOnReady": "streamward hook ready", "runOnNotReady": "streamward hook not-ready"}),
        ),
    })
    .await;
    let settings = server.client().settings().await.expect("told");
    assert_eq!(settings.auth_method, "http");
    assert_eq!(settings.auth_address.as_deref(), Some("http://127.0.0.1:8080/auth"));
    assert!(settings.hooks);
}
