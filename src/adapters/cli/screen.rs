//! A terminal that shows something live, until a key ends it.

use std::time::Duration;

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use ratatui::widgets::Paragraph;

/// How long to wait for a key.
const KEY_WAIT: Duration = Duration::from_millis(50);

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
