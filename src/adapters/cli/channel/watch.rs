//! `streamward channel watch`: what is on air, live.

use std::io::{IsTerminal as _, stdout};
use std::time::Duration;

use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::Paragraph;
use serde_json::Value;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::view;
use crate::adapters::cli::Output;
use crate::adapters::cli::output::with_nulls;
use crate::adapters::cli::screen::{Screen, ends_by_key};
use crate::adapters::views::ChannelStatusView;
use crate::app::channel::{ChannelStatus, Channels};
use crate::domain::access::Actor;
use crate::domain::channel::ChannelId;

/// The time between two reads of the store.
const REFRESH: Duration = Duration::from_secs(1);

/// Shows the channel until `stop`, a key, or until the output is closed.
pub(super) async fn watch(
    channels: &Channels,
    actor: &Actor,
    id: ChannelId,
    stop: &CancellationToken,
    out: &mut Output,
) -> anyhow::Result<()> {
    if out.is_json() || !stdout().is_terminal() {
        return print_changes(channels, actor, id, stop, out).await;
    }
    // Fail before taking the terminal if the store cannot be read.
    let mut shown = channels.status(actor, id).await?;
    let mut terminal = Screen::open()?;
    let mut trouble = None;
    let mut refreshes = interval(REFRESH);
    refreshes.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        terminal.draw(Paragraph::new(screen(&shown, trouble.as_deref())))?;
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            pressed = tokio::task::spawn_blocking(ends_by_key) => if pressed?? { return Ok(()) },
            _ = refreshes.tick() => match channels.status(actor, id).await {
                Ok(status) => (shown, trouble) = (status, None),
                // The screen keeps showing the last status.
                Err(error) => trouble = Some(format!("{error}; it is tried again")),
            },
        }
    }
}

fn screen(found: &ChannelStatus, trouble: Option<&str>) -> Vec<Line<'static>> {
    let channel = &found.channel.channel;
    let time = found.channel.at.to_string();
    let head = format!(
        "{}  {}  mode {}  {} UTC",
        channel.name,
        channel.path,
        channel.mode(found.channel.at),
        time.get(11..19).unwrap_or_default()
    );
    let mut lines = vec![Line::styled(head, Style::new().add_modifier(Modifier::REVERSED))];
    lines.push(Line::styled(trouble.unwrap_or_default().to_owned(), Color::Red));
    lines.extend(view::status_lines(found).into_iter().map(|line| {
        let colour = colour(&line);
        Line::styled(line, colour)
    }));
    lines.extend([Line::default(), Line::styled("q quit", Color::DarkGray)]);
    lines
}

fn colour(line: &str) -> Color {
    let has = |words: &[&str]| words.iter().any(|word| line.contains(word));
    if has(&["not running", "failed", "backing_off", "mismatch", "stalled"]) {
        Color::Red
    } else if has(&["connecting", "unstable", "disabled"]) {
        Color::Yellow
    } else {
        Color::Reset
    }
}

/// Prints a line when something changes, or a JSON object.
async fn print_changes(
    channels: &Channels,
    actor: &Actor,
    id: ChannelId,
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
        let found = match channels.status(actor, id).await {
            Ok(found) => found,
            Err(error) if last.is_none() => return Err(error.into()),
            // The store worked before; try again.
            Err(_) => continue,
        };
        let now = found.channel.at;
        let line = line(&found);
        let object = with_nulls(&ChannelStatusView::from(found));
        let states = states(&object);
        if last.as_ref() == Some(&states) {
            continue;
        }
        last = Some(states);
        let text = if out.is_json() { object.to_string() } else { format!("{now}  {line}") };
        if !out.line(&text)? {
            return Ok(());
        }
    }
}

/// What changes seldom: what is on air, and each state.
fn states(object: &Value) -> Value {
    let connections = object["destinations"].as_array().into_iter().flatten();
    let connections: Vec<_> = connections.map(|one| (&one["name"], &one["connection"]["state"])).collect();
    let inputs = &object["inputs"];
    serde_json::json!({
        "running": object["running"], "mode": object["mode"], "on_air": object["on_air"],
        "since": object["since"], "live": inputs["live"]["state"], "backup": inputs["backup"]["state"],
        "media_server": object["media_server"]["state"], "connections": connections,
    })
}

fn line(found: &ChannelStatus) -> String {
    let lines = view::status_lines(found);
    let words = |line: &String| line.split_whitespace().take(4).collect::<Vec<_>>().join(" ");
    lines.first().cloned().into_iter().chain(lines.iter().skip(2).map(words)).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_line_is_printed_for_a_change_of_state_and_not_for_figures() {
        let object = |on_air: &str, state: &str, bytes: u64| {
            json!({"running": true, "on_air": on_air, "inputs": {"live": {"state": "on_air", "fps": bytes}},
                "destinations": [{"name": "YouTube", "connection": {"state": state, "bytes": bytes}}]})
        };
        assert_eq!(states(&object("live", "live", 1)), states(&object("live", "live", 2)));
        assert_ne!(states(&object("live", "live", 1)), states(&object("backup", "live", 1)));
        assert_ne!(states(&object("live", "live", 1)), states(&object("live", "stalled", 1)));
    }
}
