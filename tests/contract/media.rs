//! The files of clips: in a folder, and in a bucket that breaks.

use std::fmt::{self, Display};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt as _};
use object_store::memory::InMemory;
use object_store::path::Path as Name;
use object_store::{
    CopyOptions, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use streamward::adapters::media_store::{BucketMedia, LocalMedia, Objects};
use streamward::domain::clip::{ClipId, MediaFile};
use streamward::ports::{MediaError, MediaStore};
use tempfile::TempDir;
use uuid::Uuid;

use crate::media_suite::{Instances, RULES, keep, upload};

/// What the bucket does.
const WORKS: u8 = 0;
const IS_UNREACHABLE: u8 = 1;
const ENDS_HALFWAY: u8 = 2;
const BREAKS_HALFWAY: u8 = 3;
const SENDS_OTHER_BYTES: u8 = 4;

/// A bucket in memory that can break.
#[derive(Clone, Debug, Default)]
struct Breakable {
    inner: Arc<InMemory>,
    fault: Arc<AtomicU8>,
}

impl Breakable {
    fn set(&self, fault: u8) {
        self.fault.store(fault, Ordering::SeqCst);
    }

    fn check(&self) -> Result<()> {
        match self.fault.load(Ordering::SeqCst) {
            IS_UNREACHABLE => Err(broken()),
            _ => Ok(()),
        }
    }
}

fn broken() -> object_store::Error {
    object_store::Error::Generic { store: "test", source: "connection refused".into() }
}

impl Display for Breakable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a bucket that can break")
    }
}

#[async_trait]
impl ObjectStore for Breakable {
    async fn put_opts(&self, at: &Name, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.check()?;
        self.inner.put_opts(at, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        at: &Name,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.check()?;
        self.inner.put_multipart_opts(at, options).await
    }

    async fn get_opts(&self, at: &Name, options: GetOptions) -> Result<GetResult> {
        self.check()?;
        let is_head = options.head;
        let found = self.inner.get_opts(at, options).await?;
        let (meta, range, attributes) = (found.meta.clone(), found.range.clone(), found.attributes.clone());
        if is_head {
            return Ok(found);
        }
        let extensions = found.extensions.clone();
        let bytes = found.bytes().await?;
        let half = || bytes.slice(..bytes.len() / 2);
        let sent = match self.fault.load(Ordering::SeqCst) {
            ENDS_HALFWAY => vec![Ok(half())],
            BREAKS_HALFWAY => vec![Ok(half()), Err(broken())],
            SENDS_OTHER_BYTES => vec![Ok(Bytes::from(vec![b'x'; bytes.len()]))],
            _ => vec![Ok(bytes)],
        };
        Ok(GetResult {
            payload: GetResultPayload::Stream(stream::iter(sent).boxed()),
            meta,
            range,
            attributes,
            extensions,
        })
    }

    async fn get_ranges(&self, at: &Name, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.inner.get_ranges(at, ranges).await
    }

    fn delete_stream(&self, names: BoxStream<'static, Result<Name>>) -> BoxStream<'static, Result<Name>> {
        match self.check() {
            Ok(()) => self.inner.delete_stream(names),
            Err(error) => stream::iter([Err(error)]).boxed(),
        }
    }

    fn list(&self, prefix: Option<&Name>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.check() {
            Ok(()) => self.inner.list(prefix),
            Err(error) => stream::iter([Err(error)]).boxed(),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Name>) -> Result<ListResult> {
        self.check()?;
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Name, to: &Name, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

/// A bucket, and the instances that use it.
struct World {
    bucket: Breakable,
    folders: TempDir,
}

impl World {
    fn new() -> Self {
        Self { bucket: Breakable::default(), folders: TempDir::new().unwrap() }
    }

    fn instance(&self, name: &str, cache_bytes: u64) -> Arc<BucketMedia> {
        let objects = Objects::new(Arc::new(self.bucket.clone()), "a prefix/b", "s3://test".to_owned());
        Arc::new(BucketMedia::new(self.folders.path().join(name), objects, cache_bytes))
    }

    /// How many files the instance has of clips, whole or not.
    fn files(&self, name: &str) -> usize {
        let folder = self.folders.path().join(name);
        count(&folder.join("clips")) + count(&folder.join("fetching"))
    }
}

fn count(folder: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    entries.flatten().map(|entry| if entry.path().is_dir() { count(&entry.path()) } else { 1 }).sum()
}

fn clip(number: u128) -> ClipId {
    ClipId(Uuid::from_u128(number))
}

async fn check_the_rules(kind: &str, instances: &Instances) {
    for (name, rule) in RULES {
        rule(instances).await.unwrap_or_else(|error| panic!("{kind}: {name}: {error:#}"));
    }
}

#[tokio::test]
async fn folder_keeps_the_rules() {
    let folder = TempDir::new().unwrap();
    let media = || Arc::new(LocalMedia::new(folder.path().join("media"))) as _;
    check_the_rules("a folder", &Instances { one: media(), other: media() }).await;
}

#[tokio::test]
async fn bucket_keeps_the_rules() {
    let world = World::new();
    let instances =
        Instances { one: world.instance("one", u64::MAX), other: world.instance("other", u64::MAX) };
    check_the_rules("a bucket", &instances).await;
}

#[tokio::test]
async fn half_a_file_is_never_taken_for_a_whole_one() {
    let world = World::new();
    let (one, other) = (world.instance("one", u64::MAX), world.instance("other", u64::MAX));
    let file = keep(one.as_ref(), clip(1), &[7; 3_000_000]).await.unwrap();
    for fault in [IS_UNREACHABLE, ENDS_HALFWAY, BREAKS_HALFWAY, SENDS_OTHER_BYTES] {
        world.bucket.set(fault);
        let failed = other.fetch_rendition(clip(1), &file).await;
        assert!(matches!(failed, Err(MediaError::Bucket(_))), "{fault}: {failed:?}");
        assert!(other.rendition(clip(1), &file).await.is_none());
        assert_eq!(world.files("other"), 0, "nothing half-made is left after {fault}");
    }
    world.bucket.set(WORKS);
    other.fetch_rendition(clip(1), &file).await.unwrap();
    assert!(other.rendition(clip(1), &file).await.is_some());
}

#[tokio::test]
async fn what_is_here_is_found_while_the_bucket_is_unreachable() {
    let world = World::new();
    let one = world.instance("one", u64::MAX);
    let file = keep(one.as_ref(), clip(1), b"a rendition").await.unwrap();
    upload(one.as_ref(), clip(2), b"an upload").await.unwrap();
    world.bucket.set(IS_UNREACHABLE);
    assert!(matches!(one.check().await, Err(MediaError::Bucket(why)) if why.contains("s3://test")));
    assert!(one.rendition(clip(1), &file).await.is_some());
    one.fetch_rendition(clip(1), &file).await.unwrap();
    assert!(matches!(one.keep_source(clip(2)).await, Err(MediaError::Bucket(_))));
    assert!(one.has_upload(clip(2), 9).await.unwrap(), "the upload waits");
    assert!(matches!(one.remove(clip(1)).await, Err(MediaError::Bucket(_))));
    world.bucket.set(WORKS);
    one.check().await.unwrap();
    one.keep_source(clip(2)).await.unwrap();
    assert_eq!(one.clips().await.unwrap(), [clip(1), clip(2)], "what was not removed is found again");
}

#[tokio::test]
async fn work_is_kept_until_the_bucket_has_it() {
    let world = World::new();
    let one = world.instance("one", u64::MAX);
    let job = streamward::domain::clip::JobId(Uuid::from_u128(3));
    let work = one.work_file(clip(1), job).await.unwrap();
    std::fs::write(&work, "hours of work").unwrap();
    world.bucket.set(IS_UNREACHABLE);
    assert!(matches!(one.keep_rendition(clip(1), job).await, Err(MediaError::Bucket(_))));
    assert!(work.exists());
    world.bucket.set(WORKS);
    let (hash, size) = one.keep_rendition(clip(1), job).await.unwrap();
    let file = MediaFile { hash, size, duration_ms: 1 };
    world.instance("other", u64::MAX).fetch_rendition(clip(1), &file).await.unwrap();
}

/// Makes a file seem unused for so many hours.
fn age(file: &Path, hours: u64) {
    let file = std::fs::File::options().write(true).open(file).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000 - hours * 3_600)).unwrap();
}

#[tokio::test]
async fn what_is_unused_for_longest_makes_room_and_what_is_in_use_stays() {
    let world = World::new();
    let (one, other) = (world.instance("one", u64::MAX), world.instance("other", 2_500));
    let mut files = Vec::new();
    for number in 1..=5_u8 {
        files.push(keep(one.as_ref(), clip(number.into()), &[number; 1_000]).await.unwrap());
    }
    let fetch = async |number: usize| {
        other.fetch_rendition(clip(number as u128), &files[number - 1]).await.unwrap();
    };
    let find = async |number: usize| other.rendition(clip(number as u128), &files[number - 1]).await;
    fetch(1).await;
    fetch(2).await;
    let (in_use, old) = (find(1).await.unwrap(), find(2).await.unwrap());
    // An MP4 of it, which goes with it.
    std::fs::write(old.with_extension("mp4"), "an mp4").unwrap();
    age(&in_use, 9);
    age(&old, 5);
    age(&old.with_extension("mp4"), 5);
    drop(old);
    fetch(3).await;
    assert!(find(1).await.is_some() && find(2).await.is_none() && find(3).await.is_some());
    assert_eq!(world.files("other"), 2);
    // More is in use than the cache may have: it is fetched all the same, and nothing that is in use is removed.
    let mut all_in_use = vec![find(3).await.unwrap()];
    for number in [4, 5] {
        fetch(number).await;
        all_in_use.push(find(number).await.unwrap());
    }
    assert!(in_use.exists());
    assert_eq!(world.files("other"), 4);
    // What the bucket does not have is removed by nobody.
    drop((in_use, all_in_use));
    one.remove(clip(1)).await.unwrap();
    fetch(2).await;
    assert!(find(1).await.is_some(), "it is nowhere else");
    assert!(world.files("other") <= 3, "{}", world.files("other"));
}
