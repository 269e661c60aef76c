//! Statements: one text for both engines, and the few words in which the engines differ.
//!
//! [`statements!`] declares a slice's statements from parts. A part in quotes, or in
//! parentheses if it has a name, is the same everywhere; a part in brackets is looked up in [`part!`], the only place where the engines' SQL differs. Lists of values travel as one
//! JSON text, so that a statement has one text whatever their number.

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

    // The database's own time in microseconds. `clock_timestamp()`, not `now()`: a transaction's start would make a
    // lease look fresher than it is.
    (pg [now]) => { "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)" };
    (sqlite [now]) => { "CAST(unixepoch('subsec') * 1000000 AS INTEGER)" };

    // Row locks. SQLite has one writer at a time, and takes that lock when a transaction begins.
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
            // Otherwise SQLite writes each object out again for each of its columns: twice the time.
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

/// Declares statements, and lists them in `ALL` so that a test can prepare each of them on both engines.
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
