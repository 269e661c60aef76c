//! What the director knows, for people.

use std::time::Duration;

use super::Director;
use crate::domain::Timestamp;
use crate::domain::studio::content::ContentSource;
use crate::domain::studio::decision::Reason;
use crate::domain::studio::downtime::Cause;
use crate::domain::studio::failover::Rung;
use crate::domain::studio::far_end::Arrival;
use crate::domain::studio::ledger::OnAir;
use crate::domain::studio::link::LinkState;
use crate::domain::studio::metrics::{ConnectionStatus, Rates, StreamingStatus};
use crate::domain::studio::model::{Desired, Hold, SceneName, ScenePurpose};
use crate::domain::studio::moment::Moment;
use crate::domain::studio::output::StreamState;
use crate::domain::studio::owner::OwnerState;
use crate::domain::studio::playout::{Item, Play};
use crate::domain::studio::restart::ATTEMPTS;
use crate::domain::studio::words::words;

words! {
    /// Something a person has to know of now.
    #[derive(PartialOrd, Ord)]
    Alert {
        /// OBS cannot be reached.
        ObsUnreachable,
        /// OBS was restarted three times without success. It is restarted on.
        RestartsFailed,
        /// Content and failover content failed.
        TechnicalDifficulties,
        /// The scene that a person holds is black or silent.
        HeldSceneIsBad,
        /// The stream was stopped in OBS, and is started again.
        StoppedInObs,
    }
}

/// A studio, as seen at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct StudioStatus {
    /// Whether it is to be on air.
    pub desired: Desired,
    /// The connection to OBS.
    pub link: LinkState,
    /// The stream, as OBS reports it.
    pub stream: StreamState,
    /// The stream, as the far end sees it, and its last bitrate there in kbit/s.
    pub far_end: (Arrival, Option<u32>),
    /// The scene that is on air.
    pub scene: Option<SceneName>,
    /// What that scene is for; `None` if it is not one of ours.
    pub purpose: Option<ScenePurpose>,
    /// Why the scene or the content was chosen.
    pub reason: Reason,
    /// What plays.
    pub play: Option<Play>,
    /// Whether that is on air already.
    pub is_playing: bool,
    /// The content that is resumed after the owner or a failure, and where.
    pub paused: Option<(String, Duration)>,
    /// The owner.
    pub owner: OwnerState,
    /// Where automation is on the failover ladder.
    pub rung: Rung,
    /// A person's hold.
    pub hold: Option<Hold>,
    /// How often OBS was restarted since it was well.
    pub restarts: u32,
    /// What a person has to know of now.
    pub alerts: Vec<Alert>,
}

impl Director {
    /// What is known at `now`.
    pub fn status(&self, now: Moment) -> StudioStatus {
        let purpose = self.scene.as_ref().and_then(|scene| self.settings.scenes.purpose(scene));
        let paused = self.playout.paused();
        StudioStatus {
            desired: self.desired,
            link: self.link.state(),
            stream: self.output.state(),
            far_end: (self.far_end.state(now).0, self.far_end.kbps()),
            scene: self.scene.clone(),
            purpose,
            reason: self.why.reason,
            play: self.playout.current().cloned(),
            is_playing: self.playout.started().is_some() && self.plays_on_air(),
            paused: paused.map(|(source, position)| (source.name.to_string(), position)),
            owner: self.owner.state(),
            rung: self.ladder.rung(),
            hold: self.hold.clone(),
            restarts: self.restarts.attempts(),
            alerts: self.alerts(now),
        }
    }

    /// The connection, as the health API calls it. `rates` are those of the stream.
    pub fn connection(&self, now: Moment, rates: Rates) -> ConnectionStatus {
        let is_dropping = rates.dropped_percent > self.settings.health.degraded_dropped_percent;
        match self.on_air(now) {
            OnAir::Bad { cause: Cause::NetworkDegraded, .. } => ConnectionStatus::Degraded,
            OnAir::Good { .. } | OnAir::Bad { cause: Cause::ContentFailure, .. } if is_dropping => {
                ConnectionStatus::Degraded
            }
            OnAir::Good { .. } | OnAir::Bad { cause: Cause::ContentFailure, .. } => {
                ConnectionStatus::Connected
            }
            OnAir::Off | OnAir::Unknown | OnAir::Bad { .. } => ConnectionStatus::Disconnected,
        }
    }

    /// The stream, as the health API calls it.
    pub fn streaming(&self) -> StreamingStatus {
        match self.output.state() {
            StreamState::Live | StreamState::Reconnecting | StreamState::Stalled => {
                StreamingStatus::Streaming
            }
            StreamState::Starting => StreamingStatus::Starting,
            StreamState::Stopping => StreamingStatus::Stopping,
            StreamState::Unknown | StreamState::Off => StreamingStatus::Stopped,
        }
    }

    /// Since when the present content plays.
    pub fn playing_since(&self, now: Moment) -> Option<Timestamp> {
        Some(now.at.minus(now.since(self.playout.started()?)))
    }

    /// What plays after the present content, if nothing comes between.
    pub fn next_content(&self, now: Moment) -> Option<ContentSource> {
        self.playout.pick(&self.schedule, &self.library, now, false)
    }

    /// The failover content, or what the schedule wants, by its name.
    pub fn current_content(&self) -> Option<&str> {
        self.playout.current().map(|play| match &play.item {
            Item::Content(source) => source.name.as_str(),
            Item::Failover(path) => path.as_str(),
        })
    }

    fn alerts(&self, now: Moment) -> Vec<Alert> {
        let timeout = self.settings.health.detection_timeout;
        let is_lost = self.link.lost().is_some_and(|lost| now.since(lost) >= timeout);
        let outage = self.output.outage().map(|(cause, _)| cause);
        let is_stopped = outage == Some(Cause::ManualStop);
        let all = [
            (is_lost, Alert::ObsUnreachable),
            (self.restarts.attempts() >= ATTEMPTS && self.link.lost().is_some(), Alert::RestartsFailed),
            (self.ladder.rung() == Rung::TechnicalDifficulties, Alert::TechnicalDifficulties),
            (self.hold.is_some() && self.blackout(now).is_some(), Alert::HeldSceneIsBad),
            (is_stopped && self.desired == Desired::OnAir, Alert::StoppedInObs),
        ];
        all.into_iter().filter(|(is_so, _)| *is_so).map(|(_, alert)| alert).collect()
    }
}
