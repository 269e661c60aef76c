//! The background work of an instance, quickened: every worker ticks as soon as it is woken, and many times a second.

use std::sync::Arc;
use std::time::Duration;

use streamward::app::worker::Worker;
use streamward::ports::{Store, WakeUp, WakeUps};
use streamward::runtime::services::Services;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};

use super::TestApp;

const EVERY: Duration = Duration::from_millis(50);

/// Ends with the instance.
pub(crate) fn start(
    services: &Services,
    test: &TestApp,
    store: &Arc<dyn Store>,
    wake_ups: &Arc<dyn WakeUps>,
) -> JoinSet<()> {
    let mut workers: Vec<Box<dyn Worker>> = vec![
        Box::new(services.event_tail()),
        Box::new(services.key_cache_loader()),
        Box::new(services.housekeeping()),
    ];
    for (name, media) in &test.media_servers {
        let media = Arc::new(media.clone());
        workers.push(Box::new(services.reconciler(name.clone(), media, EVERY)));
    }
    let mut tasks = JoinSet::new();
    for worker in workers {
        tasks.spawn(work(worker, Arc::clone(store), wake_ups.listen(), test.instance.clone()));
    }
    tasks
}

async fn work(
    mut worker: Box<dyn Worker>,
    store: Arc<dyn Store>,
    mut wake_ups: tokio::sync::broadcast::Receiver<WakeUp>,
    owner: String,
) {
    loop {
        let wanted = worker.lease();
        let lease = match wanted {
            None => None,
            // A store that does not answer is part of some tests.
            Some(name) => match store.acquire_lease(&name, &owner, Duration::from_secs(3)).await {
                Ok(Some(lease)) => Some(lease),
                Ok(None) | Err(_) => {
                    sleep(EVERY).await;
                    continue;
                }
            },
        };
        // What fails is tried again, as in the real driver.
        let _ = worker.tick(lease.as_ref()).await;
        let until = Instant::now() + EVERY;
        while let Ok(heard) = timeout_at(until, wake_ups.recv()).await {
            match heard {
                Ok(wake_up) if !worker.hears(&wake_up) => {}
                Ok(_) | Err(RecvError::Lagged(_)) => break,
                Err(RecvError::Closed) => return,
            }
        }
    }
}
