//! Makes what an engine runs out of what is stored.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::error::Elapsed;
use tokio::time::timeout;

use super::keys;
use super::mp4::Mp4Files;
use super::renditions::{Files, Renditions};
use crate::app::Core;
use crate::app::task::TaskError;
use crate::domain::Timestamp;
use crate::domain::channel::{
    Backup, BackupMedia, ClipId, Destination, Engine, Inputs, Output, OutputId, PlaylistChange, Profile,
    Programme,
};
use crate::domain::media_server::UrlTemplates;
use crate::domain::secret::Secret;
use crate::ports::{StoredProgramme, TranscodeError};

/// How long making a small file may take.
const MAKING: Duration = Duration::from_secs(10);

/// Makes programmes.
pub(super) struct ProgrammeBuilder {
    pub(super) core: Arc<Core>,
    /// The addresses of the media server that carries the inputs and the programme.
    pub(super) urls: UrlTemplates,
    /// With it, we may read what viewers need a token for.
    pub(super) relay_secret: Secret,
    pub(super) renditions: Arc<dyn Renditions>,
    /// What could not be made. It is logged once.
    pub(super) failed: BTreeSet<String>,
    pub(super) mp4: Mp4Files,
}

impl ProgrammeBuilder {
    /// The programme of a stored channel as it is to run at `now`. `files` are those of the last time. They are kept while
    /// the database is unreachable.
    pub(super) async fn build(
        &mut self,
        stored: &StoredProgramme,
        live_is_cut: bool,
        now: Timestamp,
        files: &mut Files,
    ) -> Result<Programme, TaskError> {
        let StoredProgramme { channel, sealed_programme_key, destinations, .. } = stored;
        let invalid = |error: crate::domain::Invalid| TaskError::Setup(error.to_string());
        let is_mixed = channel.engine == Engine::Mixer;
        let live = Inputs::live_path(channel.engine, &channel.path).map_err(invalid)?;
        let slate = self.slate(&channel.profile, is_mixed).await;
        let backup = match &channel.inputs.backup {
            Backup::Playlist(playlist) => {
                // Those of later slots too, so that they are prepared by then.
                match self.renditions.renditions(&playlist.all_clips(), &channel.profile).await {
                    Ok(found) => *files = found,
                    Err(error) => tracing::debug!(%error, "clips cannot be read; they are played as before"),
                }
                let ready = |clips: &[ClipId]| -> Vec<(ClipId, PathBuf)> {
                    clips.iter().filter_map(|clip| Some((*clip, files.get(clip)?.to_path_buf()))).collect()
                };
                let scheduled = ready(&playlist.scheduled(now));
                let clips = if scheduled.is_empty() { ready(&playlist.clips) } else { scheduled };
                if is_mixed {
                    BackupMedia::Clips(clips)
                } else {
                    BackupMedia::Clips(self.one_mp4(clips, slate.as_ref()).await)
                }
            }
            Backup::Stream(_) => {
                let path = Inputs::backup_path(&channel.path).map_err(invalid)?;
                BackupMedia::Stream(self.urls.own_input(&path, &self.relay_secret))
            }
        };
        let mut outputs = Vec::new();
        if is_mixed {
            let key = keys::open_programme_key(&self.core.sealer, channel.id, sealed_programme_key)
                .map_err(|why| TaskError::Setup(format!("the key that publishes the programme: {why}")))?;
            let ingest = self.urls.ingest(&channel.path, &key);
            outputs.push(Output {
                id: OutputId::MediaServer,
                url: ingest.obs_server,
                backup_url: None,
                key: Secret::new(ingest.obs_stream_key),
                rotate_session_every: None,
            });
        }
        outputs.extend(destinations.iter().filter_map(|(one, sealed)| self.output(one, sealed)));
        Ok(Programme {
            channel: channel.id,
            name: channel.name.clone(),
            engine: channel.engine,
            path: channel.path.clone(),
            live: self.urls.own_input(&live, &self.relay_secret),
            backup,
            playlist_change: match &channel.inputs.backup {
                Backup::Playlist(playlist) => playlist.change,
                Backup::Stream(_) => PlaylistChange::default(),
            },
            slate,
            mode: channel.mode(now),
            hold_has_expired: false,
            failover: channel.failover,
            profile: channel.profile,
            mismatch: channel.mismatch,
            live_is_cut,
            outputs,
        })
    }

    /// The built-in picture in a profile. The mixer has one for the default profile.
    async fn slate(&mut self, profile: &Profile, is_mixed: bool) -> Option<PathBuf> {
        if is_mixed && *profile == Profile::default() {
            return None;
        }
        let making = timeout(MAKING, self.renditions.slate(profile)).await;
        self.made(&format!("the built-in picture for {profile:?}"), making)
    }

    /// The clip, or else the picture, as the file that the media server plays.
    async fn one_mp4(
        &mut self,
        clips: Vec<(ClipId, PathBuf)>,
        slate: Option<&PathBuf>,
    ) -> Vec<(ClipId, PathBuf)> {
        let picture = || slate.map(|file| (ClipId(uuid::Uuid::nil()), file.clone()));
        let Some((clip, file)) = clips.into_iter().next().or_else(picture) else { return Vec::new() };
        self.mp4.get(&self.renditions, clip, &file).await.into_iter().collect()
    }

    /// A file that was made. A failure is logged once.
    fn made(
        &mut self,
        what: &str,
        making: Result<Result<PathBuf, TranscodeError>, Elapsed>,
    ) -> Option<PathBuf> {
        let why = match making {
            Ok(Ok(file)) => return Some(file),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("it took longer than {} s", MAKING.as_secs()),
        };
        if self.failed.insert(what.to_owned()) {
            tracing::warn!(
                what,
                why,
                "a file cannot be made: the built-in picture is shown as it is, in another format"
            );
        }
        None
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
