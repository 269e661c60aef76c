//! What clips need from outside.

use std::sync::Arc;

use anyhow::anyhow;

use super::config::Config;
use crate::adapters::ffmpeg::Ffmpeg;
use crate::adapters::media_store::{BucketMedia, LocalMedia, Objects, S3};
use crate::app::clip::ClipOutside;
use crate::ports::MediaStore;

/// Where the files of clips are, and what converts them. They are in `media.dir`, unless they are elsewhere.
pub(super) fn outside(config: &Config, elsewhere: Option<Arc<dyn MediaStore>>) -> ClipOutside {
    let media = elsewhere.unwrap_or_else(|| Arc::new(LocalMedia::new(config.media_dir())));
    ClipOutside { media, transcoder: Arc::new(Ffmpeg) }
}

/// The bucket of `media.url`, with `media.dir` as its cache. Does not connect yet.
pub(super) fn bucket(config: &Config) -> anyhow::Result<Option<Arc<dyn MediaStore>>> {
    let Some(objects) = objects(config)? else { return Ok(None) };
    Ok(Some(Arc::new(BucketMedia::new(config.media_dir(), objects, config.media.cache_bytes))))
}

/// The files in the bucket of `media.url`.
pub(super) fn objects(config: &Config) -> anyhow::Result<Option<Objects>> {
    let media = &config.media;
    let Some((bucket, prefix)) = media.bucket() else { return Ok(None) };
    let (id, secret) = (media.access_key_id.clone(), media.secret_access_key.clone());
    let s3 = S3 {
        bucket,
        prefix,
        endpoint: media.endpoint.clone(),
        region: media.region.clone(),
        access_key: id.zip(secret.map(|secret| secret.0)),
    };
    s3.objects().map(Some).map_err(|why| anyhow!("the bucket of media.url: {why}"))
}
