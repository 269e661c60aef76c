//! The decision whether a client of a media server may do what it asks for.
//!
//! Publishing takes the key's current state: the store reads and claims it in one statement and hands the row to
//! [`decide_publish`]. Everything else is decided from the request alone.

use std::time::Duration;

use super::credentials::{Action, AuthRequest};
use super::media_server::{Connection, MediaServerName};
use super::path::{IngestPath, StreamPath};
use super::secret::{KeySecret, Secret};
use super::stream::IngestForm;
use super::stream_key::{Holder, KeyStatus, OnConflict, StreamKey};
use super::{StreamKeyId, Timestamp};

/// Why a request was answered with yes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AllowReason {
    /// The key is valid and now held by this connection.
    KeyClaimed,
    /// The key is valid; nothing was claimed since the request named no connection.
    KeyValid,
    /// Anyone may watch.
    PublicRead,
    /// It is our own relay.
    Relay,
    /// It is us, or someone with the media server's control secret.
    ControlSecret,
}

/// Why a request was answered with no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DenyReason {
    /// Nothing in the request has a stream key's shape.
    NoKey,
    /// No such key.
    UnknownKey,
    /// The key was revoked.
    KeyRevoked,
    /// The key has expired.
    KeyExpired,
    /// The key is for another path.
    WrongPath,
    /// Another connection holds the key.
    KeyInUse,
    /// The path is private.
    PrivatePath,
    /// The control secret is missing or wrong.
    WrongControlSecret,
    /// The action is not known to this version.
    UnknownAction,
    /// It could not be decided in time; nothing is known against the client.
    Undecided,
}

impl AllowReason {
    /// The word for logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::KeyClaimed => "key_claimed",
            Self::KeyValid => "key_valid",
            Self::PublicRead => "public_read",
            Self::Relay => "relay",
            Self::ControlSecret => "control_secret",
        }
    }
}

impl DenyReason {
    /// The word for logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoKey => "no_key",
            Self::UnknownKey => "unknown_key",
            Self::KeyRevoked => "key_revoked",
            Self::KeyExpired => "key_expired",
            Self::WrongPath => "wrong_path",
            Self::KeyInUse => "key_in_use",
            Self::PrivatePath => "private_path",
            Self::WrongControlSecret => "wrong_control_secret",
            Self::UnknownAction => "unknown_action",
            Self::Undecided => "undecided",
        }
    }

    /// What a person can do about it. Never contains anything the client sent.
    pub fn advice(self) -> &'static str {
        match self {
            Self::NoKey => {
                "No stream key was sent. Put it in ?key=sk_… behind the path, or in the password or bearer token."
            }
            Self::UnknownKey => {
                "There is no such stream key. Compare it with the one that was shown when it was created, or create a new one."
            }
            Self::KeyRevoked => "The stream key was revoked. Create a new one.",
            Self::KeyExpired => "The stream key has expired. Create a new one.",
            Self::WrongPath => "The stream key is for another path. Publish to the path it was created for.",
            Self::KeyInUse => {
                "The stream key is in use by another connection. Stop that encoder, or create the key with on_conflict takeover."
            }
            Self::PrivatePath => "This path cannot be watched. Use the stream's public path.",
            Self::WrongControlSecret => "The media server's control secret is missing or wrong.",
            Self::UnknownAction => "This action is not known to this version of Streamward.",
            Self::Undecided => {
                "It could not be decided in time. Try again; `streamward doctor` tells what is wrong."
            }
        }
    }
}

/// The answer to a [`AuthRequest`].
pub type AuthResult = Result<AllowReason, DenyReason>;

/// A request to publish, boiled down to what decides it.
#[derive(Clone, Debug)]
pub struct PublishRequest {
    /// The secret the client brought.
    pub secret: KeySecret,
    /// The public path it names, or `None` if the secret itself is the path.
    pub path: Option<StreamPath>,
    /// Who asks; `None` for a page that is only looked at.
    pub connection: Option<Connection>,
}

impl PublishRequest {
    /// Finds secret and path in a request from `server`.
    ///
    /// # Errors
    /// [`DenyReason::NoKey`] if there is no secret; [`DenyReason::WrongPath`] if no key can have the path.
    pub fn from_auth_request(request: &AuthRequest, server: &MediaServerName) -> Result<Self, DenyReason> {
        let beside = request.credentials.stream_key();
        let connection = request.connection.clone().map(|id| Connection { server: server.clone(), id });
        match (&request.path, beside) {
            (IngestPath::Private(path), beside) if beside.as_ref().is_none_or(|s| s == path.secret()) => {
                Ok(Self { secret: path.secret().clone(), path: None, connection })
            }
            // A key beside another key's private path: that path is not the first key's.
            (IngestPath::Private(_), _) => Err(DenyReason::WrongPath),
            (_, None) => Err(DenyReason::NoKey),
            (IngestPath::Public(path), Some(secret)) => {
                Ok(Self { secret, path: Some(path.clone()), connection })
            }
            (IngestPath::Other(_), Some(_)) => Err(DenyReason::WrongPath),
        }
    }

    /// How the encoder is let in.
    pub fn form(&self) -> IngestForm {
        if self.path.is_some() { IngestForm::NamedPath } else { IngestForm::SecretPath }
    }
}

/// May `key`, as it is at `now`, be used as asked? `Ok` is its holder from now on.
///
/// # Errors
/// The reason against it.
pub fn decide_publish(
    key: &StreamKey,
    request: &PublishRequest,
    now: Timestamp,
    claim_ttl: Duration,
) -> Result<Holder, DenyReason> {
    match key.status(now) {
        KeyStatus::Revoked => return Err(DenyReason::KeyRevoked),
        KeyStatus::Expired => return Err(DenyReason::KeyExpired),
        KeyStatus::Active => {}
    }
    if request.path.as_ref().is_some_and(|path| *path != key.path) {
        return Err(DenyReason::WrongPath);
    }
    let Some(asking) = &request.connection else {
        return Ok(key.holder.clone());
    };
    match key.holder.occupant(now) {
        Some(by) if by == asking && matches!(key.holder, Holder::Live { .. }) => Ok(key.holder.clone()),
        Some(by) if by != asking && key.on_conflict == OnConflict::Reject => Err(DenyReason::KeyInUse),
        _ => Ok(Holder::Claimed { by: asking.clone(), until: now.plus(claim_ttl) }),
    }
}

/// The result on a request that does not publish. It costs no look-up: whether a path is private shows in its shape.
pub fn decide_other(request: &AuthRequest, control_secret: &Secret, relay_secret: &Secret) -> AuthResult {
    match request.action {
        Action::Read | Action::Playback => match &request.path {
            IngestPath::Private(_)
                if request.action == Action::Read && request.credentials.present(relay_secret) =>
            {
                Ok(AllowReason::Relay)
            }
            IngestPath::Private(_) => Err(DenyReason::PrivatePath),
            IngestPath::Public(_) | IngestPath::Other(_) => Ok(AllowReason::PublicRead),
        },
        Action::Api | Action::Metrics | Action::Pprof => {
            if request.credentials.present(control_secret) {
                Ok(AllowReason::ControlSecret)
            } else {
                Err(DenyReason::WrongControlSecret)
            }
        }
        Action::Publish | Action::Unknown => Err(DenyReason::UnknownAction),
    }
}

/// A result with what is known about the key, for logs and audit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Yes or no, and why.
    pub result: AuthResult,
    /// The key, if one was recognised.
    pub key: Option<StreamKeyId>,
    /// The public path: the one asked for, or the key's.
    pub path: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::super::credentials::tests::credentials;
    use super::super::stream_key::tests::{connection, key};
    use super::*;
    use proptest::prelude::*;

    const TTL: Duration = Duration::from_secs(15);
    const NOW: Timestamp = Timestamp::from_seconds(1_000);

    fn request(action: Action, path: &str, token: &str, query: &str) -> AuthRequest {
        AuthRequest {
            action,
            path: IngestPath::from_media_server(path),
            protocol: "rtmp",
            connection: Some(connection("c1").id),
            ip: None,
            credentials: credentials(token, "", query),
        }
    }

    fn publish(path: Option<&str>, id: Option<&str>) -> PublishRequest {
        PublishRequest {
            secret: KeySecret::from_random([1; 32]),
            path: path.map(|p| StreamPath::parse(p).unwrap()),
            connection: id.map(connection),
        }
    }

    #[test]
    fn both_ingest_forms_are_understood() {
        let secret = KeySecret::from_random([1; 32]);
        let other = KeySecret::from_random([2; 32]);
        let server = MediaServerName::default();
        let read = |path: &str, query: &str| {
            PublishRequest::from_auth_request(&request(Action::Publish, path, "", query), &server)
        };
        let named = read("live/alice", &format!("key={}", secret.expose())).unwrap();
        assert_eq!((named.form(), named.path.unwrap().as_str()), (IngestForm::NamedPath, "live/alice"));
        for path in [secret.expose().to_owned(), format!("live/{}", secret.expose())] {
            let private = read(&path, "").unwrap();
            assert_eq!((private.form(), &private.secret), (IngestForm::SecretPath, &secret));
            assert_eq!(
                read(&path, &format!("key={}", secret.expose())).unwrap().form(),
                IngestForm::SecretPath
            );
            assert_eq!(read(&path, &format!("key={}", other.expose())).unwrap_err(), DenyReason::WrongPath);
        }
        assert_eq!(read("live/alice", "").unwrap_err(), DenyReason::NoKey);
        assert_eq!(
            read("live.alice", &format!("key={}", secret.expose())).unwrap_err(),
            DenyReason::WrongPath
        );
    }

    #[test]
    fn the_publish_table() {
        let live = |id: &str| Holder::Live { by: connection(id) };
        let claimed = |id: &str, at: Timestamp| Holder::Claimed { by: connection(id), until: at };
        let fresh = || claimed("c1", NOW.plus(TTL));
        let (later, lapsed) = (NOW.plus(Duration::from_micros(1)), NOW);
        let take = OnConflict::Takeover;
        let base = key();
        let rows = [
            ("free", base.clone(), Some("live/alice"), Ok(fresh())),
            ("secret as path", base.clone(), None, Ok(fresh())),
            ("wrong path", base.clone(), Some("live/bob"), Err(DenyReason::WrongPath)),
            (
                "revoked",
                StreamKey { revoked_at: Some(NOW), ..base.clone() },
                None,
                Err(DenyReason::KeyRevoked),
            ),
            (
                "expired",
                StreamKey { expires_at: Some(NOW), ..base.clone() },
                None,
                Err(DenyReason::KeyExpired),
            ),
            (
                "live elsewhere",
                StreamKey { holder: live("c2"), ..base.clone() },
                None,
                Err(DenyReason::KeyInUse),
            ),
            (
                "claimed elsewhere",
                StreamKey { holder: claimed("c2", later), ..base.clone() },
                None,
                Err(DenyReason::KeyInUse),
            ),
            ("claim lapsed", StreamKey { holder: claimed("c2", lapsed), ..base.clone() }, None, Ok(fresh())),
            ("asks again", StreamKey { holder: claimed("c1", later), ..base.clone() }, None, Ok(fresh())),
            ("asks again while live", StreamKey { holder: live("c1"), ..base.clone() }, None, Ok(live("c1"))),
            ("other evicted", StreamKey { holder: live("c2").evicted(), ..base.clone() }, None, Ok(fresh())),
            (
                "takeover of live",
                StreamKey { holder: live("c2"), on_conflict: take, ..base.clone() },
                None,
                Ok(fresh()),
            ),
            (
                "takeover of claim",
                StreamKey { holder: claimed("c2", later), on_conflict: take, ..base },
                None,
                Ok(fresh()),
            ),
        ];
        for (name, key, path, expected) in rows {
            assert_eq!(decide_publish(&key, &publish(path, Some("c1")), NOW, TTL), expected, "{name}");
        }
    }

    #[test]
    fn a_page_without_a_connection_claims_nothing() {
        let held = StreamKey { holder: Holder::Live { by: connection("c2") }, ..key() };
        assert_eq!(decide_publish(&held, &publish(None, None), NOW, TTL), Ok(held.holder.clone()));
    }

    #[test]
    fn reading_and_control_are_decided_from_the_question() {
        let private = format!("live/{}", KeySecret::from_random([1; 32]).expose());
        let (control, relay) = (Secret::new("control"), Secret::new("relay"));
        let result = |action, path: &str, token: &str| {
            decide_other(&request(action, path, token, ""), &control, &relay)
        };
        assert_eq!(result(Action::Read, "live/alice", ""), Ok(AllowReason::PublicRead));
        assert_eq!(result(Action::Read, "cam.1", ""), Ok(AllowReason::PublicRead));
        assert_eq!(result(Action::Read, &private, ""), Err(DenyReason::PrivatePath));
        assert_eq!(result(Action::Read, &private, "control"), Err(DenyReason::PrivatePath));
        assert_eq!(result(Action::Read, &private, "relay"), Ok(AllowReason::Relay));
        assert_eq!(result(Action::Playback, &private, "relay"), Err(DenyReason::PrivatePath));
        assert_eq!(result(Action::Playback, "live/alice", ""), Ok(AllowReason::PublicRead));
        for action in [Action::Api, Action::Metrics, Action::Pprof] {
            assert_eq!(result(action, "", "control"), Ok(AllowReason::ControlSecret));
            assert_eq!(result(action, "", "relay"), Err(DenyReason::WrongControlSecret));
            assert_eq!(result(action, "", ""), Err(DenyReason::WrongControlSecret));
        }
        assert_eq!(result(Action::Unknown, "", "control"), Err(DenyReason::UnknownAction));
    }

    proptest! {
        /// Whatever order connections request in, a key that rejects conflicts never changes hands while it is held.
        #[test]
        fn a_held_key_changes_hands_only_when_its_claim_has_lapsed(asks in prop::collection::vec((0u8..4, 0u64..20), 1..40)) {
            let mut key = key();
            let mut now = NOW;
            for (who, wait) in asks {
                now = now.plus(Duration::from_secs(wait));
                let before = key.holder.occupant(now).cloned();
                let asking = connection(&format!("c{who}"));
                let request = PublishRequest { connection: Some(asking.clone()), ..publish(None, None) };
                match decide_publish(&key, &request, now, TTL) {
                    Ok(holder) => {
                        prop_assert!(before.is_none() || before.as_ref() == Some(&asking));
                        prop_assert_eq!(holder.occupant(now), Some(&asking));
                        key.holder = holder;
                    }
                    Err(reason) => {
                        prop_assert_eq!(reason, DenyReason::KeyInUse);
                        prop_assert!(before.is_some() && before != Some(asking));
                    }
                }
            }
        }
    }
}
