//! Identifiers of studios.

use uuid::Uuid;

use crate::domain::Timestamp;
use crate::domain::id::id;

id!(/// Names a studio.
    StudioId);

impl StudioId {
    /// The id of a sample of this studio's health that was taken at `at`: a UUID of version 7 with that time.
    pub fn sample(self, at: Timestamp) -> Uuid {
        let mut bytes = *self.session(at).as_bytes();
        // That of a session that began at the same time is another one.
        bytes[15] ^= 1;
        Uuid::from_bytes(bytes)
    }

    /// The id of the session of this studio that began at `started_at`: a UUID of version 7 with that time.
    pub fn session(self, started_at: Timestamp) -> Uuid {
        let mut bytes = *self.0.as_bytes();
        let millis = (started_at.micros() / 1_000).to_be_bytes();
        bytes[..6].copy_from_slice(&millis[2..]);
        Uuid::from_bytes(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn session_id_is_a_uuid_with_the_time_of_its_begin() {
        let studio = StudioId(Uuid::parse_str("01980000-0000-7abc-8def-0123456789ab").unwrap());
        let at = Timestamp::from_seconds(1_767_225_600);
        let session = studio.session(at);
        assert_eq!(session.get_version_num(), 7);
        assert_eq!(session.get_timestamp().unwrap().to_unix().0, 1_767_225_600);
        assert_ne!(session, studio.session(at.plus(std::time::Duration::from_secs(1))));
        assert_ne!(session, studio.sample(at));
    }
}
