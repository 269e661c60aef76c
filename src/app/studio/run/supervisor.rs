//! The supervisor of a studio: gives the director what is seen and ordered, and carries out and stores what it decides.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast::{self, error::RecvError};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::checks::Checks;
use super::clock::TwoClocks;
use super::commands;
use super::drill::Drilling;
use super::observer::{Observer, Reading};
use super::outside::{Message, Outside};
use super::report::Reports;
use super::watchers;
use crate::app::Core;
use crate::app::studio::setup::StudioSetup;
use crate::app::task::{TaskContext, TaskError};
use crate::domain::Timestamp;
use crate::domain::access::Scope;
use crate::domain::studio::{
    Alert, Change, Command, Director, DrillId, Findings, Ledger, Library, LinkState, Meter, Moment,
    Observation, Preflight, SceneName, Schedule, StreamEvent, Studio, StudioId,
};
use crate::ports::obs_values::{ObsStats, StreamState};
use crate::ports::{Disconnect, ObsEvent, ObsSignal, WakeUp};

/// How often the director gets the time.
const TICK: Duration = Duration::from_millis(200);
/// How often what is seen is stored.
pub(super) const STORE: Duration = Duration::from_secs(1);
/// How often the orders are read without a wake-up.
pub(super) const READ: Duration = Duration::from_secs(2);
/// How often the end of the schedule is calculated.
pub(super) const PLAN: Duration = Duration::from_secs(60);
/// How much of the ledger is kept in memory, and how far ahead "nothing to play" is said.
pub(super) const HISTORY: Duration = Duration::from_secs(31 * 24 * 3_600);
pub(super) const AHEAD: Duration = Duration::from_secs(24 * 3_600);
/// How many commands and messages may wait.
const WAITING: usize = 256;

/// Supervises one studio.
pub(super) struct Supervisor {
    pub(super) core: Arc<Core>,
    pub(super) outside: Outside,
    pub(super) context: TaskContext,
    pub(super) studio: Studio,
    pub(super) director: Director,
    pub(super) ledger: Ledger,
    pub(super) library: Library,
    pub(super) schedule: Schedule,
    pub(super) meter: Meter,
    pub(super) stats: Option<ObsStats>,
    pub(super) version: Option<String>,
    pub(super) problem: Option<Disconnect>,
    /// Since when there is no connection.
    pub(super) gone: Option<Moment>,
    pub(super) checks: Checks,
    /// From when on nothing can be played.
    pub(super) nothing_to_play_at: Option<Timestamp>,
    pub(super) reports: Reports,
    pub(super) drilling: Option<Drilling>,
    /// The last drill that was begun.
    pub(super) last_drill: Option<DrillId>,
    pub(super) reading: watch::Sender<Reading>,
    hurry: Arc<Notify>,
    commands: mpsc::Sender<Command>,
    /// What runs beside it. Dropped with it.
    pub(super) parts: JoinSet<()>,
    messages: mpsc::Receiver<Message>,
    signals: mpsc::Receiver<ObsSignal>,
    /// What was announced last.
    pub(super) alerts: Vec<Alert>,
    pub(super) link: LinkState,
    /// How often everything was to be read.
    connections: u64,
    /// When each was last done.
    pub(super) stored: Instant,
    pub(super) read: Option<Instant>,
    pub(super) is_reading: bool,
    pub(super) planned: Option<Instant>,
    pub(super) sampled: Option<Moment>,
}

impl Supervisor {
    /// Loads what is stored of the studio, and connects to its OBS.
    pub(super) async fn load(
        core: Arc<Core>,
        setup: StudioSetup,
        context: &TaskContext,
    ) -> Result<Self, TaskError> {
        let (store, scope, now) = (Arc::clone(&core.worker_store), Scope::system(), core.now());
        let studio = store.open_studio(&setup.blank(StudioId(core.id()), now)).await?;
        let ledger = store.studio_ledger(&scope, studio.id, now.minus(HISTORY)).await?;
        let library = store.studio_library(&scope, studio.id).await?;
        let settings = setup.settings.clone();
        let schedule = studio.schedule.clone().unwrap_or_else(|| Schedule::empty(settings.time_zone));
        let desired = studio.desired(setup.platform.is_some());
        let meter = Meter::new(settings.health.interval);
        let director = Director::new(settings, schedule.clone(), library.clone(), desired);

        let clock = TwoClocks::new(Arc::clone(&core));
        let (messages_sent, messages) = mpsc::channel(WAITING);
        let (signals_sent, signals) = mpsc::channel(WAITING);
        let (commands, to_do) = mpsc::channel(WAITING);
        let lease = context.lease.clone();
        let (setup, making) = (Arc::new(setup), Arc::default());
        let outside = Outside { setup, clock, lease, messages: messages_sent, making };
        let (reading, read) = watch::channel(Reading::default());
        let hurry = Arc::new(Notify::new());
        let mut parts = JoinSet::new();
        let obs = Arc::clone(&outside.setup.obs);
        parts.spawn(async move { obs.run(signals_sent).await });
        parts.spawn(Observer::new(outside.clone(), read, Arc::clone(&hurry)).run());
        parts.spawn(commands::run(outside.clone(), to_do));
        watchers::spawn(&outside, reading.subscribe(), &mut parts);
        let reports = Reports::new(Arc::clone(&core), studio.id, studio.name.clone());
        let mut supervisor = Self {
            core,
            outside,
            context: context.clone(),
            studio,
            director,
            ledger,
            library,
            schedule,
            meter,
            stats: None,
            version: None,
            problem: Some(Disconnect::Opening),
            gone: None,
            checks: Checks::default(),
            nothing_to_play_at: None,
            reports,
            drilling: None,
            last_drill: None,
            reading,
            hurry,
            commands,
            parts,
            messages,
            signals,
            alerts: Vec::new(),
            link: LinkState::Unknown,
            connections: 0,
            stored: Instant::now(),
            read: None,
            is_reading: false,
            planned: None,
            sampled: None,
        };
        if let Some(hold) = supervisor.studio.hold.clone() {
            supervisor.change(Change::Hold(hold));
        }
        Ok(supervisor)
    }

    /// Supervises until it is to stop.
    pub(super) async fn run(mut self, mut wake_ups: broadcast::Receiver<WakeUp>) -> Result<(), TaskError> {
        tracing::info!(studio = %self.studio.name, "a studio is supervised");
        let stop = self.context.stop.clone();
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(ended) = self.parts.join_next() => {
                    if let Err(error) = ended && error.is_panic() {
                        std::panic::resume_unwind(error.into_panic());
                    }
                }
                Some(signal) = self.signals.recv() => self.signal(signal),
                Some(messages) = self.messages.recv() => self.take(messages),
                () = self.reports.stored() => {}
                woken = wake_ups.recv() => match woken {
                    Ok(WakeUp::Studios | WakeUp::Everything) | Err(RecvError::Lagged(_)) => {
                        self.read = None;
                        self.tick();
                    }
                    Ok(_) => {}
                    // There are no wake-ups any more: the program stops.
                    Err(RecvError::Closed) => _ = ticks.tick().await,
                },
                _ = ticks.tick() => self.tick(),
            }
        }
        let now = self.now();
        if let Some(drilling) = &mut self.drilling {
            drilling.stop(now);
            self.reports.waiting().drill = Some(drilling.drill.clone());
        }
        let snapshot = self.snapshot(now);
        self.reports.finish(snapshot).await;
        self.outside.setup.obs.measure_audio(false);
        tracing::info!(studio = %self.studio.name, "a studio is not supervised any more; its OBS continues");
        Ok(())
    }

    pub(super) fn now(&self) -> Moment {
        self.outside.clock.now()
    }

    /// Gives the director a change, and carries out what it decides.
    pub(super) fn change(&mut self, change: Change) {
        self.change_at(self.now(), change);
    }

    fn change_at(&mut self, now: Moment, change: Change) {
        let step = self.director.handle(now, change);
        for choice in step.choices {
            if let Some(drilling) = &mut self.drilling {
                drilling.decided(now, &choice);
            }
            self.reports.decided(now.at, choice);
        }
        for record in step.records {
            self.reports.recorded(record);
        }
        for command in step.commands {
            // The director repeats what is not confirmed.
            if self.commands.try_send(command).is_err() {
                tracing::warn!(studio = %self.studio.name, "OBS is too slow: a command is left out, and repeated later");
            }
        }
        for change in self.ledger.update(now, self.director.on_air(now)) {
            self.reports.ledger_changed(change);
        }
    }

    /// What the connection to OBS says.
    fn signal(&mut self, signal: ObsSignal) {
        match signal {
            ObsSignal::Connected(version) => {
                tracing::info!(studio = %self.studio.name, version = version.studio, "OBS is connected");
                (self.version, self.problem, self.gone) = (Some(version.studio), None, None);
                self.checks.require();
                self.change(Change::Observed(Observation::Connected));
                self.read_anew();
            }
            ObsSignal::Disconnected(reason) => {
                self.problem = Some(reason);
                self.meter.forget();
                self.gone.get_or_insert(self.outside.clock.now());
                self.change(Change::Observed(Observation::Disconnected));
                self.reading.send_modify(|reading| reading.connection = 0);
            }
            ObsSignal::Event(event) => self.event(event),
            ObsSignal::EventsLost => self.read_anew(),
        }
    }

    /// Everything is to be read at once.
    fn read_anew(&mut self) {
        self.connections += 1;
        let connection = self.connections;
        self.reading.send_modify(|reading| reading.connection = connection);
    }

    fn event(&mut self, event: ObsEvent) {
        match event {
            ObsEvent::ProgramScene(scene) => {
                if let Ok(scene) = SceneName::parse(&scene) {
                    self.change(Change::Observed(Observation::Scene(scene)));
                }
            }
            ObsEvent::Stream(state) => {
                self.change(Change::Observed(Observation::Stream(stream_event(state))));
            }
            ObsEvent::MediaStarted(_) | ObsEvent::MediaEnded(_) => self.hurry.notify_one(),
            ObsEvent::ItemEnabled { .. } | ObsEvent::ItemsChanged { .. } | ObsEvent::ScenesChanged => {
                self.read_anew();
            }
            ObsEvent::ConfigurationChanged => {
                self.checks.require();
                self.read_anew();
            }
            ObsEvent::Exiting => {
                tracing::warn!(studio = %self.studio.name, "a person quits OBS");
            }
            ObsEvent::InputsChanged
            | ObsEvent::Muted { .. }
            | ObsEvent::TransitionEnded
            | ObsEvent::CollectionChanging => {}
        }
    }

    /// What a part tells.
    fn take(&mut self, messages: Message) {
        let now = self.now();
        match messages {
            Message::Seen(at, observation) => self.change_at(at, Change::Observed(observation)),
            Message::Stream(at, sample) => {
                self.meter.add(at, sample);
                self.change_at(at, Change::Observed(Observation::StreamStatus(sample)));
            }
            Message::Stats(stats) => self.stats = Some(stats),
            Message::Sent(playing) => {
                self.reading.send_modify(|reading| reading.playing = Some(playing));
            }
            Message::Orders(read) => self.orders(read),
            Message::Checked(found) => self.checked(now, &found),
            Message::Verified(name, found) => {
                if let Some(problem) = &found.problem {
                    tracing::error!(studio = %self.studio.name, content = %name, problem, "content cannot be played; it is left out");
                }
                self.checks.verified();
                self.planned = None;
                self.library.record(name.clone(), found.clone());
                self.reports.waiting().verified.push((name.clone(), found.clone()));
                self.change(Change::Verified { name, found });
            }
            Message::NotVerified => self.checks.not_verified(now),
            Message::Restarted(Ok(())) => {
                tracing::info!(studio = %self.studio.name, "OBS was started");
            }
            Message::Restarted(Err(error)) => {
                tracing::error!(studio = %self.studio.name, error, "OBS cannot be restarted; it is tried again");
            }
            Message::Drilled(result) => {
                if let Some(drilling) = &mut self.drilling {
                    drilling.made(now, result);
                    self.reports.waiting().drill = Some(drilling.drill.clone());
                }
            }
        }
    }

    pub(super) fn checked(&mut self, now: Moment, found: &Findings) {
        let result = Preflight::of(now.at, self.studio.name.as_str(), found);
        let has_passed = result.has_passed();
        self.reports.checked(self.checks.last.as_ref(), &result);
        self.checks.passed_or_failed(now, result);
        self.change(Change::Preflight(has_passed));
    }
}

fn stream_event(state: StreamState) -> StreamEvent {
    match state {
        StreamState::Starting => StreamEvent::Starting,
        StreamState::Started => StreamEvent::Started,
        StreamState::Stopping => StreamEvent::Stopping,
        StreamState::Stopped => StreamEvent::Stopped,
        StreamState::Reconnecting => StreamEvent::Reconnecting,
        StreamState::Reconnected => StreamEvent::Reconnected,
    }
}
