//! Lists: each names its resources in the plural. They are sent while they are read, so there is no list as a whole
//! (`adapters/http/list.rs`, `adapters/cli/list_output.rs`).

use std::borrow::Cow;
use std::marker::PhantomData;

use serde::Serialize;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Schema, Type};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

/// A resource that is listed.
pub(crate) trait Listed: Serialize + ToSchema {
    /// The name of the list in the OpenAPI document.
    const LIST: &'static str;
    /// Its description.
    const ABOUT: &'static str;
    /// The field that has the resources.
    const FIELD: &'static str;

    /// The schema of what stands in the answer beside the resources, in a field of its own.
    fn beside() -> Option<(&'static str, RefOr<Schema>)> {
        None
    }
}

/// The schema of a list, or one page of it.
pub(crate) struct List<T>(PhantomData<T>);

impl<T: Listed> PartialSchema for List<T> {
    fn schema() -> RefOr<Schema> {
        let items = ArrayBuilder::new().items(Ref::from_schema_name(T::name()));
        let count = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0));
        let count = count.description(Some("How many are in this answer."));
        let about = "The cursor of the next page. Absent on the last page, and if the list is whole.";
        let cursor = ObjectBuilder::new().schema_type(Type::String).description(Some(about));
        let list = ObjectBuilder::new().description(Some(T::ABOUT.trim()));
        let list = list.property(T::FIELD, items).required(T::FIELD);
        let list = list.property("count", count).required("count").property("next_cursor", cursor);
        match T::beside() {
            Some((field, schema)) => list.property(field, schema).required(field).into(),
            None => list.into(),
        }
    }
}

impl<T: Listed> ToSchema for List<T> {
    fn name() -> Cow<'static, str> {
        T::LIST.into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((T::name().into_owned(), T::schema()));
        T::schemas(schemas);
    }
}

/// Names the list of a resource.
macro_rules! list {
    (#[doc = $about:literal] $list:ident { $field:ident: $view:ty }) => {
        #[doc = $about]
        pub(crate) type $list = $crate::adapters::views::List<$view>;

        impl $crate::adapters::views::Listed for $view {
            const LIST: &'static str = stringify!($list);
            const ABOUT: &'static str = $about;
            const FIELD: &'static str = stringify!($field);
        }
    };
}
pub(crate) use list;
