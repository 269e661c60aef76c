//! Streamers and their events, as the command line shows them.

use serde_json::Value;

use crate::adapters::cli::output::{add_nulls_of, with_nulls};
use crate::adapters::views::{ChangeView, SessionView, StatusEventView, StreamerView};
use crate::domain::streamer::{Change, Session, Streamer};

pub(super) fn streamer(streamer: &Streamer) -> Value {
    with_nulls(&StreamerView::from(streamer.clone()))
}

pub(super) fn session(session: &Session) -> Value {
    with_nulls(&SessionView::from(session.clone()))
}

pub(super) fn change(change: &Change) -> Value {
    with_columns(with_nulls(&ChangeView::from(change.clone())), change.banned)
}

/// An event of the API, with the columns of its table.
pub(super) fn status_event(event: Value) -> Value {
    let event = add_nulls_of::<StatusEventView>(event);
    let banned = event["banned"] == true;
    with_columns(event, banned)
}

/// The change with the columns of its table.
fn with_columns(mut change: Value, banned: bool) -> Value {
    change["session_id"] = change["session"]["id"].clone();
    change["session_title"] = change["session"]["title"].clone();
    change["banned"] = banned.into();
    change
}

/// Title and category in one line.
pub(super) fn headline(session: &Session) -> String {
    let parts = [session.title.as_deref(), session.category.as_deref()];
    printable(&parts.into_iter().flatten().collect::<Vec<_>>().join(" · "))
}

/// The text with spaces for control characters: names and titles come from other people.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use crate::domain::streamer::{Source, Status, StatusEvent};
    use crate::domain::{StreamerId, Timestamp};

    #[test]
    fn absent_fields_of_a_change_are_null() {
        let at = Timestamp::from_seconds(1);
        let (previous_status, new_status) = (Status::Unknown, Status::Offline);
        let (source, session) = (Source::Poll, Some(Session { id: Some("7".into()), ..Session::default() }));
        let change = Change {
            previous_status,
            new_status,
            occurred_at: at,
            received_at: at,
            source,
            session,
            banned: false,
        };
        let event = StatusEvent { seq: 1, streamer_id: StreamerId(Uuid::nil()), change, recorded_at: at };
        let shown = status_event(serde_json::to_value(StatusEventView::from(event)).unwrap());
        assert_eq!(
            (&shown["session_id"], &shown["banned"], &shown["seq"]),
            (&json!("7"), &json!(false), &json!(1))
        );
        assert_eq!(shown["session"].get("title"), Some(&Value::Null));
    }

    #[test]
    fn control_characters_are_replaced() {
        let title = Some("a\u{1b}[2Jb\nc".to_owned());
        let session = Session { title, category: Some("Slots".into()), ..Session::default() };
        assert_eq!(headline(&session), "a [2Jb c · Slots");
    }
}
