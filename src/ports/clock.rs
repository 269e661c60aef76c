//! Time, ids and randomness.

use uuid::Uuid;

use crate::domain::Timestamp;

/// The wall clock.
pub trait Clock: Send + Sync {
    /// Now, with microseconds.
    fn now(&self) -> Timestamp;
}

/// Fresh ids and random bytes.
pub trait IdGen: Send + Sync {
    /// A new UUIDv7 (RFC 9562). Sorts by time; never a capability.
    fn uuid(&self) -> Uuid;

    /// 32 bytes from a cryptographic random source; for secrets.
    fn random32(&self) -> [u8; 32];
}
