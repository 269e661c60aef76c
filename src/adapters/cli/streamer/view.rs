//! Streamers and their events, as the command line shows them.

use std::time::Duration;

use serde_json::{Value, json};

use crate::domain::Timestamp;
use crate::domain::streamer::{Change, Session, Status, StatusEvent, Streamer};

pub(super) fn streamer(streamer: &Streamer) -> Value {
    let track = &streamer.track;
    let (current, last) = match track.status {
        Status::Online => (track.session.as_ref(), None),
        Status::Unknown | Status::Offline => (None, track.session.as_ref()),
    };
    json!({
        "id": streamer.id,
        "username": streamer.username,
        "display_name": streamer.display_name,
        "is_active": streamer.is_active,
        "status": track.status,
        "last_seen_online": track.last_seen_online,
        "last_status_update": track.last_status_update,
        "session": current.map(session),
        "last_session": last.map(session),
        "user_id": streamer.ids.user,
        "channel_id": streamer.ids.channel,
        "chatroom_id": streamer.ids.chatroom,
        "problem": streamer.problem,
        "created_at": streamer.created_at,
        "updated_at": streamer.updated_at,
    })
}

pub(super) fn session(session: &Session) -> Value {
    json!({
        "id": session.id,
        "title": session.title,
        "category": session.category,
        "started_at": session.started_at,
        "ended_at": session.ended_at,
        "viewers": session.viewers,
    })
}

pub(super) fn change(change: &Change) -> Value {
    let known = change.session.as_ref();
    json!({
        "previous_status": change.previous_status,
        "new_status": change.new_status,
        "occurred_at": change.occurred_at,
        "received_at": change.received_at,
        "source": change.source,
        "session": known.map(session),
        "session_id": known.and_then(|session| session.id.as_ref()),
        "session_title": known.and_then(|session| session.title.as_ref()),
        "banned": change.banned,
    })
}

pub(super) fn status_event(event: &StatusEvent) -> Value {
    let mut view = change(&event.change);
    view["seq"] = event.seq.into();
    view["recorded_at"] = json!(event.recorded_at);
    view
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
    use super::*;

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
