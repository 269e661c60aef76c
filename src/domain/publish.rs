//! Decides whether a client of a media server may do what it requests.
//!
//! To publish depends on the key's current state: the store reads and claims the key in one statement and passes the row
//! to [`decide_publish`]. Everything else is decided from the request alone.

use std::time::Duration;

use strum::IntoStaticStr;

use super::credentials::{Action, AuthRequest};
use super::media_server::{Connection, MediaServerName};
use super::path::{IngestPath, StreamPath};
use super::secret::{KEY_LENGTH, KEY_PREFIX, KeySecret, Secret};
use super::stream::IngestForm;
use super::stream_key::{Holder, KeyStatus, OnConflict, StreamKey};
use super::{OrganizationId, StreamKeyId, Timestamp};

/// How many characters of a stream key follow its prefix.
const KEY_CHARACTERS: usize = KEY_LENGTH - KEY_PREFIX.len();

/// Why a request is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum AllowReason {
    /// The key is valid, and this connection holds it now.
    KeyClaimed,
    /// The key is valid. The request named no connection, so the key was not claimed.
    KeyValid,
    /// The database is unreachable, and the key was valid when it last answered (`auth.grace`).
    Grace,
    /// Anyone may watch.
    PublicRead,
    /// It is our own relay.
    Relay,
    /// The client has the media server's control secret.
    ControlSecret,
}

/// Why a request is denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum DenyReason {
    /// The request contains no text in the shape of a stream key.
    NoKey,
    /// A text begins like a stream key, but has another length or other characters than one.
    MalformedKey {
        /// How many characters follow `sk_`; a key has 43.
        characters: usize,
    },
    /// The key does not exist.
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
    /// This version does not know the action.
    UnknownAction,
    /// There was no decision in time. It is no fault of the client.
    Undecided,
}

impl AllowReason {
    /// The word for logs and metrics.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

impl DenyReason {
    /// The word for logs and metrics.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// What only the operator sees, beside the word.
    pub fn detail(self) -> Option<String> {
        match self {
            Self::MalformedKey { characters } => Some(format!(
                "malformed stream key: {characters} of {KEY_CHARACTERS} characters after {KEY_PREFIX}"
            )),
            _ => None,
        }
    }

    /// What a person can do about it. Never contains anything that the client sent.
    pub fn advice(self) -> &'static str {
        match self {
            Self::NoKey => {
                "No stream key was sent. Add ?key=sk_… to the path, or send the key as password or bearer token."
            }
            Self::MalformedKey { .. } => {
                "The stream key is malformed. A stream key is sk_ and 43 letters, digits, '-' or '_'. Copy it again."
            }
            Self::UnknownKey => {
                "The stream key does not exist. Compare it with the one that was shown at its creation, or create a new key."
            }
            Self::KeyRevoked => "The stream key was revoked. Create a new key.",
            Self::KeyExpired => "The stream key has expired. Create a new key.",
            Self::WrongPath => {
                "The stream key is for another path. Publish to the path that it was created for."
            }
            Self::KeyInUse => {
                "Another connection uses the stream key. Stop that encoder, or create the key with on_conflict takeover."
            }
            Self::PrivatePath => "This path cannot be watched. Use the public path of the stream.",
            Self::WrongControlSecret => {
                "The control secret is missing or wrong. Send the one in media_servers.<name>.control_secret."
            }
            Self::UnknownAction => "This version of Streamward does not know the action. Upgrade Streamward.",
            Self::Undecided => {
                "Streamward could not decide in time. Try again; `streamward doctor` shows what is wrong."
            }
        }
    }
}

/// The answer to an [`AuthRequest`].
pub type AuthResult = Result<AllowReason, DenyReason>;

/// The parts of a request to publish that decide it.
#[derive(Clone, Debug)]
pub struct PublishRequest {
    /// The secret that the client sent.
    pub secret: KeySecret,
    /// The public path it names, or `None` if the secret itself is the path.
    pub path: Option<StreamPath>,
    /// The connection; `None` for a page that is only viewed.
    pub connection: Option<Connection>,
}

impl PublishRequest {
    /// Finds secret and path in a request from `server`. Fails if there is no secret, or no key can have the path.
    pub fn from_auth_request(request: &AuthRequest, server: &MediaServerName) -> Result<Self, DenyReason> {
        let sent = request.credentials.stream_key();
        let connection = request.connection.clone().map(|id| Connection { server: server.clone(), id });
        match (&request.path, sent) {
            (IngestPath::Private(path), sent) if sent.as_ref().is_none_or(|s| s == path.secret()) => {
                Ok(Self { secret: path.secret().clone(), path: None, connection })
            }
            // The private path belongs to another key than the one that was sent.
            (IngestPath::Private(_), _) => Err(DenyReason::WrongPath),
            (_, None) => Err(match request.credentials.malformed_key_length() {
                Some(characters) => DenyReason::MalformedKey { characters },
                None => DenyReason::NoKey,
            }),
            (IngestPath::Public(path), Some(secret)) => {
                Ok(Self { secret, path: Some(path.clone()), connection })
            }
            (IngestPath::Other(_), Some(_)) => Err(DenyReason::WrongPath),
        }
    }

    /// How the encoder names its path.
    pub fn form(&self) -> IngestForm {
        if self.path.is_some() { IngestForm::NamedPath } else { IngestForm::SecretPath }
    }
}

/// Decides whether `key` may be used at `now`. `Ok` is its holder from now on.
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
    let Some(connection) = &request.connection else {
        return Ok(key.holder.clone());
    };
    let until = now.plus(claim_ttl);
    // No claim lasts that long: a clock was ahead when it was made.
    let latest = until.plus(claim_ttl);
    let is_too_long = matches!(key.holder, Holder::Claimed { until: claimed, .. } if claimed > latest);
    match key.holder.active_holder(now).filter(|_| !is_too_long) {
        Some(by) if by == connection && matches!(key.holder, Holder::Live { .. }) => Ok(key.holder.clone()),
        Some(by) if by != connection && key.on_conflict == OnConflict::Reject => Err(DenyReason::KeyInUse),
        _ => Ok(Holder::Claimed { by: connection.clone(), until }),
    }
}

/// Decides a request that does not publish. It needs no database: a private path has its own shape.
pub fn decide_other(request: &AuthRequest, control_secret: &Secret, relay_secret: &Secret) -> AuthResult {
    match request.action {
        Action::Read | Action::Playback => match &request.path {
            IngestPath::Private(_)
                if request.action == Action::Read && request.credentials.contain(relay_secret) =>
            {
                Ok(AllowReason::Relay)
            }
            IngestPath::Private(_) => Err(DenyReason::PrivatePath),
            IngestPath::Public(_) | IngestPath::Other(_) => Ok(AllowReason::PublicRead),
        },
        Action::Api | Action::Metrics | Action::Pprof => {
            if request.credentials.contain(control_secret) {
                Ok(AllowReason::ControlSecret)
            } else {
                Err(DenyReason::WrongControlSecret)
            }
        }
        Action::Publish | Action::Unknown => Err(DenyReason::UnknownAction),
    }
}

/// A decision and facts about the key, for logs and audit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Allow or deny, and why.
    pub result: AuthResult,
    /// The key, if one was recognised.
    pub key: Option<StreamKeyId>,
    /// Who owns the key; `None` if it was not read from the database.
    pub organization_id: Option<OrganizationId>,
    /// The public path: the requested one, or the key's.
    pub path: Option<String>,
    /// Whether another publisher may have lost the key by it.
    pub may_replace: bool,
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
    fn key_is_read_beside_the_path_and_from_the_path() {
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
        let short = format!("key={}", secret.expose().get(..45).unwrap());
        let malformed = read("live/alice", &short).unwrap_err();
        assert_eq!(malformed, DenyReason::MalformedKey { characters: 42 });
        assert_eq!(malformed.detail().unwrap(), "malformed stream key: 42 of 43 characters after sk_");
        assert_eq!(
            read("live.alice", &format!("key={}", secret.expose())).unwrap_err(),
            DenyReason::WrongPath
        );
    }

    #[test]
    fn publish_is_decided_by_key_status_path_and_holder() {
        let live = |id: &str| Holder::Live { by: connection(id) };
        let claimed = |id: &str, at: Timestamp| Holder::Claimed { by: connection(id), until: at };
        let held = |holder: Holder| StreamKey { holder, ..key() };
        let takeover = |holder: Holder| StreamKey { holder, on_conflict: OnConflict::Takeover, ..key() };
        let fresh = || Ok(claimed("c1", NOW.plus(TTL)));
        let later = NOW.plus(Duration::from_micros(1));
        let rows = [
            ("free", key(), Some("live/alice"), fresh()),
            ("secret as path", key(), None, fresh()),
            ("wrong path", key(), Some("live/bob"), Err(DenyReason::WrongPath)),
            ("revoked", StreamKey { revoked_at: Some(NOW), ..key() }, None, Err(DenyReason::KeyRevoked)),
            ("expired", StreamKey { expires_at: Some(NOW), ..key() }, None, Err(DenyReason::KeyExpired)),
            ("live elsewhere", held(live("c2")), None, Err(DenyReason::KeyInUse)),
            ("claimed elsewhere", held(claimed("c2", later)), None, Err(DenyReason::KeyInUse)),
            ("claim lapsed", held(claimed("c2", NOW)), None, fresh()),
            (
                "claim in the future",
                held(claimed("c2", NOW.plus(2 * TTL).plus(Duration::from_micros(1)))),
                None,
                fresh(),
            ),
            ("requests again", held(claimed("c1", later)), None, fresh()),
            ("requests again while live", held(live("c1")), None, Ok(live("c1"))),
            ("other evicted", held(live("c2").evicted()), None, fresh()),
            ("takeover of live", takeover(live("c2")), None, fresh()),
            ("takeover of claim", takeover(claimed("c2", later)), None, fresh()),
        ];
        for (name, key, path, expected) in rows {
            assert_eq!(decide_publish(&key, &publish(path, Some("c1")), NOW, TTL), expected, "{name}");
        }
    }

    #[test]
    fn request_without_a_connection_does_not_claim() {
        let held = StreamKey { holder: Holder::Live { by: connection("c2") }, ..key() };
        assert_eq!(decide_publish(&held, &publish(None, None), NOW, TTL), Ok(held.holder.clone()));
    }

    #[test]
    fn read_and_control_are_decided_from_the_request() {
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
        /// A key that rejects conflicts never changes its holder while it is held.
        #[test]
        fn held_key_changes_its_holder_only_after_its_claim_lapsed(requests in prop::collection::vec((0u8..4, 0u64..20), 1..40)) {
            let mut key = key();
            let mut now = NOW;
            for (who, wait) in requests {
                now = now.plus(Duration::from_secs(wait));
                let before = key.holder.active_holder(now).cloned();
                let requester = connection(&format!("c{who}"));
                let request = PublishRequest { connection: Some(requester.clone()), ..publish(None, None) };
                match decide_publish(&key, &request, now, TTL) {
                    Ok(holder) => {
                        prop_assert!(before.is_none() || before.as_ref() == Some(&requester));
                        prop_assert_eq!(holder.active_holder(now), Some(&requester));
                        key.holder = holder;
                    }
                    Err(reason) => {
                        prop_assert_eq!(reason, DenyReason::KeyInUse);
                        prop_assert!(before.is_some() && before != Some(requester));
                    }
                }
            }
        }
    }
}
