//! Streamers to test with, and reports about them.

use std::time::Duration;
use streamward::domain::access::Scope;

use streamward::adapters::system::SystemIds;
use streamward::domain::event::{EventBody, StoredEvent, StreamerEvent};
use streamward::domain::page::Page;
use streamward::domain::streamer::decide::{Outcome, Report, ReportedStatus};
use streamward::domain::streamer::{Session, Slug, Source, Status, StatusEvent, Streamer};
use streamward::domain::{StreamerId, Timestamp};
use streamward::ports::{IdGen as _, Recorded, StreamerFilter, Written};

use crate::fixture::{World, at, audit, by};

/// Offline is announced at once.
pub(crate) const AT_ONCE: Duration = Duration::ZERO;
/// Offline is announced after this time.
pub(crate) const FLAP: Duration = Duration::from_secs(60);

pub(crate) fn slug(name: &str) -> Slug {
    Slug::parse(name).unwrap()
}

pub(crate) fn streamer(name: &str, when: Timestamp) -> Streamer {
    Streamer::new(StreamerId(SystemIds.uuid()), &slug(name), when)
}

pub(crate) fn session(id: u64) -> Session {
    let title = Some(format!("Session {id}: \"ä\" \\ {{}} 'x'"));
    Session { id: Some(id.to_string()), title, ..Session::default() }
}

pub(crate) fn report(streamer: StreamerId, reported: ReportedStatus, when: Timestamp) -> Report {
    Report { streamer, source: Source::Centrifugo, at: when, reported }
}

pub(crate) fn started(streamer: &Streamer, number: u64, when: Timestamp) -> Report {
    report(streamer.id, ReportedStatus::Started(session(number)), when)
}

pub(crate) fn stopped(streamer: &Streamer, number: u64, when: Timestamp) -> Report {
    report(streamer.id, ReportedStatus::Stopped { session: session(number), banned: false }, when)
}

/// The streamer event in a row of the log.
pub(crate) fn streamer_event(stored: &StoredEvent) -> StreamerEvent {
    match stored.decode().unwrap().body {
        EventBody::Streamer(event) => *event,
        other => panic!("{other:?} is not about a streamer"),
    }
}

impl World {
    /// A stored streamer.
    pub(crate) async fn streamer(&self, name: &str) -> Streamer {
        let one = streamer(name, at(0));
        let created = self.store.create_streamer(&one, by(&audit("create", at(0)))).await.unwrap();
        assert_eq!(created, Written::Done(()));
        one
    }

    /// The streamer as stored.
    pub(crate) async fn now(&self, streamer: &Streamer) -> Streamer {
        self.store.streamer(&Scope::system(), streamer.id).await.unwrap().expect("the streamer is stored")
    }

    pub(crate) async fn record(&self, reports: &[Report], flap: Duration, when: Timestamp) -> Vec<Recorded> {
        self.store.record_reports(reports, flap, when).await.unwrap()
    }

    /// The result of one report that is announced at once and recorded when it is made.
    pub(crate) async fn record_one(&self, report: Report) -> Outcome {
        let when = report.at;
        let recorded = self.record(&[report], AT_ONCE, when).await.pop().expect("one for each report");
        recorded.outcome.expect("the streamer is watched")
    }

    /// All changes of the streamer's status, newest first.
    pub(crate) async fn history(&self, streamer: &Streamer) -> Vec<StatusEvent> {
        self.store
            .status_events(&Scope::system(), streamer.id, None, 10_000)
            .await
            .unwrap()
            .expect("the streamer is stored")
    }

    /// The whole event log.
    pub(crate) async fn log(&self) -> Vec<StoredEvent> {
        self.events().await;
        self.store.events_after(&Scope::system(), None, 0, 100_000).await.unwrap()
    }

    /// The kinds of a streamer's events in the log.
    pub(crate) async fn logged(&self, streamer: &Streamer) -> Vec<&'static str> {
        let all = self.events().await;
        all.into_iter().filter(|(_, subject)| *subject == streamer.id.0).map(|(kind, _)| kind).collect()
    }

    /// All names in list order.
    pub(crate) async fn names(&self, filter: &StreamerFilter) -> Vec<String> {
        let all = self.store.streamers(&Scope::system(), filter, &Page::default()).await.unwrap();
        all.into_iter().map(|streamer| streamer.username).collect()
    }

    /// Always true: the history leads to the status, and the log has each change under the same number.
    pub(crate) async fn agree(&self) {
        let log = self.store.events_after(&Scope::system(), None, 0, 100_000).await.unwrap();
        for streamer in self
            .store
            .streamers(&Scope::system(), &StreamerFilter::default(), &Page::default())
            .await
            .unwrap()
        {
            let mut history = self.history(&streamer).await;
            history.reverse();
            let last = history.last().map(|event| event.change.new_status);
            let status = streamer.track.status;
            // A new name from the owner clears the status.
            assert!(status == Status::Unknown || Some(status) == last, "{streamer:?} {history:?}");
            for pair in history.windows(2) {
                let (before, after) = (pair[0].change.new_status, pair[1].change.previous_status);
                assert!(after == before || after == Status::Unknown, "{history:?}");
            }
            for event in history {
                let row = log.iter().find(|row| row.seq == event.seq).expect("the log has it");
                let logged = streamer_event(row);
                assert_eq!(logged.streamer.id, event.streamer_id);
                assert_eq!(logged.change, Some(event.change));
                assert_eq!(row.at, event.recorded_at);
            }
        }
    }
}
