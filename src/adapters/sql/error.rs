//! Translates a driver's errors into the application's.

use std::io;

use crate::ports::StoreError;

/// SQLSTATE classes and codes that are temporary: connection lost, no room, stopped by an operator or a time limit,
/// deadlock, not allowed in (yet), read-only after a failover.
const PASSING: [&str; 10] = ["08", "53", "57", "58", "40", "28", "3D", "25006", "25P03", "55P03"];
/// SQLSTATE classes and codes after which the connection cannot be used.
const BROKEN: [&str; 6] = ["08", "57P01", "57P02", "57P03", "57P05", "25P03"];
/// SQLite's primary result codes that are temporary: busy, locked, read-only, interrupted, I/O, full, cannot open.
const PASSING_SQLITE: [i64; 7] = [5, 6, 8, 9, 10, 13, 14];
/// SQLite's primary result codes for a file whose pages are not what SQLite wrote: corrupt, not a database.
const DAMAGED_SQLITE: [i64; 2] = [11, 26];

/// What to do about a pooler that was not announced.
pub(super) const BEHIND_POOLER: &str = "a connection pooler in transaction mode is in front of PostgreSQL: set \
     database.pooled = true, or let database.url name PostgreSQL itself";

/// Classifies a driver's error. The text helps a person to act and contains no values or secrets.
pub(super) fn classify(error: sqlx::Error) -> StoreError {
    match error {
        sqlx::Error::Database(error) if error.is_foreign_key_violation() => StoreError::OwnerGone,
        sqlx::Error::Database(error) => {
            let code = error.code().unwrap_or_default().into_owned();
            let text = format!("{} ({code})", error.message());
            match &*code {
                // A prepared statement that is there already, or is gone.
                "42P05" | "26000" => return StoreError::Corrupt(format!("{text}: {BEHIND_POOLER}")),
                "08P01" if text.contains("startup parameter") => {
                    return StoreError::Corrupt(format!(
                        "the pooler answers: {text}. Remove it from database.url"
                    ));
                }
                _ => {}
            }
            // SQLite's codes have up to four digits, PostgreSQL's have five characters.
            let passes = match code.parse::<i64>() {
                Ok(number) if code.len() < 5 && DAMAGED_SQLITE.contains(&(number & 0xff)) => {
                    return StoreError::Damaged(text);
                }
                Ok(number) if code.len() < 5 => PASSING_SQLITE.contains(&(number & 0xff)),
                _ => PASSING.iter().any(|class| code.starts_with(class)),
            };
            if passes { StoreError::Unavailable(text) } else { StoreError::Corrupt(text) }
        }
        sqlx::Error::PoolTimedOut => {
            StoreError::Unavailable("no free connection in time: it is down or too busy".into())
        }
        sqlx::Error::PoolClosed => StoreError::Unavailable("Streamward is stopping".into()),
        error @ (sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::BeginFailed) => StoreError::Unavailable(error.to_string()),
        // Its text may quote the address, which may contain a password.
        sqlx::Error::Configuration(_) => StoreError::Corrupt("the database address is not valid".into()),
        error => StoreError::Corrupt(error.to_string()),
    }
}

/// Whether the connection that returned the error cannot be used any more.
pub(super) fn is_broken(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(error) => {
            error.code().is_some_and(|code| BROKEN.iter().any(|class| code.starts_with(class)))
        }
        _ => false,
    }
}

/// Whether a row was refused. Such an error leaves the connection as it was.
pub(super) fn is_constraint(error: &sqlx::Error) -> bool {
    use sqlx::error::ErrorKind;
    error.as_database_error().is_some_and(|error| !matches!(error.kind(), ErrorKind::Other))
}

/// Whether a unique index was violated.
pub(super) fn is_taken(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation)
}

/// Whether a table of PostgreSQL does not exist.
pub(super) fn is_undefined_table(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| error.code().is_some_and(|code| code == "42P01"))
}

/// Whether another process has the SQLite file locked.
pub(super) fn is_busy(error: &sqlx::Error) -> bool {
    sqlite_code(error) == Some(5)
}

/// Whether the SQLite file is damaged.
pub(super) fn is_damage(error: &sqlx::Error) -> bool {
    sqlite_code(error).is_some_and(|code| DAMAGED_SQLITE.contains(&code))
}

/// SQLite's primary result code. For errors of SQLite only: PostgreSQL's codes may look like numbers too.
fn sqlite_code(error: &sqlx::Error) -> Option<i64> {
    let code = error.as_database_error()?.code()?.parse::<i64>().ok()?;
    Some(code & 0xff)
}

/// A statement that did not answer in time.
pub(super) fn timed_out() -> sqlx::Error {
    sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, "no answer in time"))
}

/// A stored value that we did not write like this.
pub(super) fn corrupt(what: impl std::fmt::Display) -> StoreError {
    StoreError::Corrupt(what.to_string())
}
