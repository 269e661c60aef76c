//! Who watches by which token, as far as it is known: it limits the sessions of a token, and says which ones to end.
//!
//! A session is a connection of a media server. HLS before MediaMTX 1.18, and recordings, have none: there, the questions
//! from one address for one path are one session, until none came for [`IDLE`].

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::time::Duration;

use super::{Claims, PlaybackTokenId};
use crate::domain::Timestamp;
use crate::domain::media_server::{Connection, MediaServerName, SourceId};

/// How long a connection that was let in may take to appear on its media server.
pub const HELD: Duration = Duration::from_secs(15);
/// How long a viewer without a connection counts after the last question.
pub const IDLE: Duration = Duration::from_secs(30);

/// What of a request tells sessions apart.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The media server that asks.
    pub server: &'a MediaServerName,
    /// The protocol.
    pub protocol: &'static str,
    /// The connection, if it has one.
    pub connection: Option<&'a SourceId>,
    /// The address of the viewer.
    pub ip: Option<IpAddr>,
    /// The path.
    pub path: &'a str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum SessionId {
    Connection(Connection),
    Viewer { server: MediaServerName, protocol: &'static str, ip: Option<IpAddr>, path: String },
}

#[derive(Clone, Debug)]
struct Session {
    protocol: &'static str,
    ip: Option<IpAddr>,
    path: String,
    /// When it was let in, or last asked.
    at: Timestamp,
    /// Whether its media server has listed it.
    is_listed: bool,
}

#[derive(Clone, Debug)]
struct OfToken {
    expires_at: Timestamp,
    is_limited: bool,
    sessions: HashMap<SessionId, Session>,
}

/// The reading sessions that this instance let in.
#[derive(Clone, Debug, Default)]
pub struct ReadingSessions {
    tokens: HashMap<PlaybackTokenId, OfToken>,
}

impl ReadingSessions {
    /// Lets a reader in, or refuses it because the token has its number of sessions.
    pub fn admit(&mut self, claims: &Claims, question: &Question<'_>, now: Timestamp) -> bool {
        let limit = claims.max_sessions.map(|limit| limit as usize);
        let Some(id) = SessionId::of(question) else { return true };
        // Without a limit there is nothing to count, and nothing to end.
        if limit.is_none() && matches!(id, SessionId::Viewer { .. }) {
            return true;
        }
        let of_token = self.tokens.entry(claims.id).or_insert_with(|| OfToken {
            expires_at: claims.expires_at,
            is_limited: limit.is_some(),
            sessions: HashMap::new(),
        });
        if let Some(known) = of_token.sessions.get_mut(&id) {
            known.at = now;
            return true;
        }
        if let Some(limit) = limit {
            of_token.sessions.retain(|id, session| session.is_there(id, now));
            // The same viewer, who has a connection only now.
            let former = of_token.sessions.iter().find(|(id, session)| session.is_former(id, question));
            let former = former.map(|(id, _)| id.clone());
            if let Some(former) = former {
                of_token.sessions.remove(&former);
            } else if of_token.sessions.len() >= limit {
                return false;
            }
        }
        let Question { protocol, ip, path, .. } = *question;
        let session = Session { protocol, ip, path: path.to_owned(), at: now, is_listed: false };
        of_token.sessions.insert(id, session);
        true
    }

    /// The connections on `server` that must end: their token has expired, or `is_revoked` says so.
    pub fn due(
        &self,
        server: &MediaServerName,
        now: Timestamp,
        is_revoked: impl Fn(&PlaybackTokenId) -> bool,
    ) -> HashSet<SourceId> {
        let over = self.tokens.iter().filter(|(id, token)| token.expires_at <= now || is_revoked(id));
        over.flat_map(|(_, token)| token.sessions.keys())
            .filter_map(|id| match id {
                SessionId::Connection(connection) if connection.server == *server => {
                    Some(connection.id.clone())
                }
                _ => None,
            })
            .collect()
    }

    /// Whether a token with a limit has connections on `server`: it must be known which ones have ended.
    pub fn must_be_counted(&self, server: &MediaServerName) -> bool {
        let limited = self.tokens.values().filter(|token| token.is_limited);
        limited
            .flat_map(|token| token.sessions.keys())
            .any(|id| matches!(id, SessionId::Connection(connection) if connection.server == *server))
    }

    /// Whether any token is known to have sessions on `server`.
    pub fn has_any(&self, server: &MediaServerName) -> bool {
        self.tokens.values().flat_map(|token| token.sessions.keys()).any(|id| id.server() == server)
    }

    /// Takes over what `server` lists: all connections that read now. Others are forgotten.
    pub fn take_list(&mut self, server: &MediaServerName, listed: &HashSet<SourceId>, now: Timestamp) {
        for token in self.tokens.values_mut() {
            token.sessions.retain(|id, session| match id {
                SessionId::Connection(connection) if connection.server == *server => {
                    let is_listed = listed.contains(&connection.id);
                    let was_listed = std::mem::replace(&mut session.is_listed, is_listed);
                    is_listed || (!was_listed && session.is_there(id, now))
                }
                _ => session.is_there(id, now),
            });
        }
        self.tokens.retain(|_, token| !token.sessions.is_empty());
    }
}

impl SessionId {
    /// `None`: it is no session, as a page with a player.
    fn of(question: &Question<'_>) -> Option<Self> {
        let Question { server, protocol, connection, ip, path } = *question;
        let server = server.clone();
        match (connection, protocol) {
            (Some(id), _) => Some(Self::Connection(Connection { server, id: id.clone() })),
            (None, "webrtc") => None,
            (None, _) => Some(Self::Viewer { server, protocol, ip, path: path.to_owned() }),
        }
    }

    fn server(&self) -> &MediaServerName {
        match self {
            Self::Connection(connection) => &connection.server,
            Self::Viewer { server, .. } => server,
        }
    }
}

impl Session {
    fn is_there(&self, id: &SessionId, now: Timestamp) -> bool {
        match id {
            SessionId::Connection(_) => self.is_listed || self.at.plus(HELD) > now,
            SessionId::Viewer { .. } => self.at.plus(IDLE) > now,
        }
    }

    /// Whether it is what the viewer of `question` had before: the page of HLS, or the connection in which RTSP asks what
    /// there is, which is not yet the session.
    fn is_former(&self, id: &SessionId, question: &Question<'_>) -> bool {
        let is_same =
            self.protocol == question.protocol && self.ip == question.ip && self.path == question.path;
        let may_be = match id {
            SessionId::Connection(_) => self.protocol == "rtsp" && !self.is_listed,
            SessionId::Viewer { .. } => self.protocol == "hls" && question.connection.is_some(),
        };
        is_same && may_be && id.server() == question.server
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_000);

    fn claims(max_sessions: Option<u32>) -> Claims {
        Claims {
            id: PlaybackTokenId(Uuid::from_u128(1)),
            organization_id: None,
            paths: Vec::new(),
            address: None,
            max_sessions,
            expires_at: at(100),
        }
    }

    fn at(seconds: u64) -> Timestamp {
        NOW.plus(Duration::from_secs(seconds))
    }

    /// Viewers that ask the default media server.
    struct World {
        sessions: ReadingSessions,
        limit: Option<u32>,
    }

    impl World {
        fn asks(&mut self, protocol: &'static str, id: &str, last: u8, seconds: u64) -> bool {
            let (server, connection) = (MediaServerName::default(), SourceId::parse(id));
            let ip = Some(IpAddr::from([192, 0, 2, last]));
            let connection = connection.as_ref();
            let question = Question { server: &server, protocol, connection, ip, path: "live/alice" };
            self.sessions.admit(&claims(self.limit), &question, at(seconds))
        }

        fn lists(&mut self, ids: &[&str], seconds: u64) {
            let ids = ids.iter().filter_map(|id| SourceId::parse(id)).collect();
            self.sessions.take_list(&MediaServerName::default(), &ids, at(seconds));
        }

        fn due(&self, seconds: u64, is_revoked: bool) -> usize {
            self.sessions.due(&MediaServerName::default(), at(seconds), |_| is_revoked).len()
        }
    }

    fn world(limit: u32) -> World {
        World { sessions: ReadingSessions::default(), limit: (limit > 0).then_some(limit) }
    }

    #[test]
    fn token_has_so_many_connections_until_one_is_gone() {
        let mut world = world(2);
        assert!(world.asks("rtmp", "a", 1, 0) && world.asks("srt", "b", 1, 0));
        assert!(!world.asks("rtmp", "c", 1, 1), "the third");
        assert!(world.asks("rtmp", "a", 1, 1), "the first asks again");
        world.lists(&["a", "b"], 2);
        assert!(!world.asks("rtmp", "c", 1, 60));
        world.lists(&["a"], 61);
        assert!(world.asks("rtmp", "c", 1, 62));
    }

    #[test]
    fn connection_that_never_appears_is_forgotten() {
        let mut world = world(1);
        assert!(world.asks("rtmp", "a", 1, 0));
        assert!(!world.asks("rtmp", "b", 2, 14));
        assert!(world.asks("rtmp", "b", 2, 15));
    }

    #[test]
    fn viewer_without_a_connection_is_an_address_on_a_path() {
        let mut world = world(1);
        for second in [0, 2, 20, 45, 70] {
            assert!(world.asks("hls", "", 1, second), "{second}");
        }
        assert!(!world.asks("hls", "", 2, 99));
        assert!(world.asks("hls", "", 2, 100));
    }

    #[test]
    fn page_and_first_question_of_a_protocol_are_the_same_viewer() {
        let mut hls = world(1);
        assert!(hls.asks("hls", "", 1, 0) && hls.asks("hls", "session", 1, 1));
        assert!(!hls.asks("hls", "other", 2, 2));
        let mut rtsp = world(1);
        assert!(rtsp.asks("rtsp", "connection", 1, 0) && rtsp.asks("rtsp", "session", 1, 1));
        rtsp.lists(&["session"], 2);
        assert!(!rtsp.asks("rtsp", "second", 1, 3));
        let mut webrtc = world(1);
        assert!(webrtc.asks("webrtc", "", 1, 0) && webrtc.asks("webrtc", "", 1, 0), "a page takes no place");
        assert!(webrtc.asks("webrtc", "session", 1, 1) && !webrtc.asks("webrtc", "other", 2, 1));
    }

    #[test]
    fn connections_of_an_expired_or_revoked_token_are_due() {
        let mut world = world(0);
        assert!((0..5).all(|n| world.asks("rtmp", &format!("c{n}"), 1, 0)));
        assert!(world.asks("hls", "", 1, 0));
        assert_eq!((world.due(99, false), world.due(100, false), world.due(1, true)), (0, 5, 5));
        world.lists(&["c0"], 20);
        assert_eq!(world.due(100, false), 1, "the others never appeared");
        world.lists(&[], 21);
        assert!(!world.sessions.has_any(&MediaServerName::default()));
    }
}
