//! Statements: one text for both engines, and the few parts that differ.
//!
//! [`statements!`] declares statements from parts. A part in quotes, or a named part in parentheses, is the same for
//! both engines. A part in brackets comes from [`part!`], the only place where the engines' SQL differs. A list of
//! values is one JSON text, so the statement does not depend on how many there are.

/// A statement in both dialects.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sql {
    pub(super) pg: &'static str,
    pub(super) sqlite: &'static str,
}

/// One part of a statement in one dialect.
macro_rules! part {
    (pg $text:literal) => { $text };
    (sqlite $text:literal) => { $text };
    (pg ($($text:tt)+)) => { $($text)+ };
    (sqlite ($($text:tt)+)) => { $($text)+ };

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

    // A JSON list of texts as a subquery.
    (pg [texts $json:literal]) => {
        concat!("(SELECT value FROM json_array_elements_text(CAST(", $json, " AS JSON)))")
    };
    (sqlite [texts $json:literal]) => { concat!("(SELECT value FROM json_each(", $json, "))") };

    // A JSON list of UUIDs.
    (pg [ids $json:literal]) => {
        concat!("(SELECT CAST(value AS UUID) FROM json_array_elements_text(CAST(", $json, " AS JSON)))")
    };
    (sqlite [ids $json:literal]) => { concat!("(SELECT unhex(value, '-') FROM json_each(", $json, "))") };

    // A JSON list of bytes in hex.
    (pg [bytes $json:literal]) => {
        concat!("(SELECT decode(value, 'hex') FROM json_array_elements_text(CAST(", $json, " AS JSON)))")
    };
    (sqlite [bytes $json:literal]) => { concat!("(SELECT unhex(value) FROM json_each(", $json, "))") };

    // A JSON list of objects as a table `r` with these columns.
    (pg [rows $json:literal $($name:ident $type:ident),+]) => {
        concat!(
            "json_to_recordset(CAST(", $json, " AS JSON)) AS r(",
            $(stringify!($name), " ", part!(@pg $type), ", ",)+ "nil TEXT)"
        )
    };
    (sqlite [rows $json:literal $($name:ident $type:ident),+]) => {
        concat!(
            // Without this, SQLite serialises each object once per column, which doubles the time.
            "(WITH list (value) AS MATERIALIZED (SELECT value FROM json_each(", $json, ")) SELECT ",
            $(part!(@sqlite $name $type), " AS ", stringify!($name), ", ",)+ "NULL AS nil FROM list) AS r"
        )
    };
    (@pg uuid) => { "UUID" };
    (@pg int) => { "BIGINT" };
    (@pg text) => { "TEXT" };
    (@pg bool) => { "BOOLEAN" };
    (@sqlite $name:ident uuid) => { concat!("unhex(value->>'", stringify!($name), "', '-')") };
    (@sqlite $name:ident $type:ident) => { concat!("value->>'", stringify!($name), "'") };
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
