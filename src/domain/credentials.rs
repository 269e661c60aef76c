//! What a client of a media server requests, and where its stream key may be.

use std::net::IpAddr;

use strum::{EnumString, IntoStaticStr};

use super::media_server::SourceId;
use super::path::IngestPath;
use super::secret::{KEY_PREFIX, KeySecret, Secret};

/// What the client wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumString, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
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
    /// Nothing: `streamward doctor` checks that it is denied.
    Doctor,
    /// An action that this version does not know. It is denied.
    Unknown,
}

impl Action {
    /// The word for logs and metrics.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// Everything that may contain the secret of a client.
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
    /// Those of a client of which only the query is known.
    pub fn of_query(query: Secret) -> Self {
        Self { password: Secret::new(""), token: Secret::new(""), query }
    }

    /// The first that has the shape of a stream key: `token`, `password`, then `key`, `token`, `pass`, `password` of the
    /// query.
    pub fn stream_key(&self) -> Option<KeySecret> {
        KeySecret::parse(self.token.expose())
            .or_else(|| KeySecret::parse(self.password.expose()))
            .or_else(|| ["key", "token", "pass", "password"].into_iter().find_map(|name| self.in_query(name)))
    }

    /// How many characters follow the `sk_` of a text that begins like a stream key, but is none.
    pub fn malformed_key_length(&self) -> Option<usize> {
        let length = |text: &str| {
            let (prefix, rest) = text.split_at_checked(KEY_PREFIX.len())?;
            prefix.eq_ignore_ascii_case(KEY_PREFIX).then(|| rest.chars().count())
        };
        let query =
            form_urlencoded::parse(self.query.expose().as_bytes()).find_map(|(_, value)| length(&value));
        length(self.token.expose()).or_else(|| length(self.password.expose())).or(query)
    }

    /// Whether there are none at all, also none of the wrong form.
    pub fn are_absent(&self) -> bool {
        let is_credential = |name: &str| ["key", "token", "pass", "password", "jwt"].contains(&name);
        self.token.is_empty()
            && self.password.is_empty()
            && form_urlencoded::parse(self.query.expose().as_bytes())
                .all(|(name, value)| !is_credential(&name) || value.is_empty())
    }

    /// The first that has the shape of a playback token (a JSON web token): `token`, `password`, then `token` and `jwt` of the
    /// query.
    pub fn playback_token(&self) -> Option<Secret> {
        // Every header begins with `{"`.
        let is_one = |text: &str| text.starts_with("eyJ") && text.bytes().filter(|b| *b == b'.').count() == 2;
        let shown = [&self.token, &self.password].into_iter().find(|shown| is_one(shown.expose()));
        let pairs = || form_urlencoded::parse(self.query.expose().as_bytes());
        let named = |wanted: &str| pairs().find(|(name, value)| name == wanted && is_one(value));
        shown.cloned().or_else(|| {
            let (_, value) = named("token").or_else(|| named("jwt"))?;
            Some(Secret::new(value))
        })
    }

    /// Whether token, password or the `pass` of the query is `secret`: media servers differ in what they make of a URL.
    pub fn show(&self, secret: &Secret) -> bool {
        let in_query = form_urlencoded::parse(self.query.expose().as_bytes())
            .any(|(name, value)| name == "pass" && secret.matches(&value));
        self.contain(secret) || (!secret.is_empty() && in_query)
    }

    fn in_query(&self, name: &str) -> Option<KeySecret> {
        form_urlencoded::parse(self.query.expose().as_bytes())
            .filter(|(key, _)| key == name)
            .find_map(|(_, value)| KeySecret::parse(&value))
    }

    /// Whether token or password is `secret`.
    pub fn contain(&self, secret: &Secret) -> bool {
        // Always compare both, so that the time does not reveal which one matched.
        let (token, password) = (secret.matches(self.token.expose()), secret.matches(self.password.expose()));
        !secret.is_empty() && (token | password)
    }
}

/// A media server's request: may this client do this?
#[derive(Clone, Debug)]
pub struct AuthRequest {
    /// What it wants to do.
    pub action: Action,
    /// The path.
    pub path: IngestPath,
    /// The protocol, as a word of a fixed set: it is a metric label.
    pub protocol: &'static str,
    /// The connection. A client that only views a page has none.
    pub connection: Option<SourceId>,
    /// The address of the client, if known.
    pub ip: Option<IpAddr>,
    /// Its credentials.
    pub credentials: Credentials,
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn credentials(token: &str, password: &str, query: &str) -> Credentials {
        Credentials { password: Secret::new(password), token: Secret::new(token), query: Secret::new(query) }
    }

    #[test]
    fn first_place_with_a_key_counts() {
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
    fn malformed_key_is_told_from_no_key() {
        let key = KeySecret::from_random([1; 32]);
        let short = key.expose().get(..45).unwrap();
        assert_eq!(credentials(short, "", "").malformed_key_length(), Some(42));
        assert_eq!(credentials("jwt", &format!("{}x", key.expose()), "").malformed_key_length(), Some(44));
        assert_eq!(credentials("", "", &format!("a=1&key={short}")).malformed_key_length(), Some(42));
        assert_eq!(
            credentials("", "", &format!("key={}", short.to_uppercase())).malformed_key_length(),
            Some(42)
        );
        assert_eq!(credentials("jwt", "hunter2", "key=nope").malformed_key_length(), None);
    }

    #[test]
    fn first_text_in_the_shape_of_a_playback_token_counts() {
        let found = |token: &str, password: &str, query: &str| {
            credentials(token, password, query).playback_token().map(|found| found.expose().to_owned())
        };
        assert_eq!(found("eyJ1.a.b", "eyJ2.a.b", "token=eyJ3.a.b").as_deref(), Some("eyJ1.a.b"));
        assert_eq!(found("sk_x", "eyJ2.a.b", "token=eyJ3.a.b").as_deref(), Some("eyJ2.a.b"));
        assert_eq!(found("", "", "jwt=eyJ4.a.b&token=eyJ3.a.b").as_deref(), Some("eyJ3.a.b"));
        assert_eq!(found("", "", "token=x&jwt=%65yJ4.a.b").as_deref(), Some("eyJ4.a.b"));
        assert_eq!(found("eyJ.a", "a.b.c", "key=eyJ4.a.b"), None);
    }

    #[test]
    fn secret_is_shown_in_one_of_three_places() {
        let secret = Secret::new("s/1");
        for (token, password, query) in [("s/1", "", ""), ("", "s/1", ""), ("", "", "user=x&pass=s%2F1")] {
            assert!(credentials(token, password, query).show(&secret));
        }
        assert!(!credentials("", "", "pass=s&key=s/1").show(&secret));
        assert!(!credentials("", "", "pass=").show(&Secret::new("")));
    }

    #[test]
    fn query_is_decoded() {
        let key = KeySecret::from_random([1; 32]);
        let encoded = key.expose().replace('_', "%5F");
        assert_eq!(credentials("", "", &format!("a=1&key={encoded}&b")).stream_key(), Some(key));
    }

    #[test]
    fn empty_secret_never_matches() {
        assert!(!credentials("", "", "").contain(&Secret::new("")));
        assert!(credentials("s", "", "").contain(&Secret::new("s")));
        assert!(credentials("", "s", "").contain(&Secret::new("s")));
        assert!(!credentials("", "", "s").contain(&Secret::new("s")));
    }
}
