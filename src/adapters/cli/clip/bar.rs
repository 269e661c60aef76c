//! A progress bar on standard error, if that is a terminal.

use std::io::{IsTerminal as _, Write as _, stderr};

/// How many signs the bar has.
const WIDTH: usize = 30;

/// A line that is drawn again and again.
pub(super) struct Bar {
    is_shown: bool,
    /// What was drawn last.
    drawn: String,
}

impl Bar {
    /// A bar that is shown, unless standard error is no terminal or `quiet`.
    pub(super) fn new(quiet: bool) -> Self {
        Self { is_shown: !quiet && stderr().is_terminal(), drawn: String::new() }
    }

    /// Draws what is done of something, 0 to 1.
    pub(super) fn draw(&mut self, what: &str, share: f64) {
        let line = line(what, share);
        if self.is_shown && line != self.drawn {
            // Nobody needs to know that a bar cannot be drawn.
            let _ = write!(stderr(), "\r\u{1b}[K{line}");
            self.drawn = line;
        }
    }

    /// Removes the bar, and prints a line in its place.
    pub(super) fn say(&mut self, text: &str) {
        if self.is_shown {
            let _ = writeln!(stderr(), "\r\u{1b}[K{text}");
            self.drawn.clear();
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if !self.drawn.is_empty() {
            let _ = write!(stderr(), "\r\u{1b}[K");
        }
    }
}

fn line(what: &str, share: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 1,000")]
    let permille = (share.clamp(0.0, 1.0) * 1_000.0) as usize;
    let full = permille * WIDTH / 1_000;
    let bar = format!("{}{}", "#".repeat(full), " ".repeat(WIDTH - full));
    format!("{what:<12} [{bar}] {:>3} %", permille / 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bar_is_as_full_as_the_work_is_done() {
        assert_eq!(line("uploading", 0.5), "uploading    [###############               ]  50 %");
        for (share, signs) in [(-1.0, 0), (0.0, 0), (1.0, WIDTH), (7.0, WIDTH), (f64::NAN, 0)] {
            assert_eq!(line("x", share).matches('#').count(), signs, "{share}");
        }
    }
}
