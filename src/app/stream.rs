//! Use-cases of streams: who is live, and ending it.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use super::{App, AppError, Result};
use crate::domain::StreamId;
use crate::domain::access::{Actor, Role};
use crate::domain::media_server::PlaybackUrls;
use crate::domain::stream::{EndReason, Stream};
use crate::ports::{StreamFilter, WakeUp};

/// How often a waiting call looks whether a session has ended, if no wake_up tells it.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

impl App {
    /// All streams that pass the filter, newest first.
    ///
    /// # Errors
    /// Forbidden; the store.
    pub async fn streams(&self, actor: &Actor, filter: &StreamFilter) -> Result<Vec<Stream>> {
        actor.require(Role::Viewer)?;
        Ok(self.store().streams(filter).await?)
    }

    /// One stream, live or ended.
    ///
    /// # Errors
    /// Forbidden; not found; the store.
    pub async fn stream(&self, actor: &Actor, id: StreamId) -> Result<Stream> {
        actor.require(Role::Viewer)?;
        self.store().stream(id).await?.ok_or(AppError::NotFound("stream"))
    }

    /// Where viewers find a stream; `None` if its media server is no longer configured.
    pub fn playback_urls(&self, stream: &Stream) -> Option<PlaybackUrls> {
        let server = self.settings().media_servers.get(&stream.media_server)?;
        Some(server.urls.playback(&stream.path))
    }

    /// Ends a stream's session; its key stays valid. Done when the session has been told, or after 2 s.
    ///
    /// # Errors
    /// Forbidden below operator; not found; the store.
    pub async fn end_stream(&self, actor: &Actor, id: StreamId) -> Result<()> {
        let entry = self.act(actor, "delete", "stream").on(&id);
        let stream = self
            .audited(&entry, async {
                actor.require(Role::Operator)?;
                let stream = self.store().request_end(id, EndReason::EndedByOperator, &entry).await?;
                stream.ok_or(AppError::NotFound("stream"))
            })
            .await?;
        if stream.is_active() {
            self.end_sessions(&[stream]).await;
        }
        Ok(())
    }

    /// Has the sessions of streams that are marked as ending ended, and waits for that up to
    /// [`end_wait`](super::Settings::end_wait).
    ///
    /// The reconcile worker does the work, here or on another instance, and goes on after we stopped waiting.
    pub(super) async fn end_sessions(&self, ending: &[Stream]) {
        let deadline = Instant::now() + self.settings().end_wait;
        let mut wake_ups = self.parts.wake_ups.listen();
        for stream in ending {
            self.note_poll_cause(&stream.media_server);
            self.parts.wake_ups.send(WakeUp::Reconcile(stream.media_server.clone()));
        }
        for stream in ending {
            while Instant::now() < deadline {
                match self.store().stream(stream.id).await {
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
