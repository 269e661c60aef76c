//! Reads an object strictly: unknown names, wrong types and bad encodings are refused, never ignored. A message names
//! the field, but never repeats a value, since it may be a secret.

use serde::de::DeserializeOwned;
use serde_json::error::Category;
use serde_json::{Map, Value};

use crate::domain::Invalid;
use crate::domain::secret::masked_line;

/// The field name for the body as a whole.
const BODY: &str = "body";

/// Reads a JSON object.
pub(super) fn from_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Invalid> {
    let text = std::str::from_utf8(bytes).map_err(|_| Invalid::one(BODY, "must be valid UTF-8"))?;
    // serde would read a list as the values of an object.
    if !text.trim_start().starts_with('{') {
        return Err(Invalid::one(BODY, "must be a JSON object"));
    }
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(&mut reader)
        .map_err(|error| refusal(&error.path().to_string(), error.inner()))?;
    reader.end().map_err(|_| Invalid::one(BODY, "must be one JSON object and nothing after it"))?;
    Ok(value)
}

/// Reads a raw query, each name at most once.
pub(super) fn from_query<T: DeserializeOwned>(query: &str) -> Result<T, Invalid> {
    let mut object = Map::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = decode(name).ok_or_else(|| Invalid::one("query", "must be percent-encoded UTF-8"))?;
        let value = decode(value)
            .ok_or_else(|| Invalid::one(shown(&name), "must be percent-encoded UTF-8 without NUL"))?;
        if object.insert(name.clone(), Value::String(value)).is_some() {
            return Err(Invalid::one(shown(&name), "must be given once"));
        }
    }
    serde_path_to_error::deserialize(Value::Object(object))
        .map_err(|error| refusal(&error.path().to_string(), error.inner()))
}

/// Refuses every name.
pub(super) fn no_query(query: &str) -> Result<(), Invalid> {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Nothing {}
    from_query::<Nothing>(query).map(|Nothing {}| ())
}

fn decode(text: &str) -> Option<String> {
    let spaced = text.replace('+', " ");
    let decoded = percent_encoding::percent_decode_str(&spaced).decode_utf8().ok()?;
    (!decoded.contains('\0')).then(|| decoded.into_owned())
}

/// serde's error is only a text, so it is parsed.
fn refusal(path: &str, error: &serde_json::Error) -> Invalid {
    let text = error.to_string();
    let at = if path == "." { BODY } else { path };
    if error.classify() != Category::Data {
        return Invalid::one(BODY, format!("must be valid JSON: {text}"));
    }
    for (start, message) in [
        ("unknown field `", "is not known here"),
        ("missing field `", "must be given"),
        ("duplicate field `", "must be given once"),
    ] {
        if let Some(rest) = text.strip_prefix(start) {
            let (name, expected) = match rest.split_once("`, expected ") {
                Some((name, words)) => (name, Some(without_place(words))),
                None => (rest.split('`').next().unwrap_or_default(), None),
            };
            let known = expected.map(|words| format!(", only {}", words.trim_start_matches("one of ")));
            return Invalid::one(field_at(path, name), format!("{message}{}", known.unwrap_or_default()));
        }
    }
    if let Some(rule) = rule(without_place(&text)) {
        return Invalid::one(at, rule);
    }
    let expected = text.rsplit_once(", expected ").map(|(_, words)| without_place(words));
    let expected = expected.map(|words| match words {
        "u8" | "u16" | "u32" | "u64" => "a whole number, 0 or more",
        "a map" => "a JSON object",
        words if words.starts_with("struct ") => "a JSON object",
        words => words,
    });
    Invalid::one(at, expected.map_or_else(|| "is not valid".to_owned(), |words| format!("must be {words}")))
}

/// A rule of one of our own types, such as `must be a time of day such as 18:00`, without the name of its field. They do
/// not repeat values.
fn rule(text: &str) -> Option<&str> {
    let (field, _) = text.split_once("must ")?;
    let is_name = field.trim_end().bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    text.strip_prefix(field).filter(|_| is_name)
}

/// The field `name` of the object at `path`, such as `inputs.backup.kind`. serde's path may end with the name already.
fn field_at(path: &str, name: &str) -> String {
    let parent = path.strip_suffix(name).and_then(|parent| parent.strip_suffix('.')).unwrap_or(path);
    if matches!(parent, "" | ".") || parent == name {
        shown(name)
    } else {
        format!("{}.{}", shown(parent), shown(name))
    }
}

fn without_place(words: &str) -> &str {
    words.split_once(" at line ").map_or(words, |(words, _)| words)
}

/// A name from the caller, shortened and with keys masked: people paste keys anywhere.
fn shown(name: &str) -> String {
    masked_line(name, 100)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Draft {
        name: Option<String>,
        inner: Option<Inner>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        count: u8,
    }

    fn refused(json: &str) -> (String, String) {
        let mut errors = from_json::<Draft>(json.as_bytes()).unwrap_err().0;
        let error = errors.pop().unwrap();
        (error.field, error.message)
    }

    #[test]
    fn refusal_names_the_field_and_repeats_no_value() {
        for (json, field, message) in [
            ("", "body", "must be a JSON object"),
            ("[]", "body", "must be a JSON object"),
            ("null", "body", "must be a JSON object"),
            (
                r#"{"name": "x""#,
                "body",
                "must be valid JSON: EOF while parsing an object at line 1 column 12",
            ),
            (r#"{"name": "x"} {}"#, "body", "must be one JSON object and nothing after it"),
            (r#"{"name": 5}"#, "name", "must be a string"),
            (r#"{"nmae": "x"}"#, "nmae", "is not known here, only `name` or `inner`"),
            (r#"{"name": "x", "name": "y"}"#, "name", "must be given once"),
            (r#"{"inner": {}}"#, "inner.count", "must be given"),
            (r#"{"inner": {"count": 1, "size": 2}}"#, "inner.size", "is not known here, only `count`"),
            (r#"{"inner": {"count": "sk_secret"}}"#, "inner.count", "must be a whole number, 0 or more"),
            (r#"{"inner": {"count": -1}}"#, "inner.count", "must be a whole number, 0 or more"),
            (r#"{"inner": "sk_secret"}"#, "inner", "must be a JSON object"),
        ] {
            assert_eq!(refused(json), (field.to_owned(), message.to_owned()), "{json}");
        }
        assert_eq!(
            from_json::<Draft>(b"{\"name\": \"\xff\"}").unwrap_err().0[0].message,
            "must be valid UTF-8"
        );
        assert_eq!(from_json::<Draft>(br#" {"name": null} "#).unwrap(), Draft::default());
    }

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Query {
        limit: Option<String>,
    }

    #[test]
    fn a_query_is_as_strict() {
        let limit = |text: &str| Query { limit: Some(text.into()) };
        assert_eq!(from_query::<Query>("").unwrap(), Query::default());
        assert_eq!(from_query::<Query>("limit=1%20+x&").unwrap(), limit("1  x"));
        for (query, field) in [
            ("limti=1", "limti"),
            ("limit=1&limit=2", "limit"),
            ("limit=%00", "limit"),
            ("limit=%ff", "limit"),
            ("%ff=1", "query"),
        ] {
            assert_eq!(from_query::<Query>(query).unwrap_err().0[0].field, field, "{query}");
        }
    }
}
