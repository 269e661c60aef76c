//! Stream keys: the secret a broadcaster publishes with, bound to one path, and its current holder.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use strum::{EnumString, IntoStaticStr, VariantArray};

use super::invalid::{Invalid, text};
use super::media_server::Connection;
use super::page::newest_first;
use super::path::StreamPath;
use super::playback::PlaybackAccess;
use super::secret::SecretHash;
use super::{BroadcasterId, OrganizationId, StreamKeyId, Timestamp};

/// What happens when a second connection uses a key that is in use.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    IntoStaticStr,
    EnumString,
    VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum OnConflict {
    /// The newcomer is denied.
    #[default]
    Reject,
    /// The newcomer is allowed and the running session is disconnected.
    Takeover,
}

impl OnConflict {
    /// As it is stored and shown.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Reads what [`OnConflict::as_str`] wrote.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        text.parse().map_err(|_| Invalid::one("on_conflict", "must be reject or takeover"))
    }
}

/// Whether a key can be used. It is computed on every read, so it never lags.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, VariantArray)]
#[serde(rename_all = "snake_case")]
pub enum KeyStatus {
    /// It can be used.
    Active,
    /// It was revoked.
    Revoked,
    /// It has expired.
    Expired,
}

/// The owner's label of a key: 1 to 255 characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label(String);

impl Label {
    /// Parses a label.
    pub fn parse(value: &str) -> Result<Self, Invalid> {
        text("label", value, 1, 255).map(Self)
    }

    /// The label as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The connection that holds a key. A key has at most one holder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// No connection.
    Free,
    /// A connection that may publish and is not live yet. This is the **claim**; it lapses at `until`.
    Claimed {
        /// The connection.
        by: Connection,
        /// When the claim lapses.
        until: Timestamp,
    },
    /// A connection that is live.
    Live {
        /// The connection.
        by: Connection,
    },
    /// The secret was rotated while this connection held the key. Anyone may claim the key with the new secret. Until
    /// then, a session that goes live used the old secret and is disconnected.
    Evicted {
        /// The connection.
        by: Connection,
    },
}

impl Holder {
    /// The connection, whether or not it keeps others out.
    pub fn connection(&self) -> Option<&Connection> {
        match self {
            Self::Free => None,
            Self::Claimed { by, .. } | Self::Live { by } | Self::Evicted { by } => Some(by),
        }
    }

    /// The connection that keeps others out at `now`.
    pub fn active_holder(&self, now: Timestamp) -> Option<&Connection> {
        match self {
            Self::Claimed { by, until } if *until > now => Some(by),
            Self::Live { by } => Some(by),
            Self::Free | Self::Claimed { .. } | Self::Evicted { .. } => None,
        }
    }

    /// The holder after a rotation: the connection may not come back with the old secret.
    #[must_use]
    pub fn evicted(self) -> Self {
        match self {
            Self::Free => Self::Free,
            Self::Claimed { by, .. } | Self::Live { by } | Self::Evicted { by } => Self::Evicted { by },
        }
    }
}

/// How many takeovers of one key are allowed within [`TAKEOVER_WINDOW`].
pub const MAX_TAKEOVERS: u32 = 2;
/// Two encoders that both reconnect would otherwise take a key from each other all the time.
pub const TAKEOVER_WINDOW: Duration = Duration::from_secs(60);

/// Who claimed a key last, and when connections last took it from each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Takeovers {
    /// The address of the last claim, if it is known.
    pub claimed_from: Option<IpAddr>,
    /// The last takeover.
    pub last: Option<Timestamp>,
    /// The one before.
    pub before: Option<Timestamp>,
}

impl Takeovers {
    /// Whether another takeover at `now` would be one too many. A time far in the future is that of a clock that was ahead.
    pub fn are_exhausted(&self, now: Timestamp) -> bool {
        self.before.is_some_and(|at| at > now.minus(TAKEOVER_WINDOW) && at <= now.plus(TAKEOVER_WINDOW))
    }

    /// After a claim from this address at `now`.
    #[must_use]
    pub fn claimed(self, from: Option<IpAddr>, by_takeover_at: Option<Timestamp>) -> Self {
        match by_takeover_at {
            Some(now) => Self { claimed_from: from, last: Some(now), before: self.last },
            None => Self { claimed_from: from, ..self },
        }
    }
}

/// A stream key without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamKey {
    /// Its identity.
    pub id: StreamKeyId,
    /// Who owns it: as its broadcaster.
    pub organization_id: OrganizationId,
    /// The broadcaster.
    pub broadcaster_id: BroadcasterId,
    /// The owner's label.
    pub label: Option<Label>,
    /// The public path it publishes to.
    pub path: StreamPath,
    /// The first characters of the secret, to distinguish keys.
    pub key_prefix: String,
    /// What happens to a second connection.
    pub on_conflict: OnConflict,
    /// Who may watch its path; `None` as the installation says.
    pub playback_access: Option<PlaybackAccess>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it becomes invalid.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// When it was last used to publish.
    pub last_used_at: Option<Timestamp>,
    /// The current holder.
    pub holder: Holder,
    /// How connections took it from each other.
    pub takeovers: Takeovers,
}

newest_first!(StreamKey, created_at);

/// What the key cache keeps of a key that is not revoked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CachedKey {
    /// The hash of its secret.
    pub hash: SecretHash,
    /// The key.
    pub id: StreamKeyId,
    /// Its public path.
    pub path: StreamPath,
    /// When it becomes invalid.
    pub expires_at: Option<Timestamp>,
}

impl StreamKey {
    /// Its status at `now`. A revoked key stays revoked after its expiry.
    pub fn status(&self, now: Timestamp) -> KeyStatus {
        if self.revoked_at.is_some() {
            KeyStatus::Revoked
        } else if self.expires_at.is_some_and(|at| at <= now) {
            KeyStatus::Expired
        } else {
            KeyStatus::Active
        }
    }

    /// Whether it can be used at `now`.
    pub fn is_usable(&self, now: Timestamp) -> bool {
        self.status(now) == KeyStatus::Active
    }

    /// Whether a connection holds it at `now`, live or by a claim.
    pub fn in_use(&self, now: Timestamp) -> bool {
        self.holder.active_holder(now).is_some()
    }
}

/// Reads an expiry time and checks that it is in the future.
pub fn expires_at(text: &str, now: Timestamp) -> Result<Timestamp, Invalid> {
    let at: Timestamp = text.parse().map_err(|rule| Invalid::one("expires_at", rule))?;
    if at > now {
        Ok(at)
    } else {
        Err(Invalid::one("expires_at", format!("must be in the future, got {at}")))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::domain::media_server::{MediaServerName, SourceId};
    use std::time::Duration;
    use uuid::Uuid;

    pub(crate) fn connection(id: &str) -> Connection {
        Connection { server: MediaServerName::default(), id: SourceId::parse(id).unwrap() }
    }

    pub(crate) fn key() -> StreamKey {
        StreamKey {
            id: StreamKeyId(Uuid::from_u128(2)),
            organization_id: OrganizationId::DEFAULT,
            broadcaster_id: BroadcasterId(Uuid::from_u128(3)),
            label: None,
            path: StreamPath::parse("live/alice").unwrap(),
            key_prefix: "sk_abcde".into(),
            on_conflict: OnConflict::Reject,
            playback_access: None,
            created_at: Timestamp::from_seconds(1),
            expires_at: None,
            revoked_at: None,
            last_used_at: None,
            holder: Holder::Free,
            takeovers: Takeovers::default(),
        }
    }

    #[test]
    fn status_depends_on_the_time_of_reading() {
        let at = Timestamp::from_seconds(100);
        let expiring = StreamKey { expires_at: Some(at), ..key() };
        assert_eq!(expiring.status(at.minus(Duration::from_micros(1))), KeyStatus::Active);
        assert_eq!(expiring.status(at), KeyStatus::Expired);
        assert_eq!(StreamKey { revoked_at: Some(at), ..expiring }.status(at), KeyStatus::Revoked);
    }

    #[test]
    fn third_takeover_within_a_minute_is_one_too_many() {
        let at = Timestamp::from_seconds;
        let from = "192.0.2.7".parse().ok();
        let none = Takeovers::default();
        let two = none.claimed(from, Some(at(100))).claimed(from, Some(at(130)));
        assert_eq!(two, Takeovers { claimed_from: from, last: Some(at(130)), before: Some(at(100)) });
        assert!(!none.are_exhausted(at(130)) && !none.claimed(from, Some(at(100))).are_exhausted(at(130)));
        assert!(two.are_exhausted(at(130)) && two.are_exhausted(at(159)));
        assert!(!two.are_exhausted(at(160)), "a minute after the first of both");
        assert!(two.are_exhausted(at(40)) && !two.are_exhausted(at(39)), "a clock that was set back far");
        assert_eq!(two.claimed(None, None), Takeovers { claimed_from: None, ..two });
    }

    #[test]
    fn claim_keeps_others_out_until_it_lapses_and_eviction_never_does() {
        let now = Timestamp::from_seconds(100);
        let by = connection("a");
        let claimed = Holder::Claimed { by: by.clone(), until: now };
        assert_eq!(claimed.active_holder(now), None);
        assert_eq!(claimed.active_holder(now.minus(Duration::from_micros(1))), Some(&by));
        assert_eq!(Holder::Live { by: by.clone() }.active_holder(now), Some(&by));
        assert_eq!(Holder::Live { by: by.clone() }.evicted().active_holder(now), None);
        assert_eq!(claimed.evicted().connection(), Some(&by));
    }
}
