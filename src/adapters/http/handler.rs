//! What every handler of the management API needs.

use std::sync::Arc;

use axum::extract::{FromRef, FromRequestParts};
use axum::http::header::LOCATION;
use axum::http::request::Parts;
use axum::http::{HeaderName, StatusCode};

pub(super) use axum::Json;
pub(super) use axum::extract::State;
pub(super) use axum::response::NoContent;
pub(super) use utoipa_axum::routes;

pub(super) use super::authentication::Caller;
pub(super) use super::extract::{Id, StrictJson};
pub(super) use super::problem::Problem;
pub(super) use super::routes::Routes;
use crate::domain::access::Actor;
pub(super) use crate::domain::access::Role::{Admin, Operator, Viewer};

/// A call of a service: the service and the caller.
pub(super) struct Call<T>(pub(super) Arc<T>, pub(super) Actor);

impl<T, S> FromRequestParts<S> for Call<T>
where
    T: Send + Sync + 'static,
    Arc<T>: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Caller(actor) = Caller::from_request_parts(parts, state).await?;
        Ok(Self(Arc::from_ref(state), actor))
    }
}

/// 200 with a view.
pub(super) type Answer<T> = Result<Json<T>, Problem>;

/// 200 with what the use-case returned.
pub(super) fn ok<T>(found: impl Into<T>) -> Answer<T> {
    Ok(Json(found.into()))
}

/// 204.
pub(super) type Done = Result<NoContent, Problem>;

/// 201 with the new resource, and its address in the header `Location`.
pub(super) type Created<T> = Result<(StatusCode, Option<[(HeaderName, String); 1]>, Json<T>), Problem>;

/// 201 with what the use-case made.
pub(super) fn created<T>(address: Option<String>, made: impl Into<T>) -> Created<T> {
    Ok((StatusCode::CREATED, address.map(|address| [(LOCATION, address)]), Json(made.into())))
}
