//! Stream keys: the secret a broadcaster publishes with, bound to one path, and who holds it just now.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::invalid::{Invalid, text};
use super::media_server::Connection;
use super::path::StreamPath;
use super::{BroadcasterId, StreamKeyId, Timestamp};

/// What happens when a second connection comes with a key that is in use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnConflict {
    /// The newcomer is denied.
    #[default]
    Reject,
    /// The newcomer wins, the session that was there is ended.
    Takeover,
}

impl OnConflict {
    /// As it is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reject => "reject",
            Self::Takeover => "takeover",
        }
    }

    /// Reads what [`OnConflict::as_str`] wrote.
    ///
    /// # Errors
    /// [`Invalid`] naming `on_conflict`.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        match text {
            "reject" => Ok(Self::Reject),
            "takeover" => Ok(Self::Takeover),
            _ => Err(Invalid::one("on_conflict", "must be reject or takeover")),
        }
    }
}

/// Whether a key can be used; computed when it is asked for, so it never lags.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyStatus {
    /// It can.
    Active,
    /// Somebody revoked it.
    Revoked,
    /// Its time has passed.
    Expired,
}

/// A note of the owner on a key, 1 to 255 characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label(String);

impl Label {
    /// Checks and takes a label.
    ///
    /// # Errors
    /// [`Invalid`] naming `label`.
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

/// Which connection has a key. One key has one holder at most; that is what "in use" means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// Nobody.
    Free,
    /// A connection that was allowed to publish and is not seen live yet. This is the **claim**: it lapses at `until`.
    Claimed {
        /// Who was allowed.
        by: Connection,
        /// When the claim lapses.
        until: Timestamp,
    },
    /// A connection that is live.
    Live {
        /// Who it is.
        by: Connection,
    },
    /// The secret was replaced while this connection had the key. Anyone may claim the key with the new secret; until
    /// somebody does, whoever comes live was let in with the old one and is ended.
    Evicted {
        /// Who it was.
        by: Connection,
    },
}

impl Holder {
    /// The connection named, whatever its standing.
    pub fn connection(&self) -> Option<&Connection> {
        match self {
            Self::Free => None,
            Self::Claimed { by, .. } | Self::Live { by } | Self::Evicted { by } => Some(by),
        }
    }

    /// The connection that keeps others out at `now`.
    pub fn occupant(&self, now: Timestamp) -> Option<&Connection> {
        match self {
            Self::Claimed { by, until } if *until > now => Some(by),
            Self::Live { by } => Some(by),
            Self::Free | Self::Claimed { .. } | Self::Evicted { .. } => None,
        }
    }

    /// What remains when the secret is replaced: the connection that had the key may not come back with the old one.
    #[must_use]
    pub fn evicted(self) -> Self {
        match self {
            Self::Free => Self::Free,
            Self::Claimed { by, .. } | Self::Live { by } | Self::Evicted { by } => Self::Evicted { by },
        }
    }
}

/// A stream key without its secret, which nobody has once it was shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamKey {
    /// Its identity.
    pub id: StreamKeyId,
    /// Whose it is.
    pub broadcaster_id: BroadcasterId,
    /// The owner's note.
    pub label: Option<Label>,
    /// The one public path it publishes.
    pub path: StreamPath,
    /// The first characters of the secret, to tell keys apart.
    pub key_prefix: String,
    /// What a second connection meets.
    pub on_conflict: OnConflict,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it is invalid.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// When it last was allowed to publish.
    pub last_used_at: Option<Timestamp>,
    /// Who has it just now.
    pub holder: Holder,
}

impl StreamKey {
    /// Its status at `now`. A key that was revoked stays revoked when its time passes.
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

    /// Whether a connection has it at `now`, live or about to be.
    pub fn in_use(&self, now: Timestamp) -> bool {
        self.holder.occupant(now).is_some()
    }
}

/// Checks an expiry time.
///
/// # Errors
/// [`Invalid`] naming `expires_at` when it is not in the future.
pub fn expires_at(at: Timestamp, now: Timestamp) -> Result<Timestamp, Invalid> {
    if at > now {
        Ok(at)
    } else {
        Err(Invalid::one("expires_at", format!("must be in the future, and {at} is not")))
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
            broadcaster_id: BroadcasterId(Uuid::from_u128(3)),
            label: None,
            path: StreamPath::parse("live/alice").unwrap(),
            key_prefix: "sk_abcde".into(),
            on_conflict: OnConflict::Reject,
            created_at: Timestamp::from_seconds(1),
            expires_at: None,
            revoked_at: None,
            last_used_at: None,
            holder: Holder::Free,
        }
    }

    #[test]
    fn status_is_computed_at_the_time_of_asking() {
        let at = Timestamp::from_seconds(100);
        let expiring = StreamKey { expires_at: Some(at), ..key() };
        assert_eq!(expiring.status(at.minus(Duration::from_micros(1))), KeyStatus::Active);
        assert_eq!(expiring.status(at), KeyStatus::Expired);
        assert_eq!(StreamKey { revoked_at: Some(at), ..expiring }.status(at), KeyStatus::Revoked);
    }

    #[test]
    fn a_claim_occupies_until_it_lapses_and_a_evicted_connection_never_does() {
        let now = Timestamp::from_seconds(100);
        let by = connection("a");
        let claimed = Holder::Claimed { by: by.clone(), until: now };
        assert_eq!(claimed.occupant(now), None);
        assert_eq!(claimed.occupant(now.minus(Duration::from_micros(1))), Some(&by));
        assert_eq!(Holder::Live { by: by.clone() }.occupant(now), Some(&by));
        assert_eq!(Holder::Live { by: by.clone() }.evicted().occupant(now), None);
        assert_eq!(claimed.evicted().connection(), Some(&by));
    }
}
