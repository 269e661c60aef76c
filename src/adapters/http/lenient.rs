//! Reads what media servers send. They may add or omit fields, and send null or another type instead of a
//! text. A publisher is not refused for that.

use std::borrow::Cow;

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};

/// A text. Anything else is read as an empty one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Text<'a>(pub Cow<'a, str>);

impl Text<'_> {
    /// The text, unless it is empty.
    pub(super) fn some(&self) -> Option<String> {
        (!self.0.is_empty()).then(|| self.0.clone().into_owned())
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Any<'a> {
    Text(#[serde(borrow)] Cow<'a, str>),
    Other(IgnoredAny),
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Any::deserialize(deserializer)? {
            Any::Text(text) => Self(text),
            Any::Other(_) => Self::default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_but_text_is_read_as_empty() {
        let read = |json: &'static str| serde_json::from_str::<Text<'_>>(json).unwrap().0;
        assert_eq!(read(r#""a""#), "a");
        assert_eq!(read(r#""\u0041""#), "A");
        for odd in ["null", "true", "-1", "1", "1.5", "[1,[2]]", r#"{"a":{"b":1}}"#] {
            assert_eq!(read(odd), "", "{odd}");
        }
    }
}
