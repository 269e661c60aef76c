//! One output: connects, sends, and connects again. Nothing that happens here harms another output.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::piece::{Headers, Piece};
use super::queue::Queue;
use super::supervised::supervised;
use crate::adapters::rtmp::{Address, Connector, Publisher, RtmpError, Step};
use crate::adapters::system::{SystemClock, SystemIds};
use crate::domain::channel::{Output, OutputState, OutputStatus, Track, wrapped};
use crate::ports::{Clock as _, IdGen as _, LeaseCheck};

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

/// What the mixer and the task of an output share.
pub(super) struct Shared {
    pub(super) queue: Queue,
    status: Mutex<OutputStatus>,
    /// Since when a write waits.
    writes_since: Mutex<Option<Instant>>,
}

/// How a connection ended.
enum End {
    Stopped,
    /// A new session begins.
    Rotates,
    /// Another instance may send the programme.
    InDoubt,
    Failed(RtmpError),
}

impl Shared {
    pub(super) fn new() -> Self {
        let status = OutputStatus {
            state: OutputState::Connecting,
            since: SystemClock.now(),
            last_error: None,
            next_attempt_at: None,
            connects: 0,
            bytes: 0,
            dropped_frames: 0,
            queue_ms: 0,
            rtt_ms: None,
        };
        Self { queue: Queue::default(), status: Mutex::new(status), writes_since: Mutex::new(None) }
    }

    /// The output as it is now.
    pub(super) fn status(&self) -> OutputStatus {
        let waits = lock(&self.writes_since).map(|since| since.elapsed());
        let mut status = lock(&self.status).clone();
        if let Some(waits) = waits.filter(|waits| *waits >= STALLED && status.state == OutputState::Live) {
            status.state = OutputState::Stalled;
            status.since = SystemClock.now().minus(waits);
        }
        status.queue_ms = self.queue.length_ms();
        status.dropped_frames = self.queue.dropped_frames();
        status
    }

    fn change(&self, state: OutputState, change: impl FnOnce(&mut OutputStatus)) {
        let mut status = lock(&self.status);
        if status.state != state {
            status.state = state;
            status.since = SystemClock.now();
        }
        change(&mut status);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sends the programme to `output` until `stop`.
pub(super) async fn run(
    output: Output,
    shared: Arc<Shared>,
    connector: Connector,
    (stop, lease): (CancellationToken, LeaseCheck),
) {
    supervised("output", || {
        let task =
            Task { output: &output, shared: &shared, connector: &connector, stop: &stop, lease: &lease };
        task.run()
    })
    .await;
}

struct Task<'a> {
    output: &'a Output,
    shared: &'a Shared,
    connector: &'a Connector,
    stop: &'a CancellationToken,
    lease: &'a LeaseCheck,
}

impl Task<'_> {
    async fn run(self) {
        let (mut waits, mut refusals, mut uses_backup, mut rotates) = (backoff(), 0, false, false);
        loop {
            self.shared.change(OutputState::Connecting, |status| status.next_attempt_at = None);
            self.await_lease().await;
            let url = self.output.backup_url.as_ref().filter(|_| uses_backup).unwrap_or(&self.output.url);
            let began = Instant::now();
            if !rotates {
                self.shared.queue.close();
            }
            let end = match self.open(url).await {
                None => return,
                Some(Ok(publisher)) => self.send(publisher, rotates).await,
                Some(Err(error)) => End::Failed(error),
            };
            let error = match end {
                End::Stopped => return,
                End::Rotates => {
                    rotates = true;
                    continue;
                }
                End::InDoubt => {
                    rotates = false;
                    continue;
                }
                End::Failed(error) => error,
            };
            rotates = false;
            self.shared.queue.close();
            // A session that was live for a while is not refused; the first address is tried again after the second.
            refusals = if error.is_refused { refusals + 1 } else { 0 };
            uses_backup = !uses_backup;
            if began.elapsed() >= STABLE {
                waits = backoff();
                uses_backup = false;
            }
            let is_failed = refusals >= REFUSALS;
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

    /// Connects; `None` if the output is to stop.
    async fn open(&self, url: &str) -> Option<Result<Publisher, RtmpError>> {
        let address = match Address::parse(url) {
            Ok(address) => address,
            Err(error) => {
                return Some(Err(RtmpError {
                    step: Step::Name,
                    is_refused: true,
                    message: error.to_string(),
                }));
            }
        };
        let mut steps = Vec::new();
        let opening = Publisher::open(self.connector, &address, self.output.key.clone(), &mut steps);
        self.stop.run_until_cancelled(Box::pin(opening)).await
    }

    async fn wait(&self, error: &RtmpError, wait: Duration, is_failed: bool) {
        let id = self.output.id;
        tracing::info!(output = ?id, step = %error.step, %error, ?wait, "an output failed and is tried again later");
        let state = if is_failed { OutputState::Failed } else { OutputState::BackingOff };
        self.shared.change(state, |status| {
            status.last_error = Some(error.message.clone());
            status.next_attempt_at = Some(SystemClock.now().plus(wait));
        });
        self.stop.run_until_cancelled(sleep(wait)).await;
    }

    /// Sends what the mixer gives. With `continues`, the queue was kept from the session before.
    async fn send(&self, mut publisher: Publisher, continues: bool) -> End {
        let mut session = Session::default();
        let rotate_at = self.output.rotate_session_every.map(|every| Instant::now() + every);
        if !continues {
            self.shared.queue.open();
        }
        loop {
            let pieces = tokio::select! {
                biased;
                () = self.stop.cancelled() => {
                    if self.lease.is_valid() {
                        publisher.close().await;
                    }
                    return End::Stopped;
                }
                heard = publisher.listen() => match heard {
                    Ok(()) => Vec::new(),
                    Err(error) => return End::Failed(error),
                },
                pieces = self.shared.queue.take() => pieces,
            };
            // Not even a goodbye: a platform could take it for the end of what another instance sends.
            if !self.lease.is_valid() {
                return End::InDoubt;
            }
            let is_due = session.has_begun() && rotate_at.is_some_and(|at| Instant::now() >= at);
            let keyframe = pieces.iter().position(|piece| piece.frame.is_keyframe).filter(|_| is_due);
            let (now, later) = pieces.split_at(keyframe.unwrap_or(pieces.len()));
            if let Err(error) = self.write(&mut publisher, &mut session, now).await {
                return End::Failed(error);
            }
            if keyframe.is_some() {
                self.shared.queue.put_back(later.iter().cloned());
                publisher.close().await;
                return End::Rotates;
            }
        }
    }

    async fn write(
        &self,
        publisher: &mut Publisher,
        session: &mut Session,
        pieces: &[Piece],
    ) -> Result<(), RtmpError> {
        for piece in pieces {
            session.add(publisher, piece)?;
        }
        let is_first = session.is_new();
        *lock(&self.shared.writes_since) = Some(Instant::now());
        let sent = publisher.send().await;
        *lock(&self.shared.writes_since) = None;
        let bytes = sent?;
        if pieces.is_empty() {
            return Ok(());
        }
        self.shared.change(OutputState::Live, |status| {
            status.bytes += bytes;
            status.connects += u64::from(is_first);
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

    fn add(&mut self, publisher: &mut Publisher, piece: &Piece) -> Result<(), RtmpError> {
        let is_first = self.base.is_none();
        let base = *self.base.get_or_insert(piece.at);
        // Sound that lies before the first picture.
        let Some(at) = piece.at.checked_sub(base) else { return Ok(()) };
        if at == 0 && !is_first && piece.frame.track == Track::Video {
            return Ok(());
        }
        if !self.headers.as_ref().is_some_and(|headers| Arc::ptr_eq(headers, &piece.headers)) {
            if is_first {
                publisher.describe(&piece.headers.formats)?;
            }
            for header in piece.headers.frames() {
                publisher.add(header, wrapped(at))?;
            }
            self.headers = Some(piece.headers.clone());
        }
        publisher.add(&piece.frame, wrapped(at))
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
