//! Decides how a report changes a streamer's known status.
//!
//! Reports come from several sources, late, twice, and in any order. So the decision uses the session and Kick's time,
//! never the order of arrival.

use std::time::Duration;

use strum::IntoStaticStr;

use super::session::{Relation, Session};
use super::status::{Change, Source, Status, Track};
use crate::domain::{StreamerId, Timestamp};

/// Kick's API lags behind its feed: an answer to a request within this time after a change is ignored.
pub const API_LAG: Duration = Duration::from_secs(30);
/// Two answers are independent if their requests are at least this far apart.
pub const CONFIRM_AFTER: Duration = Duration::from_secs(5);

/// By how much Kick's clock and ours may differ.
const CLOCKS_DIFFER: Duration = Duration::from_secs(10);

/// A report about a streamer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The streamer.
    pub streamer: StreamerId,
    /// The source.
    pub source: Source,
    /// When a status update arrived, or when the request of an answer was *sent*. Our clock.
    pub at: Timestamp,
    /// The reported status.
    pub reported: ReportedStatus,
}

/// The status in a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReportedStatus {
    /// This session began.
    Started(Session),
    /// This session ended.
    Stopped {
        /// The session, as far as known; with `ended_at` if Kick sent it.
        session: Session,
        /// Whether a ban ended it.
        banned: bool,
    },
    /// An answer: live at the moment, with this session.
    Live(Session),
    /// An answer: not live at the moment. One such answer is not enough.
    NotLive,
}

/// The kind of the event to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Announcement {
    /// The streamer went online.
    Online,
    /// The streamer went offline.
    Offline,
    /// Something else about the streamer changed, or it went offline or came back within the flap window.
    Updated,
}

/// The outcome of a report, for metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Outcome {
    /// The status changed.
    Changed,
    /// The session has more details; the status is the same.
    Refreshed,
    /// It repeats the known status.
    Duplicate,
    /// It is about an earlier session, or from before the last change.
    Stale,
    /// It contradicts the status; a second one is needed.
    Unconfirmed,
}

as_str!(Outcome);

/// The decision on a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The new known status; unchanged if there is nothing to store.
    pub track: Track,
    /// The change of status, for history.
    pub change: Option<Change>,
    /// The event to write; always one when the status changed.
    pub announcement: Option<Announcement>,
    /// The outcome of the report.
    pub outcome: Outcome,
    /// Whether it is uncertain, so that Kick's API should be polled soon.
    pub verify: bool,
}

/// Decides on a report. Going offline is announced once it has lasted for `flap_window`; zero announces it at
/// once.
pub fn decide(track: &Track, report: &Report, flap_window: Duration) -> Decision {
    let decider = Decider { track, report, flap_window };
    match &report.reported {
        ReportedStatus::Started(session) => decider.started(session),
        ReportedStatus::Stopped { session, banned } => decider.stopped(session, *banned),
        ReportedStatus::Live(session) => decider.live(session),
        ReportedStatus::NotLive => decider.not_live(),
    }
}

struct Decider<'a> {
    track: &'a Track,
    report: &'a Report,
    flap_window: Duration,
}

impl Decider<'_> {
    fn started(&self, session: &Session) -> Decision {
        let relation = self.relation(session);
        match (self.track.status, relation) {
            (_, Relation::Older) => self.unchanged(Outcome::Stale),
            (Status::Online, Relation::Newer) => self.replaced(session),
            (Status::Online, _) => self.with_details(session),
            // It has ended already: the report of its start is late.
            (Status::Offline, Relation::Same) => self.with_details(session),
            (Status::Offline, Relation::Unclear) => Decision { verify: true, ..self.online(session) },
            (Status::Offline, _) if self.overlaps(session) => {
                Decision { verify: true, ..self.online(session) }
            }
            (Status::Unknown | Status::Offline, _) => self.online(session),
        }
    }

    fn stopped(&self, session: &Session, banned: bool) -> Decision {
        match (self.track.status, self.relation(session)) {
            (_, Relation::Older) => self.unchanged(Outcome::Stale),
            (Status::Unknown, _) | (Status::Online, Relation::Newer) => self.offline(session.clone(), banned),
            (Status::Online, relation) => {
                let known = self.track.session.clone().unwrap_or_default();
                let verify = relation == Relation::Unclear;
                Decision { verify, ..self.offline(known.filled(session), banned) }
            }
            // The report of its start is missing. If it still arrives, it is late.
            (Status::Offline, Relation::Newer) => {
                let mut track = self.track.clone();
                end(&mut track, session.clone(), self.report.at);
                Decision { track, ..self.unchanged(Outcome::Refreshed) }
            }
            (Status::Offline, Relation::Same) => self.with_details(session),
            // In either case it has ended.
            (Status::Offline, _) => {
                let ended_watermark = self.track.ended_watermark.max(session.number());
                let track = Track { ended_watermark, ..self.track.clone() };
                Decision { track, ..self.unchanged(Outcome::Duplicate) }
            }
        }
    }

    fn live(&self, session: &Session) -> Decision {
        let relation = self.relation(session);
        match (self.track.status, relation) {
            (_, Relation::Older) => self.unchanged(Outcome::Stale),
            (Status::Unknown, _) => self.online(session),
            (Status::Offline, Relation::Newer) if !self.overlaps(session) => self.online(session),
            (Status::Online, Relation::Newer) => self.replaced(session),
            (Status::Online, _) => self.refreshed(session),
            (Status::Offline, _) => self.contradicted().unwrap_or_else(|| self.online(session)),
        }
    }

    fn not_live(&self) -> Decision {
        if self.track.status == Status::Offline {
            // The answer confirms the status.
            let track = Track { contradicted_at: None, ..self.track.clone() };
            return Decision { track, ..self.unchanged(Outcome::Duplicate) };
        }
        self.contradicted()
            .unwrap_or_else(|| self.offline(self.track.session.clone().unwrap_or_default(), false))
    }

    /// Whether `session` began well before the last one ended. Then it may be the same one with another start: Kick's
    /// feed sends the time of the record, its API the start of the stream.
    fn overlaps(&self, session: &Session) -> bool {
        self.track.session.as_ref().is_some_and(|known| {
            let are_known_apart = known.id.is_some() && session.id.is_some();
            let is_before_end = session
                .started_at
                .zip(known.ended_at)
                .is_some_and(|(began, end)| began.plus(CLOCKS_DIFFER) < end);
            !are_known_apart && is_before_end
        })
    }

    /// Compares `session` with the known one; newer if there is none.
    fn relation(&self, session: &Session) -> Relation {
        let relation = match &self.track.session {
            Some(known) => session.relation_to(known),
            None => Relation::Newer,
        };
        let is_over = match (session.number(), self.track.ended_watermark) {
            (Some(number), Some(watermark)) => number <= watermark,
            _ => false,
        };
        if is_over && relation != Relation::Same { Relation::Older } else { relation }
    }

    /// The decision on an answer that contradicts the status; `None` if it is the second one and counts.
    fn contradicted(&self) -> Option<Decision> {
        let sent = self.report.at;
        let lag_end = self.track.last_status_update.map(|changed| changed.plus(API_LAG));
        if lag_end.is_some_and(|lag_end| sent < lag_end) {
            return Some(self.unchanged(Outcome::Stale));
        }
        match self.track.contradicted_at {
            Some(first) if sent >= first.plus(CONFIRM_AFTER) => None,
            // Too soon. Another check may be needed.
            Some(_) => Some(Decision { verify: true, ..self.unchanged(Outcome::Unconfirmed) }),
            None => {
                let track = Track { contradicted_at: Some(sent), ..self.track.clone() };
                Some(Decision { track, verify: true, ..self.unchanged(Outcome::Unconfirmed) })
            }
        }
    }

    fn unchanged(&self, outcome: Outcome) -> Decision {
        Decision { track: self.track.clone(), change: None, announcement: None, outcome, verify: false }
    }

    /// Another report of the known session: it only fills in missing details.
    fn with_details(&self, session: &Session) -> Decision {
        let known = self.track.session.clone().unwrap_or_default();
        let mut filled = known.filled(session);
        if self.track.status == Status::Offline {
            // A viewer count of a session that has ended.
            filled.viewers = None;
        }
        if filled == known {
            return self.unchanged(Outcome::Duplicate);
        }
        let mut track = Track { session: Some(filled), ..self.track.clone() };
        if track.status == Status::Offline {
            raise_watermark(&mut track);
        }
        Decision { track, ..self.unchanged(Outcome::Refreshed) }
    }

    /// Still live, by the official API.
    fn refreshed(&self, session: &Session) -> Decision {
        let known = self.track.session.clone().unwrap_or_default();
        let now = known.refreshed(session);
        let is_announced = (&now.title, &now.category) != (&known.title, &known.category);
        let seen = self.track.last_seen_online.max(Some(self.report.at));
        let track =
            Track { session: Some(now), last_seen_online: seen, contradicted_at: None, ..self.track.clone() };
        let announcement = is_announced.then_some(Announcement::Updated);
        Decision { track, announcement, ..self.unchanged(Outcome::Refreshed) }
    }

    /// Live with a newer session: the end of the known one was missed. The status stays online.
    fn replaced(&self, session: &Session) -> Decision {
        let mut track = self.track.clone();
        raise_watermark(&mut track);
        track.session = Some(Session { ended_at: None, ..session.clone() });
        track.last_seen_online = track.last_seen_online.max(Some(self.report.at));
        track.contradicted_at = None;
        Decision { track, announcement: Some(Announcement::Updated), ..self.unchanged(Outcome::Refreshed) }
    }

    fn online(&self, session: &Session) -> Decision {
        let report = self.report;
        let mut track = self.track.clone();
        raise_watermark(&mut track);
        // The answer may be about the session that seemed to have ended.
        let known = track.session.take().filter(|known| session.relation_to(known) == Relation::Same);
        let has_resumed = known.is_some();
        let session = known.unwrap_or_default().refreshed(session);
        track.session = Some(Session { ended_at: None, ..session });
        track.status = Status::Online;
        track.last_seen_online = track.last_seen_online.max(Some(report.at));
        track.last_status_update = Some(report.at);
        track.contradicted_at = None;
        // The offline announcement is still due, so the break stays unannounced.
        let was_away_shortly = track.offline_due.take().is_some();
        let was_live_before_us = self.track.status == Status::Unknown && report.source == Source::Poll;
        let announcement =
            if was_away_shortly || was_live_before_us { Announcement::Updated } else { Announcement::Online };
        // It began long ago, but was offline in between.
        let occurred = track.session.as_ref().and_then(|session| session.started_at).filter(|_| !has_resumed);
        self.changed(track, occurred, announcement, false)
    }

    fn offline(&self, session: Session, banned: bool) -> Decision {
        let report = self.report;
        let mut track = self.track.clone();
        let was = track.status;
        if was == Status::Online {
            track.last_seen_online = track.last_seen_online.max(session.ended_at).max(Some(report.at));
        }
        let occurred = session.ended_at;
        raise_watermark(&mut track);
        end(&mut track, session, report.at);
        track.status = Status::Offline;
        track.last_status_update = Some(report.at);
        track.contradicted_at = None;
        let announcement = match was {
            Status::Online if self.flap_window.is_zero() => Announcement::Offline,
            Status::Online => {
                track.offline_due = Some(report.at.plus(self.flap_window));
                Announcement::Updated
            }
            Status::Unknown | Status::Offline => Announcement::Updated,
        };
        self.changed(track, occurred, announcement, banned)
    }

    fn changed(
        &self,
        track: Track,
        occurred: Option<Timestamp>,
        announcement: Announcement,
        banned: bool,
    ) -> Decision {
        let report = self.report;
        let change = Change {
            previous_status: self.track.status,
            new_status: track.status,
            occurred_at: occurred.unwrap_or(report.at),
            received_at: report.at,
            source: report.source,
            session: track.session.clone(),
            banned,
        };
        let (change, announcement) = (Some(change), Some(announcement));
        Decision { track, change, announcement, outcome: Outcome::Changed, verify: false }
    }
}

/// Records `session`, which has ended, as the last known one.
fn end(track: &mut Track, session: Session, at: Timestamp) {
    let ended_at = session.ended_at.or(Some(at));
    let is_known = session.id.is_some() || session.started_at.is_some();
    track.session = is_known.then_some(Session { ended_at, viewers: None, ..session });
    raise_watermark(track);
}

/// The known session has ended: later reports about it or an earlier one are late.
fn raise_watermark(track: &mut Track) {
    let number = track.session.as_ref().and_then(Session::number);
    track.ended_watermark = track.ended_watermark.max(number);
}
