//! The clock, ids and random bytes of the system. Nothing else may use them directly.

use chrono::Utc;
use rand::TryRng as _;
use rand::rngs::SysRng;
use uuid::Uuid;

use crate::domain::Timestamp;
use crate::ports::{Clock, IdGen};

/// The system's wall clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place where the wall clock comes in")]
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(Utc::now().timestamp_micros())
    }
}

/// UUIDv7 and the operating system's random source.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemIds;

impl IdGen for SystemIds {
    #[expect(clippy::disallowed_methods, reason = "the one place where ids come from")]
    fn uuid(&self) -> Uuid {
        Uuid::now_v7()
    }

    #[expect(clippy::panic, reason = "without a random source no key or token would be safe")]
    fn random32(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        if let Err(error) = SysRng.try_fill_bytes(&mut bytes) {
            panic!("the operating system gives no random bytes: {error}");
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_version_seven_and_randomness_is_not_repeated() {
        let (first, second) = (SystemIds.uuid(), SystemIds.uuid());
        assert_eq!(first.get_version_num(), 7);
        assert!(first < second);
        assert_ne!(SystemIds.random32(), SystemIds.random32());
        assert!(SystemClock.now() > Timestamp::from_seconds(1_700_000_000));
    }
}
