//! Who may watch: everybody, or who has a playback token.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rstest_reuse::apply;
use serde_json::{Value, json};
use streamward::domain::access::Role;
use streamward::domain::playback::PlaybackAccess;

use crate::harness::{Answer, Call, Engine, RELAY_SECRET, Setup, TestApp, every_engine};
use crate::organizations::{OWNER, app as two_organizations, member};

/// A new token: its id and itself.
async fn token(app: &TestApp, draft: Value) -> (String, String) {
    let made = app.as_operator().post("/playback-tokens").json(draft).shown_once().await.assert_status(201);
    (made.text("/id"), made.text("/token"))
}

/// A reader asks with this query.
fn read(app: &TestApp, path: &str, query: &str, id: &str) -> Call {
    app.auth(json!({"action": "read", "path": path, "protocol": "hls", "query": query, "id": id, "ip": "192.0.2.7"}))
}

/// An installation where a token is needed everywhere.
async fn closed(engine: Engine) -> TestApp {
    let configure = |config: &mut streamward::runtime::config::Config| {
        config.playback.access = PlaybackAccess::Token;
    };
    TestApp::with(engine, Setup { configure, ..Setup::default() }).await
}

/// Waits until a reader is let in, or is not.
async fn becomes(app: &TestApp, status: u16, call: impl Fn(&TestApp) -> Call) {
    app.until(|| call(app), |answer: Answer| (answer.status.as_u16() == status).then_some(())).await;
}

#[apply(every_engine)]
#[tokio::test]
async fn token_opens_its_paths_from_every_place_that_may_have_one(#[case] engine: Engine) {
    let app = closed(engine).await;
    let draft = json!({"paths": ["live/alice", "events/*"], "ttl_seconds": 60});
    let (_, token) = token(&app, draft).await;
    for request in [
        json!({"token": token}),
        json!({"password": token, "user": "jwt"}),
        json!({"query": format!("token={token}")}),
        json!({"query": format!("a=1&jwt={token}")}),
    ] {
        for (action, path, status) in [
            ("read", "live/alice", 200),
            ("playback", "live/alice", 200),
            ("read", "events/one/two", 200),
            ("read", "live/bob", 401),
            ("read", "events", 401),
            ("publish", "live/alice", 401),
            ("api", "", 401),
        ] {
            let mut asked = json!({"action": action, "path": path, "protocol": "rtmp"});
            asked.as_object_mut().unwrap().extend(request.as_object().unwrap().clone());
            app.auth(asked).await.assert_status(status);
        }
    }
    let own = format!("user=streamward&pass={RELAY_SECRET}");
    read(&app, "live/alice", &own, "").await.assert_status(200);
    app.auth(json!({"action": "read", "path": "live/alice", "password": RELAY_SECRET}))
        .await
        .assert_status(200);
    let key = app.key("live/alice").await;
    let private = json!({"action": "read", "path": key.secret, "token": token});
    app.auth(private).await.assert_status(401);
}

#[tokio::test]
async fn refusal_names_its_cause_and_is_listed_once() {
    let app = closed(Engine::Memory).await;
    let near = json!({"paths": ["live/alice"], "ttl_seconds": 60, "address": "198.51.100.0/24"});
    let (_, elsewhere) = token(&app, near).await;
    let (id, gone) = token(&app, json!({"paths": ["live/alice"], "ttl_seconds": 60})).await;
    app.as_operator().delete(&format!("/playback-tokens/{id}")).await.assert_status(204);
    let (_, other) = token(&app, json!({"paths": ["live/bob"], "ttl_seconds": 60})).await;
    let (_, old) = token(&app, json!({"paths": ["live/alice"], "ttl_seconds": 1})).await;
    app.clock.advance(Duration::from_secs(2));
    let forged = format!("{}x", other.get(..other.len() - 1).unwrap());
    let rows = [
        ("no_playback_token", String::new(), "A playback token is needed"),
        ("playback_token_invalid", "token=hunter2".to_owned(), "no playback token of this installation"),
        ("playback_token_invalid", format!("token={forged}"), "no playback token of this installation"),
        ("playback_token_expired", format!("token={old}"), "has expired"),
        ("playback_token_revoked", format!("token={gone}"), "was revoked"),
        ("playback_token_wrong_path", format!("token={other}"), "for other paths"),
        ("playback_token_wrong_address", format!("token={elsewhere}"), "another address"),
    ];
    for (_, query, word) in &rows {
        for n in 0..20 {
            let answer = read(&app, "live/alice", query, &format!("c{n}")).await.assert_status(401);
            let answer = answer.assert_problem("denied");
            assert!(answer.text("/detail").contains(word), "{word}: {answer:?}");
        }
    }
    let listed = app.until(
        || app.as_operator().get("/auth-failures"),
        |answer| {
            let rows = answer.json()["auth_failures"].as_array().cloned()?;
            let count: u64 = rows.iter().filter_map(|row| row["count"].as_u64()).sum();
            (count >= 140).then_some(rows)
        },
    );
    let listed = listed.await;
    assert_eq!(listed.len(), 6, "one row for each cause: {listed:?}");
    for (cause, ..) in rows {
        let row = listed.iter().find(|row| row["cause"] == cause).unwrap();
        assert_eq!((&row["path"], &row["ip_address"]), (&json!("live/alice"), &json!("192.0.2.7")));
    }
    // RTSP asks without credentials first: no attempt.
    app.auth(json!({"action": "read", "path": "live/alice", "protocol": "rtsp"})).await.assert_status(401);
    assert!(!json!(listed).to_string().contains("no_credentials"));
}

#[apply(every_engine)]
#[tokio::test]
async fn many_questions_of_hls_cost_no_statement(#[case] engine: Engine) {
    let app = closed(engine).await;
    let draft = json!({"paths": ["live/*"], "ttl_seconds": 600, "max_sessions": 1});
    let (_, token) = token(&app, draft).await;
    let query = format!("token={token}");
    read(&app, "live/alice", &query, "").await.assert_status(200);
    if let Some(db) = &app.db {
        db.close().await;
    }
    for _ in 0..500 {
        read(&app, "live/alice", &query, "").await.assert_status(200);
        read(&app, "live/alice", "token=eyJx.y.z", "").await.assert_status(401);
    }
}

#[apply(every_engine)]
#[tokio::test]
async fn stream_key_says_who_may_watch_its_path_on_every_instance_at_once(#[case] engine: Engine) {
    let one = TestApp::on(engine).await;
    let two = one.another().await;
    let key = one.key_with(json!({"path": "live/alice", "playback_access": "token"})).await;
    for app in [&one, &two] {
        becomes(app, 401, |app| read(app, "live/alice", "", "")).await;
        read(app, "live/bob", "", "").await.assert_status(200);
    }
    let shown = one.as_viewer().get(&format!("/stream-keys/{}", key.id)).await;
    assert_eq!(shown.json()["playback_access"], "token");
    let change = |access: &str| {
        let change = json!({"playback_access": access});
        one.as_admin().patch(&format!("/stream-keys/{}", key.id)).json(change)
    };
    assert_eq!(change("public").await.assert_status(200).json()["playback_access"], "public");
    for app in [&one, &two] {
        becomes(app, 200, |app| read(app, "live/alice", "", "")).await;
    }
    change("token").await.assert_status(200);
    becomes(&two, 401, |app| read(app, "live/alice", "", "")).await;
    one.as_admin().delete(&format!("/stream-keys/{}", key.id)).await.assert_status(204);
    change("public").await.assert_problem("key-not-usable");
    tokio::time::sleep(Duration::from_millis(200)).await;
    read(&two, "live/alice", "", "").await.assert_status(401);
    change("anyone").await.assert_refuses(&["playback_access"]);
}

#[apply(every_engine)]
#[tokio::test]
async fn revoked_tokens_are_refused_on_every_instance_and_their_sessions_end(#[case] engine: Engine) {
    let one = closed(engine).await;
    let two = one.another().await;
    let mut made = Vec::new();
    for paths in [json!(["live/alice"]), json!(["live/*"]), json!(["live/bob"])] {
        made.push(token(&one, json!({"paths": paths, "ttl_seconds": 600})).await);
    }
    let queries: Vec<String> = made.iter().map(|(_, token)| format!("token={token}")).collect();
    for (n, path) in ["live/alice", "live/carol", "live/bob"].into_iter().enumerate() {
        becomes(&two, 200, |app| read(app, path, &queries[n], &format!("reader{n}"))).await;
        // The second shows its token only to /auth.
        two.media().reads(&format!("reader{n}"), path, if n == 1 { "" } else { &queries[n] });
    }
    one.as_operator().delete(&format!("/playback-tokens/{}", made[0].0)).await.assert_status(204);
    one.as_operator().delete(&format!("/playback-tokens/{}", made[0].0)).await.assert_status(204);
    read(&one, "live/alice", &queries[0], "").await.assert_status(401);
    becomes(&two, 401, |app| read(app, "live/alice", &queries[0], "")).await;
    let gone = one.as_operator().delete("/playback-tokens?path=live/dave").await.assert_status(200);
    assert_eq!(gone.json(), json!({"revoked": 1}), "of live/*");
    becomes(&two, 401, |app| read(app, "live/carol", &queries[1], "")).await;
    one.until(
        || one.as_viewer().get("/health"),
        |_| (two.media().readers_now() == ["reader2"]).then_some(()),
    )
    .await;
    read(&two, "live/bob", &queries[2], "").await.assert_status(200);
    two.clock.advance(Duration::from_secs(600));
    one.until(|| one.as_viewer().get("/health"), |_| two.media().readers_now().is_empty().then_some(()))
        .await;
    let statuses = one.as_operator().get("/playback-tokens").await.assert_status(200).json();
    let statuses: Vec<&Value> =
        statuses["playback_tokens"].as_array().unwrap().iter().map(|t| &t["status"]).collect();
    assert_eq!(statuses, ["expired", "revoked", "revoked"]);
    let audited = one.audit("resource_type=playback_token").await;
    let actions: Vec<&Value> = audited.iter().map(|entry| &entry["action"]).collect();
    assert_eq!(actions, ["delete", "delete", "create", "create", "create"]);
    for refused in ["/playback-tokens", "/playback-tokens?path=", "/playback-tokens?path=a//b"] {
        one.as_operator().delete(refused).await.assert_refuses(&["path"]);
    }
}

#[tokio::test]
async fn session_that_another_instance_let_in_ends_if_it_shows_its_token() {
    let mut app = closed(Engine::Memory).await;
    let (_, token) = token(&app, json!({"paths": ["live/alice"], "ttl_seconds": 60})).await;
    app.media().reads("reader", "live/alice", &format!("token={token}"));
    app.media().reads("stranger", "live/alice", "a=1");
    app.restart().await;
    app.clock.advance(Duration::from_secs(60));
    app.until(
        || app.as_viewer().get("/health"),
        |_| (app.media().readers_now() == ["stranger"]).then_some(()),
    )
    .await;
}

#[tokio::test]
async fn token_has_as_many_sessions_as_it_allows() {
    let app = closed(Engine::Memory).await;
    let draft = json!({"paths": ["live/alice"], "ttl_seconds": 600, "max_sessions": 2});
    let (_, token) = token(&app, draft).await;
    let query = format!("token={token}");
    for id in ["a", "b", "a", "b"] {
        read(&app, "live/alice", &query, id).await.assert_status(200);
        app.media().stops_reading(id);
        app.media().reads(id, "live/alice", &query);
    }
    let refused = read(&app, "live/alice", &query, "c").await.assert_status(401);
    assert!(refused.text("/detail").contains("as often as it allows"), "{refused:?}");
    // They are seen there, so they count for longer than a claim.
    app.until(|| app.as_viewer().get("/health"), |_| Some(())).await;
    app.media().stops_reading("a");
    tokio::time::sleep(Duration::from_secs(3)).await;
    app.clock.advance(Duration::from_secs(15));
    becomes(&app, 200, |app| read(app, "live/alice", &query, "c")).await;
    read(&app, "live/alice", &query, "d").await.assert_status(401);
}

#[apply(every_engine)]
#[tokio::test]
async fn keys_are_published_and_rotated_with_overlap(#[case] engine: Engine) {
    let app = closed(engine).await;
    let keys = || app.as_nobody().get("/.well-known/jwks.json");
    assert_eq!(keys().await.assert_status(200).json(), json!({"keys": []}));
    let draft = json!({"paths": ["live/alice"], "ttl_seconds": 43_200});
    let (_, first) = token(&app, draft.clone()).await;
    let published = keys().await.assert_status(200);
    assert_eq!(published.header("cache-control"), "public, max-age=300");
    let key = published.json()["keys"][0].clone();
    assert_eq!((&key["kty"], &key["crv"], &key["alg"]), (&json!("OKP"), &json!("Ed25519"), &json!("EdDSA")));
    verify_with_ring(&first, &key);
    app.as_operator().post("/playback-keys/rotate").json(json!({})).await.assert_status(403);
    let made = app.as_admin().post("/playback-keys/rotate").json(json!({})).await.assert_status(200);
    let kid = |token: &str| -> Value {
        let header = URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
        serde_json::from_slice::<Value>(&header).unwrap()["kid"].clone()
    };
    assert_eq!(keys().await.json()["keys"].as_array().unwrap().len(), 2);
    let (_, second) = token(&app, draft.clone()).await;
    assert_eq!(kid(&second), kid(&first), "the new key is published for an hour before it signs");
    app.clock.advance(Duration::from_secs(2 * 3_600));
    let (_, third) = token(&app, draft.clone()).await;
    assert_eq!(kid(&third), made.json()["kid"]);
    for token in [&first, &second, &third] {
        read(&app, "live/alice", &format!("token={token}"), "").await.assert_status(200);
    }
    app.clock.advance(Duration::from_secs(12 * 3_600));
    let one_left = |answer: Answer| (answer.json()["keys"].as_array().map(Vec::len) == Some(1)).then_some(());
    app.until(keys, one_left).await;
    let (_, fourth) = token(&app, draft.clone()).await;
    let at_once = json!({"at_once": true});
    app.as_admin().post("/playback-keys/rotate").json(at_once).await.assert_status(200);
    read(&app, "live/alice", &format!("token={fourth}"), "").await.assert_status(401);
    let (_, fifth) = token(&app, draft).await;
    read(&app, "live/alice", &format!("token={fifth}"), "").await.assert_status(200);
    // It is 30 days old.
    app.clock.advance(Duration::from_secs(30 * 86_400));
    app.until(keys, |answer| (answer.json()["keys"].as_array().map(Vec::len) == Some(2)).then_some(())).await;
}

/// As any other library does it.
fn verify_with_ring(token: &str, key: &Value) {
    let (message, signature) = token.rsplit_once('.').expect("a signature");
    let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).expect("base64url");
    let public = ring::signature::UnparsedPublicKey::new(
        &ring::signature::ED25519,
        decode(key["x"].as_str().expect("a key")),
    );
    public.verify(message.as_bytes(), &decode(signature)).expect("a valid signature");
    let header: Value =
        serde_json::from_slice(&decode(message.split('.').next().expect("a header"))).expect("JSON");
    assert_eq!(header, json!({"alg": "EdDSA", "kid": key["kid"]}));
}

#[tokio::test]
async fn links_have_the_token_and_the_addresses_of_a_stream_do_not() {
    let app = closed(Engine::Memory).await;
    let key = app.key("live/alice").await;
    let stream = app.live(&key, "c1").await;
    // With a second path, the token would be too long for a stream id of SRT.
    let draft = json!({"paths": ["live/alice"], "ttl_seconds": 60});
    let made = app.as_operator().post("/playback-tokens").json(draft).shown_once().await.assert_status(201);
    let (made, token) = (made.json(), made.text("/token"));
    let links = made["links"].as_array().unwrap();
    assert_eq!((links.len(), &links[0]["path"]), (1, &json!("live/alice")));
    for (protocol, url) in [
        ("hls", format!("http://default.test:8888/live/alice/index.m3u8?token={token}")),
        ("webrtc", format!("http://default.test:8889/live/alice?token={token}")),
        ("rtmp", format!("rtmp://default.test:1935/live/alice?token={token}")),
        ("rtsp", format!("rtsp://default.test:8554/live/alice?token={token}")),
        ("srt", format!("srt://default.test:8890?streamid=read:live/alice:jwt:{token}")),
    ] {
        assert_eq!(links[0][protocol], url);
        let on_other = url.replace("default.test", "eu.test");
        assert_eq!(links[0]["by_media_server"]["eu"][protocol], on_other);
    }
    assert!(!stream["urls"].to_string().contains("token"), "{stream}");
    assert!(!app.as_operator().get("/playback-tokens").await.json().to_string().contains(&token));
}

#[tokio::test]
async fn bad_drafts_are_refused_field_by_field() {
    let app = TestApp::memory().await;
    let many: Vec<String> = (0..21).map(|n| format!("live/{n}")).collect();
    for (draft, field) in [
        (json!({"ttl_seconds": 60}), "paths"),
        (json!({"paths": [], "ttl_seconds": 60}), "paths"),
        (json!({"paths": many, "ttl_seconds": 60}), "paths"),
        (json!({"paths": ["live/../x"], "ttl_seconds": 60}), "paths"),
        (json!({"paths": ["*"], "ttl_seconds": 60}), "paths"),
        (json!({"paths": ["a"]}), "ttl_seconds"),
        (json!({"paths": ["a"], "ttl_seconds": 0}), "ttl_seconds"),
        (json!({"paths": ["a"], "ttl_seconds": 43_201}), "ttl_seconds"),
        (json!({"paths": ["a"], "ttl_seconds": 60, "address": "host"}), "address"),
        (json!({"paths": ["a"], "ttl_seconds": 60, "max_sessions": 0}), "max_sessions"),
    ] {
        app.as_operator().post("/playback-tokens").json(draft).await.assert_refuses(&[field]);
    }
    app.as_viewer()
        .post("/playback-tokens")
        .json(json!({"paths": ["a"], "ttl_seconds": 60}))
        .await
        .assert_status(403);
}

#[apply(every_engine)]
#[tokio::test]
async fn operator_of_an_organization_opens_its_streams_only(#[case] engine: Engine) {
    let app = two_organizations(engine).await;
    let owner = member(&app, OWNER, Role::Admin).await;
    let broadcaster = owner.post("/broadcasters").json(json!({"display_name": "Bob"})).await.text("/id");
    let draft = json!({"broadcaster_id": broadcaster, "path": "live/theirs", "playback_access": "token"});
    owner.post("/stream-keys").json(draft).shown_once().await.assert_status(201);
    app.key_with(json!({"path": "live/ours", "playback_access": "token"})).await;
    let operator = member(&app, OWNER, Role::Operator).await;
    let make =
        |paths: Value| operator.post("/playback-tokens").json(json!({"paths": paths, "ttl_seconds": 60}));
    for foreign in ["live/ours", "live/nobodys"] {
        make(json!([foreign])).await.assert_refuses(&["paths"]);
    }
    let exact = make(json!(["live/theirs"])).shown_once().await.assert_status(201).text("/token");
    let below = make(json!(["live/*"])).shown_once().await.assert_status(201).text("/token");
    for token in [exact, below] {
        let query = format!("token={token}");
        becomes(&app, 200, |app| read(app, "live/theirs", &query, "")).await;
        becomes(&app, 401, |app| read(app, "live/ours", &query, "")).await;
    }
    assert_eq!(operator.get("/playback-tokens").await.json()["count"], 2);
    let (id, all) = token(&app, json!({"paths": ["live/*"], "ttl_seconds": 60})).await;
    assert_eq!(operator.get("/playback-tokens").await.json()["count"], 2);
    operator.delete(&format!("/playback-tokens/{id}")).await.assert_status(404);
    let revoked = operator.delete("/playback-tokens?path=live/*").await.assert_status(200);
    assert_eq!(revoked.json(), json!({"revoked": 2}));
    read(&app, "live/ours", &format!("token={all}"), "").await.assert_status(200);
}
