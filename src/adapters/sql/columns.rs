//! The types of columns: how each is stored, and how it is read again. Here are those that several files use; the others
//! are declared with the same macros beside their table.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use serde_json::{Map, Value};
use sqlx::error::BoxDynError;
use sqlx::{Decode, Postgres, Sqlite, Type};
use uuid::Uuid;

use super::args::{Arg, Param};
use crate::domain::audit::Outcome;
use crate::domain::broadcaster::{DisplayName, Metadata};
use crate::domain::media_server::{MediaServerName, SourceId, SourceKind};
use crate::domain::path::StreamPath;
use crate::domain::playback::PlaybackAccess;
use crate::domain::reconcile::HookKind;
use crate::domain::secret::SecretHash;
use crate::domain::stream::{EndReason, IngestForm};
use crate::domain::stream_key::{Label, OnConflict};
use crate::domain::{AuditId, BroadcasterId, OrganizationId, StreamId, StreamKeyId, Timestamp};

/// A type that both engines decode.
pub(super) trait Raw:
    for<'r> Decode<'r, Postgres> + Type<Postgres> + for<'r> Decode<'r, Sqlite> + Type<Sqlite>
{
}

impl<T> Raw for T where
    T: for<'r> Decode<'r, Postgres> + Type<Postgres> + for<'r> Decode<'r, Sqlite> + Type<Sqlite>
{
}

/// The type of a column.
pub(super) trait Column: Param + Sized {
    /// What the column contains.
    type Raw: Raw;

    fn read(raw: Self::Raw) -> Result<Self, BoxDynError>;

    /// Reads a column that may be NULL.
    fn read_nullable(raw: Option<Self::Raw>) -> Result<Option<Self>, BoxDynError> {
        raw.map(Self::read).transpose()
    }
}

impl<T: Column> Column for Option<T> {
    type Raw = Option<T::Raw>;

    fn read(raw: Self::Raw) -> Result<Self, BoxDynError> {
        T::read_nullable(raw)
    }
}

/// Declares types by what is stored of `value`, and how it is read from `raw`. With `or NULL`, a nullable column reads a
/// value that makes no sense as NULL, because other programs write it too.
macro_rules! column {
    ($($type:ty: $kind:ident $stored:ty, |$value:ident| $write:expr, |$raw:ident| $read:expr $(, or $null:ident)?;)+) => {
        $(impl $crate::adapters::sql::args::Param for $type {
            fn arg(value: Option<&Self>) -> $crate::adapters::sql::args::Arg {
                $crate::adapters::sql::args::Arg::$kind(value.map(|$value| $write))
            }
        }

        impl $crate::adapters::sql::columns::Column for $type {
            type Raw = $stored;

            fn read($raw: $stored) -> Result<Self, sqlx::error::BoxDynError> {
                $read
            }

            $(fn read_nullable(raw: Option<$stored>) -> Result<Option<Self>, sqlx::error::BoxDynError> {
                stringify!($null);
                Ok(raw.and_then(|raw| <Self as $crate::adapters::sql::columns::Column>::read(raw).ok()))
            })?
        })+
    };
}

/// Identifiers.
macro_rules! ids {
    ($($type:ident),+) => { column! { $($type: Id uuid::Uuid, |id| id.0, |raw| Ok(Self(raw));)+ } };
}

/// Texts that are checked when they are read.
macro_rules! texts {
    ($($type:ty),+) => {
        column! { $($type: Text String, |text| text.as_str().to_owned(), |raw| Ok(Self::parse(&raw)?);)+ }
    };
}

/// Enums that are stored by name.
macro_rules! words {
    ($($type:ty),+) => {
        column! { $($type: Text String, |word| <&str>::from(*word).to_owned(), |raw| {
            Ok(raw.parse().map_err(|_| format!("{raw:?} is not known"))?)
        };)+ }
    };
}

/// Values that are stored as JSON.
macro_rules! as_json {
    ($($type:ty),+) => {
        column! { $($type: Text String, |value| $crate::adapters::sql::args::to_json(value), |raw| {
            Ok(serde_json::from_str(&raw)?)
        };)+ }
    };
}

ids!(AuditId, BroadcasterId, OrganizationId, StreamId, StreamKeyId);
texts!(DisplayName, Label, MediaServerName, OnConflict, StreamPath);
words!(EndReason, HookKind, IngestForm, Outcome, PlaybackAccess);
// Metadata is not checked again: it was valid when written, and limits may be narrower now.
as_json!(Map<String, Value>, Metadata, Vec<String>);

column! {
    Uuid: Id Uuid, |id| *id, |raw| Ok(raw);
    bool: Bool bool, |value| *value, |raw| Ok(raw);
    i64: Int i64, |number| *number, |raw| Ok(raw);
    u32: Int i64, |number| i64::from(*number), |raw| Ok(Self::try_from(raw)?);
    u64: Int i64, |number| signed(*number), |raw| Ok(Self::try_from(raw)?), or NULL;
    String: Text String, |text| text.replace('\0', super::args::NUL), |raw| Ok(raw);
    SecretHash: Bytes Vec<u8>, |hash| hash.0.to_vec(), |raw| {
        Ok(Self(raw.try_into().map_err(|_| "a hash that is not 32 bytes long")?))
    };
    IpAddr: Text String, |ip| ip.to_string(), |raw| Ok(raw.parse()?);
    SourceId: Text String, |id| id.as_str().to_owned(), |raw| Ok(Self::parse(&raw).ok_or("no id")?);
    SourceKind: Text String, |kind| kind.to_string().replace('\0', super::args::NUL), |raw| Ok(Self::from_name(&raw));
    // Rows that are not JSON are skipped when decoded. An error here would stop the event log.
    Value: Text String, |value| value.to_string(), |raw| Ok(serde_json::from_str(&raw).unwrap_or_default());
}

/// An unsigned number in a signed column.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The times that can be formatted: years 1 to 9999.
const TIMES: RangeInclusive<i64> = -62_135_596_800_000_000..=253_402_300_799_999_999;

impl Param for Timestamp {
    fn arg(value: Option<&Self>) -> Arg {
        Arg::Int(value.map(|time| time.micros()))
    }
}

/// Other programs write times too. One that cannot be formatted is read as the nearest that can, or as NULL.
impl Column for Timestamp {
    type Raw = i64;

    fn read(raw: i64) -> Result<Self, BoxDynError> {
        Ok(Self::from_micros(raw.clamp(*TIMES.start(), *TIMES.end())))
    }

    fn read_nullable(raw: Option<i64>) -> Result<Option<Self>, BoxDynError> {
        Ok(raw.filter(|micros| TIMES.contains(micros)).map(Self::from_micros))
    }
}
