//! The store of reports of streamers, and of what lookups find.

use std::time::Duration;

use async_trait::async_trait;

use super::Result;
use crate::domain::streamer::decide::{Announcement, Decision, Outcome, Report};
use crate::domain::streamer::{Change, Learned};
use crate::domain::{StreamerId, Timestamp};

/// The result of one report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// The streamer.
    pub streamer: StreamerId,
    /// The outcome; `None` if the streamer is deleted or not watched any more.
    pub outcome: Option<Outcome>,
    /// The status change, if any.
    pub change: Option<Change>,
    /// The event that was written.
    pub announcement: Option<Announcement>,
    /// Whether Kick's API should be requested soon to verify it.
    pub verify: bool,
}

impl Recorded {
    /// The result of a report on `streamer`, by its decision.
    pub fn new(streamer: StreamerId, decision: Option<Decision>) -> Self {
        let verify = decision.as_ref().is_some_and(|decision| decision.verify);
        let outcome = decision.as_ref().map(|decision| decision.outcome);
        let announcement = decision.as_ref().and_then(|decision| decision.announcement);
        Self {
            streamer,
            outcome,
            change: decision.and_then(|decision| decision.change),
            announcement,
            verify,
        }
    }
}

/// Streamers, as the watcher writes them.
#[async_trait]
pub trait ReportStore: Send + Sync {
    /// Records reports, in their order, by [`decide`](crate::domain::streamer::decide::decide) on what is stored.
    ///
    /// - MUST write status, history and event of a change in one transaction, and decide each report on the result
    ///   of the one before it.
    /// - MUST write nothing for a report that changes nothing.
    /// - MUST skip streamers that are deleted or not active.
    /// - MUST return one [`Recorded`] for each report, in order.
    async fn record_reports(
        &self,
        reports: &[Report],
        flap_window: Duration,
        now: Timestamp,
    ) -> Result<Vec<Recorded>>;

    /// MUST store numbers, names and problems that were found, and write `streamer.updated` for each row that this
    /// changes. A name that another row has MUST become a problem on this one.
    async fn learn(&self, learned: &[Learned], now: Timestamp) -> Result<()>;

    /// MUST write `streamer.offline` for each streamer whose [`offline_due`](crate::domain::streamer::Track) has come,
    /// once, and return how many.
    async fn announce_offline(&self, now: Timestamp) -> Result<u64>;
}
