//! The store of playback tokens and of the keys that sign them.

use async_trait::async_trait;

use super::{Change, Result};
use crate::domain::access::Scope;
use crate::domain::audit::AuditEntry;
use crate::domain::page::{Newest, Page};
use crate::domain::path_pattern::PathPattern;
use crate::domain::playback::{PathRule, PlaybackToken, PlaybackTokenId, RevokedToken, SealedKey};
use crate::domain::{StreamKeyId, Timestamp};

/// What changed since an earlier change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlaybackChanges {
    /// The number of the last change.
    pub last: i64,
    /// What was revoked since. It may have later ones, too.
    pub revoked: Vec<RevokedToken>,
}

/// Playback tokens, without the tokens themselves; their signing keys; and what stream keys say about who may watch.
#[async_trait]
pub trait PlaybackStore: Send + Sync {
    /// MUST store the token, with the audit entry.
    async fn create_playback_token(&self, token: &PlaybackToken, by: Change<'_>) -> Result<()>;

    /// MUST return the page of all tokens, newest first, ties by id. Tokens of no organization are in no scope but that of all.
    async fn playback_tokens(&self, scope: &Scope, page: &Page<Newest>) -> Result<Vec<PlaybackToken>>;

    /// MUST revoke the token, as a change with a number of its own, with the audit entry. MUST be idempotent: a second call
    /// writes nothing. Returns the token as it is now, or `None`.
    async fn revoke_playback_token(
        &self,
        id: PlaybackTokenId,
        by: Change<'_>,
    ) -> Result<Option<PlaybackToken>>;

    /// MUST revoke all tokens that are active and open a path that `path` does, as one change with a number of its own, with
    /// the audit entry. Returns them; if there are none, nothing is written.
    async fn revoke_playback_tokens_for(
        &self,
        path: &PathPattern,
        by: Change<'_>,
    ) -> Result<Vec<RevokedToken>>;

    /// MUST return what was revoked after the change `after` and has not expired at `now`, and the number of the last change.
    /// The numbers are in the order in which changes become visible.
    async fn playback_changes(&self, after: i64, now: Timestamp) -> Result<PlaybackChanges>;

    /// MUST return the signing keys in the order of their numbers.
    async fn playback_keys(&self) -> Result<Vec<SealedKey>>;

    /// MUST store the key, as a change with a number of its own, with the audit entry if there is one, unless there is a key
    /// with this number or a later one; and with `alone` remove
    /// all others and revoke all active tokens. Returns whether it did. Of concurrent calls with
    /// the same number exactly one MUST.
    async fn add_playback_key(
        &self,
        key: &SealedKey,
        alone: bool,
        audit: Option<&AuditEntry>,
    ) -> Result<bool>;

    /// MUST remove the keys with numbers below `first`, as a change with a number of its own if there are any.
    async fn remove_playback_keys(&self, first: i64) -> Result<u64>;

    /// MUST remove tokens that expired before `before`; returns how many.
    async fn prune_playback_tokens(&self, before: Timestamp) -> Result<u64>;

    /// MUST return what all keys say about their paths, also revoked and expired ones, in the order of their ids, from behind
    /// `after`; at most `limit`.
    async fn path_rules(&self, after: Option<StreamKeyId>, limit: u32) -> Result<Vec<PathRule>>;

    /// MUST return what those of these keys that exist say, in the order of their ids.
    async fn path_rules_of(&self, ids: &[StreamKeyId]) -> Result<Vec<PathRule>>;
}
