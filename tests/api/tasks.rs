//! `GET /tasks`: the background tasks as operators see them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use streamward::adapters::local_wake_ups::LocalWakeUps;
use streamward::adapters::memory::MemoryStore;
use streamward::app::task::{
    AnyTask, OnLeaseDoubt, PeriodicTask, Placement, Task, TaskContext, TaskError, Tick,
};
use streamward::ports::{StoreError, WakeUp, WakeUps as _};
use streamward::runtime::tasks::{LeaseTerms, Tasks};

use crate::harness::{Engine, Setup, TestApp, TestClock};

/// A task that fails while `fails` is set.
#[derive(Clone, Default)]
struct Polls {
    fails: Arc<AtomicBool>,
}

impl Task for Polls {
    fn name(&self) -> String {
        "polls".to_owned()
    }

    fn description(&self) -> &'static str {
        "Polls something."
    }

    fn placement(&self) -> Placement {
        Placement::OneInstance(OnLeaseDoubt::Stop)
    }
}

#[async_trait]
impl PeriodicTask for Polls {
    fn interval(&self) -> Duration {
        Duration::from_secs(3600)
    }

    fn wakes_on(&self, wake_up: &WakeUp) -> bool {
        *wake_up == WakeUp::Streamers
    }

    async fn tick(&mut self, context: &TaskContext) -> Result<Tick, TaskError> {
        context.show(json!({"polled": 7}));
        if self.fails.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable("it is being replaced".to_owned()).into());
        }
        Ok(Tick::default())
    }
}

/// The only task, once `is` holds for it.
async fn task(app: &TestApp, is: impl Fn(&Value) -> bool) -> Value {
    for _ in 0..500 {
        let answer = app.as_operator().get("/tasks").await.assert_status(200);
        assert_eq!(answer.json()["count"], 1);
        let task = answer.json()["tasks"][0].clone();
        if is(&task) {
            return task;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the task does not become as expected");
}

#[tokio::test]
async fn operators_see_what_a_task_does_why_and_how_it_failed() {
    let clock = Arc::new(TestClock::default());
    clock.stop();
    let leases = Arc::new(MemoryStore::new(Arc::clone(&clock) as _));
    let wake_ups = Arc::new(LocalWakeUps::default());
    let tasks =
        Tasks::new(LeaseTerms::new(leases, "instance-one"), Arc::clone(&wake_ups) as _, clock.clone());
    let polls = Polls::default();
    tasks.start(AnyTask::periodic(polls.clone()));
    let setup = Setup { tasks: tasks.list(), ..Setup::default() };
    let app = TestApp::with(Engine::Memory, setup).await;
    let now = json!(streamward::ports::Clock::now(&*clock));

    let seen = task(&app, |task| task["iterations"] == 1 && task["state"] == "idle").await;
    let took = &seen["duration_ms"];
    assert!(took.is_u64(), "{seen}");
    let expected = json!({
        "name": "polls", "description": "Polls something.", "state": "idle", "instance": "instance-one",
        "last_activation": {"at": now, "reason": "assigned"}, "iterations": 1, "failures": 0,
        "failing": false, "last_ok_at": now, "duration_ms": took, "details": {"polled": 7},
    });
    assert_eq!(seen, expected);

    polls.fails.store(true, Ordering::SeqCst);
    wake_ups.send(WakeUp::Streamers);
    let seen = task(&app, |task| task["failures"].as_u64() >= Some(1) && task["state"] == "idle").await;
    assert_eq!(seen["failing"], true);
    let reason = seen["last_activation"]["reason"].as_str().expect("a reason");
    assert!(["wake_up streamers", "follow_up"].contains(&reason), "{reason}");
    assert_eq!(seen["last_error"]["at"], now);
    let message = seen["last_error"]["message"].as_str().expect("a message");
    assert!(message.contains("it is being replaced"), "{message}");
    let health = app.as_nobody().get("/health").await;
    assert_eq!(health.json()["workers"][0]["failing"], true);

    tasks.stop().await;
    let answer = app.as_operator().get("/tasks").await;
    assert_eq!(answer.json(), json!({"tasks": [], "count": 0}));
}

#[tokio::test]
async fn operators_may_see_tasks_and_viewers_may_not() {
    let app = TestApp::memory().await;
    app.as_nobody().get("/tasks").await.assert_status(401);
    app.as_viewer().get("/tasks").await.assert_status(403).assert_problem("forbidden");
    app.as_operator().get("/tasks").await.assert_status(200);
    app.as_admin().get("/tasks").await.assert_status(200);
    app.as_operator().get("/tasks?x=1").await.assert_status(400);
}
