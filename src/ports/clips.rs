//! The store of clips.

use async_trait::async_trait;

use super::{Change, Result};
use crate::domain::Timestamp;
use crate::domain::access::Scope;
use crate::domain::channel::ChannelId;
use crate::domain::clip::{Clip, ClipId, ContentHash, JobId, Step};
use crate::domain::page::{Newest, Page};
use crate::domain::profile::Profile;

/// The result of creating a clip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClipCreation {
    /// It is stored.
    Created,
    /// All clips together would be too large; nothing was written.
    Full,
}

/// The result of deleting a clip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClipDeletion {
    /// It is gone.
    Deleted,
    /// There is no such clip; nothing was written.
    NotFound,
    /// It is in the playlists of these channels; nothing was written.
    InUse(Vec<ChannelId>),
}

/// Clips.
#[async_trait]
pub trait ClipStore: Send + Sync {
    /// MUST store the clip and the audit entry, or neither of them if all clips together would then take more than
    /// `max_bytes` ([`Clip::stored_bytes`]).
    async fn create_clip(&self, clip: &Clip, max_bytes: u64, by: Change<'_>) -> Result<ClipCreation>;

    /// MUST return the clip as it was last stored, or `None`.
    async fn clip(&self, scope: &Scope, id: ClipId) -> Result<Option<Clip>>;

    /// MUST return those of these clips that exist.
    async fn clips_with(&self, scope: &Scope, ids: &[ClipId]) -> Result<Vec<Clip>>;

    /// MUST return the page of all clips, newest first, ties by id.
    async fn clips(&self, scope: &Scope, page: &Page<Newest>) -> Result<Vec<Clip>>;

    /// MUST return how many bytes all clips together take.
    async fn clip_bytes(&self) -> Result<u64>;

    /// MUST record that bytes `part` of the upload are stored ([`Clip::advanced`]), only if the upload is where the part
    /// begins. Returns `None` otherwise; nothing is written then.
    async fn advance_upload(
        &self,
        id: ClipId,
        part: (u64, u64),
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<Option<Clip>>;

    /// MUST record that the clip is wanted in a profile ([`Clip::wanted`]). Returns whether that is new.
    async fn want_rendition(&self, id: ClipId, profile: &Profile, now: Timestamp) -> Result<bool>;

    /// MUST return the clips whose upload is complete and not kept yet ([`Clip::is_to_keep`]), oldest first, up to 100.
    async fn clips_to_keep(&self) -> Result<Vec<Clip>>;

    /// MUST record that the upload is kept, or why it is not yet ([`Clip::kept`]). Returns `None` if that is not waited for,
    /// or if the clip is gone; nothing is written then.
    async fn record_kept(
        &self,
        id: ClipId,
        kept: &std::result::Result<ContentHash, String>,
        now: Timestamp,
    ) -> Result<Option<Clip>>;

    /// MUST give the oldest clip that is to be prepared to `job` until `until` ([`Clip::claimed`]), unless another job has
    /// it at `now`. If `only_kept`, MUST give only clips whose upload is kept. Of several jobs at once, MUST give it to one.
    /// MUST count the attempts since the last step.
    async fn claim_clip(
        &self,
        job: JobId,
        only_kept: bool,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<Clip>>;

    /// MUST record a step ([`Clip::after`]) of the clip that `job` has, and give it to the job until `until`; when the clip
    /// is not at work any more, nobody has it, and a postponed one is not given to anybody before `until`. Returns `None`
    /// if another job has the clip, or if it is gone; nothing is written then.
    async fn record_step(
        &self,
        id: ClipId,
        job: JobId,
        step: &Step,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<Option<Clip>>;

    /// MUST remove the clip, with the audit entry, unless it is in the playlist of a channel, also if it is put there at
    /// the same moment.
    async fn delete_clip(&self, id: ClipId, by: Change<'_>) -> Result<ClipDeletion>;

    /// MUST remove the uploads that expired before `now`, and no others; returns their ids.
    async fn remove_expired_uploads(&self, now: Timestamp) -> Result<Vec<ClipId>>;
}
