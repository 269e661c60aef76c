//! Requests to poll a media server at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracing::Span;

use crate::domain::media_server::MediaServerName;
use crate::ports::{WakeUp, WakeUps};

/// Wakes the reconcile loops, and remembers the tracing span of each request, so that the poll is part of its trace.
/// Other instances do not know the span.
pub struct PollRequests {
    wake_ups: Arc<dyn WakeUps>,
    causes: Mutex<HashMap<MediaServerName, Span>>,
}

impl PollRequests {
    /// No poll is requested yet.
    pub fn new(wake_ups: Arc<dyn WakeUps>) -> Self {
        Self { wake_ups, causes: Mutex::default() }
    }

    /// Requests a poll of `server` by the instance that reconciles it.
    pub(super) fn request(&self, server: &MediaServerName) {
        self.causes().insert(server.clone(), Span::current());
        self.wake_ups.send(WakeUp::Reconcile(server.clone()));
    }

    /// Requests a poll of `server` if this instance reconciles it. Never waits for a database.
    pub(super) fn request_local(&self, server: &MediaServerName) {
        self.causes().insert(server.clone(), Span::current());
        self.wake_ups.send_local(WakeUp::Reconcile(server.clone()));
    }

    /// The span of the last request.
    pub(super) fn take_cause(&self, server: &MediaServerName) -> Option<Span> {
        self.causes().remove(server)
    }

    fn causes(&self) -> MutexGuard<'_, HashMap<MediaServerName, Span>> {
        self.causes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
