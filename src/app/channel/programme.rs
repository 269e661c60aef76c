//! Makes what an engine runs out of what is stored.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::keys;
use crate::app::Core;
use crate::app::clip::Clips;
use crate::app::task::TaskError;
use crate::domain::Timestamp;
use crate::domain::channel::{
    Backup, BackupMedia, ClipId, Destination, Inputs, Output, OutputId, PlaylistChange, Profile, Programme,
};
use crate::domain::media_server::UrlTemplates;
use crate::domain::secret::Secret;
use crate::ports::{StoreError, StoredProgramme};

/// The file of each clip.
pub(super) type Files = BTreeMap<ClipId, PathBuf>;

/// The prepared files of clips.
#[async_trait]
pub trait Renditions: Send + Sync {
    /// The local FLV files of these clips for this profile. One that is not ready is left out, and is prepared if it can
    /// be.
    async fn renditions(&self, clips: &[ClipId], profile: &Profile) -> Result<Files, StoreError>;
}

#[async_trait]
impl Renditions for Clips {
    async fn renditions(&self, clips: &[ClipId], profile: &Profile) -> Result<Files, StoreError> {
        Self::renditions(self, clips, profile).await
    }
}

/// Makes programmes.
#[derive(Clone)]
pub(super) struct ProgrammeBuilder {
    pub(super) core: Arc<Core>,
    /// The addresses of the media server that carries the inputs and the programme.
    pub(super) urls: UrlTemplates,
    pub(super) renditions: Arc<dyn Renditions>,
}

impl ProgrammeBuilder {
    /// The programme of a stored channel as it is to run at `now`. `files` are those of the last time. They are kept while
    /// the database is unreachable.
    pub(super) async fn build(
        &self,
        stored: &StoredProgramme,
        live_is_cut: bool,
        now: Timestamp,
        files: &mut Files,
    ) -> Result<Programme, TaskError> {
        let StoredProgramme { channel, sealed_programme_key, destinations, .. } = stored;
        let invalid = |error: crate::domain::Invalid| TaskError::Setup(error.to_string());
        let live = Inputs::live_path(&channel.path).map_err(invalid)?;
        let backup = match &channel.inputs.backup {
            Backup::Playlist(playlist) => {
                // Those of later slots too, so that they are prepared by then.
                match self.renditions.renditions(&playlist.all_clips(), &channel.profile).await {
                    Ok(found) => *files = found,
                    Err(error) => tracing::debug!(%error, "clips cannot be read; they are played as before"),
                }
                let ready = |clips: &[ClipId]| -> Vec<(ClipId, PathBuf)> {
                    clips.iter().filter_map(|clip| Some((*clip, files.get(clip)?.clone()))).collect()
                };
                let scheduled = ready(&playlist.scheduled(now));
                BackupMedia::Clips(if scheduled.is_empty() { ready(&playlist.clips) } else { scheduled })
            }
            Backup::Stream(_) => {
                let path = Inputs::backup_path(&channel.path).map_err(invalid)?;
                BackupMedia::Stream(Secret::new(self.urls.playback(&path).rtmp))
            }
        };
        let key = keys::open_programme_key(&self.core.sealer, channel.id, sealed_programme_key)
            .map_err(|why| TaskError::Setup(format!("the key that publishes the programme: {why}")))?;
        let ingest = self.urls.ingest(&channel.path, &key);
        let mut outputs = vec![Output {
            id: OutputId::MediaServer,
            url: ingest.obs_server,
            backup_url: None,
            key: Secret::new(ingest.obs_stream_key),
            rotate_session_every: None,
        }];
        outputs.extend(destinations.iter().filter_map(|(one, sealed)| self.output(one, sealed)));
        Ok(Programme {
            channel: channel.id,
            name: channel.name.clone(),
            live: Secret::new(self.urls.playback(&live).rtmp),
            backup,
            playlist_change: match &channel.inputs.backup {
                Backup::Playlist(playlist) => playlist.change,
                Backup::Stream(_) => PlaylistChange::default(),
            },
            mode: channel.mode(now),
            failover: channel.failover,
            profile: channel.profile,
            mismatch: channel.mismatch,
            live_is_cut,
            outputs,
        })
    }

    fn output(&self, one: &Destination, sealed: &str) -> Option<Output> {
        let key = keys::open_key(&self.core.sealer, one.id, sealed)
            .inspect_err(|error| {
                tracing::error!(
                    destination = %one.id, %error, "a destination gets nothing: set its key again"
                );
            })
            .ok()?;
        Some(Output {
            id: OutputId::Destination(one.id),
            url: one.url.as_str().to_owned(),
            backup_url: one.backup_url.as_ref().map(|url| url.as_str().to_owned()),
            key,
            rotate_session_every: one
                .rotate_session_every_seconds
                .map(|seconds| Duration::from_secs(u64::from(seconds))),
        })
    }
}
