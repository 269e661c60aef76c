//! The events of Kick's feed, the same on every provider: `{"event": …, "data": …}` on a channel `channel.<id>`.
//!
//! The field names come from recorded traffic; Kick documents none of this.

use chrono::NaiveDateTime;
use serde_json::Value;
use strum::IntoStaticStr;

use super::super::dto;
use crate::domain::Timestamp;
use crate::domain::streamer::decide::ReportedStatus;
use crate::domain::streamer::{ChannelId, Session};

const LIVE: &str = r"App\Events\StreamerIsLive";
const STOP: &str = r"App\Events\StopStreamBroadcast";
const PREFIX: &str = "channel.";
/// Why a message could not be used; the label in metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub(super) enum ProtocolError {
    NotJson,
    /// JSON, but not a message of the protocol.
    NotProtocol,
    /// An event that we do not use. Kick sends some; they are harmless.
    UnknownEvent,
    /// A channel that is not subscribed.
    UnknownChannel,
    MissingField,
    WrongType,
    BadTime,
    /// The event names another channel than the one it came on.
    ChannelMismatch,
    SubscriptionRefused,
    /// The server reported an error that does not end the connection.
    ServerError,
}

pub(super) fn channel_name(channel: ChannelId) -> String {
    format!("{PREFIX}{channel}")
}

pub(super) fn channel_of(name: &str) -> Option<ChannelId> {
    let channel = ChannelId::new(name.strip_prefix(PREFIX)?.parse().ok()?).ok()?;
    // Neither `+1` nor `01`.
    (channel_name(channel) == name).then_some(channel)
}

/// Decodes `data`: Pusher sends JSON in a string, others the JSON itself.
pub(super) fn decoded(data: Value) -> Option<Value> {
    match data {
        Value::String(text) => serde_json::from_str(&text).ok(),
        other => Some(other),
    }
}

/// Reads an event that came on `channel`.
pub(super) fn read(channel: ChannelId, event: &str, data: Value) -> Result<ReportedStatus, ProtocolError> {
    if event != LIVE && event != STOP {
        return Err(ProtocolError::UnknownEvent);
    }
    let data = decoded(data).ok_or(ProtocolError::NotJson)?;
    let livestream = member(object(&data)?, "livestream")?;
    let livestream = object(livestream)?;
    let id = number(member(livestream, "id")?)?;
    let mut session = Session { id: Some(id.to_string()), ..Session::default() };
    if event == LIVE {
        same_channel(channel, livestream.get("channel_id"))?;
        session.started_at = Some(time(member(livestream, "created_at")?)?);
        session.title = optional(livestream.get("session_title"), Value::as_str)?.and_then(dto::clean);
        return Ok(ReportedStatus::Started(session));
    }
    let named = optional(livestream.get("channel"), Value::as_object)?;
    same_channel(channel, named.and_then(|named| named.get("id")))?;
    let banned = optional(named.and_then(|named| named.get("is_banned")), Value::as_bool)?;
    Ok(ReportedStatus::Stopped { session, banned: banned.unwrap_or(false) })
}

type Object = serde_json::Map<String, Value>;

fn object(value: &Value) -> Result<&Object, ProtocolError> {
    value.as_object().ok_or(ProtocolError::WrongType)
}

fn member<'a>(object: &'a Object, name: &str) -> Result<&'a Value, ProtocolError> {
    object.get(name).filter(|value| !value.is_null()).ok_or(ProtocolError::MissingField)
}

/// A value that may be absent or null, but not of another type.
fn optional<'a, T>(
    value: Option<&'a Value>,
    read: impl FnOnce(&'a Value) -> Option<T>,
) -> Result<Option<T>, ProtocolError> {
    match value.filter(|value| !value.is_null()) {
        None => Ok(None),
        Some(value) => read(value).map(Some).ok_or(ProtocolError::WrongType),
    }
}

/// A number, or one in a string.
fn number(value: &Value) -> Result<u64, ProtocolError> {
    let number = value.as_u64().or_else(|| value.as_str()?.parse().ok());
    number.filter(|number| *number > 0).ok_or(ProtocolError::WrongType)
}

fn same_channel(channel: ChannelId, named: Option<&Value>) -> Result<(), ProtocolError> {
    match named.filter(|named| !named.is_null()) {
        Some(named) if number(named)? != channel.get() => Err(ProtocolError::ChannelMismatch),
        _ => Ok(()),
    }
}

/// RFC 3339, or `2023-06-28 20:48:51`, which is UTC. RFC 3339 cannot write times after the year 9999.
fn time(value: &Value) -> Result<Timestamp, ProtocolError> {
    let text = value.as_str().ok_or(ProtocolError::WrongType)?;
    let plain = || NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f").ok();
    Timestamp::parse_rfc3339(text)
        .or_else(|| plain().map(|time| Timestamp::from_micros(time.and_utc().timestamp_micros())))
        .filter(|time| dto::TIMES.contains(time))
        .ok_or(ProtocolError::BadTime)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::any;
    use serde_json::json;
    use streamward_test_support::fuzz::{fuzz, texts};

    use super::*;

    fn on_668(event: &str, data: Value) -> Result<ReportedStatus, ProtocolError> {
        read(ChannelId::new(668).unwrap(), event, data)
    }

    fn live() -> Value {
        json!({"livestream": {"id": 74_331_109, "channel_id": 668, "session_title": "hello", "source": null,
            "created_at": "2025-09-14T23:18:20.000000Z"}})
    }

    fn session(id: &str, started: Option<i64>, title: Option<&str>) -> Session {
        let started_at = started.map(Timestamp::from_seconds);
        Session { id: Some(id.into()), started_at, title: title.map(str::to_owned), ..Session::default() }
    }

    #[test]
    fn both_events_are_read_plain_and_in_a_string() {
        let stop = |banned| json!({"livestream": {"id": 5, "channel": {"id": 668, "is_banned": banned}}});
        for (event, data, reported) in [
            (LIVE, live(), ReportedStatus::Started(session("74331109", Some(1_757_891_900), Some("hello")))),
            (STOP, stop(false), ReportedStatus::Stopped { session: session("5", None, None), banned: false }),
            (STOP, stop(true), ReportedStatus::Stopped { session: session("5", None, None), banned: true }),
        ] {
            assert_eq!(on_668(event, Value::String(data.to_string())).as_ref(), Ok(&reported));
            assert_eq!(on_668(event, data).as_ref(), Ok(&reported));
        }
    }

    #[test]
    fn optional_fields_may_be_absent() {
        let data = json!({"livestream": {"id": "7", "created_at": "2023-06-28 20:48:51"}});
        assert_eq!(on_668(LIVE, data), Ok(ReportedStatus::Started(session("7", Some(1_687_985_331), None))));
        let data = json!({"livestream": {"id": 7, "channel": null}});
        assert_eq!(
            on_668(STOP, data),
            Ok(ReportedStatus::Stopped { session: session("7", None, None), banned: false })
        );
    }

    #[test]
    fn title_has_no_control_characters_and_a_maximum_length() {
        let title = |title: &str| {
            let mut data = live();
            data["livestream"]["session_title"] = json!(title);
            let Ok(ReportedStatus::Started(session)) = on_668(LIVE, data) else { panic!("{title:?}") };
            session.title
        };
        assert_eq!(title(" a\u{0}b\u{1b}[31m\n").as_deref(), Some("ab[31m"));
        assert_eq!(title("\n"), None);
        assert_eq!(title(&"ä".repeat(100_000)).map(|title| title.chars().count()), Some(dto::LONGEST_TEXT));
    }

    #[test]
    fn times_are_read_in_both_formats() {
        for (text, micros) in [
            ("2025-09-14T23:18:20.250000Z", 1_757_891_900_250_000),
            ("2025-09-15T10:18:20+11:00", 1_757_891_900_000_000),
            ("2025-09-14 23:18:20", 1_757_891_900_000_000),
            ("2025-09-14 23:18:20.5", 1_757_891_900_500_000),
        ] {
            assert_eq!(time(&json!(text)), Ok(Timestamp::from_micros(micros)), "{text}");
        }
    }

    #[test]
    fn each_fault_has_its_error() {
        use ProtocolError::{BadTime, ChannelMismatch, MissingField, NotJson, UnknownEvent, WrongType};
        let with = |field: &str, value: Value| {
            let mut data = live();
            data["livestream"][field] = value;
            data
        };
        for (event, data, error) in [
            (r"App\Events\ChatMoveToSupportedChannelEvent", live(), UnknownEvent),
            ("StreamerIsLive", live(), UnknownEvent),
            (LIVE, json!("{"), NotJson),
            (LIVE, Value::Null, WrongType),
            (LIVE, json!([]), WrongType),
            (LIVE, json!({}), MissingField),
            (LIVE, json!({"livestream": null}), MissingField),
            (LIVE, json!({"livestream": 7}), WrongType),
            (LIVE, with("id", Value::Null), MissingField),
            (LIVE, with("id", json!(-1)), WrongType),
            (LIVE, with("id", json!("abc")), WrongType),
            (LIVE, with("created_at", Value::Null), MissingField),
            (LIVE, with("created_at", json!("soon")), BadTime),
            (LIVE, with("created_at", json!("0001-01-01T00:00:00Z")), BadTime),
            (LIVE, with("created_at", json!("+12345-01-01 00:00:00")), BadTime),
            (LIVE, with("created_at", json!("9999-12-31T23:59:59-11:00")), BadTime),
            (LIVE, with("created_at", json!(1_757_891_900)), WrongType),
            (LIVE, with("session_title", json!(1)), WrongType),
            (LIVE, with("channel_id", json!(669)), ChannelMismatch),
            (LIVE, with("channel_id", json!([])), WrongType),
            (STOP, json!({"livestream": {"id": 5, "channel": {"id": 9}}}), ChannelMismatch),
            (STOP, json!({"livestream": {"id": 5, "channel": {"is_banned": "no"}}}), WrongType),
        ] {
            assert_eq!(on_668(event, data.clone()), Err(error), "{event} {data}");
        }
    }

    #[test]
    fn channel_has_exactly_one_name() {
        assert_eq!(channel_of("channel.668").map(channel_name).as_deref(), Some("channel.668"));
        for name in
            ["channel_668", "channel.", "channel.0", "channel.+1", "channel.01", "channel.x", "668", ""]
        {
            assert_eq!(channel_of(name), None, "{name}");
        }
    }

    #[test]
    fn any_input_is_either_read_or_an_error() {
        const DATA: [&str; 2] = [
            r#"{"livestream":{"id":7,"channel_id":668,"session_title":"hi","created_at":"2025-09-14T23:18:20.000000Z"}}"#,
            r#"{"livestream":{"id":7,"channel":{"id":668,"is_banned":false}}}"#,
        ];
        fuzz(&(texts(&DATA), any::<bool>()), |(text, live)| {
            let event = if live { LIVE } else { STOP };
            let reported = on_668(event, Value::String(text.clone()));
            let is_event = serde_json::from_str::<Value>(&text)
                .is_ok_and(|data| data["livestream"]["id"] != Value::Null);
            assert!(reported.is_err() || is_event);
        });
    }
}
