//! Whom to poll at Kick's API next.
//!
//! Three kinds of requests take turns: checks of contradicted statuses, streamers that are new or were just subscribed
//! to, and the full poll. With ten thousand streamers a full poll takes minutes; the other kinds must not wait for it.
//! A failed request is repeated after the others, so that a streamer whom Kick refuses does not block them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use super::watchlist::Watchlist;
use crate::domain::StreamerId;
use crate::domain::streamer::Status;
use crate::domain::streamer::decide::{API_LAG, CONFIRM_AFTER};
use crate::ports::{MOST_USERS, RemoteError, StoreError};

/// A little more than the domain requires, so that a second answer is not ignored for a few milliseconds.
const MARGIN: Duration = Duration::from_millis(500);
/// After so many refusals in a row the cause is not a single streamer: Kick refuses every request.
const MOST_REFUSALS: usize = 10;
/// How long a streamer is excluded whom Kick refuses.
const EXCLUDED_FOR: Duration = Duration::from_secs(3_600);
/// In a request about fifty users, Kick's `/channels` reported half of the live ones as not live. So a streamer
/// who seems to be live is only taken offline by an answer about few.
const FEW: usize = 10;

/// A request to Kick.
#[derive(Debug)]
pub(super) enum PollRequest {
    /// Which of these are live.
    Live(Vec<StreamerId>),
    /// Whether a contradicted status is right; goes to the other endpoint.
    Confirm(Vec<StreamerId>),
}

impl PollRequest {
    pub(super) fn about(&self) -> &[StreamerId] {
        let (Self::Live(about) | Self::Confirm(about)) = self;
        about
    }
}

/// Why a request was not completed.
#[derive(Debug, thiserror::Error)]
pub(super) enum PollError {
    #[error("Kick {0}")]
    Kick(#[from] RemoteError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The requests that are due, by kind.
#[derive(Debug, Default)]
pub(super) struct PollQueue {
    /// Streamers to poll soon, new ones first, and whether each was known before.
    soon: BTreeSet<(bool, StreamerId)>,
    /// When to check contradicted statuses.
    checks: BTreeMap<StreamerId, Instant>,
    pub(super) full_poll_at: Option<Instant>,
    is_full_poll_running: bool,
    full_polls: usize,
    /// The rest of the running full poll.
    remaining: VecDeque<StreamerId>,
    failed: VecDeque<Vec<StreamerId>>,
    /// Streamers whom Kick refuses, and until when they are excluded.
    excluded: BTreeMap<StreamerId, Instant>,
    refusals_in_a_row: usize,
    turn: usize,
}

impl PollQueue {
    pub(super) fn add(&mut self, streamers: impl IntoIterator<Item = StreamerId>) {
        self.soon.extend(streamers.into_iter().map(|id| (true, id)));
    }

    /// Adds streamers whose user id is new.
    pub(super) fn add_new(&mut self, streamers: impl IntoIterator<Item = StreamerId>) {
        for streamer in streamers {
            self.excluded.remove(&streamer);
            self.soon.insert((false, streamer));
        }
    }

    /// Schedules checks for when their answers will count: after a change Kick's API lags, and after a contradiction
    /// the next answer must be independent. The flag: whether the status has changed.
    pub(super) fn check(&mut self, streamers: impl IntoIterator<Item = (StreamerId, bool)>) {
        let now = Instant::now();
        for (streamer, has_changed) in streamers {
            let wait = if has_changed { API_LAG } else { CONFIRM_AFTER };
            self.checks.entry(streamer).or_insert(now + wait + MARGIN);
        }
    }

    pub(super) fn next_at(&self, watchlist: &Watchlist) -> Option<Instant> {
        if !self.soon.is_empty() || !self.remaining.is_empty() || !self.failed.is_empty() {
            return Some(Instant::now());
        }
        // Before the watchlist is read, a full poll would be empty.
        let full_poll = self.full_poll_at.filter(|_| watchlist.len() > 0);
        self.checks.values().copied().chain(full_poll).min()
    }

    pub(super) fn next(&mut self, watchlist: &Watchlist, full_poll_every: Duration) -> Option<PollRequest> {
        let now = Instant::now();
        let is_due = self.remaining.is_empty() && self.full_poll_at.is_some_and(|at| at <= now);
        if is_due && watchlist.len() > 0 {
            self.begin_full_poll(watchlist, now, full_poll_every);
        }
        for _ in 0..3 {
            self.turn = (self.turn + 1) % 3;
            let request = match self.turn {
                0 => PollRequest::Confirm(self.due_checks(watchlist, now)),
                1 => PollRequest::Live(self.take_soon()),
                _ if self.remaining.is_empty() => {
                    PollRequest::Live(self.failed.pop_front().unwrap_or_default())
                }
                _ => {
                    PollRequest::Live(self.remaining.drain(..self.remaining.len().min(MOST_USERS)).collect())
                }
            };
            if !request.about().is_empty() {
                return Some(request);
            }
        }
        None
    }

    fn begin_full_poll(&mut self, watchlist: &Watchlist, now: Instant, every: Duration) {
        self.excluded.retain(|_, until| now < *until);
        let known = watchlist.rows().filter(|(_, row)| row.ids.user.is_some()).map(|(id, _)| id);
        let mut all: Vec<StreamerId> = known.filter(|id| !self.excluded.contains_key(id)).collect();
        all.sort_unstable();
        self.full_polls += 1;
        if !all.is_empty() {
            // Different groups each time, so that two answers about a streamer are independent.
            let offset = self.full_polls.wrapping_mul(17) % all.len();
            all.rotate_left(offset);
        }
        self.remaining = all.into();
        self.failed.clear();
        self.soon.clear();
        self.full_poll_at = Some(now + every);
        self.is_full_poll_running = true;
    }

    fn take_soon(&mut self) -> Vec<StreamerId> {
        let mut taken = Vec::new();
        while taken.len() < MOST_USERS
            && let Some((_, id)) = self.soon.pop_first()
        {
            if !self.excluded.contains_key(&id) {
                taken.push(id);
            }
        }
        if !taken.is_empty() {
            self.remaining.retain(|id| !taken.contains(id));
        }
        taken
    }

    /// The due checks that fit into one request: few if the streamers may be live.
    fn due_checks(&mut self, watchlist: &Watchlist, now: Instant) -> Vec<StreamerId> {
        let is_online = |id: &StreamerId| watchlist.row(*id).is_some_and(|row| row.status == Status::Online);
        let due = self.checks.extract_if(.., |_, at| *at <= now).map(|(id, _)| id);
        let (mut online, mut others): (Vec<StreamerId>, Vec<StreamerId>) = due.partition(is_online);
        let (taken, most) = if online.is_empty() { (&mut others, MOST_USERS) } else { (&mut online, FEW) };
        let taken: Vec<StreamerId> = taken.drain(..taken.len().min(most)).collect();
        self.checks.extend(online.into_iter().chain(others).map(|id| (id, now)));
        taken
    }

    pub(super) fn succeeded(&mut self) {
        self.refusals_in_a_row = 0;
    }

    /// Whether the full poll has just ended.
    pub(super) fn is_full_poll_done(&mut self) -> bool {
        let is_done = self.is_full_poll_running && self.remaining.is_empty() && self.failed.is_empty();
        self.is_full_poll_running &= !is_done;
        is_done
    }

    /// Whether Kick refuses the streamers of the request, rather than every request.
    pub(super) fn is_refusal(&self, error: &PollError) -> bool {
        matches!(error, PollError::Kick(RemoteError::Status { status: 400 | 404 | 414 | 422, .. }))
            && self.refusals_in_a_row < MOST_REFUSALS
    }

    /// Puts a failed request back: in halves if Kick refuses it, and not at all if it is about one streamer.
    pub(super) fn put_back(&mut self, request: PollRequest, is_refusal: bool) {
        self.refusals_in_a_row += 1;
        match request {
            // The next full poll brings a second answer, too.
            PollRequest::Confirm(_) if is_refusal => {}
            PollRequest::Confirm(about) => self.check(about.into_iter().map(|id| (id, false))),
            PollRequest::Live(mut about) if is_refusal && about.len() > 1 => {
                let others = about.split_off(about.len() / 2);
                self.failed.extend([about, others]);
            }
            PollRequest::Live(about) if is_refusal => {
                let until = Instant::now() + EXCLUDED_FOR;
                self.excluded.extend(about.into_iter().map(|id| (id, until)));
            }
            PollRequest::Live(about) => self.failed.push_back(about),
        }
    }
}
