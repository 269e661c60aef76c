//! Keeps the app's webhook subscriptions equal to the watched streamers.
//!
//! Subscriptions belong to the app and outlive this process. They are listed at the start and regularly (Kick removes
//! them when webhooks fail for a day), missing ones are created, and unwanted ones are deleted: only those to the one
//! event we use, and only after a while, because a new process wants nobody for a moment. Two installations with one app
//! would delete each other's subscriptions; each needs its own app.
//!
//! The webhooks arrive over HTTP ([`super::KickWebhooks`]).

use std::collections::{BTreeMap, BTreeSet};
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::{Method, StatusCode};
use serde_json::json;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout};

use super::dto;
use super::http::KickHttp;
use super::webhook::{STATUS_UPDATED, STATUS_VERSION};
use crate::domain::streamer::feed::{FeedState, FeedStatus};
use crate::domain::streamer::{Source, UserId};
use crate::ports::{FeedSignal, RemoteError, StatusFeed, Subject, Wanted};

const PATH: &str = "/public/v1/events/subscriptions";
/// Most deletions in one call: 50 works, some 330 were refused.
const MOST_DELETED: usize = 50;
/// New subscriptions are reported in batches of this size.
const REPORT_AFTER: usize = 10;
/// Most pages of a list that are read.
const MOST_PAGES: usize = 200;

/// When subscriptions are listed, retried and deleted.
#[derive(Clone, Copy, Debug)]
pub struct SubscriptionSettings {
    /// The time between two listings.
    pub list: Duration,
    /// The pause after a failure.
    pub retry: Duration,
    /// The pause after Kick refused us.
    pub refused_retry: Duration,
    /// How long a subscription must be unwanted before it is deleted.
    pub delete_after: Duration,
}

impl Default for SubscriptionSettings {
    fn default() -> Self {
        Self {
            list: Duration::from_mins(10),
            retry: Duration::from_secs(30),
            refused_retry: Duration::from_mins(5),
            delete_after: Duration::from_secs(60),
        }
    }
}

/// Keeps the app's subscriptions.
pub struct WebhookSubscriptions {
    kick: Arc<KickHttp>,
    settings: SubscriptionSettings,
}

impl WebhookSubscriptions {
    /// Shares the credentials and the rate limit of `kick`.
    pub fn new(kick: Arc<KickHttp>, settings: SubscriptionSettings) -> Self {
        Self { kick, settings }
    }
}

#[async_trait]
impl StatusFeed for WebhookSubscriptions {
    async fn watch(&self, mut wanted: watch::Receiver<Arc<Wanted>>, out: mpsc::Sender<FeedSignal>) {
        let mut sync = SubscriptionSync {
            kick: &self.kick,
            settings: self.settings,
            out,
            listed_at: None,
            present: BTreeMap::new(),
            unwanted: BTreeMap::new(),
            reported: BTreeSet::new(),
            refused: BTreeMap::new(),
            full: false,
            status: None,
        };
        sync.show(&Wanted::default(), None).await;
        loop {
            let now = Arc::clone(&wanted.borrow_and_update());
            let error = sync.round(&now, &wanted).await.err();
            let wait = sync.wait(error.as_ref());
            sync.report(&now).await;
            sync.show(&now, error.as_ref()).await;
            if let Ok(Err(_)) = timeout(wait, wanted.changed()).await {
                // The sender is gone.
                tokio::time::sleep(wait).await;
            }
        }
    }
}

/// The id of a new subscription, if Kick returned one; or why Kick refuses it.
type Created = Result<Option<String>, String>;

struct SubscriptionSync<'a> {
    kick: &'a KickHttp,
    settings: SubscriptionSettings,
    out: mpsc::Sender<FeedSignal>,
    listed_at: Option<Instant>,
    /// The ids of the subscriptions that exist.
    present: BTreeMap<UserId, Vec<String>>,
    /// Unwanted subscriptions, and since when.
    unwanted: BTreeMap<UserId, Instant>,
    /// The users that were reported as subscribed.
    reported: BTreeSet<UserId>,
    /// Users whose subscription Kick refused, and why; retried after the next listing.
    refused: BTreeMap<UserId, String>,
    /// Whether there is no room for more.
    full: bool,
    status: Option<FeedStatus>,
}

impl SubscriptionSync<'_> {
    /// Creates and deletes subscriptions; ends early when the wanted users change.
    async fn round(
        &mut self,
        wanted: &Wanted,
        changes: &watch::Receiver<Arc<Wanted>>,
    ) -> Result<(), RemoteError> {
        if self.listed_at.is_none_or(|at| at.elapsed() >= self.settings.list) {
            self.present = self.list().await?;
            self.listed_at = Some(Instant::now());
            self.refused.clear();
            self.full = false;
        }
        self.report(wanted).await;
        self.delete(wanted).await?;
        let is_missing =
            |user: &&UserId| !self.present.contains_key(user) && !self.refused.contains_key(user);
        let missing: Vec<UserId> = wanted.users.iter().filter(is_missing).copied().collect();
        for (n, user) in missing.into_iter().enumerate() {
            if self.full || changes.has_changed().unwrap_or(false) {
                break;
            }
            match self.make(user).await? {
                Ok(id) => self.present.entry(user).or_default().extend(id),
                Err(why) if is_full(&why) => {
                    tracing::warn!("Kick gives this app no more event subscriptions");
                    self.full = true;
                }
                Err(why) => {
                    tracing::info!(%user, why, "Kick gives no event subscription to this user");
                    self.refused.insert(user, why);
                }
            }
            if (n + 1) % REPORT_AFTER == 0 {
                self.report(wanted).await;
                self.show(wanted, None).await;
            }
        }
        Ok(())
    }

    /// How long until there is something to do, if nothing changes.
    fn wait(&self, error: Option<&RemoteError>) -> Duration {
        match error {
            Some(error) if refuses_us(error) => self.settings.refused_retry,
            Some(_) => self.settings.retry,
            None => {
                let list = self.listed_at.map(|at| self.settings.list.saturating_sub(at.elapsed()));
                let deletes = self.unwanted.values();
                let deletes = deletes.map(|at| self.settings.delete_after.saturating_sub(at.elapsed()));
                list.into_iter().chain(deletes).min().unwrap_or(self.settings.retry)
            }
        }
    }

    /// Reports users that are subscribed now.
    async fn report(&mut self, wanted: &Wanted) {
        let is_present = |user: &&UserId| self.present.contains_key(user);
        let subscribed: BTreeSet<UserId> = wanted.users.iter().filter(is_present).copied().collect();
        let fresh: Vec<Subject> =
            subscribed.difference(&self.reported).map(|user| Subject::User(*user)).collect();
        self.reported = subscribed;
        if !fresh.is_empty() {
            self.send(FeedSignal::Subscribed(fresh)).await;
        }
    }

    async fn show(&mut self, wanted: &Wanted, error: Option<&RemoteError>) {
        let (all, subscribed) = (wanted.users.len(), self.reported.len());
        let state = match error {
            Some(error) if refuses_us(error) => FeedState::Rejected,
            Some(_) if self.listed_at.is_some() => FeedState::Degraded,
            Some(_) => FeedState::Connecting,
            None if self.listed_at.is_none() => FeedState::Connecting,
            None if subscribed < all => FeedState::Degraded,
            None => FeedState::Connected,
        };
        let missing = all.saturating_sub(subscribed);
        let error = match error {
            Some(error) => Some(format!("Kick {error}")),
            None if self.full && missing > 0 => Some(format!(
                "Kick gives this app no more event subscriptions: only full polls cover {missing} streamers; a \
                 verified app gets more"
            )),
            None => self.refused.values().next().map(|why| {
                let count = self.refused.len();
                format!("Kick gives no event subscription to {count} streamers, for example because: {why}")
            }),
        };
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let status = FeedStatus {
            provider: Some(Source::Webhook),
            state,
            wanted: count(all),
            subscribed: count(subscribed),
            error,
            ..FeedStatus::default()
        };
        if self.status.as_ref() != Some(&status) {
            self.status = Some(status.clone());
            self.send(FeedSignal::Status(status)).await;
        }
    }

    async fn send(&self, signal: FeedSignal) {
        if self.out.send(signal).await.is_err() {
            // The receiver is gone, so this future is about to be dropped.
            pending::<()>().await;
        }
    }

    async fn list(&self) -> Result<BTreeMap<UserId, Vec<String>>, RemoteError> {
        let mut found: BTreeMap<UserId, Vec<String>> = BTreeMap::new();
        let mut cursor: Option<String> = None;
        for _ in 0..MOST_PAGES {
            let path = at(cursor.iter().map(|cursor| ("cursor", cursor.as_str())));
            let answer = self.kick.call("subscriptions", Method::GET, &path, None).await?;
            let body = answer.ok()?;
            for item in answer.items(&body, dto::subscription)? {
                if item.event == STATUS_UPDATED
                    && item.version.is_none_or(|version| version == STATUS_VERSION)
                {
                    found.entry(item.user).or_default().push(item.id);
                }
            }
            cursor = dto::next_cursor(&body);
            if cursor.is_none() {
                return Ok(found);
            }
        }
        Err(RemoteError::Malformed("subscriptions: its pages have no end".to_owned()))
    }

    async fn make(&self, user: UserId) -> Result<Created, RemoteError> {
        let event = json!({"name": STATUS_UPDATED, "version": STATUS_VERSION});
        let body = json!({"broadcaster_user_id": user.get(), "method": "webhook", "events": [event]});
        let answer = self.kick.call("subscribe", Method::POST, PATH, Some(&body)).await?;
        if matches!(
            answer.status,
            StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND | StatusCode::UNPROCESSABLE_ENTITY
        ) {
            return Ok(Err(answer.message()));
        }
        let body = answer.ok()?;
        let item = body["data"].get(0);
        let item = item.ok_or_else(|| answer.malformed("there is no subscription in it"))?;
        Ok(dto::text(item, "error").map_or_else(|| Ok(dto::text(item, "subscription_id")), Err))
    }

    /// Deletes subscriptions that were unwanted for a while, and duplicates of a user.
    async fn delete(&mut self, wanted: &Wanted) -> Result<(), RemoteError> {
        self.unwanted.retain(|user, _| self.present.contains_key(user) && !wanted.users.contains(user));
        let mut gone: Vec<(UserId, String)> = Vec::new();
        for (user, ids) in &self.present {
            // The id of a new subscription may be unknown until the next listing.
            let keep = if wanted.users.contains(user) || ids.is_empty() {
                1
            } else {
                let since = *self.unwanted.entry(*user).or_insert_with(Instant::now);
                if since.elapsed() < self.settings.delete_after { 1 } else { 0 }
            };
            gone.extend(ids.iter().skip(keep).map(|id| (*user, id.clone())));
        }
        for batch in gone.chunks(MOST_DELETED) {
            let path = at(batch.iter().map(|(_, id)| ("id", id.as_str())));
            let answer = self.kick.call("unsubscribe", Method::DELETE, &path, None).await?;
            // It is deleted already.
            if !answer.status.is_success() && answer.status != StatusCode::NOT_FOUND {
                return Err(answer.error());
            }
            for (user, id) in batch {
                let Some(ids) = self.present.get_mut(user) else { continue };
                ids.retain(|other| other != id);
                if ids.is_empty() {
                    self.present.remove(user);
                    self.unwanted.remove(user);
                }
            }
            self.full = false;
        }
        Ok(())
    }
}

/// The path of subscriptions, with a query unless it is empty.
fn at<'a>(pairs: impl Iterator<Item = (&'static str, &'a str)>) -> String {
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    if query.is_empty() { PATH.to_owned() } else { format!("{PATH}?{query}") }
}

/// Whether a retry soon would be useless.
fn refuses_us(error: &RemoteError) -> bool {
    matches!(
        error,
        RemoteError::Unauthorised | RemoteError::Unsupported(_) | RemoteError::Status { status: 403, .. }
    )
}

/// Whether Kick reports that the app may have no more subscriptions.
fn is_full(why: &str) -> bool {
    why.to_ascii_lowercase().contains("limit reached")
}
