//! Extractors. Their problems are marked: the request did not reach a use-case.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::body::{self, MANAGEMENT_BODY};
use super::problem::{Problem, ProblemType};
use super::strict;
use crate::domain::Invalid;

/// The `{id}` in the path: a UUID in its usual form.
pub(super) struct Id<T>(pub T);

impl<T: FromStr, S: Send + Sync> FromRequestParts<S> for Id<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let params = RawPathParams::from_request_parts(parts, state).await;
        let params = params.iter().flatten();
        let id = params.filter(|(name, _)| *name == "id").map(|(_, value)| value).next().unwrap_or_default();
        uuid("id", id).map(Self).map_err(|invalid| Problem::from(invalid).unauthenticated())
    }
}

/// The ids in the path of a resource that belongs to another: `{id}`, and the last one.
pub(super) struct ChildId<P, C>(pub P, pub C);

impl<P: FromStr, C: FromStr, S: Send + Sync> FromRequestParts<S> for ChildId<P, C> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let params = RawPathParams::from_request_parts(parts, state).await;
        let all: Vec<(&str, &str)> = params.iter().flatten().collect();
        let id = all.iter().find(|(name, _)| *name == "id").map_or("", |(_, value)| *value);
        let (name, value) = all.last().copied().unwrap_or(("id", ""));
        let refused = |invalid| Problem::from(invalid).unauthenticated();
        let parent = uuid("id", id).map_err(refused)?;
        let child = uuid(name, value).map_err(refused)?;
        Ok(Self(parent, child))
    }
}

/// The query of a list.
pub(super) trait ListQuery: DeserializeOwned {
    /// What the use-case takes.
    type Filter;

    /// Reads the values.
    fn filter(self) -> Result<Self::Filter, Invalid>;
}

/// The filter of a list, from the query. Unknown names are refused.
pub(super) struct Filter<Q: ListQuery>(pub Q::Filter);

impl<Q: ListQuery, S: Send + Sync> FromRequestParts<S> for Filter<Q> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let StrictQuery(query) = StrictQuery::<Q>::from_request_parts(parts, state).await?;
        query.filter().map(Self).map_err(|invalid| Problem::from(invalid).unauthenticated())
    }
}

/// The query. Unknown names are refused.
pub(super) struct StrictQuery<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for StrictQuery<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let query = strict::from_query(parts.uri.query().unwrap_or_default());
        query.map(Self).map_err(|invalid| Problem::from(invalid).unauthenticated())
    }
}

/// A JSON object. Unknown names are refused.
pub(super) struct StrictJson<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for StrictJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        if !may_be_json(&parts.headers) {
            return Err(not_json().unauthenticated());
        }
        let bytes =
            body::read(&parts.headers, body, MANAGEMENT_BODY).await.map_err(Problem::unauthenticated)?;
        strict::from_json(&bytes).map(Self).map_err(|invalid| Problem::from(invalid).unauthenticated())
    }
}

/// The same of a body that was read already.
pub(super) fn json_of<T: DeserializeOwned>(headers: &HeaderMap, body: &[u8]) -> Result<T, Problem> {
    if !may_be_json(headers) {
        return Err(not_json());
    }
    Ok(strict::from_json(body)?)
}

fn not_json() -> Problem {
    Problem::new(ProblemType::UNSUPPORTED_MEDIA_TYPE, "Send JSON, with Content-Type: application/json.")
}

/// A missing content type is accepted, a wrong one is not.
fn may_be_json(headers: &HeaderMap) -> bool {
    let Some(kind) = headers.get(CONTENT_TYPE) else { return true };
    let kind = kind.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    kind.is_empty()
        || kind.eq_ignore_ascii_case("application/json")
        || kind.to_ascii_lowercase().ends_with("+json")
}

/// Reads a number parameter.
pub(super) fn number<T: FromStr + PartialOrd + Display>(
    field: &str,
    text: Option<&str>,
    range: RangeInclusive<T>,
) -> Result<Option<T>, Invalid> {
    let Some(text) = text else { return Ok(None) };
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    let number = text.parse().ok().filter(|number| digits && range.contains(number));
    let rule = || format!("must be a whole number from {} to {}", range.start(), range.end());
    number.map(Some).ok_or_else(|| Invalid::one(field, rule()))
}

/// Reads a UUID parameter. The parser also accepts braces and URNs.
pub(super) fn uuid<T: FromStr>(field: &str, text: &str) -> Result<T, Invalid> {
    let id = Some(text).filter(|text| text.len() == 36).and_then(|text| text.parse().ok());
    id.ok_or_else(|| Invalid::one(field, "must be a UUID"))
}
