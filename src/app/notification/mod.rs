//! Use-cases of notifications: subscriptions to events, and what became of their messages.

mod deliver;
mod sealed;
mod send;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Semaphore;

use super::list::List;
use super::{AppError, Core, Result};
use crate::domain::Timestamp;
use crate::domain::access::{Action, Actor, Resource, Role};
use crate::domain::audit::AuditEntry;
use crate::domain::invalid::{Checks, Invalid};
use crate::domain::notification::{
    Delivery, DeliveryId, DeliveryState, Envelope, Filter, Kind, Notification, NotificationId,
    NotificationPatch, Reply, SigningSecret, notification_name,
};
use crate::domain::page::{Newest, Page};
use crate::ports::{Change, Mailer, NotificationSender, StoreError, StoredNotification, WakeUp};
use sealed::Sealed;

pub use deliver::NotificationTasks;

const RESOURCE: Resource = Resource::read_by(Role::Operator);
const KIND: &str = "notification";
/// How many messages this instance sends at once, to all receivers.
const AT_ONCE: usize = 32;
/// How often a change is tried while others change the same.
const CHANGES: u32 = 5;

/// How messages are sent.
#[derive(Clone, Copy, Debug)]
pub struct NotificationSettings {
    /// The wait after the first failed attempt. It doubles each time.
    pub retry_after: Duration,
    /// How long a message is tried.
    pub give_up_after: Duration,
    /// How long an old signing secret is used beside a new one.
    pub rotation: Duration,
}

/// A subscription as a client describes it, not checked yet.
#[derive(Clone, Debug, Default)]
pub struct NotificationDraft {
    /// The name; needed to create one.
    pub name: Option<String>,
    /// How the receiver is reached; only at the creation.
    pub kind: Option<String>,
    /// Where messages go: an address, which may be a secret.
    pub target: Option<String>,
    /// Topics; empty for all.
    pub topics: Option<Vec<String>>,
    /// Paths; empty for all.
    pub paths: Option<Vec<String>>,
    /// The lowest severity.
    pub severity: Option<String>,
    /// Whether it is turned on.
    pub enabled: Option<bool>,
    /// Whose events. Only at the creation.
    pub organization_id: Option<String>,
}

/// A subscription, and its signing secret if the call made one.
#[derive(Clone, Debug)]
pub struct NotificationWithSecret {
    /// The subscription.
    pub notification: Notification,
    /// The secret. It is shown only once.
    pub secret: Option<SigningSecret>,
    /// Until when the old secret is used too.
    pub old_secret_until: Option<Timestamp>,
}

/// Subscriptions to events.
pub struct Notifications {
    core: Arc<Core>,
    sender: Option<Arc<dyn NotificationSender>>,
    mailer: Option<Arc<dyn Mailer>>,
    settings: NotificationSettings,
    places: Semaphore,
}

impl Notifications {
    /// Sends with `sender` and `mailer`.
    pub fn new(
        core: Arc<Core>,
        sender: Option<Arc<dyn NotificationSender>>,
        mailer: Option<Arc<dyn Mailer>>,
        settings: NotificationSettings,
    ) -> Self {
        Self { core, sender, mailer, settings, places: Semaphore::new(AT_ONCE) }
    }

    /// Creates a subscription. It hears of events from now on.
    pub async fn create(&self, actor: &Actor, draft: NotificationDraft) -> Result<NotificationWithSecret> {
        let id = NotificationId(self.core.id());
        let entry = self.core.entry(actor, "create", KIND).on(&id);
        self.core
            .audited(&entry, async {
                let scope = actor.authorize(Action::Manage, &RESOURCE)?;
                let mut checks = Checks::default();
                let name = checks.take(notification_name(draft.name.as_deref().unwrap_or_default()));
                let kind = checks.take(parse_kind(draft.kind.as_deref().unwrap_or_default()));
                let filter = checks.take(filter_of(&draft, &Filter::default()));
                let target = draft.target.unwrap_or_default();
                checks.take_opt(kind.map(|kind| self.check_target(kind, &target)));
                checks.finish()?;
                let (Some(name), Some(kind), Some(filter)) = (name, kind, filter) else {
                    return Err(AppError::NotFound(KIND));
                };
                let named = draft.organization_id.as_deref();
                let organization_id = match (named, scope.organizations()) {
                    (None, None) => None,
                    _ => Some(self.core.owner_of_new(&scope, named).await?),
                };
                let secret =
                    (kind == Kind::Webhook).then(|| SigningSecret::from_random(self.core.ids.random32()));
                let sealed = Sealed::new(&target, secret.as_ref()).seal(&self.core, id);
                let now = self.core.now();
                let notification = Notification {
                    id,
                    organization_id,
                    name,
                    kind,
                    target: kind.shown_target(&target),
                    filter,
                    enabled: draft.enabled.unwrap_or(true),
                    problem: None,
                    created_at: now,
                    updated_at: now,
                };
                let by = Change::new(&scope, &entry);
                self.core.store.create_notification(&notification, &sealed, by).await?;
                self.core.wake_ups.send(WakeUp::Notifications);
                Ok(NotificationWithSecret { notification, secret, old_secret_until: None })
            })
            .await
    }

    /// One subscription.
    pub async fn get(&self, actor: &Actor, id: NotificationId) -> Result<Notification> {
        let scope = actor.authorize(Action::Read, &RESOURCE)?;
        let found = self.core.store.notification(&scope, id).await?;
        found.map(|found| found.notification).ok_or(AppError::NotFound(KIND))
    }

    /// Changes what the draft names.
    pub async fn update(
        &self,
        actor: &Actor,
        id: NotificationId,
        draft: NotificationDraft,
    ) -> Result<Notification> {
        let patch = |StoredNotification { notification: old, sealed, .. }: StoredNotification| {
            let mut checks = Checks::default();
            let name = checks.take_opt(draft.name.as_deref().map(notification_name));
            let filter = checks.take(filter_of(&draft, &old.filter));
            checks.take_opt(draft.target.as_deref().map(|target| self.check_target(old.kind, target)));
            checks.finish()?;
            let target = draft.target.as_deref().map(|target| old.kind.shown_target(target));
            let reseal = |target: &String| {
                let opened = Sealed::open(&self.core, id, &sealed)?;
                Ok((sealed.clone(), opened.with_target(target).seal(&self.core, id)))
            };
            let sealed = draft.target.as_ref().map(reseal).transpose().map_err(AppError::Store)?;
            Ok(NotificationPatch { name, filter, enabled: draft.enabled, target, sealed })
        };
        let entry = self.core.entry(actor, "update", KIND).on(&id);
        self.change(actor, entry, id, patch).await
    }

    /// Makes a new signing secret. The old one is used too for a day, so that the receiver can change.
    pub async fn rotate_secret(&self, actor: &Actor, id: NotificationId) -> Result<NotificationWithSecret> {
        let secret = SigningSecret::from_random(self.core.ids.random32());
        let until = self.core.now().plus(self.settings.rotation);
        let patch = |stored: StoredNotification| {
            if stored.notification.kind != Kind::Webhook {
                return Err(Invalid::one("kind", "must be webhook: only webhooks are signed").into());
            }
            let opened = Sealed::open(&self.core, id, &stored.sealed)?;
            let sealed = Some((stored.sealed, opened.rotated(&secret, until).seal(&self.core, id)));
            Ok(NotificationPatch { sealed, ..NotificationPatch::default() })
        };
        let entry = self.core.entry(actor, "rotate", KIND).on(&id);
        let notification = self.change(actor, entry, id, patch).await?;
        Ok(NotificationWithSecret { notification, secret: Some(secret), old_secret_until: Some(until) })
    }

    /// Deletes a subscription and its messages.
    pub async fn delete(&self, actor: &Actor, id: NotificationId) -> Result<()> {
        let entry = self.core.entry(actor, "delete", KIND).on(&id);
        self.core
            .audited(&entry, async {
                let scope = actor.authorize(Action::Manage, &RESOURCE)?;
                let by = Change::new(&scope, &entry);
                if !self.core.store.delete_notification(id, by).await? {
                    return Err(AppError::NotFound(KIND));
                }
                self.core.wake_ups.send(WakeUp::Notifications);
                Ok(())
            })
            .await
    }

    /// Sends a test message now. It is not repeated and not listed.
    pub async fn test(&self, actor: &Actor, id: NotificationId) -> Result<Reply> {
        let scope = actor.authorize(Action::Operate, &RESOURCE)?;
        let stored = self.core.store.notification(&scope, id).await?.ok_or(AppError::NotFound(KIND))?;
        let envelope = Envelope::of_test(&stored.notification.name, self.core.now());
        Ok(self.send(&stored, DeliveryId(self.core.id()), id.0, &envelope).await)
    }

    /// Sends one message again, or all that are dead; returns how many.
    pub async fn replay(&self, actor: &Actor, id: NotificationId, one: Option<DeliveryId>) -> Result<u64> {
        let entry = self.core.entry(actor, "replay", KIND).on(&id);
        self.core
            .audited(&entry, async {
                let scope = actor.authorize(Action::Manage, &RESOURCE)?;
                let until = self.core.now().plus(self.settings.give_up_after);
                let by = Change::new(&scope, &entry);
                let count = self.core.store.replay_deliveries(id, one, until, by).await?;
                self.core.wake_ups.send(WakeUp::Notifications);
                count.ok_or(AppError::NotFound(if one.is_some() { "delivery" } else { KIND }))
            })
            .await
    }

    /// Stores the patch that is made of the subscription as it is. If its secrets change meanwhile, once more.
    async fn change(
        &self,
        actor: &Actor,
        entry: AuditEntry,
        id: NotificationId,
        patch: impl Fn(StoredNotification) -> Result<NotificationPatch>,
    ) -> Result<Notification> {
        let changed = async {
            let scope = actor.authorize(Action::Manage, &RESOURCE)?;
            let store = &self.core.store;
            for _ in 0..CHANGES {
                let stored = store.notification(&scope, id).await?.ok_or(AppError::NotFound(KIND))?;
                let by = Change::new(&scope, &entry);
                if let Some(updated) = store.update_notification(id, &patch(stored)?, by).await? {
                    self.core.wake_ups.send(WakeUp::Notifications);
                    return Ok(updated);
                }
            }
            let why = format!("notification {id} is changed by others all the time");
            Err(StoreError::Unavailable(why).into())
        };
        self.core.audited(&entry, changed).await
    }

    fn check_target(&self, kind: Kind, target: &str) -> std::result::Result<(), Invalid> {
        if kind == Kind::Email && self.mailer.is_none() {
            return Err(Invalid::one("kind", "must not be email: no mail server is set (mail.smtp_url)"));
        }
        kind.check_target(target)
    }
}

fn parse_kind(text: &str) -> std::result::Result<Kind, Invalid> {
    text.parse().map_err(|_| Invalid::one("kind", "must be webhook, email, discord, slack or ntfy"))
}

/// The filter that the draft makes of the one before.
fn filter_of(draft: &NotificationDraft, old: &Filter) -> std::result::Result<Filter, Invalid> {
    let severity = match &draft.severity {
        Some(text) => {
            text.parse().map_err(|_| Invalid::one("severity", "must be info, warning or critical"))?
        }
        None => old.severity,
    };
    let topics = draft.topics.clone().unwrap_or_else(|| old.topics.clone());
    let paths = || old.paths.iter().map(ToString::to_string).collect();
    Filter::parse(topics, &draft.paths.clone().unwrap_or_else(paths), severity)
}

#[async_trait]
impl List for Notifications {
    type Filter = ();
    type Row = Notification;

    /// Newest first.
    async fn list(&self, actor: &Actor, (): &(), page: &Page<Newest>) -> Result<Vec<Notification>> {
        let scope = actor.authorize(Action::Read, &RESOURCE)?;
        Ok(self.core.lists.turn().await.notifications(&scope, page).await?)
    }
}

/// The messages of subscriptions.
pub struct Deliveries {
    core: Arc<Core>,
}

impl Deliveries {
    /// Over the stores of `core`.
    pub fn new(core: Arc<Core>) -> Self {
        Self { core }
    }
}

#[async_trait]
impl List for Deliveries {
    type Filter = (NotificationId, Option<DeliveryState>);
    type Row = Delivery;

    /// Those of one subscription, newest first.
    async fn list(&self, actor: &Actor, of: &Self::Filter, page: &Page<Newest>) -> Result<Vec<Delivery>> {
        let scope = actor.authorize(Action::Read, &RESOURCE)?;
        let turn = self.core.lists.turn().await;
        let found = turn.deliveries(&scope, of.0, of.1, page).await?;
        if found.is_empty() && turn.notification(&scope, of.0).await?.is_none() {
            return Err(AppError::NotFound(KIND));
        }
        Ok(found)
    }
}
