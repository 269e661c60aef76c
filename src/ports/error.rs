//! The error of every store, and of every other system.

/// The result of a store method.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// Why a store failed. Absence is not an error; it is `None`.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be reached, or has no free connection in time. Try again later.
    #[error("the database is unavailable: {0}")]
    Unavailable(String),
    /// The assignment of the write is not valid any more: another instance may do the work.
    #[error("{0} is not assigned to this instance any more")]
    Fenced(String),
    /// What the row would belong to, such as its organization, is gone: it was deleted a moment ago. Nothing was written.
    #[error("what it would belong to was deleted a moment ago: choose another organization")]
    OwnerGone,
    /// A stored value is not what we wrote, or a statement is wrong. A retry does not help.
    #[error("the database returned a value or an error that was not expected: {0}")]
    Corrupt(String),
    /// The database file is damaged. Only a backup helps.
    #[error("the database is damaged: restore a backup with `streamward restore` ({0})")]
    Damaged(String),
}

/// Why a request to another system (a media server, Kick) failed. The texts contain no secrets and no private paths.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RemoteError {
    /// No connection.
    #[error("cannot be reached: {0}")]
    Unreachable(String),
    /// No answer in time.
    #[error("did not answer in time")]
    TimedOut,
    /// It refused our credentials.
    #[error("refused our credentials")]
    Unauthorised,
    /// It let nobody in: it refused our credentials, or cannot ask its auth address about them.
    #[error("refused our credentials, or could not ask its auth address about them")]
    NotLetIn,
    /// It answered with an error.
    #[error("answered {status}: {message}")]
    Status {
        /// HTTP status.
        status: u16,
        /// Its message, masked and shortened.
        message: String,
    },
    /// Its answer is incomplete or not readable.
    #[error("gave an answer that cannot be read: {0}")]
    Malformed(String),
    /// It does not support the request.
    #[error("cannot do this: {0}")]
    Unsupported(String),
}
