//! The MediaMTX adapter with a control API that misbehaves in every known way: a snapshot is complete, or an error.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use streamward::domain::media_server::{ObservedSource, Relay, SourceId, SourceKind};
use streamward::domain::path::{IngestPath, StreamPath};
use streamward::domain::secret::{KeySecret, Secret};
use streamward::ports::{MediaServer as _, RelayRemoval, RemoteError, ServerInfo};
use tokio::time::Instant;

use crate::control_api::{ControlApi, Received, Reply};

fn info() -> Reply {
    Reply::ok(json!({"version": "v1.20.1", "started": "2026-11-20T12:29:12.715Z"}))
}

fn item(name: &str, kind: &str, id: &str) -> Value {
    json!({"name": name, "confName": "all_others", "ready": true, "available": true, "online": true,
        "source": {"type": kind, "id": id}, "tracks": ["H264"], "readers": [], "inboundBytes": 1})
}

fn list(items: &[Value]) -> Reply {
    Reply::ok(json!({"itemCount": items.len(), "pageCount": items.len().min(1), "items": items}))
}

/// The number after `page=`.
fn page_of(received: &Received) -> usize {
    received.line.rsplit_once("page=").expect("a page number").1.parse().expect("a number")
}

/// A server that always returns pages of 100, as a future version might.
fn paged(total: usize) -> impl Fn(&Received) -> Reply {
    move |received| {
        let from = page_of(received) * 100;
        let items: Vec<Value> = (from..total.min(from + 100))
            .map(|n| item(&format!("live/p{n:04}"), "rtmpConn", &format!("c{n}")))
            .collect();
        Reply::ok(json!({"itemCount": total, "pageCount": total.div_ceil(100), "items": items}))
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
async fn five_thousand_paths_on_fifty_pages_are_read() {
    let pages = paged(5_000);
    let server =
        ControlApi::start(move |a| if a.line.contains("/v3/info") { info() } else { pages(a) }).await;
    let started = Instant::now();
    let seen = server.client().snapshot().await.expect("complete");
    assert_eq!(seen.paths.len(), 5_000);
    assert_eq!(seen.version.as_deref(), Some("v1.20.1"));
    assert_eq!(seen.run.as_deref(), Some("2026-11-20T12:29:12.715Z"));
    assert_eq!(server.received().len(), 51);
    assert!(server.received().iter().all(|a| a.authorization.as_deref() == Some("Bearer control-secret")));
    assert!(started.elapsed() < Duration::from_secs(3), "took {:?}", started.elapsed());
}

#[tokio::test]
async fn inconsistent_pages_are_read_once_more() {
    // A path ends during the first reading, so another path is missing or listed twice.
    for becomes_consistent in [true, false] {
        let readings = AtomicUsize::new(0);
        let server = ControlApi::start(move |received| {
            if received.line.contains("/v3/info") {
                return info();
            }
            let page = page_of(received);
            let reading = if page == 0 { readings.fetch_add(1, Ordering::SeqCst) } else { 1 };
            let total = if page == 0 && (reading == 0 || !becomes_consistent) { 201 } else { 200 };
            paged(total)(received)
        })
        .await;
        let seen = server.client().snapshot().await;
        if becomes_consistent {
            assert_eq!(seen.expect("the second reading is consistent").paths.len(), 200);
        } else {
            assert!(matches!(seen, Err(RemoteError::Malformed(_))), "{seen:?}");
        }
    }
}

#[tokio::test]
async fn list_with_duplicates_or_gaps_is_an_error() {
    let one = item("live/a", "rtmpConn", "1");
    for (what, page) in [
        ("duplicates", json!({"itemCount": 2, "pageCount": 1, "items": [one, one]})),
        ("gaps", json!({"itemCount": 2, "pageCount": 1, "items": [one]})),
        ("no items", json!({"itemCount": 1, "pageCount": 1})),
        ("no counts", json!({"items": [one]})),
        ("too many pages", json!({"itemCount": 1, "pageCount": 1_000_000_000, "items": [one]})),
        ("not a list", json!("oops")),
    ] {
        let server =
            ControlApi::start(
                move |a| {
                    if a.line.contains("/v3/info") { info() } else { Reply::ok(page.clone()) }
                },
            )
            .await;
        let seen = server.client().snapshot().await;
        assert!(matches!(seen, Err(RemoteError::Malformed(_))), "{what}: {seen:?}");
    }
}

#[tokio::test]
async fn failed_and_incomplete_answers_are_errors() {
    let status =
        |e: &RemoteError| matches!(e, RemoteError::Status { status: 500, message } if message == "boom");
    type Expected = fn(&RemoteError) -> bool;
    let cases: [(fn() -> Reply, Expected); 4] = [
        (|| Reply::error(500, "boom"), status),
        (
            || Reply::Truncated(r#"{"itemCount":1,"pageCount":1,"items":["#),
            |e| matches!(e, RemoteError::Malformed(_)),
        ),
        (|| Reply::Text(200, "<html>"), |e| matches!(e, RemoteError::Malformed(_))),
        (|| Reply::error(401, "authentication error"), |e| *e == RemoteError::NotLetIn),
    ];
    for (answer, expected) in cases {
        let server =
            ControlApi::start(move |a| if a.line.contains("/v3/info") { info() } else { answer() }).await;
        let error = server.client().snapshot().await.expect_err("an error");
        assert!(expected(&error), "{error:?}");
    }
}

#[tokio::test]
async fn item_that_cannot_be_read_is_left_out_and_the_others_are_read() {
    let odd = |change: Value| {
        let mut item = item("live/odd", "rtmpConn", "c2");
        item.as_object_mut().expect("an object").extend(change.as_object().expect("an object").clone());
        item
    };
    let named = Some(IngestPath::from_media_server("live/odd"));
    for (item, name) in [
        (odd(json!({"source": {"type": "rtmpConn", "id": null}})), &named),
        (odd(json!({"source": {"type": 5, "id": "c2"}})), &named),
        (odd(json!({"source": "rtmpConn"})), &named),
        (odd(json!({"online": "yes"})), &named),
        (odd(json!({"online": null, "available": null, "ready": null})), &named),
        (odd(json!({"readers": 5})), &named),
        (odd(json!({"tracks": [1]})), &named),
        (odd(json!({"tracks2": [{"codec": null}]})), &named),
        (odd(json!({"inboundBytes": -1})), &named),
        (odd(json!({"name": null})), &None),
        (json!("live/odd"), &None),
        (json!(null), &None),
    ] {
        let listed = [self::item("live/x", "rtmpConn", "c1"), item.clone()];
        let server =
            ControlApi::start(move |a| if a.line.contains("/v3/info") { info() } else { list(&listed) })
                .await;
        let seen = server.client().snapshot().await.unwrap_or_else(|error| panic!("{item}: {error}"));
        assert_eq!(seen.paths.len(), 1, "{item}");
        assert_eq!(&seen.unreadable, std::slice::from_ref(name), "{item}");
    }
}

#[tokio::test]
async fn slow_answer_times_out() {
    let late = || Reply::Late(Duration::from_secs(30), Box::new(list(&[])));
    let server = ControlApi::start(move |a| if a.line.contains("/v3/info") { info() } else { late() }).await;
    let started = Instant::now();
    assert_eq!(server.client().snapshot().await, Err(RemoteError::TimedOut));
    assert!(started.elapsed() < Duration::from_secs(4));
}

#[tokio::test]
async fn poll_with_slow_pages_times_out() {
    let pages = paged(1_000);
    let server = ControlApi::start(move |a| {
        if a.line.contains("/v3/info") {
            info()
        } else {
            Reply::Late(Duration::from_secs(1), Box::new(pages(a)))
        }
    })
    .await;
    let started = Instant::now();
    assert_eq!(server.client().snapshot().await, Err(RemoteError::TimedOut));
    assert!(started.elapsed() < Duration::from_secs(6));
}

#[tokio::test]
async fn missing_media_server_is_unreachable() {
    let address = ControlApi::start(|_| info()).await.client();
    let error = address.snapshot().await.expect_err("an error");
    assert!(matches!(error, RemoteError::Unreachable(_)), "{error:?}");
    assert!(!error.to_string().contains("http"), "{error}");
}

#[tokio::test]
async fn before_1_15_3_the_process_start_is_unknown() {
    let server = ControlApi::start(|received| {
        if received.line.contains("/v3/info") {
            Reply::no_route()
        } else {
            list(&[item("a", "rtmpConn", "1")])
        }
    })
    .await;
    assert_eq!(server.client().info().await, Ok(ServerInfo::default()));
    let seen = server.client().snapshot().await.expect("complete");
    assert_eq!((seen.version, seen.run, seen.paths.len()), (None, None, 1));
}

#[tokio::test]
async fn before_1_19_3_rtsp_publishers_are_matched_by_connection() {
    for (version, lists_connections) in
        [("v1.15.4", true), ("v1.19.2", true), ("v1.19.3", false), ("v1.20.1", false)]
    {
        let server = ControlApi::start(move |received| match received.line.as_str() {
            line if line.contains("/v3/info") => Reply::ok(json!({"version": version, "started": "t"})),
            line if line.contains("/v3/paths/list") => {
                list(&[item("live/a", "rtspSession", "s1"), item("live/b", "rtmpConn", "r1")])
            }
            line if line.contains("/v3/rtspconns/list") => list(&[
                json!({"id": "c1", "session": "s1"}),
                json!({"id": "c2", "session": null}),
                json!({"id": "c3", "session": "s3"}),
            ]),
            _ => Reply::no_route(),
        })
        .await;
        let seen = server.client().snapshot().await.expect("complete");
        let source = seen.paths[0].source.as_ref().expect("a source");
        assert_eq!(source.is(&SourceId::parse("c1").expect("an id")), lists_connections, "{version}");
        assert_eq!(
            server.requests().iter().any(|line| line.contains("rtspconns")),
            lists_connections,
            "{version}"
        );
    }
}

#[tokio::test]
async fn every_kind_of_session_is_ended_by_its_own_endpoint() {
    let server = ControlApi::start(|_| Reply::empty()).await;
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
        client.disconnect(&source(kind, "188d-9bad")).await.expect("accepted");
        assert_eq!(server.requests().pop(), Some(format!("POST /v3/{list}/kick/188d-9bad")));
    }
    client.disconnect(&source("rtmpConn", "../x y")).await.expect("accepted");
    assert_eq!(server.requests().pop().as_deref(), Some("POST /v3/rtmpconns/kick/..%2Fx%20y"));
    for (kind, id) in [("rtspSource", "1"), ("newConn", "1"), ("rtmpConn", "")] {
        let result = client.disconnect(&source(kind, id)).await;
        assert!(matches!(result, Err(RemoteError::Unsupported(_))), "{kind}: {result:?}");
    }
}

#[tokio::test]
async fn ending_a_missing_session_succeeds() {
    for gone in [|| Reply::error(404, "connection not found"), || Reply::no_route()] {
        let server = ControlApi::start(move |_| gone()).await;
        assert_eq!(server.client().disconnect(&source("srtConn", "1")).await, Ok(()));
    }
    let server = ControlApi::start(|_| Reply::error(500, "boom")).await;
    let result = server.client().disconnect(&source("srtConn", "1")).await;
    assert!(matches!(result, Err(RemoteError::Status { status: 500, .. })), "{result:?}");
}

fn relay() -> (Relay, String) {
    let key = KeySecret::from_random([5; 32]).expose().to_owned();
    let IngestPath::Private(private) = IngestPath::from_media_server(&format!("live/{key}")) else {
        unreachable!("a path with a key is private")
    };
    (Relay { public: StreamPath::parse("live/alice").expect("a path"), private }, key)
}

/// A media server whose path `live/alice` has `existing` as its source, if any.
fn configured(existing: Option<String>) -> impl Fn(&Received) -> Reply {
    move |received| match received.line.as_str() {
        "GET /v3/config/global/get" => Reply::ok(json!({"rtsp": true, "rtspAddress": ":8554",
            "rtspTransports": ["tcp"], "rtspEncryption": "no", "authHTTPAddress": "http://u:p@h/auth"})),
        "POST /v3/config/paths/add/live/alice" if existing.is_none() => Reply::empty(),
        "POST /v3/config/paths/add/live/alice" => Reply::Json(400, json!({"error": "path already exists"})),
        "GET /v3/config/paths/get/live/alice" => match &existing {
            Some(source) => Reply::ok(json!({"name": "live/alice", "source": source})),
            None => Reply::error(404, "path configuration not found"),
        },
        "POST /v3/config/paths/replace/live/alice" | "DELETE /v3/config/paths/delete/live/alice" => {
            Reply::empty()
        }
        _ => Reply::error(500, "unexpected request"),
    }
}

#[tokio::test]
async fn relay_is_added_once_and_never_replaces_an_operators_path() {
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
        let received = server.received();
        assert_eq!(received.last().expect("a request").line, last);
        if refused {
            let why = put.expect_err("a refusal").to_string();
            assert!(why.contains("live/alice has a configuration entry of the operator"), "{why}");
        } else {
            put.expect("it is added");
            let add = received.iter().find(|a| a.line.contains("/add/")).expect("a request to add");
            assert_eq!(
                add.body,
                json!({"source": ours, "sourceOnDemand": true, "sourceOnDemandStartTimeout": "5s", "rtspTransport": "tcp"})
            );
        }
    }
}

#[tokio::test]
async fn only_our_own_relay_is_removed() {
    let (relay, key) = relay();
    for (existing, removal, requests) in [
        (None, RelayRemoval::Gone, 1),
        (Some(format!("rtsp://streamward:x@127.0.0.1:8554/live/{key}")), RelayRemoval::Gone, 2),
        (Some("publisher".to_owned()), RelayRemoval::NotOurs, 1),
    ] {
        let server = ControlApi::start(configured(existing)).await;
        assert_eq!(server.client().remove_relay(&relay.public).await, Ok(removal));
        assert_eq!(server.received().len(), requests);
    }
}

#[tokio::test]
async fn private_path_is_masked_in_errors() {
    let (relay, key) = relay();
    let leak = format!("no stream is available on path 'live/{key}'");
    let server = ControlApi::start(move |_| Reply::error(500, &leak)).await;
    let error = server.client().ensure_relay(&relay, &Secret::new("s")).await.expect_err("an error");
    assert!(error.to_string().contains("live/sk_***"), "{error}");
}

#[tokio::test]
async fn settings_for_doctor_contain_no_secret() {
    let server = ControlApi::start(|received| match received.line.as_str() {
        "GET /v3/config/global/get" => {
            Reply::ok(json!({"rtsp": true, "rtspAddress": ":8554", "authMethod": "http",
            "authHTTPAddress": "http://streamward:hunter2@127.0.0.1:8080/auth?server=default"}))
        }
        _ => Reply::ok(
            json!({"runOnReady": "streamward hook ready", "runOnNotReady": "streamward hook not-ready"}),
        ),
    })
    .await;
    let settings = server.client().settings().await.expect("accepted");
    assert_eq!(settings.auth_method, "http");
    assert_eq!(settings.auth_address.as_deref(), Some("http://127.0.0.1:8080/auth"));
    assert!(settings.hooks);
}
