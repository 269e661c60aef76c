//! The live table without a terminal: rows, order, visible part, and keys.

use std::cmp::Reverse;

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use strum::{IntoStaticStr, VariantArray};

use crate::domain::Timestamp;
use crate::domain::streamer::feed::WatchStatus;
use crate::domain::streamer::{Status, Streamer};

/// The filters by status, in the order of the key.
const STATUSES: &[Option<Status>] =
    &[None, Some(Status::Online), Some(Status::Offline), Some(Status::Unknown)];

/// The order of the table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "lowercase")]
pub(super) enum Sort {
    #[default]
    Name,
    Status,
    #[strum(serialize = "last change")]
    LastChange,
    Viewers,
}

impl Sort {
    /// The most interesting rows come first: live, changed last, most viewers.
    fn key(self, row: &Streamer) -> (Reverse<Option<i64>>, String) {
        let rank = match self {
            Self::Name => None,
            Self::Status => match row.track.status {
                Status::Online => Some(2),
                Status::Offline => Some(1),
                Status::Unknown => None,
            },
            Self::LastChange => row.track.last_status_update.map(Timestamp::micros),
            Self::Viewers => viewers(row).and_then(|count| i64::try_from(count).ok()),
        };
        (Reverse(rank), name(row))
    }
}

/// The text for filters and sorting.
fn name(row: &Streamer) -> String {
    format!("{}\n{}", row.username, row.display_name.as_deref().unwrap_or_default()).to_lowercase()
}

pub(super) fn viewers(row: &Streamer) -> Option<u64> {
    row.current_session().and_then(|session| session.viewers)
}

/// The one after `this`; the first one after the last.
fn next<T: Copy + PartialEq>(all: &[T], this: T) -> T {
    all.iter().chain(all).skip_while(|one| **one != this).nth(1).copied().unwrap_or(this)
}

/// The table.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) rows: Vec<Streamer>,
    /// Which rows pass the filters, in order.
    shown: Vec<usize>,
    pub(super) watch: Option<WatchStatus>,
    /// Why the rows may be old.
    pub(super) trouble: Option<String>,
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
    page: usize,
}

impl Table {
    pub(super) fn new(is_dry_run: bool) -> Self {
        Self { is_dry_run, ..Self::default() }
    }

    /// Replaces the rows. The scroll position stays.
    pub(super) fn take(&mut self, rows: Vec<Streamer>, watch: Option<WatchStatus>) {
        (self.rows, self.watch, self.trouble) = (rows, watch, None);
        self.arrange();
    }

    pub(super) fn set_page(&mut self, rows: usize) {
        self.page = rows;
        self.top = self.top.min(self.last_top());
    }

    pub(super) fn visible(&self) -> impl Iterator<Item = &Streamer> {
        self.shown.iter().skip(self.top).take(self.page).filter_map(|index| self.rows.get(*index))
    }

    /// The first and last visible row, counted from one, and the number of rows.
    pub(super) fn place(&self) -> (usize, usize, usize) {
        let last = (self.top + self.page).min(self.shown.len());
        ((self.top + 1).min(last), last, self.shown.len())
    }

    /// Handles a key. Returns whether the table stays open.
    pub(super) fn press(&mut self, key: KeyEvent) -> bool {
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            return !matches!(key.code, KeyCode::Char('c' | 'd'));
        }
        let page = isize::try_from(self.page.max(2) - 1).unwrap_or(isize::MAX);
        match key.code {
            KeyCode::Up => self.scroll(-1),
            KeyCode::Down => self.scroll(1),
            KeyCode::PageUp => self.scroll(-page),
            KeyCode::PageDown => self.scroll(page),
            KeyCode::Home => self.top = 0,
            KeyCode::End => self.top = self.last_top(),
            code if self.is_typing => self.letter(code),
            KeyCode::Char('q') | KeyCode::Esc => return false,
            KeyCode::Char('s') => self.change(|table| table.sort = next(Sort::VARIANTS, table.sort)),
            KeyCode::Char('r') => self.change(|table| table.is_reversed = !table.is_reversed),
            KeyCode::Char('f') => self.change(|table| table.status = next(STATUSES, table.status)),
            KeyCode::Char('/') => self.is_typing = true,
            _ => {}
        }
        true
    }

    fn letter(&mut self, code: KeyCode) {
        match code {
            KeyCode::Enter => self.is_typing = false,
            KeyCode::Esc => self.change(|table| (table.is_typing, table.text) = (false, String::new())),
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
        let passes = |row: &Streamer| {
            self.status.is_none_or(|status| row.track.status == status) && name(row).contains(&text)
        };
        self.shown = (0..rows.len()).filter(|index| passes(&rows[*index])).collect();
        self.shown.sort_by_cached_key(|index| self.sort.key(&rows[*index]));
        if self.is_reversed {
            self.shown.reverse();
        }
        self.top = self.top.min(self.last_top());
    }

    fn scroll(&mut self, by: isize) {
        self.top = self.top.saturating_add_signed(by).min(self.last_top());
    }

    fn last_top(&self) -> usize {
        self.shown.len().saturating_sub(self.page)
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
        table.take(some(), None);
        table.set_page(10);
        table
    }

    fn key(code: KeyCode) -> KeyEvent {
        KeyEvent::new(code, KeyModifiers::NONE)
    }

    fn press(table: &mut Table, keys: &str) {
        for letter in keys.chars() {
            assert!(table.press(key(KeyCode::Char(letter))));
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
        assert!(table.press(key(KeyCode::Esc)));
        assert_eq!((seen(&table), table.text.as_str()), (vec!["alice"], ""));
    }

    #[test]
    fn q_escape_and_control_c_leave() {
        let control_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        for leaves in [key(KeyCode::Char('q')), key(KeyCode::Esc), control_c] {
            assert!(!table().press(leaves));
        }
        let mut typing = table();
        press(&mut typing, "/");
        assert!(!typing.press(control_c));
    }

    #[test]
    fn scrolling_stays_within_the_list_and_over_a_refresh() {
        let many: Vec<Streamer> =
            (0..10_000).map(|n| streamer(&format!("s{n:05}"), Status::Offline, n)).collect();
        let mut table = Table::default();
        table.take(many.clone(), None);
        table.set_page(20);
        let steps: [(&[KeyCode], _); 5] = [
            (&[], (1, 20, 10_000)),
            (&[KeyCode::Up], (1, 20, 10_000)),
            (&[KeyCode::PageDown, KeyCode::Down], (21, 40, 10_000)),
            (&[KeyCode::End], (9_981, 10_000, 10_000)),
            (&[KeyCode::PageDown], (9_981, 10_000, 10_000)),
        ];
        for (keys, place) in steps {
            assert!(keys.iter().all(|code| table.press(key(*code))));
            table.take(many.clone(), None);
            assert_eq!((table.place(), seen(&table).len()), (place, 20), "{keys:?}, and a refresh");
            assert_eq!(seen(&table)[0], format!("s{:05}", place.0 - 1));
        }
        for (page, rows, place) in
            [(10_050, 10_000, (1, 10_000, 10_000)), (20, 5, (1, 5, 5)), (20, 0, (0, 0, 0))]
        {
            table.set_page(page);
            table.press(key(KeyCode::End));
            table.take(many[..rows].to_vec(), None);
            assert_eq!(table.place(), place, "rows were removed");
        }
    }
}
