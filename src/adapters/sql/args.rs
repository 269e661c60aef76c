//! Arguments of statements, in the types that both engines store.

use sqlx::Arguments as _;
use sqlx::error::BoxDynError;
use sqlx::postgres::PgArguments;
use sqlx::sqlite::SqliteArguments;
use uuid::Uuid;

use crate::domain::secret::SecretHash;
use crate::domain::{ApiTokenId, AuditId, BroadcasterId, StreamId, StreamKeyId, StreamerId, Timestamp};

/// One argument. No `Debug`: some of them are hashes of secrets.
#[derive(Clone)]
pub(super) enum Arg {
    Int(Option<i64>),
    Text(Option<String>),
    Id(Uuid),
    Bytes(Option<Vec<u8>>),
    Bool(bool),
}

/// The arguments of one statement, `$1` first.
pub(super) type Args = Vec<Arg>;

macro_rules! args {
    ($($value:expr),* $(,)?) => { vec![$($crate::adapters::sql::args::Arg::from($value)),*] };
}

macro_rules! from {
    ($($type:ty, $value:ident => $arg:expr;)+) => {
        $(impl From<$type> for Arg {
            fn from($value: $type) -> Self {
                $arg
            }
        })+
    };
}

from! {
    i64, value => Self::Int(Some(value));
    Timestamp, value => Self::Int(Some(value.micros()));
    Option<Timestamp>, value => Self::Int(value.map(Timestamp::micros));
    &str, value => Self::Text(Some(storable(value.to_owned())));
    Option<&str>, value => Self::Text(value.map(|text| storable(text.to_owned())));
    String, value => Self::Text(Some(storable(value)));
    bool, value => Self::Bool(value);
    Uuid, value => Self::Id(value);
    BroadcasterId, value => Self::Id(value.0);
    StreamKeyId, value => Self::Id(value.0);
    StreamId, value => Self::Id(value.0);
    StreamerId, value => Self::Id(value.0);
    ApiTokenId, value => Self::Id(value.0);
    AuditId, value => Self::Id(value.0);
    &SecretHash, value => Self::Bytes(Some(value.0.to_vec()));
    Option<SecretHash>, value => Self::Bytes(value.map(|hash| hash.0.to_vec()));
}

/// PostgreSQL cannot store NUL in a text. The API refuses it in requests; this handles texts from media servers.
fn storable(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "") } else { text }
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

/// A JSON list of UUIDs, for `[ids]`.
pub(super) fn id_list(ids: impl IntoIterator<Item = Uuid>) -> String {
    serde_json::Value::from_iter(ids.into_iter().map(|id| id.to_string())).to_string()
}

/// A JSON list of hashes in hex, for `[bytes]`.
pub(super) fn hash_list(hashes: impl IntoIterator<Item = SecretHash>) -> String {
    serde_json::Value::from_iter(hashes.into_iter().map(|hash| hex::encode(hash.0))).to_string()
}

/// A JSON list of texts, for `[texts]`.
pub(super) fn text_list<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    serde_json::Value::from_iter(texts).to_string()
}
