//! The cookies of people who signed in, and the rule that keeps other sites from using them: a write with a cookie must say
//! that it comes from a page of this server (`Origin`, RFC 6454).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ConnectInfo;
use axum::http::header::{COOKIE, HOST, ORIGIN};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use ipnet::IpNet;

/// The cookie of a session.
const SESSION: &str = "streamward_session";
/// The cookie of a device on which somebody has signed in.
const DEVICE: &str = "streamward_device";
/// What a browser keeps while its person is at a provider.
const SIGN_IN: &str = "streamward_sign_in";
/// How long a device is known: as long as browsers keep a cookie.
const DEVICE_AGE: Duration = Duration::from_secs(400 * 86_400);

/// How cookies are set, and which requests with them are ours.
#[derive(Clone)]
pub struct CookieRules {
    trusted_proxies: Arc<[IpNet]>,
    /// Scheme and host of `http.public_url`.
    public_origin: Option<String>,
    path: String,
}

impl CookieRules {
    /// `trusted_proxies`: whose `X-Forwarded-Proto` is trusted. `public_url`: where browsers reach us, if it is configured.
    /// `base_path`: what all our addresses begin with.
    pub fn new(trusted_proxies: &[IpNet], public_url: Option<&str>, base_path: &str) -> Self {
        let public_origin = public_url.and_then(|url| url.split_once("://")).map(|(scheme, rest)| {
            let host = rest.split_once('/').map_or(rest, |(host, _)| host);
            format!("{scheme}://{}", bare(scheme, host))
        });
        let path = if base_path.is_empty() { "/" } else { base_path }.to_owned();
        Self { trusted_proxies: trusted_proxies.into(), public_origin, path }
    }

    /// The proxies that are trusted.
    pub(super) fn trusted_proxies(&self) -> &[IpNet] {
        &self.trusted_proxies
    }

    /// Whether the browser spoke TLS, as far as we know.
    fn is_https(&self, parts: &Parts) -> bool {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip().to_canonical());
        let is_trusted = peer.is_some_and(|peer| self.trusted_proxies.iter().any(|net| net.contains(&peer)));
        let proto = text(&parts.headers, "x-forwarded-proto").and_then(|list| list.rsplit(',').next());
        let is_forwarded =
            is_trusted && proto.is_some_and(|proto| proto.trim().eq_ignore_ascii_case("https"));
        let public = self.public_origin.as_deref().and_then(|origin| origin.strip_prefix("https://"));
        let host = text(&parts.headers, HOST.as_str()).map(|host| bare("https", host));
        is_forwarded || (public.is_some() && host.as_deref() == public)
    }

    /// Whether the request says that it comes from a page of this server.
    pub(super) fn is_own_origin(&self, parts: &Parts) -> bool {
        let mut origins = parts.headers.get_all(ORIGIN).iter();
        let (Some(origin), None) = (origins.next(), origins.next()) else { return false };
        let Some((scheme, host)) = origin.to_str().ok().and_then(|text| text.split_once("://")) else {
            return false;
        };
        let scheme = scheme.to_ascii_lowercase();
        let origin = format!("{scheme}://{}", bare(&scheme, host));
        if self.public_origin.as_ref() == Some(&origin) {
            return true;
        }
        let is_known_scheme = scheme == "https" || (scheme == "http" && !self.is_https(parts));
        let own = text(&parts.headers, HOST.as_str()).map(|own| bare(&scheme, own));
        is_known_scheme && own.is_some_and(|own| own == bare(&scheme, host))
    }

    /// Whether a page of another site sent the request. Programs send no `Origin`.
    pub(super) fn is_foreign(&self, parts: &Parts) -> bool {
        parts.headers.contains_key(ORIGIN) && !self.is_own_origin(parts)
    }

    /// Sets the cookie of a session. The server ends the session earlier if it is not used.
    pub(super) fn session(&self, parts: &Parts, secret: &str, longest: Duration) -> Option<HeaderValue> {
        self.set(parts, SESSION, secret, longest)
    }

    /// Sets the cookie of a device.
    pub(super) fn device(&self, parts: &Parts, value: &str) -> Option<HeaderValue> {
        self.set(parts, DEVICE, value, DEVICE_AGE)
    }

    /// Removes the cookie of a session.
    pub(super) fn no_session(&self, parts: &Parts) -> Option<HeaderValue> {
        self.set(parts, SESSION, "", Duration::ZERO)
    }

    /// Sets, or with an empty value removes, the cookie of a person who is at a provider. The provider's site sends the
    /// browser back, so `SameSite=Strict` would hide it.
    pub(super) fn sign_in(&self, parts: &Parts, value: &str, valid: Duration) -> Option<HeaderValue> {
        self.set_for(parts, (SIGN_IN, value), valid, "Lax")
    }

    fn set(&self, parts: &Parts, name: &str, value: &str, age: Duration) -> Option<HeaderValue> {
        self.set_for(parts, (name, value), age, "Strict")
    }

    fn set_for(
        &self,
        parts: &Parts,
        (name, value): (&str, &str),
        age: Duration,
        same_site: &str,
    ) -> Option<HeaderValue> {
        let secure = if self.is_https(parts) { "; Secure" } else { "" };
        let (path, age) = (&self.path, age.as_secs());
        let cookie =
            format!("{name}={value}; Path={path}; Max-Age={age}; HttpOnly; SameSite={same_site}{secure}");
        let mut cookie = HeaderValue::from_str(&cookie).ok()?;
        cookie.set_sensitive(true);
        Some(cookie)
    }
}

/// The session's cookie of a request.
pub(super) fn shown_session(headers: &HeaderMap) -> Option<&str> {
    cookie(headers, SESSION)
}

/// The device's cookie of a request.
pub(super) fn shown_device(headers: &HeaderMap) -> Option<&str> {
    cookie(headers, DEVICE)
}

/// What a browser kept while its person was at a provider.
pub(super) fn shown_sign_in(headers: &HeaderMap) -> Option<&str> {
    cookie(headers, SIGN_IN)
}

fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lists = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = lists.flat_map(|list| list.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(known, value)| *known == name && !value.is_empty()).map(|(_, value)| value)
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// A host in lower case, without the port that its scheme has anyway.
fn bare(scheme: &str, host: &str) -> String {
    let port = if scheme == "https" { ":443" } else { ":80" };
    host.strip_suffix(port).unwrap_or(host).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn parts(peer: &str, pairs: &[(&'static str, &str)]) -> Parts {
        let mut request = Request::builder();
        for (name, value) in pairs {
            request = request.header(*name, *value);
        }
        let peer: SocketAddr = format!("{peer}:4711").parse().unwrap();
        request.extension(ConnectInfo(peer)).body(()).unwrap().into_parts().0
    }

    fn rules(public_url: Option<&str>) -> CookieRules {
        CookieRules::new(&["10.0.0.0/8".parse().unwrap()], public_url, "")
    }

    #[test]
    fn a_write_must_come_from_a_page_of_this_server() {
        let proxied = rules(Some("https://tv.example.org/"));
        for (host, origin, expected) in [
            ("localhost:8080", "http://localhost:8080", true),
            ("localhost:8080", "https://localhost:8080", true),
            ("LOCALHOST", "http://localhost:80", true),
            ("backend:8080", "https://tv.example.org", true),
            ("backend:8080", "https://TV.example.org:443", true),
            ("backend:8080", "http://tv.example.org", false),
            ("localhost:8080", "http://localhost", false),
            ("localhost:8080", "http://localhost:8081", false),
            ("localhost:8080", "https://evil.example", false),
            ("localhost:8080", "https://localhost:8080.evil.example", false),
            ("localhost:8080", "null", false),
            ("localhost:8080", "", false),
            ("localhost:8080", "ftp://localhost:8080", false),
        ] {
            let request = parts("192.0.2.1", &[("host", host), ("origin", origin)]);
            assert_eq!(proxied.is_own_origin(&request), expected, "{host} {origin}");
            assert_eq!(proxied.is_foreign(&request), !expected, "{host} {origin}");
        }
        let silent = parts("192.0.2.1", &[("host", "localhost")]);
        assert!(!proxied.is_own_origin(&silent) && !proxied.is_foreign(&silent));
        let twice = [("host", "a"), ("origin", "http://a"), ("origin", "http://b")];
        assert!(!proxied.is_own_origin(&parts("192.0.2.1", &twice)));
    }

    #[test]
    fn over_tls_a_page_without_tls_is_foreign() {
        let pairs = [("host", "tv"), ("origin", "http://tv"), ("x-forwarded-proto", "https")];
        assert!(!rules(None).is_own_origin(&parts("10.0.0.1", &pairs)));
        assert!(
            rules(None).is_own_origin(&parts("192.0.2.1", &pairs)),
            "whoever is not trusted is not believed"
        );
    }

    #[test]
    fn a_cookie_is_secure_where_the_browser_speaks_tls() {
        let shown = |rules: &CookieRules, request: &Parts| {
            let cookie = rules.session(request, "x", Duration::from_secs(60)).unwrap();
            cookie.to_str().unwrap().to_owned()
        };
        let plain = parts("10.0.0.1", &[("host", "tv")]);
        assert_eq!(
            shown(&rules(None), &plain),
            "streamward_session=x; Path=/; Max-Age=60; HttpOnly; SameSite=Strict"
        );
        let forwarded = [("host", "tv"), ("x-forwarded-proto", "http, https")];
        assert!(shown(&rules(None), &parts("10.0.0.1", &forwarded)).ends_with("; Secure"));
        assert!(!shown(&rules(None), &parts("192.0.2.1", &forwarded)).contains("Secure"));
        let public = Some("https://tv/streamward");
        let public = CookieRules::new(&[], public, "/streamward");
        assert!(shown(&public, &plain).contains("; Path=/streamward;"));
        assert!(shown(&public, &plain).ends_with("; Secure"));
    }

    #[test]
    fn cookies_are_found_among_others() {
        let request = parts(
            "192.0.2.1",
            &[
                ("cookie", "a=b; streamward_session=; streamward_session=x"),
                ("cookie", "streamward_device=y.z"),
            ],
        );
        assert_eq!(shown_session(&request.headers), Some("x"));
        assert_eq!(shown_device(&request.headers), Some("y.z"));
        assert_eq!(shown_session(&HeaderMap::new()), None);
    }
}
