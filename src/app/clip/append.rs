//! Appends to uploads. What is acknowledged was on the disk before, and survives a power failure.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::turns::Turn;
use super::{Clips, KIND, RESERVE, RESOURCE};
use crate::app::error::Conflict;
use crate::app::{AppError, Result};
use crate::domain::access::{Action, Actor};
use crate::domain::clip::{Clip, ClipId, ClipState};
use crate::ports::{UploadWriter, WakeUp};

/// After so many bytes what was received is acknowledged, so that not more is lost with a connection.
const ACKNOWLEDGE_EVERY: u64 = 8 * 1024 * 1024;

/// A part of an upload that is being received.
pub struct Append {
    clips: Arc<Clips>,
    writer: Box<dyn UploadWriter>,
    turn: Turn,
    /// As it is stored.
    clip: Clip,
    acknowledged: u64,
    written: u64,
}

impl Clips {
    /// Begins to append at byte `offset` of an upload.
    pub async fn append(self: &Arc<Self>, actor: &Actor, id: ClipId, offset: u64) -> Result<Append> {
        let entry = self.core.entry(actor, "upload", KIND).on(&id);
        self.core
            .audited(&entry, async {
                let scope = actor.authorize(Action::Operate, &RESOURCE)?;
                // Before the turn, which ends what another client is sending.
                self.find(&scope, id).await?;
                let turn = self.turns.take(id).await;
                let clip = self.find(&scope, id).await?;
                match clip.state {
                    ClipState::Uploading { expires_at, .. } if expires_at <= self.core.now() => {
                        return Err(AppError::UploadGone);
                    }
                    ClipState::Uploading { offset: at, .. } if at == offset => {}
                    ClipState::Uploading { offset: at, .. } => return Err(Conflict::UploadOffset(at).into()),
                    _ => return Err(Conflict::UploadComplete.into()),
                }
                let writer = self.outside.media.open_upload(id, offset).await?;
                let (acknowledged, written) = (offset, offset);
                Ok(Append { clips: Arc::clone(self), writer, turn, clip, acknowledged, written })
            })
            .await
    }
}

impl Append {
    /// Another request has begun to append: this one must end.
    pub fn is_over(&self) -> CancellationToken {
        self.turn.is_over.clone()
    }

    /// How many bytes may still come.
    pub fn remaining(&self) -> u64 {
        self.clip.size - self.written
    }

    /// Appends bytes. After an error, nothing that was not acknowledged is kept.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        if bytes.len() as u64 > self.remaining() {
            return Err(AppError::TooLarge(self.clip.size));
        }
        self.writer.write(bytes).await?;
        self.written += bytes.len() as u64;
        if self.written - self.acknowledged >= ACKNOWLEDGE_EVERY {
            self.acknowledge().await?;
            // The database may be on the same disk.
            if self.clips.outside.media.free_bytes().await? < RESERVE {
                return Err(AppError::MediaFull);
            }
        }
        Ok(())
    }

    /// Stores what was received for certain. Returns the clip; if it is complete, it is prepared next.
    pub async fn acknowledge(&mut self) -> Result<&Clip> {
        if self.written == self.acknowledged {
            return Ok(&self.clip);
        }
        self.writer.sync().await?;
        let (now, core) = (self.clips.core.now(), &self.clips.core);
        let part = (self.acknowledged, self.written);
        let expires_at = now.plus(self.clips.settings.upload_expiry);
        let advanced = core.store.advance_upload(self.clip.id, part, expires_at, now).await?;
        // It was deleted or expired, or another instance received the same part.
        self.clip = advanced.ok_or(AppError::UploadGone)?;
        self.acknowledged = self.written;
        if self.clip.is_to_prepare() {
            core.wake_ups.send(WakeUp::Clips);
        }
        Ok(&self.clip)
    }
}
