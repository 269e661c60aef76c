//! Something shown live: on a terminal until a key ends it, elsewhere as a line for each change.

use std::io::{IsTerminal as _, stdout};
use std::time::Duration;

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::Paragraph;
use serde_json::Value;
use tokio::time::{Interval, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::Output;
use crate::domain::Timestamp;

/// How long to wait for a key.
const KEY_WAIT: Duration = Duration::from_millis(50);
/// The time between two reads.
const REFRESH: Duration = Duration::from_secs(1);

/// What is shown live.
pub(super) trait Live {
    /// What a read yields.
    type Found;
    /// The words that make a line red.
    const RED: &'static [&'static str];
    /// The words that make a line yellow.
    const YELLOW: &'static [&'static str];

    /// Reads it.
    async fn read(&self) -> anyhow::Result<Self::Found>;

    /// When it was read.
    fn at(found: &Self::Found) -> Timestamp;

    /// The first line, without the time.
    fn head(found: &Self::Found) -> String;

    /// The other lines.
    fn lines(found: &Self::Found) -> Vec<String>;

    /// Its JSON object.
    fn object(found: Self::Found) -> Value;

    /// The part of its object without measures: a change of it is printed.
    fn states(object: &Value) -> Value;

    /// The line that is printed for a change, without the time, from [`Live::lines`] and [`Live::states`].
    fn line(lines: &[String], states: &Value) -> String;
}

/// Shows it until `stop`, a key, or until the output is closed.
pub(super) async fn show<L: Live>(
    live: &L,
    stop: &CancellationToken,
    out: &mut Output,
) -> anyhow::Result<()> {
    if out.is_json() || !stdout().is_terminal() {
        return print_changes(live, stop, out).await;
    }
    // Fail before taking the terminal if it cannot be read.
    let mut shown = live.read().await?;
    let mut screen = Screen::open()?;
    let mut trouble = None;
    let mut refreshes = refreshes();
    loop {
        screen.draw(Paragraph::new(styled::<L>(&shown, trouble.as_deref())))?;
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            pressed = tokio::task::spawn_blocking(ends_by_key) => if pressed?? { return Ok(()) },
            _ = refreshes.tick() => match live.read().await {
                Ok(found) => (shown, trouble) = (found, None),
                // The screen keeps showing what was there.
                Err(error) => trouble = Some(format!("{error}; it is tried again")),
            },
        }
    }
}

fn refreshes() -> Interval {
    let mut refreshes = interval(REFRESH);
    refreshes.set_missed_tick_behavior(MissedTickBehavior::Delay);
    refreshes
}

fn styled<L: Live>(found: &L::Found, trouble: Option<&str>) -> Vec<Line<'static>> {
    let time = L::at(found).to_string();
    let head = format!("{}  {} UTC", L::head(found), time.get(11..19).unwrap_or_default());
    let colour = |line: &str| {
        let has = |words: &[&str]| words.iter().any(|word| line.contains(word));
        if has(L::RED) {
            Color::Red
        } else if has(L::YELLOW) {
            Color::Yellow
        } else {
            Color::Reset
        }
    };
    let mut lines = vec![Line::styled(head, Style::new().add_modifier(Modifier::REVERSED))];
    lines.push(Line::styled(trouble.unwrap_or_default().to_owned(), Color::Red));
    lines.extend(L::lines(found).into_iter().map(|line| {
        let colour = colour(&line);
        Line::styled(line, colour)
    }));
    lines.extend([Line::default(), Line::styled("q quit", Color::DarkGray)]);
    lines
}

/// Prints a line when something changes, or a JSON object.
async fn print_changes<L: Live>(live: &L, stop: &CancellationToken, out: &mut Output) -> anyhow::Result<()> {
    let mut refreshes = refreshes();
    let mut last: Option<Value> = None;
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            _ = refreshes.tick() => {}
        }
        let found = match live.read().await {
            Ok(found) => found,
            Err(error) if last.is_none() => return Err(error),
            // It worked before; try again.
            Err(_) => continue,
        };
        let (at, lines) = (L::at(&found), L::lines(&found));
        let object = L::object(found);
        let states = L::states(&object);
        if last.as_ref() == Some(&states) {
            continue;
        }
        let printed =
            if out.is_json() { object.to_string() } else { format!("{at}  {}", L::line(&lines, &states)) };
        if !out.line(&printed)? {
            return Ok(());
        }
        last = Some(states);
    }
}

/// The terminal while it is used. After a panic, ratatui restores it.
pub(super) struct Screen(DefaultTerminal);

impl Screen {
    /// Takes the terminal.
    pub(super) fn open() -> std::io::Result<Self> {
        Ok(Self(ratatui::try_init().inspect_err(|_| ratatui::restore())?))
    }

    /// Shows `text` instead of what was there.
    pub(super) fn draw(&mut self, text: Paragraph<'_>) -> std::io::Result<()> {
        self.0.draw(|frame| frame.render_widget(text, frame.area())).map(drop)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

/// Waits a moment for a key. Returns whether it ends the screen.
pub(super) fn ends_by_key() -> std::io::Result<bool> {
    if !event::poll(KEY_WAIT)? {
        return Ok(false);
    }
    let Event::Key(key) = event::read()? else { return Ok(false) };
    let is_interrupt = key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
    let is_quit = matches!(key.code, KeyCode::Char('q') | KeyCode::Esc);
    Ok(key.kind != KeyEventKind::Release && (is_quit || is_interrupt))
}
