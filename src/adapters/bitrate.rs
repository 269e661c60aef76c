//! The bitrate between two readings of a counter of bytes.

use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

/// The last reading.
#[derive(Debug, Default)]
pub(super) struct Bitrate(Mutex<Option<Reading>>);

#[derive(Debug)]
struct Reading {
    connection: String,
    bytes: u64,
    at: Instant,
}

impl Bitrate {
    /// Takes a reading of a connection. Returns the bitrate since the one before, in kbit/s; `None` if that was of
    /// another connection, or at the same moment.
    pub(super) fn since_last(&self, connection: &str, bytes: u64, now: Instant) -> Option<u32> {
        let reading = Reading { connection: connection.to_owned(), bytes, at: now };
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner).replace(reading)?;
        let grown = bytes.checked_sub(last.bytes).filter(|_| last.connection == connection)?;
        let micros = u64::try_from(now.saturating_duration_since(last.at).as_micros()).ok()?;
        // Bits a millisecond are kilobits a second.
        grown.saturating_mul(8_000).checked_div(micros).map(|kbps| u32::try_from(kbps).unwrap_or(u32::MAX))
    }

    /// There is no connection.
    pub(super) fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn bitrate_is_measured_within_a_connection() {
        let (bitrate, start) = (Bitrate::default(), Instant::now());
        let read =
            |connection, bytes, ms| bitrate.since_last(connection, bytes, start + Duration::from_millis(ms));
        assert_eq!(read("1", 1_000, 0), None);
        assert_eq!(read("1", 126_000, 2_000), Some(500));
        assert_eq!(read("1", 126_000, 3_000), Some(0), "connected, and nothing arrives");
        assert_eq!(read("1", 5, 4_000), None, "its counter began again");
        assert_eq!(read("2", 900, 5_000), None, "another connection");
        assert_eq!(read("2", 901, 5_000), None, "the same moment");
        bitrate.forget();
        assert_eq!(bitrate.since_last("2", 10_000, start + Duration::from_secs(6)), None);
    }
}
