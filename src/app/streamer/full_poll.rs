//! Asking Kick's API who is live: those of whom edges may have been missed, those whose status is in doubt, and now
//! and then everyone.
//!
//! One question at a time, of each kind in turn: with ten thousand rows everyone takes minutes, and neither a new row
//! nor a doubt may have to wait for that. A question that fails is put behind the others, so that somebody whom Kick
//! cannot be asked about stands in nobody's way.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use super::watcher::Watch;
use crate::domain::streamer::decide::{API_LAG, CONFIRM_AFTER, Report, ReportedStatus};
use crate::domain::streamer::{Found, KickIds, Learned, Slug, Source, Status, UserId};
use crate::domain::{StreamerId, Timestamp};
use crate::ports::{KickChannel, KickLive, MOST_USERS, RemoteError, StoreError};

/// A little more than the domain asks for, so that a second answer is not thrown away for a few milliseconds.
const MARGIN: Duration = Duration::from_millis(500);
/// How long those to be asked about are collected.
const COLLECT: Duration = Duration::from_millis(200);
/// How long to wait when Kick did not answer.
const ERROR_RETRY: Duration = Duration::from_secs(5);
/// How often it is said that Kick cannot be asked.
const SAY_EVERY: Duration = Duration::from_secs(60);
/// After so many refusals in a row it is not those who were asked about: Kick refuses whatever is asked.
const MOST_REFUSALS: usize = 10;
/// How long somebody is left out whom Kick refuses to be asked about.
const EXCLUDED_FOR: Duration = Duration::from_secs(3_600);
/// Kick's `/channels` has been seen to call half of those who were live not live when it was asked about fifty at
/// once; so whoever is thought to be live is only taken for offline by an answer about few.
const FEW: usize = 10;

/// Whom to ask about.
#[derive(Debug, Default)]
pub(super) struct PollQueue {
    /// Those who could not be asked about before.
    fresh: BTreeSet<StreamerId>,
    soon: BTreeSet<StreamerId>,
    checks: BTreeMap<StreamerId, Instant>,
    full_poll_at: Option<Instant>,
    /// Those of the present sweep who were not asked about yet.
    left: VecDeque<StreamerId>,
    /// Questions that failed, to be asked again after all others.
    again: VecDeque<Vec<StreamerId>>,
    /// Whom Kick refuses to be asked about, and until when they are left out.
    excluded: BTreeMap<StreamerId, Instant>,
    refused_in_a_row: usize,
    is_full_poll_running: bool,
    full_polls: usize,
    turn: usize,
}

/// What is asked.
#[derive(Debug)]
enum PollRequest {
    /// Who of these is live.
    Live(Vec<StreamerId>),
    /// How it is with these, at the other endpoint.
    Confirm(Vec<StreamerId>),
}

impl PollQueue {
    /// Soon, about these.
    pub(super) fn add(&mut self, streamers: impl IntoIterator<Item = StreamerId>) {
        self.soon.extend(streamers);
    }

    /// Before others, about these, who could not be asked about yet.
    pub(super) fn add_first(&mut self, streamers: impl IntoIterator<Item = StreamerId>) {
        for streamer in streamers {
            // They may have another number now.
            self.excluded.remove(&streamer);
            self.fresh.insert(streamer);
        }
    }

    /// Once an answer will count: after a change Kick's API needs to settle, after a contradiction the next answer
    /// must be independent.
    pub(super) fn verify(&mut self, streamers: BTreeMap<StreamerId, bool>) {
        let now = Instant::now();
        for (streamer, has_changed) in streamers {
            let wait = if has_changed { API_LAG } else { CONFIRM_AFTER };
            self.checks.entry(streamer).or_insert(now + wait + MARGIN);
        }
    }

    fn next_at(&self, is_anyone_known: bool) -> Option<Instant> {
        let is_waiting = [&self.fresh, &self.soon].iter().any(|set| !set.is_empty())
            || !self.left.is_empty()
            || !self.again.is_empty();
        if is_waiting {
            return Some(Instant::now());
        }
        let everyone = self.full_poll_at.filter(|_| is_anyone_known);
        self.checks.values().copied().chain(everyone).min()
    }

    fn due_checks(&mut self, now: Instant) -> Vec<StreamerId> {
        let due = self.checks.extract_if(.., |_, at| *at <= now);
        due.map(|(id, _)| id).collect()
    }

    /// Those who are to be asked about soon.
    fn take_soon(&mut self) -> Vec<StreamerId> {
        let mut taken = Vec::new();
        while taken.len() < MOST_USERS
            && let Some(id) = self.fresh.pop_first().or_else(|| self.soon.pop_first())
        {
            if !self.excluded.contains_key(&id) {
                taken.push(id);
            }
        }
        if !self.left.is_empty() && !taken.is_empty() {
            self.left.retain(|id| !taken.contains(id));
        }
        taken
    }

    /// The next ones of the sweep.
    fn take_left(&mut self) -> Vec<StreamerId> {
        if self.left.is_empty() {
            return self.again.pop_front().unwrap_or_default();
        }
        let many = self.left.len().min(MOST_USERS);
        self.left.drain(..many).collect()
    }

    /// Begins a sweep, if one is due and the one before has asked about everyone.
    fn begin(&mut self, mut everyone: Vec<StreamerId>, now: Instant, interval: Duration) {
        self.excluded.retain(|_, until| now < *until);
        everyone.retain(|id| !self.excluded.contains_key(id));
        everyone.sort_unstable();
        self.full_poll_at = Some(now + interval);
        self.full_polls += 1;
        if !everyone.is_empty() {
            // Each time in another company: two answers about somebody are then independent.
            let shift = self.full_polls.wrapping_mul(17) % everyone.len();
            everyone.rotate_left(shift);
        }
        self.left = everyone.into();
        self.again.clear();
        self.fresh.clear();
        self.soon.clear();
        self.is_full_poll_running = true;
    }

    fn is_full_poll_due(&self, now: Instant) -> bool {
        self.left.is_empty() && self.full_poll_at.is_some_and(|at| at <= now)
    }

    /// Whether the sweep is over with this.
    fn is_finished(&mut self) -> bool {
        let is_finished = self.is_full_poll_running && self.left.is_empty() && self.again.is_empty();
        self.is_full_poll_running &= !is_finished;
        is_finished
    }

    /// Whether it is what was asked that Kick does not like, rather than that it was asked.
    fn is_request_refused(&self, error: &PollError) -> bool {
        matches!(error, PollError::Kick(RemoteError::Status { status: 400 | 404 | 414 | 422, .. }))
            && self.refused_in_a_row < MOST_REFUSALS
    }

    /// A question failed. Returns whether others can be asked at once.
    fn put_off(&mut self, request: PollRequest, error: &PollError) -> bool {
        let is_refused = self.is_request_refused(error);
        self.refused_in_a_row += 1;
        match request {
            // The next sweep gives a second answer, too.
            PollRequest::Confirm(_) if is_refused => {}
            PollRequest::Confirm(about) => self.verify(about.into_iter().map(|id| (id, false)).collect()),
            PollRequest::Live(mut about) if is_refused && about.len() > 1 => {
                let others = about.split_off(about.len() / 2);
                self.again.extend([about, others]);
            }
            PollRequest::Live(about) if is_refused => {
                let until = Instant::now() + EXCLUDED_FOR;
                self.excluded.extend(about.into_iter().map(|id| (id, until)));
            }
            PollRequest::Live(about) => self.again.push_back(about),
        }
        is_refused
    }
}

/// Why a round of questions was not finished.
#[derive(Debug)]
enum PollError {
    Kick(RemoteError),
    Store(StoreError),
}

impl std::fmt::Display for PollError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Kick(error) => write!(f, "Kick {error}"),
            Self::Store(error) => error.fmt(f),
        }
    }
}

type Asked = Vec<(StreamerId, UserId)>;

impl Watch {
    /// Asks whenever there is something to ask about.
    pub(super) async fn poll(&self) -> ! {
        self.queue().full_poll_at = Some(Instant::now());
        let mut reported = None;
        loop {
            // Before the first look into the store nobody is known, and a sweep would be about nobody.
            let is_anyone_known = self.watchlist().len() > 0;
            let next = self.queue().next_at(is_anyone_known);
            tokio::select! {
                () = async { match next { Some(at) => sleep_until(at).await, None => std::future::pending().await } } => {}
                () = self.poll_wanted.notified() => {}
            }
            sleep(COLLECT).await;
            while let Some(request) = self.request() {
                let asked = match &request {
                    PollRequest::Live(about) => self.ask_who_is_live(about).await,
                    PollRequest::Confirm(about) => self.ask_channels(about).await,
                };
                match asked {
                    Ok(()) => self.queue().refused_in_a_row = 0,
                    Err(error) => {
                        let wait = self.unanswered(request, &error, &mut reported);
                        sleep(wait).await;
                    }
                }
                if self.queue().is_finished() {
                    metrics::counter!("streamward_kick_full_polls_total").increment(1);
                    let at = self.app.now();
                    self.set_status(|status| (status.last_sweep_at, status.sweep_error) = (Some(at), None));
                }
            }
        }
    }

    /// What is to be asked now: of each kind in turn.
    fn request(&self) -> Option<PollRequest> {
        let now = Instant::now();
        if self.queue().is_full_poll_due(now) {
            let everyone: Vec<StreamerId> = {
                let watchlist = self.watchlist();
                watchlist.rows().filter(|(_, row)| row.ids.user.is_some()).map(|(id, _)| id).collect()
            };
            if self.watchlist().len() > 0 {
                self.queue().begin(everyone, now, self.app.settings.sweep_interval);
            }
        }
        for _ in 0..3 {
            let turn = {
                let mut queue = self.queue();
                queue.turn = (queue.turn + 1) % 3;
                queue.turn
            };
            let request = match turn {
                0 => PollRequest::Confirm(self.take_checks(now)),
                1 => PollRequest::Live(self.queue().take_soon()),
                _ => PollRequest::Live(self.queue().take_left()),
            };
            let (PollRequest::Live(about) | PollRequest::Confirm(about)) = &request;
            if !about.is_empty() {
                return Some(request);
            }
        }
        None
    }

    /// Those whose doubts one question can settle: few if they may be live.
    fn take_checks(&self, now: Instant) -> Vec<StreamerId> {
        let due = self.queue().due_checks(now);
        let (may_be_live, mut others): (Vec<StreamerId>, Vec<StreamerId>) = {
            let watchlist = self.watchlist();
            let is_online =
                |id: &StreamerId| watchlist.row(*id).is_some_and(|row| row.status == Status::Online);
            due.into_iter().partition(is_online)
        };
        let (mut taken, most) = if may_be_live.is_empty() {
            (std::mem::take(&mut others), MOST_USERS)
        } else {
            (may_be_live, FEW)
        };
        others.extend(taken.split_off(taken.len().min(most)));
        self.queue().checks.extend(others.into_iter().map(|id| (id, now)));
        taken
    }

    /// Sees to a question that failed. Returns how long not to ask.
    fn unanswered(
        &self,
        request: PollRequest,
        error: &PollError,
        reported: &mut Option<Instant>,
    ) -> Duration {
        metrics::counter!("streamward_kick_poll_failures_total").increment(1);
        let about = match &request {
            PollRequest::Live(about) | PollRequest::Confirm(about) => self.with_users(about),
        };
        let is_request_refused = self.queue().is_request_refused(error);
        if let ([(_, user)], PollRequest::Live(_), true) = (about.as_slice(), &request, is_request_refused) {
            tracing::warn!(%error, %user, "Kick refuses to be asked about a user; it is tried again in an hour");
        } else if reported.is_none_or(|at| at.elapsed() >= SAY_EVERY) {
            *reported = Some(Instant::now());
            tracing::warn!(%error, "Kick could not be asked who is live; it is tried again");
        } else {
            tracing::debug!(%error, "Kick could not be asked who is live; it is tried again");
        }
        // What the database says is for the log: it may name hosts and users.
        let shown = match error {
            PollError::Kick(_) => error.to_string(),
            PollError::Store(_) => "the answers could not be written down".to_owned(),
        };
        self.set_status(|status| status.sweep_error = Some(shown));
        if self.queue().put_off(request, error) {
            return Duration::ZERO;
        }
        match error {
            // Only a person can mend that.
            PollError::Kick(RemoteError::Unsupported(_) | RemoteError::Unauthorised) => {
                self.app.settings.sweep_interval.max(ERROR_RETRY)
            }
            _ => ERROR_RETRY,
        }
    }

    fn with_users(&self, of: &[StreamerId]) -> Asked {
        let watchlist = self.watchlist();
        of.iter().filter_map(|id| Some((*id, watchlist.row(*id)?.ids.user?))).collect()
    }

    /// Asks for the list of those who are live. Who is missing from it may still be live.
    async fn ask_who_is_live(&self, about: &[StreamerId]) -> Result<(), PollError> {
        let whom = self.with_users(about);
        if whom.is_empty() {
            return Ok(());
        }
        let users: Vec<UserId> = whom.iter().map(|(_, user)| *user).collect();
        let at = self.app.now();
        let live = self.kick.live_among(&users).await.map_err(PollError::Kick)?;
        let live: HashMap<UserId, KickLive> = live.into_iter().map(|one| (one.user, one)).collect();
        let reported = whom.iter().filter_map(|(id, user)| {
            let session = live.get(user).map(|one| one.session.clone());
            self.report(*id, at, session.map_or(ReportedStatus::NotLive, ReportedStatus::Live))
        });
        self.record(&reported.collect::<Vec<_>>()).await.map_err(PollError::Store)?;
        let learned = whom.iter().filter_map(|(id, user)| {
            let one = live.get(user)?;
            self.learned(*id, KickIds { channel: one.channel, ..KickIds::default() }, one.slug.as_ref())
        });
        self.learn(&learned.collect::<Vec<_>>()).await.map_err(PollError::Store)
    }

    /// Asks the other endpoint.
    async fn ask_channels(&self, checks: &[StreamerId]) -> Result<(), PollError> {
        let whom = self.with_users(checks);
        if whom.is_empty() {
            return Ok(());
        }
        let users: Vec<UserId> = whom.iter().map(|(_, user)| *user).collect();
        let at = self.app.now();
        let channels = self.kick.channels(&users).await.map_err(PollError::Kick)?;
        let channels: HashMap<UserId, KickChannel> =
            channels.into_iter().map(|one| (one.user, one)).collect();
        let reported = whom.iter().filter_map(|(id, user)| {
            let reported =
                channels.get(user)?.live.clone().map_or(ReportedStatus::NotLive, ReportedStatus::Live);
            self.report(*id, at, reported)
        });
        self.record(&reported.collect::<Vec<_>>()).await.map_err(PollError::Store)?;
        let learned = whom
            .iter()
            .filter_map(|(id, user)| self.learned(*id, KickIds::default(), Some(&channels.get(user)?.slug)));
        self.learn(&learned.collect::<Vec<_>>()).await.map_err(PollError::Store)
    }

    /// An answer as a report, unless it only says what is known.
    pub(super) fn report(
        &self,
        streamer: StreamerId,
        at: Timestamp,
        reported: ReportedStatus,
    ) -> Option<Report> {
        let watchlist = self.watchlist();
        let row = watchlist.row(streamer)?;
        if reported == ReportedStatus::NotLive && row.status == Status::Offline && !row.is_contradicted {
            return None;
        }
        Some(Report { streamer, source: Source::Poll, at, reported })
    }

    /// What an answer teaches, unless it is known.
    pub(super) fn learned(&self, streamer: StreamerId, ids: KickIds, slug: Option<&Slug>) -> Option<Learned> {
        let watchlist = self.watchlist();
        let row = watchlist.row(streamer)?;
        let renamed = slug.filter(|slug| !slug.is(&row.username)).cloned();
        if row.ids.updated(ids) == row.ids && renamed.is_none() {
            return None;
        }
        Some(Learned { streamer, found: Found::Ids { ids, renamed } })
    }
}
