//! Attempts to sign in, counted.

use std::collections::BTreeMap;
use std::time::Duration;

use super::db::{Db, Tx};
use super::row::{NewRow, rows};
use super::store::SqlStore;
use crate::domain::Timestamp;
use crate::domain::secret::SecretHash;
use crate::domain::user::{AttemptKeys, Attempts};
use crate::ports::Result;

/// A row of `user_attempts`.
struct StoredAttempts {
    subject: SecretHash,
    failures: u32,
    at: Timestamp,
    known_until: Option<Timestamp>,
}

table! {
    user_attempts: StoredAttempts { subject bytes, failures int, at int, known_until int }
}

statements! {
    // Locks the rows in the order of the list. A row that is not there cannot be locked, so it is made.
    LOCKED = [
        [insert user_attempts], " WHERE true ON CONFLICT (subject) DO UPDATE SET subject = excluded.subject RETURNING ",
        [columns user_attempts],
    ];
    WRITE = [
        [insert user_attempts],
        " WHERE true ON CONFLICT (subject) DO UPDATE SET failures = excluded.failures, at = excluded.at, \
          known_until = excluded.known_until",
    ];
    PRUNE = [
        "DELETE FROM user_attempts WHERE subject IN \
         (SELECT subject FROM user_attempts WHERE at < $1 AND (known_until IS NULL OR known_until < $1) \
          ORDER BY at LIMIT $2)",
    ];
}

type Rows = BTreeMap<SecretHash, Attempts>;

fn new_rows(all: &Rows) -> String {
    rows(all.iter().map(|(subject, Attempts { failures, at, known_until })| {
        let (subject, failures, at, known_until) = (*subject, *failures, *at, *known_until);
        NewRow::of(&StoredAttempts { subject, failures, at, known_until })
    }))
}

/// The rows of an attempt, locked by subject, so that transactions never deadlock.
async fn locked(tx: &mut Tx, keys: &AttemptKeys) -> Result<Rows> {
    let none: Rows = keys.all().into_iter().map(|key| (key, Attempts::NONE)).collect();
    let found: Vec<StoredAttempts> = tx.rows(LOCKED, args![new_rows(&none)]).await?;
    let row = |row: StoredAttempts| {
        let StoredAttempts { subject, failures, at, known_until } = row;
        (subject, Attempts { failures, at, known_until })
    };
    Ok(found.into_iter().map(row).collect())
}

pub(super) async fn count(db: &Db, keys: &AttemptKeys, now: Timestamp) -> Result<Option<Duration>> {
    let mut tx = db.begin_relaxed().await?;
    let rows = locked(&mut tx, keys).await?;
    match keys.count(&rows, now) {
        Err(wait) => tx.rollback(Some(wait)).await,
        Ok(counted) => {
            tx.run(WRITE, args![new_rows(&counted)]).await?;
            tx.commit().await?;
            Ok(None)
        }
    }
}

pub(super) async fn give_back(db: &Db, keys: &AttemptKeys, now: Timestamp) -> Result<()> {
    let mut tx = db.begin_relaxed().await?;
    let rows = locked(&mut tx, keys).await?;
    tx.run(WRITE, args![new_rows(&keys.give_back(&rows, now))]).await?;
    tx.commit().await
}

pub(super) async fn prune(store: &SqlStore, before: Timestamp) -> Result<u64> {
    store.prune(PRUNE, before).await
}
