//! The files of clips in a bucket. Uploads and the work of jobs are in a folder of this machine, which is also a cache of what
//! the bucket has.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use tempfile::TempPath;

use super::cache::Cache;
use super::error::error;
use super::local::{LocalMedia, hash, make_folder, rename};
use super::objects::Objects;
use crate::adapters::system::SystemIds;
use crate::domain::clip::{ClipId, ContentHash, JobId, MediaFile};
use crate::ports::{IdGen as _, LocalFile, MediaError, MediaResult, MediaStore, UploadWriter};

/// A bucket, and a folder of this machine alone.
#[derive(Debug)]
pub struct BucketMedia {
    local: LocalMedia,
    cache: Cache,
    objects: Objects,
}

/// A kept file of a clip: its content, its name in the bucket, and its place here.
struct Kept {
    clip: ClipId,
    hash: ContentHash,
    name: String,
    path: PathBuf,
}

impl BucketMedia {
    /// A bucket, and a folder, which need not be there yet. Up to `cache_bytes` of the bucket's files stay in it.
    pub fn new(root: PathBuf, objects: Objects, cache_bytes: u64) -> Self {
        Self { cache: Cache::new(root.clone(), cache_bytes), local: LocalMedia::new(root), objects }
    }

    fn kept_source(&self, clip: ClipId, hash: &ContentHash) -> Kept {
        let path = self.local.source_path(clip, hash);
        Kept { clip, hash: *hash, name: hash.to_string(), path }
    }

    fn kept_rendition(&self, clip: ClipId, hash: &ContentHash) -> Kept {
        let path = self.local.rendition_path(clip, hash);
        Kept { clip, hash: *hash, name: format!("{hash}.flv"), path }
    }

    /// Sends a file to the bucket, and keeps it here too.
    async fn keep(&self, file: &Path, kept: &Kept, size: u64) -> MediaResult<()> {
        self.objects.send(file, kept.clip, &kept.name, size).await?;
        rename(file, &kept.path).await
    }

    /// Fetches a file. It has its name only when it is whole.
    async fn fetch(&self, kept: &Kept, size: Option<u64>) -> MediaResult<()> {
        let fetch = self.objects.fetch(kept.clip, &kept.name).await?;
        if let Some(size) = size.filter(|size| *size != fetch.size) {
            let found = format!("{} has {} bytes there instead of {size}", kept.name, fetch.size);
            return Err(MediaError::Bucket(found));
        }
        let _coming = self.cache.expect(fetch.size);
        self.cache.make_room(&self.objects, self.local.free_bytes().await?).await?;
        let folder = self.local.root().join("fetching");
        make_folder(&folder).await?;
        let part = folder.join(SystemIds.uuid().to_string());
        let part = TempPath::try_from_path(part).map_err(error)?;
        fetch.write_to(&part, &kept.hash).await?;
        rename(&part, &kept.path).await
    }
}

#[async_trait]
impl MediaStore for BucketMedia {
    async fn create_upload(&self, clip: ClipId) -> MediaResult<()> {
        self.local.create_upload(clip).await
    }

    async fn open_upload(&self, clip: ClipId, offset: u64) -> MediaResult<Box<dyn UploadWriter>> {
        self.local.open_upload(clip, offset).await
    }

    async fn has_upload(&self, clip: ClipId, offset: u64) -> MediaResult<bool> {
        self.local.has_upload(clip, offset).await
    }

    fn has_bucket(&self) -> bool {
        true
    }

    async fn check(&self) -> MediaResult<()> {
        self.objects.check().await
    }

    async fn keep_source(&self, clip: ClipId) -> MediaResult<ContentHash> {
        // Before a large file is read for nothing.
        self.objects.check().await?;
        let upload = self.local.upload(clip);
        match hash(&upload).await {
            Ok((hash, size)) => {
                self.keep(&upload, &self.kept_source(clip, &hash), size).await?;
                return Ok(hash);
            }
            Err(MediaError::Missing(_)) => {}
            Err(error) => return Err(error),
        }
        if let Some(hash) = self.objects.source(clip).await? {
            return Ok(hash);
        }
        // It was kept before there was a bucket.
        let hash = self.local.kept_source(clip).await?;
        let kept = self.kept_source(clip, &hash);
        let size = tokio::fs::metadata(&kept.path).await.map_err(error)?.len();
        self.objects.send(&kept.path, clip, &kept.name, size).await?;
        Ok(hash)
    }

    async fn source(&self, clip: ClipId, hash: &ContentHash) -> MediaResult<LocalFile> {
        let kept = self.kept_source(clip, hash);
        if let Some(file) = self.cache.hold(&kept.path, None) {
            return Ok(file);
        }
        self.fetch(&kept, None).await?;
        self.cache.hold(&kept.path, None).ok_or_else(|| MediaError::Missing("the uploaded file".to_owned()))
    }

    async fn work_file(&self, clip: ClipId, job: JobId) -> MediaResult<PathBuf> {
        self.local.work_file(clip, job).await
    }

    async fn keep_rendition(&self, clip: ClipId, job: JobId) -> MediaResult<(ContentHash, u64)> {
        let work = self.local.work(clip, job);
        let (hash, size) = hash(&work).await?;
        self.keep(&work, &self.kept_rendition(clip, &hash), size).await?;
        Ok((hash, size))
    }

    async fn discard(&self, clip: ClipId, job: JobId) {
        self.local.discard(clip, job).await;
    }

    async fn rendition(&self, clip: ClipId, file: &MediaFile) -> Option<LocalFile> {
        self.cache.hold(&self.kept_rendition(clip, &file.hash).path, Some(file.size))
    }

    async fn fetch_rendition(&self, clip: ClipId, file: &MediaFile) -> MediaResult<()> {
        if self.rendition(clip, file).await.is_some() {
            return Ok(());
        }
        self.fetch(&self.kept_rendition(clip, &file.hash), Some(file.size)).await
    }

    fn slates(&self) -> PathBuf {
        self.local.slates()
    }

    async fn free_bytes(&self) -> MediaResult<u64> {
        self.local.free_bytes().await
    }

    async fn remove(&self, clip: ClipId) -> MediaResult<()> {
        let here = self.local.remove(clip).await;
        self.objects.remove(clip).await.and(here)
    }

    async fn clips(&self) -> MediaResult<Vec<ClipId>> {
        let mut all: BTreeSet<ClipId> = self.local.clips().await?.into_iter().collect();
        all.extend(self.objects.all_clips().await?);
        Ok(all.into_iter().collect())
    }
}
