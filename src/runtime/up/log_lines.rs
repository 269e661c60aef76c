//! Copies the log of MediaMTX into our log, with its levels, and with stream keys masked.

use tracing::Level;

use crate::domain::secret::mask_keys;

/// Writes one line to the log under the target `mediamtx`.
pub(super) fn log_line(line: &str) {
    let (level, text) = read(line);
    match level {
        Level::DEBUG => tracing::debug!(target: "mediamtx", "{text}"),
        Level::INFO => tracing::info!(target: "mediamtx", "{text}"),
        Level::ERROR => tracing::error!(target: "mediamtx", "{text}"),
        _ => tracing::warn!(target: "mediamtx", "{text}"),
    }
}

/// Level and text of `2026/11/20 12:00:00 INF [RTMP] …`. A line of another form (a panic) is logged whole.
fn read(line: &str) -> (Level, String) {
    let mut words = line.splitn(4, ' ');
    let (date, _time, level, text) = (words.next(), words.next(), words.next(), words.next());
    let level = level.and_then(|level| match level {
        "DEB" => Some(Level::DEBUG),
        "INF" => Some(Level::INFO),
        "WAR" => Some(Level::WARN),
        "ERR" => Some(Level::ERROR),
        _ => None,
    });
    match (date, level, text) {
        (Some(date), Some(level), Some(text)) if date.contains('/') => (level, mask_keys(text)),
        _ => (Level::WARN, mask_keys(line)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::secret::KeySecret;

    #[test]
    fn lines_keep_their_level_and_keys_are_masked() {
        let key = KeySecret::from_random([1; 32]);
        let line = format!("2026/11/20 12:00:00 INF [path {}] stream is available", key.expose());
        assert_eq!(read(&line), (Level::INFO, "[path sk_***] stream is available".to_owned()));
        assert_eq!(read("2026/11/20 12:00:00 ERR it broke").0, Level::ERROR);
        assert_eq!(read("panic: oh no, a bad thing"), (Level::WARN, "panic: oh no, a bad thing".to_owned()));
        assert_eq!(read(""), (Level::WARN, String::new()));
    }
}
