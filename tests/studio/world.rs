//! One OBS, fake or real, with our client connected to it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::Value;
use streamward::adapters::obs::{ObsClient, ObsSettings};
use streamward::domain::secret::Secret;
use streamward::ports::obs_values::{ObsVersion, StreamDestination, Transition};
use streamward::ports::{Disconnect, ObsControl as _, ObsEvent, ObsSignal};
use streamward_test_support::obs::FakeObs;
use streamward_test_support::process::{Signal, eventually};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use url::Url;

use crate::SOON;
use crate::driver::Driver;
use crate::real::RealObs;

/// The key that it streams with.
pub(crate) const KEY: &str = "key";
/// How long the clip is.
pub(crate) const CLIP: Duration = Duration::from_secs(2);

/// The OBS.
pub(crate) enum Obs {
    Fake(FakeObs),
    Real(RealObs),
}

impl Obs {
    pub(crate) fn url(&self) -> String {
        match self {
            Self::Fake(fake) => fake.url(),
            Self::Real(real) => real.url(),
        }
    }

    pub(crate) fn password(&self) -> &'static str {
        match self {
            Self::Fake(fake) => fake.password(),
            Self::Real(real) => real.password(),
        }
    }

    /// Where it streams to.
    fn server(&self) -> String {
        match self {
            Self::Fake(_) => "rtmp://127.0.0.1/live".to_owned(),
            Self::Real(real) => format!("rtmp://127.0.0.1:{}/live", real.rtmp),
        }
    }

    pub(crate) async fn platform(&mut self, is_on: bool) -> Result<()> {
        match self {
            Self::Fake(fake) => fake.platform(is_on),
            Self::Real(real) => real.platform(is_on).await?,
        }
        Ok(())
    }

    pub(crate) async fn kill(&mut self) {
        match self {
            Self::Fake(fake) => fake.kill().await,
            Self::Real(real) => real.kill(),
        }
    }

    pub(crate) async fn quit(&mut self) -> Result<()> {
        match self {
            Self::Fake(fake) => fake.quit().await,
            Self::Real(real) => real.quit()?,
        }
        Ok(())
    }

    pub(crate) async fn start_again(&mut self) -> Result<()> {
        match self {
            Self::Fake(fake) => fake.restart().await,
            Self::Real(real) => real.start_again().await?,
        }
        Ok(())
    }

    pub(crate) fn freeze(&self) -> Result<()> {
        match self {
            Self::Fake(fake) => fake.freeze(),
            Self::Real(real) => real.signal(Signal::STOP)?,
        }
        Ok(())
    }

    pub(crate) fn thaw(&self) -> Result<()> {
        match self {
            Self::Fake(fake) => fake.thaw(),
            Self::Real(real) => real.signal(Signal::CONT)?,
        }
        Ok(())
    }

    fn log(&self) -> String {
        match self {
            Self::Fake(fake) => format!("{:?}", fake.requests()),
            Self::Real(real) => real.log(),
        }
    }
}

/// The OBS, our client, and files to play.
pub(crate) struct World {
    pub(crate) obs: Obs,
    pub(crate) client: Arc<ObsClient>,
    pub(crate) driver: Driver,
    pub(crate) version: ObsVersion,
    signals: mpsc::Receiver<ObsSignal>,
    pub(crate) clip: String,
    pub(crate) missing: String,
    tasks: JoinSet<()>,
    dir: PathBuf,
}

impl World {
    /// Connects to an OBS, which does not stream and cuts between scenes.
    pub(crate) async fn new(obs: Obs, dir: &Path) -> Result<Self> {
        let (client, mut signals, tasks) = client(&obs, obs.password())?;
        let version = loop {
            match timeout(SOON, signals.recv())
                .await
                .context("OBS does not answer")?
                .context("the client ended")?
            {
                ObsSignal::Connected(version) => break version,
                ObsSignal::Disconnected(_) | ObsSignal::Event(_) | ObsSignal::EventsLost => {}
            }
        };
        let driver = Driver::connect(&obs.url(), obs.password()).await?;
        let path = |name: &str| dir.join(name).display().to_string();
        let (clip, missing) = (path("clip.mp4"), path("missing.mp4"));
        if let Obs::Fake(fake) = &obs {
            fake.file(&clip, CLIP);
        }
        let world = Self { obs, client, driver, version, signals, clip, missing, tasks, dir: dir.to_owned() };
        world.client.set_transition(Transition::Cut).await?;
        world.client.stop_stream().await?;
        let idle = async || Ok((!world.client.stream_status().await?.active).then_some(()));
        eventually("OBS does not stream", SOON, idle).await?;
        let destination = StreamDestination { server: Some(world.obs.server()), key: Secret::new(KEY) };
        // A moment after the end of a stream OBS still refuses it.
        let is_set = async || Ok(world.client.set_stream_destination(&destination).await.ok());
        eventually("OBS takes a destination", SOON, is_set).await?;
        Ok(world)
    }

    /// Ends our connections, and gives the OBS back.
    pub(crate) async fn leave(mut self) -> Obs {
        self.tasks.shutdown().await;
        self.obs
    }

    /// What to show if a check fails.
    pub(crate) fn log(&self) -> String {
        format!("{}\nfiles in {}", self.obs.log(), self.dir.display())
    }

    /// The next signal.
    pub(crate) async fn signal(&mut self) -> Result<ObsSignal> {
        let signal = timeout(SOON, self.signals.recv()).await.context("no signal of OBS")?;
        signal.context("the client ended")
    }

    /// The events until one is as wanted, with that one, and how long it took.
    pub(crate) async fn until(
        &mut self,
        what: &str,
        is_wanted: impl Fn(&ObsEvent) -> bool,
    ) -> Result<(Vec<ObsEvent>, Duration)> {
        let (started, mut events) = (Instant::now(), Vec::new());
        loop {
            let signal = self.signal().await.with_context(|| format!("{what}; until then {events:?}"))?;
            if let ObsSignal::Event(event) = signal {
                let found = is_wanted(&event);
                events.push(event);
                if found {
                    return Ok((events, started.elapsed()));
                }
            }
        }
    }

    pub(crate) async fn until_event(&mut self, wanted: ObsEvent) -> Result<(Vec<ObsEvent>, Duration)> {
        self.until(&format!("{wanted:?}"), |event| *event == wanted).await
    }

    pub(crate) async fn until_disconnected(&mut self) -> Result<(Disconnect, Duration)> {
        let started = Instant::now();
        loop {
            if let ObsSignal::Disconnected(reason) = self.signal().await? {
                return Ok((reason, started.elapsed()));
            }
        }
    }

    pub(crate) async fn until_connected(&mut self) -> Result<Duration> {
        let started = Instant::now();
        while !matches!(self.signal().await?, ObsSignal::Connected(_)) {}
        Ok(started.elapsed())
    }

    /// What a person does in OBS.
    pub(crate) async fn act(&mut self, request: &str, data: Value) -> Result<Value> {
        self.driver.request(request, data).await
    }
}

/// A client of an OBS, its signals, and what keeps it connected.
pub(crate) type Client = (Arc<ObsClient>, mpsc::Receiver<ObsSignal>, JoinSet<()>);

/// A client of the OBS at this address.
pub(crate) fn client_at(url: &str, password: &str) -> Result<Client> {
    let mut settings = ObsSettings::new(Url::parse(url)?, Secret::new(password));
    // A busy machine must not reach these.
    (settings.timing.request, settings.timing.stuck) = (SOON / 2, SOON);
    let client = Arc::new(ObsClient::new(settings));
    let (sender, signals) = mpsc::channel(64);
    let (mut tasks, running) = (JoinSet::new(), Arc::clone(&client));
    tasks.spawn(async move { running.run(sender).await });
    Ok((client, signals, tasks))
}

/// A client of an OBS.
pub(crate) fn client(obs: &Obs, password: &str) -> Result<Client> {
    client_at(&obs.url(), password)
}
