//! Refused attempts to publish, to watch or to use an API, ours too, as operators see them: equal ones are one row with their number.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest as _, Sha256};
use strum::{EnumString, IntoStaticStr};

use super::id::id;
use super::media_server::MediaServerName;
use super::network::Network;
use super::page::{Newest, Placed};
use super::path::StreamPath;
use super::publish::DenyReason;
use super::stream_key::StreamKey;
use super::{OrganizationId, StreamKeyId, Timestamp};

/// How many rows are kept of keys that are known, and as many of those that are not. The oldest make room.
pub const MAX_AUTH_FAILURES: u32 = 500;

/// The cause of the row that counts the attempts whose rows made room for newer ones.
const REMOVED: &str = "removed";

id!(/// Names a row of refused attempts. It is made of what they have in common, so all instances make the same one.
    AuthFailureId);

/// What equal attempts have in common. It never contains a key that was sent.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RefusedAttempt {
    /// Who owns the key; `None` if it is not known.
    pub organization_id: Option<OrganizationId>,
    /// The word for the reason.
    pub cause: String,
    /// More about it.
    pub detail: Option<String>,
    /// The media server that asked; `None` if attempts on several are counted together.
    pub media_server: Option<MediaServerName>,
    /// The protocol, if it is one.
    pub protocol: Option<String>,
    /// The requested path, if it can be shown.
    pub path: Option<String>,
    /// The key, if the one that was sent is known.
    pub key: Option<KeyOfAttempt>,
    /// The address of the client.
    pub ip_address: Option<String>,
}

/// The key of a refused attempt.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeyOfAttempt {
    /// Its id.
    pub id: StreamKeyId,
    /// The path that it is for.
    pub path: StreamPath,
    /// The first characters of its secret.
    pub prefix: String,
}

impl From<&StreamKey> for KeyOfAttempt {
    fn from(key: &StreamKey) -> Self {
        Self { id: key.id, path: key.path.clone(), prefix: key.key_prefix.clone() }
    }
}

/// A wrong secret for the management API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumString, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum WrongSecret {
    /// An API token with a wrong shape or checksum.
    MalformedToken,
    /// An API token that does not exist.
    UnknownToken,
    /// A signed request whose signature is wrong.
    WrongSignature,
    /// A signed request with a key id that is not configured.
    UnknownKeyId,
    /// A wrong password, or no such user.
    WrongPassword,
    /// The right password with a wrong code of the second factor.
    WrongCode,
    /// A password that was not checked, because too many were wrong.
    DelayedPassword,
}

impl WrongSecret {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    fn advice(self) -> &'static str {
        match self {
            Self::MalformedToken => "The API token is mistyped or incomplete: copy it again.",
            Self::UnknownToken => {
                "The API token does not exist or was deleted. Find the program that sends it, and give it a new one."
            }
            Self::WrongSignature => {
                "The secret that the program signs with is not the configured one, or it signs something else: see `X-Signature` in the API's documentation."
            }
            Self::UnknownKeyId => "Add the key id to api.hmac_keys, or let the program send another.",
            Self::WrongPassword => {
                "If nobody at this address mistyped a password, somebody guesses: ask users for a second factor."
            }
            Self::WrongCode => {
                "Somebody at this address knows a password. If it is not its owner, the password must be changed; the audit log names the user."
            }
            Self::DelayedPassword => {
                "Too many passwords were wrong. Each further attempt waits longer; nobody is locked out."
            }
        }
    }
}

/// An address with wrong secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offender {
    /// Its address, or its IPv6 network.
    pub address: String,
    /// How many attempts there were.
    pub attempts: u64,
    /// How many different paths were requested, as far as they were kept apart.
    pub paths: usize,
    /// The words for the reasons.
    pub causes: BTreeSet<String>,
    /// The first attempt.
    pub first_at: Timestamp,
    /// The last one.
    pub last_at: Timestamp,
}

/// The addresses with the most attempts with wrong secrets among `failures`: at most `most`, the worst first.
pub fn worst_offenders(failures: &[AuthFailure], most: usize) -> Vec<Offender> {
    let mut of: BTreeMap<String, Vec<&AuthFailure>> = BTreeMap::new();
    for failure in failures.iter().filter(|failure| failure.attempt.is_guess()) {
        let Some(address) = &failure.attempt.ip_address else { continue };
        let network = address.parse().map_or_else(|_| address.clone(), |ip| Network::of(ip).to_string());
        of.entry(network).or_default().push(failure);
    }
    let offender = |(address, rows): (String, Vec<&AuthFailure>)| {
        let paths: BTreeSet<&str> = rows.iter().filter_map(|row| row.attempt.path.as_deref()).collect();
        Some(Offender {
            address,
            attempts: rows.iter().fold(0_u64, |sum, row| sum.saturating_add(row.count)),
            paths: paths.len(),
            causes: rows.iter().map(|row| row.attempt.cause.clone()).collect(),
            first_at: rows.iter().map(|row| row.first_at).min()?,
            last_at: rows.iter().map(|row| row.last_at).max()?,
        })
    };
    let mut offenders: Vec<Offender> = of.into_iter().filter_map(offender).collect();
    offenders.sort_by_key(|offender| std::cmp::Reverse(offender.attempts));
    offenders.truncate(most);
    offenders
}

/// Equal attempts, and how many there were.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthFailure {
    /// Its identity.
    pub id: AuthFailureId,
    /// What they have in common.
    pub attempt: RefusedAttempt,
    /// The first.
    pub first_at: Timestamp,
    /// The last.
    pub last_at: Timestamp,
    /// How many there were.
    pub count: u64,
}

impl Placed for AuthFailure {
    type Place = Newest;

    fn place(&self) -> Newest {
        Newest { at: self.last_at, id: self.id.0 }
    }
}

impl AuthFailure {
    /// So many equal attempts.
    pub fn new(attempt: RefusedAttempt, (first_at, last_at): (Timestamp, Timestamp), count: u64) -> Self {
        Self { id: attempt.id(), attempt, first_at, last_at, count }
    }

    /// The row that counts attempts whose own rows were removed, because there were too many.
    pub fn removed(rows: &[(Timestamp, Timestamp, u64)]) -> Option<Self> {
        let first = rows.iter().map(|(first, ..)| *first).min()?;
        let last = rows.iter().map(|(_, last, _)| *last).max()?;
        let count = rows.iter().fold(0_u64, |sum, (.., count)| sum.saturating_add(*count));
        Some(Self::new(RefusedAttempt::of_cause(REMOVED), (first, last), count))
    }
}

impl RefusedAttempt {
    /// Attempts of which nothing but the cause is kept.
    pub fn of_cause(cause: &str) -> Self {
        Self {
            organization_id: None,
            cause: cause.to_owned(),
            detail: None,
            media_server: None,
            protocol: None,
            path: None,
            key: None,
            ip_address: None,
        }
    }

    /// The path of viewers that was probably meant, as far as the attempt itself tells.
    pub fn path_of_key(&self) -> Option<&StreamPath> {
        self.key.as_ref().map(|key| &key.path)
    }

    /// Whether the secret is unknown or wrong, so that it may have been guessed.
    fn is_guess(&self) -> bool {
        let reason = self.cause.parse::<DenyReason>();
        reason.is_ok_and(DenyReason::is_guess) || self.cause.parse::<WrongSecret>().is_ok()
    }

    /// Whether these are the attempts of an address that had too many different ones.
    pub fn is_rest_of_address(&self) -> bool {
        self.path.is_none() && self.media_server.is_none() && self.ip_address.is_some() && self.key.is_none()
    }

    fn id(&self) -> AuthFailureId {
        // With path and prefix: what differs in anything that is stored must not become the same row of one statement.
        let key = self.key.as_ref().map(|KeyOfAttempt { id, path, prefix }| format!("{id} {path} {prefix}"));
        let owner = self.organization_id.map(|id| id.to_string());
        let server = self.media_server.as_ref().map(MediaServerName::as_str);
        let mut hash = Sha256::new();
        for part in [
            owner.as_deref(),
            Some(&self.cause),
            self.detail.as_deref(),
            server,
            self.protocol.as_deref(),
            self.path.as_deref(),
            key.as_deref(),
            self.ip_address.as_deref(),
        ] {
            // No text has this byte, so parts cannot flow into each other.
            hash.update(part.unwrap_or("\u{1}"));
            hash.update([0xff]);
        }
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hash.finalize()[..16]);
        AuthFailureId(uuid::Builder::from_custom_bytes(bytes).into_uuid())
    }

    /// What an operator can do about it. `nearest` is the path of a key that is most like the requested one.
    pub fn advice(&self, nearest: Option<&str>) -> String {
        let reason = self.cause.parse::<DenyReason>().ok();
        match (reason, &self.path, &self.key, nearest) {
            (Some(DenyReason::WrongPath), Some(asked), Some(key), _) => {
                let right = &key.path;
                format!(
                    "The stream key is for {right}: set the path of the encoder to {right}, or give it the key of {asked}."
                )
            }
            (Some(DenyReason::UnknownKey | DenyReason::MalformedKey { .. }), Some(asked), _, Some(near))
                if near == asked =>
            {
                format!(
                    "Give the encoder the key of {asked}: rotate it (`streamward key rotate {asked}`) if nobody has it any more."
                )
            }
            (Some(DenyReason::UnknownKey | DenyReason::NoKey), Some(asked), _, Some(near))
                if near != asked =>
            {
                format!(
                    "No key is for {asked}. If {near} is meant, correct path and key of the encoder; otherwise create a key."
                )
            }
            (Some(DenyReason::WrongPath), Some(asked), None, Some(near)) => {
                format!(
                    "No key can be for {asked}. If {near} is meant, set the path of the encoder to {near}."
                )
            }
            (Some(reason), ..) => reason.advice().to_owned(),
            (None, ..) if self.cause == REMOVED => {
                "There were too many different attempts to keep each: these are only counted.".to_owned()
            }
            (None, ..) => match self.cause.parse::<WrongSecret>() {
                Ok(wrong) => wrong.advice().to_owned(),
                Err(_) => "A newer version of Streamward knows this cause.".to_owned(),
            },
        }
    }
}

impl AuthFailureId {
    /// The row that counts attempts whose own rows were removed.
    pub fn of_removed() -> Self {
        RefusedAttempt::of_cause(REMOVED).id()
    }
}

#[cfg(test)]
mod tests {
    use super::super::stream_key::tests::key;
    use super::*;

    fn attempt() -> RefusedAttempt {
        RefusedAttempt {
            path: Some("live/alcie".into()),
            ip_address: Some("192.0.2.7".into()),
            ..RefusedAttempt::of_cause("unknown_key")
        }
    }

    #[test]
    fn attempts_have_one_row_if_they_are_equal_in_everything_that_is_shown() {
        let of_key = RefusedAttempt { key: Some((&key()).into()), ..attempt() };
        let others = [
            RefusedAttempt { cause: "no_key".into(), ..attempt() },
            RefusedAttempt { path: Some("live/bob".into()), ..attempt() },
            RefusedAttempt { path: None, ..attempt() },
            RefusedAttempt { ip_address: None, ..attempt() },
            RefusedAttempt { detail: Some("x".into()), ..attempt() },
            RefusedAttempt { protocol: Some("rtmp".into()), ..attempt() },
            RefusedAttempt { organization_id: Some(OrganizationId::DEFAULT), ..attempt() },
            of_key,
        ];
        assert_eq!(attempt().id(), attempt().id());
        assert!(others.iter().all(|other| other.id() != attempt().id()));
    }

    #[test]
    fn worst_offenders_are_the_addresses_with_the_most_wrong_secrets() {
        let row = |cause: &str, path: Option<&str>, ip: &str, count| {
            let attempt = RefusedAttempt {
                path: path.map(str::to_owned),
                ip_address: Some(ip.into()),
                ..RefusedAttempt::of_cause(cause)
            };
            let at = Timestamp::from_seconds(i64::try_from(count).unwrap());
            AuthFailure::new(attempt, (at, at.plus(std::time::Duration::from_secs(9))), count)
        };
        let rows = [
            row("unknown_key", Some("live/a"), "192.0.2.1", 5),
            row("unknown_key", Some("live/b"), "192.0.2.1", 3),
            row("unknown_token", None, "192.0.2.1", 4),
            row("unknown_key", Some("live/a"), "2001:db8::1", 10),
            row("malformed_key", Some("live/a"), "2001:db8::2", 7),
            row("wrong_password", None, "192.0.2.3", 2),
            row("key_in_use", Some("live/a"), "192.0.2.4", 1_000),
            AuthFailure::new(
                RefusedAttempt::of_cause("unknown_key"),
                (Timestamp::from_seconds(0), Timestamp::from_seconds(1)),
                99,
            ),
        ];
        let worst = worst_offenders(&rows, 2);
        let shown: Vec<_> = worst.iter().map(|one| (one.address.as_str(), one.attempts, one.paths)).collect();
        assert_eq!(shown, [("2001:db8::/64", 17, 1), ("192.0.2.1", 12, 2)]);
        let second = &worst[1];
        assert_eq!(
            (second.first_at, second.last_at),
            (Timestamp::from_seconds(3), Timestamp::from_seconds(14))
        );
        assert_eq!(second.causes.iter().collect::<Vec<_>>(), ["unknown_key", "unknown_token"]);
        assert_eq!(worst_offenders(&rows, 9).len(), 3, "a key in use is not guessed");
    }

    #[test]
    fn every_wrong_secret_has_advice() {
        for wrong in [WrongSecret::UnknownToken, WrongSecret::WrongSignature, WrongSecret::WrongPassword] {
            assert_eq!(RefusedAttempt::of_cause(wrong.as_str()).advice(None), wrong.advice());
        }
    }

    #[test]
    fn advice_names_both_paths_and_the_nearest_one() {
        let wrong = RefusedAttempt { cause: "wrong_path".into(), key: Some((&key()).into()), ..attempt() };
        assert_eq!(
            wrong.advice(Some("live/alice")),
            "The stream key is for live/alice: set the path of the encoder to live/alice, or give it the key of live/alcie."
        );
        let near = attempt().advice(Some("live/alice"));
        assert!(near.starts_with("No key is for live/alcie. If live/alice is meant"), "{near}");
        let same = attempt().advice(Some("live/alcie"));
        assert!(same.starts_with("Give the encoder the key of live/alcie"), "{same}");
        assert_eq!(attempt().advice(None), DenyReason::UnknownKey.advice());
        assert!(RefusedAttempt::of_cause("removed").advice(None).starts_with("There were too many"));
    }
}
