//! What the configuration makes of a studio.

use std::sync::Arc;

use crate::domain::secret::Secret;
use crate::domain::studio::{Studio, StudioId, StudioName, StudioSettings, VideoSettings};
use crate::domain::{OrganizationId, Timestamp};
use crate::ports::{ArrivalProbe, ObsControl, ObsLauncher, PlatformProbe};

/// A configured studio: its rules, and what reaches its OBS and its platform.
#[derive(Clone)]
pub struct StudioSetup {
    /// Its name.
    pub name: StudioName,
    /// Who owns it.
    pub organization_id: OrganizationId,
    /// Its rules.
    pub settings: StudioSettings,
    /// Picture and bitrate that OBS is set to before a start; `None` leaves what is set in OBS.
    pub video: Option<VideoSettings>,
    /// Where it streams to; `None` for a studio that is only watched.
    pub platform: Option<PlatformSetup>,
    /// Its OBS.
    pub obs: Arc<dyn ObsControl>,
    /// What starts and ends OBS.
    pub launcher: Option<Arc<dyn ObsLauncher>>,
    /// What sees the stream arrive.
    pub arrival: Option<Arc<dyn ArrivalProbe>>,
}

impl StudioSetup {
    /// The studio, of which nothing was ordered.
    pub(super) fn blank(&self, id: StudioId, now: Timestamp) -> Studio {
        Studio { organization_id: self.organization_id, ..Studio::new(id, self.name.clone(), now) }
    }
}

/// Where a studio streams to.
#[derive(Clone)]
pub struct PlatformSetup {
    /// The address without the key: `rtmp://…` or `rtmps://…`.
    pub url: String,
    /// The key.
    pub key: Secret,
    /// Reaches the platform.
    pub probe: Arc<dyn PlatformProbe>,
}
