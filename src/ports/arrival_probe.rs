//! Whether the stream arrives where it is sent to.

use async_trait::async_trait;

use super::RemoteError;

/// A stream that arrives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Bytes since the publisher connected. They begin again with each connection.
    pub bytes: u64,
    /// Between this reading and the one before, in kbit/s; `None` at the first reading of a connection. 0 means that a
    /// publisher is connected and sends nothing.
    pub kbps: Option<u32>,
}

/// Reads at the far end of a stream.
#[async_trait]
pub trait ArrivalProbe: Send + Sync {
    /// MUST return `None` only if the far end answered and has no such publisher. A probe that is not answered proves
    /// nothing: it MUST be an error. MUST end within 3 s.
    async fn arrival(&self) -> Result<Option<Arrival>, RemoteError>;

    /// MUST end the connection of the publisher; for a drill.
    async fn disconnect(&self) -> Result<(), RemoteError> {
        Err(RemoteError::Unsupported("end a connection".to_owned()))
    }
}
