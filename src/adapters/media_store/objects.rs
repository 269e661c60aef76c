//! Files in a bucket: sent, fetched, found and removed.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use object_store::buffered::BufWriter;
use object_store::path::Path as Name;
use object_store::{ObjectStore, ObjectStoreExt as _};
use sha2::{Digest as _, Sha256};
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;
use uuid::Uuid;

use super::error::{self, bucket_error};
use crate::adapters::system::SystemIds;
use crate::domain::clip::{ClipId, ContentHash};
use crate::ports::{IdGen as _, MediaError, MediaResult};

/// The size of a part: S3 takes up to 10 000 of at least 5 MiB.
const PART: usize = 8 * 1024 * 1024;
/// How many parts are sent at once.
const PARTS: usize = 2;
/// How much is written to the disk at once.
const BLOCK: usize = 1024 * 1024;
/// How long a file that is being fetched may pause.
const PAUSE: Duration = Duration::from_secs(30);
/// How long the bucket may take to answer a check.
const CHECK: Duration = Duration::from_secs(20);

/// A bucket, or the part of it whose names begin with a prefix.
#[derive(Clone, Debug)]
pub struct Objects {
    store: Arc<dyn ObjectStore>,
    prefix: Name,
    /// For people.
    name: String,
}

impl Objects {
    /// The files in `store` whose names begin with `prefix`. `name` is shown to people.
    pub fn new(store: Arc<dyn ObjectStore>, prefix: &str, name: String) -> Self {
        Self { store, prefix: Name::from(prefix), name }
    }

    /// The name for people.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn failed(&self, error: &object_store::Error) -> MediaError {
        bucket_error(error, &self.name)
    }

    fn clips(&self) -> Name {
        self.prefix.clone().join("clips")
    }

    fn folder(&self, clip: ClipId) -> Name {
        self.clips().join(clip.to_string())
    }

    fn at(&self, clip: ClipId, file: &str) -> Name {
        self.folder(clip).join(file)
    }

    /// The size of a file of a clip, if it is there.
    pub(super) async fn size(&self, clip: ClipId, file: &str) -> MediaResult<Option<u64>> {
        match self.store.head(&self.at(clip, file)).await {
            Ok(found) => Ok(Some(found.size)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.failed(&error)),
        }
    }

    /// The uploaded file of a clip, if it is there.
    pub(super) async fn source(&self, clip: ClipId) -> MediaResult<Option<ContentHash>> {
        let mut files = self.store.list(Some(&self.folder(clip)));
        while let Some(file) = files.next().await {
            let file = file.map_err(|error| self.failed(&error))?;
            if let Some(hash) = file.location.filename().and_then(|name| name.parse().ok()) {
                return Ok(Some(hash));
            }
        }
        Ok(None)
    }

    /// Sends a file of `size` bytes, unless it is there. It is there as a whole or not at all.
    pub(super) async fn send(&self, from: &Path, clip: ClipId, file: &str, size: u64) -> MediaResult<()> {
        if self.size(clip, file).await? == Some(size) {
            return Ok(());
        }
        let mut from = File::open(from).await.map_err(error::error)?;
        let writer = BufWriter::with_capacity(Arc::clone(&self.store), self.at(clip, file), PART);
        let mut writer = writer.with_max_concurrency(PARTS);
        let sent = async {
            loop {
                let mut block = BytesMut::with_capacity(BLOCK);
                if from.read_buf(&mut block).await.map_err(error::error)? == 0 {
                    return Ok(());
                }
                writer.put(block.freeze()).await.map_err(|error| self.failed(&error))?;
            }
        };
        if let Err(failed) = sent.await {
            if let Err(error) = writer.abort().await {
                tracing::debug!(%error, "the parts of an unfinished file stay in the bucket");
            }
            return Err(failed);
        }
        writer.shutdown().await.map_err(|failed| match failed.downcast::<object_store::Error>() {
            Ok(failed) => self.failed(&failed),
            Err(other) => MediaError::Bucket(other.to_string()),
        })
    }

    /// Begins to fetch a file.
    pub(super) async fn fetch(&self, clip: ClipId, file: &str) -> MediaResult<Fetch> {
        match self.store.get(&self.at(clip, file)).await {
            Ok(found) => {
                let size = found.meta.size;
                let bytes = found.into_stream().map_err({
                    let bucket = self.clone();
                    move |error| bucket.failed(&error)
                });
                Ok(Fetch { size, bytes: bytes.boxed() })
            }
            Err(object_store::Error::NotFound { .. }) => {
                Err(MediaError::Missing(format!("{file}, which is not in {} either", self.name)))
            }
            Err(error) => Err(self.failed(&error)),
        }
    }

    /// Removes all files of a clip.
    pub(super) async fn remove(&self, clip: ClipId) -> MediaResult<()> {
        let names = self.store.list(Some(&self.folder(clip))).map_ok(|file| file.location);
        let names: Vec<Name> = names.try_collect().await.map_err(|error| self.failed(&error))?;
        let names = names.into_iter().map(Ok);
        let removed: Result<Vec<_>, _> =
            self.store.delete_stream(stream::iter(names).boxed()).try_collect().await;
        match removed {
            Ok(_) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.failed(&error)),
        }
    }

    /// The clips that have files there.
    pub(super) async fn all_clips(&self) -> MediaResult<BTreeSet<ClipId>> {
        let found = self.store.list_with_delimiter(Some(&self.clips())).await;
        let found = found.map_err(|error| self.failed(&error))?;
        Ok(found.common_prefixes.iter().filter_map(|name| name.filename()?.parse().ok()).collect())
    }

    /// Whether the bucket answers, and lets us list it.
    pub(super) async fn check(&self) -> MediaResult<()> {
        // One that has no such clip.
        let nothing = self.folder(ClipId(Uuid::nil()));
        match timeout(CHECK, self.store.list(Some(&nothing)).next()).await {
            Ok(None | Some(Ok(_))) => Ok(()),
            Ok(Some(Err(error))) => Err(self.failed(&error)),
            Err(_) => Err(self.silent()),
        }
    }

    /// Writes a small file, reads it and removes it: whether the access key may do all that we do.
    pub async fn try_all(&self) -> MediaResult<()> {
        let name = self.prefix.clone().join(format!("check-{}", SystemIds.uuid()));
        let all = async {
            self.check().await?;
            let done = async {
                self.store.put(&name, Bytes::from_static(b"Streamward").into()).await?;
                self.store.get(&name).await?.bytes().await?;
                self.store.delete(&name).await
            };
            done.await.map_err(|error| self.failed(&error))
        };
        timeout(CHECK * 2, all).await.unwrap_or_else(|_| Err(self.silent()))
    }

    fn silent(&self) -> MediaError {
        MediaError::Bucket(format!("{} does not answer within {} s", self.name, CHECK.as_secs()))
    }
}

/// A file that is being fetched.
pub(super) struct Fetch {
    pub(super) size: u64,
    bytes: stream::BoxStream<'static, MediaResult<Bytes>>,
}

impl Fetch {
    /// Writes it to `to`, and brings it to the disk. Fails unless it is whole.
    pub(super) async fn write_to(mut self, to: &Path, hash: &ContentHash) -> MediaResult<()> {
        let mut file = File::create(to).await.map_err(error::error)?;
        let (mut hasher, mut size, mut block) = (Sha256::new(), 0, Vec::with_capacity(BLOCK));
        loop {
            let next = timeout(PAUSE, self.bytes.next()).await;
            let next =
                next.map_err(|_| MediaError::Bucket("it stopped in the middle of a file".to_owned()))?;
            let is_over = next.is_none();
            if let Some(bytes) = next {
                let bytes = bytes?;
                hasher.update(&bytes);
                size += bytes.len() as u64;
                block.extend_from_slice(&bytes);
            }
            if is_over || block.len() >= BLOCK {
                file.write_all(&block).await.map_err(error::error)?;
                block.clear();
            }
            if is_over {
                break;
            }
        }
        if size != self.size || ContentHash(hasher.finalize().into()) != *hash {
            let got = format!(
                "a file came with {size} of {} bytes, or with other content than was sent",
                self.size
            );
            return Err(MediaError::Bucket(got));
        }
        file.flush().await.map_err(error::error)?;
        file.sync_all().await.map_err(error::error)
    }
}
