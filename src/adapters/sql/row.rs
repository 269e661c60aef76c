//! Rows of either engine, and what reads and writes them.

use serde::{Serialize, Serializer};
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{ColumnIndex, Row as _};

use super::args::{self, Arg, Param};
use super::columns::Column;

/// A row that was read.
pub(super) enum Row<'r> {
    Pg(&'r PgRow),
    Sqlite(&'r SqliteRow),
}

impl Row<'_> {
    /// The value of a column, by its name or number.
    pub(super) fn get<T: Column>(
        &self,
        column: impl ColumnIndex<PgRow> + ColumnIndex<SqliteRow> + Copy,
    ) -> Result<T, sqlx::Error> {
        let raw = match self {
            Self::Pg(row) => row.try_get(column),
            Self::Sqlite(row) => row.try_get(column),
        };
        T::read(raw?).map_err(|source| sqlx::Error::ColumnDecode { index: format!("{column:?}"), source })
    }

    /// A record in some of the columns.
    pub(super) fn record<T: Record>(&self) -> Result<T, sqlx::Error> {
        T::read(self)
    }
}

/// A type that is read from a row.
pub(super) trait Record: Sized + Send {
    fn read(row: &Row<'_>) -> Result<Self, sqlx::Error>;
}

impl Record for () {
    fn read(_: &Row<'_>) -> Result<Self, sqlx::Error> {
        Ok(())
    }
}

/// A row of one column.
impl<T: Column + Send> Record for T {
    fn read(row: &Row<'_>) -> Result<Self, sqlx::Error> {
        row.get(0)
    }
}

/// A row that may be unreadable without spoiling the others.
impl<T: Record> Record for Result<T, sqlx::Error> {
    fn read(row: &Row<'_>) -> Result<Self, sqlx::Error> {
        Ok(T::read(row))
    }
}

/// A value that does not fit its columns.
pub(super) fn unreadable(what: impl Into<String>) -> sqlx::Error {
    sqlx::Error::Decode(what.into().into())
}

/// A type that is written to some columns of a row.
pub(super) trait Stored {
    fn write(&self, row: &mut NewRow);
}

/// A row to be written.
#[derive(Default)]
pub(super) struct NewRow(Vec<(&'static str, Arg)>);

impl NewRow {
    /// The columns of a record.
    pub(super) fn of(record: &impl Stored) -> Self {
        let mut row = Self::default();
        record.write(&mut row);
        row
    }

    pub(super) fn set<T: Param + ?Sized>(&mut self, column: &'static str, value: &T) {
        self.0.push((column, args::arg(value)));
    }

    /// The row with another column.
    pub(super) fn with<T: Param + ?Sized>(mut self, column: &'static str, value: &T) -> Self {
        self.set(column, value);
        self
    }
}

impl Serialize for NewRow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(column, value)| (column, value)))
    }
}

/// Rows as a JSON list, for `[rows]`.
pub(super) fn rows(rows: impl IntoIterator<Item = NewRow>) -> String {
    args::to_json(&rows.into_iter().collect::<Vec<_>>())
}
