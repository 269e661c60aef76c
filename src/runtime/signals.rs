//! Being told to stop.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// SIGTERM and SIGINT, from now on. SIGHUP does nothing: under `nohup`, or from a log rotation, it must not take a
/// broadcast off the air.
pub(super) struct Signals([Signal; 3]);

impl Signals {
    /// Listens from now on.
    pub(super) fn listen() -> std::io::Result<Self> {
        Ok(Self([
            signal(SignalKind::terminate())?,
            signal(SignalKind::interrupt())?,
            signal(SignalKind::hangup())?,
        ]))
    }

    async fn next(&mut self) {
        let [term, int, hup] = &mut self.0;
        loop {
            tokio::select! {
                _ = term.recv() => return,
                _ = int.recv() => return,
                _ = hup.recv() => tracing::info!("SIGHUP is ignored: stop with SIGTERM"),
            }
        }
    }

    /// Turns the first signal into `stop`. At the second one there is nothing left to wait for: the process ends.
    pub(super) async fn watch(mut self, stop: CancellationToken) {
        self.next().await;
        tracing::info!("stopping");
        stop.cancel();
        self.next().await;
        std::process::exit(130);
    }
}
