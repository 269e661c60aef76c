//! What the child says, as log lines of our own: with its level, and without stream keys.

use crate::domain::secret::mask_keys;

/// How it marks its levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    Debug,
    Info,
    Warn,
    Error,
}

/// Writes one line to the log under the target `mediamtx`.
pub(super) fn pass_on(line: &str) {
    let (level, text) = read(line);
    match level {
        Level::Debug => tracing::debug!(target: "mediamtx", "{text}"),
        Level::Info => tracing::info!(target: "mediamtx", "{text}"),
        Level::Warn => tracing::warn!(target: "mediamtx", "{text}"),
        Level::Error => tracing::error!(target: "mediamtx", "{text}"),
    }
}

/// `2026/11/20 12:00:00 INF [RTMP] …` without its time, which stands on our line anyway. A line of another form (a
/// panic) is passed on whole.
fn read(line: &str) -> (Level, String) {
    let mut words = line.splitn(4, ' ');
    let (date, _time, level, text) = (words.next(), words.next(), words.next(), words.next());
    let level = level.and_then(|level| match level {
        "DEB" => Some(Level::Debug),
        "INF" => Some(Level::Info),
        "WAR" => Some(Level::Warn),
        "ERR" => Some(Level::Error),
        _ => None,
    });
    match (date, level, text) {
        (Some(date), Some(level), Some(text)) if date.contains('/') => (level, mask_keys(text)),
        _ => (Level::Warn, mask_keys(line)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::secret::KeySecret;

    #[test]
    fn lines_keep_their_level_and_lose_keys() {
        let key = KeySecret::from_random([1; 32]);
        let line = format!("2026/11/20 12:00:00 INF [path {}] stream is available", key.expose());
        assert_eq!(read(&line), (Level::Info, "[path sk_***] stream is available".to_owned()));
        assert_eq!(read("2026/11/20 12:00:00 ERR it broke").0, Level::Error);
        assert_eq!(read("panic: oh no, a bad thing"), (Level::Warn, "panic: oh no, a bad thing".to_owned()));
        assert_eq!(read(""), (Level::Warn, String::new()));
    }
}
