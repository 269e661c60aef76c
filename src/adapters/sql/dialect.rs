//! Statements: one text for both engines, and the few parts that differ.
//!
//! [`table!`] says the columns of a table once. [`statements!`] declares statements from parts. A part in quotes, or a
//! named part in parentheses, is the same for both engines. A part in brackets comes from [`part!`], the only place where
//! the engines' SQL differs. A list of values is one JSON text, so the statement does not depend on how many there are.

/// A statement in both dialects.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sql {
    pub(super) pg: &'static str,
    pub(super) sqlite: &'static str,
}

/// One part of a statement in one dialect.
macro_rules! part {
    ($engine:ident $text:literal) => { $text };
    ($engine:ident ($($text:tt)+)) => { $($text)+ };

    // The columns of a table's record.
    ($engine:ident [columns $table:ident]) => { $table!(columns) };
    ($engine:ident [select $table:ident]) => {
        concat!("SELECT ", $table!(columns), " FROM ", stringify!($table))
    };
    // Inserts the rows of the JSON list `$1`. What follows may be ` WHERE true ON CONFLICT …`.
    ($engine:ident [insert $table:ident]) => {
        concat!(
            "INSERT INTO ", stringify!($table), " (", $table!(all), ") SELECT ", $table!(all), " FROM ",
            part!($engine [rows $table])
        )
    };
    // Updates rows by id from the JSON list `$1`: these columns, or all.
    ($engine:ident [update $table:ident $($more:literal)?]) => {
        concat!(
            "UPDATE ", stringify!($table), " SET ", $($more,)? $table!(set), " FROM ", part!($engine [rows $table]),
            " WHERE ", stringify!($table), ".id = r.id"
        )
    };
    ($engine:ident [update $table:ident $($more:literal)? $first:ident $($column:ident)*]) => {
        concat!(
            "UPDATE ", stringify!($table), " SET ", $($more,)? stringify!($first), " = r.", stringify!($first),
            $(", ", stringify!($column), " = r.", stringify!($column),)* " FROM ",
            part!($engine [rows $table id $first $($column)*]), " WHERE ", stringify!($table), ".id = r.id"
        )
    };

    // The database's own time in microseconds. Not `now()`: that is the start of the transaction and would make a lease
    // appear fresher than it is.
    (pg [now]) => { "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)" };
    (sqlite [now]) => { "CAST(unixepoch('subsec') * 1000000 AS INTEGER)" };

    // Row locks. SQLite needs none: it has one writer, which is locked when a transaction begins.
    (pg [lock]) => { " FOR UPDATE" };
    (sqlite [lock]) => { "" };
    (pg [share]) => { " FOR SHARE" };
    (sqlite [share]) => { "" };
    (pg [skip_locked $table:literal]) => { concat!(" FOR UPDATE OF ", $table, " SKIP LOCKED") };
    (sqlite [skip_locked $table:literal]) => { "" };

    // A JSON list of texts, of UUIDs, or of bytes as a subquery.
    (pg [texts $json:literal]) => { part!(@pg_list "value", $json) };
    (sqlite [texts $json:literal]) => { part!(@sqlite_list "value", $json) };
    (pg [ids $json:literal]) => { part!(@pg_list "CAST(value AS UUID)", $json) };
    (sqlite [ids $json:literal]) => { part!(@sqlite_list "unhex(value, '-')", $json) };
    (pg [bytes $json:literal]) => { part!(@pg_list "decode(substr(value, 3), 'hex')", $json) };
    (sqlite [bytes $json:literal]) => { part!(@sqlite_list "unhex(substr(value, 3))", $json) };
    (@pg_list $value:literal, $json:literal) => {
        concat!("(SELECT ", $value, " FROM json_array_elements_text(CAST(", $json, " AS JSON)))")
    };
    (@sqlite_list $value:literal, $json:literal) => {
        concat!("(SELECT ", $value, " FROM json_each(", $json, "))")
    };

    // Rows of the organizations in the JSON list, or all if it is NULL; and whether that is so of the row with an id.
    (pg [in_scope $scope:literal]) => {
        // The list comes first, so that the argument's type is known.
        concat!("(organization_id IN ", part!(pg [ids $scope]), " OR ", $scope, " IS NULL)")
    };
    (sqlite [in_scope $scope:literal]) => {
        concat!("(", $scope, " IS NULL OR organization_id IN ", part!(sqlite [ids $scope]), ")")
    };
    ($engine:ident [owner_in_scope $table:ident $id:literal $scope:literal]) => {
        concat!(
            "EXISTS (SELECT 1 FROM ", stringify!($table), " WHERE id = ", $id, " AND ",
            part!($engine [in_scope $scope]), ")"
        )
    };

    // The JSON list `$1` of objects as a table `r`, with these columns of a table, or all.
    (pg [rows $table:ident]) => { part!(@pg_rows $table!(pg)) };
    (sqlite [rows $table:ident]) => { part!(@sqlite_rows $table!(sqlite)) };
    (pg [rows $table:ident $first:ident $($column:ident)*]) => {
        part!(@pg_rows concat!($table!(pg $first) $(, ", ", $table!(pg $column))*))
    };
    (sqlite [rows $table:ident $first:ident $($column:ident)*]) => {
        part!(@sqlite_rows concat!($table!(sqlite $first) $(, ", ", $table!(sqlite $column))*))
    };
    (@pg_rows $($columns:tt)+) => { concat!("json_to_recordset(CAST($1 AS JSON)) AS r(", $($columns)+, ")") };
    (@sqlite_rows $($columns:tt)+) => {
        concat!(
            // Without this, SQLite serialises each object once per column, which doubles the time.
            "(WITH list (value) AS MATERIALIZED (SELECT value FROM json_each($1)) SELECT ", $($columns)+,
            " FROM list) AS r"
        )
    };
    (@pg uuid $($name:tt)+) => { concat!($($name)+, " UUID") };
    (@pg int $($name:tt)+) => { concat!($($name)+, " BIGINT") };
    (@pg text $($name:tt)+) => { concat!($($name)+, " TEXT") };
    (@pg bool $($name:tt)+) => { concat!($($name)+, " BOOLEAN") };
    (@pg bytes $($name:tt)+) => { concat!($($name)+, " BYTEA") };
    (@sqlite uuid $($name:tt)+) => { concat!("unhex(value->>'", $($name)+, "', '-') AS ", $($name)+) };
    (@sqlite bytes $($name:tt)+) => { concat!("unhex(substr(value->>'", $($name)+, "', 3)) AS ", $($name)+) };
    (@sqlite $type:ident $($name:tt)+) => { concat!("value->>'", $($name)+, "' AS ", $($name)+) };
}

/// The name of a field's column.
macro_rules! column_name {
    ($field:ident) => {
        stringify!($field)
    };
    ($field:ident $column:ident) => {
        stringify!($column)
    };
}

/// Says the columns of a table once: `field type`, or `field type as column`, for each field of a record.
///
/// A field after `;` is a group of columns. Its type is converted here as well (`struct`), or by hand (`manual`).
/// Columns after `extra` are not part of the record. The result is a macro with the table's name for [`part!`], and
/// conversions of the record ([`row`](super::row)).
macro_rules! table {
    ($table:ident: $record:ident {
        $id:ident $id_type:ident $(, $field:ident $type:ident $(as $column:ident)?)* $(,)?
        $(; $($group:ident: $kind:tt $group_type:ident {
            $($part:ident $part_type:ident $(as $part_column:ident)?),+ $(,)?
        }),+ $(,)?)?
    } $(extra { $($extra:ident $extra_type:ident),+ })?) => {
        record!(struct $record { $id $(, $field $(as $column)?)* $(; $($group),+)? });
        $($(record!($kind $group_type { $($part $(as $part_column)?),+ });)+)?

        macro_rules! $table {
            // Of the record.
            (columns) => {
                concat!(
                    stringify!($id) $(, ", ", column_name!($field $($column)?))*
                    $($($(, ", ", column_name!($part $($part_column)?))+)+)?
                )
            };
            (all) => { concat!($table!(columns) $($(, ", ", stringify!($extra))+)?) };
            (set) => {
                concat!(
                    stringify!($id), " = r.", stringify!($id)
                    $(, ", ", column_name!($field $($column)?), " = r.", column_name!($field $($column)?))*
                    $($($(, ", ", column_name!($part $($part_column)?), " = r.", column_name!($part $($part_column)?))+)+)?
                )
            };
            // All with their types.
            (pg) => {
                concat!(
                    $table!(pg $id) $(, ", ", $table!(pg $field))* $($($(, ", ", $table!(pg $part))+)+)?
                    $($(, ", ", $table!(pg $extra))+)?
                )
            };
            (sqlite) => {
                concat!(
                    $table!(sqlite $id) $(, ", ", $table!(sqlite $field))*
                    $($($(, ", ", $table!(sqlite $part))+)+)? $($(, ", ", $table!(sqlite $extra))+)?
                )
            };
            // One with its type.
            (pg $id) => { part!(@pg $id_type stringify!($id)) };
            (sqlite $id) => { part!(@sqlite $id_type stringify!($id)) };
            $(
                (pg $field) => { part!(@pg $type column_name!($field $($column)?)) };
                (sqlite $field) => { part!(@sqlite $type column_name!($field $($column)?)) };
            )*
            $($($(
                (pg $part) => { part!(@pg $part_type column_name!($part $($part_column)?)) };
                (sqlite $part) => { part!(@sqlite $part_type column_name!($part $($part_column)?)) };
            )+)+)?
            $($(
                (pg $extra) => { part!(@pg $extra_type stringify!($extra)) };
                (sqlite $extra) => { part!(@sqlite $extra_type stringify!($extra)) };
            )+)?
        }
    };
}

/// Converts a struct from and to columns.
macro_rules! record {
    (manual $($rest:tt)+) => {};
    (struct $record:ident { $($field:ident $(as $column:ident)?),+ $(; $($group:ident),+)? }) => {
        impl $crate::adapters::sql::row::Record for $record {
            fn read(row: &$crate::adapters::sql::row::Row<'_>) -> Result<Self, sqlx::Error> {
                Ok(Self {
                    $($field: row.get(column_name!($field $($column)?))?,)+
                    $($($group: row.record()?,)+)?
                })
            }
        }

        impl $crate::adapters::sql::row::Stored for $record {
            fn write(&self, row: &mut $crate::adapters::sql::row::NewRow) {
                $(row.set(column_name!($field $($column)?), &self.$field);)+
                $($(self.$group.write(row);)+)?
            }
        }
    };
}

/// Declares statements and lists them in `ALL`, so that a test can prepare each on both engines.
macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = [$($part:tt),+ $(,)?];)+) => {
        $($(#[$doc])* const $name: $crate::adapters::sql::dialect::Sql = $crate::adapters::sql::dialect::Sql {
            pg: concat!($(part!(pg $part)),+),
            sqlite: concat!($(part!(sqlite $part)),+),
        };)+
        /// Every statement of this file, with its name.
        pub(super) const ALL: &[(&str, $crate::adapters::sql::dialect::Sql)] =
            &[$((concat!(module_path!(), "::", stringify!($name)), $name)),+];
    };
}
