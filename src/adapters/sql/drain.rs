//! Runs one statement on a connection of either engine, to its end. A `RETURNING` statement is not committed when its
//! first row arrives.

use futures_util::TryStreamExt as _;
use sqlx::{Either, Executor as _};

use super::args::{Args, for_pg, for_sqlite};
use super::dialect::Sql;
use super::row::{Record, Row};

/// The result of a statement.
pub(super) struct Done<R> {
    pub(super) rows: Vec<R>,
    pub(super) affected: u64,
}

macro_rules! drain {
    ($connection:expr, $text:expr, $args:expr, $engine:ident, $named:expr) => {{
        let query = sqlx::query_with($text, $args.map_err(sqlx::Error::Encode)?).persistent($named);
        let mut done = Done { rows: Vec::new(), affected: 0 };
        let mut steps = $connection.fetch_many(query);
        while let Some(step) = steps.try_next().await? {
            match step {
                Either::Left(result) => done.affected += result.rows_affected(),
                Either::Right(row) => done.rows.push(R::read(&Row::$engine(&row))?),
            }
        }
        drop(steps);
        Ok(done)
    }};
}

/// `named`: prepares the statement once and keeps it in the session.
pub(super) async fn drain_pg<R: Record>(
    connection: &mut sqlx::PgConnection,
    sql: Sql,
    args: Args,
    named: bool,
) -> Result<Done<R>, sqlx::Error> {
    drain!(connection, sql.pg, for_pg(args), Pg, named)
}

pub(super) async fn drain_sqlite<R: Record>(
    connection: &mut sqlx::SqliteConnection,
    sql: Sql,
    args: Args,
) -> Result<Done<R>, sqlx::Error> {
    drain!(connection, sql.sqlite, for_sqlite(args), Sqlite, true)
}
