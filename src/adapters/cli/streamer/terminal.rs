//! Runs the live table in a terminal, and restores the terminal afterwards.

use std::io;
use std::time::Duration;

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyEventKind};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::render::render;
use super::table::Table;
use super::watched::Watched;
use crate::app::streamer::Streamers;

/// The time between two reads of the store.
const REFRESH: Duration = Duration::from_secs(1);
/// How long to wait for a key before checking whether the table is closed.
const KEY_WAIT: Duration = Duration::from_millis(100);
const KEYS: usize = 64;

/// The terminal while the table uses it. After a panic, ratatui restores it.
struct Terminal(DefaultTerminal);

impl Terminal {
    fn enter() -> io::Result<Self> {
        ratatui::try_init().map(Self).inspect_err(|_| ratatui::restore())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

/// Shows the table until a key or `stop` ends it.
pub(super) async fn show(
    streamers: &Streamers,
    watched: &Watched,
    is_dry_run: bool,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut table = Table::new(is_dry_run);
    // Fail before taking the terminal if the store cannot be read.
    refresh(streamers, watched, &mut table).await?;
    let mut terminal = Terminal::enter()?;
    let (keys, mut pressed) = mpsc::channel(KEYS);
    let mut reader = JoinSet::new();
    reader.spawn_blocking(move || read_keys(&keys));
    let mut refreshes = interval(REFRESH);
    refreshes.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        terminal.0.draw(|frame| render(frame, &mut table, streamers.now()))?;
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            event = pressed.recv() => match event {
                Some(Ok(Event::Key(key))) if key.kind != KeyEventKind::Release => {
                    if !table.press(key) {
                        return Ok(());
                    }
                }
                // A new size needs only a new frame.
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error.into()),
                None => return Ok(()),
            },
            _ = refreshes.tick() => {
                if let Err(error) = refresh(streamers, watched, &mut table).await {
                    // The table keeps showing the last rows.
                    table.trouble = Some(format!("{error:#}; it is tried again"));
                }
            }
        }
    }
}

async fn refresh(streamers: &Streamers, watched: &Watched, table: &mut Table) -> anyhow::Result<()> {
    let rows = watched.streamers(streamers).await?;
    table.take(rows, streamers.watch_status(&watched.actor).await?);
    Ok(())
}

/// Reads keys until the receiver is dropped.
fn read_keys(keys: &mpsc::Sender<io::Result<Event>>) {
    while !keys.is_closed() {
        let event = match event::poll(KEY_WAIT) {
            Ok(false) => continue,
            Ok(true) => event::read(),
            Err(error) => Err(error),
        };
        let is_over = event.is_err();
        if keys.blocking_send(event).is_err() || is_over {
            return;
        }
    }
}
