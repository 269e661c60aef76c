//! SRT addresses of destinations: `srt://host:port`, and what of them is secret.

use url::Url;

use crate::domain::invalid::Invalid;
use crate::domain::secret::Secret;

/// The longest stream id (libsrt).
const LONGEST_STREAM_ID: usize = 512;
/// The lengths of a passphrase (libsrt).
const PASSPHRASE: std::ops::RangeInclusive<usize> = 10..=79;
/// The longest latency that can be set, in milliseconds.
const LONGEST_LATENCY: u32 = 60_000;

/// Where an SRT listener is. Without the stream id and the passphrase, which are secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SrtAddress {
    /// A name or an IP address, without brackets.
    pub host: String,
    /// UDP.
    pub port: u16,
    /// How long lost packets are sent again, in milliseconds.
    pub latency_ms: Option<u32>,
    /// The length of the encryption key: 16, 24 or 32 bytes.
    pub key_length: Option<u8>,
}

/// The secrets of an SRT listener.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SrtKey {
    /// Which stream it is, and often who may send it.
    pub stream_id: Option<Secret>,
    /// Encrypts the media.
    pub passphrase: Option<Secret>,
}

impl SrtAddress {
    /// Whether `text` is meant as such an address.
    pub fn is_meant(text: &str) -> bool {
        text.trim_start().get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case("srt://"))
    }

    /// Parses `srt://host:port`, with the parameters `latency`, `pbkeylen` and `mode=caller` only.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let bad = |rule: String| Invalid::one("url", rule);
        let url = Url::parse(text)
            .ok()
            .filter(|url| url.scheme() == "srt")
            .ok_or_else(|| bad("must be an address such as srt://host:port".to_owned()))?;
        let (Some(host), Some(port)) = (url.host_str().filter(|host| !host.is_empty()), url.port()) else {
            return Err(bad("must name a host and a port, such as srt://host:9000".to_owned()));
        };
        if !matches!(url.path(), "" | "/") {
            return Err(bad("must not contain a path: SRT has none".to_owned()));
        }
        let host = host.trim_matches(['[', ']']).to_owned();
        let mut address = Self { host, port, latency_ms: None, key_length: None };
        for (name, value) in url.query_pairs() {
            match &*name {
                "streamid" | "passphrase" => {
                    let rule = format!(
                        "must not contain the {name}, which can be a secret: send it as `key`, such as \
                                        streamid=…&passphrase=…"
                    );
                    return Err(bad(rule));
                }
                "latency" => {
                    let latency = value.parse().ok().filter(|ms| (1..=LONGEST_LATENCY).contains(ms));
                    let rule = || format!("must have a latency of 1 to {LONGEST_LATENCY} ms");
                    address.latency_ms = Some(latency.ok_or_else(|| bad(rule()))?);
                }
                "pbkeylen" => {
                    let length = value.parse().ok().filter(|length| [16, 24, 32].contains(length));
                    let rule = || "must have a pbkeylen of 16, 24 or 32".to_owned();
                    address.key_length = Some(length.ok_or_else(|| bad(rule()))?);
                }
                "mode" if value == "caller" => {}
                _ => {
                    let rule = "must have no parameters but latency (ms), pbkeylen and mode=caller";
                    return Err(bad(rule.to_owned()));
                }
            }
        }
        Ok(address)
    }
}

impl SrtKey {
    /// Reads the key of a destination: the stream id, or `streamid=…&passphrase=…` (either of them), as platforms show
    /// it in an address. `%` escapes are decoded, `+` is not.
    pub fn parse(key: &Secret) -> Result<Self, Invalid> {
        let bad = |rule: &str| Invalid::one("key", rule);
        let mut parsed = Self::default();
        if ["streamid=", "passphrase="].iter().any(|name| key.expose().starts_with(name)) {
            let text = Secret::new(key.expose().replace('+', "%2B"));
            for (name, value) in form_urlencoded::parse(text.expose().as_bytes()) {
                let place = match &*name {
                    "streamid" => &mut parsed.stream_id,
                    "passphrase" => &mut parsed.passphrase,
                    _ => return Err(bad("must be the stream id, or streamid=…&passphrase=…")),
                };
                *place = Some(Secret::new(value));
            }
        } else {
            parsed.stream_id = Some(key.clone());
        }
        let is_good = |part: &Secret| !part.is_empty() && !part.expose().contains(char::is_control);
        if parsed.stream_id.as_ref().is_some_and(|id| !is_good(id) || id.expose().len() > LONGEST_STREAM_ID) {
            return Err(bad("must have a stream id of 1 to 512 bytes"));
        }
        let passphrase = parsed.passphrase.as_ref();
        if passphrase.is_some_and(|it| !is_good(it) || !PASSPHRASE.contains(&it.expose().len())) {
            return Err(bad("must have a passphrase of 10 to 79 characters"));
        }
        Ok(parsed)
    }

    /// Every part that nobody may see.
    pub fn parts(&self) -> impl Iterator<Item = &Secret> {
        self.stream_id.iter().chain(&self.passphrase)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("srt://host:9000", "host", 9_000, None, None)]
    #[case("SRT://[::1]:9000/?mode=caller", "::1", 9_000, None, None)]
    #[case("srt://1.2.3.4:1?latency=200&pbkeylen=32", "1.2.3.4", 1, Some(200), Some(32))]
    fn addresses_are_parsed(
        #[case] text: &str,
        #[case] host: &str,
        #[case] port: u16,
        #[case] latency: Option<u32>,
        #[case] length: Option<u8>,
    ) {
        let is = SrtAddress::parse(text).unwrap();
        assert_eq!((&*is.host, is.port, is.latency_ms, is.key_length), (host, port, latency, length));
        assert!(SrtAddress::is_meant(text));
    }

    #[rstest]
    #[case("srt://host", "a port")]
    #[case("srt://host:1/live", "a path")]
    #[case("srt://host:1?streamid=abc", "send it as `key`")]
    #[case("srt://host:1?passphrase=abc", "send it as `key`")]
    #[case("srt://host:1?mode=listener", "no parameters but")]
    #[case("srt://host:1?latency=0", "latency of 1 to")]
    #[case("srt://host:1?pbkeylen=17", "pbkeylen")]
    #[case("rtmp://host:1", "srt://host:port")]
    fn other_addresses_are_refused(#[case] text: &str, #[case] rule: &str) {
        assert!(SrtAddress::parse(text).unwrap_err().to_string().contains(rule));
    }

    #[rstest]
    #[case("publish:live/x:user:pass", Some("publish:live/x:user:pass"), None)]
    #[case("#!::r=live/x,m=publish", Some("#!::r=live/x,m=publish"), None)]
    #[case(
        "streamid=#!::r=x,m=publish&passphrase=a+b%26c4567890",
        Some("#!::r=x,m=publish"),
        Some("a+b&c4567890")
    )]
    #[case("passphrase=0123456789", None, Some("0123456789"))]
    fn keys_are_parsed(#[case] key: &str, #[case] id: Option<&str>, #[case] passphrase: Option<&str>) {
        let parsed = SrtKey::parse(&Secret::new(key)).unwrap();
        assert_eq!(parsed.stream_id.as_ref().map(Secret::expose), id);
        assert_eq!(parsed.passphrase.as_ref().map(Secret::expose), passphrase);
        assert!(!format!("{parsed:?}").contains("pass:") && !format!("{parsed:?}").contains("0123456789"));
    }

    #[test]
    fn other_keys_are_refused_without_being_shown() {
        let long = format!("streamid={}", "x".repeat(513));
        for key in ["passphrase=short", "streamid=", "streamid=a&mode=listener", "streamid=a%0Ab", &long] {
            let refused = SrtKey::parse(&Secret::new(key)).unwrap_err().to_string();
            assert!(refused.contains("must") && !refused.contains("short"), "{key}: {refused}");
        }
    }

    proptest! {
        #[test]
        fn any_address_and_key_is_parsed_or_refused(text in "(srt://)?[a-z:0-9?&=%+#,!]{0,60}", key in ".{0,80}") {
            if let Ok(address) = SrtAddress::parse(&text) {
                prop_assert!(!address.host.is_empty());
            }
            for key in [format!("streamid={key}"), format!("passphrase={key}"), key] {
                if let Ok(key) = SrtKey::parse(&Secret::new(key)) {
                    prop_assert!(key.parts().all(|part| !part.expose().contains(char::is_control)));
                }
            }
        }
    }
}
