//! Broadcasters: who may publish.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::invalid::{Invalid, text, text_type};
use super::page::newest_first;
use super::{BroadcasterId, OrganizationId, Timestamp};

/// Largest metadata object, in bytes of compact JSON.
pub const MAX_METADATA: usize = 16 * 1024;
/// Deepest nesting of a metadata object.
const MAX_DEPTH: usize = 32;

/// A broadcaster's name as people see it: 1 to 255 characters, no control characters, not blank.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DisplayName(String);

text_type!(DisplayName);

impl DisplayName {
    /// Parses a name.
    pub fn parse(value: &str) -> Result<Self, Invalid> {
        text("display_name", value, 1, 255).map(Self)
    }
}

/// The owner's data of a broadcaster: a JSON object of at most 16 KiB, stored unchanged.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Metadata(Map<String, Value>);

impl Metadata {
    /// Parses an object. Refuses one that is too large, too deep, or contains a NUL character.
    pub fn parse(value: Value) -> Result<Self, Invalid> {
        let Value::Object(object) = value else {
            return Err(Invalid::one("metadata", "must be a JSON object"));
        };
        for (key, value) in &object {
            if key.contains('\0') || !storable(value, 1) {
                return Err(Invalid::one(
                    "metadata",
                    format!("must not contain NUL characters or be nested deeper than {MAX_DEPTH}"),
                ));
            }
        }
        let metadata = Self(object);
        let size = metadata.to_json().len();
        if size > MAX_METADATA {
            return Err(Invalid::one(
                "metadata",
                format!("must be at most {MAX_METADATA} bytes of JSON, got {size}"),
            ));
        }
        Ok(metadata)
    }

    /// The object as compact JSON.
    pub fn to_json(&self) -> String {
        Value::Object(self.0.clone()).to_string()
    }

    /// The object itself.
    pub fn as_object(&self) -> &Map<String, Value> {
        &self.0
    }
}

fn storable(value: &Value, depth: usize) -> bool {
    depth <= MAX_DEPTH
        && match value {
            Value::String(text) => !text.contains('\0'),
            Value::Array(items) => items.iter().all(|v| storable(v, depth + 1)),
            Value::Object(map) => map.iter().all(|(k, v)| !k.contains('\0') && storable(v, depth + 1)),
            Value::Null | Value::Bool(_) | Value::Number(_) => true,
        }
}

/// A person or device that may publish with its stream keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broadcaster {
    /// Its identity.
    pub id: BroadcasterId,
    /// Who owns it.
    pub organization_id: OrganizationId,
    /// Its name as people see it.
    pub display_name: DisplayName,
    /// The owner's data.
    pub metadata: Metadata,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

newest_first!(Broadcaster, created_at);

/// A change of a broadcaster; `None` means no change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BroadcasterPatch {
    /// The new name.
    pub display_name: Option<DisplayName>,
    /// The new metadata. It replaces the old object.
    pub metadata: Option<Metadata>,
}

impl Broadcaster {
    /// The broadcaster as `patch` makes it at `now`.
    #[must_use]
    pub fn patched(mut self, patch: &BroadcasterPatch, now: Timestamp) -> Self {
        if let Some(name) = &patch.display_name {
            self.display_name = name.clone();
        }
        if let Some(metadata) = &patch.metadata {
            self.metadata = metadata.clone();
        }
        self.updated_at = now;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn display_name_has_1_to_255_characters() {
        assert!(DisplayName::parse(&"ä".repeat(255)).is_ok());
        for bad in ["", "   ", &"ä".repeat(256), "a\0b", "a\nb"] {
            assert_eq!(DisplayName::parse(bad).unwrap_err().0[0].field, "display_name", "{bad:?}");
        }
    }

    #[test]
    fn metadata_is_a_bounded_json_object() {
        assert!(Metadata::parse(json!({"a": [1, {"b": null}]})).is_ok());
        let mut deep = json!(1);
        for _ in 0..40 {
            deep = json!([deep]);
        }
        for bad in [
            json!([]),
            json!("x"),
            json!(null),
            json!({"a": "\0"}),
            json!({"a": "x".repeat(MAX_METADATA)}),
            json!({"a": deep}),
        ] {
            assert_eq!(Metadata::parse(bad).unwrap_err().0[0].field, "metadata");
        }
    }
}
