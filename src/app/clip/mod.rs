//! Use-cases of clips. `append.rs` takes the bytes of uploads, `prepare.rs` makes renditions, and `transfer.rs` moves files
//! between this machine and a bucket.

mod append;
mod prepare;
mod transfer;
mod turns;
mod wanted;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use super::error::Conflict;
use super::housekeeping::Chore;
use super::list::List;
use super::{AppError, Core, Result};
use crate::domain::Timestamp;
use crate::domain::access::{Action, Actor, Resource, Scope};
use crate::domain::channel::ChannelId;
use crate::domain::clip::{Clip, ClipId, ClipName, ClipState, MAX_UPLOAD};
use crate::domain::invalid::Invalid;
use crate::domain::page::{Newest, Page, Placed};
use crate::domain::profile::Profile;
use crate::ports::{
    Change, ClipCreation, ClipDeletion, LocalFile, MediaStore, Result as StoreResult, TranscodeError,
    Transcoder, WakeUp,
};

pub use append::Append;
pub use prepare::ClipPreparation;
pub use transfer::ClipTransfers;
use turns::Turns;
pub use wanted::TransferStatus;
use wanted::Transfers;

const RESOURCE: Resource = Resource::READ_BY_ALL;
const KIND: &str = "clip";
/// How often files without a clip are searched for.
const ORPHANS_EVERY: Duration = Duration::from_secs(600);
/// How much of the disk is left to everything else.
const RESERVE: u64 = 256 * 1024 * 1024;

/// Settings of clips.
#[derive(Clone, Copy, Debug)]
pub struct ClipSettings {
    /// The most bytes that all clips take together.
    pub max_bytes: u64,
    /// An upload that does not continue is removed after this time.
    pub upload_expiry: Duration,
    /// How many clips this instance prepares at once.
    pub jobs: u32,
}

/// The systems outside that clips need.
#[derive(Clone)]
pub struct ClipOutside {
    /// Where the files are.
    pub media: Arc<dyn MediaStore>,
    /// What converts them.
    pub transcoder: Arc<dyn Transcoder>,
}

/// A clip, and the channels that use it.
#[derive(Clone, Debug)]
pub struct ClipInUse {
    /// The clip.
    pub clip: Clip,
    /// The channels.
    pub in_use_by: Vec<ChannelId>,
}

impl Placed for ClipInUse {
    type Place = Newest;

    fn place(&self) -> Newest {
        self.clip.place()
    }
}

/// Uploaded files, prepared for playout.
pub struct Clips {
    core: Arc<Core>,
    outside: ClipOutside,
    settings: ClipSettings,
    turns: Turns,
    transfers: Transfers,
    orphans_removed: Mutex<Option<Timestamp>>,
}

impl Clips {
    /// The service.
    pub fn new(core: Arc<Core>, outside: ClipOutside, settings: ClipSettings) -> Self {
        let (turns, transfers) = (Turns::default(), Transfers::default());
        Self { core, outside, settings, turns, transfers, orphans_removed: Mutex::default() }
    }

    /// Begins an upload of `size` bytes. `owner` is the id of an organization.
    pub async fn create_upload(
        &self,
        actor: &Actor,
        owner: Option<&str>,
        name: &str,
        size: u64,
    ) -> Result<Clip> {
        let id = ClipId(self.core.id());
        let entry = self.core.entry(actor, "create", KIND).on(&id);
        self.core
            .audited(&entry, async {
                let scope = actor.authorize(Action::Operate, &RESOURCE)?;
                let name = ClipName::parse(name)?;
                if size == 0 {
                    return Err(Invalid::one("Upload-Length", "must not be 0: the file is empty").into());
                }
                if size > MAX_UPLOAD {
                    return Err(AppError::TooLarge(MAX_UPLOAD));
                }
                let owner = self.core.owner_of_new(&scope, owner).await?;
                let media = &self.outside.media;
                if media.free_bytes().await? < size.saturating_add(RESERVE) {
                    return Err(AppError::MediaFull);
                }
                let now = self.core.now();
                let clip = Clip::new((id, owner), name, size, now.plus(self.settings.upload_expiry), now);
                media.create_upload(id).await?;
                let change = Change::new(&scope, &entry);
                let created = self.core.store.create_clip(&clip, self.settings.max_bytes, change).await;
                match created {
                    Ok(ClipCreation::Created) => Ok(clip),
                    Ok(ClipCreation::Full) => {
                        self.remove_files(id).await;
                        Err(AppError::MediaFull)
                    }
                    // It may be stored. If not, its file is removed as one without a clip.
                    Err(error) => Err(error.into()),
                }
            })
            .await
    }

    /// A clip whose upload can be continued. A part that is being received is stored first, and no more of it is taken.
    pub async fn upload(&self, actor: &Actor, id: ClipId) -> Result<Clip> {
        let scope = actor.authorize(Action::Operate, &RESOURCE)?;
        // Before the turn, which ends what another client is sending.
        self.find(&scope, id).await?;
        drop(self.turns.take(id).await);
        let clip = self.find(&scope, id).await?;
        if let ClipState::Uploading { offset, expires_at } = clip.state
            && (expires_at <= self.core.now() || !self.outside.media.has_upload(id, offset).await?)
        {
            return Err(AppError::UploadGone);
        }
        Ok(clip)
    }

    /// One clip.
    pub async fn get(&self, actor: &Actor, id: ClipId) -> Result<ClipInUse> {
        let scope = actor.authorize(Action::Read, &RESOURCE)?;
        let clip = self.find(&scope, id).await?;
        let uses = self.core.store.clip_uses(&scope, &[id]).await?;
        Ok(ClipInUse { clip, in_use_by: uses.into_iter().map(|(_, channel)| channel).collect() })
    }

    /// Deletes a clip and its files, or ends its upload. A clip that a channel uses is not deleted.
    pub async fn delete(&self, actor: &Actor, id: ClipId) -> Result<()> {
        let entry = self.core.entry(actor, "delete", KIND).on(&id);
        self.core
            .audited(&entry, async {
                let scope = actor.authorize(Action::Operate, &RESOURCE)?;
                self.find(&scope, id).await?;
                let _turn = self.turns.take(id).await;
                match self.core.store.delete_clip(id, Change::new(&scope, &entry)).await? {
                    ClipDeletion::Deleted => self.remove_files(id).await,
                    ClipDeletion::NotFound => return Err(AppError::NotFound(KIND)),
                    ClipDeletion::InUse(channels) => {
                        let channels: Vec<String> =
                            channels.iter().map(|channel| format!("channel {channel}")).collect();
                        return Err(Conflict::ClipInUse(channels.join(", ")).into());
                    }
                }
                Ok(())
            })
            .await
    }

    /// The files of these clips in a profile. One that is not made yet is left out, and is made if it can be. So is one that
    /// is in the bucket only, and is fetched.
    pub async fn renditions(
        &self,
        ids: &[ClipId],
        profile: &Profile,
    ) -> StoreResult<BTreeMap<ClipId, LocalFile>> {
        let (store, now) = (&self.core.worker_store, self.core.now());
        let (mut files, mut is_new) = (BTreeMap::new(), false);
        for clip in store.clips_with(&Scope::system(), ids).await? {
            let id = clip.id;
            if let Some(file) = clip.rendition(profile) {
                match self.outside.media.rendition(id, &file).await {
                    Some(local) => drop(files.insert(id, local)),
                    None => self.transfers.want(id, file),
                }
            } else if clip.wanted(profile, now).is_some() {
                is_new |= store.want_rendition(id, profile, now).await?;
            }
        }
        if is_new {
            self.core.wake_ups.send(WakeUp::Clips);
        }
        Ok(files)
    }

    /// The file of the built-in picture in a profile. If there is none yet, it is made.
    pub async fn slate(&self, profile: &Profile) -> std::result::Result<PathBuf, TranscodeError> {
        self.outside.transcoder.slate(profile, &self.outside.media.slates()).await
    }

    /// An MP4 file with the media of a rendition or slate. If there is none yet, it is made.
    pub async fn as_mp4(&self, file: &Path) -> std::result::Result<PathBuf, TranscodeError> {
        self.outside.transcoder.as_mp4(file).await
    }

    async fn find(&self, scope: &Scope, id: ClipId) -> Result<Clip> {
        self.core.store.clip(scope, id).await?.ok_or(AppError::NotFound(KIND))
    }

    async fn remove_files(&self, id: ClipId) {
        if let Err(error) = self.outside.media.remove(id).await {
            tracing::warn!(clip = %id, %error, "the files of a deleted clip cannot be removed; this is tried again");
        }
    }

    /// Removes the files whose clip is gone, every ten minutes. A clip is stored after its first file, so a file may be
    /// a little older than its clip.
    async fn remove_orphans(&self) -> StoreResult<()> {
        let now = self.core.now();
        {
            let mut removed = self.orphans_removed.lock().unwrap_or_else(PoisonError::into_inner);
            if removed.is_some_and(|at| now.since(at) < ORPHANS_EVERY) {
                return Ok(());
            }
            *removed = Some(now);
        }
        let found = self.outside.media.clips().await;
        let found = found.unwrap_or_else(|error| {
            tracing::warn!(%error, "the clips that have files cannot be listed");
            Vec::new()
        });
        for id in found {
            let is_old = now.since(made_at(id)) > ORPHANS_EVERY;
            if is_old && self.core.worker_store.clip(&Scope::system(), id).await?.is_none() {
                tracing::info!(clip = %id, "removing the files of a clip that does not exist");
                self.remove_files(id).await;
            }
        }
        Ok(())
    }
}

/// When an id was made: a UUIDv7 begins with the time.
fn made_at(ClipId(id): ClipId) -> Timestamp {
    let (seconds, nanos) = id.get_timestamp().map_or((0, 0), |at| at.to_unix());
    Timestamp::from_micros(
        i64::try_from(seconds.saturating_mul(1_000_000) + u64::from(nanos / 1_000)).unwrap_or(0),
    )
}

#[async_trait]
impl List for Clips {
    type Filter = ();
    type Row = ClipInUse;

    /// Newest first.
    async fn list(&self, actor: &Actor, (): &(), page: &Page<Newest>) -> Result<Vec<ClipInUse>> {
        let scope = actor.authorize(Action::Read, &RESOURCE)?;
        let store = self.core.lists.turn().await;
        let clips = store.clips(&scope, page).await?;
        let ids: Vec<ClipId> = clips.iter().map(|clip| clip.id).collect();
        let uses = store.clip_uses(&scope, &ids).await?;
        let used = |clip: Clip| {
            let in_use_by =
                uses.iter().filter(|(id, _)| *id == clip.id).map(|(_, channel)| *channel).collect();
            ClipInUse { clip, in_use_by }
        };
        Ok(clips.into_iter().map(used).collect())
    }
}

/// Removes uploads that expired.
#[async_trait]
impl Chore for Clips {
    async fn run(&self) -> StoreResult<()> {
        for id in self.core.worker_store.remove_expired_uploads(self.core.now()).await? {
            tracing::info!(clip = %id, "an upload expired and is removed");
            self.remove_files(id).await;
        }
        self.remove_orphans().await
    }
}

#[cfg(test)]
mod tests;
