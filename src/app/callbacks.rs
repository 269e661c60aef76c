//! The callbacks of a media server that sends auth requests and hooks alike, and that never replaces a publisher (SRS).

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::Core;
use super::hook::{HookMessage, Hooks};
use super::poll_requests::PollRequests;
use super::publish::PublishAuth;
use super::request_lines::LineKind;
use crate::domain::StreamKeyId;
use crate::domain::access::Scope;
use crate::domain::credentials::{Action, AuthRequest};
use crate::domain::media_server::MediaServerName;
use crate::domain::page::Page;
use crate::domain::path::{IngestPath, StreamPath};
use crate::domain::publish::DenyReason;
use crate::domain::reconcile::HookKind;
use crate::ports::StreamFilter;

/// How long an answer may take. A decision alone takes up to 0.6 s.
const ANSWER: Duration = Duration::from_millis(800);
/// How often a waiting answer checks whether the former publisher is gone.
const CHECK_INTERVAL: Duration = Duration::from_millis(25);

/// Answers callbacks, each within a second.
pub struct Callbacks {
    core: Arc<Core>,
    publish: Arc<PublishAuth>,
    hooks: Hooks,
    polls: Arc<PollRequests>,
}

impl Callbacks {
    /// Decisions are those of `publish`, reports go to `hooks`.
    pub fn new(core: Arc<Core>, publish: Arc<PublishAuth>, hooks: Hooks, polls: Arc<PollRequests>) -> Self {
        Self { core, publish, hooks, polls }
    }

    /// Decides whether a client of `server` may do what it requests.
    ///
    /// The media server checks after the answer whether the path has a publisher, and refuses a second one. So a takeover
    /// waits here, within the limit, until the reconcile task has disconnected the former publisher. If that takes longer,
    /// the new publisher is refused, and comes in when it tries again.
    pub async fn decide(&self, server: &MediaServerName, request: &AuthRequest) -> Result<(), DenyReason> {
        let deadline = Instant::now() + ANSWER;
        let decision = self.publish.decide(server, request).await;
        decision.result?;
        if request.action == Action::Publish {
            // Nothing reports that it is live.
            self.polls.request(server);
            let path = decision
                .path
                .as_deref()
                .filter(|_| decision.may_replace)
                .and_then(|path| StreamPath::parse(path).ok());
            if let Some((key, path)) = decision.key.zip(path) {
                let gone = self.former_publisher_is_gone(server, key, path, request);
                let _ = timeout_at(deadline, gone).await;
            }
        }
        Ok(())
    }

    /// Returns when no other stream of the key is live on `server`, or nobody knows.
    async fn former_publisher_is_gone(
        &self,
        server: &MediaServerName,
        key: StreamKeyId,
        path: StreamPath,
        request: &AuthRequest,
    ) {
        let filter =
            StreamFilter { path: Some(path), media_server: Some(server.clone()), ..StreamFilter::default() };
        while let Ok(live) = self.core.store.streams(&Scope::system(), &filter, &Page::default()).await {
            let is_other = |id| Some(id) != request.connection.as_ref();
            if !live.iter().any(|s| s.stream_key_id == key && s.source_id.as_ref().is_some_and(is_other)) {
                return;
            }
            sleep(CHECK_INTERVAL).await;
        }
    }

    /// Takes a report that a publisher left. If it is lost, the next regular poll finds the change.
    pub async fn publisher_left(
        &self,
        server: &MediaServerName,
        path: IngestPath,
        source_id: Option<String>,
    ) {
        let message = HookMessage { kind: HookKind::NotReady, path, source_type: None, source_id };
        let taken = timeout(ANSWER, self.hooks.accept(server, message)).await;
        let error = match taken {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(_) => "the database did not answer in time".to_owned(),
        };
        let kind = LineKind { line: "a report could not be stored", ..LineKind::default() };
        if self.core.lines.allow(&kind, self.core.now()) {
            tracing::warn!(%server, error, "a report that a publisher left could not be stored; the next poll finds the change");
        }
    }
}
