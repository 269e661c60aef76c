//! The bodies and the query of `/notifications`.

use serde::Deserialize;
use utoipa::ToSchema;

use crate::adapters::http::extract::ListQuery;
use crate::adapters::http::list::page;
use crate::app::notification::NotificationDraft;
use crate::domain::Invalid;
use crate::domain::notification::DeliveryState;
use crate::domain::page::{Newest, Page};

/// A notification to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NotificationDraft)]
pub(super) struct DraftJson {
    #[schema(value_type = String, required = true, example = "Night shift", min_length = 1, max_length = 100)]
    name: Option<String>,
    #[schema(value_type = crate::domain::notification::Kind, required = true)]
    kind: Option<String>,
    /// Where messages go: an address such as `https://hooks.example.org/x`, or an e-mail address. It is not shown again.
    #[schema(value_type = String, required = true, max_length = 2000)]
    target: Option<String>,
    /// Only events of these topics; none for all.
    topics: Option<Vec<String>>,
    /// Only events about these paths, exact or `prefix/*`; none for all.
    paths: Option<Vec<String>>,
    /// Nothing below this severity. Without it: `info`, all.
    #[schema(value_type = Option<crate::domain::notification::Severity>)]
    severity: Option<String>,
    enabled: Option<bool>,
    /// Whose events. Without it: those of the whole installation, or of the only organization of the client.
    #[schema(value_type = Option<Uuid>)]
    organization_id: Option<String>,
}

impl From<DraftJson> for NotificationDraft {
    fn from(draft: DraftJson) -> Self {
        let DraftJson { name, kind, target, topics, paths, severity, enabled, organization_id } = draft;
        Self { name, kind, target, topics, paths, severity, enabled, organization_id }
    }
}

/// Changes of a notification. Absent fields stay unchanged.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NotificationPatch)]
pub(super) struct PatchJson {
    #[schema(min_length = 1, max_length = 100)]
    name: Option<String>,
    /// Where messages go.
    #[schema(max_length = 2000)]
    target: Option<String>,
    /// Only events of these topics; an empty list for all.
    topics: Option<Vec<String>>,
    /// Only events about these paths, exact or `prefix/*`; an empty list for all.
    paths: Option<Vec<String>>,
    #[schema(value_type = Option<crate::domain::notification::Severity>)]
    severity: Option<String>,
    /// Whether it hears anything. One that is turned on again begins with the next event.
    enabled: Option<bool>,
}

impl From<PatchJson> for NotificationDraft {
    fn from(patch: PatchJson) -> Self {
        let PatchJson { name, target, topics, paths, severity, enabled } = patch;
        Self { name, target, topics, paths, severity, enabled, kind: None, organization_id: None }
    }
}

/// Filter of the messages.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct DeliveriesQuery {
    /// Only messages in this state.
    #[param(value_type = Option<DeliveryState>)]
    status: Option<String>,
    /// At most this many. Without it: the whole list, or 100 after a `cursor`.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    limit: Option<String>,
    /// `next_cursor` of the previous page.
    #[param(pattern = "^[0-9A-Za-z_-]{32}$")]
    cursor: Option<String>,
}

impl ListQuery for DeliveriesQuery {
    type Filter = (Option<DeliveryState>, Page<Newest>);

    fn filter(self) -> Result<Self::Filter, Invalid> {
        let refused = |_| Invalid::one("status", "must be pending, delivered or dead");
        let state = self.status.map(|text| text.parse().map_err(refused)).transpose()?;
        Ok((state, page(self.limit.as_deref(), self.cursor.as_deref())?))
    }
}
