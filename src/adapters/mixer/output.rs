//! One output: connects, sends, and connects again. Nothing that happens here harms another output.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::piece::{Headers, Piece};
use super::queue::Queue;
use super::rotation::{NextSession, Rotation};
use super::sink::{Sink, SinkError, Target};
use super::supervised::supervised;
use crate::adapters::rtmp::{Connector, Prepared};
use crate::adapters::system::SystemIds;
use crate::domain::channel::{ChannelName, Output, OutputState, OutputStatus, Track, wrapped};
use crate::ports::{Clock, IdGen as _, LeaseCheck};

const SHORTEST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// A connection that lasted this long begins the waits again.
const STABLE: Duration = Duration::from_secs(30);
/// An output that takes nothing for this long is stalled.
const STALLED: Duration = Duration::from_secs(2);
/// How often a lease that is in doubt is checked.
const LEASE_CHECK: Duration = Duration::from_millis(50);
/// After this many refusals in a row, it is assumed that somebody has to do something.
const REFUSALS: u32 = 3;
/// The same for an output that was live before: its server may still count the session that broke.
const REFUSALS_AFTER_LIVE: u32 = 6;
/// How long a write may still take after the stop.
const LAST_WRITE: Duration = Duration::from_secs(1);
/// When a new session did not begin at once, it is tried once more after this time.
const ROTATE_AGAIN: Duration = Duration::from_millis(500);

/// What the mixer and the task of an output share.
pub(super) struct Shared {
    pub(super) queue: Queue,
    clock: Arc<dyn Clock>,
    status: Mutex<OutputStatus>,
    /// Since when a write waits.
    writes_since: Mutex<Option<Instant>>,
}

/// How a connection ended.
enum End {
    Stopped,
    /// A new session begins.
    Rotates(Box<Rotation>),
    /// The lease is in doubt: another instance may send the programme.
    InDoubt,
    Failed(SinkError),
}

impl Shared {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        let status = Mutex::new(OutputStatus::new(clock.now()));
        Self { queue: Queue::default(), clock, status, writes_since: Mutex::new(None) }
    }

    /// The output as it is now.
    pub(super) fn status(&self) -> OutputStatus {
        let waits = lock(&self.writes_since).map(|since| since.elapsed());
        let mut status = lock(&self.status).clone();
        if let Some(waits) = waits.filter(|waits| *waits >= STALLED && status.state == OutputState::Live) {
            status.state = OutputState::Stalled;
            status.since = self.clock.now().minus(waits);
        }
        status.queue_ms = self.queue.length_ms();
        status.dropped_frames = self.queue.dropped_frames();
        status
    }

    fn change(&self, state: OutputState, change: impl FnOnce(&mut OutputStatus)) {
        let mut status = lock(&self.status);
        if status.state != state {
            status.state = state;
            status.since = self.clock.now();
        }
        change(&mut status);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sends the programme of `channel` to `output` until `stop`.
pub(super) async fn run(
    (channel, output): (ChannelName, Output),
    shared: Arc<Shared>,
    connector: Connector,
    (stop, lease): (CancellationToken, LeaseCheck),
) {
    supervised("output", || {
        let task = Task {
            channel: &channel,
            output: &output,
            shared: &shared,
            connector: &connector,
            stop: &stop,
            lease: &lease,
        };
        task.run()
    })
    .await;
}

struct Task<'a> {
    /// For the log.
    channel: &'a ChannelName,
    output: &'a Output,
    shared: &'a Shared,
    connector: &'a Connector,
    stop: &'a CancellationToken,
    lease: &'a LeaseCheck,
}

impl Task<'_> {
    async fn run(self) {
        let (mut waits, mut refusals, mut uses_backup) = (backoff(), 0, false);
        let mut rotation: Option<Box<Rotation>> = None;
        loop {
            self.shared.change(OutputState::Connecting, |status| status.next_attempt_at = None);
            self.await_lease().await;
            let url = self.output.backup_url.as_ref().filter(|_| uses_backup).unwrap_or(&self.output.url);
            let began = Instant::now();
            if rotation.is_none() {
                self.shared.queue.close();
            }
            let end = match Target::new(url, &self.output.key) {
                Err(error) => End::Failed(error),
                Ok(target) => match self.stop.run_until_cancelled(self.open(&target, &mut rotation)).await {
                    None => return,
                    Some(Err(error)) => End::Failed(error),
                    Some(Ok(None)) => End::InDoubt,
                    Some(Ok(Some(sink))) => self.send(sink, &target, rotation.take()).await,
                },
            };
            let error = match end {
                End::Stopped => return,
                End::Rotates(next) => {
                    rotation = Some(next);
                    (waits, refusals) = (backoff(), 0);
                    continue;
                }
                End::InDoubt => {
                    rotation = None;
                    continue;
                }
                End::Failed(error) => error,
            };
            rotation = None;
            self.shared.queue.close();
            // A session that was live for a while is not refused; the first address is tried again after the second.
            refusals = if error.is_refused { refusals + 1 } else { 0 };
            uses_backup = !uses_backup;
            if began.elapsed() >= STABLE {
                (waits, refusals, uses_backup) = (backoff(), 0, false);
            }
            let was_live = lock(&self.shared.status).connects > 0;
            let is_failed = refusals >= if was_live { REFUSALS_AFTER_LIVE } else { REFUSALS };
            let next = if is_failed { None } else { waits.next() };
            let wait = next.map_or(LONGEST_WAIT, |wait| wait.min(LONGEST_WAIT));
            self.wait(&error, wait, is_failed).await;
            if self.stop.is_cancelled() {
                return;
            }
        }
    }

    /// Waits until the lease is valid, or until the stop.
    async fn await_lease(&self) {
        while !self.lease.is_valid() && self.stop.run_until_cancelled(sleep(LEASE_CHECK)).await.is_some() {}
    }

    /// Begins a session; `None` if the lease is in doubt. A new session of an output that rotates uses the connection that
    /// was prepared for it. If a server still counts the session before, it is tried once more.
    async fn open(
        &self,
        target: &Target,
        rotation: &mut Option<Box<Rotation>>,
    ) -> Result<Option<Sink>, SinkError> {
        let Some(rotation) = rotation else { return self.begin(target, None).await };
        match self.begin(target, rotation.prepared.take()).await {
            Ok(begun) => Ok(begun),
            Err(error) => {
                tracing::info!(channel = %self.channel, destination = %self.output.id, %error, "a new session did not begin at once");
                sleep(ROTATE_AGAIN).await;
                self.begin(target, None).await
            }
        }
    }

    /// The key is sent only with a valid lease: a platform may end the session of whoever has it.
    async fn begin(&self, target: &Target, prepared: Option<Prepared>) -> Result<Option<Sink>, SinkError> {
        let prepared = match prepared {
            Some(prepared) => Some(prepared),
            None => target.prepare(self.connector).await?,
        };
        if self.lease.is_valid() { Ok(Some(target.begin(prepared).await?)) } else { Ok(None) }
    }

    async fn wait(&self, error: &SinkError, wait: Duration, is_failed: bool) {
        tracing::info!(
            channel = %self.channel, destination = %self.output.id, %error, ?wait,
            "an output failed and is tried again later"
        );
        let state = if is_failed { OutputState::Failed } else { OutputState::BackingOff };
        self.shared.change(state, |status| {
            status.last_error = Some(error.message.clone());
            status.next_attempt_at = Some(self.shared.clock.now().plus(wait));
            status.rtt_ms = None;
        });
        self.stop.run_until_cancelled(sleep(wait)).await;
    }

    /// Sends what the mixer gives. After a rotation, the queue was kept from the session before.
    async fn send(&self, mut sink: Sink, target: &Target, rotation: Option<Box<Rotation>>) -> End {
        let mut session = Session::default();
        match &rotation {
            None => self.shared.queue.open(),
            Some(rotation) => {
                let took = rotation.since.elapsed();
                tracing::info!(
                    channel = %self.channel, destination = %self.output.id, ?took,
                    "a new session replaced the one before"
                );
            }
        }
        let mut next = NextSession::new(self.output.rotate_session_every);
        loop {
            let pieces = tokio::select! {
                biased;
                () = self.stop.cancelled() => {
                    if self.lease.is_valid() {
                        sink.close().await;
                    }
                    return End::Stopped;
                }
                heard = sink.listen() => match heard {
                    Ok(()) => Vec::new(),
                    Err(error) => return End::Failed(error),
                },
                () = next.prepare(target, self.connector), if session.has_begun() => Vec::new(),
                pieces = self.shared.queue.take() => pieces,
            };
            // Not even a goodbye: a platform could take it for the end of what another instance sends.
            if !self.lease.is_valid() {
                return End::InDoubt;
            }
            let is_keyframe = |piece: &Piece| piece.frame.is_keyframe;
            let keyframe = pieces.iter().position(is_keyframe).filter(|_| next.is_ready());
            let (now, later) = pieces.split_at(keyframe.unwrap_or(pieces.len()));
            let stopped = async {
                self.stop.cancelled().await;
                sleep(LAST_WRITE).await;
            };
            tokio::select! {
                written = self.write(&mut sink, &mut session, now) => if let Err(error) = written {
                    return End::Failed(error);
                },
                () = stopped => return End::Stopped,
            }
            if keyframe.is_some() {
                self.shared.queue.put_back(later.iter().cloned());
                let since = Instant::now();
                sink.close().await;
                return End::Rotates(Box::new(Rotation { prepared: next.prepared(), since }));
            }
        }
    }

    async fn write(&self, sink: &mut Sink, session: &mut Session, pieces: &[Piece]) -> Result<(), SinkError> {
        for piece in pieces {
            session.add(sink, piece)?;
        }
        *lock(&self.shared.writes_since) = Some(Instant::now());
        let sent = sink.send().await;
        *lock(&self.shared.writes_since) = None;
        let bytes = sent?;
        lock(&self.shared.status).bytes += bytes;
        if pieces.is_empty() || !sink.is_live() {
            return Ok(());
        }
        let is_first = session.is_new();
        let rtt_ms = sink.rtt_ms();
        self.shared.change(OutputState::Live, |status| {
            status.connects += u64::from(is_first);
            status.rtt_ms = rtt_ms;
        });
        Ok(())
    }
}

/// One session: its timestamps begin at zero, as those of every encoder, and wrap after 49.7 days.
#[derive(Default)]
struct Session {
    base: Option<u64>,
    headers: Option<Arc<Headers>>,
    was_counted: bool,
}

impl Session {
    fn has_begun(&self) -> bool {
        self.base.is_some()
    }

    fn is_new(&mut self) -> bool {
        self.has_begun() && !std::mem::replace(&mut self.was_counted, true)
    }

    fn add(&mut self, sink: &mut Sink, piece: &Piece) -> Result<(), SinkError> {
        let is_first = self.base.is_none();
        let base = *self.base.get_or_insert(piece.at);
        // Sound that lies before the first picture.
        let Some(at) = piece.at.checked_sub(base) else { return Ok(()) };
        if at == 0 && !is_first && piece.frame.track == Track::Video {
            return Ok(());
        }
        if !self.headers.as_ref().is_some_and(|headers| Arc::ptr_eq(headers, &piece.headers)) {
            if is_first {
                sink.describe(&piece.headers.formats)?;
            }
            for header in piece.headers.frames() {
                sink.add(header, wrapped(at))?;
            }
            self.headers = Some(piece.headers.clone());
        }
        sink.add(&piece.frame, wrapped(at))
    }
}

fn backoff() -> ExponentialBackoff {
    let [a, b, c, d, e, f, g, h, ..] = SystemIds.random32();
    ExponentialBuilder::new()
        .with_min_delay(SHORTEST_WAIT)
        .with_max_delay(LONGEST_WAIT)
        .with_jitter()
        .with_jitter_seed(u64::from_le_bytes([a, b, c, d, e, f, g, h]))
        .without_max_times()
        .build()
}
