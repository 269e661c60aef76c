//! Sections of `/health`: each slice adds its own.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa::openapi::schema::Schema;
use utoipa::openapi::{OpenApi, Ref, RefOr};

use crate::ports::StoreError;

/// A section of `/health` in the OpenAPI document.
pub(super) trait HealthDocument: Serialize + ToSchema {
    /// The name of the property.
    const NAME: &'static str;
    /// Its description; `None` if it is always present and its schema is enough.
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

    /// Adds it to the schema `report`.
    pub(super) fn add_to(self, document: &mut OpenApi, report: &str) {
        let Some(components) = &mut document.components else { return };
        components.schemas.extend(self.schemas);
        let report = components.schemas.get_mut(report);
        let Some(RefOr::T(Schema::Object(report))) = report else { return };
        let mut schema = self.schema;
        match self.optional {
            Some(about) => about.clone_into(&mut schema.description),
            None => report.required.push(self.name.to_owned()),
        }
        report.properties.insert(self.name.to_owned(), RefOr::Ref(schema));
    }
}

/// A section of `/health` in the answer of this instance.
pub struct HealthSection {
    pub(super) name: &'static str,
    pub(super) check: Arc<dyn Fn() -> BoxFuture<'static, Result<Option<Value>, StoreError>> + Send + Sync>,
}

impl HealthSection {
    /// The result of `check`; `None` leaves the section out.
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
