//! Writes the feed's status updates to the store, in the order in which they arrived and in batches. None is lost while
//! the database is unreachable.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable as _};
use tokio::sync::mpsc;

use super::report_on;
use super::watch::Watch;
use crate::domain::streamer::decide::Report;
use crate::ports::{FeedSignal, StatusUpdate, StoreError, Subject};

/// The most signals in one batch, which is one transaction.
const BATCH: usize = 500;

/// Stores the feed's signals until the feed has ended and all its signals are stored.
pub(super) async fn run(watch: &Watch, mut incoming: mpsc::Receiver<FeedSignal>) {
    let mut batch = Vec::with_capacity(BATCH);
    while incoming.recv_many(&mut batch, BATCH).await > 0 {
        let mut reports = Vec::new();
        for signal in batch.drain(..) {
            match signal {
                FeedSignal::Update(update) => reports.extend(to_reports(watch, &update)),
                FeedSignal::Subscribed(subjects) => poll_soon(watch, &subjects),
                FeedSignal::Status(status) => watch.set_feed_status(status),
            }
        }
        let queued = show_queue(&incoming);
        if let Some(last) = reports.last() {
            watch.set_status(|status| (status.last_report_at, status.queued) = (Some(last.at), queued));
            write(watch, &reports, &incoming).await;
        }
    }
}

fn show_queue(incoming: &mpsc::Receiver<FeedSignal>) -> u32 {
    let queued = u32::try_from(incoming.len()).unwrap_or(u32::MAX);
    metrics::gauge!("streamward_kick_queue").set(queued);
    queued
}

/// One report for each row of the subject; none if it is no longer watched.
fn to_reports(watch: &Watch, update: &StatusUpdate) -> Vec<Report> {
    let watchlist = watch.watchlist();
    let streamers = watchlist.of(update.subject);
    if streamers.is_empty() {
        count(update.source.as_str(), "not_watched");
    }
    streamers.iter().map(|streamer| report_on(*streamer, update)).collect()
}

fn count(source: &'static str, outcome: &'static str) {
    metrics::counter!("streamward_kick_reports_total", "source" => source, "outcome" => outcome).increment(1);
}

/// The feed sends nothing that happened before a subscription, so Kick's API is polled.
fn poll_soon(watch: &Watch, subjects: &[Subject]) {
    let streamers: Vec<_> = {
        let watchlist = watch.watchlist();
        subjects.iter().flat_map(|subject| watchlist.of(*subject).iter().copied()).collect()
    };
    watch.queue().add(streamers);
    watch.poll_wanted.notify_one();
}

/// Stores reports, and retries while the database is unreachable. Later reports wait.
async fn write(watch: &Watch, reports: &[Report], incoming: &mpsc::Receiver<FeedSignal>) {
    let has_waited = AtomicBool::new(false);
    let backoff = ExponentialBuilder::new()
        .with_min_delay(Duration::from_millis(50))
        .with_max_delay(Duration::from_secs(1))
        .without_max_times();
    let written = (|| watch.record(reports))
        .retry(backoff)
        .when(|error| matches!(error, StoreError::Unavailable(_)))
        .notify(|error, _| {
            if !has_waited.swap(true, Ordering::Relaxed) {
                tracing::warn!(%error, "the database is unreachable; reports of streamers wait");
            }
            show_queue(incoming);
        })
        .await;
    match (written, reports) {
        (Ok(_), _) => {
            if has_waited.into_inner() {
                tracing::info!("the database is reachable again; the reports of streamers are stored");
            }
            let now = watch.app.now();
            for report in reports {
                let took = now.since(report.at).as_secs_f64();
                metrics::histogram!("streamward_kick_report_seconds").record(took);
            }
        }
        (Err(error), [report]) => {
            count(report.source.as_str(), "failed");
            tracing::error!(%error, streamer = %report.streamer, "a report of a streamer cannot be stored");
        }
        // One report cannot be stored; store the others one by one.
        (Err(_), _) => {
            for report in reports {
                Box::pin(write(watch, std::slice::from_ref(report), incoming)).await;
            }
        }
    }
}
