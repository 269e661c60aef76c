//! Channels that MediaMTX itself carries, without a mixer: the channel's path is always available (`alwaysAvailable`), plays
//! a file while nobody publishes, and is forwarded to the destinations (`forward`). Since MediaMTX 1.20.
//!
//! All of it is configuration in the memory of MediaMTX, set through its control API, with the keys of the destinations. What
//! is left to do here: end the session of an encoder that froze (MediaMTX waits for ten seconds), set the configuration
//! again after a restart of MediaMTX, and report.

mod conf;
mod report;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use url::Url;

use super::api::Api;
use super::dto::{Forwards, PathItem};
use super::snapshot::info;
use super::version::Version;
use super::words::source_kind;
use crate::adapters::system::SystemIds;
use crate::domain::channel::{Choice, Decision, DecisionId, Programme, Publishing, Standby};
use crate::domain::media_server::{ObservedSource, SourceId};
use crate::domain::path::StreamPath;
use crate::domain::secret::Secret;
use crate::ports::{ChannelEngine, Clock, IdGen as _, LeaseCheck, ProgrammeReports, RemoteError};
use conf::{Destinations, PathSettings};
use report::Report;

/// How often the path is polled.
const POLL: Duration = Duration::from_millis(200);
/// How often the forwards are polled, and the status is renewed.
const STATUS: Duration = Duration::from_millis(600);
/// How long to wait after something failed.
const AGAIN: Duration = Duration::from_secs(2);
/// How long the removal of a path may take.
const LAST: Duration = Duration::from_secs(1);
/// How long a path that could not be removed is tried again.
const REMOVALS: Duration = Duration::from_secs(600);

/// The engine `media_server`.
pub struct MediaMtxEngine {
    api: Api,
    clock: Arc<dyn Clock>,
    /// Paths of ended programmes that MediaMTX still has, and the tasks that remove them.
    removals: Mutex<(BTreeMap<StreamPath, AbortHandle>, JoinSet<()>)>,
}

impl MediaMtxEngine {
    /// On the MediaMTX with the control API at `api_url`, which needs `control_secret`. Does not connect yet.
    ///
    /// # Errors
    /// If the address is none of a control API.
    pub fn new(api_url: &Url, control_secret: Secret, clock: Arc<dyn Clock>) -> Result<Self, RemoteError> {
        Ok(Self { api: Api::new(api_url, control_secret)?, clock, removals: Mutex::default() })
    }

    /// The path is used again.
    fn keep(&self, path: &StreamPath) {
        let mut removals = self.removals.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(task) = removals.0.remove(path) {
            task.abort();
        }
    }

    /// Ends a programme that MediaMTX could not be told the end of: otherwise it would go on to its destinations.
    fn remove_later(&self, path: &StreamPath) {
        let (api, name) = (self.api.clone(), path.clone());
        let mut removals = self.removals.lock().unwrap_or_else(PoisonError::into_inner);
        while removals.1.try_join_next().is_some() {}
        let task = removals.1.spawn(async move {
            let until = Instant::now() + REMOVALS;
            while Instant::now() < until {
                sleep(AGAIN).await;
                if PathSettings::new(&api, &name).remove().await.is_ok() {
                    tracing::info!(path = %name, "the media server no longer carries a channel that was stopped");
                    return;
                }
            }
        });
        removals.0.insert(path.clone(), task);
    }
}

#[async_trait]
impl ChannelEngine for MediaMtxEngine {
    async fn run(
        &self,
        mut programme: watch::Receiver<Programme>,
        reports: ProgrammeReports,
        stop: CancellationToken,
        lease: LeaseCheck,
    ) {
        let first = programme.borrow_and_update().clone();
        self.keep(&first.path);
        let mut run = Run::new(&self.api, first, reports, &*self.clock);
        let mut has_updates = true;
        while !stop.is_cancelled() {
            // The path may be another instance's by now.
            let wait = match lease.is_valid() {
                true => stop.run_until_cancelled(run.poll()).await.unwrap_or_default(),
                false => POLL,
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                changed = programme.changed(), if has_updates => match changed {
                    Ok(()) => run.programme = programme.borrow_and_update().clone(),
                    Err(_) => has_updates = false,
                },
                () = sleep(wait) => {}
            }
        }
        if lease.is_valid() && run.may_be_set && !run.remove().await {
            self.remove_later(&run.programme.path);
        }
    }
}

/// A running channel.
struct Run<'a> {
    path: PathSettings<'a>,
    api: &'a Api,
    programme: Programme,
    reports: ProgrammeReports,
    began: Instant,
    standby: Standby,
    destinations: Destinations,
    /// What was set, if MediaMTX still has it.
    applied: Option<Programme>,
    /// Whether MediaMTX was told to carry the programme, however that ended.
    may_be_set: bool,
    clock: &'a dyn Clock,
    report: Report,
    report_at: Instant,
    /// When the frozen session is ended again.
    end_at: Instant,
}

impl<'a> Run<'a> {
    fn new(api: &'a Api, programme: Programme, reports: ProgrammeReports, clock: &'a dyn Clock) -> Self {
        let began = Instant::now();
        Self {
            path: PathSettings::new(api, &programme.path),
            api,
            programme,
            reports,
            began,
            standby: Standby::default(),
            destinations: Destinations::default(),
            applied: None,
            may_be_set: false,
            clock,
            report: Report::new(clock.now()),
            report_at: began,
            end_at: began,
        }
    }

    /// Does what is due. Returns how long to wait until the next time.
    async fn poll(&mut self) -> Duration {
        let problem = self.step().await.err().map(|error| self.destinations.masked(&error.to_string()));
        if let Some(problem) = &problem
            && self.report.problem.as_ref() != Some(problem)
        {
            tracing::warn!(channel = %self.programme.name, problem, "the media server cannot carry a channel; it is tried again");
        }
        let wait = if problem.is_some() { AGAIN } else { POLL };
        let is_new = self.report.problem != problem;
        self.report.problem = problem;
        if is_new || Instant::now() >= self.report_at {
            self.report_at = Instant::now() + STATUS;
            self.send_status().await;
        }
        wait
    }

    async fn step(&mut self) -> Result<(), RemoteError> {
        let found: Option<PathItem> = self.path.state().await?;
        // A media server that started again has forgotten what was set.
        let is_set = found.as_ref().is_some_and(|path| path.conf_name.as_deref() == Some(&path.name));
        if !is_set || self.applied.as_ref() != Some(&self.programme) {
            self.configure().await?;
        }
        if let Some(found) = found.filter(|_| is_set) {
            self.observe(&found).await?;
        }
        Ok(())
    }

    /// Sets the path as the programme wants it. Destinations that did not change are not interrupted.
    async fn configure(&mut self) -> Result<(), RemoteError> {
        let version = info(self.api).await?.version;
        let known = version.as_deref().and_then(Version::parse);
        if known.is_none_or(|known| known < Version::FORWARD) {
            return Err(RemoteError::Unsupported(format!(
                "the engine media_server needs MediaMTX {} or later, and this is {}: update it, or create the channel with \
                 the engine mixer",
                Version::FORWARD,
                version.as_deref().unwrap_or("older"),
            )));
        }
        let present = self.path.conf().await?;
        if present.as_ref().is_some_and(|present| !present.always_available) {
            return Err(RemoteError::Unsupported(format!(
                "the path {} has a configuration entry of the operator: remove it from mediamtx.yml",
                self.programme.path
            )));
        }
        let present = present.map(|present| present.forward.into_iter().map(|one| one.dest).collect());
        self.destinations.set(present.unwrap_or_default(), &self.programme.outputs, self.clock.now());
        self.may_be_set = true;
        self.path.set(&self.programme, &self.destinations).await?;
        tracing::info!(channel = %self.programme.name, path = %self.programme.path, "the media server carries a channel");
        self.applied = Some(self.programme.clone());
        Ok(())
    }

    /// Follows what is on air, and ends the session of a frozen encoder.
    async fn observe(&mut self, found: &PathItem) -> Result<(), RemoteError> {
        let now = self.began.elapsed();
        let source = found.source.as_ref().filter(|_| found.online == Some(true));
        let bytes = found.inbound_bytes.unwrap_or_default();
        let seen = source.map(|source| Publishing { session: source.id.clone(), bytes });
        self.report.measure(now, seen.as_ref(), found);
        let observed = self.standby.observe(now, seen, self.programme.failover.stall());
        if let Some(choice) = observed.choice {
            self.decide(choice);
        }
        if let Some(source) = source.filter(|_| observed.is_frozen && Instant::now() >= self.end_at) {
            self.end_at = Instant::now() + Duration::from_secs(1);
            let id = SourceId::parse(&source.id);
            tracing::info!(channel = %self.programme.name, session = id.as_ref().map(tracing::field::display), "the live encoder froze; its session is ended");
            let kind = source_kind(&source.kind);
            let frozen = ObservedSource { kind, publishes: true, id, aliases: Vec::new() };
            super::disconnect(self.api, &frozen).await?;
        }
        Ok(())
    }

    fn decide(&mut self, choice: Choice) {
        let Choice { from, to, kind, reason, numbers } = choice;
        let at = self.clock.now();
        let (channel, id) = (self.programme.channel, DecisionId(SystemIds.uuid()));
        let decision = Decision { id, channel, at, from, to, kind, reason, numbers };
        self.report.decided(&decision);
        self.report_at = Instant::now();
        self.report.waiting.push_back(decision);
    }

    async fn send_status(&mut self) {
        let forwards: Option<Forwards> = match &self.applied {
            Some(_) => self.path.forwards().await.ok().flatten(),
            None => None,
        };
        let now = self.began.elapsed();
        let outputs = self.destinations.statuses(forwards, self.clock.now());
        let status = self.report.status((now, self.clock.now()), &self.standby, outputs);
        self.reports.status.send_replace(Some(status));
        while let Some(decision) = self.report.waiting.pop_front() {
            if let Err(error) = self.reports.decisions.try_send(decision) {
                self.report.waiting.push_front(error.into_inner());
                return;
            }
        }
    }

    /// Ends the programme: the path loses its configuration, with the keys in it. Returns whether that succeeded.
    async fn remove(&self) -> bool {
        let removed = timeout(LAST, self.path.remove()).await;
        let why = match removed {
            Ok(Ok(())) => return true,
            Ok(Err(error)) => self.destinations.masked(&error.to_string()),
            Err(_) => "it does not answer".to_owned(),
        };
        tracing::warn!(
            channel = %self.programme.name, path = %self.programme.path, why,
            "the media server still carries a channel that was stopped; it is told again every {} s: if it answers no more, \
             restart it", AGAIN.as_secs()
        );
        false
    }
}
