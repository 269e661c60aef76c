//! Commits simultaneous claims in one transaction on SQLite.
//!
//! SQLite has one writer, and every acknowledged write must be on the disk. If a hundred encoders reconnected at once,
//! they would wait for a hundred disk writes, one after the other. So the task that gets the writer, ahead of all other
//! writes, runs all waiting claims in one transaction with one disk write. Each claim is still one statement and sees the result of the one
//! before. PostgreSQL groups simultaneous commits by itself.

use std::sync::{Mutex, PoisonError};

use tokio::sync::oneshot;

use super::args::Args;
use super::dialect::Sql;
use super::error::classify;
use super::sqlite_pool::{BEGIN_IMMEDIATE, COMMIT, PooledSqlite, Writer};
use crate::domain::stream_key::StreamKey;
use crate::ports::{Result, StoreError};

/// The maximum number of claims in one transaction.
const MAX_GROUP: usize = 500;

type Answer = Result<Option<StreamKey>>;

/// A waiting claim.
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

    /// Takes the oldest claims, without those whose caller gave up.
    fn take(&self) -> Vec<Waiting> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|one| !one.answer.is_closed());
        let many = waiting.len().min(MAX_GROUP);
        waiting.drain(..many).collect()
    }

    /// Runs the claim `sql` with `args` in one transaction with all waiting claims. It is committed on return.
    pub(super) async fn claim(&self, writer: &Writer, sql: Sql, args: impl Fn() -> Args) -> Answer {
        loop {
            let mut answered = self.push(args());
            loop {
                let writer = tokio::select! {
                    biased;
                    answer = &mut answered => match answer {
                        Ok(answer) => return answer,
                        // The task that ran it was cancelled, and its transaction was rolled back: try again.
                        Err(_) => break,
                    },
                    writer = writer.acquire_ahead() => writer.map_err(classify)?,
                };
                carry_out(writer, sql, self.take()).await;
            }
        }
    }
}

/// Answers all of `waiting` before another task gets the writer. If dropped halfway, nothing is written and nobody gets
/// an answer.
async fn carry_out(writer: PooledSqlite, sql: Sql, waiting: Vec<Waiting>) {
    let (rows, answers): (Vec<_>, Vec<_>) = waiting.into_iter().map(|one| (one.args, one.answer)).unzip();
    match in_one_transaction(writer, sql, rows).await {
        Ok(rows) => {
            for (answer, row) in answers.into_iter().zip(rows) {
                // If the caller gave up, nobody gets the answer. The claim then expires.
                drop(answer.send(row));
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

async fn in_one_transaction(writer: PooledSqlite, sql: Sql, claims: Vec<Args>) -> Result<Vec<Answer>> {
    let mut writer = writer.begin(BEGIN_IMMEDIATE).await.map_err(classify)?;
    let mut rows = Vec::with_capacity(claims.len());
    for args in claims {
        let row = writer.exec(sql, args).await.map_err(classify)?.rows.pop();
        rows.push(row.transpose().map_err(classify));
    }
    writer.finish(COMMIT).await.map_err(classify)?;
    Ok(rows)
}
