//! Renders the live table; only the visible rows.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Color, Modifier};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Cell, Row as TableRow, Table as Grid};

use super::table::{Table, viewers};
use super::view::{headline, printable};
use super::watch_status::{doing, trouble};
use crate::adapters::cli::durations::length;
use crate::domain::Timestamp;
use crate::domain::streamer::{Status, Streamer};

const COLUMNS: [(&str, Constraint); 6] = [
    ("USERNAME", Constraint::Max(25)),
    ("STATUS", Constraint::Length(9)),
    ("SINCE", Constraint::Length(7)),
    ("TITLE · CATEGORY", Constraint::Fill(1)),
    ("VIEWERS", Constraint::Length(9)),
    ("LAST CHANGE (UTC)", Constraint::Length(17)),
];
const KEYS: &str = "s sort  r reverse  f status  / name  ↑↓ PgUp PgDn Home End  q quit";

pub(super) fn render(frame: &mut Frame<'_>, table: &mut Table, now: Timestamp) {
    let wrong = table.trouble.clone().or_else(|| trouble(table.watch.as_ref(), now));
    let wrong_height = u16::from(wrong.is_some());
    let rows = [1, 1, wrong_height].map(Constraint::Length).into_iter();
    let rows = rows.chain([Constraint::Fill(1), Constraint::Length(1)]);
    let [feed, totals, wrong_area, body, foot] = Layout::vertical(rows).areas(frame.area());
    frame.render_widget(feed_line(table, now), feed);
    let [_, clock] = Layout::horizontal([Constraint::Fill(1), Constraint::Length(13)]).areas(feed);
    // `15:54:46 UTC`, with a space before it.
    let time = format!(" {} UTC", now.to_string().get(11..19).unwrap_or_default());
    frame.render_widget(Line::from(time).right_aligned(), clock);
    frame.render_widget(totals_line(table), totals);
    frame.render_widget(Line::styled(wrong.unwrap_or_default(), Color::Red), wrong_area);
    // One line is the head.
    table.set_page(usize::from(body.height.saturating_sub(1)));
    let seen = table.visible().map(|row| line(row, now));
    let head = COLUMNS.map(|(word, _)| match word {
        "VIEWERS" => Line::from(word).right_aligned(),
        _ => Line::from(word),
    });
    let head = TableRow::new(head).style(Modifier::REVERSED);
    let widths = COLUMNS.map(|(_, width)| width);
    frame.render_widget(Grid::new(seen, widths).header(head).column_spacing(1), body);
    frame.render_widget(foot_line(table), foot);
}

fn feed_line(table: &Table, now: Timestamp) -> Line<'static> {
    let dry_run = if table.is_dry_run { "dry run: nothing is written  " } else { "" };
    let is_well = trouble(table.watch.as_ref(), now).is_none();
    let words = table.watch.as_ref().map_or_else(|| "nobody watches".to_owned(), |watch| doing(watch, now));
    let words = Span::styled(words, if is_well { Color::Green } else { Color::Red });
    Line::from(vec![Span::styled(dry_run, Color::Yellow), words])
}

fn totals_line(table: &Table) -> Line<'static> {
    let mut spans = vec![Span::raw(format!("{} watched", table.rows.len()))];
    for status in [Status::Online, Status::Offline, Status::Unknown] {
        let count = table.rows.iter().filter(|row| row.track.status == status).count();
        spans.extend([Span::raw("  "), Span::styled(format!("{count} {status}"), colour(status))]);
    }
    let is_unresolved = |row: &&Streamer| row.problem.is_some() || row.ids.user.is_none();
    let unresolved = table.rows.iter().filter(is_unresolved).count();
    let colour = if unresolved == 0 { Color::Gray } else { Color::Magenta };
    spans.extend([Span::raw("  "), Span::styled(format!("{unresolved} unresolved"), colour)]);
    Line::from(spans)
}

fn colour(status: Status) -> Color {
    match status {
        Status::Online => Color::Green,
        Status::Offline => Color::Gray,
        Status::Unknown => Color::Yellow,
    }
}

fn line(row: &Streamer, now: Timestamp) -> TableRow<'static> {
    let status = row.track.status;
    let mark = if row.problem.is_some() { "!" } else { "" };
    let viewers = viewers(row).map(|count| count.to_string()).unwrap_or_default();
    TableRow::new([
        Cell::from(printable(&row.username)),
        Cell::from(format!("{status}{mark}")).style(colour(status)),
        Cell::from(since(row).map(|since| length(now.since(since))).unwrap_or_default()),
        what(row),
        Cell::from(Line::from(viewers).right_aligned()),
        Cell::from(row.track.last_status_update.map(day_and_time).unwrap_or_default()),
    ])
}

/// The start of the present status.
fn since(row: &Streamer) -> Option<Timestamp> {
    let session = row.track.session.as_ref();
    let of_session = match row.track.status {
        Status::Unknown => None,
        Status::Online => session.and_then(|session| session.started_at),
        Status::Offline => session.and_then(|session| session.ended_at),
    };
    of_session.or(row.track.last_status_update)
}

/// Title and category, or the problem.
fn what(row: &Streamer) -> Cell<'static> {
    match &row.problem {
        Some(problem) => Cell::from(printable(problem)).style(Color::Magenta),
        None => Cell::from(row.current_session().map(headline).unwrap_or_default()),
    }
}

fn foot_line(table: &Table) -> Line<'static> {
    if table.is_typing {
        return Line::from(format!("name: {}▏ (Enter keeps it, Esc clears it)", table.text));
    }
    let (first, last, count) = table.place();
    let order = if table.is_reversed { ", reversed" } else { "" };
    let status = table.status.map(|status| format!("  only {status}")).unwrap_or_default();
    let text = if table.text.is_empty() { String::new() } else { format!("  name has {:?}", table.text) };
    let sort: &str = table.sort.into();
    let place = format!("{first}–{last} of {count} by {sort}{order}{status}{text}   {KEYS}");
    Line::styled(place, Modifier::DIM)
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
    use ratatui::buffer::Buffer;

    use super::super::table::tests::streamer;
    use super::*;
    use crate::domain::streamer::Source;
    use crate::domain::streamer::feed::{FeedState, FeedStatus, WatchStatus};

    fn now() -> Timestamp {
        Timestamp::parse_rfc3339("2026-11-20T15:54:46Z").unwrap()
    }

    fn watch() -> WatchStatus {
        let (provider, state) = (Some(Source::Centrifugo), FeedState::Connected);
        let (connections, connected, wanted, subscribed, error) = (3, 3, 4, 4, None);
        let feed = FeedStatus { provider, state, connections, connected, wanted, subscribed, error };
        let polled = now().minus(std::time::Duration::from_secs(12));
        WatchStatus { feed, last_full_poll_at: Some(polled), ..WatchStatus::new(now()) }
    }

    fn table() -> Table {
        let at = |seconds_ago: i64| now().micros() / 1_000_000 - seconds_ago;
        let mut lost = streamer("lost", Status::Unknown, 0);
        lost.problem = Some("Kick has no\u{7}channel called lost".into());
        let mut table = Table::default();
        let mut live = streamer("alice", Status::Online, at(3_600));
        live.track.session.as_mut().unwrap().viewers = Some(12_345);
        table.take(vec![live, streamer("bob", Status::Offline, at(42)), lost], Some(watch()));
        table
    }

    fn buffer(table: &mut Table, width: u16, height: u16) -> Buffer {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| render(frame, table, now())).unwrap();
        terminal.backend().buffer().clone()
    }

    fn drawn(table: &mut Table, width: u16, height: u16) -> Vec<String> {
        let buffer = buffer(table, width, height);
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
        let buffer = buffer(&mut table(), 110, 8);
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

    #[test]
    fn online_row_is_shown_since_the_session_began() {
        let online = streamer("bob", Status::Online, 200);
        assert_eq!((since(&online), viewers(&online)), (Some(Timestamp::from_seconds(140)), Some(200)));
    }
}
