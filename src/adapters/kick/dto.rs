//! Reads Kick's answers, field by field because Kick's documentation is loose: numbers come as text, absent values as "",
//! zero or the year 1, and an item may lack fields that another one has.

use std::ops::RangeInclusive;

use serde_json::Value;

use crate::domain::Timestamp;
use crate::domain::streamer::decide::ReportedStatus;
use crate::domain::streamer::{ChannelId, ChatroomId, KickIds, Session, Slug, UserId};
use crate::ports::{KickChannel, KickLive};

/// Longest text that is stored, in characters. Kick's titles have at most 100.
pub(super) const LONGEST_TEXT: usize = 500;
/// Plausible times: the years 2000 to 9999. Kick writes the year 1 for "none".
pub(super) const TIMES: RangeInclusive<Timestamp> =
    Timestamp::from_seconds(946_684_800)..=Timestamp::from_seconds(253_402_300_799);

/// A text without control characters; `None` if it is empty.
pub(super) fn clean(text: &str) -> Option<String> {
    let text: String = text.chars().filter(|c| !c.is_control()).take(LONGEST_TEXT).collect();
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

pub(super) fn text(value: &Value, key: &str) -> Option<String> {
    clean(value[key].as_str()?)
}

/// The number at `key`, also if it is written as text.
pub(super) fn number(value: &Value, key: &str) -> Option<u64> {
    let number = match &value[key] {
        Value::String(text) => text.trim().parse().ok(),
        other => other.as_u64(),
    };
    number.filter(|number| i64::try_from(*number).is_ok())
}

/// The time at `key`, if it is valid.
pub(super) fn time(value: &Value, key: &str) -> Option<Timestamp> {
    Timestamp::parse_rfc3339(value[key].as_str()?).filter(|time| TIMES.contains(time))
}

fn user(value: &Value, key: &str) -> Option<UserId> {
    UserId::new(number(value, key)?).ok()
}

fn slug(value: &Value) -> Option<Slug> {
    Slug::parse(value["slug"].as_str()?).ok()
}

/// The session of an item whose live stream is described in `stream`.
fn session(item: &Value, stream: &Value) -> Session {
    // Kick has announced the livestream's number but not its field name.
    let id = ["livestream_id", "id"].into_iter().find_map(|key| match number(stream, key) {
        Some(0) => None,
        Some(number) => Some(number.to_string()),
        None => text(stream, key).map(|id| id.chars().take(64).collect()),
    });
    Session {
        id,
        started_at: time(stream, "started_at").or_else(|| time(stream, "start_time")),
        ended_at: None,
        title: text(item, "stream_title").or_else(|| text(item, "title")),
        category: text(&item["category"], "name"),
        viewers: number(stream, "viewer_count"),
    }
}

/// Where the next page begins, if there is one.
pub(super) fn next_cursor(answer: &Value) -> Option<String> {
    let mut places = [&answer["pagination"], &answer["meta"], answer].into_iter();
    places.find_map(|place| text(place, "next_cursor").or_else(|| text(place, "cursor")))
}

/// An item of `/public/v1/channels`.
pub(super) fn channel(item: &Value) -> Option<KickChannel> {
    let stream = &item["stream"];
    let live = (stream["is_live"] == true).then(|| session(item, stream));
    Some(KickChannel { user: user(item, "broadcaster_user_id")?, slug: slug(item)?, live })
}

/// An item of `/public/v1/livestreams` or `/public/v2/livestreams`.
pub(super) fn live(item: &Value) -> Option<KickLive> {
    let channel = number(item, "channel_id").and_then(|number| ChannelId::new(number).ok());
    let user = user(item, "broadcaster_user_id")?;
    Some(KickLive { user, channel, slug: slug(item), session: session(item, item) })
}

/// The ids in the web site's answer; `None` if it has neither channel nor user.
pub(super) fn site_ids(answer: &Value) -> Option<KickIds> {
    let ids = KickIds {
        user: user(answer, "user_id"),
        channel: number(answer, "id").and_then(|number| ChannelId::new(number).ok()),
        chatroom: number(&answer["chatroom"], "id").and_then(|number| ChatroomId::new(number).ok()),
    };
    (ids.user.is_some() || ids.channel.is_some()).then_some(ids)
}

/// A subscription to an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Subscription {
    pub(super) id: String,
    pub(super) user: UserId,
    pub(super) event: String,
    pub(super) version: Option<u64>,
}

/// An item of `GET /public/v1/events/subscriptions`.
pub(super) fn subscription(item: &Value) -> Option<Subscription> {
    Some(Subscription {
        id: text(item, "id").or_else(|| text(item, "subscription_id"))?,
        user: user(item, "broadcaster_user_id")?,
        event: text(item, "event").or_else(|| text(item, "name"))?,
        version: number(item, "version"),
    })
}

/// The user and the status in the body of a `livestream.status.updated`, version 1.
pub(super) fn status_updated(body: &Value) -> Option<(UserId, ReportedStatus)> {
    let (started_at, title) = (time(body, "started_at"), text(body, "title"));
    let session = Session { started_at, title, ..Session::default() };
    let reported = if body["is_live"].as_bool()? {
        ReportedStatus::Started(session)
    } else {
        let session = Session { ended_at: time(body, "ended_at"), ..session };
        ReportedStatus::Stopped { session, banned: false }
    };
    Some((user(&body["broadcaster"], "user_id")?, reported))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn item() -> Value {
        json!({"broadcaster_user_id": 123, "slug": "xQc", "category": {"id": 1, "name": "Just Chatting"},
            "stream": {"is_live": true, "start_time": "2025-01-01T11:00:00+11:00", "viewer_count": 67, "key": ""},
            "stream_title": "hi\u{0} there ", "new_field": [1]})
    }

    #[test]
    fn live_channel_has_a_session() {
        let channel = channel(&item()).unwrap();
        assert_eq!((channel.user.get(), channel.slug.as_str()), (123, "xqc"));
        let session = channel.live.unwrap();
        assert_eq!(session.started_at, Timestamp::parse_rfc3339("2025-01-01T00:00:00Z"));
        assert_eq!(session.title.as_deref(), Some("hi there"));
        assert_eq!(session.category.as_deref(), Some("Just Chatting"));
        assert_eq!((session.viewers, session.id), (Some(67), None));
    }

    #[test]
    fn offline_channel_has_no_session() {
        let mut item = item();
        item["stream"] = json!({"is_live": false, "start_time": "0001-01-01T00:00:00Z", "viewer_count": 0,
            "key": "", "language": "", "url": ""});
        assert_eq!(channel(&item).unwrap().live, None);
        item["stream"] = Value::Null;
        assert_eq!(channel(&item).unwrap().live, None);
    }

    #[test]
    fn zeros_empty_texts_and_the_year_one_are_absent() {
        let empty = json!({"broadcaster_user_id": "7", "slug": "", "channel_id": 0, "started_at": "0001-01-01T00:00:00Z",
            "stream_title": "", "viewer_count": -1, "category": {"name": ""}, "id": 0});
        let live = live(&empty).unwrap();
        assert_eq!((live.user.get(), live.channel, live.slug), (7, None, None));
        assert_eq!(live.session, Session::default());
    }

    #[test]
    fn livestream_ids_are_taken_as_number_or_text_under_either_name() {
        for (given, id) in [
            (json!({"id": 74_331_109}), "74331109"),
            (json!({"livestream_id": "74331109"}), "74331109"),
            (json!({"id": "01JAXK8N4Q"}), "01JAXK8N4Q"),
        ] {
            let mut item = json!({"broadcaster_user_id": 1});
            item.as_object_mut().unwrap().extend(given.as_object().unwrap().clone());
            assert_eq!(live(&item).unwrap().session.id.as_deref(), Some(id));
        }
    }

    #[test]
    fn item_without_a_user_is_invalid() {
        for invalid in [json!(null), json!(3), json!({}), json!({"broadcaster_user_id": 0, "slug": "a"})] {
            assert!(
                channel(&invalid).is_none() && live(&invalid).is_none() && subscription(&invalid).is_none(),
                "{invalid}"
            );
            assert!(status_updated(&invalid).is_none() && site_ids(&invalid).is_none(), "{invalid}");
        }
    }

    #[test]
    fn next_page_is_found_in_every_known_place() {
        for answer in [json!({"pagination": {"next_cursor": "c"}}), json!({"cursor": "c"})] {
            assert_eq!(next_cursor(&answer).as_deref(), Some("c"), "{answer}");
        }
        for answer in [json!({"pagination": {"next_cursor": ""}}), json!({"data": []}), json!([])] {
            assert_eq!(next_cursor(&answer), None, "{answer}");
        }
    }
}
