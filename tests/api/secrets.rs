//! No answer, log line, metric or stored value contains a secret. All output of a busy instance is searched for every
//! secret, as plain text and in its usual encodings.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rstest_reuse::apply;
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use streamward::domain::access::Role;
use streamward::domain::secret::Secret;

use crate::harness::{
    CONTROL_SECRET, Engine, HMAC_SECRET, HOOK_SECRET, Key, Place, RELAY_SECRET, Setup, Shows, TestApp,
    every_engine,
};
use crate::request_log::{LogLines, recorder};

const METRICS_TOKEN: &str = "metrics-secret-0123456789";

/// Watches with a token, in every place that may have one. Returns it.
async fn use_playback(app: &TestApp) -> String {
    app.key_with(json!({"path": "live/closed", "playback_access": "token"})).await;
    let without = || app.auth(json!({"action": "read", "path": "live/closed", "protocol": "hls"}));
    app.until(without, |answer| (answer.status.as_u16() == 401).then_some(())).await;
    let draft = json!({"paths": ["live/closed"], "ttl_seconds": 60});
    let made = app.as_operator().post("/playback-tokens").json(draft).shown_once().await.assert_status(201);
    let token = made.text("/token");
    for (path, status) in [("live/closed", 200), ("live/closed2", 200)] {
        let query = format!("token={token}");
        for request in [json!({"query": query}), json!({"token": token}), json!({"password": token})] {
            let mut asked = json!({"action": "read", "path": path, "protocol": "hls", "ip": "192.0.2.7"});
            asked.as_object_mut().expect("an object").extend(request.as_object().expect("an object").clone());
            app.auth(asked).await.assert_status(status);
        }
    }
    app.as_operator().delete(&format!("/playback-tokens/{}", made.text("/id"))).await.assert_status(204);
    let query = format!("token={token}");
    let asked = json!({"action": "read", "path": "live/closed", "protocol": "hls", "query": query});
    app.auth(asked).await.assert_status(401);
    app.as_operator().get("/playback-tokens").await.assert_status(200);
    token
}

#[apply(every_engine)]
#[tokio::test]
async fn no_output_contains_a_secret(#[case] engine: Engine) {
    let (lines, recorder) = (LogLines::default(), recorder());
    let (_collecting, handle) = (lines.collect(), recorder.handle());
    let _counting = metrics::set_default_local_recorder(&recorder);
    let setup = Setup {
        metrics: Some(Arc::new(move || handle.render())),
        metrics_token: Some(Secret::new(METRICS_TOKEN)),
        ..Setup::default()
    };
    let app = TestApp::with(engine, setup).await;
    let mut secrets: Vec<String> =
        [HOOK_SECRET, CONTROL_SECRET, RELAY_SECRET, HMAC_SECRET, METRICS_TOKEN].map(str::to_owned).into();
    secrets.extend([Role::Viewer, Role::Operator, Role::Admin].map(|role| app.token(role).to_owned()));

    let named = app.key("live/named").await;
    let private = app.key("live/private").await;
    let taken = app.key_with(json!({"path": "live/taken", "on_conflict": "takeover"})).await;
    publish_with_every_form_of_key(&app, &named, &private, &taken).await;
    put_secrets_in_wrong_places(&app, &named, &private).await;
    let rotate = app.as_admin().post(&format!("/stream-keys/{}/rotate", taken.id)).shown_once();
    secrets.push(rotate.await.assert_status(200).text("/key_value"));
    app.as_admin().delete(&format!("/stream-keys/{}", private.id)).await.assert_status(204);
    app.as_admin().delete(&format!("/broadcasters/{}", named.broadcaster)).await.assert_status(204);
    secrets.extend([named, private, taken].map(|key| key.secret));
    secrets.push(use_playback(&app).await);
    secrets.extend(use_channels(&app).await);
    secrets.extend(use_accounts(&app).await);

    for path in
        ["/streams?status=all", "/stream-keys", "/broadcasters", "/media-servers", "/health", "/api-tokens"]
    {
        app.as_admin().get(path).await.assert_status(200);
    }
    assert!(app.audit("").await.len() > 20);
    let numbers = app.showing(Shows::Bearer(METRICS_TOKEN.into())).get("/metrics").await.assert_status(200);
    assert!(String::from_utf8_lossy(&numbers.body).contains("streamward_auth_decisions_total"));
    events(&app).await;

    let stored = stored(&app.place).await;
    let searched = [("answers", app.record.bytes()), ("logs", lines.bytes()), ("store", stored)];
    for (place, bytes) in &searched {
        assert!(engine == Engine::Memory || bytes.len() > 10_000, "{place} is too small to be complete");
        for (n, secret) in secrets.iter().enumerate() {
            for (form, needle) in encodings(secret) {
                let found = bytes.windows(needle.len()).position(|window| window == needle);
                let around = found.map(|at| {
                    let (from, to) = (at.saturating_sub(200), (at + needle.len() + 100).min(bytes.len()));
                    String::from_utf8_lossy(&bytes[from..to]).into_owned()
                });
                assert_eq!(around, None, "secret {n} is in the {place}, {form}");
            }
        }
    }
    // The search must be able to find something.
    let id = app.as_admin().get("/api-tokens").await.text("/api_tokens/0/id");
    assert!(String::from_utf8_lossy(&app.record.bytes()).contains(&id));
}

/// Makes a channel with destinations, and puts their keys in wrong places. Returns the secrets.
async fn use_channels(app: &TestApp) -> Vec<String> {
    let made = crate::channels::create(app, json!({"name": "Secrets"})).await.assert_status(201);
    let (channel, destination) = crate::channels::with_destination(app).await;
    let (first, second) = (crate::channels::KEY.to_owned(), "live_Ws8-Hh3Qn6_vT1mJc4E0".to_owned());
    app.as_admin().patch(&destination).json(json!({"key": second})).await.assert_status(200);
    let draft = json!({"name": "x", "platform": first, "key": format!("{first} {first}")});
    crate::channels::add_destination(app, &channel, draft).await.assert_status(400);
    let draft =
        json!({"name": "x", "platform": "custom", "url": format!("rtmp://u:{first}@h/app"), "key": first});
    crate::channels::add_destination(app, &channel, draft).await.assert_status(400);
    for path in [&channel, &destination, &format!("{channel}/destinations"), &format!("{channel}/status")] {
        app.as_admin().get(path).await.assert_status(200);
    }
    vec![made.text("/live_key/key_value"), first, second]
}

/// A user with all that is secret about them, some of it in wrong places. Returns the secrets.
async fn use_accounts(app: &TestApp) -> Vec<String> {
    let (first, second) = ("hunter2-hunter2-hunter2", "Tr0ub4dor&3-Tr0ub4dor&3");
    let draft = json!({"email": "ada@example.org", "password": first, "administrator": true});
    let id = app.as_admin().post("/users").json(draft).await.assert_status(201).text("/id");
    let path = format!("/users/{id}");
    let link = app.as_admin().post(&format!("{path}/link")).shown_once().await.assert_status(201);
    let url = link.text("/url");
    let link = url.split_once('#').expect("a link").1.to_owned();
    let redeem = json!({"link": link, "password": second});
    app.as_nobody().post("/link").json(redeem.clone()).await.assert_status(200);
    app.as_nobody().post("/link").json(redeem).await.assert_status(401);
    app.as_nobody().get(&format!("/link/{link}")).await.assert_status(404);
    // The password as the address, and the address as the password.
    for (email, password) in [(second, first), ("ada@example.org", first), (first, second)] {
        let body = json!({"email": email, "password": password});
        assert!(app.as_nobody().post("/session").json(body).await.status.is_client_error());
    }
    let signed_in = app.sign_in("ada@example.org", second).await.assert_status(201);
    let pairs = signed_in.headers.get_all("set-cookie").iter().map(|value| value.to_str().expect("text"));
    let values = pairs.filter_map(|cookie| cookie.split(';').next()?.split_once('=')).map(|(_, value)| value);
    let mut secrets: Vec<String> = values.map(str::to_owned).collect();
    assert_eq!(secrets.len(), 2, "a session and a device");
    let cookie = format!("streamward_session={}", secrets[0]);
    app.as_nobody().get("/streams").header("cookie", &format!("{cookie}x")).await.assert_status(401);
    app.as_nobody().post("/broadcasters").header("cookie", &cookie).await.assert_status(401);
    let ada = app.showing(Shows::Cookie(cookie));
    let wrong = json!({"password": first, "current_password": first});
    ada.post(&format!("{path}/password")).json(wrong).await.assert_status(400);
    let factor = format!("{path}/second-factor");
    let made = ada.post(&factor).json(json!({"password": second})).shown_once().await.assert_status(201);
    let secret = made.text("/secret");
    ada.post(&format!("{factor}/confirm")).json(json!({"code": secret})).await.assert_status(401);
    let code = crate::user_factors::code(&secret, app.clock.seconds());
    let confirmed = ada.post(&format!("{factor}/confirm")).json(json!({"code": code})).shown_once().await;
    let codes = confirmed.assert_status(200).json()["recovery_codes"].clone();
    secrets.extend(serde_json::from_value::<Vec<String>>(codes).expect("codes"));
    for path in ["/users", &path, &format!("{path}/sessions"), "/session"] {
        ada.get(path).await.assert_status(200);
    }
    secrets.extend([first.to_owned(), second.to_owned(), link, secret]);
    secrets
}

async fn publish_with_every_form_of_key(app: &TestApp, named: &Key, private: &Key, taken: &Key) {
    let stream = app.live(named, "n1").await;
    app.request_publish(named, "n2").await.assert_status(401);
    let path = format!("live/{}", private.secret);
    app.auth(json!({"action": "publish", "path": path, "id": "p1", "protocol": "srt"}))
        .await
        .assert_status(200);
    app.media().go_live(&path, "p1");
    for name in ["ready", "online", "not-ready"] {
        let hook = app.as_nobody().post(&format!("/webhook/{name}?secret={HOOK_SECRET}"));
        let event = json!({"path": path, "source_id": "p1", "query": format!("key={}", named.secret)});
        hook.json(event).await.assert_status(204);
    }
    app.stream_of("p1").await;
    app.auth(json!({"action": "read", "path": path, "password": RELAY_SECRET})).await.assert_status(200);
    app.auth(json!({"action": "api", "token": CONTROL_SECRET})).await.assert_status(200);
    app.live(taken, "t1").await;
    app.request_publish(taken, "t2").await.assert_status(200);
    let stream = format!("/streams/{}", stream["id"].as_str().expect("an id"));
    app.as_operator().delete(&stream).await.assert_status(204);
    app.as_signer().get("/streams").await.assert_status(200);
}

/// Secrets in the wrong places, as people put them there.
async fn put_secrets_in_wrong_places(app: &TestApp, named: &Key, private: &Key) {
    let (secret, admin) = (&private.secret, app.as_admin());
    app.media().set_unreachable(true);
    admin.get(&format!("/stream-keys/{secret}")).await.assert_status(400);
    admin.delete(&format!("/stream-keys/{secret}")).await.assert_status(400);
    admin.get(&format!("/{secret}")).await.assert_status(404);
    admin.get(&format!("/streams/{}", app.token(Role::Viewer))).await.assert_status(400);
    admin.delete(&format!("/api-tokens/{}", app.token(Role::Viewer))).await.assert_status(400);
    admin.get(&format!("/streams?path=live/{secret}")).await.assert_status(400);
    admin.get(&format!("/streams?{secret}=1")).await.assert_status(400);
    admin.get(&format!("/streams?cursor={secret}")).await.assert_status(400);
    let draft = |field: &str, value: &str| json!({"broadcaster_id": named.broadcaster, field: value});
    for (field, value) in [("path", secret), ("path", &format!("live/{secret}")), ("on_conflict", secret)] {
        admin.post("/stream-keys").json(draft(field, value)).await.assert_status(400);
    }
    admin.post("/stream-keys").json(json!({"broadcaster_id": secret})).await.assert_status(400);
    admin.post("/stream-keys").json(json!({secret.as_str(): 1})).await.assert_status(400);
    admin
        .post("/broadcasters")
        .json(json!({"display_name": "A", "metadata": secret}))
        .await
        .assert_status(400);
    admin.post("/broadcasters").body(format!("{{\"{secret}")).await.assert_status(400);
    app.showing(Shows::Bearer(secret.clone())).get("/streams").await.assert_status(401);
    app.showing(Shows::ApiKey(HOOK_SECRET.into())).post("/broadcasters").await.assert_status(401);
    app.showing(Shows::Nothing).get("/metrics").await.assert_status(401);
    let hook = app.as_nobody().post(&format!("/webhook/ready?secret={HOOK_SECRET}&server={secret}"));
    hook.json(json!({"path": "live/x"})).await.assert_status(401);
    for field in ["source_id", "source_type", "query"] {
        let hook = app.as_nobody().post(&format!("/webhook/ready?secret={HOOK_SECRET}"));
        hook.json(json!({"path": "live/other", field: secret})).await.assert_status(204);
    }
    for field in ["client_id", "ip", "app", "stream", "stream_url", "param", "tcUrl", "vhost"] {
        for name in ["on_publish", "on_unpublish", "on_play", "on_close"] {
            let callback = app.as_nobody().post(&format!("/srs/{name}?secret={HOOK_SECRET}"));
            callback.json(json!({"app": "live", "stream": "other", field: secret})).await.assert_status(200);
        }
    }
    for field in ["id", "protocol", "action", "ip", "query", "token", "password", "path"] {
        let mut request = json!({"action": "publish", "path": "live/other", "protocol": "rtmp"});
        request[field] = named.secret.as_str().into();
        app.auth(request).await;
    }
    app.auth(json!({"action": "publish", "path": "live/other", "query": format!("key={secret}&key={}", named.secret)}))
        .await
        .assert_status(401);
    app.auth(json!({"action": "read", "path": format!("x y/{secret}.m3u8")})).await;
    app.media().set_unreachable(false);
}

async fn events(app: &TestApp) {
    use futures_util::StreamExt as _;
    let opened = app.as_viewer().get("/streams/events").header("last-event-id", "0").open().await;
    let mut body = opened.into_body().into_data_stream();
    let mut text = String::new();
    while !text.contains("stream.ended") {
        let next =
            tokio::time::timeout(std::time::Duration::from_secs(20), body.next()).await.expect("an event");
        text.push_str(std::str::from_utf8(&next.expect("more").expect("whole")).expect("UTF-8"));
    }
    app.record.keep_text(&text);
}

/// Everything stored: the database files as bytes, or every row.
async fn stored(place: &Place) -> Vec<u8> {
    match place {
        Place::Memory(_) => vec![],
        Place::File(folder) => {
            let files = std::fs::read_dir(folder.path()).expect("a folder").flatten();
            files.flat_map(|file| std::fs::read(file.path()).expect("a file")).collect()
        }
        Place::Database(database) => {
            let mut conn = PgConnection::connect(database.url()).await.expect("connected");
            let tables =
                "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public'";
            let tables: Vec<String> = sqlx::query_scalar(tables).fetch_all(&mut conn).await.expect("tables");
            let mut dump = String::new();
            for table in tables {
                let rows = AssertSqlSafe(format!("SELECT row_to_json(t)::text FROM \"{table}\" t"));
                let rows: Vec<String> = sqlx::query_scalar(rows).fetch_all(&mut conn).await.expect("rows");
                dump.push_str(&format!("{table}\n{}\n", rows.join("\n")));
            }
            dump.into_bytes()
        }
    }
}

/// The encodings in which a secret may appear.
fn encodings(secret: &str) -> Vec<(&'static str, Vec<u8>)> {
    // Without its prefix, which may have been cut off.
    let cut = secret.split_once('_').filter(|(prefix, _)| prefix.len() <= 4);
    let core = cut.map_or(secret, |(_, rest)| rest);
    let mut forms = vec![
        ("plain", core.as_bytes().to_vec()),
        ("in hex", hex::encode(core).into_bytes()),
        ("in hex", hex::encode_upper(core).into_bytes()),
    ];
    // Within a longer text its base64 depends on its offset, and at both ends on what surrounds it.
    for offset in 0..3 {
        let text = format!("{}{core}", "x".repeat(offset));
        for encoded in [STANDARD.encode(&text), URL_SAFE_NO_PAD.encode(&text)] {
            let inner = encoded.get(4..encoded.len() - 4).unwrap_or_default();
            forms.push(("in base64", inner.as_bytes().to_vec()));
        }
    }
    if let Ok(bytes) = URL_SAFE_NO_PAD.decode(core) {
        forms.push(("as hex of its bytes", hex::encode(&bytes).into_bytes()));
        forms.push(("as bytes", bytes));
    }
    forms
}
