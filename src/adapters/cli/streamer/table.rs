//! The live table without a terminal: rows, order, visible part, and keys.

use std::cmp::{Ordering, Reverse};

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::view::{headline, printable};
use crate::domain::Timestamp;
use crate::domain::streamer::feed::WatchStatus;
use crate::domain::streamer::{Status, Streamer};

/// How many rows an arrow moves.
const STEP: isize = 1;

/// One streamer as the table shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) username: String,
    pub(super) status: Status,
    /// The start of the present status.
    pub(super) since: Option<Timestamp>,
    /// Title and category, or the problem.
    pub(super) what: String,
    pub(super) viewers: Option<u64>,
    /// When the status last changed.
    pub(super) changed: Option<Timestamp>,
    pub(super) has_problem: bool,
    /// Whether an id is missing or there is a problem.
    pub(super) is_unresolved: bool,
    /// The text for filters and sorting.
    key: String,
}

impl From<&Streamer> for Row {
    fn from(streamer: &Streamer) -> Self {
        let track = &streamer.track;
        let session = track.session.as_ref();
        let from_session = match track.status {
            Status::Unknown => None,
            Status::Online => session.and_then(|session| session.started_at),
            Status::Offline => session.and_then(|session| session.ended_at),
        };
        let current = streamer.current_session();
        let problem = streamer.problem.as_deref().map(printable);
        let username = printable(&streamer.username);
        let display_name = streamer.display_name.as_deref().unwrap_or_default();
        Self {
            key: format!("{username}\n{display_name}").to_lowercase(),
            username,
            status: track.status,
            since: from_session.or(track.last_status_update),
            has_problem: problem.is_some(),
            is_unresolved: problem.is_some() || streamer.ids.user.is_none(),
            what: problem.or_else(|| current.map(headline)).unwrap_or_default(),
            viewers: current.and_then(|session| session.viewers),
            changed: track.last_status_update,
        }
    }
}

/// The order of the table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Sort {
    #[default]
    Name,
    Status,
    LastChange,
    Viewers,
}

impl Sort {
    fn next(self) -> Self {
        match self {
            Self::Name => Self::Status,
            Self::Status => Self::LastChange,
            Self::LastChange => Self::Viewers,
            Self::Viewers => Self::Name,
        }
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Status => "status",
            Self::LastChange => "last change",
            Self::Viewers => "viewers",
        }
    }

    /// The most interesting rows come first: live, changed last, most viewers.
    fn compare(self, one: &Row, other: &Row) -> Ordering {
        let rank = |row: &Row| match row.status {
            Status::Online => 0,
            Status::Offline => 1,
            Status::Unknown => 2,
        };
        let order = match self {
            Self::Name => Ordering::Equal,
            Self::Status => rank(one).cmp(&rank(other)),
            Self::LastChange => Reverse(one.changed).cmp(&Reverse(other.changed)),
            Self::Viewers => Reverse(one.viewers).cmp(&Reverse(other.viewers)),
        };
        order.then_with(|| one.key.cmp(&other.key))
    }
}

/// The effect of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pressed {
    /// Continue.
    Stay,
    /// Leave the table.
    Quit,
}

/// The number of streamers by status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) all: usize,
    pub(super) online: usize,
    pub(super) offline: usize,
    pub(super) unknown: usize,
    pub(super) unresolved: usize,
}

/// The table.
#[derive(Debug, Default)]
pub(super) struct Table {
    rows: Vec<Row>,
    /// Which rows pass the filters, in order.
    shown: Vec<usize>,
    pub(super) totals: Totals,
    /// The watch status.
    pub(super) watch: Option<WatchStatus>,
    /// Why the rows may be old.
    pub(super) trouble: Option<String>,
    /// Whether this is a dry run.
    pub(super) is_dry_run: bool,
    pub(super) sort: Sort,
    pub(super) is_reversed: bool,
    /// Show only this status.
    pub(super) status: Option<Status>,
    /// Show only names that contain this.
    pub(super) text: String,
    /// Whether keys are letters of `text`.
    pub(super) is_typing: bool,
    /// The first visible row, among those that pass the filters.
    top: usize,
    /// How many rows are visible.
    page: usize,
}

impl Table {
    /// An empty table.
    pub(super) fn new(is_dry_run: bool) -> Self {
        Self { is_dry_run, ..Self::default() }
    }

    /// Replaces the rows. The scroll position stays.
    pub(super) fn take<'a>(
        &mut self,
        streamers: impl IntoIterator<Item = &'a Streamer>,
        watch: Option<WatchStatus>,
    ) {
        self.rows = streamers.into_iter().map(Row::from).collect();
        let mut totals = Totals { all: self.rows.len(), ..Totals::default() };
        for row in &self.rows {
            match row.status {
                Status::Unknown => totals.unknown += 1,
                Status::Online => totals.online += 1,
                Status::Offline => totals.offline += 1,
            }
            totals.unresolved += usize::from(row.is_unresolved);
        }
        self.totals = totals;
        self.watch = watch;
        self.trouble = None;
        self.arrange();
    }

    /// Sets how many rows fit.
    pub(super) fn set_page(&mut self, rows: usize) {
        self.page = rows;
        self.top = self.top.min(self.last_top());
    }

    /// The visible rows.
    pub(super) fn visible(&self) -> impl Iterator<Item = &Row> {
        self.shown.iter().skip(self.top).take(self.page).filter_map(|index| self.rows.get(*index))
    }

    /// The first and last visible row, counted from one, and the number of rows.
    pub(super) fn place(&self) -> (usize, usize, usize) {
        let last = (self.top + self.page).min(self.shown.len());
        ((self.top + 1).min(last), last, self.shown.len())
    }

    /// Handles a key.
    pub(super) fn press(&mut self, key: KeyEvent) -> Pressed {
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            let is_end = matches!(key.code, KeyCode::Char('c' | 'd'));
            return if is_end { Pressed::Quit } else { Pressed::Stay };
        }
        let page = isize::try_from(self.page.max(2) - 1).unwrap_or(isize::MAX);
        match key.code {
            KeyCode::Up => self.scroll(-STEP),
            KeyCode::Down => self.scroll(STEP),
            KeyCode::PageUp => self.scroll(-page),
            KeyCode::PageDown => self.scroll(page),
            KeyCode::Home => self.top = 0,
            KeyCode::End => self.top = self.last_top(),
            code if self.is_typing => self.letter(code),
            KeyCode::Char('q') | KeyCode::Esc => return Pressed::Quit,
            KeyCode::Char('s') => self.change(|table| table.sort = table.sort.next()),
            KeyCode::Char('r') => self.change(|table| table.is_reversed = !table.is_reversed),
            KeyCode::Char('f') => self.change(|table| table.status = next_status(table.status)),
            KeyCode::Char('/') => self.is_typing = true,
            _ => {}
        }
        Pressed::Stay
    }

    fn letter(&mut self, code: KeyCode) {
        match code {
            KeyCode::Enter => self.is_typing = false,
            KeyCode::Esc => self.change(|table| {
                table.is_typing = false;
                table.text.clear();
            }),
            KeyCode::Backspace => self.change(|table| {
                table.text.pop();
            }),
            KeyCode::Char(letter) => self.change(|table| table.text.push(letter)),
            _ => {}
        }
    }

    /// The list changed: scroll to its beginning.
    fn change(&mut self, change: impl FnOnce(&mut Self)) {
        change(self);
        self.top = 0;
        self.arrange();
    }

    fn arrange(&mut self) {
        let (rows, text) = (&self.rows, self.text.to_lowercase());
        let passes =
            |row: &Row| self.status.is_none_or(|status| row.status == status) && row.key.contains(&text);
        self.shown = (0..rows.len()).filter(|index| passes(&rows[*index])).collect();
        let (sort, is_reversed) = (self.sort, self.is_reversed);
        self.shown.sort_by(|one, other| {
            let order = sort.compare(&rows[*one], &rows[*other]);
            if is_reversed { order.reverse() } else { order }
        });
        self.top = self.top.min(self.last_top());
    }

    fn scroll(&mut self, by: isize) {
        self.top = self.top.saturating_add_signed(by).min(self.last_top());
    }

    fn last_top(&self) -> usize {
        self.shown.len().saturating_sub(self.page)
    }
}

fn next_status(status: Option<Status>) -> Option<Status> {
    match status {
        None => Some(Status::Online),
        Some(Status::Online) => Some(Status::Offline),
        Some(Status::Offline) => Some(Status::Unknown),
        Some(Status::Unknown) => None,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::StreamerId;
    use crate::domain::streamer::{KickIds, Session, Slug, Track, UserId};
    use uuid::Uuid;

    pub(in super::super) fn streamer(name: &str, status: Status, changed: i64) -> Streamer {
        let id = StreamerId(Uuid::from_u128(u128::from(name.len() as u64)));
        let at = Timestamp::from_seconds(changed);
        let mut streamer = Streamer::new(id, &Slug::parse(name).unwrap(), Timestamp::from_seconds(0));
        streamer.ids = KickIds { user: UserId::new(1).ok(), ..KickIds::default() };
        let session = Session {
            title: Some(format!("{name} plays")),
            category: Some("Slots".into()),
            started_at: Some(at.minus(Duration::from_secs(60))),
            viewers: u64::try_from(changed).ok(),
            ..Session::default()
        };
        streamer.track = Track {
            status,
            last_status_update: (status != Status::Unknown).then_some(at),
            session: (status == Status::Online).then_some(session),
            ..Track::default()
        };
        streamer
    }

    fn some() -> Vec<Streamer> {
        vec![
            streamer("dora", Status::Online, 100),
            streamer("alice", Status::Offline, 300),
            streamer("carol", Status::Unknown, 0),
            streamer("bob", Status::Online, 200),
        ]
    }

    fn table() -> Table {
        let mut table = Table::default();
        table.take(&some(), None);
        table.set_page(10);
        table
    }

    fn key(code: KeyCode) -> KeyEvent {
        KeyEvent::new(code, KeyModifiers::NONE)
    }

    fn press(table: &mut Table, keys: &str) {
        for letter in keys.chars() {
            assert_eq!(table.press(key(KeyCode::Char(letter))), Pressed::Stay);
        }
    }

    fn seen(table: &Table) -> Vec<&str> {
        table.visible().map(|row| row.username.as_str()).collect()
    }

    #[test]
    fn s_changes_the_order_and_r_reverses_it() {
        let mut table = table();
        assert_eq!(seen(&table), ["alice", "bob", "carol", "dora"]);
        press(&mut table, "r");
        assert_eq!(seen(&table), ["dora", "carol", "bob", "alice"]);
        press(&mut table, "r");
        for (sort, order) in [
            (Sort::Status, ["bob", "dora", "alice", "carol"]),
            (Sort::LastChange, ["alice", "bob", "dora", "carol"]),
            (Sort::Viewers, ["bob", "dora", "alice", "carol"]),
            (Sort::Name, ["alice", "bob", "carol", "dora"]),
        ] {
            press(&mut table, "s");
            assert_eq!((table.sort, seen(&table)), (sort, order.to_vec()));
        }
    }

    #[test]
    fn f_and_a_text_filter_the_rows() {
        let mut table = table();
        for names in [&["bob", "dora"][..], &["alice"], &["carol"], &["alice", "bob", "carol", "dora"]] {
            press(&mut table, "f");
            assert_eq!(seen(&table), names);
        }
        press(&mut table, "f/RA");
        assert_eq!(seen(&table), ["dora"]);
        // While a text is typed, letters are letters.
        press(&mut table, "qs");
        assert_eq!((seen(&table), table.text.as_str()), (vec![], "RAqs"));
        for _ in 0..3 {
            table.press(key(KeyCode::Backspace));
        }
        table.press(key(KeyCode::Enter));
        assert_eq!((seen(&table), table.is_typing), (vec!["dora"], false));
        press(&mut table, "f/");
        assert_eq!(table.press(key(KeyCode::Esc)), Pressed::Stay);
        assert_eq!((seen(&table), table.text.as_str()), (vec!["alice"], ""));
        assert_eq!(table.totals, Totals { all: 4, online: 2, offline: 1, unknown: 1, unresolved: 0 });
    }

    #[test]
    fn q_escape_and_control_c_leave() {
        let control_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        for leaves in [key(KeyCode::Char('q')), key(KeyCode::Esc), control_c] {
            assert_eq!(table().press(leaves), Pressed::Quit);
        }
        let mut typing = table();
        press(&mut typing, "/");
        assert_eq!(typing.press(control_c), Pressed::Quit);
    }

    #[test]
    fn scrolling_stays_within_the_list_and_over_a_refresh() {
        let many: Vec<Streamer> =
            (0..10_000).map(|n| streamer(&format!("s{n:05}"), Status::Offline, n)).collect();
        let mut table = Table::default();
        table.take(&many, None);
        table.set_page(20);
        assert_eq!((table.visible().count(), table.place()), (20, (1, 20, 10_000)));
        table.press(key(KeyCode::Up));
        assert_eq!(table.place().0, 1);
        table.press(key(KeyCode::PageDown));
        table.press(key(KeyCode::Down));
        assert_eq!(table.place(), (21, 40, 10_000));
        table.take(&many, None);
        assert_eq!(seen(&table)[0], "s00020", "the place stays");
        table.press(key(KeyCode::End));
        assert_eq!((table.place(), seen(&table)[19]), ((9_981, 10_000, 10_000), "s09999"));
        table.press(key(KeyCode::PageDown));
        assert_eq!(table.place().1, 10_000);
        table.set_page(10_050);
        assert_eq!(table.place(), (1, 10_000, 10_000));
        table.set_page(20);
        table.press(key(KeyCode::End));
        table.take(&many[..5], None);
        assert_eq!(table.place(), (1, 5, 5), "rows were removed");
        table.take(&[], None);
        assert_eq!(table.place(), (0, 0, 0));
        table.press(key(KeyCode::Home));
    }

    #[test]
    fn problem_replaces_title_and_category() {
        let mut lost = streamer("lost", Status::Online, 5);
        lost.problem = Some("Kick has no channel\u{7} called lost".into());
        let row = Row::from(&lost);
        assert_eq!(row.what, "Kick has no channel  called lost");
        assert!(row.has_problem && row.is_unresolved);
        let online = Row::from(&streamer("bob", Status::Online, 200));
        assert_eq!((online.what.as_str(), online.viewers), ("bob plays · Slots", Some(200)));
        assert_eq!(online.since, Some(Timestamp::from_seconds(140)), "since the session began");
    }
}
