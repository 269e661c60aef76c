//! The store of media servers.

use async_trait::async_trait;

use super::{Assignment, Result};
use crate::domain::Timestamp;
use crate::domain::access::Scope;
use crate::domain::media_server::{MediaServerName, MediaServerStatus};

/// The result of a poll.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PollResult {
    /// It answered in full.
    Succeeded {
        /// Its version, if known.
        version: Option<String>,
        /// Its run, if known.
        run: Option<String>,
        /// How many differences were repaired.
        repaired: u64,
    },
    /// It did not. The reason, without secrets.
    Failed(String),
}

/// How a media server calls us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Contact {
    /// It requested an auth decision.
    Auth,
    /// One of its hooks arrived.
    Hook,
}

/// The records of media servers.
#[async_trait]
pub trait MediaServerStore: Send + Sync {
    /// MUST record the poll, under the assignment; `since` changes only when reachability does, `drift_repaired` adds up.
    /// MUST write the event that is [missing](crate::domain::event::MediaServerEvent::missing) then, for the default
    /// organization, and return whether there is one.
    async fn record_poll(
        &self,
        assignment: &Assignment,
        server: &MediaServerName,
        result: &PollResult,
        now: Timestamp,
    ) -> Result<bool>;

    /// MUST record that the server called at `now`; never moves backwards. Needs no assignment.
    async fn record_contact(&self, server: &MediaServerName, contact: Contact, now: Timestamp) -> Result<()>;

    /// MUST return all servers that were ever recorded, by name.
    async fn media_servers(&self, scope: &Scope) -> Result<Vec<MediaServerStatus>>;
}
