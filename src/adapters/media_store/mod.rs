//! The files of clips in a folder:
//!
//! ```text
//! uploads/<clip>            what was uploaded so far
//! work/<clip>-<job>.flv     what a job writes
//! clips/<clip>/<hash>       the uploaded file, named by its content
//! clips/<clip>/<hash>.flv   a rendition, named by its content; beside it its MP4, if one is wanted
//! slates/<profile>.flv      the built-in picture in a profile
//! ```
//!
//! A file gets its last name by renaming, when it is complete and on the disk.

mod error;
mod writer;

use std::io;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use sha2::{Digest as _, Sha256};
use tokio::fs;
use tokio::io::AsyncReadExt as _;

use crate::domain::clip::{ClipId, ContentHash, JobId};
use crate::ports::{MediaError, MediaResult, MediaStore, UploadWriter};
use error::error;
use writer::LocalUpload;

/// How much of a file is read at once, to hash it.
const BLOCK: usize = 1024 * 1024;

/// A folder on this machine, or one that several machines share.
#[derive(Clone, Debug)]
pub struct LocalMedia {
    root: PathBuf,
}

impl LocalMedia {
    /// A folder, which need not be there yet.
    pub fn new(root: PathBuf) -> Self {
        Self { root }
    }

    fn upload(&self, clip: ClipId) -> PathBuf {
        self.root.join("uploads").join(clip.to_string())
    }

    fn folder(&self, clip: ClipId) -> PathBuf {
        self.root.join("clips").join(clip.to_string())
    }

    fn work(&self, clip: ClipId, job: JobId) -> PathBuf {
        self.root.join("work").join(format!("{clip}-{job}.flv"))
    }

    /// Removes what jobs wrote of a clip: of this one, and of those that were killed.
    async fn remove_work(&self, clip: ClipId) -> MediaResult<()> {
        let mut files = match fs::read_dir(self.root.join("work")).await {
            Err(gone) if gone.kind() == io::ErrorKind::NotFound => return Ok(()),
            files => files.map_err(error)?,
        };
        let start = format!("{clip}-");
        while let Some(file) = files.next_entry().await.map_err(error)? {
            if file.file_name().to_str().is_some_and(|name| name.starts_with(&start)) {
                remove_if_there(fs::remove_file(file.path())).await?;
            }
        }
        Ok(())
    }

    /// The uploaded file, if it was kept before.
    async fn kept_source(&self, clip: ClipId) -> MediaResult<(ContentHash, PathBuf)> {
        let folder = self.folder(clip);
        let mut files = fs::read_dir(&folder).await.map_err(error)?;
        while let Some(file) = files.next_entry().await.map_err(error)? {
            if let Some(hash) = file.file_name().to_str().and_then(|name| name.parse().ok()) {
                return Ok((hash, file.path()));
            }
        }
        Err(MediaError::Missing("the uploaded file".to_owned()))
    }
}

/// Brings the names in a folder to the disk.
async fn sync_folder(folder: &Path) -> MediaResult<()> {
    fs::File::open(folder).await.map_err(error)?.sync_all().await.map_err(error)
}

async fn make_folder(folder: &Path) -> MediaResult<()> {
    fs::create_dir_all(folder).await.map_err(error)
}

/// Gives a complete file its last name.
async fn rename(from: &Path, to: &Path) -> MediaResult<()> {
    if let Some(folder) = to.parent() {
        make_folder(folder).await?;
        fs::rename(from, to).await.map_err(error)?;
        sync_folder(folder).await?;
    }
    Ok(())
}

/// Brings a file to the disk, and returns its content and size.
async fn hash(path: &Path) -> MediaResult<(ContentHash, u64)> {
    let mut file = fs::File::open(path).await.map_err(error)?;
    file.sync_all().await.map_err(error)?;
    let (mut hasher, mut size, mut block) = (Sha256::new(), 0, vec![0; BLOCK]);
    loop {
        let count = file.read(&mut block).await.map_err(error)?;
        let Some(read) = block.get(..count).filter(|read| !read.is_empty()) else { break };
        hasher.update(read);
        size += count as u64;
    }
    Ok((ContentHash(hasher.finalize().into()), size))
}

async fn remove_if_there(done: impl Future<Output = io::Result<()>>) -> MediaResult<()> {
    match done.await {
        Err(gone) if gone.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done.map_err(error),
    }
}

#[async_trait]
impl MediaStore for LocalMedia {
    async fn create_upload(&self, clip: ClipId) -> MediaResult<()> {
        let (path, folder) = (self.upload(clip), self.root.join("uploads"));
        make_folder(&folder).await?;
        fs::File::create_new(&path).await.map_err(error)?;
        sync_folder(&folder).await
    }

    async fn open_upload(&self, clip: ClipId, offset: u64) -> MediaResult<Box<dyn UploadWriter>> {
        Ok(Box::new(LocalUpload::open(&self.upload(clip), offset).await?))
    }

    async fn has_upload(&self, clip: ClipId, offset: u64) -> MediaResult<bool> {
        match fs::metadata(self.upload(clip)).await {
            Ok(found) => Ok(found.len() >= offset),
            Err(gone) if gone.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(other) => Err(error(other)),
        }
    }

    async fn keep_source(&self, clip: ClipId) -> MediaResult<(ContentHash, PathBuf)> {
        let upload = self.upload(clip);
        let (hash, _) = match hash(&upload).await {
            Err(MediaError::Missing(_)) => return self.kept_source(clip).await,
            hashed => hashed?,
        };
        let kept = self.folder(clip).join(hash.to_string());
        rename(&upload, &kept).await?;
        Ok((hash, kept))
    }

    async fn work_file(&self, clip: ClipId, job: JobId) -> MediaResult<PathBuf> {
        make_folder(&self.root.join("work")).await?;
        self.remove_work(clip).await?;
        Ok(self.work(clip, job))
    }

    async fn keep_rendition(&self, clip: ClipId, job: JobId) -> MediaResult<(ContentHash, u64)> {
        let work = self.work(clip, job);
        let (hash, size) = hash(&work).await?;
        rename(&work, &self.rendition(clip, &hash)).await?;
        Ok((hash, size))
    }

    async fn discard(&self, clip: ClipId, job: JobId) {
        if let Err(error) = remove_if_there(fs::remove_file(self.work(clip, job))).await {
            tracing::warn!(%clip, %error, "a file of an unfinished conversion cannot be removed");
        }
    }

    fn rendition(&self, clip: ClipId, hash: &ContentHash) -> PathBuf {
        self.folder(clip).join(format!("{hash}.flv"))
    }

    fn slates(&self) -> PathBuf {
        self.root.join("slates")
    }

    async fn free_bytes(&self) -> MediaResult<u64> {
        make_folder(&self.root).await?;
        let found = rustix::fs::statvfs(&self.root).map_err(|failed| error(failed.into()))?;
        Ok(found.f_bavail.saturating_mul(found.f_frsize))
    }

    async fn remove(&self, clip: ClipId) -> MediaResult<()> {
        remove_if_there(fs::remove_file(self.upload(clip))).await?;
        self.remove_work(clip).await?;
        remove_if_there(fs::remove_dir_all(self.folder(clip))).await
    }

    async fn clips(&self) -> MediaResult<Vec<ClipId>> {
        let mut found = Vec::new();
        for folder in ["uploads", "clips"] {
            let mut files = match fs::read_dir(self.root.join(folder)).await {
                Err(gone) if gone.kind() == io::ErrorKind::NotFound => continue,
                files => files.map_err(error)?,
            };
            while let Some(file) = files.next_entry().await.map_err(error)? {
                found.extend(file.file_name().to_str().and_then(|name| name.parse::<ClipId>().ok()));
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;
    use uuid::Uuid;

    use super::*;

    const CLIP: ClipId = ClipId(Uuid::from_u128(1));
    const JOB: JobId = JobId(Uuid::from_u128(2));
    /// SHA-256 of `hello world`.
    const HELLO: &str = "b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9";

    fn media() -> (TempDir, LocalMedia) {
        let folder = TempDir::new().unwrap();
        let media = LocalMedia::new(folder.path().join("media"));
        (folder, media)
    }

    #[tokio::test]
    async fn upload_is_resumed_without_what_was_not_acknowledged() {
        let (_folder, media) = media();
        media.create_upload(CLIP).await.unwrap();
        let mut writer = media.open_upload(CLIP, 0).await.unwrap();
        writer.write(b"hello ").await.unwrap();
        writer.sync().await.unwrap();
        writer.write(b"lost").await.unwrap();
        writer.sync().await.unwrap();
        drop(writer);
        assert!(media.has_upload(CLIP, 10).await.unwrap() && !media.has_upload(CLIP, 11).await.unwrap());
        let mut writer = media.open_upload(CLIP, 6).await.unwrap();
        writer.write(b"world").await.unwrap();
        writer.sync().await.unwrap();
        let (hash, path) = media.keep_source(CLIP).await.unwrap();
        assert_eq!(
            (hash.to_string().as_str(), std::fs::read(&path).unwrap().as_slice()),
            (HELLO, &b"hello world"[..])
        );
        assert_eq!(media.keep_source(CLIP).await.unwrap(), (hash, path), "keeping it again gives the same");
        assert!(!media.has_upload(CLIP, 0).await.unwrap());
    }

    #[tokio::test]
    async fn upload_that_lacks_acknowledged_bytes_is_missing() {
        let (_folder, media) = media();
        assert!(matches!(media.open_upload(CLIP, 0).await.err(), Some(MediaError::Missing(_))));
        media.create_upload(CLIP).await.unwrap();
        assert!(matches!(media.open_upload(CLIP, 1).await.err(), Some(MediaError::Missing(_))));
        assert!(matches!(media.keep_source(ClipId(Uuid::max())).await, Err(MediaError::Missing(_))));
    }

    #[tokio::test]
    async fn rendition_is_named_by_its_content_and_goes_with_its_clip() {
        let (_folder, media) = media();
        assert_eq!(media.clips().await.unwrap(), []);
        let work = media.work_file(CLIP, JOB).await.unwrap();
        std::fs::write(&work, "hello world").unwrap();
        let (hash, size) = media.keep_rendition(CLIP, JOB).await.unwrap();
        assert_eq!((hash.to_string().as_str(), size), (HELLO, 11));
        assert!(media.rendition(CLIP, &hash).is_file() && !work.exists());
        assert_eq!(media.clips().await.unwrap(), [CLIP]);
        media.discard(CLIP, JOB).await;
        let leftover = media.work_file(CLIP, JOB).await.unwrap();
        std::fs::write(&leftover, "of a job that was killed").unwrap();
        media.work_file(CLIP, JobId(Uuid::max())).await.unwrap();
        assert!(!leftover.exists());
        media.remove(CLIP).await.unwrap();
        media.remove(CLIP).await.unwrap();
        assert_eq!(media.clips().await.unwrap(), []);
        assert!(media.free_bytes().await.unwrap() > 0);
    }
}
