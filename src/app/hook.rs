//! Hooks of media servers: stored as hook events, then handled by a poll.

use std::sync::Arc;

use tracing::Instrument as _;

use super::grace::Grace;
use super::media_server::MediaServers;
use super::poll_requests::PollRequests;
use super::{Core, Result};
use crate::domain::media_server::{MediaServerName, SourceId, SourceKind};
use crate::domain::path::IngestPath;
use crate::domain::reconcile::{HookEvent, HookKind};
use crate::ports::Contact;

/// The content of a hook.
#[derive(Clone, Debug)]
pub struct HookMessage {
    /// Which hook.
    pub kind: HookKind,
    /// The path as the media server names it.
    pub path: IngestPath,
    /// The kind of session, if known.
    pub source_type: Option<String>,
    /// The session, if known.
    pub source_id: Option<String>,
}

/// Accepts the hooks of media servers.
pub struct Hooks {
    core: Arc<Core>,
    media_servers: Arc<MediaServers>,
    polls: Arc<PollRequests>,
    grace: Arc<Grace>,
}

impl Hooks {
    /// A hook is a contact of its media server, and requests a poll of it.
    pub fn new(
        core: Arc<Core>,
        media_servers: Arc<MediaServers>,
        polls: Arc<PollRequests>,
        grace: Arc<Grace>,
    ) -> Self {
        Self { core, media_servers, polls, grace }
    }

    /// Stores the hook of `server` and requests a poll. If the store fails, the hook is lost, and the next regular poll
    /// finds the change.
    pub async fn accept(&self, server: &MediaServerName, message: HookMessage) -> Result<()> {
        let now = self.core.now();
        let (path, hash) = match message.path {
            IngestPath::Public(path) => (Some(path), None),
            IngestPath::Private(private) => (None, Some(self.core.hasher.key(private.secret()))),
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
            source_kind: message
                .source_type
                .filter(|t| !t.is_empty())
                .map(|name| SourceKind::from_name(&name)),
            at: now,
        };
        tracing::info!(%server, kind = hook_event.kind.as_str(), path = hook_event.path.as_ref().map(tracing::field::display),
            source_id = hook_event.source_id.as_ref().map(tracing::field::display), "hook");
        self.media_servers.note_contact(server, Contact::Hook);
        if hook_event.kind == HookKind::NotReady {
            self.grace.release(server, hook_event.path.as_ref(), hook_event.hash.as_ref());
        }
        self.core
            .store
            .record_hook_event(&hook_event)
            .instrument(tracing::info_span!("store.record_hook_event"))
            .await?;
        self.polls.request(server);
        Ok(())
    }
}
