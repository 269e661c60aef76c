//! The ledger of downtime. Uptime comes from its intervals, never from counters, so that it is true across crashes.
//!
//! Downtimes neither overlap nor leave their session. What was not seen, because Streamward or the machine was off, counts
//! as downtime unless OBS proves that it streamed.

use std::time::Duration;

use super::downtime::{Cause, Downtime, StreamSession, Uptime};
use super::moment::Moment;
use crate::domain::Timestamp;

/// What is known of the picture that the platform has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnAir {
    /// The studio is not to be on air.
    Off,
    /// Nothing is known yet.
    Unknown,
    /// It is good.
    Good {
        /// Since when that is proven. It can be long ago.
        since: Timestamp,
    },
    /// There is none, or it is not good.
    Bad {
        /// Why.
        cause: Cause,
        /// The first bad moment. It can be seconds ago.
        since: Timestamp,
    },
}

/// What changed, to be stored and announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LedgerChange {
    /// A session began.
    SessionBegan(StreamSession),
    /// A session ended.
    SessionEnded(StreamSession),
    /// A downtime began.
    DowntimeBegan(Downtime),
    /// A downtime ended.
    DowntimeEnded(Downtime),
    /// There was no downtime: OBS proved that it streamed.
    DowntimeWithdrawn(Downtime),
}

/// Sessions and downtimes of a studio, oldest first. Only the last ones can be open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    sessions: Vec<StreamSession>,
    downtimes: Vec<Downtime>,
    /// The last update: the time of the ledger, which never goes back, and of the clock that nobody sets.
    last: Option<(Timestamp, Duration)>,
    /// Since when nothing is known.
    unknown_since: Option<Timestamp>,
}

impl Ledger {
    /// The ledger as it was stored. `heartbeat` is the last one that was stored with it.
    pub fn restored(
        sessions: Vec<StreamSession>,
        downtimes: Vec<Downtime>,
        heartbeat: Option<Timestamp>,
    ) -> Self {
        let is_open = sessions.last().is_some_and(|session| session.ended_at.is_none());
        let latest = downtimes.last().map(|last| last.ended_at.unwrap_or(last.started_at));
        let begun = sessions.last().map(|session| session.ended_at.unwrap_or(session.started_at));
        let heartbeat = heartbeat.max(latest).max(begun);
        let unknown_since = heartbeat.filter(|_| is_open);
        // The clock that nobody sets began anew.
        let last = heartbeat.map(|at| (at, Duration::ZERO));
        Self { sessions, downtimes, last, unknown_since }
    }

    /// Up to when everything is known. Stored every second, it tells after a restart what was not seen.
    pub fn heartbeat(&self) -> Option<Timestamp> {
        self.unknown_since.or(self.last.map(|(at, _)| at))
    }

    /// All sessions, oldest first.
    pub fn sessions(&self) -> &[StreamSession] {
        &self.sessions
    }

    /// The session that lasts.
    pub fn session(&self) -> Option<StreamSession> {
        self.sessions.last().copied().filter(|session| session.ended_at.is_none())
    }

    /// The downtime that lasts.
    pub fn downtime(&self) -> Option<Downtime> {
        self.downtimes.last().copied().filter(|downtime| downtime.ended_at.is_none())
    }

    /// Takes what is known now.
    pub fn update(&mut self, now: Moment, on_air: OnAir) -> Vec<LedgerChange> {
        let before = self.last.map(|(at, _)| at);
        let at = self.advance(now);
        let mut changes = Vec::new();
        match (on_air, self.session()) {
            (OnAir::Off, Some(session)) => self.end(at, session, &mut changes),
            (OnAir::Good { .. }, None) => {
                let session = StreamSession { started_at: at, ended_at: None };
                self.sessions.push(session);
                changes.push(LedgerChange::SessionBegan(session));
            }
            (OnAir::Good { since }, Some(_)) => self.good(at, since, &mut changes),
            (OnAir::Bad { cause, since }, Some(session)) => {
                self.bad(at, cause, since.max(session.started_at).min(at), &mut changes);
            }
            (OnAir::Unknown, Some(_)) => {
                self.unknown_since = self.unknown_since.or(before);
            }
            (_, None) => {}
        }
        changes
    }

    /// The time of the ledger. If the wall clock was set back, the other clock counts.
    fn advance(&mut self, now: Moment) -> Timestamp {
        let at = self.last.map_or(now.at, |(last, elapsed)| {
            if now.at >= last { now.at } else { last.plus(now.elapsed.saturating_sub(elapsed)) }
        });
        self.last = Some((at, now.elapsed));
        at
    }

    fn end(&mut self, at: Timestamp, session: StreamSession, changes: &mut Vec<LedgerChange>) {
        if let Some(since) = self.unknown_since.take()
            && self.downtime().is_none()
        {
            self.open(Cause::ConnectionLost, since, changes);
        }
        self.close(at, changes);
        let session = StreamSession { ended_at: Some(at), ..session };
        if let Some(last) = self.sessions.last_mut() {
            *last = session;
        }
        changes.push(LedgerChange::SessionEnded(session));
    }

    fn good(&mut self, at: Timestamp, since: Timestamp, changes: &mut Vec<LedgerChange>) {
        let unknown_since = self.unknown_since.take();
        match (self.downtime(), unknown_since) {
            (Some(open), Some(unknown)) if since <= unknown => {
                // The stream went on through what was not seen. Only OBS was out of sight, or else it is good from now on.
                let was_good = open.cause == Cause::ObsCrash && since <= open.started_at;
                self.close(if was_good { open.started_at } else { at }, changes);
            }
            (Some(_), _) => {
                self.close(since.min(at), changes);
            }
            (None, Some(unknown)) if since > unknown => {
                self.open(Cause::ConnectionLost, unknown, changes);
                self.close(since.min(at), changes);
            }
            (None, _) => {}
        }
    }

    fn bad(&mut self, at: Timestamp, cause: Cause, since: Timestamp, changes: &mut Vec<LedgerChange>) {
        let since = self.unknown_since.take().map_or(since, |unknown| unknown.min(since));
        match self.downtime() {
            Some(open) if open.cause == cause => {}
            Some(_) => {
                // It is bad throughout: the new cause takes over where the former one ends.
                let end = self.close(since.min(at), changes);
                self.open(cause, end, changes);
            }
            None => self.open(cause, since, changes),
        }
    }

    fn open(&mut self, cause: Cause, since: Timestamp, changes: &mut Vec<LedgerChange>) {
        let last = self.downtimes.last().and_then(|last| last.ended_at);
        let downtime = Downtime { started_at: since.max(last.unwrap_or(since)), ended_at: None, cause };
        self.downtimes.push(downtime);
        changes.push(LedgerChange::DowntimeBegan(downtime));
    }

    /// Closes what is open, and says when it ended. What has no length is withdrawn.
    fn close(&mut self, end: Timestamp, changes: &mut Vec<LedgerChange>) -> Timestamp {
        let Some(open) = self.downtimes.pop_if(|last| last.ended_at.is_none()) else { return end };
        if end <= open.started_at {
            changes.push(LedgerChange::DowntimeWithdrawn(open));
            return open.started_at;
        }
        let closed = Downtime { ended_at: Some(end), ..open };
        self.downtimes.push(closed);
        changes.push(LedgerChange::DowntimeEnded(closed));
        end
    }

    /// Forgets what ended before `at`.
    pub fn forget_before(&mut self, at: Timestamp) {
        self.sessions.retain(|session| session.ended_at.is_none_or(|end| end >= at));
        self.downtimes.retain(|downtime| downtime.ended_at.is_none_or(|end| end >= at));
    }

    /// The uptime of the last `period`. What lasts counts to now, and so does what is not known.
    pub fn uptime(&self, now: Timestamp, period: Duration) -> Uptime {
        let to = self.last.map_or(now, |(at, _)| at.max(now));
        let from = to.minus(period);
        let clip = |start: Timestamp, end: Option<Timestamp>| {
            let (start, end) = (start.max(from), end.unwrap_or(to).min(to));
            (start < end).then_some((start, end))
        };
        let sessions = self.sessions.iter().filter_map(|one| clip(one.started_at, one.ended_at)).collect();
        let unknown = self.unknown_since.filter(|_| self.downtime().is_none());
        let unknown = unknown.map(|started_at| {
            let cause = Cause::ConnectionLost;
            Downtime { started_at, ended_at: None, cause }
        });
        let all = || self.downtimes.iter().copied().chain(unknown);
        let downtimes = all().filter_map(|one| clip(one.started_at, one.ended_at)).collect();
        let events = all().filter_map(|one| {
            let (started_at, end) = clip(one.started_at, one.ended_at)?;
            Some(Downtime { started_at, ended_at: one.ended_at.map(|_| end), ..one })
        });
        Uptime::of(period, length(sessions), length(downtimes), events.collect())
    }
}

/// The length of these intervals, each moment once.
fn length(mut intervals: Vec<(Timestamp, Timestamp)>) -> Duration {
    intervals.sort_unstable();
    let mut total = Duration::ZERO;
    let mut covered = Timestamp::from_micros(i64::MIN);
    for (from, to) in intervals {
        total += to.since(from.max(covered));
        covered = covered.max(to);
    }
    total
}

#[cfg(test)]
mod tests;
