//! The director decides what is on air: from the settings, what is seen of OBS, the schedule, the owner, a person's orders, and
//! the time. It neither waits nor talks to anything: a supervisor gives it [`Change`]s, a tick at least every 250 ms among them,
//! carries out its [`Command`]s, and gives [`Director::on_air`] to the ledger.

use super::content::{ContentName, Library, Verification};
use super::decision::{Choice, Reason, Subject, Why};
use super::failover::Ladder;
use super::far_end::FarEnd;
use super::link::{Link, LinkState};
use super::model::{Desired, Hold, SceneName};
use super::moment::Moment;
use super::observation::{Observation, StreamSample};
use super::output::{Output, StreamState};
use super::owner::Owner;
use super::picture::Picture;
use super::playout::{Play, Playout};
use super::record::{FailoverEvent, OwnerSession, Record};
use super::restart::Restarts;
use super::schedule::Schedule;
use super::settings::StudioSettings;
use std::time::Duration;
use wanted::Wanted;

mod content;
mod observed;
mod on_air;
mod picture;
mod scene;
mod status;
mod stream;
#[cfg(test)]
mod tests;
mod wanted;

pub use status::{Alert, StudioStatus};

/// Something that matters for what is on air.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Something was seen.
    Observed(Observation),
    /// A person starts the studio.
    Start {
        /// Who.
        by: String,
    },
    /// A person stops the studio.
    Stop {
        /// Who.
        by: String,
    },
    /// A person orders that the scene is left alone, or that another one continues air and stays there.
    Hold(Hold),
    /// A person ends the hold.
    Release {
        /// Who.
        by: String,
    },
    /// The schedule changed.
    Schedule(Schedule),
    /// A file was verified.
    Verified {
        /// The content.
        name: ContentName,
        /// What was found.
        found: Verification,
    },
    /// This content is something else now, and was not verified.
    Forgotten(ContentName),
    /// Whether all pre-flight checks passed.
    Preflight(bool),
    /// Time passed.
    Tick,
}

/// What the supervisor has to do. What has no effect in time is repeated by another command.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Put a scene on air. Confirmed by [`Observation::Scene`].
    SwitchScene {
        /// The scene.
        scene: SceneName,
        /// How long picture and sound fade; zero is a cut.
        fade: Duration,
    },
    /// Play this in the automated or the failover scene.
    Play(Play),
    /// Start the stream.
    StartStream,
    /// Stop the stream.
    StopStream,
    /// End OBS, if it is there, and start it.
    RestartObs {
        /// How many restarts there were since OBS was well.
        attempt: u32,
    },
}

/// The result of a change.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Step {
    /// What to do, in this order.
    pub commands: Vec<Command>,
    /// What was decided.
    pub choices: Vec<Choice>,
    /// What happened, for reports. A record of the same kind and beginning replaces the one before.
    pub records: Vec<Record>,
}

/// Decides what is on air.
#[derive(Clone, Debug)]
pub struct Director {
    settings: StudioSettings,
    schedule: Schedule,
    library: Library,
    desired: Desired,
    /// Whether the pre-flight checks passed; `None` before they were made.
    checks: Option<bool>,
    hold: Option<Hold>,
    link: Link,
    output: Output,
    far_end: FarEnd,
    owner: Owner,
    ladder: Ladder,
    playout: Playout,
    restarts: Restarts,
    picture: Picture,
    /// The scene that is on air.
    scene: Option<SceneName>,
    wanted: Option<Wanted>,
    /// The scene that automation would have, but for the hold.
    refused: Option<SceneName>,
    /// Why the next scene or content is chosen.
    why: Why,
    /// When what `why` says was noticed first.
    noticed: Option<Moment>,
    /// Whether OBS reported its state since it was connected.
    is_synced: bool,
    /// When OBS was lost.
    lost: Option<Moment>,
    /// OBS is gone since then, and its stream has not come back.
    crash: Option<Moment>,
    /// When the far end last proved that the stream arrives, with OBS out of sight.
    arrived: Option<Moment>,
    /// When the commands to start and to stop the stream were last sent.
    start_sent: Option<Moment>,
    /// Whether OBS began to start the stream since then.
    is_start_seen: bool,
    stop_sent: Option<Moment>,
    /// Whether a person's stop is still to be carried out.
    must_stop: bool,
    has_been_live: bool,
    /// Who started the studio.
    started_by: Option<String>,
    /// The block of the schedule, and whether a natural point to leave failover content was reached.
    block: Option<String>,
    /// The minute in which the schedule was last read.
    minute: Option<i64>,
    is_natural_point: bool,
    failover: Option<FailoverEvent>,
    owner_session: Option<OwnerSession>,
    last: Option<Moment>,
}

impl Director {
    /// A studio of which nothing was seen yet.
    pub fn new(settings: StudioSettings, schedule: Schedule, library: Library, desired: Desired) -> Self {
        Self {
            owner: Owner::new(settings.owner.clone()),
            far_end: FarEnd::new(settings.far_end),
            picture: Picture::default(),
            settings,
            schedule,
            library,
            desired,
            checks: None,
            hold: None,
            link: Link::default(),
            output: Output::default(),
            ladder: Ladder::default(),
            playout: Playout::default(),
            restarts: Restarts::default(),
            scene: None,
            wanted: None,
            refused: None,
            why: Why::new(Reason::Start),
            noticed: None,
            is_synced: false,
            lost: None,
            crash: None,
            arrived: None,
            start_sent: None,
            is_start_seen: false,
            stop_sent: None,
            must_stop: false,
            has_been_live: false,
            started_by: None,
            block: None,
            minute: None,
            is_natural_point: false,
            failover: None,
            owner_session: None,
            last: None,
        }
    }

    /// Takes a change, and returns its result.
    pub fn handle(&mut self, now: Moment, change: Change) -> Step {
        if self.last.is_some_and(|last| now.has_jumped_since(last)) {
            // What was seen before says nothing of the time in between.
            self.output.forget();
        }
        self.last = Some(now);
        let mut step = Step::default();
        match change {
            Change::Observed(observation) => self.take_observation(now, observation, &mut step),
            Change::Start { by } => {
                (self.desired, self.must_stop) = (Desired::OnAir, false);
                self.started_by = Some(by);
                self.start_sent = None;
            }
            Change::Stop { by } => self.stop(now, &by),
            Change::Hold(hold) => self.hold(now, hold, &mut step),
            Change::Release { by } => {
                if self.hold.take().is_some() {
                    self.because(now, Why::new(Reason::HoldEnded).by(&by));
                    self.scene_choice("automation", &mut step);
                }
            }
            Change::Schedule(schedule) => (self.schedule, self.minute) = (schedule, None),
            Change::Verified { name, found } => {
                if found.problem.is_none() {
                    self.playout.verified(&name);
                }
                self.library.record(name, found);
            }
            Change::Forgotten(name) => self.library.forget(&name),
            Change::Preflight(have_passed) => self.checks = Some(have_passed),
            Change::Tick => {}
        }
        self.evaluate(now, &mut step);
        step
    }

    fn evaluate(&mut self, now: Moment, step: &mut Step) {
        if self.hold.as_ref().is_some_and(|hold| hold.has_expired(now.at)) {
            self.hold = None;
            self.because(now, Why::new(Reason::HoldEnded));
            self.scene_choice("automation", step);
        }
        self.notice_crash(now);
        self.restart_obs(now, step);
        if !self.is_synced || self.link.state() != LinkState::Connected {
            return;
        }
        let decides = self.decides();
        if decides {
            self.update_owner(now, step);
            self.choose_content(now, step);
        }
        if decides || self.hold.is_some() {
            self.choose_scene(now, step);
        }
        self.choose_stream(now, step);
        if decides {
            self.judge_picture(now, step);
        }
    }

    /// Whether automation decides what is shown. A person who works in OBS while the studio is stopped, or cannot start, is
    /// left alone; so is a stream that runs until the checks were made.
    fn decides(&self) -> bool {
        self.desired == Desired::OnAir
            && self.checks.is_some_and(|have_passed| have_passed || self.output.is_active())
    }

    /// The reason for what is chosen next.
    fn because(&mut self, now: Moment, why: Why) {
        (self.why, self.noticed) = (why, Some(now));
    }

    /// Who leaves the scene to whom.
    fn scene_choice(&self, to: &str, step: &mut Step) {
        let from = self.scene.as_ref().map(ToString::to_string);
        step.choices.push(self.why.choice(Subject::Scene, from, to));
    }

    fn stop(&mut self, now: Moment, by: &str) {
        self.desired = Desired::Stopped;
        self.playout.pause(now);
        (self.wanted, self.refused) = (None, None);
        self.must_stop = self.output.is_active() || self.output.state() == StreamState::Unknown;
        self.stop_sent = None;
        self.started_by = Some(by.to_owned());
    }

    fn hold(&mut self, now: Moment, mut hold: Hold, step: &mut Step) {
        let mut why = Why::new(Reason::Operator).by(&hold.by);
        if let Some(reason) = &hold.reason {
            why = why.with("reason", reason.as_str());
        }
        self.because(now, why);
        if hold.scene.is_none() {
            hold.scene.clone_from(&self.scene);
            self.scene_choice("hold", step);
        }
        self.hold = Some(hold);
        self.refused = None;
    }

    fn sample(&mut self, now: Moment, sample: StreamSample) {
        self.output.sample(now, sample, self.settings.health.stall);
        if !self.is_synced {
            self.is_synced = true;
            if !sample.active {
                // OBS was started anew: its players are empty.
                self.playout.pause(self.lost.unwrap_or(now));
                if let Some(wanted) = &mut self.wanted {
                    (wanted.is_confirmed, wanted.sent_at) = (false, None);
                }
            }
            self.lost = None;
        }
    }
}
