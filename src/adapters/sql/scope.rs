//! Statements for the rows in a scope.

use super::args::{Arg, arg};
use super::dialect::Sql;
use crate::domain::access::Scope;

/// The statement for the rows in a scope, and its argument for the scope. `any` has `[in_scope]`; `of_one` has
/// `organization_id =` in its place, and so reads a range of an index.
pub(super) fn in_scope(scope: &Scope, any: Sql, of_one: Sql) -> (Sql, Arg) {
    let organizations = scope.organizations().filter(|all| all.len() == 1);
    match organizations.and_then(|all| all.first()) {
        Some(only) => (of_one, arg(only)),
        None => (any, arg(scope)),
    }
}
