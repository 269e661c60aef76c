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
