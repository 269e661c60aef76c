//! What is known about media servers.

use async_trait::async_trait;

use super::{Assignment, StoreError};
use crate::domain::Timestamp;
use crate::domain::access::Scope;
use crate::domain::media_server::{MediaServerName, MediaServerStatus};

/// How a look at a media server went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PollResult {
    /// It answered in full.
    Succeeded {
        /// Its version, if it tells.
        version: Option<String>,
        /// Its run, if it tells.
        run: Option<String>,
        /// How many differences were repaired.
        repaired: u64,
    },
    /// It did not; why, in words without secrets.
    Failed(String),
}

/// How a media server last got in touch by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Contact {
    /// It asked for an auth decision.
    Auth,
    /// One of its hooks arrived.
    Hook,
}

/// The records of media servers.
#[async_trait]
pub trait MediaServerStore: Send + Sync {
    /// MUST record the look, under the assignment; `since` changes only when reachability does, `drift_repaired` adds up.
    async fn record_poll(
        &self,
        assignment: &Assignment,
        server: &MediaServerName,
        look: &PollResult,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// MUST record that the server got in touch at `now`; never moves backwards. Needs no assignment.
    async fn record_contact(
        &self,
        server: &MediaServerName,
        contact: Contact,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// MUST return what is known of all servers that were ever recorded, by name.
    async fn media_servers(&self, scope: &Scope) -> Result<Vec<MediaServerStatus>, StoreError>;
}
