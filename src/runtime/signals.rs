//! SIGTERM, SIGINT and SIGHUP.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// SIGTERM, SIGINT and SIGHUP. SIGHUP is ignored: under `nohup`, or from a log rotation, it must not end a broadcast.
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
                _ = hup.recv() => tracing::info!("SIGHUP is ignored; send SIGTERM to stop"),
            }
        }
    }

    /// The first signal cancels `stop`. The second one ends the process at once.
    pub(super) async fn watch(mut self, stop: CancellationToken) {
        self.next().await;
        tracing::info!("received a signal; stopping (send it again to end at once)");
        stop.cancel();
        self.next().await;
        std::process::exit(130);
    }
}
