//! The API, as commands call it. A command is one or more requests: over HTTP to another machine, or within this
//! process over the database of this machine. Both answer the same JSON, and the command prints that.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use super::failure::Failure;
use super::output::add_nulls_of;
use crate::domain::Timestamp;
use crate::domain::secret::Secret;
use crate::ports::Clock;

/// How many rows are requested at once.
const PAGE: u32 = 500;

/// A request of the API.
#[derive(Default)]
pub struct ApiRequest {
    /// The method, in capitals.
    pub method: &'static str,
    /// Path and query.
    pub target: String,
    /// The names in lower case.
    pub headers: Vec<(&'static str, String)>,
    /// Not printable: it may hold a secret.
    pub body: Option<Secret>,
    /// A part of a file instead.
    pub part: Vec<u8>,
}

/// The answer to it.
pub struct ApiAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The names in lower case.
    pub headers: Vec<(String, String)>,
    /// JSON, or nothing.
    pub body: Vec<u8>,
}

impl ApiAnswer {
    /// The value of a header.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// What carries requests to the API.
#[async_trait]
pub trait Transport: Send + Sync {
    /// MUST fail only if there is no answer.
    async fn call(&self, request: ApiRequest) -> Result<ApiAnswer, Failure>;
}

/// The API, and a clock for times that are given as "in two hours".
pub struct Api {
    transport: Box<dyn Transport>,
    clock: Arc<dyn Clock>,
}

impl Api {
    /// Over a transport.
    pub fn new(transport: impl Transport + 'static, clock: Arc<dyn Clock>) -> Self {
        Self { transport: Box::new(transport), clock }
    }

    /// The time.
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Sends a request. An answer that is no success is a failure with its problem.
    pub(super) async fn call(&self, request: ApiRequest) -> Result<ApiAnswer, Failure> {
        let (method, target) = (request.method, request.target.clone());
        let answer = self.transport.call(request).await?;
        if (200..300).contains(&answer.status) {
            return Ok(answer);
        }
        let problem = serde_json::from_slice::<Value>(&answer.body).ok();
        let problem = problem.filter(|problem| problem["detail"].is_string() && problem["title"].is_string());
        if let Some(problem) = problem {
            return Err(Failure::Problem(problem));
        }
        let path = target.split('?').next().unwrap_or_default();
        let place = answer.header("location").map(|to| format!(" and names {to}")).unwrap_or_default();
        Err(Failure::Unreachable(format!(
            "{method} {path} is answered with status {}{place}, but not by Streamward: check the address",
            answer.status
        )))
    }

    async fn json(
        &self,
        method: &'static str,
        target: String,
        body: Option<&Value>,
    ) -> Result<Value, Failure> {
        let headers = body.map(|_| ("content-type", "application/json".to_owned())).into_iter().collect();
        let body = body.map(|body| Secret::new(body.to_string()));
        let request = ApiRequest { method, target: target.clone(), headers, body, ..ApiRequest::default() };
        let answer = self.call(request).await?;
        if answer.body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&answer.body).map_err(|_| {
            let path = target.split('?').next().unwrap_or_default();
            Failure::Unreachable(format!(
                "the answer to {method} {path} is not JSON, so it is not from Streamward: check the address"
            ))
        })
    }

    /// Reads a resource, with `null` for each absent field.
    pub(super) async fn get<T: ToSchema>(&self, path: impl Into<String>) -> Result<Value, Failure> {
        Ok(add_nulls_of::<T>(self.json("GET", path.into(), None).await?))
    }

    /// Posts JSON. The answer has `null` for each absent field.
    pub(super) async fn post<T: ToSchema>(
        &self,
        path: impl Into<String>,
        body: Option<&Value>,
    ) -> Result<Value, Failure> {
        Ok(add_nulls_of::<T>(self.json("POST", path.into(), body).await?))
    }

    /// Changes a resource. The answer has `null` for each absent field.
    pub(super) async fn patch<T: ToSchema>(
        &self,
        path: impl Into<String>,
        body: &Value,
    ) -> Result<Value, Failure> {
        Ok(add_nulls_of::<T>(self.json("PATCH", path.into(), Some(body)).await?))
    }

    /// Deletes a resource.
    pub(super) async fn delete(&self, path: impl Into<String>) -> Result<(), Failure> {
        self.json("DELETE", path.into(), None).await.map(drop)
    }

    /// Deletes several resources. The answer says what was done.
    pub(super) async fn delete_for<T: ToSchema>(&self, path: impl Into<String>) -> Result<Value, Failure> {
        Ok(add_nulls_of::<T>(self.json("DELETE", path.into(), None).await?))
    }

    /// The rows of a list, in pages.
    pub(super) fn pages<T: ToSchema>(&self, name: &'static str, path: &str, query: &Query) -> Pages<'_> {
        let nulls = add_nulls_of::<T>;
        Pages {
            api: self,
            name,
            nulls,
            path: path.to_owned(),
            query: query.clone(),
            cursor: Some(None),
            left: None,
            page: PAGE,
        }
    }

    /// The resource with this id, or the only one with this name.
    pub(super) async fn find<T: ToSchema>(&self, kind: &Kind, wanted: &str) -> anyhow::Result<Value> {
        let Kind { noun, path, .. } = kind;
        if Uuid::parse_str(wanted).is_ok() {
            let found = self.get::<T>(format!("{path}/{wanted}")).await;
            return found.map_err(|failure| match failure {
                Failure::Problem(problem) if problem["status"] == 404 => not_found(kind, wanted),
                other => other.into(),
            });
        }
        let mut named = self.named::<T>(kind, wanted).await?;
        match named.len() {
            0 => Err(not_found(kind, wanted)),
            1 => Ok(named.remove(0)),
            many => {
                let ids: Vec<String> = named.iter().map(|row| at(row, "/id")).collect();
                Err(Failure::Conflict(format!(
                    "{many} {noun}s are called {wanted:?}: name one by its id, {}",
                    ids.join(" or ")
                ))
                .into())
            }
        }
    }

    /// All resources with this name.
    pub(super) async fn named<T: ToSchema>(&self, kind: &Kind, wanted: &str) -> Result<Vec<Value>, Failure> {
        let Kind { list, path, field, any_case, .. } = kind;
        let wanted = wanted.trim();
        let is_it = |row: &Value| {
            let name = row[*field].as_str().unwrap_or_default();
            name == wanted || (*any_case && name.to_lowercase() == wanted.to_lowercase())
        };
        let (mut found, mut pages) = (Vec::new(), self.pages::<T>(list, path, &Query::default()));
        while let Some(rows) = pages.next().await? {
            found.extend(rows.into_iter().filter(is_it));
        }
        Ok(found)
    }
}

fn not_found(kind: &Kind, wanted: &str) -> anyhow::Error {
    let Kind { noun, advice, .. } = kind;
    let advice = advice.replace("{}", &shell_word(wanted));
    Failure::NotFound(format!("cannot find {wanted:?}: the {noun} does not exist ({advice})")).into()
}

/// A kind of resource, for [`Api::find`].
pub(super) struct Kind {
    /// The name of the list in its JSON.
    pub(super) list: &'static str,
    pub(super) path: &'static str,
    pub(super) noun: &'static str,
    /// The field with the name.
    pub(super) field: &'static str,
    /// Whether upper and lower case are the same in names.
    pub(super) any_case: bool,
    /// What to do if there is none; `{}` is the name.
    pub(super) advice: &'static str,
}

/// Parameters of a query.
#[derive(Clone, Debug, Default)]
pub(super) struct Query(Vec<(&'static str, String)>);

impl Query {
    /// With another parameter, if it has a value.
    #[must_use]
    pub(super) fn with(mut self, name: &'static str, value: Option<impl Into<String>>) -> Self {
        self.0.extend(value.map(|value| (name, value.into())));
        self
    }

    pub(super) fn to_target(&self, path: &str) -> String {
        if self.0.is_empty() {
            return path.to_owned();
        }
        let mut text = form_urlencoded::Serializer::new(String::new());
        text.extend_pairs(&self.0);
        format!("{path}?{}", text.finish())
    }
}

/// The rows of a list.
pub(super) struct Pages<'a> {
    api: &'a Api,
    name: &'static str,
    nulls: fn(Value) -> Value,
    path: String,
    query: Query,
    /// The place of the next page; `Some(None)` is the first. `None` after the last.
    cursor: Option<Option<String>>,
    /// How many rows are still wanted.
    left: Option<u32>,
    page: u32,
}

impl Pages<'_> {
    /// No more than `most` rows.
    pub(super) fn at_most(self, most: u32) -> Self {
        Self { left: Some(most), ..self }
    }

    /// Pages of `page` rows.
    pub(super) fn of(self, page: u32) -> Self {
        Self { page, ..self }
    }

    /// The next page.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<Value>>, Failure> {
        let Some(cursor) = self.cursor.take() else { return Ok(None) };
        let limit = self.left.map_or(self.page, |left| left.min(self.page));
        if limit == 0 {
            return Ok(None);
        }
        let query = self.query.clone().with("limit", Some(limit.to_string())).with("cursor", cursor);
        let mut answer = self.api.json("GET", query.to_target(&self.path), None).await?;
        let Value::Array(rows) = answer[self.name].take() else {
            return Err(Failure::Unreachable(format!(
                "the answer to GET {} has no {}, so it is not from Streamward: check the address",
                self.path, self.name
            )));
        };
        let next = answer["next_cursor"].as_str().or_else(|| answer["pagination"]["next_cursor"].as_str());
        self.cursor = next.map(|next| Some(next.to_owned()));
        self.left = self.left.map(|left| left.saturating_sub(u32::try_from(rows.len()).unwrap_or(u32::MAX)));
        Ok(Some(rows.into_iter().map(self.nulls).collect()))
    }
}

/// A JSON object of the fields that have a value.
pub(super) fn object<const N: usize>(fields: [(&str, Option<Value>); N]) -> Value {
    let fields = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(fields.collect::<Map<String, Value>>())
}

/// The text of the value at `pointer`; empty if there is none.
pub(super) fn at(json: &Value, pointer: &str) -> String {
    match json.pointer(pointer) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(all)) => all.iter().map(|one| at(one, "")).collect::<Vec<_>>().join(", "),
        Some(other) => other.to_string(),
    }
}

/// The elements of the array at `pointer`.
pub(super) fn array<'a>(json: &'a Value, pointer: &str) -> &'a [Value] {
    json.pointer(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// Quotes `text` for a shell.
pub(super) fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./@".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}
