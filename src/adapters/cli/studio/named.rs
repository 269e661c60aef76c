//! A studio by its name.

use anyhow::Context as _;

use crate::app::studio::Studios;
use crate::domain::studio::StudioName;

/// The studio of this name.
pub(super) fn name(studios: &Studios, wanted: &str) -> anyhow::Result<StudioName> {
    let known = || studios.names().map(StudioName::as_str).collect::<Vec<_>>().join(", ");
    let found = studios.names().find(|name| name.as_str() == wanted).cloned();
    found.with_context(|| match known() {
        none if none.is_empty() => {
            format!("there is no studio {wanted:?}: none is configured; add a section [studios.{wanted}]")
        }
        known => format!("there is no studio {wanted:?} in the configuration; there is: {known}"),
    })
}
