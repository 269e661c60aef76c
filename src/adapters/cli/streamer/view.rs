//! Streamers and their events, as the command line shows them.

use std::time::Duration;

use serde_json::Value;

use crate::adapters::cli::output::with_nulls;
use crate::adapters::views::{ChangeView, SessionView, StatusEventView, StreamerView};
use crate::domain::Timestamp;
use crate::domain::streamer::{Change, Session, StatusEvent, Streamer};

pub(super) fn streamer(streamer: &Streamer) -> Value {
    with_nulls(&StreamerView::from(streamer.clone()))
}

pub(super) fn session(session: &Session) -> Value {
    with_nulls(&SessionView::from(session.clone()))
}

pub(super) fn change(change: &Change) -> Value {
    with_columns(with_nulls(&ChangeView::from(change.clone())), change.banned)
}

pub(super) fn status_event(event: &StatusEvent) -> Value {
    with_columns(with_nulls(&StatusEventView::from(event.clone())), event.change.banned)
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

/// A length of time with its two greatest units: `3h 07m`.
pub(crate) fn length(time: Duration) -> String {
    let seconds = time.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m {:02}s", seconds % 60),
        (0, ..) => format!("{hours}h {minutes:02}m"),
        _ => format!("{days}d {hours:02}h"),
    }
}

/// The time since `at`, or `never`.
pub(crate) fn ago(at: Option<Timestamp>, now: Timestamp) -> String {
    at.map_or_else(|| "never".to_owned(), |at| format!("{} ago", length(now.since(at))))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use crate::domain::StreamerId;
    use crate::domain::streamer::{Source, Status};

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
        let shown = status_event(&event);
        assert_eq!(
            (&shown["session_id"], &shown["banned"], &shown["seq"]),
            (&json!("7"), &json!(false), &json!(1))
        );
        assert_eq!(shown["session"].get("title"), Some(&Value::Null));
    }

    #[test]
    fn lengths_are_short() {
        for (seconds, text) in [
            (0, "0s"),
            (59, "59s"),
            (61, "1m 01s"),
            (3_600, "1h 00m"),
            (11_220, "3h 07m"),
            (90_000, "1d 01h"),
        ] {
            assert_eq!(length(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn control_characters_are_replaced() {
        let title = Some("a\u{1b}[2Jb\nc".to_owned());
        let session = Session { title, category: Some("Slots".into()), ..Session::default() };
        assert_eq!(headline(&session), "a [2Jb c · Slots");
    }
}
