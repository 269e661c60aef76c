//! A simulated OBS with its platform, and a supervisor between it and the director. It knows the truth: when the platform had
//! a good picture.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::domain::Timestamp;
use crate::domain::studio::content::{Library, file};
use crate::domain::studio::director::{Change, Command, Director, Step, StudioStatus};
use crate::domain::studio::{
    Choice, ContentName, Desired, Downtime, Item, Ledger, LedgerChange, Moment, Observation, OnAir,
    OwnerSettings, Play, Record, SceneName, Schedule, SourceName, StreamEvent, StreamSample, StreamSession,
    StudioSettings, TimeZone, Turn, Verification,
};

pub(super) const FAILOVER: &str = "/media/failover.mp4";

mod faults;

/// What happens later.
#[derive(Clone, Debug)]
enum Event {
    Connect,
    Scene(SceneName),
    MediaStarted(Turn, Option<Duration>),
    MediaEnded(Turn, Option<Duration>),
    Stream(StreamEvent),
    Unanswered(u64),
    PlatformBack,
}

/// OBS and the platform.
#[derive(Clone, Debug, Default)]
struct Obs {
    runs: bool,
    frozen: bool,
    /// Whether the WebSocket server is reachable.
    hidden: bool,
    scene: Option<SceneName>,
    /// Since when the platform takes the stream.
    live: Option<u64>,
    active: bool,
    reconnecting: bool,
    /// What the players of content and of failover content play, and whether they show nothing.
    plays: [Option<(Play, bool)>; 2],
}

pub(super) struct World {
    pub(super) now: u64,
    pub(super) start: Timestamp,
    /// When the process of Streamward began.
    process: u64,
    director: Option<Director>,
    pub(super) ledger: Ledger,
    pub(super) sessions: Vec<StreamSession>,
    pub(super) downtimes: BTreeMap<Timestamp, Downtime>,
    pub(super) settings: StudioSettings,
    pub(super) schedule: Schedule,
    library: Library,
    obs: Obs,
    queue: BTreeMap<(u64, u64), Event>,
    events: u64,
    /// Files that OBS cannot play, and files that are black.
    pub(super) broken: BTreeSet<String>,
    pub(super) black: BTreeSet<String>,
    lengths: BTreeMap<String, u64>,
    is_owner_enabled: bool,
    pub(super) owner_luminance: f64,
    /// What OBS does wrong.
    pub(super) is_all_black: bool,
    pub(super) refuse_starts: bool,
    pub(super) loses_ends: bool,
    pub(super) ignores_switches: bool,
    /// When the platform had no good picture while the session lasted, in ms.
    pub(super) bad_ms: u64,
    bad_since: Option<u64>,
    is_in_session: bool,
    busy_until: u64,
    pub(super) choices: Vec<(u64, Choice)>,
    pub(super) records: Vec<Record>,
    pub(super) commands: Vec<(u64, Command)>,
}

fn player(play: &Play) -> usize {
    usize::from(matches!(play.item, Item::Failover(_)))
}

pub(super) fn scene(name: &str) -> SceneName {
    SceneName::parse(name).unwrap()
}

impl World {
    /// With these files, and their lengths in seconds. OBS runs, with a scene of its own.
    pub(super) fn new(files: &[(&str, u64)]) -> Self {
        let owner =
            OwnerSettings { sources: vec![SourceName::parse("Camera").unwrap()], ..OwnerSettings::default() };
        let settings = StudioSettings {
            owner,
            failover_video: Some(FAILOVER.to_owned()),
            can_restart: true,
            ..StudioSettings::default()
        };
        let content = files.iter().map(|(name, _)| file(name)).collect();
        let mut lengths: BTreeMap<_, _> =
            files.iter().map(|(name, length)| (format!("/media/{name}.mp4"), length * 1_000)).collect();
        lengths.insert(FAILOVER.to_owned(), 20_000);
        let mut world = Self {
            now: 0,
            start: Timestamp::from_seconds(1_767_225_600),
            process: 0,
            director: None,
            ledger: Ledger::default(),
            sessions: vec![],
            downtimes: BTreeMap::new(),
            settings,
            schedule: Schedule { content, ..Schedule::empty(TimeZone::UTC) },
            library: Library::default(),
            obs: Obs { runs: true, scene: Some(scene("Scene")), ..Obs::default() },
            queue: BTreeMap::new(),
            events: 0,
            broken: BTreeSet::new(),
            black: BTreeSet::new(),
            lengths,
            is_owner_enabled: false,
            owner_luminance: 0.5,
            is_all_black: false,
            refuse_starts: false,
            loses_ends: false,
            ignores_switches: false,
            bad_ms: 0,
            bad_since: None,
            is_in_session: false,
            busy_until: 0,
            choices: vec![],
            records: vec![],
            commands: vec![],
        };
        for (name, length) in files {
            world.verify(name, Some(*length));
        }
        world
    }

    /// On air, with the first file.
    pub(super) fn on_air(files: &[(&str, u64)]) -> Self {
        let mut world = Self::new(files);
        world.boot();
        world.run(10_000);
        assert!(world.is_live(), "{:?}", world.choices);
        world.forget();
        world
    }

    /// Streamward starts, with what it stored.
    pub(super) fn boot(&mut self) {
        self.boot_with(true);
    }

    /// The same, with the result of the pre-flight checks.
    pub(super) fn boot_with(&mut self, is_ready: bool) {
        self.process = self.now;
        // Nobody knows any more what the players play.
        self.queue.retain(|_, event| !matches!(event, Event::MediaStarted(..) | Event::MediaEnded(..)));
        self.director = Some(Director::new(
            self.settings.clone(),
            self.schedule.clone(),
            self.library.clone(),
            Desired::OnAir,
        ));
        self.busy_until = self.now + 120_000;
        self.change(Change::Preflight(is_ready));
        self.connect();
    }

    pub(super) fn forget(&mut self) {
        self.choices.clear();
        self.records.clear();
        self.commands.clear();
    }

    pub(super) fn moment(&self) -> Moment {
        let at = self.start.plus(Duration::from_millis(self.now));
        Moment { at, elapsed: Duration::from_millis(self.now - self.process) }
    }

    pub(super) fn status(&self) -> StudioStatus {
        self.director.as_ref().unwrap().status(self.moment())
    }

    pub(super) fn verify(&mut self, name: &str, seconds: Option<u64>) {
        let problem = seconds.is_none().then(|| "cannot be opened".to_owned());
        let at = self.moment().at;
        let found = Verification { at, duration_ms: seconds.map(|seconds| seconds * 1_000), problem };
        let name = ContentName::parse(name).unwrap();
        self.library.record(name.clone(), found.clone());
        self.change(Change::Verified { name, found });
    }

    fn later(&mut self, after: u64, event: Event) {
        self.events += 1;
        self.queue.insert((self.now + after, self.events), event);
    }

    /// Gives the director a change, and does what it says.
    pub(super) fn change(&mut self, change: Change) {
        let now = self.moment();
        let Some(director) = &mut self.director else { return };
        let Step { commands, choices, records } = director.handle(now, change);
        let on_air = director.on_air(now);
        self.choices.extend(choices.into_iter().map(|choice| (self.now, choice)));
        self.records.extend(records);
        self.store(now, on_air);
        for command in commands {
            self.commands.push((self.now, command.clone()));
            self.carry_out(command);
        }
    }

    fn store(&mut self, now: Moment, on_air: OnAir) {
        for change in self.ledger.update(now, on_air) {
            match change {
                LedgerChange::SessionBegan(session) => {
                    self.sessions.push(session);
                    self.is_in_session = true;
                }
                LedgerChange::SessionEnded(session) => {
                    *self.sessions.last_mut().unwrap() = session;
                    self.judge();
                    self.is_in_session = false;
                    self.bad_since = None;
                }
                LedgerChange::DowntimeBegan(downtime) | LedgerChange::DowntimeEnded(downtime) => {
                    self.downtimes.insert(downtime.started_at, downtime);
                }
                LedgerChange::DowntimeWithdrawn(downtime) => {
                    self.downtimes.remove(&downtime.started_at);
                }
            }
        }
    }

    fn carry_out(&mut self, command: Command) {
        if let Command::RestartObs { .. } = command {
            self.obs = Obs { scene: self.obs.scene.take(), ..Obs::default() };
            self.queue.retain(|_, event| matches!(event, Event::PlatformBack));
            self.later(1_000, Event::Connect);
            return;
        }
        if !self.obs.runs || self.obs.frozen || self.obs.hidden {
            return;
        }
        match command {
            Command::SwitchScene { .. } if self.ignores_switches => {}
            Command::SwitchScene { scene, fade } => {
                self.later(60 + u64::try_from(fade.as_millis()).unwrap(), Event::Scene(scene));
            }
            Command::Play(play) => self.play(play),
            Command::StartStream => {
                self.later(20, Event::Stream(StreamEvent::Starting));
                let refused = self.refuse_starts;
                let event = if refused { StreamEvent::Stopped } else { StreamEvent::Started };
                self.later(if refused { 62 } else { 200 }, Event::Stream(event));
            }
            Command::StopStream => self.stop_stream(),
            Command::RestartObs { .. } => {}
        }
    }

    fn play(&mut self, play: Play) {
        let path = play.item.place();
        let is_broken = self.broken.contains(path);
        let length = self.lengths.get(path).copied();
        let turn = play.turn;
        let position = u64::try_from(play.position.as_millis()).unwrap();
        let left = length.map(|length| length.saturating_sub(position));
        // A player that shows nothing does so until it begins.
        let player = &mut self.obs.plays[player(&play)];
        let is_empty = player.as_ref().is_some_and(|(_, is_empty)| *is_empty);
        *player = Some((play, is_empty));
        let duration = length.map(Duration::from_millis).filter(|_| !is_broken);
        self.later(44, Event::MediaStarted(turn, duration));
        let after = if is_broken { 50 } else { left.unwrap_or(0) + 44 };
        self.later(after, Event::MediaEnded(turn, duration));
    }

    pub(super) fn stop_stream(&mut self) {
        if !self.obs.active || self.obs.frozen {
            return;
        }
        self.later(10, Event::Stream(StreamEvent::Stopping));
        self.later(500, Event::Stream(StreamEvent::Stopped));
        self.busy_until = self.now + 120_000;
    }

    fn connect(&mut self) {
        if self.director.is_none() {
            return;
        }
        if !self.obs.runs {
            self.see(Observation::ProcessEnded);
        } else if self.obs.hidden || self.obs.frozen {
            self.see(Observation::Disconnected);
        } else {
            self.see(Observation::Connected);
            self.poll();
        }
    }

    fn poll(&mut self) {
        if !self.obs.runs || self.obs.hidden {
            return;
        }
        if self.obs.frozen {
            self.later(2_000, Event::Unanswered(self.now));
            return;
        }
        let duration = self.obs.live.map_or(0, |live| self.now - live);
        let sample = StreamSample {
            active: self.obs.active,
            reconnecting: self.obs.reconnecting,
            duration: Duration::from_millis(duration),
            bytes: duration * 50,
            skipped_frames: 0,
            total_frames: duration / 33,
        };
        self.see(Observation::StreamStatus(sample));
        self.see(Observation::Scene(self.obs.scene.clone().unwrap()));
        let is_black = self.plays_on_air().is_some_and(|(play, _)| self.black.contains(play.item.place()));
        self.see(Observation::Picture(if is_black || self.is_all_black { 0.0 } else { 0.4 }));
        self.see(Observation::Sound(-20.0));
        self.see(Observation::OwnerPicture(self.owner_luminance));
        self.see_owner();
    }

    /// What plays in the scene that is on air, and whether that shows nothing.
    fn plays_on_air(&self) -> Option<&(Play, bool)> {
        let scene = self.obs.scene.as_ref()?.as_str();
        let player = ["Automated Content", "Failover"].iter().position(|name| *name == scene)?;
        self.obs.plays[player].as_ref()
    }

    fn plays(&mut self, turn: Turn, is_empty: bool) {
        for (_, empty) in self.obs.plays.iter_mut().flatten().filter(|(play, _)| play.turn == turn) {
            *empty = is_empty;
        }
        self.judge();
    }

    pub(super) fn see(&mut self, observation: Observation) {
        self.busy_until = self.busy_until.max(match observation {
            Observation::Connected | Observation::Disconnected | Observation::ProcessEnded => {
                self.now + 120_000
            }
            _ => 0,
        });
        let is_of_obs = !matches!(
            observation,
            Observation::Disconnected | Observation::ProcessEnded | Observation::FarEnd(_)
        );
        if !is_of_obs || self.obs.runs && !self.obs.hidden {
            self.change(Change::Observed(observation));
        }
    }

    fn on(&mut self, event: Event) {
        let is_of_obs = !matches!(event, Event::Connect | Event::Unanswered(_) | Event::PlatformBack);
        if self.obs.frozen && is_of_obs {
            return;
        }
        match event {
            Event::Connect => {
                self.obs.runs = true;
                self.connect();
            }
            Event::Unanswered(sent) => {
                if self.obs.frozen {
                    let ago = Duration::from_millis(self.now - sent);
                    let now = self.moment();
                    let sent = Moment { at: now.at.minus(ago), elapsed: now.elapsed.saturating_sub(ago) };
                    self.see(Observation::Unanswered { sent });
                }
            }
            Event::PlatformBack => {
                if self.obs.frozen {
                    self.later(1_000, Event::PlatformBack);
                } else if self.obs.reconnecting {
                    (self.obs.live, self.obs.reconnecting) = (Some(self.now), false);
                    self.judge();
                    self.see(Observation::Stream(StreamEvent::Reconnected));
                }
            }
            Event::Scene(scene) => {
                self.obs.scene = Some(scene.clone());
                self.judge();
                self.see(Observation::Scene(scene));
            }
            Event::MediaStarted(turn, duration) => {
                self.plays(turn, false);
                self.see(Observation::MediaStarted { turn, duration });
            }
            Event::MediaEnded(..) if self.loses_ends => {}
            Event::MediaEnded(turn, duration) => {
                self.plays(turn, duration.is_none());
                self.see(Observation::MediaEnded { turn, duration });
            }
            Event::Stream(event) => {
                match event {
                    StreamEvent::Started => (self.obs.live, self.obs.active) = (Some(self.now), true),
                    StreamEvent::Stopping => self.obs.live = None,
                    StreamEvent::Stopped => (self.obs.active, self.obs.reconnecting) = (false, false),
                    _ => {}
                }
                self.judge();
                self.see(Observation::Stream(event));
            }
        }
        self.judge();
    }

    /// Lets time pass. While nothing happens, polls are rare.
    pub(super) fn run(&mut self, millis: u64) {
        let end = self.now + millis;
        while self.now < end {
            let step = if self.now < self.busy_until { 250 } else { 5_000 };
            let next_poll = (self.now / step + 1) * step;
            let next_event = self.queue.keys().next().map_or(u64::MAX, |(at, _)| *at);
            self.now = next_poll.min(next_event).min(end);
            while let Some(entry) = self.queue.first_entry().filter(|entry| entry.key().0 <= self.now) {
                let event = entry.remove();
                self.on(event);
            }
            if self.now == next_poll {
                if self.now.is_multiple_of(1_000) {
                    self.poll();
                }
                self.change(Change::Tick);
            }
        }
    }

    /// Whether the platform has a good picture.
    pub(super) fn is_live(&self) -> bool {
        let obs = &self.obs;
        let is_empty = self.plays_on_air().is_some_and(|(_, is_empty)| *is_empty);
        let is_bad_scene = obs.scene == Some(scene("Technical Difficulties")) || is_empty;
        obs.runs && !obs.frozen && obs.live.is_some() && !is_bad_scene
    }

    /// Keeps the truth.
    fn judge(&mut self) {
        if !self.is_in_session || self.is_live() {
            self.bad_ms += self.bad_since.take().map_or(0, |since| self.now - since);
        } else {
            self.bad_since.get_or_insert(self.now);
        }
    }
}
