//! What a studio's supervisor last saw, as it is stored for everybody who asks.

use serde::{Deserialize, Serialize};

use super::content::ContentKind;
use super::decision::Reason;
use super::director::Alert;
use super::failover::Rung;
use super::far_end::Arrival;
use super::link::LinkState;
use super::metrics::{ConnectionStatus, StreamingStatus};
use super::model::ScenePurpose;
use super::output::StreamState;
use super::owner::OwnerState;
use super::preflight::Preflight;
use crate::domain::Timestamp;

/// A studio at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// When it was taken. A supervisor takes one every second.
    pub at: Timestamp,
    /// Up to when the ledger knows everything.
    pub heartbeat: Option<Timestamp>,
    /// The connection to OBS.
    pub link: LinkState,
    /// Why there is none.
    pub link_problem: Option<String>,
    /// The version of OBS.
    pub obs_version: Option<String>,
    /// The stream, as OBS reports it.
    pub stream: StreamState,
    /// The stream, as the health API calls it.
    pub streaming: StreamingStatus,
    /// The connection to the platform, as the health API calls it.
    pub connection: ConnectionStatus,
    /// The stream, as the far end sees it.
    pub far_end: Arrival,
    /// Its bitrate there, in kbit/s.
    pub far_end_kbps: Option<u32>,
    /// In kbit/s.
    pub bitrate_kbps: f64,
    /// In percent.
    pub dropped_percent: f64,
    /// OBS's share of the processor, in percent.
    pub cpu_percent: f64,
    /// The scene that is on air.
    pub scene: Option<String>,
    /// What that scene is for; `None` if it is not one of ours.
    pub purpose: Option<ScenePurpose>,
    /// Why the scene or the content was chosen.
    pub reason: Reason,
    /// What plays.
    pub content: Option<NowPlaying>,
    /// What plays next.
    pub next: Option<String>,
    /// The content that is resumed after the owner or a failure.
    pub paused: Option<Paused>,
    /// The owner.
    pub owner: OwnerState,
    /// Where automation is on the failover ladder.
    pub rung: Rung,
    /// How often OBS was restarted since it was well.
    pub restarts: u32,
    /// What a person has to know of now.
    pub alerts: Vec<Alert>,
    /// The last pre-flight checks.
    pub preflight: Option<Preflight>,
    /// From when on nothing in the schedule can be played, if that is within a day.
    pub nothing_to_play_at: Option<Timestamp>,
}

/// What plays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NowPlaying {
    /// Its name; of failover content the file.
    pub name: String,
    /// Its kind; `None` for failover content.
    pub kind: Option<ContentKind>,
    /// The file or scene.
    pub place: String,
    /// Since when; `None` if it has not begun.
    pub since: Option<Timestamp>,
    /// Its length in milliseconds, if it has an end.
    pub length_ms: Option<u64>,
}

/// Content that was interrupted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paused {
    /// Its name.
    pub name: String,
    /// Where it is resumed, in milliseconds.
    pub position_ms: u64,
}

/// A snapshot that is older was not taken by a running supervisor.
const STALE: std::time::Duration = std::time::Duration::from_secs(10);

impl Snapshot {
    /// Whether its supervisor still runs at `now`.
    pub fn is_fresh(&self, now: Timestamp) -> bool {
        now.since(self.at) <= STALE
    }
}
