//! Addresses of RTMP servers.

use thiserror::Error;
use url::Url;

use crate::domain::secret::Secret;

/// Where a server is, and which application of it is meant. Without a stream's name, which can be a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    pub(super) is_tls: bool,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) app: String,
    pub(super) url: String,
}

/// A text is no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the address must begin with rtmp:// or rtmps:// and name a host")]
pub struct AddressError;

impl Address {
    /// Parses `rtmp[s]://host[:port]/app`. A query belongs to the application, as platforms expect it.
    ///
    /// # Errors
    /// If it is no such address.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let url = Url::parse(text).map_err(|_| AddressError)?;
        let is_tls = match url.scheme() {
            "rtmp" => false,
            "rtmps" => true,
            _ => return Err(AddressError),
        };
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or(AddressError)?;
        let port = url.port().unwrap_or(if is_tls { 443 } else { 1_935 });
        let path = url.path().trim_matches('/');
        let app = url.query().map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"));
        let authority = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let url = format!("{}://{authority}/{app}", url.scheme());
        let host = host.trim_matches(['[', ']']).to_owned();
        Ok(Self { is_tls, host, port, app, url })
    }

    /// Parses the address of a stream: `rtmp[s]://host[:port]/app/name?query`. Returns the name with its query apart.
    ///
    /// # Errors
    /// If it is no such address.
    pub fn parse_stream(text: &str) -> Result<(Self, Secret), AddressError> {
        let (address, query) = text.split_once('?').map_or((text, ""), |(address, query)| (address, query));
        let mut address = Self::parse(address)?;
        let (app, name) = match address.app.rsplit_once('/') {
            Some((app, name)) => (app.to_owned(), name.to_owned()),
            None => (address.app.clone(), String::new()),
        };
        let base = address.url.strip_suffix(&address.app).unwrap_or_default();
        address.url = format!("{base}{app}");
        address.app = app;
        let name = if query.is_empty() { name } else { format!("{name}?{query}") };
        Ok((address, Secret::new(name)))
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("rtmp://host/live", false, "host", 1_935, "live", "rtmp://host/live")]
    #[case("rtmps://a.b:443/rtmp/", true, "a.b", 443, "rtmp", "rtmps://a.b:443/rtmp")]
    #[case("rtmps://b/live2?backup=1", true, "b", 443, "live2?backup=1", "rtmps://b/live2?backup=1")]
    #[case("rtmp://[::1]:99/a/b", false, "::1", 99, "a/b", "rtmp://[::1]:99/a/b")]
    fn addresses_are_parsed(
        #[case] text: &str,
        #[case] is_tls: bool,
        #[case] host: &str,
        #[case] port: u16,
        #[case] app: &str,
        #[case] url: &str,
    ) {
        let is = Address::parse(text).unwrap();
        assert_eq!((is.is_tls, &*is.host, is.port, &*is.app, &*is.url), (is_tls, host, port, app, url));
    }

    #[test]
    fn name_of_a_stream_is_apart_from_the_address() {
        let (address, name) =
            Address::parse_stream("rtmp://127.0.0.1:1935/school/room/live?token=x").unwrap();
        assert_eq!((&*address.app, name.expose()), ("school/room", "live?token=x"));
        assert_eq!(address.url, "rtmp://127.0.0.1:1935/school/room");
        let (address, name) = Address::parse_stream("rtmp://127.0.0.1/room?token=x").unwrap();
        assert_eq!((&*address.app, name.expose()), ("room", "?token=x"));
        assert_eq!(Address::parse("http://host/x"), Err(AddressError));
        assert_eq!(Address::parse("rtmp:///x"), Err(AddressError));
    }
}
