//! Claims that come at the same moment, carried out together on SQLite.
//!
//! SQLite has one writer, and what is acknowledged must be on the disk: a hundred encoders that reconnect at once would
//! wait for a hundred trips to the disk, one after the other. So whoever gets the writer carries out every claim that
//! waits for it, in one transaction with one trip. Each claim still is one statement and meets what the one before it
//! left. PostgreSQL does this by itself for transactions that commit at the same moment.

use std::sync::{Mutex, PoisonError};

use sqlx::pool::PoolConnection;
use sqlx::{Connection as _, Sqlite, SqliteConnection};
use tokio::sync::oneshot;

use super::args::Args;
use super::db::{SqlitePools, drain_sqlite};
use super::dialect::Sql;
use super::error::classify;
use super::rows::KeyRow;
use crate::ports::StoreError;

/// How many claims share a transaction at most.
const MAX_GROUP: usize = 500;

type Answer = Result<Option<KeyRow>, StoreError>;

/// A claim that waits.
struct Waiting {
    args: Args,
    answer: oneshot::Sender<Answer>,
}

/// The claims that wait for the writer.
#[derive(Default)]
pub(super) struct Queue(Mutex<Vec<Waiting>>);

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Queue")
    }
}

impl Queue {
    fn push(&self, args: Args) -> oneshot::Receiver<Answer> {
        let (answer, answered) = oneshot::channel();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Waiting { args, answer });
        answered
    }

    /// The ones that came first, without those nobody waits for any more.
    fn take(&self) -> Vec<Waiting> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|one| !one.answer.is_closed());
        let many = waiting.len().min(MAX_GROUP);
        waiting.drain(..many).collect()
    }
}

/// Carries out the claim `sql` with `args`, together with all that wait at this moment; committed when this returns.
pub(super) async fn claim(sqlite: &SqlitePools, sql: Sql, args: impl Fn() -> Args) -> Answer {
    loop {
        let mut answered = sqlite.claims.push(args());
        loop {
            let writer = tokio::select! {
                biased;
                answer = &mut answered => match answer {
                    Ok(answer) => return answer,
                    // Whoever had it in hand was interrupted, and its transaction undone: once more.
                    Err(_) => break,
                },
                writer = sqlite.write.acquire() => writer.map_err(classify)?,
            };
            carry_out(writer, sql, sqlite.claims.take()).await;
        }
    }
}

/// Answers all of `waiting`, before anybody else gets the writer. Dropped halfway, nothing has happened and nobody was
/// answered.
async fn carry_out(mut writer: PoolConnection<Sqlite>, sql: Sql, waiting: Vec<Waiting>) {
    let (rows, answers): (Vec<_>, Vec<_>) = waiting.into_iter().map(|one| (one.args, one.answer)).unzip();
    match in_one_transaction(&mut writer, sql, rows).await {
        Ok(rows) => {
            for (answer, row) in answers.into_iter().zip(rows) {
                // If nobody waits for it any more, nobody was told; a claim that lapses is made for that.
                drop(answer.send(Ok(row)));
            }
        }
        Err(error) => {
            let text = error.to_string();
            for answer in answers {
                drop(answer.send(Err(StoreError::Unavailable(text.clone()))));
            }
        }
    }
}

async fn in_one_transaction(
    writer: &mut SqliteConnection,
    sql: Sql,
    claims: Vec<Args>,
) -> Result<Vec<Option<KeyRow>>, StoreError> {
    let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await.map_err(classify)?;
    let mut rows = Vec::with_capacity(claims.len());
    for args in claims {
        rows.push(drain_sqlite(&mut transaction, sql, args).await.map_err(classify)?.rows.pop());
    }
    transaction.commit().await.map_err(classify)?;
    Ok(rows)
}
