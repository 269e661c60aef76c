//! The store of stream keys. It makes the publish decision atomic.

use std::time::Duration;

use async_trait::async_trait;

use super::{Change, Result};
use crate::domain::access::Scope;
use crate::domain::page::{Newest, Page};
use crate::domain::path::StreamPath;
use crate::domain::playback::PlaybackAccess;
use crate::domain::publish::PublishRequest;
use crate::domain::secret::SecretHash;
use crate::domain::stream::Stream;
use crate::domain::stream_key::{CachedKey, KeyStatus, StreamKey};
use crate::domain::{BroadcasterId, StreamKeyId, Timestamp};

/// The result of creating a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyCreation {
    /// It is stored.
    Created,
    /// Its owner has no such broadcaster; nothing was written.
    UnknownBroadcaster,
    /// Another usable key has the path; nothing was written.
    PathTaken,
}

/// The result of replacing a key's secret.
#[derive(Clone, Debug, PartialEq)]
pub enum Rotation {
    /// There is no such key; nothing was written.
    NotFound,
    /// The key cannot be used any more, so it cannot be rotated; nothing was written.
    NotUsable(KeyStatus),
    /// The old secret is invalid.
    Rotated {
        /// The key as it is now.
        key: Box<StreamKey>,
        /// The streams that must end now.
        ending: Vec<Stream>,
    },
}

/// The result of changing a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyUpdate {
    /// There is no such key; nothing was written.
    NotFound,
    /// The key cannot be used any more, so it cannot be changed; nothing was written.
    NotUsable(KeyStatus),
    /// The key as it is now.
    Updated(Box<StreamKey>),
}

/// The result of revoking a key.
#[derive(Clone, Debug, PartialEq)]
pub struct Revocation {
    /// The key as it is now.
    pub key: StreamKey,
    /// The streams that must end now.
    pub ending: Vec<Stream>,
    /// Whether this call revoked it.
    pub newly: bool,
}

/// A filter of keys; `None` does not restrict.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyFilter {
    /// Of this broadcaster.
    pub broadcaster_id: Option<BroadcasterId>,
    /// With this path.
    pub path: Option<StreamPath>,
}

/// Stream keys.
#[async_trait]
pub trait StreamKeyStore: Send + Sync {
    /// MUST store the key under the hash of its secret, with a `stream_key.created` event and the audit entry.
    /// MUST refuse a broadcaster of another organization. MUST refuse a second *usable* key (not revoked, not expired at `key.created_at`) for a path, also of two
    /// concurrent calls.
    async fn create_stream_key(
        &self,
        key: &StreamKey,
        hash: &SecretHash,
        by: Change<'_>,
    ) -> Result<KeyCreation>;

    /// MUST return the key as it was last stored, or `None`.
    async fn stream_key(&self, scope: &Scope, id: StreamKeyId) -> Result<Option<StreamKey>>;

    /// MUST return the page of the keys that pass the filter, newest first, ties by id.
    async fn stream_keys(
        &self,
        scope: &Scope,
        filter: &KeyFilter,
        page: &Page<Newest>,
    ) -> Result<Vec<StreamKey>>;

    /// MUST make the old secret invalid and the new one valid at once, evict the present holder, mark active streams of
    /// the key as ending (`key_rotated`), and write a `stream_key.rotated` event and the audit entry.
    async fn rotate_stream_key(
        &self,
        id: StreamKeyId,
        hash: &SecretHash,
        key_prefix: &str,
        by: Change<'_>,
    ) -> Result<Rotation>;

    /// MUST store who may watch the path of the key, with a `stream_key.updated` event and the audit entry.
    async fn set_playback_access(
        &self,
        id: StreamKeyId,
        access: Option<PlaybackAccess>,
        by: Change<'_>,
    ) -> Result<KeyUpdate>;

    /// MUST make the key invalid at once, mark its active streams as ending (`key_revoked`), and write a
    /// `stream_key.revoked` event and the audit entry. MUST be idempotent: a second call changes nothing about the
    /// key, writes no event and no audit entry, and still returns what has not ended yet. `None` if there is no such
    /// key.
    async fn revoke_stream_key(&self, id: StreamKeyId, by: Change<'_>) -> Result<Option<Revocation>>;

    /// MUST return the paths that are reserved by keys and follow `path` in the order of the alphabet, `path` itself included,
    /// and those before it; at most `limit` of each.
    async fn paths_near(&self, path: &str, limit: u32) -> Result<Vec<StreamPath>>;

    /// Decides and claims in **one statement**. MUST set the holder, and what it says of takeovers, exactly when
    /// [`decide_publish`](crate::domain::publish::decide_publish) returns `Ok` for the row in the database. MUST return
    /// the row after that; `None` if no key has the hash. If it did not set the holder, that row can be a later one, and
    /// free again. Of concurrent calls with different connections exactly one
    /// MUST become the holder. A claim MUST set `last_used_at`. Without a connection the row MUST NOT change.
    async fn claim_for_publish(
        &self,
        hash: &SecretHash,
        request: &PublishRequest,
        now: Timestamp,
        claim_ttl: Duration,
    ) -> Result<Option<StreamKey>>;
}

/// What the key cache is made of.
#[async_trait]
pub trait CachedKeyStore: Send + Sync {
    /// MUST return the keys that are not revoked, in order of their hash, from behind `after`; at most `limit`.
    async fn cached_keys(&self, after: Option<SecretHash>, limit: u32) -> Result<Vec<CachedKey>>;

    /// MUST return those of these keys that exist and are not revoked, in order of their hash.
    async fn cached_keys_of(&self, ids: &[StreamKeyId]) -> Result<Vec<CachedKey>>;
}
