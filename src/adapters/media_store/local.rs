//! The files of clips in a folder.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use sha2::{Digest as _, Sha256};
use tokio::fs;
use tokio::io::AsyncReadExt as _;

use super::error::error;
use super::writer::LocalUpload;
use crate::domain::clip::{ClipId, ContentHash, JobId, MediaFile};
use crate::ports::{LocalFile, MediaError, MediaResult, MediaStore, UploadWriter};

/// How much of a file is read at once, to hash it.
const BLOCK: usize = 1024 * 1024;
/// How long the MP4 file of a deleted clip stays.
const MP4_STAYS: Duration = Duration::from_secs(3_600);

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

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn upload(&self, clip: ClipId) -> PathBuf {
        self.root.join("uploads").join(clip.to_string())
    }

    fn folder(&self, clip: ClipId) -> PathBuf {
        self.root.join("clips").join(clip.to_string())
    }

    /// Where the uploaded file is kept.
    pub(super) fn source_path(&self, clip: ClipId, hash: &ContentHash) -> PathBuf {
        self.folder(clip).join(hash.to_string())
    }

    /// Where a rendition is kept.
    pub(super) fn rendition_path(&self, clip: ClipId, hash: &ContentHash) -> PathBuf {
        self.folder(clip).join(format!("{hash}.flv"))
    }

    pub(super) fn work(&self, clip: ClipId, job: JobId) -> PathBuf {
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

    /// Removes what was kept of a clip. An MP4 file stays for a while: a media server that was told to play it may not know
    /// yet that it plays another one, and MediaMTX 1.20 crashes if such a file is missing.
    async fn remove_kept(&self, clip: ClipId) -> MediaResult<()> {
        let folder = self.folder(clip);
        let changed = match fs::metadata(&folder).await {
            Err(gone) if gone.kind() == io::ErrorKind::NotFound => return Ok(()),
            found => found.and_then(|found| found.modified()).map_err(error)?,
        };
        let (mut files, mut mp4, mut others) = (fs::read_dir(&folder).await.map_err(error)?, 0, 0);
        while let Some(file) = files.next_entry().await.map_err(error)? {
            if file.path().extension().is_some_and(|ending| ending == "mp4") {
                mp4 += 1;
            } else {
                others += 1;
                remove_if_there(fs::remove_file(file.path())).await?;
            }
        }
        // The folder changed when the other files were removed.
        let is_old = changed.elapsed().is_ok_and(|age| age > MP4_STAYS);
        if mp4 > 0 && (others > 0 || !is_old) {
            return Ok(());
        }
        remove_if_there(fs::remove_dir_all(folder)).await
    }

    /// The uploaded file, if it was kept before.
    pub(super) async fn kept_source(&self, clip: ClipId) -> MediaResult<ContentHash> {
        let folder = self.folder(clip);
        let mut files = fs::read_dir(&folder).await.map_err(error)?;
        while let Some(file) = files.next_entry().await.map_err(error)? {
            if let Some(hash) = file.file_name().to_str().and_then(|name| name.parse().ok()) {
                return Ok(hash);
            }
        }
        Err(MediaError::Missing("the uploaded file".to_owned()))
    }
}

/// Brings the names in a folder to the disk.
async fn sync_folder(folder: &Path) -> MediaResult<()> {
    fs::File::open(folder).await.map_err(error)?.sync_all().await.map_err(error)
}

pub(super) async fn make_folder(folder: &Path) -> MediaResult<()> {
    fs::create_dir_all(folder).await.map_err(error)
}

/// Gives a complete file its last name.
pub(super) async fn rename(from: &Path, to: &Path) -> MediaResult<()> {
    if let Some(folder) = to.parent() {
        make_folder(folder).await?;
        fs::rename(from, to).await.map_err(error)?;
        sync_folder(folder).await?;
    }
    Ok(())
}

/// Brings a file to the disk, and returns its content and size.
pub(super) async fn hash(path: &Path) -> MediaResult<(ContentHash, u64)> {
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

    fn has_bucket(&self) -> bool {
        false
    }

    async fn check(&self) -> MediaResult<()> {
        make_folder(&self.root).await
    }

    async fn keep_source(&self, clip: ClipId) -> MediaResult<ContentHash> {
        let upload = self.upload(clip);
        let (hash, _) = match hash(&upload).await {
            Err(MediaError::Missing(_)) => return self.kept_source(clip).await,
            hashed => hashed?,
        };
        rename(&upload, &self.source_path(clip, &hash)).await?;
        Ok(hash)
    }

    async fn source(&self, clip: ClipId, hash: &ContentHash) -> MediaResult<LocalFile> {
        let path = self.source_path(clip, hash);
        fs::metadata(&path).await.map_err(error)?;
        Ok(path.into())
    }

    async fn work_file(&self, clip: ClipId, job: JobId) -> MediaResult<PathBuf> {
        make_folder(&self.root.join("work")).await?;
        self.remove_work(clip).await?;
        Ok(self.work(clip, job))
    }

    async fn keep_rendition(&self, clip: ClipId, job: JobId) -> MediaResult<(ContentHash, u64)> {
        let work = self.work(clip, job);
        let (hash, size) = hash(&work).await?;
        rename(&work, &self.rendition_path(clip, &hash)).await?;
        Ok((hash, size))
    }

    async fn discard(&self, clip: ClipId, job: JobId) {
        if let Err(error) = remove_if_there(fs::remove_file(self.work(clip, job))).await {
            tracing::warn!(%clip, %error, "a file of an unfinished conversion cannot be removed");
        }
    }

    async fn rendition(&self, clip: ClipId, file: &MediaFile) -> Option<LocalFile> {
        Some(self.rendition_path(clip, &file.hash).into())
    }

    async fn fetch_rendition(&self, _: ClipId, _: &MediaFile) -> MediaResult<()> {
        Ok(())
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
        self.remove_kept(clip).await
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
    use std::fs::{FileTimes, OpenOptions};

    use uuid::Uuid;

    use super::*;

    #[tokio::test]
    async fn file_that_a_media_server_may_still_play_stays_for_an_hour() {
        let root = tempfile::tempdir().unwrap();
        let (media, clip) = (LocalMedia::new(root.path().to_owned()), ClipId(Uuid::from_u128(1)));
        let folder = media.folder(clip);
        std::fs::create_dir_all(&folder).unwrap();
        for name in ["a", "a.flv", "a.mp4"] {
            std::fs::write(folder.join(name), name).unwrap();
        }
        for _ in 0..2 {
            media.remove(clip).await.unwrap();
            let left: Vec<_> =
                std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().file_name()).collect();
            assert_eq!(left, ["a.mp4"]);
        }
        let long_ago = std::fs::metadata(&folder).unwrap().modified().unwrap() - 2 * MP4_STAYS;
        let times = FileTimes::new().set_modified(long_ago);
        OpenOptions::new().read(true).open(&folder).unwrap().set_times(times).unwrap();
        media.remove(clip).await.unwrap();
        assert!(!folder.exists());
    }
}
