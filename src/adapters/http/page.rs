//! Pages for browsers.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

/// The type of a page. No library answers with one.
pub(super) const HTML: &str = "text/html; charset=utf-8";

/// What is inside of `<tag>` of a page, as a source of its content security policy.
pub(super) fn inline(page: &str, tag: &str) -> String {
    let (begin, end) = (format!("<{tag}>"), format!("</{tag}>"));
    let inner = page.split_once(&begin).and_then(|(_, rest)| rest.split_once(&end));
    source_of(inner.map_or("", |(inner, _)| inner))
}

/// A text within a page, as a source of its content security policy.
pub(super) fn source_of(inline: &str) -> String {
    format!("'sha256-{}'", STANDARD.encode(Sha256::digest(inline.as_bytes())))
}
