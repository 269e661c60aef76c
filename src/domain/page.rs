//! Pages of lists. A list is read from one row to the next ("keyset pagination"), so the last page costs no more than the
//! first.

use uuid::Uuid;

use super::Timestamp;

/// A part of a list: at most `limit` rows after the place `after`. By default the whole list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page<P> {
    /// At most this many rows.
    pub limit: Option<u32>,
    /// Only rows after this place.
    pub after: Option<P>,
}

impl<P> Page<P> {
    /// The first rows.
    pub fn first(limit: u32) -> Self {
        Self { limit: Some(limit), after: None }
    }
}

impl<P> Default for Page<P> {
    fn default() -> Self {
        Self { limit: None, after: None }
    }
}

/// A row of a list.
pub trait Placed {
    /// What orders the list. No two rows have the same.
    type Place: Clone + Send + Sync + 'static;

    /// The place of this row.
    fn place(&self) -> Self::Place;
}

/// The place of a row in a list that has the newest row first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Newest {
    /// When the row began.
    pub at: Timestamp,
    /// Its id.
    pub id: Uuid,
}

impl Newest {
    /// The place before all rows.
    pub const START: Self = Self { at: Timestamp::from_micros(i64::MAX), id: Uuid::max() };
}

/// Gives rows the place [`Newest`]: their time and their id.
macro_rules! newest_first {
    ($row:ty, $at:ident) => {
        impl $crate::domain::page::Placed for $row {
            type Place = $crate::domain::page::Newest;

            fn place(&self) -> Self::Place {
                $crate::domain::page::Newest { at: self.$at, id: self.id.0 }
            }
        }
    };
}
pub(crate) use newest_first;
