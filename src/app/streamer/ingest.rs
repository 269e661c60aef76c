//! From the feed into the store: edges are written in the order in which they came, as many at once as have come, and
//! none is given up while the database is away.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::sleep;

use super::watcher::Watch;
use crate::domain::streamer::decide::Report;
use crate::ports::{FeedSignal, StatusUpdate, StoreError, Subject};

/// How many signals are taken at once: enough to be quick, few enough for a short transaction.
const BATCH: usize = 500;
/// How long to wait after the first failure of the store, and after many.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// The way of the feed's signals into the store.
pub(super) struct Ingest<'a> {
    watch: &'a Arc<Watch>,
    incoming: mpsc::Receiver<FeedSignal>,
}

impl<'a> Ingest<'a> {
    pub(super) fn new(watch: &'a Arc<Watch>, incoming: mpsc::Receiver<FeedSignal>) -> Self {
        Self { watch, incoming }
    }

    /// Takes what comes until the feed is gone and everything it told is written down.
    pub(super) async fn run(mut self) {
        let mut batch = Vec::with_capacity(BATCH);
        while self.incoming.recv_many(&mut batch, BATCH).await > 0 {
            let mut reports = Vec::new();
            for signal in batch.drain(..) {
                match signal {
                    FeedSignal::Update(update) => reports.extend(self.reports(&update)),
                    FeedSignal::Subscribed(subjects) => self.close_gap(&subjects),
                    FeedSignal::Status(status) => self.watch.set_feed_status(status),
                }
            }
            let waiting = self.waiting();
            if reports.is_empty() {
                continue;
            }
            let last = reports.last().map(|report| report.at);
            self.watch.set_status(|status| (status.last_report_at, status.queued) = (last, waiting));
            self.write(&reports).await;
        }
    }

    /// How many signals wait; shown to monitors.
    fn waiting(&self) -> u32 {
        let waiting = u32::try_from(self.incoming.len()).unwrap_or(u32::MAX);
        metrics::gauge!("streamward_kick_queue").set(waiting);
        waiting
    }

    /// What an edge says of whom. Of nobody, if they were taken off the list meanwhile.
    fn reports(&self, update: &StatusUpdate) -> Vec<Report> {
        let watchlist = self.watch.watchlist();
        let of = watchlist.of(update.subject);
        if of.is_empty() {
            metrics::counter!("streamward_kick_reports_total", "source" => update.source.as_str(), "outcome" => "not_watched")
                .increment(1);
        }
        of.iter()
            .map(|streamer| Report {
                streamer: *streamer,
                source: update.source,
                at: update.received_at,
                reported: update.reported.clone(),
            })
            .collect()
    }

    /// Nobody told what happened before the subscription: Kick is asked.
    fn close_gap(&self, subjects: &[Subject]) {
        let of: Vec<_> = {
            let watchlist = self.watch.watchlist();
            subjects.iter().flat_map(|subject| watchlist.of(*subject).iter().copied()).collect()
        };
        self.watch.queue().add(of);
        self.watch.poll_wanted.notify_one();
    }

    /// Writes reports down, however long the database is away. What comes meanwhile waits its turn.
    async fn write(&self, reports: &[Report]) {
        let (mut wait, mut told) = (BACKOFF.0, false);
        loop {
            match self.watch.record(reports).await {
                Ok(_) => break,
                Err(StoreError::Unavailable(error)) => {
                    if !told {
                        tracing::warn!(%error, "the database is away: reports of streamers wait");
                        told = true;
                    }
                    self.waiting();
                    sleep(wait).await;
                    wait = (wait * 2).min(BACKOFF.1);
                }
                Err(error) => return self.write_singly(reports, &error).await,
            }
        }
        if told {
            tracing::info!("the database is back: reports of streamers are written down");
        }
        let now = self.watch.app.now();
        for report in reports {
            metrics::histogram!("streamward_kick_report_seconds").record(now.since(report.at).as_secs_f64());
        }
    }

    /// One of them cannot be written at all. The others must not suffer for it.
    async fn write_singly(&self, reports: &[Report], error: &StoreError) {
        if let [report] = reports {
            metrics::counter!("streamward_kick_reports_total", "source" => report.source.as_str(), "outcome" => "failed")
                .increment(1);
            tracing::error!(%error, streamer = %report.streamer, "a report of a streamer cannot be written down");
            return;
        }
        for report in reports {
            Box::pin(self.write(std::slice::from_ref(report))).await;
        }
    }
}
