//! Keeps [`PlaybackGuard`] up to date, and rotates the signing keys.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::broadcast::{Receiver, error::TryRecvError};
use tokio::time::Instant;

use super::PlaybackGuard;
use super::rules::PathRules;
use crate::app::Core;
use crate::app::events::Events;
use crate::app::task::{PeriodicTask, Task, TaskContext, TaskError, Tick};
use crate::domain::StreamKeyId;
use crate::domain::event::{BroadcasterEventKind, Event, EventBody, StreamKeyEventKind, Topic};
use crate::domain::playback::SealedKey;
use crate::ports::WakeUp;

/// From this many changed keys on, the rules of all are loaded.
const MANY_CHANGES: usize = 500;
/// How many rules are read at once.
const PAGE: u32 = 10_000;
/// All rules are loaded this often in any case: it repairs what an event that this version cannot read would have changed.
const RELOAD_INTERVAL: Duration = Duration::from_secs(600);

/// Reads which tokens are revoked, the signing keys, and what stream keys say about who may watch.
pub struct PlaybackRefresh {
    core: Arc<Core>,
    guard: Arc<PlaybackGuard>,
    events: Arc<Events>,
    heard: [Receiver<Arc<Event>>; 2],
    /// How old a signing key gets.
    key_age: Duration,
    keys: Vec<SealedKey>,
    /// The last change of tokens and keys that was read; negative before the first.
    last_change: i64,
    /// When all rules were loaded; `None` if they must be loaded now.
    loaded_at: Option<Instant>,
    changed: BTreeSet<StreamKeyId>,
}

impl PlaybackRefresh {
    /// Nothing is read yet. A signing key is replaced when it is `key_age` old.
    pub fn new(core: Arc<Core>, guard: Arc<PlaybackGuard>, events: Arc<Events>, key_age: Duration) -> Self {
        let heard = [Topic::StreamKey, Topic::Broadcaster].map(|topic| events.listen(topic));
        let (keys, changed) = (Vec::new(), BTreeSet::new());
        Self { core, guard, events, heard, key_age, keys, last_change: -1, loaded_at: None, changed }
    }

    fn take_events(&mut self) {
        for heard in &mut self.heard {
            loop {
                match heard.try_recv().as_deref() {
                    Ok(Event { body: EventBody::StreamKey(key), .. }) => match key.kind {
                        StreamKeyEventKind::Created | StreamKeyEventKind::Updated => {
                            self.changed.insert(key.id);
                        }
                        // It still says who may watch what was recorded.
                        StreamKeyEventKind::Rotated | StreamKeyEventKind::Revoked => {}
                    },
                    Ok(Event { body: EventBody::Broadcaster(broadcaster), .. }) => {
                        if broadcaster.kind == BroadcasterEventKind::Deleted {
                            self.loaded_at = None;
                        }
                    }
                    // Neither topic has others.
                    Ok(_) => {}
                    Err(TryRecvError::Lagged(_)) => self.loaded_at = None,
                    Err(TryRecvError::Empty | TryRecvError::Closed) => break,
                }
            }
        }
    }

    async fn refresh_rules(&mut self) -> Result<(), TaskError> {
        self.take_events();
        let is_fresh = self.loaded_at.is_some_and(|at| at.elapsed() < RELOAD_INTERVAL);
        if !is_fresh || self.changed.len() >= MANY_CHANGES {
            self.events.begin().await?;
            let (mut rules, mut after) = (PathRules::default(), None);
            loop {
                let page = self.core.worker_store.path_rules(after, PAGE).await?;
                rules.load(&page);
                if page.len() < PAGE as usize {
                    break;
                }
                after = page.last().map(|rule| rule.id);
            }
            rules.finish();
            self.guard.replace_rules(rules);
            self.loaded_at = Some(Instant::now());
        } else if !self.changed.is_empty() {
            let changed: Vec<StreamKeyId> = self.changed.iter().copied().collect();
            self.guard.change_rules(&self.core.worker_store.path_rules_of(&changed).await?);
        }
        self.changed.clear();
        Ok(())
    }

    async fn refresh_tokens(&mut self) -> Result<(), TaskError> {
        let now = self.core.now();
        let changes = self.core.worker_store.playback_changes(self.last_change, now).await?;
        if changes.last != self.last_change {
            self.guard.revoke(&changes.revoked);
            self.keys = self.core.worker_store.playback_keys().await?;
            self.guard.take_keys(&self.core.sealer, &self.keys);
            self.last_change = changes.last;
        }
        self.guard.forget_expired(now);
        Ok(())
    }

    /// Makes a new key when the last one is old, and removes those of which no token can be valid.
    async fn rotate(&mut self) -> Result<(), TaskError> {
        let now = self.core.now();
        if let Some(last) = self.keys.last().filter(|last| last.created_at.plus(self.key_age) <= now) {
            let random = [self.core.ids.random32(), self.core.ids.random32()];
            let key = SealedKey::after(Some(last), false, &self.core.sealer, random, now);
            if self.core.worker_store.add_playback_key(&key, false, None).await? {
                tracing::info!(signs_from = %key.signs_from, "made a new key for playback tokens");
                self.core.wake_ups.send(WakeUp::Playback);
            }
        }
        let first = SealedKey::first_needed(&self.keys, now);
        if let Some(first) = first.filter(|first| self.keys.iter().any(|key| key.number < *first)) {
            self.core.worker_store.remove_playback_keys(first).await?;
        }
        Ok(())
    }
}

impl Task for PlaybackRefresh {
    fn name(&self) -> String {
        "playback-guard".into()
    }

    fn description(&self) -> &'static str {
        "Keeps in memory who may watch which path, and rotates the keys of playback tokens."
    }
}

#[async_trait]
impl PeriodicTask for PlaybackRefresh {
    fn interval(&self) -> Duration {
        Duration::from_secs(1)
    }

    /// As that of the key cache.
    fn limit(&self) -> Duration {
        Duration::from_secs(120)
    }

    fn wakes_on(&self, wake_up: &WakeUp) -> bool {
        matches!(wake_up, WakeUp::Playback | WakeUp::Topic(Topic::StreamKey | Topic::Broadcaster))
    }

    async fn tick(&mut self, _: &TaskContext) -> Result<Tick, TaskError> {
        self.refresh_tokens().await?;
        self.refresh_rules().await?;
        self.guard.set_loaded();
        self.rotate().await?;
        Ok(Tick::default())
    }
}
