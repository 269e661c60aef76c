//! Lists: each names its resources in the plural.

use std::borrow::Cow;

use serde::ser::{Serialize, SerializeMap as _, Serializer};
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
    /// Whether the list is read in pages.
    const PAGED: bool;
}

/// A list, or one page of it.
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    /// Where the next page begins; `None` on the last page.
    pub(crate) next_cursor: Option<String>,
}

impl<D, T: From<D>> From<Vec<D>> for Page<T> {
    /// The whole list.
    fn from(found: Vec<D>) -> Self {
        Self { items: found.into_iter().map(T::from).collect(), next_cursor: None }
    }
}

impl<T: Listed> Serialize for Page<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry(T::FIELD, &self.items)?;
        map.serialize_entry("count", &self.items.len())?;
        if let Some(cursor) = &self.next_cursor {
            map.serialize_entry("next_cursor", cursor)?;
        }
        map.end()
    }
}

impl<T: Listed> PartialSchema for Page<T> {
    fn schema() -> RefOr<Schema> {
        let items = ArrayBuilder::new().items(Ref::from_schema_name(T::name()));
        let count = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0));
        let count = count.description(T::PAGED.then_some("How many are in this answer."));
        let list = ObjectBuilder::new().description(Some(T::ABOUT.trim()));
        let list =
            list.property(T::FIELD, items).required(T::FIELD).property("count", count).required("count");
        if !T::PAGED {
            return list.into();
        }
        let about = "The cursor of the next page. Absent on the last page, and without `limit` and `cursor`.";
        let cursor = ObjectBuilder::new().schema_type(Type::String).description(Some(about));
        list.property("next_cursor", cursor).into()
    }
}

impl<T: Listed> ToSchema for Page<T> {
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
    (#[doc = $about:literal] $list:ident { $field:ident: $view:ty, paged: $paged:literal }) => {
        #[doc = $about]
        pub(crate) type $list = $crate::adapters::views::Page<$view>;

        impl $crate::adapters::views::Listed for $view {
            const LIST: &'static str = stringify!($list);
            const ABOUT: &'static str = $about;
            const FIELD: &'static str = stringify!($field);
            const PAGED: bool = $paged;
        }
    };
}
pub(crate) use list;
