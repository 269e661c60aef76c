//! What the service manager, systemd, is told: ready, stopping, and that the process is alive. Without one, nothing happens.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::adapters::cli::healthcheck;

/// How long a start may wait for its database before the service counts as started. It answers meanwhile, and a manager
/// would end a start that takes too long.
const PROMPT_START: Duration = Duration::from_secs(10);

/// The service works.
pub(super) fn ready() {
    tell(&[NotifyState::Ready, NotifyState::Status("ready")]);
}

/// The service stops.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping, NotifyState::Status("stopping")]);
}

/// Waits for a part of the start that needs the database.
pub(super) async fn waiting<T>(part: impl Future<Output = T>) -> T {
    let mut part = std::pin::pin!(part);
    if let Ok(done) = timeout(PROMPT_START, part.as_mut()).await {
        return done;
    }
    tell(&[NotifyState::Ready, NotifyState::Status("waiting for the database; answers 503")]);
    part.await
}

/// Tells the watchdog that a restart would not help, as long as the process answers at `url`. A database or a media server
/// that is unreachable is no reason for a restart, so `/livez` is asked.
pub(super) async fn keep_alive(url: String, stop: CancellationToken) {
    let Some(limit) = sd_notify::watchdog_enabled() else { return };
    let pause = limit / 4;
    while stop.run_until_cancelled(sleep(pause)).await.is_some() {
        match timeout(pause, healthcheck::alive(&url)).await {
            Ok(Ok(())) => tell(&[NotifyState::Watchdog]),
            Ok(Err(error)) => complain(&format!("{error:#}")),
            Err(_) => complain("no answer in time"),
        }
    }
}

fn complain(error: &str) {
    tracing::error!(
        error,
        "this process does not answer itself; if that goes on, the service manager restarts it"
    );
}

/// Fails without systemd, which is fine.
fn tell(state: &[NotifyState<'_>]) {
    let _ = sd_notify::notify(state);
}
