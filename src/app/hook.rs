//! Hooks of media servers: kept as hook_events, then looked into at once.

use tracing::Instrument as _;

use super::{App, Result};
use crate::domain::media_server::{MediaServerName, SourceId, SourceKind};
use crate::domain::path::IngestPath;
use crate::domain::reconcile::{HookEvent, HookKind};
use crate::ports::{Contact, WakeUp};

/// What a hook said.
#[derive(Clone, Debug)]
pub struct HookMessage {
    /// Which hook.
    pub kind: HookKind,
    /// The path as the media server names it.
    pub path: IngestPath,
    /// What kind of session, if it said so.
    pub source_type: Option<String>,
    /// Which session, if it said so.
    pub source_id: Option<String>,
}

impl App {
    /// Keeps the hook of `server` until it has been looked into. Returns once it is stored.
    ///
    /// # Errors
    /// The store; the hook is then lost, and the next look finds what it would have told.
    pub async fn take_hook(&self, server: &MediaServerName, message: HookMessage) -> Result<()> {
        let now = self.now();
        let (path, hash) = match message.path {
            IngestPath::Public(path) => (Some(path), None),
            IngestPath::Private(private) => (None, Some(self.parts.hasher.key(private.secret()))),
            IngestPath::Other(_) => (None, None),
        };
        metrics::counter!("streamward_hooks_total", "media_server" => server.to_string(), "kind" => message.kind.as_str())
            .increment(1);
        let hook_event = HookEvent {
            server: server.clone(),
            kind: message.kind,
            path,
            hash,
            source_id: message.source_id.as_deref().and_then(SourceId::parse),
            source_kind: message.source_type.filter(|t| !t.is_empty()).map(SourceKind),
            at: now,
        };
        tracing::info!(%server, kind = hook_event.kind.as_str(), path = hook_event.path.as_ref().map(tracing::field::display),
            source_id = hook_event.source_id.as_ref().map(tracing::field::display), "hook");
        self.rollup.contact(server, Contact::Hook, now);
        self.store()
            .record_hook_event(&hook_event)
            .instrument(tracing::info_span!("store.record_hook_event"))
            .await?;
        self.note_poll_cause(server);
        self.parts.wake_ups.send(WakeUp::Reconcile(server.clone()));
        Ok(())
    }
}
