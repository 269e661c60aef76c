//! What `/health`, `/readyz` and `GET /tasks` show all the while.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use reqwest::Method;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::load::lock;
use crate::world::Caller;

/// How long a light may take to go out: `/readyz` itself waits for up to 2 s.
const NOTICE: Duration = Duration::from_secs(4);

/// What `/readyz` and `/health` of the first instance must say while a fault lasts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Ready {
    Stays,
    /// From [`NOTICE`] on at the latest.
    IsLost,
    /// The service works in part, or is started again meanwhile.
    MayBeLost,
}

struct Sample {
    sent: Instant,
    answered: Instant,
    /// `/readyz` and `/health`; `None` without an answer.
    status: [Option<u16>; 2],
}

/// A watcher of the lights of the first instance.
pub(crate) struct Lights {
    samples: Arc<Mutex<Vec<Sample>>>,
    failing: Arc<Mutex<Vec<String>>>,
    _task: JoinSet<()>,
}

impl Lights {
    pub(crate) fn watch(caller: Caller) -> Self {
        let (samples, failing) = (Arc::<Mutex<Vec<Sample>>>::default(), Arc::<Mutex<Vec<String>>>::default());
        let mut task = JoinSet::new();
        let (to, tasks) = (Arc::clone(&samples), Arc::clone(&failing));
        task.spawn(async move {
            loop {
                let sent = Instant::now();
                let status = [caller.light(0, "/readyz").await, caller.light(0, "/health").await];
                lock(&to).push(Sample { sent, answered: Instant::now(), status });
                if let Ok(names) = failing_tasks(&caller, 0).await {
                    lock(&tasks).extend(names);
                }
                sleep(Duration::from_millis(100)).await;
            }
        });
        Self { samples, failing, _task: task }
    }

    /// Fails if a light was wrong between the two moments; returns when the first one went out.
    pub(crate) fn check(
        &self,
        expected: Ready,
        injected: Instant,
        healed: Instant,
    ) -> Result<Option<Duration>> {
        let samples = lock(&self.samples);
        let during: Vec<&Sample> =
            samples.iter().filter(|one| one.sent >= injected && one.answered <= healed).collect();
        let is_lit = |one: &Sample| one.status == [Some(200); 2];
        for one in &during {
            let after = one.sent - injected;
            ensure!(
                expected != Ready::IsLost
                    || after < NOTICE
                    || one.status.iter().all(|status| *status != Some(200)),
                "/readyz and /health answered {:?} {after:?} after the start of the fault",
                one.status
            );
        }
        // A machine that is busy with something else may put them out for a moment, and rightly so.
        let lit = during.iter().filter(|one| is_lit(one)).count();
        ensure!(
            expected != Ready::Stays || lit * 5 >= during.len() * 4,
            "/readyz and /health answered 200 {lit} of {} times in a fault that removes nothing",
            during.len()
        );
        let out = during.iter().find(|one| !is_lit(one)).map(|one| one.answered - injected);
        ensure!(expected != Ready::IsLost || out.is_some(), "the lights never went out");
        Ok(out)
    }

    /// The tasks that `GET /tasks` showed as failing at any time.
    pub(crate) fn failing(&self) -> Vec<String> {
        let mut names = lock(&self.failing).clone();
        names.sort();
        names.dedup();
        names
    }

    pub(crate) fn forget(&self) {
        lock(&self.samples).clear();
        lock(&self.failing).clear();
    }
}

/// The tasks of an instance whose last try failed.
pub(crate) async fn failing_tasks(caller: &Caller, instance: usize) -> Result<Vec<String>> {
    let (status, answer) = caller.call_at(instance, Method::GET, "/tasks", None).await?;
    ensure!(status == 200, "GET /tasks: {status}");
    let tasks = answer["tasks"].as_array().context("a list")?;
    let failing = tasks.iter().filter(|task| task["failing"] == true);
    Ok(failing.filter_map(|task| Some(task["name"].as_str()?.to_owned())).collect())
}
