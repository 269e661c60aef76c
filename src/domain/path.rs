//! Paths: where a stream is on a media server, and which paths may be shown.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::invalid::{Invalid, text_type};
use super::secret::{KeySecret, Secret, mask_keys};

/// Longest public path, in characters.
pub const MAX_PATH: usize = 200;

/// What SRS calls the application of a path that has only one part.
pub const DEFAULT_APPLICATION: &str = "__defaultApp__";

/// A public path such as `live/alice`: `^[0-9A-Za-z_-]+(/[0-9A-Za-z_-]+)*$`, at most 200 characters, and no part of it
/// could be a stream key (see [`mask_keys`] and [`IngestPath`]).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StreamPath(String);

text_type!(StreamPath);

impl StreamPath {
    /// Checks and takes a path.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        if text.is_empty() || text.len() > MAX_PATH {
            return Err(Invalid::one(
                "path",
                format!("must be 1 to {MAX_PATH} characters, got {}", text.chars().count()),
            ));
        }
        let good = |part: &str| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
        };
        if !text.split('/').all(good) {
            let rule = "must be letters, digits, '_' and '-' in parts separated by single slashes, such as live/alice";
            return Err(Invalid::one("path", rule));
        }
        if mask_keys(text) != text {
            return Err(Invalid::one(
                "path",
                "must not contain a stream key or a part of one: paths are public",
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

/// A path in the words of a media server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IngestPath {
    /// A path that can be a key's public path.
    Public(StreamPath),
    /// A path that contains a stream key. It works like the key, so it is never stored, logged or returned.
    Private(PrivatePath),
    /// Any other path: empty, or with characters that no key's path has. No key can be for it. Keys in it are masked.
    Other(String),
}

/// A path that contains a stream key, such as `sk_…` or `live/sk_…`.
#[derive(Clone, PartialEq, Eq)]
pub struct PrivatePath {
    raw: Secret,
    secret: KeySecret,
}

impl PrivatePath {
    /// The stream key in it.
    pub fn secret(&self) -> &KeySecret {
        &self.secret
    }

    /// The path of the media server, for its configuration only.
    pub fn expose(&self) -> &str {
        self.raw.expose()
    }
}

impl fmt::Debug for PrivatePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivatePath(***)")
    }
}

impl IngestPath {
    /// The kind of this path. Leading slashes are dropped.
    pub fn from_media_server(raw: &str) -> Self {
        let path = raw.trim_start_matches('/');
        if let Some(secret) = path.split('/').find_map(KeySecret::parse) {
            return Self::Private(PrivatePath { raw: Secret::new(path), secret });
        }
        match StreamPath::parse(path) {
            Ok(path) => Self::Public(path),
            Err(_) => Self::Other(mask_keys(path).chars().take(MAX_PATH).collect()),
        }
    }

    /// The kind of the path of a stream of SRS: `app/name`, and before it the vhost if it is not the default one. `url` is
    /// SRS's own form of that, if it sent one.
    pub fn from_srs(app: &str, name: &str, url: Option<&str>) -> Self {
        let path = match url.map(|url| url.trim_start_matches('/')) {
            Some(url) if !url.is_empty() => url.to_owned(),
            _ => format!("{app}/{name}"),
        };
        let below = path.strip_prefix(DEFAULT_APPLICATION).and_then(|rest| rest.strip_prefix('/'));
        Self::from_media_server(below.unwrap_or(&path))
    }

    /// The path, if it may be shown.
    pub fn public(&self) -> Option<&str> {
        match self {
            Self::Public(path) => Some(path.as_str()),
            Self::Private(_) => None,
            Self::Other(path) => Some(path),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_path_has_one_shape() {
        for good in ["a", "live/alice", "A-b_9/c/d", &"x".repeat(200)] {
            assert_eq!(StreamPath::parse(good).unwrap().as_str(), good);
        }
        let key = KeySecret::from_random([1; 32]);
        for bad in [
            "",
            "/a",
            "a/",
            "a//b",
            "a.b",
            "a b",
            "ä",
            "a\0",
            "..",
            &"x".repeat(201),
            &format!("live/{}", key.expose()),
            &key.expose().replace("sk_", "SK_"),
        ] {
            assert_eq!(StreamPath::parse(bad).unwrap_err().0[0].field, "path", "{bad:?}");
        }
    }

    #[test]
    fn path_with_a_key_is_private_and_does_not_print() {
        let key = KeySecret::from_random([1; 32]);
        for raw in [key.expose().to_owned(), format!("live/{}", key.expose()), format!("/{}", key.expose())] {
            let path = IngestPath::from_media_server(&raw);
            let IngestPath::Private(private) = &path else { panic!("{raw} must be private") };
            assert_eq!(private.secret(), &key);
            assert_eq!(path.public(), None);
            assert!(!format!("{path:?}").contains(key.expose()));
        }
    }

    #[test]
    fn path_of_srs_is_that_of_its_urls() {
        for (app, name, url, path) in [
            ("live", "alice", Some("/live/alice"), "live/alice"),
            ("live", "alice", None, "live/alice"),
            ("live", "alice", Some(""), "live/alice"),
            ("live/eu", "alice", Some("/live/eu/alice"), "live/eu/alice"),
            ("__defaultApp__", "alice", Some("/__defaultApp__/alice"), "alice"),
            ("live", "alice", Some("other.example.org/live/alice"), "other.example.org/live/alice"),
        ] {
            assert_eq!(IngestPath::from_srs(app, name, url).public(), Some(path));
        }
        let key = KeySecret::from_random([1; 32]);
        assert!(matches!(IngestPath::from_srs("live", key.expose(), None), IngestPath::Private(_)));
    }

    #[test]
    fn foreign_paths_are_kept_as_they_are() {
        assert_eq!(IngestPath::from_media_server("cam.1"), IngestPath::Other("cam.1".into()));
        assert_eq!(IngestPath::from_media_server(""), IngestPath::Other(String::new()));
        assert!(matches!(IngestPath::from_media_server("live/x"), IngestPath::Public(_)));
    }
}
