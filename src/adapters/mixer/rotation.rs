//! When an output begins a new session, because the platform ends each after some hours.
//!
//! Platforms take one publisher for a key: a second one is refused, or ends the first at once, in the middle of a group of
//! pictures. So the old session is closed before the new one begins, at a keyframe, and the queue keeps what comes in
//! between: nothing is lost. To keep that moment short, everything that needs no key is done before: name, TCP, TLS,
//! handshake and `connect`. If that fails, the old session stays.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::sink::{SinkError, Target};
use crate::adapters::rtmp::{Connector, Prepared};

/// A connection that could not be prepared is tried again after this time.
const AGAIN: Duration = Duration::from_secs(10);

/// A session that ended so that another begins.
pub(super) struct Rotation {
    /// The connection of the new one, if it could be prepared.
    pub(super) prepared: Option<Prepared>,
    /// When the old one began to end.
    pub(super) since: Instant,
}

/// The session after the one that runs.
pub(super) struct NextSession {
    due: Option<Instant>,
    preparation: JoinSet<Result<Option<Prepared>, SinkError>>,
    /// Set when it can begin.
    prepared: Option<Option<Prepared>>,
}

impl NextSession {
    /// It begins after the time `every`; never without one.
    pub(super) fn new(every: Option<Duration>) -> Self {
        let due = every.map(|every| Instant::now() + every);
        Self { due, preparation: JoinSet::new(), prepared: None }
    }

    /// Whether it can begin.
    pub(super) fn is_ready(&self) -> bool {
        self.prepared.is_some()
    }

    /// The connection for it, if one could be prepared.
    pub(super) fn prepared(self) -> Option<Prepared> {
        self.prepared.flatten()
    }

    /// Waits until it is due, and prepares it. Never returns again once it can begin. Nothing is lost if this is dropped.
    pub(super) async fn prepare(&mut self, target: &Target, connector: &Connector) {
        let Some(due) = self.due.filter(|_| self.prepared.is_none()) else {
            return std::future::pending().await;
        };
        if self.preparation.is_empty() {
            sleep_until(due).await;
            let (target, connector) = (target.clone(), connector.clone());
            self.preparation.spawn(async move { target.prepare(&connector).await });
        }
        match self.preparation.join_next().await {
            Some(Ok(Ok(prepared))) => self.prepared = Some(prepared),
            Some(Ok(Err(error))) => {
                tracing::info!(%error, "a new session cannot begin yet; the session before it continues");
                self.due = Some(Instant::now() + AGAIN);
            }
            Some(Err(_)) | None => self.due = Some(Instant::now() + AGAIN),
        }
    }
}
