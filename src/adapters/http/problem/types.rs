//! Problem types, and the macro that defines them.

use serde::Serialize;
use utoipa::ToSchema;

/// A type of problem, for documents and people.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ProblemType {
    /// The `type` of such a problem: a reference to its description.
    #[serde(rename = "type")]
    #[schema(example = "/problems/validation")]
    pub reference: &'static str,
    /// The last part of the reference.
    #[schema(example = "validation")]
    pub slug: &'static str,
    /// The HTTP status of the answer.
    #[schema(example = 400)]
    pub status: u16,
    /// The same text for every problem of this type.
    pub title: &'static str,
    /// What it means and how to fix it.
    pub description: &'static str,
}

/// Defines problem types as constants of [`ProblemType`], and lists them in `TYPES`.
macro_rules! problem_types {
    ($($name:ident: $slug:literal, $status:ident, $title:literal, $description:literal;)+) => {
        impl $crate::adapters::http::problem::ProblemType {
            $(
                #[doc = $title]
                pub const $name: &'static Self = &Self {
                    reference: concat!("/problems/", $slug),
                    slug: $slug,
                    status: axum::http::StatusCode::$status.as_u16(),
                    title: $title,
                    description: $description,
                };
            )+
        }

        pub(super) const TYPES: &[&$crate::adapters::http::problem::ProblemType] =
            &[$($crate::adapters::http::problem::ProblemType::$name),+];
    };
}
pub(super) use problem_types;
