//! `/health`, `/livez` and `/readyz`: for people, and for whoever starts, stops and balances instances.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use futures_util::future::BoxFuture;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa::openapi::schema::Schema;
use utoipa::openapi::{OpenApi, Ref, RefOr};

use super::operation::Operation;
use super::problem::{Problem, ProblemType};
use crate::app::task::TaskStatus;
use crate::ports::StoreError;

/// A section of `/health`, as the document says it.
pub(super) trait HealthDocument: Serialize + ToSchema {
    /// The name of the property.
    const NAME: &'static str;
    /// What it means; nothing if it is always there, and its schema says enough.
    const OPTIONAL: Option<&'static str> = None;
}

/// The same, without its type.
pub(super) struct HealthProperty {
    name: &'static str,
    optional: Option<&'static str>,
    schema: Ref,
    schemas: Vec<(String, RefOr<Schema>)>,
}

impl HealthProperty {
    pub(super) fn of<T: HealthDocument>() -> Self {
        let mut schemas = vec![(T::name().into_owned(), T::schema())];
        T::schemas(&mut schemas);
        Self { name: T::NAME, optional: T::OPTIONAL, schema: Ref::from_schema_name(T::name()), schemas }
    }

    /// Adds it to the schema of [`HealthReport`].
    pub(super) fn add_to(self, document: &mut OpenApi) {
        let Some(components) = &mut document.components else { return };
        components.schemas.extend(self.schemas);
        let report = components.schemas.get_mut(&*HealthReport::name());
        let Some(RefOr::T(Schema::Object(report))) = report else { return };
        let mut schema = self.schema;
        match self.optional {
            Some(about) => about.clone_into(&mut schema.description),
            None => report.required.push(self.name.to_owned()),
        }
        report.properties.insert(self.name.to_owned(), RefOr::Ref(schema));
    }
}

/// A section of `/health`, as this instance answers it.
pub struct HealthSection {
    name: &'static str,
    check: Arc<dyn Fn() -> BoxFuture<'static, Result<Option<Value>, StoreError>> + Send + Sync>,
}

impl HealthSection {
    /// What `check` finds; nothing if there is nothing to say.
    pub(super) fn new<T, F>(check: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        T: HealthDocument,
        F: Future<Output = Result<Option<T>, StoreError>> + Send + 'static,
    {
        let check = move || -> BoxFuture<'static, _> {
            let found = check();
            // Plain structs: serialising them cannot fail.
            Box::pin(async move {
                Ok(found.await?.map(|section| serde_json::to_value(section).unwrap_or_default()))
            })
        };
        Self { name: T::NAME, check: Arc::new(check) }
    }
}

/// How this instance is.
#[derive(Serialize, ToSchema)]
pub(super) struct HealthReport {
    /// `ok` whenever it can do its job; otherwise the answer is 503.
    #[schema(example = "ok")]
    status: &'static str,
    #[schema(example = "ok")]
    database: &'static str,
    version: &'static str,
    /// What slices add.
    #[serde(flatten)]
    #[schema(ignore)]
    sections: BTreeMap<&'static str, Value>,
    /// The work in the background. It is tried again by itself; the log says what is wrong.
    workers: Vec<WorkerReport>,
}

/// One task.
#[derive(Serialize, ToSchema)]
pub(super) struct WorkerReport {
    #[schema(example = "reconcile:default")]
    name: String,
    /// Whether its last try failed.
    failing: bool,
    /// How long ago it last did its work; absent if it never has.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    seconds_since_ok: Option<u64>,
}

/// A plain yes.
#[derive(Serialize, ToSchema)]
pub(super) struct Alive {
    #[schema(example = "ok")]
    status: &'static str,
}

/// Read how this instance is
#[utoipa::path(
    get,
    path = "/health",
    tag = "operation",
    responses((status = 200, body = HealthReport), (status = 503, description = "`unavailable`: It cannot do its job"))
)]
pub(super) async fn health(State(operation): State<Operation>) -> Result<Json<HealthReport>, Problem> {
    let sections = async {
        let mut told = BTreeMap::new();
        for section in &*operation.sections {
            if let Some(value) = (section.check)().await? {
                told.insert(section.name, value);
            }
        }
        Ok(told)
    };
    let sections = operation.health.check(sections).await.ok_or_else(Problem::unavailable)?;
    let tasks = operation.options.tasks.at_work();
    let report = |task: TaskStatus| WorkerReport {
        name: task.name,
        failing: task.failing,
        seconds_since_ok: task.last_ok.map(|(_, at)| at.elapsed().as_secs()),
    };
    Ok(Json(HealthReport {
        status: "ok",
        database: "ok",
        version: env!("CARGO_PKG_VERSION"),
        sections,
        workers: tasks.into_iter().map(report).collect(),
    }))
}

/// Ask whether the process lives
///
/// For orchestrators: when this fails, restart it.
#[utoipa::path(get, path = "/livez", tag = "operation", responses((status = 200, body = Alive)))]
pub(super) async fn livez() -> Json<Alive> {
    Json(Alive { status: "ok" })
}

/// Ask whether it should be sent requests
///
/// For orchestrators: no while the database does not answer, and from the moment it was told to stop.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "operation",
    responses((status = 200, body = Alive), (status = 503, description = "`unavailable`: Send requests elsewhere"))
)]
pub(super) async fn readyz(State(operation): State<Operation>) -> Result<Json<Alive>, Problem> {
    if operation.options.stop.is_cancelled() {
        return Err(Problem::new(ProblemType::UNAVAILABLE, "This instance is stopping."));
    }
    if operation.health.check(async { Ok(()) }).await.is_none() {
        return Err(Problem::unavailable());
    }
    Ok(Json(Alive { status: "ok" }))
}
