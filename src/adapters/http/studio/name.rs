//! The `{name}` of a studio in the path.

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;

use crate::adapters::http::extract::{ListQuery, uuid};
use crate::adapters::http::list::{Cursor, InPath, page};
use crate::adapters::http::problem::Problem;
use crate::app::AppError;
use crate::domain::Invalid;
use crate::domain::page::Page;
use crate::domain::studio::{DrillId, StudioName};

/// The studio in the path. A text that is no name is no studio.
pub(super) struct Named(pub(super) StudioName);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let name = StudioName::parse(&param(parts, state, "name").await);
        name.map(Self).map_err(|_| Problem::from(AppError::NotFound("studio")).unauthenticated())
    }
}

impl InPath<StudioName> for Named {
    fn found(self) -> StudioName {
        self.0
    }
}

/// The drill in the path, and its studio.
pub(super) struct NamedDrill(pub(super) StudioName, pub(super) DrillId);

impl<S: Send + Sync> FromRequestParts<S> for NamedDrill {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Named(name) = Named::from_request_parts(parts, state).await?;
        let id = uuid("drill_id", &param(parts, state, "drill_id").await);
        id.map(|id| Self(name, id)).map_err(|invalid| Problem::from(invalid).unauthenticated())
    }
}

async fn param<S: Send + Sync>(parts: &mut Parts, state: &S, wanted: &str) -> String {
    let params = RawPathParams::from_request_parts(parts, state).await;
    let found = params.iter().flatten().find(|(name, _)| *name == wanted).map(|(_, value)| value.to_owned());
    found.unwrap_or_default()
}

/// A name. Studios are listed by name.
impl Cursor for StudioName {
    fn to_bytes(&self) -> Vec<u8> {
        self.as_str().into()
    }

    fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
        Self::parse(&String::from_bytes(bytes)?).ok()
    }
}

/// Part of the list of studios.
#[derive(serde::Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct StudiosQuery {
    /// At most this many. Without it: the whole list, or 100 after a `cursor`.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    limit: Option<String>,
    /// `next_cursor` of the previous page.
    #[param(pattern = "^[0-9A-Za-z_-]+$")]
    cursor: Option<String>,
}

impl ListQuery for StudiosQuery {
    type Filter = ((), Page<StudioName>);

    fn filter(self) -> Result<Self::Filter, Invalid> {
        Ok(((), page(self.limit.as_deref(), self.cursor.as_deref())?))
    }
}
