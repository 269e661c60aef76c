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
use crate::domain::streamer::decide::{CONFIRM_AFTER, Report, SETTLING, Said};
use crate::domain::streamer::{Found, KickIds, Learned, Slug, Source, Status, UserId};
use crate::domain::{StreamerId, Timestamp};
use crate::ports::{KickChannel, KickLive, MOST_USERS, RemoteError, StoreError};

/// A little more than the domain asks for, so that a second answer is not thrown away for a few milliseconds.
const MARGIN: Duration = Duration::from_millis(500);
/// How long those to be asked about are collected.
const COLLECT: Duration = Duration::from_millis(200);
/// How long to wait when Kick did not answer.
const PAUSE: Duration = Duration::from_secs(5);
/// How often it is said that Kick cannot be asked.
const SAY_EVERY: Duration = Duration::from_secs(60);
/// After so many refusals in a row it is not those who were asked about: Kick refuses whatever is asked.
const MOST_REFUSALS: usize = 10;
/// How long somebody is left out whom Kick refuses to be asked about.
const LEFT_OUT: Duration = Duration::from_secs(3_600);
/// Kick's `/channels` has been seen to call half of those who were live not live when it was asked about fifty at
/// once; so whoever is thought to be live is only taken for offline by an answer about few.
const FEW: usize = 10;

/// Whom to ask about.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    /// Those who could not be asked about before.
    fresh: BTreeSet<StreamerId>,
    soon: BTreeSet<StreamerId>,
    doubts: BTreeMap<StreamerId, Instant>,
    everyone_at: Option<Instant>,
    /// Those of the present sweep who were not asked about yet.
    left: VecDeque<StreamerId>,
    /// Questions that failed, to be asked again after all others.
    again: VecDeque<Vec<StreamerId>>,
    /// Whom Kick refuses to be asked about, and until when they are left out.
    left_out: BTreeMap<StreamerId, Instant>,
    refused_in_a_row: usize,
    is_sweeping: bool,
    sweeps: usize,
    turn: usize,
}

/// What is asked.
#[derive(Debug)]
enum Question {
    /// Who of these is live.
    Live(Vec<StreamerId>),
    /// How it is with these, at the other endpoint.
    Doubts(Vec<StreamerId>),
}

impl Agenda {
    /// Soon, about these.
    pub(super) fn ask(&mut self, streamers: impl IntoIterator<Item = StreamerId>) {
        self.soon.extend(streamers);
    }

    /// Before others, about these, who could not be asked about yet.
    pub(super) fn ask_first(&mut self, streamers: impl IntoIterator<Item = StreamerId>) {
        for streamer in streamers {
            // They may have another number now.
            self.left_out.remove(&streamer);
            self.fresh.insert(streamer);
        }
    }

    /// Once an answer will count: after a change Kick's API needs to settle, after a contradiction the next answer
    /// must be independent.
    pub(super) fn verify(&mut self, streamers: BTreeMap<StreamerId, bool>) {
        let now = Instant::now();
        for (streamer, has_changed) in streamers {
            let wait = if has_changed { SETTLING } else { CONFIRM_AFTER };
            self.doubts.entry(streamer).or_insert(now + wait + MARGIN);
        }
    }

    fn next_at(&self, is_anyone_known: bool) -> Option<Instant> {
        let is_waiting = [&self.fresh, &self.soon].iter().any(|set| !set.is_empty())
            || !self.left.is_empty()
            || !self.again.is_empty();
        if is_waiting {
            return Some(Instant::now());
        }
        let everyone = self.everyone_at.filter(|_| is_anyone_known);
        self.doubts.values().copied().chain(everyone).min()
    }

    fn due_doubts(&mut self, now: Instant) -> Vec<StreamerId> {
        let due = self.doubts.extract_if(.., |_, at| *at <= now);
        due.map(|(id, _)| id).collect()
    }

    /// Those who are to be asked about soon.
    fn take_soon(&mut self) -> Vec<StreamerId> {
        let mut taken = Vec::new();
        while taken.len() < MOST_USERS
            && let Some(id) = self.fresh.pop_first().or_else(|| self.soon.pop_first())
        {
            if !self.left_out.contains_key(&id) {
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
        self.left_out.retain(|_, until| now < *until);
        everyone.retain(|id| !self.left_out.contains_key(id));
        everyone.sort_unstable();
        self.everyone_at = Some(now + interval);
        self.sweeps += 1;
        if !everyone.is_empty() {
            // Each time in another company: two answers about somebody are then independent.
            let shift = self.sweeps.wrapping_mul(17) % everyone.len();
            everyone.rotate_left(shift);
        }
        self.left = everyone.into();
        self.again.clear();
        self.fresh.clear();
        self.soon.clear();
        self.is_sweeping = true;
    }

    fn is_sweep_due(&self, now: Instant) -> bool {
        self.left.is_empty() && self.everyone_at.is_some_and(|at| at <= now)
    }

    /// Whether the sweep is over with this.
    fn is_finished(&mut self) -> bool {
        let is_finished = self.is_sweeping && self.left.is_empty() && self.again.is_empty();
        self.is_sweeping &= !is_finished;
        is_finished
    }

    /// Whether it is what was asked that Kick does not like, rather than that it was asked.
    fn is_spoilt(&self, error: &Unfinished) -> bool {
        matches!(error, Unfinished::Kick(RemoteError::Status { status: 400 | 404 | 414 | 422, .. }))
            && self.refused_in_a_row < MOST_REFUSALS
    }

    /// A question failed. Returns whether others can be asked at once.
    fn put_off(&mut self, question: Question, error: &Unfinished) -> bool {
        let spoils = self.is_spoilt(error);
        self.refused_in_a_row += 1;
        match question {
            // The next sweep gives a second answer, too.
            Question::Doubts(_) if spoils => {}
            Question::Doubts(about) => self.verify(about.into_iter().map(|id| (id, false)).collect()),
            Question::Live(mut about) if spoils && about.len() > 1 => {
                let others = about.split_off(about.len() / 2);
                self.again.extend([about, others]);
            }
            Question::Live(about) if spoils => {
                let until = Instant::now() + LEFT_OUT;
                self.left_out.extend(about.into_iter().map(|id| (id, until)));
            }
            Question::Live(about) => self.again.push_back(about),
        }
        spoils
    }
}

/// Why a round of questions was not finished.
#[derive(Debug)]
enum Unfinished {
    Kick(RemoteError),
    Store(StoreError),
}

impl std::fmt::Display for Unfinished {
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
    pub(super) async fn sweep(&self) -> ! {
        self.agenda().everyone_at = Some(Instant::now());
        let mut said = None;
        loop {
            // Before the first look into the store nobody is known, and a sweep would be about nobody.
            let is_anyone_known = self.roster().len() > 0;
            let next = self.agenda().next_at(is_anyone_known);
            tokio::select! {
                () = async { match next { Some(at) => sleep_until(at).await, None => std::future::pending().await } } => {}
                () = self.asked.notified() => {}
            }
            sleep(COLLECT).await;
            while let Some(question) = self.question() {
                let asked = match &question {
                    Question::Live(about) => self.ask_who_is_live(about).await,
                    Question::Doubts(about) => self.settle_doubts(about).await,
                };
                match asked {
                    Ok(()) => self.agenda().refused_in_a_row = 0,
                    Err(error) => {
                        let wait = self.unanswered(question, &error, &mut said);
                        sleep(wait).await;
                    }
                }
                if self.agenda().is_finished() {
                    metrics::counter!("streamward_kick_sweeps_total").increment(1);
                    let at = self.app.now();
                    self.set_status(|status| (status.last_sweep_at, status.sweep_error) = (Some(at), None));
                }
            }
        }
    }

    /// What is to be asked now: of each kind in turn.
    fn question(&self) -> Option<Question> {
        let now = Instant::now();
        if self.agenda().is_sweep_due(now) {
            let everyone: Vec<StreamerId> = {
                let roster = self.roster();
                roster.rows().filter(|(_, row)| row.ids.user.is_some()).map(|(id, _)| id).collect()
            };
            if self.roster().len() > 0 {
                self.agenda().begin(everyone, now, self.app.settings().streamers.sweep_interval);
            }
        }
        for _ in 0..3 {
            let turn = {
                let mut agenda = self.agenda();
                agenda.turn = (agenda.turn + 1) % 3;
                agenda.turn
            };
            let question = match turn {
                0 => Question::Doubts(self.take_doubts(now)),
                1 => Question::Live(self.agenda().take_soon()),
                _ => Question::Live(self.agenda().take_left()),
            };
            let (Question::Live(about) | Question::Doubts(about)) = &question;
            if !about.is_empty() {
                return Some(question);
            }
        }
        None
    }

    /// Those whose doubts one question can settle: few if they may be live.
    fn take_doubts(&self, now: Instant) -> Vec<StreamerId> {
        let due = self.agenda().due_doubts(now);
        let (may_be_live, mut others): (Vec<StreamerId>, Vec<StreamerId>) = {
            let roster = self.roster();
            let is_online = |id: &StreamerId| roster.row(*id).is_some_and(|row| row.status == Status::Online);
            due.into_iter().partition(is_online)
        };
        let (mut taken, most) = if may_be_live.is_empty() {
            (std::mem::take(&mut others), MOST_USERS)
        } else {
            (may_be_live, FEW)
        };
        others.extend(taken.split_off(taken.len().min(most)));
        self.agenda().doubts.extend(others.into_iter().map(|id| (id, now)));
        taken
    }

    /// Sees to a question that failed. Returns how long not to ask.
    fn unanswered(&self, question: Question, error: &Unfinished, said: &mut Option<Instant>) -> Duration {
        metrics::counter!("streamward_kick_sweep_failures_total").increment(1);
        let about = match &question {
            Question::Live(about) | Question::Doubts(about) => self.with_users(about),
        };
        let is_spoilt = self.agenda().is_spoilt(error);
        if let ([(_, user)], Question::Live(_), true) = (about.as_slice(), &question, is_spoilt) {
            tracing::warn!(%error, %user, "Kick refuses to be asked about a user; it is tried again in an hour");
        } else if said.is_none_or(|at| at.elapsed() >= SAY_EVERY) {
            *said = Some(Instant::now());
            tracing::warn!(%error, "Kick could not be asked who is live; it is tried again");
        } else {
            tracing::debug!(%error, "Kick could not be asked who is live; it is tried again");
        }
        // What the database says is for the log: it may name hosts and users.
        let shown = match error {
            Unfinished::Kick(_) => error.to_string(),
            Unfinished::Store(_) => "the answers could not be written down".to_owned(),
        };
        self.set_status(|status| status.sweep_error = Some(shown));
        if self.agenda().put_off(question, error) {
            return Duration::ZERO;
        }
        match error {
            // Only a person can mend that.
            Unfinished::Kick(RemoteError::Unsupported(_) | RemoteError::Unauthorised) => {
                self.app.settings().streamers.sweep_interval.max(PAUSE)
            }
            _ => PAUSE,
        }
    }

    fn with_users(&self, of: &[StreamerId]) -> Asked {
        let roster = self.roster();
        of.iter().filter_map(|id| Some((*id, roster.row(*id)?.ids.user?))).collect()
    }

    /// Asks for the list of those who are live. Who is missing from it may still be live.
    async fn ask_who_is_live(&self, about: &[StreamerId]) -> Result<(), Unfinished> {
        let whom = self.with_users(about);
        if whom.is_empty() {
            return Ok(());
        }
        let users: Vec<UserId> = whom.iter().map(|(_, user)| *user).collect();
        let at = self.app.now();
        let live = self.kick.live_among(&users).await.map_err(Unfinished::Kick)?;
        let live: HashMap<UserId, KickLive> = live.into_iter().map(|one| (one.user, one)).collect();
        let said = whom.iter().filter_map(|(id, user)| {
            let session = live.get(user).map(|one| one.session.clone());
            self.report(*id, at, session.map_or(Said::NotLive, Said::Live))
        });
        self.record(&said.collect::<Vec<_>>()).await.map_err(Unfinished::Store)?;
        let learned = whom.iter().filter_map(|(id, user)| {
            let one = live.get(user)?;
            self.learned(*id, KickIds { channel: one.channel, ..KickIds::default() }, one.slug.as_ref())
        });
        self.learn(&learned.collect::<Vec<_>>()).await.map_err(Unfinished::Store)
    }

    /// Asks the other endpoint.
    async fn settle_doubts(&self, doubts: &[StreamerId]) -> Result<(), Unfinished> {
        let whom = self.with_users(doubts);
        if whom.is_empty() {
            return Ok(());
        }
        let users: Vec<UserId> = whom.iter().map(|(_, user)| *user).collect();
        let at = self.app.now();
        let channels = self.kick.channels(&users).await.map_err(Unfinished::Kick)?;
        let channels: HashMap<UserId, KickChannel> =
            channels.into_iter().map(|one| (one.user, one)).collect();
        let said = whom.iter().filter_map(|(id, user)| {
            let said = channels.get(user)?.live.clone().map_or(Said::NotLive, Said::Live);
            self.report(*id, at, said)
        });
        self.record(&said.collect::<Vec<_>>()).await.map_err(Unfinished::Store)?;
        let learned = whom
            .iter()
            .filter_map(|(id, user)| self.learned(*id, KickIds::default(), Some(&channels.get(user)?.slug)));
        self.learn(&learned.collect::<Vec<_>>()).await.map_err(Unfinished::Store)
    }

    /// An answer as a report, unless it only says what is known.
    pub(super) fn report(&self, streamer: StreamerId, at: Timestamp, said: Said) -> Option<Report> {
        let roster = self.roster();
        let row = roster.row(streamer)?;
        if said == Said::NotLive && row.status == Status::Offline && !row.in_doubt {
            return None;
        }
        Some(Report { streamer, source: Source::Poll, at, said })
    }

    /// What an answer teaches, unless it is known.
    pub(super) fn learned(&self, streamer: StreamerId, ids: KickIds, slug: Option<&Slug>) -> Option<Learned> {
        let roster = self.roster();
        let row = roster.row(streamer)?;
        let renamed = slug.filter(|slug| !slug.is(&row.username)).cloned();
        if row.ids.updated(ids) == row.ids && renamed.is_none() {
            return None;
        }
        Some(Learned { streamer, found: Found::Ids { ids, renamed } })
    }
}
