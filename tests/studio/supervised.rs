//! A studio under supervision: the task of the program, with a store in memory, and an OBS that is fake or real.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use async_trait::async_trait;
use serde_json::{Value, json};
use streamward::adapters::local_wake_ups::LocalWakeUps;
use streamward::adapters::memory::MemoryStore;
use streamward::adapters::nginx_rtmp::NginxRtmpProbe;
use streamward::adapters::obs::{ObsClient, ObsSettings};
use streamward::adapters::obs_launcher::{ProcessLauncher, ProcessSettings};
use streamward::adapters::system::{SystemClock, SystemIds};
use streamward::app::Core;
use streamward::app::studio::{PlatformSetup, StudioSetup, StudioTasks};
use streamward::app::task::{AnyTask, OnLeaseDoubt, TaskContext, TaskSet as _, TaskStatus};
use streamward::domain::access::{Actor, Scope};
use streamward::domain::audit::AuditEntry;
use streamward::domain::page::Page;
use streamward::domain::secret::{MasterKey, Secret};
use streamward::domain::studio::{
    AgeRating, ContentName, ContentSource, Drill, DrillId, DrillKind, DrillState, Ledger, LinkState, Media,
    Order, Reason, Record, RecordKind, Schedule, Snapshot, StreamState, Studio, StudioDecision, StudioName,
    StudioSettings, Tier, TimeZone, Uptime,
};
use streamward::domain::{OrganizationId, Timestamp};
use streamward::ports::{
    Arrival, ArrivalProbe, Change, DrillCreation, IdGen as _, LaunchError, ObsLauncher, PlatformProbe,
    ProcessState, RemoteError, StudioStore as _, WakeUp, WakeUps as _,
};
use streamward_test_support::obs::{FakeObs, FakeOptions};
use streamward_test_support::process::{Signal, eventually, send_signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::SOON;
use crate::driver::Driver;
use crate::real::RealObs;
use crate::world::{Client, client_at};

const NAME: &str = "main";
pub(crate) const KEY: &str = "key-of-the-platform";

/// The OBS of a supervised studio.
pub(crate) enum Host {
    Fake(Arc<FakeObs>),
    Real { real: Box<RealObs>, launcher: Arc<ProcessLauncher> },
}

/// A studio under supervision.
pub(crate) struct Supervised {
    pub(crate) host: Host,
    pub(crate) core: Arc<Core>,
    store: Arc<MemoryStore>,
    wake_ups: Arc<LocalWakeUps>,
    pub(crate) setup: StudioSetup,
    task: Option<(CancellationToken, JoinSet<()>)>,
}

/// What is special about a studio.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) settings: StudioSettings,
    pub(crate) password: Option<&'static str>,
    pub(crate) has_platform: bool,
    pub(crate) has_launcher: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { settings: StudioSettings::default(), password: None, has_platform: true, has_launcher: true }
    }
}

/// The fake as a process.
struct FakeLauncher(Arc<FakeObs>);

#[async_trait]
impl ObsLauncher for FakeLauncher {
    async fn state(&self) -> Result<ProcessState, LaunchError> {
        Ok(if self.0.is_running() {
            ProcessState::Running { pid: 1 }
        } else {
            ProcessState::Ended { last_words: Vec::new() }
        })
    }

    async fn start(&self) -> Result<(), LaunchError> {
        if !self.0.is_running() {
            self.0.restart().await;
        }
        Ok(())
    }

    async fn stop(&self) -> Result<(), LaunchError> {
        self.0.quit().await;
        Ok(())
    }

    async fn kill(&self) -> Result<(), LaunchError> {
        self.0.kill().await;
        Ok(())
    }

    async fn freeze(&self) -> Result<(), LaunchError> {
        self.0.freeze();
        Ok(())
    }
}

/// The far end of a fake: it sees what the fake sends, and can end the connection.
struct FakeFarEnd(Arc<FakeObs>);

#[async_trait]
impl ArrivalProbe for FakeFarEnd {
    async fn arrival(&self) -> Result<Option<Arrival>, RemoteError> {
        let status = self.0.act("GetStreamStatus", &json!({}));
        let is_streaming = status["outputActive"] == true && status["outputReconnecting"] == false;
        let arrives = is_streaming && self.0.is_running() && !self.0.is_frozen();
        let bytes = status["outputBytes"].as_u64().unwrap_or_default();
        Ok(arrives.then_some(Arrival { bytes, kbps: Some(400) }))
    }

    async fn disconnect(&self) -> Result<(), RemoteError> {
        self.0.cut();
        Ok(())
    }
}

/// A platform that can always be reached.
struct Reached;

#[async_trait]
impl PlatformProbe for Reached {
    async fn reach(&self) -> Result<Duration, String> {
        Ok(Duration::from_millis(1))
    }
}

impl Host {
    pub(crate) async fn fake() -> Self {
        Self::Fake(Arc::new(FakeObs::start(FakeOptions::default()).await))
    }

    pub(crate) async fn real() -> Result<Self> {
        let real = Box::new(RealObs::prepare().await?);
        let (program, arguments) = real.command();
        let settings = ProcessSettings {
            program: program.into(),
            arguments,
            folder: real.path().to_owned(),
            name: NAME.to_owned(),
            secrets: Vec::new(),
        };
        let launcher = Arc::new(ProcessLauncher::new(settings));
        launcher.start().await?;
        let answers = async || Ok(Driver::connect(&real.url(), real.password()).await.ok());
        eventually("OBS answers", SOON, answers).await?;
        Ok(Self::Real { real, launcher })
    }

    pub(crate) fn is_real(&self) -> bool {
        matches!(self, Self::Real { .. })
    }

    fn url(&self) -> String {
        match self {
            Self::Fake(fake) => fake.url(),
            Self::Real { real, .. } => real.url(),
        }
    }

    fn password(&self) -> &'static str {
        match self {
            Self::Fake(fake) => fake.password(),
            Self::Real { real, .. } => real.password(),
        }
    }

    fn server(&self) -> String {
        match self {
            Self::Fake(_) => "rtmp://127.0.0.1/live".to_owned(),
            Self::Real { real, .. } => format!("rtmp://127.0.0.1:{}/live", real.rtmp),
        }
    }

    fn launcher(&self) -> Arc<dyn ObsLauncher> {
        match self {
            Self::Fake(fake) => Arc::new(FakeLauncher(Arc::clone(fake))),
            Self::Real { launcher, .. } => Arc::clone(launcher) as _,
        }
    }

    /// `kill -9`.
    pub(crate) async fn kill(&self) -> Result<()> {
        match self {
            Self::Fake(fake) => fake.kill().await,
            Self::Real { .. } => self.signal(Signal::KILL).await?,
        }
        Ok(())
    }

    /// `kill -STOP`.
    pub(crate) async fn freeze(&self) -> Result<()> {
        Ok(self.launcher().freeze().await?)
    }

    async fn signal(&self, signal: Signal) -> Result<()> {
        match self.launcher().state().await? {
            ProcessState::Running { pid } => Ok(send_signal(pid, signal)?),
            ProcessState::Ended { last_words } => anyhow::bail!("OBS does not run: {last_words:?}"),
        }
    }

    pub(crate) async fn platform(&mut self, is_on: bool) -> Result<()> {
        match self {
            Self::Fake(fake) => fake.platform(is_on),
            Self::Real { real, .. } => real.platform(is_on).await?,
        }
        Ok(())
    }

    /// Another client of ours.
    pub(crate) fn client(&self) -> Result<Client> {
        client_at(&self.url(), self.password())
    }

    /// What a person does in OBS, over a connection of its own.
    pub(crate) async fn act(&self, request: &str, data: Value) -> Result<Value> {
        let mut driver = Driver::connect(&self.url(), self.password()).await?;
        driver.request(request, data).await
    }

    pub(crate) async fn end(self) -> Result<()> {
        if let Self::Real { launcher, .. } = &self {
            launcher.kill().await?;
        }
        Ok(())
    }
}

impl Supervised {
    /// A studio of which nothing is stored. It is not supervised yet.
    pub(crate) fn new(host: Host, options: Options) -> Result<Self> {
        let clock = Arc::new(SystemClock);
        let store = Arc::new(MemoryStore::new(clock.clone()));
        let wake_ups = Arc::new(LocalWakeUps::default());
        let master = MasterKey::new([7; 32]);
        let core = Core::over_one_store(store.clone(), clock, Arc::new(SystemIds), wake_ups.clone(), &master);
        let password = Secret::new(options.password.unwrap_or(host.password()));
        let obs = Arc::new(ObsClient::new(ObsSettings::new(Url::parse(&host.url())?, password)));
        let platform = PlatformSetup { url: host.server(), key: Secret::new(KEY), probe: Arc::new(Reached) };
        let launcher = options.has_launcher.then(|| host.launcher());
        let settings = StudioSettings { can_restart: launcher.is_some(), ..options.settings };
        let setup = StudioSetup {
            name: StudioName::parse(NAME).map_err(|error| anyhow::anyhow!("{error}"))?,
            organization_id: OrganizationId::DEFAULT,
            settings,
            video: None,
            platform: options.has_platform.then_some(platform),
            obs,
            launcher,
            arrival: None,
        };
        Ok(Self { host, core: Arc::new(core), store, wake_ups, setup, task: None })
    }

    /// What sees the stream arrive: nginx, or the fake itself.
    pub(crate) fn watch_the_far_end(&mut self) -> Result<()> {
        self.setup.arrival = Some(match &self.host {
            Host::Fake(fake) => Arc::new(FakeFarEnd(Arc::clone(fake))),
            Host::Real { real, .. } => {
                let page = Url::parse(&format!("http://127.0.0.1:{}/stat", real.http))?;
                Arc::new(NginxRtmpProbe::new(page, "live".to_owned(), Secret::new(KEY))?)
            }
        });
        Ok(())
    }

    /// Tries out a failure, and waits for the report.
    pub(crate) async fn drill(&self, kind: DrillKind) -> Result<Drill> {
        let studio = self.studio().await?;
        let drill = Drill {
            id: DrillId(SystemIds.uuid()),
            studio: studio.id,
            kind,
            state: DrillState::Requested,
            by: "ann".to_owned(),
            created_at: self.core.now(),
            started_at: None,
            ended_at: None,
            report: None,
            error: None,
        };
        let (scope, id) = (Scope::system(), streamward::domain::AuditId(SystemIds.uuid()));
        let audit = AuditEntry::of(id, self.core.now(), &Actor::cli("test"), "drill", "studio");
        let created = self.store.create_drill(&drill, Change::new(&scope, &audit)).await?;
        ensure!(created == DrillCreation::Created, "{created:?}");
        self.wake_ups.send(WakeUp::Studios);
        let ended = async || {
            let drills = self.store.drills(&scope, studio.id, &Page::default()).await?;
            Ok(drills.into_iter().find(|one| one.id == drill.id && !one.is_open()))
        };
        match eventually("the drill ends", 2 * SOON, ended).await {
            Ok((ended, _)) => Ok(ended),
            Err(error) => Err(error.context(self.explain().await)),
        }
    }

    /// Supervises it.
    pub(crate) fn start(&mut self) {
        let stop = CancellationToken::new();
        let context = TaskContext::new(watch::Sender::new(TaskStatus::default()), stop.clone());
        let tasks = StudioTasks::new(Arc::clone(&self.core), vec![self.setup.clone()], OnLeaseDoubt::Stop);
        let task = tasks.task(NAME);
        let mut running = JoinSet::new();
        running.spawn(async move {
            let Some(AnyTask::LongRunning(mut task)) = task else { return };
            if let Err(error) = task.run(&context).await {
                eprintln!("studio: the supervisor ended: {error}");
            }
        });
        self.task = Some((stop, running));
    }

    /// Ends the supervision in good order.
    pub(crate) async fn stop(&mut self) -> Result<()> {
        if let Some((stop, mut running)) = self.task.take() {
            stop.cancel();
            let ended = tokio::time::timeout(SOON, running.join_next()).await;
            ended.context("the supervisor did not stop")?.context("it ran")??;
        }
        Ok(())
    }

    /// `kill -9` of Streamward: nothing is said, and nothing more is stored.
    pub(crate) async fn kill(&mut self) {
        if let Some((_, mut running)) = self.task.take() {
            running.shutdown().await;
        }
    }

    pub(crate) async fn end(mut self) -> Result<()> {
        self.stop().await?;
        self.host.end().await
    }

    fn name(&self) -> &StudioName {
        &self.setup.name
    }

    pub(crate) async fn studio(&self) -> Result<Studio> {
        self.store.studio(&Scope::system(), self.name()).await?.context("the studio is stored")
    }

    /// A person's order.
    pub(crate) async fn order(&self, order: Order) -> Result<()> {
        let (scope, now) = (Scope::system(), self.core.now());
        let id = streamward::domain::AuditId(SystemIds.uuid());
        let audit = AuditEntry::of(id, now, &Actor::cli("test"), "order", "studio");
        let done = self.store.order_studio(self.name(), &order, None, Change::new(&scope, &audit)).await?;
        ensure!(done.is_some(), "there is no such studio");
        self.wake_ups.send(WakeUp::Studios);
        Ok(())
    }

    /// Stores the studio before it is supervised, with a schedule of these items.
    pub(crate) async fn schedule(&self, content: Vec<ContentSource>) -> Result<()> {
        let id = streamward::domain::studio::StudioId(SystemIds.uuid());
        self.store.open_studio(&Studio::new(id, self.name().clone(), self.core.now())).await?;
        let schedule = Schedule { time_zone: TimeZone::UTC, blocks: Vec::new(), content };
        self.order(Order::Schedule(schedule)).await
    }

    pub(crate) async fn snapshot(&self) -> Result<Option<Snapshot>> {
        let Ok(studio) = self.studio().await else { return Ok(None) };
        Ok(self.store.studio_snapshot(&Scope::system(), studio.id).await?)
    }

    /// Waits for a snapshot that is as wanted.
    pub(crate) async fn until(
        &self,
        what: &str,
        is_wanted: impl Fn(&Snapshot) -> bool,
    ) -> Result<(Snapshot, Duration)> {
        let wanted = async || Ok(self.snapshot().await?.filter(&is_wanted));
        match eventually(what, SOON, wanted).await {
            Ok(found) => Ok(found),
            Err(error) => Err(error.context(self.explain().await)),
        }
    }

    /// Waits until it is on air and plays.
    pub(crate) async fn until_on_air(&self) -> Result<(Snapshot, Duration)> {
        let is_on_air = |snapshot: &Snapshot| {
            snapshot.link == LinkState::Connected && snapshot.stream == StreamState::Live
        };
        self.until("it is on air", is_on_air).await
    }

    /// What was found of the content: its name, and what is wrong with it.
    pub(crate) async fn library(&self) -> Result<Vec<(String, Option<String>)>> {
        let studio = self.studio().await?;
        let library = self.store.studio_library(&Scope::system(), studio.id).await?;
        let content = studio.schedule.map(|schedule| schedule.content).unwrap_or_default();
        let found = content.iter().filter_map(|one| {
            let found = library.get(&one.name)?;
            Some((one.name.to_string(), found.problem.clone()))
        });
        Ok(found.collect())
    }

    /// The decisions, oldest first.
    pub(crate) async fn decisions(&self) -> Result<Vec<StudioDecision>> {
        let studio = self.studio().await?;
        let mut decisions =
            self.store.studio_decisions(&Scope::system(), studio.id, &Page::default()).await?;
        decisions.reverse();
        Ok(decisions)
    }

    /// Waits for a decision with this reason after `since`.
    pub(crate) async fn until_decided(&self, reason: Reason, since: Timestamp) -> Result<StudioDecision> {
        let found = async || {
            let decisions = self.decisions().await?;
            Ok(decisions.into_iter().find(|one| one.choice.reason == reason && one.at >= since))
        };
        match eventually(&format!("it decides for {reason}"), SOON, found).await {
            Ok((found, _)) => Ok(found),
            Err(error) => Err(error.context(self.explain().await)),
        }
    }

    pub(crate) async fn ledger(&self) -> Result<Ledger> {
        let studio = self.studio().await?;
        let since = self.core.now().minus(Duration::from_secs(86_400));
        Ok(self.store.studio_ledger(&Scope::system(), studio.id, since).await?)
    }

    /// The uptime of the last minute, up to when everything is known.
    pub(crate) async fn uptime(&self) -> Result<Uptime> {
        let ledger = self.ledger().await?;
        let known = ledger.heartbeat().unwrap_or_else(|| self.core.now());
        Ok(ledger.uptime(known, Duration::from_secs(60)))
    }

    pub(crate) async fn records(&self, kind: RecordKind) -> Result<Vec<Record>> {
        let studio = self.studio().await?;
        let since = self.core.now().minus(Duration::from_secs(86_400));
        Ok(self.store.studio_records(&Scope::system(), studio.id, kind, since, 1_000).await?)
    }

    async fn explain(&self) -> String {
        let decisions = self.decisions().await.unwrap_or_default();
        let decisions: Vec<_> = decisions
            .iter()
            .map(|one| {
                let choice = &one.choice;
                format!(
                    "{} {} → {} ({} {:?})",
                    one.at, choice.subject, choice.to, choice.reason, choice.numbers
                )
            })
            .collect();
        let snapshot = self.snapshot().await.ok().flatten();
        let requests = match &self.host {
            Host::Fake(fake) => {
                let requests = fake.requests();
                let changes = requests.iter().filter(|(name, _)| !name.starts_with("Get"));
                format!("{:?}", changes.collect::<Vec<_>>())
            }
            Host::Real { real, .. } => real.log(),
        };
        format!("{snapshot:#?}\n{}\n{requests}", decisions.join("\n"))
    }

    /// The scene that is on air, by OBS itself.
    pub(crate) async fn program(&self) -> Result<String> {
        let answer = self.host.act("GetCurrentProgramScene", json!({})).await?;
        Ok(answer["currentProgramSceneName"].as_str().unwrap_or_default().to_owned())
    }
}

/// A video file of the schedule.
pub(crate) fn item(name: &str, path: &str) -> Result<ContentSource> {
    Ok(ContentSource {
        name: ContentName::parse(name).map_err(|error| anyhow::anyhow!("{error}"))?,
        media: Media::VideoFile { path: path.to_owned() },
        age: AgeRating::AllAges,
        blocks: Vec::new(),
        tier: Tier::Standard,
        priority: 50,
        plays_for_seconds: None,
    })
}
