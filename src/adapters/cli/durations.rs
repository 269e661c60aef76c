//! Lengths of time for people.

use std::time::Duration;

use crate::domain::Timestamp;

/// A length of time with its two greatest units: `3h 07m`.
pub(super) fn length(time: Duration) -> String {
    let seconds = time.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m {:02}s", seconds % 60),
        (0, ..) => format!("{hours}h {minutes:02}m"),
        _ => format!("{days}d {hours:02}h"),
    }
}

/// The time since `at`, or `never`.
pub(super) fn ago(at: Option<Timestamp>, now: Timestamp) -> String {
    at.map_or_else(|| "never".to_owned(), |at| format!("{} ago", length(now.since(at))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_short() {
        for (seconds, text) in [
            (0, "0s"),
            (59, "59s"),
            (61, "1m 01s"),
            (3_600, "1h 00m"),
            (11_220, "3h 07m"),
            (90_000, "1d 01h"),
        ] {
            assert_eq!(length(Duration::from_secs(seconds)), text);
        }
    }
}
