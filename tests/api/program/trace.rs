//! One trace from a hook through the store to the media server, as a collector receives it.

use std::time::Duration;

use serde_json::json;

use super::{HOOK_SECRET, Home, SOON, client, eventually};
use crate::control_api::{ControlApi, Reply};
use crate::otlp::OtlpReceiver;

#[tokio::test]
async fn hook_trace_leads_to_the_store_and_the_media_server() {
    let collector = OtlpReceiver::start().await;
    let media = ControlApi::start(|received| match received.line.as_str() {
        "GET /v3/info" => Reply::ok(json!({"version": "v1.20.1", "started": "2026-01-01T00:00:00Z"})),
        line if line.starts_with("GET /v3/paths/list") => {
            Reply::ok(json!({"itemCount": 0, "pageCount": 0, "items": []}))
        }
        _ => Reply::no_route(),
    })
    .await;
    // The interval does not pass during the test, so only the hook makes it poll.
    let home = Home::new()
        .with("OTEL__ENDPOINT", &collector.endpoint())
        .with("MEDIA_SERVERS__DEFAULT__API_URL", &media.url())
        .with("RECONCILE__INTERVAL", "60s")
        .with("HOOKS__SECRET", HOOK_SECRET);
    let mut service = home.serve().await;
    let polled = |times: usize| {
        let media = &media;
        eventually("it polls", SOON, async move || {
            let polls = media.requests().iter().filter(|line| line.contains("/v3/paths/list")).count();
            Ok((polls >= times).then_some(()))
        })
    };
    polled(1).await.expect("at the start");
    let hook = client().post(home.url("/webhook/ready")).bearer_auth(HOOK_SECRET);
    let answer =
        hook.json(&json!({"path": "live/alice", "source_id": "c1"})).send().await.expect("an answer");
    assert_eq!(answer.status(), 204);
    polled(2).await.expect("because of the hook");
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(service.terminate(SOON).await.expect("it stops").success());
    let to = |name: &str, path: &[&str]| {
        let paths = collector.paths_to(name);
        assert!(paths.iter().any(|one| one == path), "{path:?} is not among {paths:?}");
    };
    to("store.record_hook_event", &["POST /webhook/ready", "store.record_hook_event"]);
    to("mediamtx.call", &["POST /webhook/ready", "reconcile", "mediamtx.call"]);
}
