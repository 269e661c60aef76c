//! Arguments of statements, in the types that both engines store.

use serde::{Serialize, Serializer};
use sqlx::Arguments as _;
use sqlx::error::BoxDynError;
use sqlx::postgres::PgArguments;
use sqlx::sqlite::SqliteArguments;
use uuid::Uuid;

use crate::domain::access::Scope;
use crate::domain::page::{Newest, Page};

/// What is stored instead of NUL, which PostgreSQL cannot store in a text. Removing it could put together a key that it
/// interrupts.
pub(super) const NUL: &str = "\u{fffd}";

/// One argument. No `Debug`: some of them are hashes of secrets.
#[derive(Clone)]
pub(super) enum Arg {
    Int(Option<i64>),
    Text(Option<String>),
    Id(Option<Uuid>),
    Bytes(Option<Vec<u8>>),
    Bool(Option<bool>),
}

/// The arguments of one statement, `$1` first.
pub(super) type Args = Vec<Arg>;

/// A type that can be an argument.
pub(super) trait Param {
    /// The argument; `None` is NULL.
    fn arg(value: Option<&Self>) -> Arg;
}

impl<T: Param> Param for Option<T> {
    fn arg(value: Option<&Self>) -> Arg {
        T::arg(value.and_then(Self::as_ref))
    }
}

impl<T: Param + ?Sized> Param for &T {
    fn arg(value: Option<&Self>) -> Arg {
        T::arg(value.copied())
    }
}

impl Param for str {
    /// The API refuses NUL in requests; this handles texts of media servers and of Kick.
    fn arg(value: Option<&Self>) -> Arg {
        Arg::Text(value.map(|text| text.replace('\0', NUL)))
    }
}

/// For `[in_scope]`: the ids of its organizations; NULL for all.
impl Param for Scope {
    fn arg(value: Option<&Self>) -> Arg {
        Arg::Text(value.and_then(Self::organizations).map(list))
    }
}

pub(super) fn arg<T: Param + ?Sized>(value: &T) -> Arg {
    T::arg(Some(value))
}

macro_rules! args {
    ($($value:expr),* $(,)?) => { vec![$($crate::adapters::sql::args::arg(&$value)),*] };
}

macro_rules! bind {
    ($args:expr, $bound:expr) => {{
        let mut bound = $bound;
        for arg in $args {
            match arg {
                Arg::Int(value) => bound.add(value)?,
                Arg::Text(value) => bound.add(value)?,
                Arg::Id(value) => bound.add(value)?,
                Arg::Bytes(value) => bound.add(value)?,
                Arg::Bool(value) => bound.add(value)?,
            }
        }
        Ok(bound)
    }};
}

pub(super) fn for_pg(args: Args) -> Result<PgArguments, BoxDynError> {
    bind!(args, PgArguments::default())
}

pub(super) fn for_sqlite(args: Args) -> Result<SqliteArguments, BoxDynError> {
    bind!(args, SqliteArguments::default())
}

/// The form within JSON. Bytes are `\x` and hex, as PostgreSQL reads them.
impl Serialize for Arg {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Int(value) => value.serialize(serializer),
            Self::Text(value) => value.serialize(serializer),
            Self::Id(value) => value.serialize(serializer),
            Self::Bytes(value) => {
                value.as_ref().map(|bytes| format!("\\x{}", hex::encode(bytes))).serialize(serializer)
            }
            Self::Bool(value) => value.serialize(serializer),
        }
    }
}

/// A page of a list that is newest first: the time and the id that its rows come after, and its limit.
pub(super) fn newest(page: &Page<Newest>) -> Args {
    let Newest { at, id } = page.after.unwrap_or(Newest::START);
    vec![arg(&at), Arg::Id(Some(id)), arg(&limit(page))]
}

/// The limit of a page.
pub(super) fn limit<P>(page: &Page<P>) -> i64 {
    page.limit.map_or(i64::MAX, i64::from)
}

/// A JSON list, for `[ids]`, `[bytes]` and `[texts]`.
pub(super) fn list<T: Param>(values: impl IntoIterator<Item = T>) -> String {
    to_json(&values.into_iter().map(|value| arg(&value)).collect::<Vec<_>>())
}

/// Arguments always have a JSON form, so this cannot fail.
pub(super) fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
