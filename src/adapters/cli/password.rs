//! Reads a password that somebody types, or that a program writes to standard input.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use anyhow::{Context as _, bail};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::domain::secret::Secret;

/// The longest line that is read, in bytes.
const LONGEST: u64 = 4 * 1_024;

/// Hides what is typed until it is dropped.
struct Hidden(Termios);

impl Hidden {
    fn new() -> Option<Self> {
        let before = tcgetattr(io::stdin()).ok()?;
        let mut hidden = before.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        tcsetattr(io::stdin(), OptionalActions::Flush, &hidden).ok()?;
        Some(Self(before))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &self.0);
        let _ = writeln!(io::stderr());
    }
}

/// Reads one line. At a terminal it prints `prompt`, and hides what is typed.
pub(super) fn read_password(prompt: &str) -> anyhow::Result<Secret> {
    let _hidden = if io::stdin().is_terminal() {
        let mut err = io::stderr();
        let _ = write!(err, "{prompt}").and_then(|()| err.flush());
        Hidden::new()
    } else {
        None
    };
    let mut line = String::new();
    io::Read::take(io::stdin().lock(), LONGEST)
        .read_line(&mut line)
        .context("the password cannot be read from standard input")?;
    let password = line.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        bail!("no password was given on standard input");
    }
    Ok(Secret::new(password))
}
