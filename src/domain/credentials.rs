//! What a client of a media server brings along, and where in it a stream key may hide.

use super::media_server::SourceId;
use super::path::IngestPath;
use super::secret::{KeySecret, Secret};
use std::net::IpAddr;

/// What the client wants to do (MediaMTX `action`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Send a stream.
    Publish,
    /// Watch a stream.
    Read,
    /// Watch a recording.
    Playback,
    /// Use the control API.
    Api,
    /// Read the media server's metrics.
    Metrics,
    /// Profile the media server.
    Pprof,
    /// Something this version does not know; denied.
    Unknown,
}

impl Action {
    /// Reads MediaMTX's word for it.
    pub fn parse(text: &str) -> Self {
        match text {
            "publish" => Self::Publish,
            "read" => Self::Read,
            "playback" => Self::Playback,
            "api" => Self::Api,
            "metrics" => Self::Metrics,
            "pprof" => Self::Pprof,
            _ => Self::Unknown,
        }
    }

    /// The word for logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Read => "read",
            Self::Playback => "playback",
            Self::Api => "api",
            Self::Metrics => "metrics",
            Self::Pprof => "pprof",
            Self::Unknown => "unknown",
        }
    }
}

/// The protocol as a word of a fixed set, so that a client cannot make up metric labels.
pub fn protocol_word(text: &str) -> &'static str {
    const KNOWN: [&str; 6] = ["rtmp", "rtsp", "srt", "hls", "webrtc", "moq"];
    if text.is_empty() {
        return "none";
    }
    KNOWN.into_iter().find(|known| *known == text).unwrap_or("other")
}

/// Everything a client may have put a secret in.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// Password, of Basic or the like.
    pub password: Secret,
    /// Bearer token, or what MediaMTX takes for one.
    pub token: Secret,
    /// Raw query without `?`, not decoded.
    pub query: Secret,
}

impl Credentials {
    /// Looks for something with a stream key's shape: `token`, `password`, then the query's `key`, `token`, `pass`,
    /// `password`. The first one wins.
    pub fn stream_key(&self) -> Option<KeySecret> {
        KeySecret::parse(self.token.expose())
            .or_else(|| KeySecret::parse(self.password.expose()))
            .or_else(|| ["key", "token", "pass", "password"].into_iter().find_map(|name| self.in_query(name)))
    }

    fn in_query(&self, name: &str) -> Option<KeySecret> {
        form_urlencoded::parse(self.query.expose().as_bytes())
            .filter(|(key, _)| key == name)
            .find_map(|(_, value)| KeySecret::parse(&value))
    }

    /// Whether token or password is `secret`.
    pub fn present(&self, secret: &Secret) -> bool {
        // Both are compared whatever the first says: no early return that time could tell.
        let (token, password) = (secret.matches(self.token.expose()), secret.matches(self.password.expose()));
        !secret.is_empty() && (token | password)
    }
}

/// A media server's request: may this client do that?
#[derive(Clone, Debug)]
pub struct AuthRequest {
    /// What it wants to do.
    pub action: Action,
    /// Where.
    pub path: IngestPath,
    /// By which protocol, see [`protocol_word`].
    pub protocol: &'static str,
    /// The connection, unless the client only looks at a page.
    pub connection: Option<SourceId>,
    /// From where; MediaMTX sends `<nil>` when it does not know.
    pub ip: Option<IpAddr>,
    /// With what.
    pub credentials: Credentials,
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn credentials(token: &str, password: &str, query: &str) -> Credentials {
        Credentials { password: Secret::new(password), token: Secret::new(token), query: Secret::new(query) }
    }

    #[test]
    fn the_first_place_with_a_key_counts() {
        let keys: Vec<KeySecret> = (1..=6).map(|n| KeySecret::from_random([n; 32])).collect();
        let text: Vec<&str> = keys.iter().map(KeySecret::expose).collect();
        let query = format!("password={}&pass={}&token={}&key={}", text[5], text[4], text[3], text[2]);
        let found = |token, password, query: &str| credentials(token, password, query).stream_key();
        assert_eq!(found(text[0], text[1], &query).as_ref(), Some(&keys[0]));
        assert_eq!(found("jwt", text[1], &query).as_ref(), Some(&keys[1]));
        assert_eq!(found("", "hunter2", &query).as_ref(), Some(&keys[2]));
        assert_eq!(found("", "", &query.replace("&key", "&x")).as_ref(), Some(&keys[3]));
        assert_eq!(found("", "", &format!("pass={}&password={}", text[4], text[5])).as_ref(), Some(&keys[4]));
        assert_eq!(found("", "", &format!("password={}", text[5])).as_ref(), Some(&keys[5]));
        assert_eq!(found("", "", "key=nope&other=1"), None);
    }

    #[test]
    fn the_query_is_decoded() {
        let key = KeySecret::from_random([1; 32]);
        let encoded = key.expose().replace('_', "%5F");
        assert_eq!(credentials("", "", &format!("a=1&key={encoded}&b")).stream_key(), Some(key));
    }

    #[test]
    fn an_empty_secret_is_never_presented() {
        assert!(!credentials("", "", "").present(&Secret::new("")));
        assert!(credentials("s", "", "").present(&Secret::new("s")));
        assert!(credentials("", "s", "").present(&Secret::new("s")));
        assert!(!credentials("", "", "s").present(&Secret::new("s")));
    }
}
