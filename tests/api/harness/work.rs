//! The tasks of an instance, each ticking at every wake-up and many times a second.

use std::sync::Arc;
use std::time::Duration;

use streamward::app::task::{AnyTask, PeriodicTask, Placement, TaskContext};
use streamward::ports::{Assignment, Store, StoreError, WakeUp, WakeUps};
use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};

pub(super) const EVERY: Duration = Duration::from_millis(50);

/// Ends with the instance.
pub(crate) async fn start(
    all: Vec<AnyTask>,
    store: &Arc<dyn Store>,
    wake_ups: &Arc<dyn WakeUps>,
    instance: &str,
) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    for one in all {
        for task in with_set(one).await {
            match task {
                AnyTask::Periodic(task) => {
                    tasks.spawn(work(task, Arc::clone(store), wake_ups.listen(), instance.to_owned()));
                }
                AnyTask::LongRunning(mut task) => {
                    assert_eq!(task.placement(), Placement::EveryInstance, "{}", task.name());
                    tasks.spawn(
                        async move { task.run(&TaskContext::default()).await.expect("it does not end") },
                    );
                }
                AnyTask::Set(_) => panic!("a set within a set"),
            }
        }
    }
    tasks
}

/// The task, or those of the set that are desired now.
async fn with_set(task: AnyTask) -> Vec<AnyTask> {
    let AnyTask::Set(mut set) = task else { return vec![task] };
    let desired = set.desired().await.expect("the tasks that are desired");
    desired.iter().filter_map(|key| set.task(key)).collect()
}

/// The assignment of a task, if this instance can have it.
pub(crate) async fn assigned(
    store: &dyn Store,
    instance: &str,
    key: String,
) -> Result<Option<Assignment>, StoreError> {
    let lease = store.renew_instance(instance, 100, Duration::from_secs(3)).await?;
    let who = store.take_assignments(&lease, &[key]).await?;
    Ok(who.into_iter().find(|one| one.instance == instance))
}

async fn work(
    mut task: Box<dyn PeriodicTask>,
    store: Arc<dyn Store>,
    mut wake_ups: tokio::sync::broadcast::Receiver<WakeUp>,
    instance: String,
) {
    loop {
        let context = match task.placement() {
            Placement::EveryInstance => TaskContext::default(),
            // In some tests the store is unreachable.
            Placement::OneInstance(_) => match assigned(&*store, &instance, task.name()).await {
                Ok(Some(assignment)) => TaskContext::under(assignment),
                Ok(None) | Err(_) => {
                    sleep(EVERY).await;
                    continue;
                }
            },
        };
        // A failed tick is repeated, as by the real driver.
        let _ = task.tick(&context).await;
        let until = Instant::now() + EVERY;
        while let Ok(heard) = timeout_at(until, wake_ups.recv()).await {
            match heard {
                Ok(wake_up) if !task.wakes_on(&wake_up) => {}
                Ok(_) | Err(RecvError::Lagged(_)) => break,
                Err(RecvError::Closed) => return,
            }
        }
    }
}
