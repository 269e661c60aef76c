//! The use-cases: the only way in, for HTTP, command line and workers alike.
//!
//! Each one authorises its [`Actor`], validates, decides (in the [domain](crate::domain)), stores in one transaction,
//! and only then talks to the outside. One file per slice.

pub mod access;
pub mod audit;
pub mod auth_rollup;
pub mod broadcaster;
pub mod error;
pub mod events;
pub mod health;
pub mod hook;
pub mod housekeeping;
pub mod key_cache;
pub mod media_server;
pub mod publish;
pub mod reconcile;
pub mod secrets;
pub mod settings;
pub mod stream;
pub mod stream_key;
pub mod streamer;
pub mod worker;

use std::sync::Arc;

use uuid::Uuid;

pub use error::{AppError, Result};
pub use settings::{MediaServerSettings, Settings};

use crate::domain::access::Actor;
use crate::domain::audit::AuditEntry;
use crate::domain::id::AuditId;
use crate::domain::secret::SecretHasher;
use crate::domain::{LogThrottle, Timestamp};
use crate::ports::{Clock, IdGen, Store, WakeUps, WebhookVerifier};

/// What the application is made of.
pub struct Parts {
    /// The store for `/auth` and nothing else: its connections are never taken by slower work.
    pub auth_store: Arc<dyn Store>,
    /// The store for the management API and the hooks.
    pub store: Arc<dyn Store>,
    /// The store for workers.
    pub worker_store: Arc<dyn Store>,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// Ids and randomness.
    pub ids: Arc<dyn IdGen>,
    /// WakeUps within and between instances.
    pub wake_ups: Arc<dyn WakeUps>,
    /// Tells Kick's webhooks from others; `None` if they are not heard.
    pub webhooks: Option<Arc<dyn WebhookVerifier>>,
    /// Hashes secrets as they are stored.
    pub hasher: SecretHasher,
    /// Limits, secrets and media servers.
    pub settings: Settings,
}

/// The application. Cheap to share behind an `Arc`; holds no state that must outlive the process.
pub struct App {
    parts: Parts,
    known: key_cache::KeyCache,
    rollup: auth_rollup::AuthRollup,
    feed: events::Feed,
    causes: reconcile::PollCauses,
    refused_webhooks: LogThrottle<()>,
}

impl App {
    /// Puts the application together. Nothing runs yet.
    pub fn new(parts: Parts) -> Arc<Self> {
        let known = key_cache::KeyCache::default();
        Arc::new(Self {
            parts,
            known,
            rollup: auth_rollup::AuthRollup::default(),
            feed: events::Feed::default(),
            causes: reconcile::PollCauses::default(),
            refused_webhooks: LogThrottle::default(),
        })
    }

    /// Limits, secrets and media servers.
    pub fn settings(&self) -> &Settings {
        &self.parts.settings
    }

    /// A fresh id for something that is not stored, such as a request.
    pub fn fresh_id(&self) -> Uuid {
        self.parts.ids.uuid()
    }

    /// The present time, by the clock everything here goes by.
    pub fn now(&self) -> Timestamp {
        self.parts.clock.now()
    }

    fn store(&self) -> &dyn Store {
        &*self.parts.store
    }

    /// The audit entry for what `actor` is about to do.
    fn act(&self, actor: &Actor, action: &str, resource_type: &str) -> AuditEntry {
        AuditEntry::of(AuditId(self.parts.ids.uuid()), self.now(), actor, action, resource_type)
    }

    /// Runs a write; if it is refused, that leaves an audit entry too.
    ///
    /// The entry of a success is written by the store, in the transaction of the write.
    async fn audited<T>(&self, entry: &AuditEntry, work: impl Future<Output = Result<T>>) -> Result<T> {
        let result = work.await;
        if let Err(error) = &result
            && let Some(reason) = error.refusal()
            && let Err(lost) = self.store().record_audit(&[entry.clone().failed(reason)]).await
        {
            tracing::error!(error = %lost, action = %entry.action, "the audit entry of a refused call is lost");
        }
        result
    }
}
