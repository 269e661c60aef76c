//! Entity tags (RFC 9110, section 8.8.3): who has an answer already need not receive it again.

use axum::http::header::IF_NONE_MATCH;
use axum::http::{HeaderMap, HeaderValue};
use sha2::{Digest as _, Sha256};

/// The tag of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct EntityTag(String);

impl EntityTag {
    /// Of an answer of these bytes.
    pub(super) fn of<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        Self(format!("\"{}\"", short_hash(parts)))
    }

    /// Of an answer that depends on these bytes alone.
    pub(super) fn weak<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        Self(format!("W/\"{}\"", short_hash(parts)))
    }

    /// Whether the client that sent these headers has the answer.
    pub(super) fn is_known(&self, request: &HeaderMap) -> bool {
        let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
        let known = request.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
        known.flat_map(|list| list.split(',')).any(|tag| tag.trim() == "*" || opaque(tag) == opaque(&self.0))
    }

    /// The value of the header `ETag`.
    pub(super) fn to_header(&self) -> Option<HeaderValue> {
        HeaderValue::from_str(&self.0).ok()
    }
}

/// The first 64 bits of SHA-256: enough to tell answers apart.
pub(super) fn short_hash<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
    }
    let mut text = hex::encode(hash.finalize());
    text.truncate(16);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tag_is_known_among_others_and_as_a_weak_one() {
        let tag = EntityTag::of([&b"a"[..], b"bc"]);
        let text = tag.to_header().expect("a header").to_str().expect("text").to_owned();
        assert_eq!(tag.0, EntityTag::of([&b"abc"[..]]).0);
        let asked = |known: &str| {
            let value = HeaderValue::from_str(known).expect("a header");
            tag.is_known(&HeaderMap::from_iter([(IF_NONE_MATCH, value)]))
        };
        assert!(asked(&text) && asked(&format!("\"x\", {text}")) && asked(&format!("W/{text}")));
        assert!(asked("*") && !asked("\"x\"") && !asked(""));
        assert!(!tag.is_known(&HeaderMap::new()));
    }
}
