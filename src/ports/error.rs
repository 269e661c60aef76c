//! The error of every store.

/// Why a store failed. Absence is not an error; it is `None`.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be reached, or has no free connection in time. Try again later.
    #[error("the database is unavailable: {0}")]
    Unavailable(String),
    /// The assignment of the write is not valid any more: another instance may do the work.
    #[error("{0} is not assigned to this instance any more")]
    Fenced(String),
    /// A stored value is not what we wrote, or a statement is wrong. A retry does not help.
    #[error("the database returned a value or an error that was not expected: {0}")]
    Corrupt(String),
}
