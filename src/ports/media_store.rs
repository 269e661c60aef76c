//! The files of clips.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;

use crate::domain::clip::{ClipId, ContentHash, JobId, MediaFile};

/// Why files cannot be read or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MediaError {
    /// There is no room for more.
    #[error("there is no room for media: {0}")]
    Full(String),
    /// The file is not here: it was removed, or it is on another machine.
    #[error("the file is not on this machine: {0}")]
    Missing(String),
    /// The bucket cannot be used.
    #[error("the bucket of the clips cannot be used: {0}")]
    Bucket(String),
    /// Anything else.
    #[error("the media folder cannot be used: {0}")]
    Io(String),
}

/// The result of a method of the media store.
pub type MediaResult<T> = Result<T, MediaError>;

/// A file on this machine. It is not removed to make room while this is held.
pub type LocalFile = Arc<Path>;

/// The files of clips. A file that has been kept never changes.
#[async_trait]
pub trait MediaStore: Send + Sync {
    /// MUST make an empty upload, and survive a power failure from then on.
    async fn create_upload(&self, clip: ClipId) -> MediaResult<()>;

    /// MUST open the upload for appending at `offset`, without what was written behind it.
    /// [`MediaError::Missing`] if it does not have `offset` bytes.
    async fn open_upload(&self, clip: ClipId, offset: u64) -> MediaResult<Box<dyn UploadWriter>>;

    /// Whether the upload is here and has at least `offset` bytes.
    async fn has_upload(&self, clip: ClipId, offset: u64) -> MediaResult<bool>;

    /// Whether kept files are in a bucket, from which they are fetched to this machine when they are needed.
    fn has_bucket(&self) -> bool;

    /// MUST find out whether kept files can be read and written.
    async fn check(&self) -> MediaResult<()>;

    /// MUST keep the complete upload under its content, where every instance finds it, and return that. Calling it again
    /// MUST return the same. [`MediaError::Missing`] if the upload is not here and was not kept.
    async fn keep_source(&self, clip: ClipId) -> MediaResult<ContentHash>;

    /// MUST return the kept upload, fetched if need be.
    async fn source(&self, clip: ClipId, hash: &ContentHash) -> MediaResult<LocalFile>;

    /// The path of a new file that a job may write. Files of the clip's earlier jobs are removed.
    async fn work_file(&self, clip: ClipId, job: JobId) -> MediaResult<PathBuf>;

    /// MUST keep the job's file as a rendition of the clip under its content, where every instance finds it, and return that
    /// and its size. If that fails, it can be tried again.
    async fn keep_rendition(&self, clip: ClipId, job: JobId) -> MediaResult<(ContentHash, u64)>;

    /// MUST remove the job's file, if it is there.
    async fn discard(&self, clip: ClipId, job: JobId);

    /// A rendition; `None` if it has to be fetched first.
    async fn rendition(&self, clip: ClipId, file: &MediaFile) -> Option<LocalFile>;

    /// MUST fetch a rendition, if it is not here. MUST leave nothing under its name that is not all of it.
    async fn fetch_rendition(&self, clip: ClipId, file: &MediaFile) -> MediaResult<()>;

    /// The folder of built-in pictures.
    fn slates(&self) -> PathBuf;

    /// How many more bytes fit on this machine.
    async fn free_bytes(&self) -> MediaResult<u64>;

    /// MUST remove all files of the clip, unfinished ones too.
    async fn remove(&self, clip: ClipId) -> MediaResult<()>;

    /// MUST return the clips that have files here or in the bucket.
    async fn clips(&self) -> MediaResult<Vec<ClipId>>;
}

/// An upload that is being written.
#[async_trait]
pub trait UploadWriter: Send {
    /// MUST append the bytes. After an error nothing behind the last [`UploadWriter::sync`] is kept.
    async fn write(&mut self, bytes: &[u8]) -> MediaResult<()>;

    /// MUST bring everything that was written to the disk: it survives a power failure from then on.
    async fn sync(&mut self) -> MediaResult<()>;
}
