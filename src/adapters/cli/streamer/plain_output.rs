//! Prints each status change as one line or one JSON object: for pipes, logs and other programs.

use std::sync::Arc;

use serde_json::json;
use tokio::time::{Duration, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::super::Output;
use super::view;
use super::watched::Watched;
use crate::app::events::{EventTail, Events, Next};
use crate::app::task::{PeriodicTask as _, TaskContext};
use crate::domain::event::{Event, EventBody, Topic};

/// The time between two reads of the log.
const POLL: Duration = Duration::from_millis(250);

/// Prints each change until `stop`, or until the output is closed.
pub(super) async fn print_changes(
    events: &Arc<Events>,
    watched: &Watched,
    stop: CancellationToken,
    out: &mut Output,
) -> anyhow::Result<()> {
    let mut tail = EventTail::new(Arc::clone(events));
    let mut polls = interval(POLL);
    polls.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last = None;
    loop {
        let mut reader = match events.subscribe(&watched.actor, &[Topic::Streamer], last).await {
            Ok(reader) => reader,
            Err(error) if last.is_none() => return Err(error.into()),
            // The store worked before; try again.
            Err(_) => {
                tokio::select! {
                    () = stop.cancelled() => return Ok(()),
                    _ = polls.tick() => continue,
                }
            }
        };
        loop {
            let next = tokio::select! {
                () = stop.cancelled() => return Ok(()),
                next = reader.next() => next,
                _ = polls.tick() => {
                    // This process has no other tail. If the log cannot be read, the next read continues at the same
                    // place.
                    let _ = tail.tick(&TaskContext::default()).await;
                    continue;
                }
            };
            match next {
                Ok(Next::Event(event)) => {
                    last = Some(event.seq);
                    if let EventBody::Streamer(body) = &event.body
                        && watched.includes(&body.streamer)
                        && let Some(line) = line(&event, out.is_json())
                        && !out.line(&line)?
                    {
                        return Ok(());
                    }
                }
                Ok(Next::Reset { seq }) => last = Some(seq),
                Ok(Next::Closed) | Err(_) => break,
            }
        }
    }
}

/// The output for an event; empty unless a status changed.
fn line(event: &Event, is_json: bool) -> Option<String> {
    let EventBody::Streamer(body) = &event.body else { return None };
    let (streamer, change) = (&body.streamer, body.change.as_ref()?);
    if is_json {
        let object = json!({
            "seq": event.seq,
            "event": event.body.kind(),
            "at": event.at,
            "streamer": view::streamer(streamer),
            "change": view::change(change),
        });
        return Some(object.to_string());
    }
    let headline = change.session.as_ref().map(view::headline).filter(|headline| !headline.is_empty());
    Some(format!(
        "{}  {}  {} → {}  ({}{}){}",
        change.received_at,
        view::printable(&streamer.username),
        change.previous_status,
        change.new_status,
        change.source.as_str(),
        if change.banned { ", banned" } else { "" },
        headline.map(|headline| format!("  {headline}")).unwrap_or_default(),
    ))
}

#[cfg(test)]
mod tests {
    use super::super::table::tests::streamer;
    use super::*;
    use crate::domain::event::StreamerEventKind;
    use crate::domain::streamer::{Change, Source, Status};
    use crate::domain::{OrganizationId, Timestamp};

    #[test]
    fn only_status_changes_are_printed() {
        let streamer = streamer("alice", Status::Online, 100);
        let at = Timestamp::from_seconds(100);
        let change = Change {
            previous_status: Status::Offline,
            new_status: Status::Online,
            occurred_at: at,
            received_at: at,
            source: Source::Centrifugo,
            session: streamer.track.session.clone(),
            banned: false,
        };
        let event = |change: Option<&Change>| Event {
            seq: 7,
            at,
            organization_id: OrganizationId::DEFAULT,
            body: EventBody::streamer(StreamerEventKind::Online, &streamer, change),
        };
        assert_eq!(
            line(&event(Some(&change)), false).unwrap(),
            "1970-01-01T00:01:40Z  alice  offline → online  (centrifugo)  alice plays · Slots"
        );
        let object = line(&event(Some(&change)), true).unwrap();
        assert!(!object.contains('\n'));
        let object: serde_json::Value = serde_json::from_str(&object).unwrap();
        assert_eq!((&object["seq"], &object["event"]), (&json!(7), &json!("streamer.online")));
        assert_eq!(object["change"]["new_status"], "online");
        assert_eq!(line(&event(None), false), None, "an announcement of a change that was printed before");
    }
}
