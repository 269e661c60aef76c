//! What running programmes report, until it is stored: the present status of each, decisions, and changes for readers of
//! events. While the database is unreachable, it is kept here up to a bound.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use super::metrics;
use super::names::Names;
use crate::app::Core;
use crate::app::housekeeping::Chore;
use crate::app::task::{PeriodicTask, Task, TaskContext, TaskError, Tick};
use crate::domain::channel::{
    ChannelId, ChannelName, Decision, InputStatus, OutputId, OutputState, ProgrammeStatus, Source,
};
use crate::domain::event::{
    ChannelEvent, ChannelEventDetails, ChannelEventKind, DestinationDetails, InputDetails,
};
use crate::ports::{ReportedProgrammes, StoreError, WakeUp};

/// The most decisions, and the most changes, that wait for the database.
pub(super) const MOST_WAITING: usize = 10_000;
/// How many of each are stored at once.
const BATCH: usize = 500;

/// What running programmes of this instance reported.
pub struct ReportBuffer {
    core: Arc<Core>,
    waiting: Mutex<Waiting>,
    /// Only one call stores at a time.
    storing: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Waiting {
    statuses: BTreeMap<ChannelId, Latest>,
    decisions: VecDeque<Decision>,
    changes: VecDeque<ChannelEvent>,
}

/// The latest status of a programme.
struct Latest {
    names: Names,
    status: ProgrammeStatus,
    is_stored: bool,
    /// Whether it does not run here any more.
    has_stopped: bool,
}

/// What is wrong with a programme that runs on this instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgrammeProblem {
    /// The channel.
    pub channel: ChannelId,
    /// Its name.
    pub name: ChannelName,
    /// What is wrong, without secrets.
    pub problem: String,
}

impl ReportBuffer {
    /// Nothing was reported yet.
    pub fn new(core: Arc<Core>) -> Self {
        Self { core, waiting: Mutex::default(), storing: tokio::sync::Mutex::default() }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a decision. If too many wait, it is only counted.
    pub(super) fn decided(&self, decision: Decision) {
        let mut waiting = self.waiting();
        if waiting.decisions.len() < MOST_WAITING {
            waiting.decisions.push_back(decision);
        } else {
            lost("decision");
            tracing::error!(
                channel = %decision.channel, to = %decision.to, reason = %decision.reason,
                "a decision is lost, because too many wait for the database"
            );
        }
    }

    /// Takes the status of a programme, and notes what changed since the last one.
    pub(super) fn reported(&self, names: &Names, status: ProgrammeStatus) {
        let mut waiting = self.waiting();
        let before = waiting.statuses.get(&names.id);
        metrics::reported(before.map(|before| (&before.names, &before.status)), names, &status);
        for change in changes(names, before.map(|before| &before.status), &status) {
            if waiting.changes.len() < MOST_WAITING {
                waiting.changes.push_back(change);
            } else {
                lost("change");
            }
        }
        let names = names.clone();
        waiting.statuses.insert(names.id, Latest { names, status, is_stored: false, has_stopped: false });
    }

    /// The programme does not run here any more.
    pub(super) fn stopped(&self, id: ChannelId) {
        let mut waiting = self.waiting();
        let Some(latest) = waiting.statuses.get_mut(&id) else { return };
        metrics::stopped(&latest.names, &latest.status);
        latest.has_stopped = true;
        if latest.is_stored {
            waiting.statuses.remove(&id);
        }
    }

    /// What is wrong with the programmes that run on this instance, and how many there are.
    pub fn problems(&self) -> (usize, Vec<ProgrammeProblem>) {
        let waiting = self.waiting();
        let running = || waiting.statuses.values().filter(|latest| !latest.has_stopped);
        let problems = running().flat_map(|Latest { names, status, .. }| {
            let problem = |problem: String| ProgrammeProblem {
                channel: names.id,
                name: names.channel.clone(),
                problem,
            };
            let lacks_media = status.on_air == Source::Slate && !names.slate_is_wanted;
            let slate = lacks_media.then(|| {
                problem(
                    "the built-in picture is on air: neither the live input nor the backup can be played"
                        .into(),
                )
            });
            let failed = status.outputs.iter().filter_map(move |(id, output)| match id {
                OutputId::Destination(id) if output.state == OutputState::Failed => {
                    let words = output.last_error.as_deref().unwrap_or("no reason is known");
                    Some(problem(format!("the destination {} failed: {words}", names.destination(*id))))
                }
                _ => None,
            });
            let off_air = status.off_air_reason().map(|why| problem(format!("nothing is on air: {why}")));
            slate.into_iter().chain(off_air).chain(failed)
        });
        (running().count(), problems.collect())
    }

    /// Stores what waits. What cannot be stored now waits on.
    pub async fn store(&self) -> Result<(), StoreError> {
        let _one_at_a_time = self.storing.lock().await;
        loop {
            let batch = self.batch();
            if batch.is_empty() {
                return Ok(());
            }
            self.core.worker_store.record_programmes(&batch, self.core.now()).await?;
            let are_events = !batch.decisions.is_empty() || !batch.changes.is_empty();
            self.stored(&batch);
            if are_events {
                self.core.wake_ups.send(WakeUp::Events);
            }
        }
    }

    fn batch(&self) -> ReportedProgrammes {
        let waiting = self.waiting();
        let statuses = waiting.statuses.iter().filter(|(_, latest)| !latest.is_stored);
        ReportedProgrammes {
            statuses: statuses.map(|(id, latest)| (*id, latest.status.clone())).collect(),
            decisions: waiting.decisions.iter().take(BATCH).cloned().collect(),
            changes: waiting.changes.iter().take(BATCH).cloned().collect(),
        }
    }

    fn stored(&self, batch: &ReportedProgrammes) {
        let mut waiting = self.waiting();
        for (id, status) in &batch.statuses {
            if let Some(latest) = waiting.statuses.get_mut(id) {
                latest.is_stored |= latest.status.at == status.at;
                if latest.is_stored && latest.has_stopped {
                    waiting.statuses.remove(id);
                }
            }
        }
        waiting.decisions.drain(..batch.decisions.len());
        waiting.changes.drain(..batch.changes.len());
    }
}

fn lost(what: &'static str) {
    ::metrics::counter!("streamward_channel_reports_lost_total", "kind" => what).increment(1);
}

/// The changes of inputs and destinations, as events.
fn changes(names: &Names, before: Option<&ProgrammeStatus>, now: &ProgrammeStatus) -> Vec<ChannelEvent> {
    let event = |kind, details| ChannelEvent { kind, id: names.id, name: names.channel.clone(), details };
    let mut changes = Vec::new();
    let mut input = |input: Source, before: Option<&InputStatus>, now: &InputStatus| {
        if before.is_none_or(|before| before.state != now.state) {
            let input = Some(InputDetails { input, state: now.state, problem: now.problem.clone() });
            let details = ChannelEventDetails { input, ..ChannelEventDetails::default() };
            changes.push(event(ChannelEventKind::Input, details));
        }
    };
    input(Source::Live, before.map(|before| &before.live), &now.live);
    input(Source::Backup, before.map(|before| &before.backup), &now.backup);
    let earlier: BTreeMap<OutputId, OutputState> =
        before.iter().flat_map(|before| &before.outputs).map(|(id, output)| (*id, output.state)).collect();
    for (id, output) in &now.outputs {
        let OutputId::Destination(destination) = id else { continue };
        if earlier.get(id) == Some(&output.state) {
            continue;
        }
        let destination = Some(DestinationDetails {
            id: *destination,
            name: names.destination(*destination),
            state: Some(output.state),
            last_error: output.last_error.clone(),
        });
        let details = ChannelEventDetails { destination, ..ChannelEventDetails::default() };
        changes.push(event(ChannelEventKind::DestinationState, details));
    }
    changes
}

/// At the stop, what was reported last is stored too.
#[async_trait]
impl Chore for ReportBuffer {
    async fn run(&self) -> Result<(), StoreError> {
        self.store().await
    }
}

/// Stores once a second what the programmes of this instance report.
pub struct ReportWriter {
    buffer: Arc<ReportBuffer>,
}

impl ReportWriter {
    /// Over this buffer.
    pub fn new(buffer: Arc<ReportBuffer>) -> Self {
        Self { buffer }
    }
}

impl Task for ReportWriter {
    fn name(&self) -> String {
        "channel-reports".into()
    }

    fn description(&self) -> &'static str {
        "Stores the status and the decisions of the channels that run on this instance."
    }
}

#[async_trait]
impl PeriodicTask for ReportWriter {
    fn interval(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn wakes_on(&self, _: &WakeUp) -> bool {
        false
    }

    async fn tick(&mut self, _: &TaskContext) -> Result<Tick, TaskError> {
        self.buffer.store().await?;
        Ok(Tick::default())
    }
}
