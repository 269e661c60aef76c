//! Polls Kick's API: streamers whose status updates may have been missed, contradicted statuses, and regularly everyone
//! (the full poll).

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use super::poll_queue::{PollError, PollRequest};
use super::watch::Watch;
use crate::domain::streamer::decide::{Report, ReportedStatus};
use crate::domain::streamer::{Found, KickIds, Learned, Session, Slug, Source, Status, UserId};
use crate::domain::{LogThrottle, StreamerId, Timestamp};
use crate::ports::RemoteError;

/// How long streamers are collected before a request.
const COLLECT: Duration = Duration::from_millis(200);
/// The pause after Kick did not answer.
const ERROR_RETRY: Duration = Duration::from_secs(5);

/// Kick's answer about a user.
type Answer = (Option<Session>, KickIds, Option<Slug>);

impl Watch {
    /// Sends requests whenever the queue has some.
    pub(super) async fn poll(&self) -> ! {
        self.queue().full_poll_at = Some(Instant::now());
        let throttle = LogThrottle::default();
        loop {
            let next = self.queue().next_at(&self.watchlist());
            tokio::select! {
                () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {}
                () = self.poll_wanted.notified() => {}
            }
            sleep(COLLECT).await;
            while let Some(request) = self.next_request() {
                match self.send(&request).await {
                    Ok(()) => self.queue().succeeded(),
                    Err(error) => sleep(self.failed(request, &error, &throttle)).await,
                }
                if self.queue().is_full_poll_done() {
                    metrics::counter!("streamward_kick_full_polls_total").increment(1);
                    let at = self.app.now();
                    self.set_status(|status| {
                        (status.last_full_poll_at, status.poll_error) = (Some(at), None);
                    });
                }
            }
        }
    }

    fn next_request(&self) -> Option<PollRequest> {
        self.queue().next(&self.watchlist(), self.app.settings.full_poll_interval)
    }

    /// Logs and shows a failure. Returns how long to pause.
    fn failed(&self, request: PollRequest, error: &PollError, throttle: &LogThrottle<()>) -> Duration {
        metrics::counter!("streamward_kick_poll_failures_total").increment(1);
        let is_refusal = self.queue().is_refusal(error);
        let users = self.with_users(request.about());
        if let ([(_, user)], PollRequest::Live(_), true) = (users.as_slice(), &request, is_refusal) {
            tracing::warn!(%error, %user, "Kick refuses requests about this user; trying again in an hour");
        } else if let Some(suppressed) = throttle.allow((), self.app.now()) {
            tracing::warn!(%error, suppressed, "Kick could not be polled; trying again");
        }
        // The database's message may name hosts and users, so it is only logged.
        let shown = match error {
            PollError::Kick(_) => error.to_string(),
            PollError::Store(_) => "the answers could not be stored".to_owned(),
        };
        self.set_status(|status| status.poll_error = Some(shown));
        self.queue().put_back(request, is_refusal);
        match error {
            _ if is_refusal => Duration::ZERO,
            // Only a person can fix that.
            PollError::Kick(RemoteError::Unsupported(_) | RemoteError::Unauthorised) => {
                self.app.settings.full_poll_interval.max(ERROR_RETRY)
            }
            _ => ERROR_RETRY,
        }
    }

    fn with_users(&self, streamers: &[StreamerId]) -> Vec<(StreamerId, UserId)> {
        let watchlist = self.watchlist();
        streamers.iter().filter_map(|id| Some((*id, watchlist.row(*id)?.ids.user?))).collect()
    }

    async fn send(&self, request: &PollRequest) -> Result<(), PollError> {
        let about = self.with_users(request.about());
        if about.is_empty() {
            return Ok(());
        }
        let users: Vec<UserId> = about.iter().map(|(_, user)| *user).collect();
        let at = self.app.now();
        let answers: HashMap<UserId, Answer> = match request {
            PollRequest::Live(_) => {
                let live = self.kick.live_among(&users).await?.into_iter();
                let ids = |channel| KickIds { channel, ..KickIds::default() };
                live.map(|one| (one.user, (Some(one.session), ids(one.channel), one.slug))).collect()
            }
            PollRequest::Confirm(_) => {
                let channels = self.kick.channels(&users).await?.into_iter();
                channels.map(|one| (one.user, (one.live, KickIds::default(), Some(one.slug)))).collect()
            }
        };
        let (mut reports, mut learned) = (Vec::new(), Vec::new());
        for (id, user) in about {
            if let Some((session, ids, slug)) = answers.get(&user) {
                reports.extend(self.report(id, at, session.clone()));
                learned.extend(self.learned(id, *ids, slug.as_ref()));
            } else if matches!(request, PollRequest::Live(_)) {
                reports.extend(self.report(id, at, None));
            }
        }
        self.record(&reports).await?;
        Ok(self.learn(&learned).await?)
    }

    /// An answer as a report, unless it changes nothing.
    pub(super) fn report(
        &self,
        streamer: StreamerId,
        at: Timestamp,
        session: Option<Session>,
    ) -> Option<Report> {
        let watchlist = self.watchlist();
        let row = watchlist.row(streamer)?;
        if session.is_none() && row.status == Status::Offline && !row.is_contradicted {
            return None;
        }
        let reported = session.map_or(ReportedStatus::NotLive, ReportedStatus::Live);
        Some(Report { streamer, source: Source::Poll, at, reported })
    }

    /// The ids and the name in an answer, unless they are known.
    fn learned(&self, streamer: StreamerId, ids: KickIds, slug: Option<&Slug>) -> Option<Learned> {
        let watchlist = self.watchlist();
        let row = watchlist.row(streamer)?;
        let renamed = slug.filter(|slug| !slug.is(&row.username)).cloned();
        let is_new = row.ids.updated(ids) != row.ids || renamed.is_some();
        is_new.then_some(Learned { streamer, found: Found::Ids { ids, renamed } })
    }
}
