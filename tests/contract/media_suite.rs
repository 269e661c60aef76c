//! The rules of the files of clips, for every implementation of the port. `tests/channel` runs them against a real S3 server.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail, ensure};
use futures_util::future::BoxFuture;
use streamward::domain::clip::{ClipId, ContentHash, JobId, MediaFile};
use streamward::ports::{MediaError, MediaStore};
use uuid::Uuid;

/// SHA-256 of `hello world`.
const HELLO: &str = "b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9";

/// The same files as two instances have them.
pub(crate) struct Instances {
    pub(crate) one: Arc<dyn MediaStore>,
    pub(crate) other: Arc<dyn MediaStore>,
}

type Rule = for<'a> fn(&'a Instances) -> BoxFuture<'a, Result<()>>;

/// Every rule with its name. Each is about a clip of its own.
pub(crate) const RULES: [(&str, Rule); 8] = [
    ("upload_is_resumed_without_what_was_not_acknowledged", |it| Box::pin(resumed(it))),
    ("upload_that_lacks_acknowledged_bytes_is_missing", |it| Box::pin(missing(it))),
    ("keeping_an_upload_again_gives_the_same", |it| Box::pin(kept_again(it))),
    ("every_instance_finds_what_was_kept", |it| Box::pin(found_by_all(it))),
    ("large_file_is_kept_and_found_whole", |it| Box::pin(large(it))),
    ("rendition_of_another_size_is_not_taken", |it| Box::pin(other_size(it))),
    ("work_of_jobs_that_were_killed_is_removed", |it| Box::pin(leftover(it))),
    ("files_go_with_their_clip", |it| Box::pin(removed(it))),
];

fn clip(rule: u128) -> ClipId {
    ClipId(Uuid::from_u128(rule))
}

fn job(number: u128) -> JobId {
    JobId(Uuid::from_u128(number))
}

/// Uploads a file.
pub(crate) async fn upload(media: &dyn MediaStore, clip: ClipId, content: &[u8]) -> Result<()> {
    media.create_upload(clip).await?;
    let mut writer = media.open_upload(clip, 0).await?;
    writer.write(content).await?;
    writer.sync().await?;
    Ok(())
}

/// Keeps a rendition.
pub(crate) async fn keep(media: &dyn MediaStore, clip: ClipId, content: &[u8]) -> Result<MediaFile> {
    let work = media.work_file(clip, job(7)).await?;
    std::fs::write(&work, content)?;
    let (hash, size) = media.keep_rendition(clip, job(7)).await?;
    ensure!(size == content.len() as u64 && !work.exists(), "{size} bytes are kept");
    Ok(MediaFile { hash, size, duration_ms: 1 })
}

fn is_missing<T>(found: Result<T, MediaError>) -> Result<()> {
    match found {
        Err(MediaError::Missing(_)) => Ok(()),
        Err(other) => bail!("not missing: {other}"),
        Ok(_) => bail!("it is there"),
    }
}

fn has(file: &Path, content: &[u8]) -> Result<()> {
    let found = std::fs::read(file).with_context(|| file.display().to_string())?;
    ensure!(found == content, "{} has {} other bytes", file.display(), found.len());
    Ok(())
}

async fn resumed(it: &Instances) -> Result<()> {
    let (media, clip) = (&it.one, clip(1));
    media.create_upload(clip).await?;
    let mut writer = media.open_upload(clip, 0).await?;
    writer.write(b"hello ").await?;
    writer.sync().await?;
    writer.write(b"lost").await?;
    writer.sync().await?;
    drop(writer);
    ensure!(media.has_upload(clip, 10).await? && !media.has_upload(clip, 11).await?);
    let mut writer = media.open_upload(clip, 6).await?;
    writer.write(b"world").await?;
    writer.sync().await?;
    let hash = media.keep_source(clip).await?;
    ensure!(hash.to_string() == HELLO, "{hash}");
    ensure!(!media.has_upload(clip, 0).await?, "the upload is over");
    has(&media.source(clip, &hash).await?, b"hello world")
}

async fn missing(it: &Instances) -> Result<()> {
    let (media, clip) = (&it.one, clip(2));
    is_missing(media.open_upload(clip, 0).await.map(drop))?;
    is_missing(media.keep_source(clip).await)?;
    is_missing(media.source(clip, &ContentHash([1; 32])).await)?;
    media.create_upload(clip).await?;
    is_missing(media.open_upload(clip, 1).await.map(drop))
}

async fn kept_again(it: &Instances) -> Result<()> {
    let (media, clip) = (&it.one, clip(3));
    upload(media.as_ref(), clip, b"hello world").await?;
    let hash = media.keep_source(clip).await?;
    ensure!(media.keep_source(clip).await? == hash && it.other.keep_source(clip).await? == hash);
    Ok(())
}

async fn found_by_all(it: &Instances) -> Result<()> {
    let clip = clip(4);
    upload(it.one.as_ref(), clip, b"an upload").await?;
    let hash = it.one.keep_source(clip).await?;
    has(&it.other.source(clip, &hash).await?, b"an upload")?;
    let file = keep(it.other.as_ref(), clip, b"hello world").await?;
    ensure!(file.hash.to_string() == HELLO, "{}", file.hash);
    for media in [&it.one, &it.other] {
        media.fetch_rendition(clip, &file).await?;
        has(&media.rendition(clip, &file).await.context("it was fetched")?, b"hello world")?;
        ensure!(media.clips().await?.contains(&clip));
    }
    Ok(())
}

async fn large(it: &Instances) -> Result<()> {
    let clip = clip(5);
    let content: Vec<u8> = (0..20_000_003_u32).map(|at| (at / 251).to_le_bytes()[0]).collect();
    let file = keep(it.one.as_ref(), clip, &content).await?;
    it.other.fetch_rendition(clip, &file).await?;
    has(&it.other.rendition(clip, &file).await.context("it was fetched")?, &content)
}

async fn other_size(it: &Instances) -> Result<()> {
    if !it.other.has_bucket() {
        return Ok(());
    }
    let clip = clip(6);
    let file = keep(it.one.as_ref(), clip, b"hello world").await?;
    let wrong = MediaFile { size: 12, ..file };
    ensure!(it.other.fetch_rendition(clip, &wrong).await.is_err());
    ensure!(
        it.other.rendition(clip, &wrong).await.is_none() && it.other.rendition(clip, &file).await.is_none()
    );
    Ok(())
}

async fn leftover(it: &Instances) -> Result<()> {
    let (media, clip) = (&it.one, clip(7));
    let leftover = media.work_file(clip, job(1)).await?;
    std::fs::write(&leftover, "of a job that was killed")?;
    let work = media.work_file(clip, job(2)).await?;
    ensure!(!leftover.exists());
    std::fs::write(&work, "of a job that failed")?;
    media.discard(clip, job(2)).await;
    ensure!(!work.exists());
    media.discard(clip, job(2)).await;
    ensure!(media.free_bytes().await? > 0);
    Ok(())
}

async fn removed(it: &Instances) -> Result<()> {
    let clip = clip(8);
    upload(it.one.as_ref(), clip, b"an upload").await?;
    let hash = it.one.keep_source(clip).await?;
    let file = keep(it.one.as_ref(), clip, b"hello world").await?;
    it.one.remove(clip).await?;
    it.one.remove(clip).await?;
    for media in [&it.one, &it.other] {
        ensure!(!media.clips().await?.contains(&clip));
        is_missing(media.keep_source(clip).await)?;
        is_missing(media.source(clip, &hash).await)?;
        if media.has_bucket() {
            is_missing(media.fetch_rendition(clip, &file).await)?;
        }
    }
    Ok(())
}
