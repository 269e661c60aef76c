//! The bodies and the query of `/stream-keys`.

use serde::Deserialize;
use utoipa::ToSchema;

use crate::adapters::http::extract::{ListQuery, uuid};
use crate::adapters::http::list::page;
use crate::app::stream_key::StreamKeyDraft;
use crate::domain::Invalid;
use crate::domain::page::{Newest, Page};
use crate::domain::path::StreamPath;
use crate::domain::playback::PlaybackAccess;
use crate::domain::stream_key::OnConflict;
use crate::ports::KeyFilter;

/// A key to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StreamKeyDraft)]
pub(super) struct DraftJson {
    #[schema(value_type = Uuid, required = true)]
    broadcaster_id: Option<String>,
    /// Its public path. Without one: `live/` and the broadcaster's name.
    #[schema(example = "live/alice", max_length = 200, pattern = "^[0-9A-Za-z_-]+(/[0-9A-Za-z_-]+)*$")]
    path: Option<String>,
    /// A note.
    #[schema(min_length = 1, max_length = 255)]
    label: Option<String>,
    /// When it expires; must be in the future.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
    #[schema(value_type = Option<OnConflict>)]
    on_conflict: Option<String>,
    /// Who may watch its path. Without it: as `playback.access` of the installation says.
    #[schema(value_type = Option<PlaybackAccess>)]
    playback_access: Option<String>,
}

/// A change of a key.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StreamKeyChange)]
pub(super) struct ChangeJson {
    /// Who may watch its path: everybody, who has a playback token, or as `playback.access` of the installation says.
    #[schema(value_type = String, required = true, pattern = "^(public|token|installation)$", example = "token")]
    playback_access: Option<String>,
}

impl ChangeJson {
    /// Who may watch.
    pub(super) fn playback_access(self) -> String {
        self.playback_access.unwrap_or_default()
    }
}

/// Filter of the keys.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct StreamKeysQuery {
    /// Keys of this broadcaster.
    #[param(format = Uuid)]
    broadcaster_id: Option<String>,
    /// Keys with this path.
    #[param(max_length = 200, pattern = "^[0-9A-Za-z_-]+(/[0-9A-Za-z_-]+)*$")]
    path: Option<String>,
    /// At most this many. Without it: the whole list, or 100 after a `cursor`.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    limit: Option<String>,
    /// `next_cursor` of the previous page.
    #[param(pattern = "^[0-9A-Za-z_-]{32}$")]
    cursor: Option<String>,
}

impl From<DraftJson> for StreamKeyDraft {
    fn from(draft: DraftJson) -> Self {
        let DraftJson { broadcaster_id, path, label, expires_at, on_conflict, playback_access } = draft;
        let broadcaster_id = broadcaster_id.unwrap_or_default();
        Self { broadcaster_id, path, label, expires_at, on_conflict, playback_access }
    }
}

impl ListQuery for StreamKeysQuery {
    type Filter = (KeyFilter, Page<Newest>);

    fn filter(self) -> Result<Self::Filter, Invalid> {
        let filter = KeyFilter {
            broadcaster_id: self.broadcaster_id.map(|id| uuid("broadcaster_id", &id)).transpose()?,
            path: self.path.as_deref().map(StreamPath::parse).transpose()?,
        };
        Ok((filter, page(self.limit.as_deref(), self.cursor.as_deref())?))
    }
}
