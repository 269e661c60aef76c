//! The pre-flight checks: what is found in OBS and of the platform.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::outside::Outside;
use super::{scenes, scenes::CHECK};
use crate::app::studio::setup::PlatformSetup;
use crate::domain::studio::{
    FailoverFound, Findings, NetworkFound, ObsFound, PlatformFound, ScenePurpose, ScenesFound, VideoSettings,
};
use crate::ports::obs_values::{
    Encoding, MediaAction, MediaLocation, MediaState, StreamDestination, VideoOutput,
};
use crate::ports::{Disconnect, ObsControl, ObsError};

/// How long a file may take to begin.
const BEGIN_WITHIN: Duration = Duration::from_secs(5);
/// What has ended earlier can be what played before.
const ENDED_AFTER: Duration = Duration::from_secs(1);
/// The pause between two readings.
const PAUSE: Duration = Duration::from_millis(50);

/// What is found while there is no connection to OBS.
pub(super) fn without_obs(reason: &Disconnect) -> Findings {
    let obs = match reason {
        Disconnect::PasswordRequired | Disconnect::WrongPassword => ObsFound::WrongPassword,
        Disconnect::Loading => ObsFound::Loading,
        Disconnect::Unresponsive => ObsFound::Unresponsive,
        Disconnect::UnsupportedVersion => ObsFound::TooOld(reason.to_string()),
        other => ObsFound::Unreachable(other.to_string()),
    };
    Findings { obs, scenes: None, failover: None, platform: None, network: None }
}

/// Makes the checks. Each needs the ones before.
pub(super) async fn check(outside: &Outside, version: String) -> Findings {
    let obs = outside.setup.obs.as_ref();
    let mut found = Findings {
        obs: ObsFound::Ready(version),
        scenes: None,
        failover: None,
        platform: None,
        network: None,
    };
    let made = outside.make_scenes().await;
    if let Some(error) = gone(made.problem.as_ref()) {
        found.obs = error;
        return found;
    }
    let is_complete = made.missing.is_empty();
    found.scenes = Some(match &made.problem {
        Some(error) => ScenesFound::Missing(made.missing, error.to_string()),
        None => ScenesFound::Complete(made.made),
    });
    if !is_complete {
        return found;
    }
    found.failover = Some(match &outside.setup.settings.failover_video {
        None => own_failover(outside).await,
        Some(path) => match plays(obs, path).await {
            Ok(Ok(length)) => FailoverFound::Played(length),
            Ok(Err(_)) => FailoverFound::NotPlayable(path.clone()),
            Err(error) => match gone(Some(&error)) {
                Some(gone) => {
                    found.obs = gone;
                    return found;
                }
                None => FailoverFound::NotPlayable(path.clone()),
            },
        },
    });
    let Some(platform) = &outside.setup.platform else {
        found.platform = Some(PlatformFound::NotConfigured);
        return found;
    };
    found.platform = Some(set_platform(obs, platform, outside.setup.video.as_ref()).await);
    found.network = Some(match platform.probe.reach().await {
        Ok(after) => NetworkFound::Reached(after),
        Err(why) => NetworkFound::Unreachable(why),
    });
    found
}

/// What a person put into the failover scene.
async fn own_failover(outside: &Outside) -> FailoverFound {
    let scene = outside.setup.settings.scenes.name(ScenePurpose::Failover);
    let items = outside.setup.obs.scene_items(scene.as_str()).await.unwrap_or_default();
    match items.iter().filter(|item| item.enabled && item.source != scenes::FAILOVER).count() {
        0 => FailoverFound::NotConfigured,
        sources => FailoverFound::Scene(sources),
    }
}

/// Why OBS cannot be checked, if it is gone meanwhile.
fn gone(error: Option<&ObsError>) -> Option<ObsFound> {
    match error? {
        ObsError::NotConnected(reason) => Some(without_obs(reason).obs),
        ObsError::TimedOut => Some(ObsFound::Unresponsive),
        ObsError::Loading => Some(ObsFound::Loading),
        _ => None,
    }
}

/// Plays the beginning of a file where nobody sees it, and returns its length, or what is wrong with it.
pub(super) async fn plays(
    obs: &dyn ObsControl,
    path: &str,
) -> Result<Result<Duration, &'static str>, ObsError> {
    let found = begins(obs, path).await;
    // Otherwise it plays to its end. If it has ended already, there is nothing to stop.
    let _ = obs.media_action(CHECK, MediaAction::Stop).await;
    found
}

async fn begins(obs: &dyn ObsControl, path: &str) -> Result<Result<Duration, &'static str>, ObsError> {
    obs.set_media(CHECK, &scenes::media(MediaLocation::File(path.to_owned()))).await?;
    let (sent_at, mut first) = (Instant::now(), None);
    loop {
        let status = obs.media_status(CHECK).await?;
        let length = status.duration.filter(|length| !length.is_zero());
        if let (MediaState::Playing, Some(length), Some(cursor)) = (status.state, length, status.cursor) {
            match first {
                None => first = Some(cursor),
                Some(first) if cursor > first => return Ok(Ok(length)),
                Some(_) => {}
            }
        }
        let is_late = |limit: Duration| sent_at.elapsed() >= limit;
        if status.state == MediaState::Ended && is_late(ENDED_AFTER) {
            return Ok(Err("OBS cannot play it: it is missing, broken or empty"));
        }
        if is_late(BEGIN_WITHIN) {
            return Ok(Err("OBS did not begin to play it in time"));
        }
        sleep(PAUSE).await;
    }
}

/// Sets address, key, picture and bitrate, unless they are set. OBS refuses it while it streams.
async fn set_platform(
    obs: &dyn ObsControl,
    platform: &PlatformSetup,
    video: Option<&VideoSettings>,
) -> PlatformFound {
    if platform.key.expose().is_empty() {
        return PlatformFound::NoKey;
    }
    let wanted = StreamDestination { server: Some(platform.url.clone()), key: platform.key.clone() };
    let is_set = obs.stream_destination().await.is_ok_and(|found| found == wanted);
    let is_streaming = obs.stream_status().await.is_ok_and(|status| status.active);
    if is_streaming {
        return if is_set { PlatformFound::Set } else { PlatformFound::InUse };
    }
    if !is_set && obs.set_stream_destination(&wanted).await.is_err() {
        return PlatformFound::InUse;
    }
    if let Some(video) = video
        && let Err(error) = set_video(obs, video).await
    {
        tracing::warn!(%error, "OBS keeps its picture and bitrate; set them in OBS under Settings");
    }
    PlatformFound::Set
}

async fn set_video(obs: &dyn ObsControl, video: &VideoSettings) -> Result<(), ObsError> {
    let wanted = VideoOutput { width: video.width, height: video.height, fps: (video.fps, 1) };
    if obs.video().await? != wanted {
        obs.set_video(wanted).await?;
    }
    let encoding = Encoding { bitrate_kbps: video.bitrate_kbps, encoder: video.encoder.clone() };
    if obs.encoding().await? != encoding {
        obs.set_encoding(&encoding).await?;
    }
    Ok(())
}
