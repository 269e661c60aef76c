//! `streamward studio watch`: what is on air, live.

use std::io::{IsTerminal as _, stdout};
use std::time::Duration;

use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::Paragraph;
use serde_json::{Value, json};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::view;
use crate::adapters::cli::Output;
use crate::adapters::cli::output::with_nulls;
use crate::adapters::cli::screen::{Screen, ends_by_key};
use crate::adapters::views::StudioView;
use crate::app::studio::{StudioOverview, Studios};
use crate::domain::access::Actor;
use crate::domain::studio::StudioName;

/// The time between two reads of the store.
const REFRESH: Duration = Duration::from_secs(1);

/// Shows the studio until `stop`, a key, or until the output is closed.
pub(super) async fn watch(
    studios: &Studios,
    name: &StudioName,
    stop: &CancellationToken,
    out: &mut Output,
) -> anyhow::Result<()> {
    let actor = Actor::cli("studio watch");
    if out.is_json() || !stdout().is_terminal() {
        return print_changes(studios, &actor, name, stop, out).await;
    }
    // Fail before taking the terminal if the store cannot be read.
    let mut shown = studios.get(&actor, name).await?;
    let mut screen = Screen::open()?;
    let mut trouble = None;
    let mut refreshes = interval(REFRESH);
    refreshes.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        screen.draw(Paragraph::new(lines(&shown, trouble.as_deref())))?;
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            pressed = tokio::task::spawn_blocking(ends_by_key) => if pressed?? { return Ok(()) },
            _ = refreshes.tick() => match studios.get(&actor, name).await {
                Ok(found) => (shown, trouble) = (found, None),
                // The screen keeps showing what was there.
                Err(error) => trouble = Some(format!("{error}; it is tried again")),
            },
        }
    }
}

fn lines(found: &StudioOverview, trouble: Option<&str>) -> Vec<Line<'static>> {
    let time = found.at.to_string();
    let head = format!("{}  {} UTC", found.studio.name, time.get(11..19).unwrap_or_default());
    let mut lines = vec![Line::styled(head, Style::new().add_modifier(Modifier::REVERSED))];
    lines.push(Line::styled(trouble.unwrap_or_default().to_owned(), Color::Red));
    lines.extend(view::lines(found).into_iter().skip(1).map(|line| {
        let colour = colour(&line);
        Line::styled(line, colour)
    }));
    lines.extend([Line::default(), Line::styled("q quit", Color::DarkGray)]);
    lines
}

fn colour(line: &str) -> Color {
    let has = |words: &[&str]| words.iter().any(|word| line.contains(word));
    if has(&["not supervised", "ALERT", "failed", "disconnected", "unresponsive"]) {
        Color::Red
    } else if has(&["degraded", "reconnecting", "hold", "nothing can be played"]) {
        Color::Yellow
    } else {
        Color::Reset
    }
}

/// Prints a line when something changes, or a JSON object.
async fn print_changes(
    studios: &Studios,
    actor: &Actor,
    name: &StudioName,
    stop: &CancellationToken,
    out: &mut Output,
) -> anyhow::Result<()> {
    let mut refreshes = interval(REFRESH);
    refreshes.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last: Option<Value> = None;
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            _ = refreshes.tick() => {}
        }
        let found = match studios.get(actor, name).await {
            Ok(found) => found,
            Err(error) if last.is_none() => return Err(error.into()),
            // The store worked before; try again.
            Err(_) => continue,
        };
        let now = found.at;
        let object = with_nulls(&StudioView::from(found));
        let states = states(&object);
        if last.as_ref() == Some(&states) {
            continue;
        }
        let printed = if out.is_json() { object.to_string() } else { line(&now.to_string(), &states) };
        if !out.line(&printed)? {
            return Ok(());
        }
        last = Some(states);
    }
}

/// What is not a measure: a change of it is printed.
const STATES: [(&str, &str); 14] = [
    ("desired", "/desired"),
    ("supervised", "/supervised"),
    ("hold", "/hold/reason"),
    ("obs", "/obs/connection"),
    ("stream", "/stream/state"),
    ("connection", "/stream/connection"),
    ("far_end", "/stream/far_end"),
    ("scene", "/on_air/scene"),
    ("reason", "/on_air/reason"),
    ("content", "/on_air/content/name"),
    ("owner", "/on_air/owner"),
    ("rung", "/on_air/rung"),
    ("alerts", "/alerts"),
    ("checks", "/preflight/passed"),
];

fn states(object: &Value) -> Value {
    let state = |(name, pointer): (&str, &str)| (name.to_owned(), object.pointer(pointer).cloned());
    let states = STATES.into_iter().map(state);
    Value::Object(states.map(|(name, value)| (name, value.unwrap_or_default())).collect())
}

fn line(at: &str, states: &Value) -> String {
    let shown = STATES.iter().filter_map(|(name, _)| match &states[*name] {
        Value::Null => None,
        Value::String(text) => Some(format!("{name}={}", view::printable(text))),
        list if *list == json!([]) => None,
        other => Some(format!("{name}={other}")),
    });
    format!("{at}  {}", shown.collect::<Vec<_>>().join("  "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measures_are_no_change() {
        let object = |kbps: f64, scene: &str| {
            json!({"desired": "on_air", "alerts": [], "stream": {"state": "live", "bitrate_kbps": kbps},
                "on_air": {"scene": scene}})
        };
        assert_eq!(states(&object(1.0, "A")), states(&object(2.0, "A")));
        assert_ne!(states(&object(1.0, "A")), states(&object(1.0, "B")));
        let shown = line("12:00", &states(&object(1.0, "A\u{1b}[2J")));
        assert_eq!(shown, "12:00  desired=on_air  stream=live  scene=A [2J");
    }
}
