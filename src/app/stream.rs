//! Use-cases of streams: list them and end them.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{Instant, sleep, timeout_at};

use super::list::List;
use super::media_server::ConfiguredServers;
use super::poll_requests::PollRequests;
use super::{AppError, Core, Result};
use crate::domain::StreamId;
use crate::domain::access::{Action, Actor, Resource, Scope};
use crate::domain::media_server::PlaybackUrls;
use crate::domain::page::{Newest, Page};
use crate::domain::stream::{EndReason, IngestForm, Stream};
use crate::ports::{Change, StreamFilter};

const RESOURCE: Resource = Resource::READ_BY_ALL;

/// How often a waiting call checks whether a session has ended, without a wake-up.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// Live and ended streams.
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

    /// One stream, live or ended.
    pub async fn get(&self, actor: &Actor, id: StreamId) -> Result<Stream> {
        let scope = actor.authorize(Action::Read, &RESOURCE)?;
        self.core.store.stream(&scope, id).await?.ok_or(AppError::NotFound("stream"))
    }

    /// The URLs for viewers of a stream; `None` if its media server is no longer configured, or cannot show a private path
    /// at the public one.
    pub fn playback_urls(&self, stream: &Stream) -> Option<PlaybackUrls> {
        let server = self.servers.get(&stream.media_server)?;
        let is_shown = stream.ingest == IngestForm::NamedPath || server.capabilities.relay;
        is_shown.then(|| server.urls.playback(&stream.path))
    }

    /// Ends a stream's session; its key stays valid. Returns when the session has ended, or after 2 s.
    pub async fn end(&self, actor: &Actor, id: StreamId) -> Result<()> {
        let entry = self.core.entry(actor, "delete", "stream").on(&id);
        let stream = self
            .core
            .audited(&entry, async {
                let scope = actor.authorize(Action::Operate, &RESOURCE)?;
                let stream = self
                    .core
                    .store
                    .request_end(id, EndReason::EndedByOperator, Change::new(&scope, &entry))
                    .await?;
                stream.ok_or(AppError::NotFound("stream"))
            })
            .await?;
        if stream.is_active() {
            self.end_sessions(&[stream]).await;
        }
        Ok(())
    }

    /// Waits up to `end_wait` until the sessions of streams that are marked as ending have ended.
    ///
    /// The reconcile task ends them, here or on another instance, and continues after we stopped waiting.
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
                    // It has ended, or the database is unreachable and waiting does not help.
                    _ => break,
                }
                let next_check = (Instant::now() + POLL_INTERVAL).min(deadline);
                // If the channel lags or is closed, check again at the next interval.
                if timeout_at(next_check, wake_ups.recv()).await.is_ok_and(|wake_up| wake_up.is_err()) {
                    sleep(POLL_INTERVAL).await;
                }
            }
        }
    }
}

#[async_trait]
impl List for Streams {
    type Filter = StreamFilter;
    type Row = Stream;

    /// Newest first.
    async fn list(&self, actor: &Actor, filter: &StreamFilter, page: &Page<Newest>) -> Result<Vec<Stream>> {
        let scope = actor.authorize(Action::Read, &RESOURCE)?;
        Ok(self.core.lists.turn().await.streams(&scope, filter, page).await?)
    }
}
