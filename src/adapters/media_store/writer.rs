//! An upload that is being written.

use std::io::SeekFrom;
use std::path::Path;

use async_trait::async_trait;
use tokio::fs::{File, OpenOptions};
use tokio::io::{AsyncSeekExt as _, AsyncWriteExt as _};

use super::error::error;
use crate::ports::{MediaError, MediaResult, UploadWriter};

/// A file behind whose last synced byte new ones are written.
pub(super) struct LocalUpload {
    file: File,
    /// So many bytes are on the disk.
    synced: u64,
    written: u64,
}

impl LocalUpload {
    pub(super) async fn open(path: &Path, offset: u64) -> MediaResult<Self> {
        let mut file = OpenOptions::new().write(true).open(path).await.map_err(error)?;
        let size = file.metadata().await.map_err(error)?.len();
        if size < offset {
            return Err(MediaError::Missing(format!("{size} of {offset} bytes of the upload are there")));
        }
        file.set_len(offset).await.map_err(error)?;
        file.seek(SeekFrom::Start(offset)).await.map_err(error)?;
        Ok(Self { file, synced: offset, written: offset })
    }

    /// Removes what is not on the disk for certain, after an error. It may be what fills the disk.
    async fn cut(&mut self) {
        if let Err(error) = self.file.set_len(self.synced).await {
            tracing::warn!(%error, "an upload cannot be shortened to what is stored for certain");
        }
    }
}

#[async_trait]
impl UploadWriter for LocalUpload {
    async fn write(&mut self, bytes: &[u8]) -> MediaResult<()> {
        if let Err(failed) = self.file.write_all(bytes).await {
            self.cut().await;
            return Err(error(failed));
        }
        self.written += bytes.len() as u64;
        Ok(())
    }

    async fn sync(&mut self) -> MediaResult<()> {
        let flushed = self.file.flush().await;
        let done = match flushed {
            Ok(()) => self.file.sync_data().await,
            failed => failed,
        };
        if let Err(failed) = done {
            self.cut().await;
            return Err(error(failed));
        }
        self.synced = self.written;
        Ok(())
    }
}
