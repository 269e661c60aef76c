//! The files that a media server plays by itself. Making one takes minutes for a long clip, so that is done beside everything
//! else; until then the one before is played.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;

use super::renditions::Renditions;
use crate::domain::channel::ClipId;
use crate::ports::TranscodeError;

/// How long a file is waited for. Most are made in less.
const PATIENCE: Duration = Duration::from_secs(5);

/// The MP4 files of one channel.
#[derive(Default)]
pub(super) struct Mp4Files {
    making: JoinSet<(PathBuf, Result<PathBuf, TranscodeError>)>,
    /// By the file that it is made of; `None` while it is made, or when it cannot be made.
    files: BTreeMap<PathBuf, Option<PathBuf>>,
    last: Option<(ClipId, PathBuf)>,
}

impl Mp4Files {
    /// What is played for `clip`, whose rendition is `file`: its own file, or the last one while that is made. A file that
    /// cannot be made is not tried again in this run.
    pub(super) async fn get(
        &mut self,
        renditions: &Arc<dyn Renditions>,
        clip: ClipId,
        file: &Path,
    ) -> Option<(ClipId, PathBuf)> {
        if !self.files.contains_key(file) {
            self.files.insert(file.to_owned(), None);
            let (renditions, file) = (Arc::clone(renditions), file.to_owned());
            self.making.spawn(async move {
                let made = renditions.as_mp4(&file).await;
                (file, made)
            });
            if let Ok(Some(Ok(made))) = timeout(PATIENCE, self.making.join_next()).await {
                self.take(made);
            }
        }
        while let Some(made) = self.making.try_join_next() {
            if let Ok(made) = made {
                self.take(made);
            }
        }
        if let Some(made) = self.files.get(file).cloned().flatten() {
            self.last = Some((clip, made));
        }
        self.last.clone()
    }

    fn take(&mut self, (file, made): (PathBuf, Result<PathBuf, TranscodeError>)) {
        match made {
            Ok(made) => {
                self.files.insert(file, Some(made));
            }
            Err(error) => tracing::warn!(
                file = %file.display(), %error,
                "the MP4 file of a clip cannot be made: the media server plays what it played before"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use async_trait::async_trait;
    use tokio::sync::watch;
    use uuid::Uuid;

    use super::*;
    use crate::domain::profile::Profile;
    use crate::ports::{LocalFile, StoreError};

    /// Makes files when it is allowed to.
    struct Slow(watch::Receiver<bool>);

    #[async_trait]
    impl Renditions for Slow {
        async fn renditions(
            &self,
            _: &[ClipId],
            _: &Profile,
        ) -> Result<BTreeMap<ClipId, LocalFile>, StoreError> {
            Ok(BTreeMap::new())
        }

        async fn slate(&self, _: &Profile) -> Result<PathBuf, TranscodeError> {
            Err(TranscodeError::Stopped)
        }

        async fn as_mp4(&self, file: &Path) -> Result<PathBuf, TranscodeError> {
            if file.ends_with("broken.flv") {
                return Err(TranscodeError::Failed("it is broken".to_owned()));
            }
            let mut allowed = self.0.clone();
            if file.ends_with("long.flv") {
                let _ = allowed.wait_for(|is_allowed| *is_allowed).await;
            }
            Ok(file.with_extension("mp4"))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn last_file_is_played_while_the_next_one_is_made_or_cannot_be_made() {
        let (allow, allowed) = watch::channel(false);
        let renditions: Arc<dyn Renditions> = Arc::new(Slow(allowed));
        let mut files = Mp4Files::default();
        let id = |number| ClipId(Uuid::from_u128(number));
        let mut get = async |clip: u128, file: &str| {
            let found = files.get(&renditions, id(clip), Path::new(file)).await;
            found.map(|(clip, file)| (clip, file.display().to_string()))
        };
        assert_eq!(get(1, "broken.flv").await, None);
        assert_eq!(get(2, "short.flv").await, Some((id(2), "short.mp4".to_owned())));
        assert_eq!(get(3, "long.flv").await, Some((id(2), "short.mp4".to_owned())));
        assert_eq!(get(1, "broken.flv").await, Some((id(2), "short.mp4".to_owned())));
        allow.send_replace(true);
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(get(3, "long.flv").await, Some((id(3), "long.mp4".to_owned())));
    }
}
