//! A studio by its name.

use crate::adapters::cli::Failure;
use crate::app::studio::Studios;
use crate::domain::studio::StudioName;

/// The studio of this name.
pub(super) fn name(studios: &Studios, wanted: &str) -> Result<StudioName, Failure> {
    let known = || studios.names().map(StudioName::as_str).collect::<Vec<_>>().join(", ");
    let found = studios.names().find(|name| name.as_str() == wanted).cloned();
    found.ok_or_else(|| {
        Failure::NotFound(match known() {
            none if none.is_empty() => {
                format!("there is no studio {wanted:?}: none is configured; add a section [studios.{wanted}]")
            }
            known => format!("there is no studio {wanted:?} in the configuration; there is: {known}"),
        })
    })
}
