//! Streams, keys and broadcasters in the documented form, and their lists.

use rstest_reuse::apply;
use serde_json::{Value, json};

use crate::harness::{Engine, TestApp, every_engine};

fn fields(value: &Value) -> Vec<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}

fn ids(list: &Value) -> Vec<String> {
    let streams = list["streams"].as_array().expect("streams");
    streams.iter().map(|stream| stream["id"].as_str().expect("an id").to_owned()).collect()
}

#[tokio::test]
async fn stream_has_exactly_the_documented_fields() {
    let app = TestApp::memory().await;
    let key = app.key("live/alice").await;
    let live = app.live(&key, "c1").await;
    assert_eq!(
        fields(&live),
        [
            "broadcaster_id",
            "broadcaster_name",
            "id",
            "inbound_bytes",
            "media_server",
            "metadata",
            "organization_id",
            "path",
            "readers",
            "source_id",
            "source_type",
            "started_at",
            "status",
            "stream_key_id",
            "tracks",
            "urls",
        ]
    );
    assert_eq!(live["status"], "active");
    assert_eq!(live["metadata"], json!({"team": "blue"}));
    assert_eq!(live["source_type"], "rtmpConn");
    assert_eq!(live["tracks"], json!(["H264"]));
    assert_eq!(
        live["urls"],
        json!({
            "hls": "http://default.test:8888/live/alice/index.m3u8",
            "webrtc": "http://default.test:8889/live/alice",
            "rtmp": "rtmp://default.test:1935/live/alice",
            "rtsp": "rtsp://default.test:8554/live/alice",
            "srt": "srt://default.test:8890?streamid=read:live/alice",
        })
    );
    app.media().leave("live/alice");
    let ended = app.ended(&live["id"]).await;
    for field in ["ended_at", "end_reason"] {
        assert!(ended[field].is_string(), "{field}");
    }
    assert_eq!(ended["urls"], live["urls"]);
}

#[tokio::test]
async fn stream_key_has_exactly_the_documented_fields() {
    let app = TestApp::memory().await;
    let broadcaster = app.broadcaster("Rescue Team 7!").await;
    let draft = json!({"broadcaster_id": broadcaster});
    let made = app.as_admin().post("/stream-keys").json(draft.clone()).shown_once().await.assert_status(201);
    assert_eq!(made.header("location"), format!("/stream-keys/{}", made.text("/id")));
    assert_eq!(
        fields(&made.json()),
        [
            "broadcaster_id",
            "created_at",
            "id",
            "in_use",
            "ingest",
            "key_prefix",
            "key_value",
            "on_conflict",
            "organization_id",
            "path",
            "status",
            "urls",
        ]
    );
    let secret = made.text("/key_value");
    assert!(secret.len() == 46 && secret.starts_with(&made.text("/key_prefix")));
    assert_eq!(made.text("/path"), "live/rescue-team-7");
    let mut ingest = made.json()["ingest"].clone();
    let by_server = ingest.as_object_mut().expect("an object").remove("by_media_server");
    assert_eq!(by_server.expect("there are several")["default"], ingest);
    assert_eq!(
        ingest,
        json!({
            "obs": {"server": "rtmp://default.test:1935/live", "stream_key": format!("rescue-team-7?key={secret}")},
            "rtmp": format!("rtmp://default.test:1935/live/rescue-team-7?key={secret}"),
            "rtmp_secret_path": format!("rtmp://default.test:1935/{secret}"),
            "srt": format!("srt://default.test:8890?streamid=publish:live/rescue-team-7:key:{secret}&pkt_size=1316"),
            "rtsp": format!("rtsp://key:{secret}@default.test:8554/live/rescue-team-7"),
            "whip": "http://default.test:8889/live/rescue-team-7/whip",
        })
    );
    let shown = app.as_viewer().get(&made.header("location")).await.assert_status(200);
    let expected = [
        "broadcaster_id",
        "created_at",
        "id",
        "in_use",
        "key_prefix",
        "on_conflict",
        "organization_id",
        "path",
        "status",
    ];
    assert_eq!(fields(&shown.json()), expected);
    let list = app.as_viewer().get("/stream-keys").await.json();
    assert_eq!(list, json!({"stream_keys": [shown.json()], "count": 1}));
    // The path is taken, so the next key without a path gets another one.
    let second = app.as_admin().post("/stream-keys").json(draft).shown_once().await.assert_status(201);
    assert_ne!(second.text("/path"), made.text("/path"));
}

#[apply(every_engine)]
#[tokio::test]
async fn path_belongs_to_one_usable_key(#[case] engine: Engine) {
    let app = TestApp::on(engine).await;
    let key = app.key("live/alice").await;
    let draft = json!({"broadcaster_id": key.broadcaster, "path": "live/alice", "label": "spare"});
    let create = || app.as_admin().post("/stream-keys").json(draft.clone()).shown_once();
    let taken = create().await.assert_status(409).assert_problem("path-taken");
    assert!(taken.text("/detail").contains("live/alice"));
    app.as_admin().delete(&format!("/stream-keys/{}", key.id)).await.assert_status(204);
    let made = create().await.assert_status(201);
    assert_eq!(made.text("/label"), "spare");
    let list = app.as_viewer().get("/stream-keys?path=live/alice").await.json();
    assert_eq!(list["count"], 2);
    let unknown = json!({"broadcaster_id": key.id});
    app.as_admin().post("/stream-keys").json(unknown).await.assert_status(404).assert_problem("not-found");
}

#[apply(every_engine)]
#[tokio::test]
async fn broadcasters_are_created_updated_and_listed(#[case] engine: Engine) {
    let app = TestApp::on(engine).await;
    let draft = json!({"display_name": "Alice", "metadata": {"b": [1, null, {"c": "ä"}], "a": 1.5}});
    let made = app.as_admin().post("/broadcasters").json(draft.clone()).await.assert_status(201);
    let path = made.header("location");
    assert_eq!(made.json()["metadata"], draft["metadata"]);
    assert_eq!(made.json()["created_at"], made.json()["updated_at"]);
    let patch = |body: Value| app.as_admin().patch(&path).json(body);
    let renamed = patch(json!({"display_name": "Bob"})).await.assert_status(200).json();
    assert_eq!((&renamed["display_name"], &renamed["metadata"]), (&json!("Bob"), &draft["metadata"]));
    let emptied = patch(json!({"metadata": {}})).await.assert_status(200).json();
    assert_eq!((&emptied["display_name"], &emptied["metadata"]), (&json!("Bob"), &json!({})));
    let same = patch(json!({})).await.assert_status(200).json();
    assert_eq!(same["display_name"], "Bob");
    assert_eq!(app.as_viewer().get(&path).await.json(), same);
    app.broadcaster("Carol").await;
    let list = app.as_viewer().get("/broadcasters").await.json();
    assert_eq!((&list["count"], &list["broadcasters"][0]["display_name"]), (&json!(2), &json!("Carol")));
}

#[apply(every_engine)]
#[tokio::test]
async fn streams_are_filtered_and_paged_in_a_stable_order(#[case] engine: Engine) {
    let app = TestApp::on(engine).await;
    let mut keys = Vec::new();
    for name in ["a", "b", "c", "d", "e"] {
        let key = app.key(&format!("live/{name}")).await;
        app.live(&key, name).await;
        keys.push(key);
    }
    app.media().leave("live/a");
    let get = |query: &str| app.as_viewer().get(&format!("/streams{query}"));
    let ended = |list: crate::harness::Answer| Some(list.json()).filter(|list| list["count"] == 1);
    let ended = app.until(|| get("?status=ended"), ended).await;
    assert_eq!(ended["streams"][0]["path"], "live/a");
    let active = get("").await.json();
    let paths: Vec<&Value> =
        active["streams"].as_array().expect("a list").iter().map(|s| &s["path"]).collect();
    assert_eq!(paths, ["live/e", "live/d", "live/c", "live/b"]);
    assert_eq!(get("?status=active").await.json(), active);
    assert_eq!(active.get("next_cursor"), None);
    let all = get("?status=all").await.json();
    assert_eq!(all["count"], 5);
    assert_eq!(get("?path=live/c").await.json()["streams"][0]["path"], "live/c");
    let of = get(&format!("?broadcaster_id={}", keys[1].broadcaster)).await.json();
    assert_eq!(of["streams"][0]["path"], "live/b");
    assert_eq!(get("?media_server=eu").await.json()["count"], 0);

    let mut pages = Vec::new();
    let mut query = "?status=all&limit=2".to_owned();
    loop {
        let page = get(&query).await.assert_status(200).json();
        pages.push(ids(&page));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        query = format!("?status=all&limit=2&cursor={cursor}");
    }
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2, 1]);
    assert_eq!(pages.concat(), ids(&all));
    let exact = get("?status=all&limit=5").await.json();
    assert_eq!(exact.get("next_cursor"), None, "there is no next page");
    let cursor = get("?status=all&limit=2").await.text("/next_cursor");
    assert_eq!(ids(&get(&format!("?status=all&cursor={cursor}")).await.json()).len(), 3);
}

#[apply(every_engine)]
#[tokio::test]
async fn what_a_stream_carries_is_kept_for_charts(#[case] engine: Engine) {
    let app = TestApp::on(engine).await;
    let key = app.key("live/alice").await;
    let stream = app.live(&key, "c1").await;
    app.media().watched_by("live/alice", 3);
    let path = format!("/streams/{}/samples", stream["id"].as_str().expect("an id"));
    let own = format!("/streams/{}", stream["id"].as_str().expect("an id"));
    app.until(|| app.as_viewer().get(&own), |answer| (answer.json()["readers"] == 3).then_some(())).await;
    // The next sample is due.
    app.clock.advance(std::time::Duration::from_secs(10));
    let get = || app.as_viewer().get(&path);
    let watched = |sample: &Value| sample["readers"] == 3;
    let history = app
        .until(get, |answer| {
            let history = answer.assert_status(200).json();
            history["samples"].as_array()?.iter().any(watched).then_some(history)
        })
        .await;
    assert_eq!((&history["stream_id"], &history["step"]), (&stream["id"], &json!(20)));
    let samples = history["samples"].as_array().expect("samples");
    assert!(samples.iter().all(|sample| sample["at"].is_string() && sample["inbound_bitrate"] != json!(0)));
    let day = "from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z";
    let empty = app.as_viewer().get(&format!("{path}?{day}")).await.assert_status(200).json();
    assert_eq!((&empty["samples"], &empty["step"]), (&json!([]), &json!(440)));
    app.as_viewer().get(&format!("{path}?{day}&step=60")).await.assert_refuses(&["step"]);
    app.as_viewer().get(&format!("{path}?step=9")).await.assert_refuses(&["step"]);
    app.as_viewer()
        .get(&format!("{path}?to=2026-01-01T00:00:00Z&from=2026-01-02T00:00:00Z"))
        .await
        .assert_refuses(&["from"]);
    app.as_viewer().get(&format!("{path}?from=yesterday")).await.assert_refuses(&["from"]);
    let nothing = "/streams/01890000-0000-7000-8000-000000000000/samples";
    app.as_viewer().get(nothing).await.assert_status(404);
}

#[apply(every_engine)]
#[tokio::test]
async fn explanation_follows_a_path_from_no_key_to_on_air_and_off_again(#[case] engine: Engine) {
    let app = TestApp::on(engine).await;
    let explain = || app.as_operator().get("/explain?path=live/alice");
    let says = |told: &Value, text: &str| told["sentences"].to_string().contains(text);
    let told = explain().await.assert_status(200).json();
    assert_eq!((&told["path"], &told["on_air"]), (&json!("live/alice"), &json!(false)));
    assert!(says(&told, "There is no stream key for live/alice"), "{told}");
    assert_eq!(told["next"], "Create a stream key for live/alice.");
    app.key("live/alcie").await;
    let told = explain().await.assert_status(200).json();
    assert!(
        told["next"].as_str().is_some_and(|next| next.contains("There is a key for live/alcie")),
        "{told}"
    );

    let key = app.key("live/alice").await;
    let publish = json!({"action": "publish", "path": "live/alice", "protocol": "rtmp", "id": "x", "ip": "192.0.2.7",
                         "query": format!("key=sk_{}", "a".repeat(43))});
    app.auth(publish).await.assert_status(401);
    let told = app
        .until(explain, |answer| {
            let told = answer.json();
            told["sentences"].to_string().contains("192.0.2.7 was refused").then_some(told)
        })
        .await;
    assert!(says(&told, "can be used") && says(&told, "unknown key"), "{told}");
    assert!(told["next"].as_str().is_some_and(|next| next.contains("Give the encoder the key")), "{told}");

    app.live(&key, "c1").await;
    let told = explain().await.assert_status(200).json();
    assert_eq!((&told["on_air"], told.get("next")), (&json!(true), None), "{told}");
    assert!(says(&told, "has been live on default") && says(&told, "It carries H264"), "{told}");
    assert!(!says(&told, "refused"), "the broadcast has settled it: {told}");

    app.media().set_unreachable(true);
    let told = app.until(explain, |answer| Some(answer.json()).filter(|told| told["on_air"] == false)).await;
    assert!(says(&told, "has not answered since"), "{told}");
    app.as_operator().get("/explain").await.assert_refuses(&["path"]);
    app.as_operator().get("/explain?path=a//b").await.assert_refuses(&["path"]);
    app.as_viewer().get("/explain?path=live/alice").await.assert_status(403);
}
