//! What every handler of the management API needs.

use std::fmt::Display;
use std::sync::Arc;

use axum::extract::{FromRef, FromRequestParts};
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

pub(super) use axum::Json;
pub(super) use axum::extract::State;
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
pub(super) struct Done;

impl IntoResponse for Done {
    fn into_response(self) -> Response {
        StatusCode::NO_CONTENT.into_response()
    }
}

/// 201 with the new resource.
pub(super) struct Created<T> {
    view: T,
    location: Option<String>,
}

impl<T> Created<T> {
    /// Without an address.
    pub(super) fn new(made: impl Into<T>) -> Self {
        Self { view: made.into(), location: None }
    }

    /// With its address, in the header `Location`.
    pub(super) fn at(collection: &str, id: impl Display, made: impl Into<T>) -> Self {
        Self { view: made.into(), location: Some(format!("{collection}/{id}")) }
    }
}

impl<T: Serialize> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        let location = self.location.map(|location| [(LOCATION, location)]);
        (StatusCode::CREATED, location, Json(self.view)).into_response()
    }
}
