//! Renders the live table; only the visible rows.

use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Cell, Paragraph, Row as TableRow, Table as Grid};

use super::super::kick::{doing, trouble};
use super::table::{Row, Table};
use super::view::length;
use crate::domain::Timestamp;
use crate::domain::streamer::Status;

const HEAD: [&str; 6] = ["USERNAME", "STATUS", "SINCE", "TITLE · CATEGORY", "VIEWERS", "LAST CHANGE (UTC)"];
const ALIGNED: [Alignment; 6] =
    [Alignment::Left, Alignment::Left, Alignment::Left, Alignment::Left, Alignment::Right, Alignment::Left];
const WIDTHS: [Constraint; 6] = [
    Constraint::Max(25),
    Constraint::Length(9),
    Constraint::Length(7),
    Constraint::Fill(1),
    Constraint::Length(9),
    Constraint::Length(17),
];
const KEYS: &str = "s sort  r reverse  f status  / name  ↑↓ PgUp PgDn Home End  q quit";

/// Draws the table as it is at `now`.
pub(super) fn render(frame: &mut Frame<'_>, table: &mut Table, now: Timestamp) {
    let wrong = wrong(table, now);
    let rows = [
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Length(u16::from(wrong.is_some())),
        Constraint::Fill(1),
        Constraint::Length(1),
    ];
    let [feed, totals, wrong_area, body, foot] = Layout::vertical(rows).areas(frame.area());
    frame.render_widget(Paragraph::new(feed_line(table, now)), feed);
    let clock = Line::from(format!(" {}", clock(now))).alignment(Alignment::Right);
    frame.render_widget(Paragraph::new(clock).alignment(Alignment::Right), right_end(feed, 13));
    frame.render_widget(Paragraph::new(totals_line(table)), totals);
    if let Some(wrong) = wrong {
        frame.render_widget(Paragraph::new(Line::styled(wrong, Color::Red)), wrong_area);
    }
    // One line is the head.
    table.set_page(usize::from(body.height.saturating_sub(1)));
    let seen = table.visible().map(|row| line(row, now));
    let head = HEAD.iter().zip(ALIGNED).map(|(word, side)| Line::from(*word).alignment(side));
    let head = TableRow::new(head).style(Style::new().add_modifier(Modifier::REVERSED));
    frame.render_widget(Grid::new(seen, WIDTHS).header(head).column_spacing(1), body);
    frame.render_widget(Paragraph::new(foot_line(table)), foot);
}

fn right_end(area: ratatui::layout::Rect, width: u16) -> ratatui::layout::Rect {
    let width = width.min(area.width);
    ratatui::layout::Rect { x: area.x + area.width - width, width, ..area }
}

fn feed_line(table: &Table, now: Timestamp) -> Line<'static> {
    let mut spans = Vec::new();
    if table.is_dry_run {
        spans.push(Span::styled("dry run: nothing is written  ", Color::Yellow));
    }
    let is_well = trouble(table.watch.as_ref(), now).is_none();
    let words = table.watch.as_ref().map_or_else(|| "nobody watches".to_owned(), |watch| doing(watch, now));
    spans.push(Span::styled(words, if is_well { Color::Green } else { Color::Red }));
    Line::from(spans)
}

fn totals_line(table: &Table) -> Line<'static> {
    let totals = table.totals;
    Line::from(vec![
        Span::raw(format!("{} watched  ", totals.all)),
        Span::styled(format!("{} online", totals.online), Color::Green),
        Span::raw("  "),
        Span::styled(format!("{} offline", totals.offline), Color::Gray),
        Span::raw("  "),
        Span::styled(format!("{} unknown", totals.unknown), Color::Yellow),
        Span::raw("  "),
        Span::styled(
            format!("{} unresolved", totals.unresolved),
            if totals.unresolved == 0 { Color::Gray } else { Color::Magenta },
        ),
    ])
}

/// Why the table may be wrong; `None` if it is right.
fn wrong(table: &Table, now: Timestamp) -> Option<String> {
    table.trouble.clone().or_else(|| trouble(table.watch.as_ref(), now))
}

fn line(row: &Row, now: Timestamp) -> TableRow<'static> {
    let colour = match row.status {
        Status::Online => Color::Green,
        Status::Offline => Color::Gray,
        Status::Unknown => Color::Yellow,
    };
    let mark = if row.has_problem { "!" } else { "" };
    let what = if row.has_problem { Style::new().fg(Color::Magenta) } else { Style::new() };
    let viewers = row.viewers.map(|count| count.to_string()).unwrap_or_default();
    TableRow::new([
        Cell::from(row.username.clone()),
        Cell::from(format!("{}{mark}", row.status)).style(colour),
        Cell::from(row.since.map(|since| length(now.since(since))).unwrap_or_default()),
        Cell::from(row.what.clone()).style(what),
        Cell::from(Line::from(viewers).alignment(Alignment::Right)),
        Cell::from(row.changed.map(day_and_time).unwrap_or_default()),
    ])
}

fn foot_line(table: &Table) -> Line<'static> {
    if table.is_typing {
        return Line::from(format!("name: {}▏ (Enter keeps it, Esc clears it)", table.text));
    }
    let (first, last, count) = table.place();
    let order = if table.is_reversed { ", reversed" } else { "" };
    let status = table.status.map(|status| format!("  only {status}")).unwrap_or_default();
    let text = if table.text.is_empty() { String::new() } else { format!("  name has {:?}", table.text) };
    let place = format!("{first}–{last} of {count} by {}{order}{status}{text}   {KEYS}", table.sort.as_str());
    Line::styled(place, Style::new().add_modifier(Modifier::DIM))
}

/// `15:54:46 UTC`.
fn clock(now: Timestamp) -> String {
    let text = now.to_string();
    format!("{} UTC", text.get(11..19).unwrap_or_default())
}

/// `11-20 15:54:46`.
fn day_and_time(at: Timestamp) -> String {
    let text = at.to_string();
    format!("{} {}", text.get(5..10).unwrap_or_default(), text.get(11..19).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::super::table::tests::streamer;
    use super::*;
    use crate::domain::streamer::Source;
    use crate::domain::streamer::feed::{FeedState, FeedStatus, WatchStatus};

    fn now() -> Timestamp {
        Timestamp::parse_rfc3339("2026-11-20T15:54:46Z").unwrap()
    }

    fn watch() -> WatchStatus {
        WatchStatus {
            at: now(),
            feed: FeedStatus {
                provider: Some(Source::Centrifugo),
                state: FeedState::Connected,
                connections: 3,
                connected: 3,
                wanted: 4,
                subscribed: 4,
                error: None,
            },
            watched: 4,
            unresolved: 1,
            queued: 0,
            last_report_at: None,
            last_full_poll_at: Some(now().minus(std::time::Duration::from_secs(12))),
            poll_error: None,
        }
    }

    fn table() -> Table {
        let at = |seconds_ago: i64| now().micros() / 1_000_000 - seconds_ago;
        let mut lost = streamer("lost", Status::Unknown, 0);
        lost.problem = Some("Kick has no channel called lost".into());
        let mut table = Table::default();
        let mut live = streamer("alice", Status::Online, at(3_600));
        live.track.session.as_mut().unwrap().viewers = Some(12_345);
        table.take(&[live, streamer("bob", Status::Offline, at(42)), lost], Some(watch()));
        table
    }

    fn drawn(table: &mut Table, width: u16, height: u16) -> Vec<String> {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| render(frame, table, now())).unwrap();
        let buffer = terminal.backend().buffer();
        let line = |y: u16| (0..width).map(|x| buffer[(x, y)].symbol().to_owned()).collect::<String>();
        (0..height).map(|y| line(y).trim_end().to_owned()).collect()
    }

    #[test]
    fn the_whole_table() {
        assert_eq!(
            drawn(&mut table(), 110, 8),
            [
                "feed connected (centrifugo), 3 of 3 connections, 4 of 4 channels, last full poll 12s ago          15:54:46 UTC",
                "3 watched  1 online  1 offline  1 unknown  1 unresolved",
                "USERNAME                  STATUS    SINCE   TITLE · CATEGORY                         VIEWERS LAST CHANGE (UTC)",
                "alice                     online    1h 01m  alice plays · Slots                        12345 11-20 14:54:46",
                "bob                       offline   42s                                                      11-20 15:54:04",
                "lost                      unknown!          Kick has no channel called lost",
                "",
                "1–3 of 3 by name   s sort  r reverse  f status  / name  ↑↓ PgUp PgDn Home End  q quit",
            ]
        );
    }

    #[test]
    fn colours_show_the_status() {
        let mut terminal = Terminal::new(TestBackend::new(110, 8)).unwrap();
        terminal.draw(|frame| render(frame, &mut table(), now())).unwrap();
        let buffer = terminal.backend().buffer();
        let colours = [3, 4, 5].map(|y| buffer[(26, y)].fg);
        assert_eq!(colours, [Color::Green, Color::Gray, Color::Yellow]);
        assert_eq!(buffer[(0, 0)].fg, Color::Green, "the feed is well");
    }

    #[test]
    fn problem_has_its_own_line() {
        let mut table = table();
        table.is_dry_run = true;
        table.watch = None;
        let lines = drawn(&mut table, 110, 8);
        assert!(lines[0].starts_with("dry run: nothing is written  nobody watches"), "{}", lines[0]);
        assert!(lines[2].contains("kick.feed"), "{}", lines[2]);
        table.watch = Some(watch());
        assert!(drawn(&mut table, 110, 8)[2].starts_with("USERNAME"));
        table.trouble = Some("the database is unavailable".into());
        assert!(drawn(&mut table, 110, 8)[2].starts_with("the database is unavailable"));
    }

    #[test]
    fn it_fits_into_any_terminal() {
        let mut table = table();
        for (width, height) in [(1, 1), (2, 3), (13, 4), (40, 5), (300, 100)] {
            assert_eq!(drawn(&mut table, width, height).len(), usize::from(height));
        }
    }
}
