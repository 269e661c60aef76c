//! Refused attempts to publish, to watch or to use an API.

use async_trait::async_trait;

use super::Result;
use crate::domain::Timestamp;
use crate::domain::access::Scope;
use crate::domain::auth_failure::AuthFailure;
use crate::domain::page::{Newest, Page};

/// Refused attempts; equal ones are one row.
#[async_trait]
pub trait AuthFailureStore: Send + Sync {
    /// MUST add the numbers to rows that are there, and widen their time, or else store the rows. MUST then keep the newest
    /// `most` rows of known keys and as many of unknown ones, and add the numbers of the others to the row
    /// [`AuthFailure::removed`], which counts as none of them.
    async fn record_auth_failures(&self, failures: &[AuthFailure], most: u32) -> Result<()>;

    /// MUST return the page of the rows, those with the newest last attempt first, ties by id. Rows of unknown keys MUST
    /// only be returned to who may see the whole installation.
    async fn auth_failures(&self, scope: &Scope, page: &Page<Newest>) -> Result<Vec<AuthFailure>>;

    /// MUST remove rows whose last attempt was before `before`; returns how many.
    async fn prune_auth_failures(&self, before: Timestamp) -> Result<u64>;
}
