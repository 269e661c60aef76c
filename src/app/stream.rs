//! Use-cases of streams: who is live, and ending it.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use super::media_server::ConfiguredServers;
use super::poll_requests::PollRequests;
use super::{AppError, Core, Result};
use crate::domain::StreamId;
use crate::domain::access::{Action, Actor, Resource, Scope};
use crate::domain::media_server::PlaybackUrls;
use crate::domain::stream::{EndReason, Stream};
use crate::ports::StreamFilter;

/// How often a waiting call looks whether a session has ended, if no wake_up tells it.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// Who is live, who was, and ending it.
pub struct Streams {
    core: Arc<Core>,
    servers: Arc<ConfiguredServers>,
    polls: Arc<PollRequests>,
    end_wait: Duration,
}

impl Streams {
    /// A call that ends sessions waits up to `end_wait` for them to end.
    pub fn new(
        core: Arc<Core>,
        servers: Arc<ConfiguredServers>,
        polls: Arc<PollRequests>,
        end_wait: Duration,
    ) -> Self {
        Self { core, servers, polls, end_wait }
    }

    /// All streams that pass the filter, newest first.
    ///
    /// # Errors
    /// Forbidden; the store.
    pub async fn list(&self, actor: &Actor, filter: &StreamFilter) -> Result<Vec<Stream>> {
        let scope = actor.authorize(Action::Read, &Resource::Stream)?;
        Ok(self.core.store.streams(&scope, filter).await?)
    }

    /// One stream, live or ended.
    ///
    /// # Errors
    /// Forbidden; not found; the store.
    pub async fn get(&self, actor: &Actor, id: StreamId) -> Result<Stream> {
        let scope = actor.authorize(Action::Read, &Resource::Stream)?;
        self.core.store.stream(&scope, id).await?.ok_or(AppError::NotFound("stream"))
    }

    /// Where viewers find a stream; `None` if its media server is no longer configured.
    pub fn playback_urls(&self, stream: &Stream) -> Option<PlaybackUrls> {
        let server = self.servers.get(&stream.media_server)?;
        Some(server.urls.playback(&stream.path))
    }

    /// Ends a stream's session; its key stays valid. Done when the session has been told, or after 2 s.
    ///
    /// # Errors
    /// Forbidden below operator; not found; the store.
    pub async fn end(&self, actor: &Actor, id: StreamId) -> Result<()> {
        let entry = self.core.entry(actor, "delete", "stream").on(&id);
        let stream = self
            .core
            .audited(&entry, async {
                let scope = actor.authorize(Action::Operate, &Resource::Stream)?;
                let stream =
                    self.core.store.request_end(&scope, id, EndReason::EndedByOperator, &entry).await?;
                stream.ok_or(AppError::NotFound("stream"))
            })
            .await?;
        if stream.is_active() {
            self.end_sessions(&[stream]).await;
        }
        Ok(())
    }

    /// Has the sessions of streams that are marked as ending ended, and waits up to `end_wait` for that.
    ///
    /// The reconcile worker does the work, here or on another instance, and goes on after we stopped waiting.
    pub(super) async fn end_sessions(&self, ending: &[Stream]) {
        let deadline = Instant::now() + self.end_wait;
        let mut wake_ups = self.core.wake_ups.listen();
        for stream in ending {
            self.polls.request(&stream.media_server);
        }
        for stream in ending {
            while Instant::now() < deadline {
                match self.core.store.stream(&Scope::system(), stream.id).await {
                    Ok(Some(now)) if now.is_active() => {}
                    // Gone; or the database is away, and waiting for it here helps nobody.
                    _ => break,
                }
                let look = (Instant::now() + POLL_INTERVAL).min(deadline);
                // A lagging or closed channel only means that we look again at the next interval.
                if timeout_at(look, wake_ups.recv()).await.is_ok_and(|wake_up| wake_up.is_err()) {
                    sleep(POLL_INTERVAL).await;
                }
            }
        }
    }
}
