//! Any input gets an answer that the contract has: the real router, with bodies, queries, paths and headers from
//! outside. Every answer is checked in full by the harness.

use axum::http::{HeaderValue, Method};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::sample::select;
use serde_json::json;
use streamward::domain::access::TokenSecret;
use streamward::domain::credentials::Credentials;
use streamward::domain::path::{IngestPath, StreamPath};
use streamward::domain::secret::{KeySecret, Secret};
use streamward_test_support::fuzz::{KEY, bytes, fuzz, texts};
use tokio::runtime::Runtime;

use crate::harness::{Answer, HMAC_SECRET, HOOK_SECRET, TestApp};

/// A running program, and the runtime it lives in.
struct Fuzzed {
    runtime: Runtime,
    app: TestApp,
}

impl Fuzzed {
    fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let app = runtime.block_on(TestApp::memory());
        Self { runtime, app }
    }

    /// The answer, which is neither an error of ours nor shows a key.
    fn answer(&self, call: impl IntoFuture<Output = Answer>) -> Answer {
        let answer = self.runtime.block_on(call.into_future());
        assert!(answer.status.as_u16() < 500, "{answer:?}");
        assert!(!String::from_utf8_lossy(&answer.body).contains(KEY), "{answer:?}");
        answer
    }
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

#[test]
fn any_body_of_a_media_server_has_an_answer() {
    const SENT: [&str; 3] = [
        r#"{"action":"publish","path":"live/alice","protocol":"rtmp","id":"7f2b","query":"key=sk_Zm9yLXRlc3RzLW9ubHktbm90LWEtcmVhbC1rZXktMTI"}"#,
        r#"{"path":"live/sk_Zm9yLXRlc3RzLW9ubHktbm90LWEtcmVhbC1rZXktMTI","source_type":"rtmpConn","source_id":"7f2b"}"#,
        r#"{"client_id":"7f2b","app":"live","stream":"alice","stream_url":"/live/alice","param":"?key=sk_Zm9yLXRlc3RzLW9ubHktbm90LWEtcmVhbC1rZXktMTI"}"#,
    ];
    let fuzzed = Fuzzed::start();
    let paths = ["/auth", "/webhook/ready", "/webhook/not-ready", "/srs/on_publish", "/srs/on_unpublish"];
    let paths = select(paths.to_vec());
    fuzz(&(paths, bytes(&SENT)), |(path, body)| {
        let call = fuzzed.app.as_nobody().post(&format!("{path}?secret={HOOK_SECRET}")).body(body);
        let answer = fuzzed.answer(call);
        let status = answer.status.as_u16();
        // Nobody has a key.
        assert!(path != "/auth" || matches!(status, 400 | 401), "{status}");
        let lets_in = status == 200 && answer.json()["code"] == 0;
        assert!(path != "/srs/on_publish" || !lets_in, "{answer:?}");
    });
}

#[test]
fn any_body_of_an_admin_has_an_answer() {
    const SENT: [&str; 5] = [
        r#"{"name":"Classroom","inputs":{"backup":{"kind":"playlist","playlist":{"clips":[]}}},"failover":{"stall_ms":700,"flapping":{"cuts":3}},"profile":{"video":{"width":1280}}}"#,
        r#"{"display_name":"Alice","metadata":{"a":[1,{"b":null}]}}"#,
        r#"{"broadcaster_id":"01890000-0000-7000-8000-000000000000","path":"live/alice","label":"OBS","expires_at":"2999-01-01T00:00:00Z","on_conflict":"reject"}"#,
        r#"{"event_type":"login","actor":"dash","outcome":"success","metadata":{}}"#,
        r#"{"username":"@xQc","user_id":1,"is_active":true}"#,
    ];
    let fuzzed = Fuzzed::start();
    let paths = select(
        &["/broadcasters", "/stream-keys", "/audit-events", "/streamers", "/api-tokens", "/channels"][..],
    );
    fuzz(&(paths, bytes(&SENT)), |(path, body)| {
        fuzzed.answer(
            fuzzed
                .app
                .as_admin()
                .post(path)
                .header("content-type", "application/json")
                .body(body)
                .shown_once(),
        );
    });
}

#[test]
fn any_query_is_read_or_refused() {
    let names = select(&["cursor", "limit", "status", "path", "broadcaster_id", "from", "offset", "x"][..]);
    let values =
        texts(&["AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "100", "all", "live/alice", "2026-01-31T12:00:00Z"]);
    let lists =
        select(&["/streams", "/stream-keys", "/broadcasters", "/audit-logs", "/streamers", "/channels"][..]);
    let fuzzed = Fuzzed::start();
    fuzz(&(lists, names, values), |(list, name, value)| {
        fuzzed.answer(fuzzed.app.as_admin().get(&format!("{list}?{name}={}", encoded(&value))));
    });
}

#[test]
fn any_path_has_an_answer() {
    let ids =
        texts(&["01890000-0000-7000-8000-000000000000", "sk_Zm9yLXRlc3RzLW9ubHktbm90LWEtcmVhbC1rZXktMTI"]);
    let methods = select(vec![Method::GET, Method::DELETE, Method::PATCH, Method::PUT, Method::HEAD]);
    let folders = select(&["/streams", "/stream-keys", "/broadcasters", "/problems", ""][..]);
    let fuzzed = Fuzzed::start();
    fuzz(&(methods, folders, ids), |(method, folder, id)| {
        let path = format!("{folder}/{}", encoded(&id));
        fuzzed.answer(fuzzed.app.as_admin().call(method, &path).json(json!({})));
    });
}

#[test]
fn any_header_is_read_or_refused() {
    const NAMES: [&str; 9] = [
        "authorization",
        "x-api-key",
        "x-timestamp",
        "x-signature",
        "x-request-id",
        "x-forwarded-for",
        "content-type",
        "content-length",
        "traceparent",
    ];
    let values = texts(&[
        "Bearer swt_0123456789012345678901234567890123456789012",
        "Basic c3RyZWFtd2FyZDpzZWNyZXQ=",
        "1767225600",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "192.0.2.1, 10.0.0.1",
        "application/json; charset=utf-8",
    ]);
    let pairs = proptest::collection::vec((select(&NAMES[..]), values), 1..4);
    let fuzzed = Fuzzed::start();
    fuzz(&pairs, |pairs| {
        let mut call = fuzzed.app.as_nobody().post("/broadcasters").body(r#"{"display_name":"x"}"#);
        for (name, value) in pairs {
            // Anything else does not arrive.
            if HeaderValue::from_str(&value).is_ok_and(|value| value.to_str().is_ok()) {
                call = call.header(name, &value);
            }
        }
        let answer = fuzzed.answer(call);
        assert!(!answer.status.is_success(), "nobody was let in: {answer:?}");
        assert!(!String::from_utf8_lossy(&answer.body).contains(HMAC_SECRET), "{answer:?}");
    });
}

#[test]
fn any_last_event_id_is_read_or_refused() {
    let fuzzed = Fuzzed::start();
    fuzz(&texts(&["41", "0", "9223372036854775807"]), |id| {
        let viewer = fuzzed.app.as_viewer();
        let query = viewer.get(&format!("/streams/events?last_event_id={}", encoded(&id)));
        let mut calls = vec![query];
        if HeaderValue::from_str(&id).is_ok_and(|value| value.to_str().is_ok()) {
            calls.push(viewer.get("/streams/events").header("last-event-id", &id));
        }
        for call in calls {
            let status = fuzzed.runtime.block_on(call.open()).status().as_u16();
            assert!(matches!(status, 200 | 400), "{status}");
        }
    });
}

#[test]
fn any_path_is_private_or_can_be_shown() {
    let samples = &["live/alice", "/live/sk_Zm9yLXRlc3RzLW9ubHktbm90LWEtcmVhbC1rZXktMTI", "a", "in/SK_x"];
    fuzz(&texts(samples), |text| {
        let path = IngestPath::from_media_server(&text);
        assert!(!format!("{path:?}").contains(KEY) && path.public().is_none_or(|path| !path.contains(KEY)));
        if let Ok(path) = StreamPath::parse(&text) {
            assert_eq!(StreamPath::parse(path.as_str()), Ok(path.clone()));
            assert_eq!(IngestPath::from_media_server(path.as_str()), IngestPath::Public(path));
        }
    });
}

#[test]
fn any_credentials_are_read_and_print_no_key() {
    let samples = &["key=sk_Zm9yLXRlc3RzLW9ubHktbm90LWEtcmVhbC1rZXktMTI&token=x", "jwt=a.b.c", "pass=%73k_"];
    fuzz(&(texts(samples), texts(samples)), |(query, token)| {
        let (query, token, password) = (Secret::new(query), Secret::new(token), Secret::new(""));
        let credentials = Credentials { password, token, query };
        let (found, malformed) = (credentials.stream_key(), credentials.malformed_key_length());
        assert!(found.as_ref().is_none_or(|found| KeySecret::parse(found.expose()).as_ref() == Some(found)));
        assert!(!format!("{credentials:?}{found:?}{malformed:?}").contains(KEY));
    });
}

#[test]
fn any_token_is_itself_or_none() {
    let token = TokenSecret::from_random([7; 32]);
    let samples: &[&str] = vec![String::from(token.expose()).leak() as &str].leak();
    fuzz(&texts(samples), |text| {
        let found = TokenSecret::parse(&text);
        assert!(found.is_none_or(|found| found.expose() == text && !format!("{found:?}").contains(&text)));
    });
}
