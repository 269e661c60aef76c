//! `/doctor` and `/configuration`. What the checks find is tested with the whole program.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use streamward::domain::finding::{Finding, Severity};
use streamward::ports::{EffectiveConfiguration, Examiner};

use crate::harness::{Engine, Setup, TestApp};

/// Checks that take a second, and always find the same.
#[derive(Default)]
pub(crate) struct FakeExaminer(AtomicUsize);

#[async_trait]
impl Examiner for FakeExaminer {
    async fn examine(&self) -> Vec<Finding> {
        self.0.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_secs(1)).await;
        let finding = |check: &str, severity, advice: &str| Finding {
            check: check.into(),
            severity,
            found: "something".into(),
            advice: advice.into(),
        };
        vec![
            finding("database", Severity::Good, ""),
            finding("hook secret", Severity::Skipped, "see above"),
            finding("media server default", Severity::Failure, "start it"),
            finding("clip folder", Severity::Warning, "make room"),
        ]
    }

    fn configuration(&self) -> EffectiveConfiguration {
        let sources = [("http.listen".to_owned(), "STREAMWARD_HTTP__LISTEN".to_owned())];
        EffectiveConfiguration {
            file: Some("streamward.toml".into()),
            values: json!({"http": {"listen": "127.0.0.1:8080"}}),
            sources: sources.into(),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn checks_run_once_however_many_ask_and_again_later() {
    let examiner = Arc::new(FakeExaminer::default());
    let shared: Arc<dyn Examiner> = Arc::clone(&examiner) as _;
    let setup = Setup { examiner: shared, ..Setup::default() };
    let app = TestApp::with(Engine::Memory, setup).await;
    let ask = || async { app.as_operator().get("/doctor").await.assert_status(200).json() };
    let (first, second, third) = tokio::join!(ask(), ask(), ask());
    assert_eq!(examiner.0.load(Ordering::SeqCst), 1);
    assert!(first == second && second == third);
    assert_eq!(first["status"], "fail");
    let shown: Vec<(&Value, &Value, &Value)> = first["checks"]
        .as_array()
        .expect("checks")
        .iter()
        .map(|check| (&check["id"], &check["status"], &check["advice"]))
        .collect();
    let expected = [
        (json!("database"), json!("ok"), Value::Null),
        (json!("hook-secret"), json!("skip"), json!("see above")),
        (json!("media-server-default"), json!("fail"), json!("start it")),
        (json!("clip-folder"), json!("warn"), json!("make room")),
    ];
    assert_eq!(shown, expected.iter().map(|(id, status, advice)| (id, status, advice)).collect::<Vec<_>>());
    tokio::time::advance(Duration::from_secs(6)).await;
    ask().await;
    assert_eq!(examiner.0.load(Ordering::SeqCst), 2);
    app.as_viewer().get("/doctor").await.assert_status(403);
}

#[tokio::test]
async fn configuration_is_for_admins() {
    let app = TestApp::memory().await;
    let shown = app.as_admin().get("/configuration").await.assert_status(200).json();
    assert_eq!(shown["values"]["http"]["listen"], "127.0.0.1:8080");
    assert_eq!(shown["sources"]["http.listen"], "STREAMWARD_HTTP__LISTEN");
    app.as_operator().get("/configuration").await.assert_status(403);
}
