//! Errors of files.

use std::io;

use crate::ports::MediaError;

/// The words of an error. They do not contain the path: that of the folder is in the configuration.
#[expect(clippy::needless_pass_by_value, reason = "as `map_err` gives it")]
pub(super) fn error(error: io::Error) -> MediaError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            MediaError::Full(error.to_string())
        }
        io::ErrorKind::NotFound => MediaError::Missing(error.to_string()),
        _ => MediaError::Io(error.to_string()),
    }
}
