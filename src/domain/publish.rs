//! Decides whether a client of a media server may do what it requests.
//!
//! To publish depends on the key's current state: the store reads and claims the key in one statement and passes the row
//! to [`decide_publish`]. Everything else is decided from the request alone.

mod reason;

use std::net::IpAddr;
use std::time::Duration;

use super::credentials::{Action, AuthRequest};
use super::media_server::{Connection, MediaServerName};
use super::path::{IngestPath, StreamPath};
use super::secret::{KeySecret, Secret};
use super::stream::IngestForm;
use super::stream_key::{Holder, KeyStatus, OnConflict, StreamKey, Takeovers};
use super::{OrganizationId, StreamKeyId, Timestamp};

pub use reason::{AllowReason, DenyReason};

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
    /// The address of the client, if it is known.
    pub ip: Option<IpAddr>,
}

impl PublishRequest {
    /// Finds secret and path in a request from `server`. Fails if there is no secret, or no key can have the path.
    pub fn from_auth_request(request: &AuthRequest, server: &MediaServerName) -> Result<Self, DenyReason> {
        let sent = request.credentials.stream_key();
        let connection = request.connection.clone().map(|id| Connection { server: server.clone(), id });
        let ip = request.ip;
        match (&request.path, sent) {
            (IngestPath::Private(path), sent) if sent.as_ref().is_none_or(|s| s == path.secret()) => {
                Ok(Self { secret: path.secret().clone(), path: None, connection, ip })
            }
            // The private path belongs to another key than the one that was sent.
            (IngestPath::Private(_), _) => Err(DenyReason::WrongPath),
            (_, None) => Err(match request.credentials.malformed_key_length() {
                Some(characters) => DenyReason::MalformedKey { characters },
                None if request.protocol == "rtsp" && request.credentials.are_absent() => {
                    DenyReason::NoCredentials
                }
                None => DenyReason::NoKey,
            }),
            (IngestPath::Public(path), Some(secret)) => {
                Ok(Self { secret, path: Some(path.clone()), connection, ip })
            }
            (IngestPath::Other(_), Some(_)) => Err(DenyReason::WrongPath),
        }
    }

    /// How the encoder names its path.
    pub fn form(&self) -> IngestForm {
        if self.path.is_some() { IngestForm::NamedPath } else { IngestForm::SecretPath }
    }
}

/// What a key has from a request on that is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Its holder.
    pub holder: Holder,
    /// Who claimed it, and the last takeovers.
    pub takeovers: Takeovers,
}

/// Decides whether `key` may be used at `now`. `Ok` is what it has from now on.
pub fn decide_publish(
    key: &StreamKey,
    request: &PublishRequest,
    now: Timestamp,
    claim_ttl: Duration,
) -> Result<Claim, DenyReason> {
    match key.status(now) {
        KeyStatus::Revoked => return Err(DenyReason::KeyRevoked),
        KeyStatus::Expired => return Err(DenyReason::KeyExpired),
        KeyStatus::Active => {}
    }
    if request.path.as_ref().is_some_and(|path| *path != key.path) {
        return Err(DenyReason::WrongPath);
    }
    let Some(connection) = &request.connection else {
        return Ok(Claim { holder: key.holder.clone(), takeovers: key.takeovers });
    };
    let until = now.plus(claim_ttl);
    // No claim lasts that long: a clock was ahead when it was made.
    let latest = until.plus(claim_ttl);
    let is_too_long = matches!(key.holder, Holder::Claimed { until: claimed, .. } if claimed > latest);
    let active = key.holder.active_holder(now).filter(|_| !is_too_long);
    let is_other = active.is_some_and(|by| by != connection);
    if is_other && key.on_conflict == OnConflict::Reject {
        return Err(DenyReason::KeyInUse);
    }
    if is_other && key.takeovers.are_exhausted(now) {
        let (holder, newcomer) = (key.takeovers.claimed_from, request.ip);
        return Err(DenyReason::TooManyTakeovers { holder, newcomer });
    }
    let holder = match &key.holder {
        Holder::Live { by } if by == connection => key.holder.clone(),
        _ => Holder::Claimed { by: connection.clone(), until },
    };
    Ok(Claim { holder, takeovers: key.takeovers.claimed(request.ip, is_other.then_some(now)) })
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
            // Our relay, too, sends its credentials only when it is asked for them.
            IngestPath::Private(_) if request.protocol == "rtsp" && request.credentials.are_absent() => {
                Err(DenyReason::NoCredentials)
            }
            IngestPath::Private(_) => Err(DenyReason::PrivatePath),
            IngestPath::Public(_) | IngestPath::Other(_) => Ok(AllowReason::PublicRead),
        },
        // A media server asks such a client for credentials.
        Action::Api | Action::Metrics | Action::Pprof if request.credentials.are_absent() => {
            Err(DenyReason::NoCredentials)
        }
        Action::Api | Action::Metrics | Action::Pprof => {
            if request.credentials.contain(control_secret) {
                Ok(AllowReason::ControlSecret)
            } else {
                Err(DenyReason::WrongControlSecret)
            }
        }
        Action::Doctor => Err(DenyReason::Doctor),
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
    /// The key, if it is known and was refused.
    pub refused_key: Option<Box<StreamKey>>,
    /// Whether another publisher may have lost the key by it.
    pub may_replace: bool,
}

impl Decision {
    /// One that read no key from the database.
    pub fn without_key(result: AuthResult) -> Self {
        Self { result, key: None, organization_id: None, path: None, refused_key: None, may_replace: false }
    }
}

#[cfg(test)]
mod tests {
    use super::super::credentials::tests::credentials;
    use super::super::stream_key::tests::{connection, key};
    use super::*;
    use proptest::prelude::*;

    const TTL: Duration = Duration::from_secs(15);
    const NOW: Timestamp = Timestamp::from_seconds(1_000);
    const CLIENT: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));

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
            ip: Some(CLIENT),
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
            let decided = decide_publish(&key, &publish(path, Some("c1")), NOW, TTL);
            assert_eq!(decided.map(|claim| claim.holder), expected, "{name}");
        }
    }

    #[test]
    fn third_takeover_within_a_minute_is_refused_and_both_addresses_are_named() {
        let mut key = StreamKey { on_conflict: OnConflict::Takeover, ..key() };
        let at = |seconds| NOW.plus(Duration::from_secs(seconds));
        let from = |id: &str, last: u8| PublishRequest {
            ip: Some(IpAddr::from([192, 0, 2, last])),
            ..publish(None, Some(id))
        };
        for (id, last, seconds) in [("a", 1, 0), ("b", 2, 2), ("a2", 1, 4)] {
            let claim = decide_publish(&key, &from(id, last), at(seconds), TTL).unwrap();
            (key.holder, key.takeovers) = (Holder::Live { by: connection(id) }, claim.takeovers);
        }
        let refused = decide_publish(&key, &from("b2", 2), at(6), TTL).unwrap_err();
        let detail = refused.detail().unwrap();
        assert!(detail.starts_with("192.0.2.2 wants the key that 192.0.2.1 uses"), "{detail}");
        assert_eq!(refused.as_str(), "too_many_takeovers");
        assert!(decide_publish(&key, &from("a2", 1), at(6), TTL).is_ok(), "the holder asks again");
        assert!(
            decide_publish(&key, &from("b3", 2), at(62), TTL).is_ok(),
            "a minute after the first takeover"
        );
        key.holder = Holder::Free;
        assert!(decide_publish(&key, &from("b2", 2), at(6), TTL).is_ok(), "nobody has it");
    }

    #[test]
    fn rtsp_client_without_credentials_is_asked_for_them() {
        let server = MediaServerName::default();
        let read = |protocol, query: &str| {
            let request = AuthRequest { protocol, ..request(Action::Publish, "live/alice", "", query) };
            PublishRequest::from_auth_request(&request, &server).unwrap_err()
        };
        assert_eq!(read("rtsp", ""), DenyReason::NoCredentials);
        assert_eq!(read("rtsp", "foo=bar&key="), DenyReason::NoCredentials);
        assert_eq!(read("rtsp", "key=wrong"), DenyReason::NoKey);
        assert_eq!(read("rtmp", ""), DenyReason::NoKey);
        assert!(!DenyReason::NoCredentials.is_of_an_attempt() && DenyReason::NoKey.is_of_an_attempt());
    }

    #[test]
    fn request_without_a_connection_does_not_claim() {
        let held = StreamKey { holder: Holder::Live { by: connection("c2") }, ..key() };
        let decided = decide_publish(&held, &publish(None, None), NOW, TTL);
        assert_eq!(decided, Ok(Claim { holder: held.holder.clone(), takeovers: held.takeovers }));
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
        let probe = AuthRequest { protocol: "rtsp", ..request(Action::Read, &private, "", "") };
        assert_eq!(decide_other(&probe, &control, &relay), Err(DenyReason::NoCredentials));
        assert_eq!(result(Action::Read, &private, "relay"), Ok(AllowReason::Relay));
        assert_eq!(result(Action::Playback, &private, "relay"), Err(DenyReason::PrivatePath));
        assert_eq!(result(Action::Playback, "live/alice", ""), Ok(AllowReason::PublicRead));
        for action in [Action::Api, Action::Metrics, Action::Pprof] {
            assert_eq!(result(action, "", "control"), Ok(AllowReason::ControlSecret));
            assert_eq!(result(action, "", "relay"), Err(DenyReason::WrongControlSecret));
            assert_eq!(result(action, "", ""), Err(DenyReason::NoCredentials), "it is asked for them");
        }
        assert_eq!(result(Action::Doctor, "", "control"), Err(DenyReason::Doctor));
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
                    Ok(claim) => {
                        prop_assert!(before.is_none() || before.as_ref() == Some(&requester));
                        prop_assert_eq!(claim.holder.active_holder(now), Some(&requester));
                        key.holder = claim.holder;
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
