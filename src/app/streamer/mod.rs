//! Use-cases of streamers, and the watcher of their status.

mod ingest;
mod lookup;
mod poll;
mod poll_queue;
mod watch;
mod watcher;
mod watchlist;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

pub use watcher::Watcher;

use super::error::{Conflict, Unauthenticated};
use super::list::List;
use super::{AppError, Core, Result};
use crate::domain::access::{Action, Actor, Resource, Scope};
use crate::domain::invalid::{Checks, Invalid};
use crate::domain::page::Page;
use crate::domain::streamer::decide::Report;
use crate::domain::streamer::feed::WatchStatus;
use crate::domain::streamer::{
    ChannelId, ChatroomId, KickIds, Slug, StatusEvent, Streamer, StreamerPatch, UserId, display_name,
};
use crate::domain::{LogThrottle, StreamerId, Timestamp};
use crate::ports::{
    Change, Recorded, StatusUpdate, StoreError, StreamerFilter, Subject, WakeUp, WebhookError,
    WebhookHeaders, WebhookVerifier, Written,
};

const RESOURCE: Resource = Resource::READ_BY_ALL;

const KIND: &str = "streamer";
/// Most status changes in one answer.
pub const MOST_EVENTS: u32 = 500;

/// How streamers are watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamerSettings {
    /// A streamer must be offline this long before that is announced (`kick.flap_window`, default 15 s).
    pub flap_window: Duration,
    /// The time between two full polls (`kick.sweep_interval`, default 60 s).
    pub full_poll_interval: Duration,
    /// How long status changes are kept (`kick.history_retention`).
    pub history_retention: Duration,
    /// Whether this setup watches at all (`kick.feed` is set).
    pub is_on: bool,
}

impl Default for StreamerSettings {
    fn default() -> Self {
        Self {
            flap_window: Duration::from_secs(15),
            full_poll_interval: Duration::from_secs(60),
            history_retention: Duration::from_secs(365 * 86_400),
            is_on: false,
        }
    }
}

/// A streamer as a client describes it, not checked yet. `None` means no change.
#[derive(Clone, Debug, Default)]
pub struct StreamerDraft {
    /// The name on Kick; needed to create one.
    pub username: Option<String>,
    /// The owner's own name for the streamer.
    pub display_name: Option<String>,
    /// Whether the status is watched.
    pub is_active: Option<bool>,
    /// Kick's user id.
    pub user_id: Option<u64>,
    /// Kick's channel id.
    pub channel_id: Option<u64>,
    /// Kick's chatroom id.
    pub chatroom_id: Option<u64>,
    /// Whose it is; needed if the client belongs to several organizations. Only at the creation.
    pub organization_id: Option<String>,
}

impl StreamerDraft {
    fn check(&self) -> std::result::Result<StreamerPatch, Invalid> {
        let mut checks = Checks::default();
        let ids = KickIds {
            user: checks.take_opt(self.user_id.map(UserId::new)),
            channel: checks.take_opt(self.channel_id.map(ChannelId::new)),
            chatroom: checks.take_opt(self.chatroom_id.map(ChatroomId::new)),
        };
        let patch = StreamerPatch {
            username: checks.take_opt(self.username.as_deref().map(Slug::parse)),
            display_name: checks.take_opt(self.display_name.as_deref().map(display_name)),
            is_active: self.is_active,
            ids,
        };
        checks.finish().map(|()| patch)
    }
}

/// The streamers whose status on Kick is watched.
pub struct Streamers {
    core: Arc<Core>,
    settings: StreamerSettings,
    webhooks: Option<Arc<dyn WebhookVerifier>>,
    refused_webhooks: LogThrottle<()>,
}

impl Streamers {
    /// Kick's webhooks are accepted if there is a verifier for them.
    pub fn new(
        core: Arc<Core>,
        settings: StreamerSettings,
        webhooks: Option<Arc<dyn WebhookVerifier>>,
    ) -> Self {
        Self { core, settings, webhooks, refused_webhooks: LogThrottle::default() }
    }

    /// How streamers are watched.
    pub fn settings(&self) -> &StreamerSettings {
        &self.settings
    }

    /// The present time.
    pub fn now(&self) -> Timestamp {
        self.core.now()
    }

    /// Adds a streamer.
    pub async fn create(&self, actor: &Actor, draft: StreamerDraft) -> Result<Streamer> {
        let id = StreamerId(self.core.id());
        let entry = self.core.entry(actor, "create", KIND).on(&id);
        self.core
            .audited(&entry, async {
                let scope = actor.authorize(Action::Manage, &RESOURCE)?;
                let patch = draft.check()?;
                // Without a name the refusal is that of an empty one.
                let username = patch.username.clone().map_or_else(|| Slug::parse(""), Ok)?;
                let organization_id =
                    self.core.owner_of_new(&scope, draft.organization_id.as_deref()).await?;
                let now = self.core.now();
                let streamer = Streamer { organization_id, ..Streamer::new(id, &username, now) };
                let streamer = streamer.patched(&patch, now);
                let change = Change::new(&scope, &entry);
                let done = self.core.store.create_streamer(&streamer, change).await?;
                written(done, username.as_str())?;
                self.streamers_changed();
                Ok(streamer)
            })
            .await
    }

    /// One streamer.
    pub async fn get(&self, actor: &Actor, id: StreamerId) -> Result<Streamer> {
        let scope = actor.authorize(Action::Read, &RESOURCE)?;
        self.core.store.streamer(&scope, id).await?.ok_or(AppError::NotFound(KIND))
    }

    /// All streamers that pass the filter, by name. For a table that shows all of them.
    pub async fn all(&self, actor: &Actor, filter: &StreamerFilter) -> Result<Vec<Streamer>> {
        self.list(actor, filter, &Page::default()).await
    }

    /// Changes what the draft names. A new name clears status, session and ids; the history stays.
    pub async fn update(&self, actor: &Actor, id: StreamerId, draft: StreamerDraft) -> Result<Streamer> {
        let entry = self.core.entry(actor, "update", KIND).on(&id);
        self.core
            .audited(&entry, async {
                let scope = actor.authorize(Action::Manage, &RESOURCE)?;
                let patch = draft.check()?;
                let done = self.core.store.update_streamer(id, &patch, Change::new(&scope, &entry)).await?;
                let name = draft.username.as_deref().unwrap_or_default();
                let updated = written(done, name)?;
                self.streamers_changed();
                Ok(updated)
            })
            .await
    }

    /// Deletes a streamer and its history.
    pub async fn delete(&self, actor: &Actor, id: StreamerId) -> Result<()> {
        let entry = self.core.entry(actor, "delete", KIND).on(&id);
        self.core
            .audited(&entry, async {
                let scope = actor.authorize(Action::Manage, &RESOURCE)?;
                if !self.core.store.delete_streamer(id, Change::new(&scope, &entry)).await? {
                    return Err(AppError::NotFound(KIND));
                }
                self.streamers_changed();
                Ok(())
            })
            .await
    }

    /// A streamer's status changes before event `before`, newest first; at most [`MOST_EVENTS`].
    pub async fn status_events(
        &self,
        actor: &Actor,
        id: StreamerId,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<StatusEvent>> {
        let scope = actor.authorize(Action::Read, &RESOURCE)?;
        let turn = self.core.lists.turn().await;
        let found = turn.status_events(&scope, id, before, limit.min(MOST_EVENTS)).await?;
        found.ok_or(AppError::NotFound(KIND))
    }

    /// The watch status, for `/health`.
    pub async fn last_watch_status(&self) -> std::result::Result<Option<WatchStatus>, StoreError> {
        self.core.store.watch_status(&Scope::system()).await
    }

    /// The last stored watch status; `None` if no instance ever watched.
    pub async fn watch_status(&self, actor: &Actor) -> Result<Option<WatchStatus>> {
        let scope = actor.authorize(Action::Read, &RESOURCE)?;
        Ok(self.core.store.watch_status(&scope).await?)
    }

    /// Accepts a webhook from Kick and stores its report before it returns. A repeated report changes nothing.
    pub async fn receive_kick_webhook(&self, headers: &WebhookHeaders, body: &[u8]) -> Result<()> {
        let verifier =
            self.webhooks.as_ref().ok_or(AppError::NotFound("webhook here: kick.feed is not set"))?;
        let update = match verifier.verify(headers, body, self.core.now()).await {
            Ok(update) => update,
            Err(error) => {
                metrics::counter!("streamward_kick_webhooks_refused_total").increment(1);
                // Anybody can send these, in any number.
                if self.refused_webhooks.allow((), self.core.now()).is_some() {
                    tracing::warn!(%error, "a webhook is refused; others within a minute are only counted");
                } else {
                    tracing::debug!(%error, "a webhook is refused");
                }
                return Err(match error {
                    WebhookError::Body(_) => Invalid::one("body", error.to_string()).into(),
                    WebhookError::KeyUnavailable(_) => AppError::WebhookKeyUnavailable,
                    _ => Unauthenticated::Webhook(error).into(),
                });
            }
        };
        let Some(update) = update else { return Ok(()) };
        let Subject::User(user) = update.subject else { return Ok(()) };
        let filter = StreamerFilter { is_active: Some(true), user: Some(user), ..StreamerFilter::default() };
        let of = self.core.store.streamers(&Scope::system(), &filter, &Page::default()).await?;
        let reports: Vec<Report> = of.iter().map(|streamer| report_on(streamer.id, &update)).collect();
        let recorded = self.record_reports(&reports).await?;
        if recorded.iter().any(|one| one.change.is_some()) {
            // The watcher must read the watchlist again.
            self.core.wake_ups.send(WakeUp::Streamers);
        }
        Ok(())
    }

    /// Stores reports, counts them, and wakes the readers of events.
    pub(crate) async fn record_reports(
        &self,
        reports: &[Report],
    ) -> std::result::Result<Vec<Recorded>, StoreError> {
        let flap_window = self.settings.flap_window;
        let recorded = self.core.worker_store.record_reports(reports, flap_window, self.core.now()).await?;
        let mut is_announced = false;
        for (report, one) in reports.iter().zip(&recorded) {
            let outcome = one.outcome.map_or("not_watched", |outcome| outcome.as_str());
            metrics::counter!("streamward_kick_reports_total", "source" => report.source.as_str(), "outcome" => outcome)
                .increment(1);
            if let Some(change) = &one.change {
                tracing::info!(
                    streamer = %one.streamer, source = report.source.as_str(),
                    from = %change.previous_status, to = %change.new_status, "a streamer's status changed"
                );
            }
            is_announced |= one.announcement.is_some();
        }
        if is_announced {
            self.core.wake_ups.send(WakeUp::Events);
        }
        Ok(recorded)
    }

    fn streamers_changed(&self) {
        self.core.wake_ups.send(WakeUp::Streamers);
        self.core.wake_ups.send(WakeUp::Events);
    }
}

#[async_trait]
impl List for Streamers {
    type Filter = StreamerFilter;
    type Row = Streamer;

    /// By name.
    async fn list(
        &self,
        actor: &Actor,
        filter: &StreamerFilter,
        page: &Page<String>,
    ) -> Result<Vec<Streamer>> {
        let scope = actor.authorize(Action::Read, &RESOURCE)?;
        Ok(self.core.lists.turn().await.streamers(&scope, filter, page).await?)
    }
}

/// The update as a report on one of its rows.
fn report_on(streamer: StreamerId, update: &StatusUpdate) -> Report {
    let StatusUpdate { source, received_at: at, ref reported, .. } = *update;
    Report { streamer, source, at, reported: reported.clone() }
}

fn written<T>(done: Written<T>, name: &str) -> Result<T> {
    match done {
        Written::Done(done) => Ok(done),
        Written::NotFound => Err(AppError::NotFound(KIND)),
        Written::NameTaken => Err(Conflict::StreamerTaken(name.to_string()).into()),
    }
}
