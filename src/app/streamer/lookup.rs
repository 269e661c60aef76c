//! From names to numbers: each name is looked up once, and again after a while if there is nobody of that name.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use super::watcher::Watch;
use crate::domain::streamer::decide::{Report, ReportedStatus};
use crate::domain::streamer::{Found, KickIds, Learned, Slug};
use crate::domain::{StreamerId, Timestamp};
use crate::ports::{KickChannel, MOST_USERS, RemoteError};

/// When somebody of whom there is no such name on Kick is looked for again.
const NOT_FOUND_RETRY: Duration = Duration::from_secs(3_600);
/// How long to wait when Kick did not answer.
const ERROR_RETRY: Duration = Duration::from_secs(10);
/// How long to wait when this way may not be gone now.
const REFUSED_RETRY: Duration = Duration::from_secs(60);

/// Where names are looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NameSource {
    /// The official API: tells the user. Takes many names at once.
    Api,
    /// Kick's web site: tells all three numbers, of one name at a time. Unofficial.
    Site,
}

/// Somebody to be looked up.
type Name = (StreamerId, String);

/// Looks names up at one place.
pub(super) struct Lookups<'a> {
    watch: &'a Arc<Watch>,
    source: NameSource,
    /// When those that were looked up in vain are looked up again; under the name they had.
    later: HashMap<StreamerId, (String, Instant)>,
}

impl<'a> Lookups<'a> {
    pub(super) fn new(watch: &'a Arc<Watch>, source: NameSource) -> Self {
        Self { watch, source, later: HashMap::new() }
    }

    /// Looks up whoever is due, for as long as it is polled.
    pub(super) async fn run(mut self) -> ! {
        loop {
            let watchlist_changed = self.watch.watchlist_changed.notified();
            let (names, next) = self.due();
            let done = match (names.is_empty(), self.source) {
                (true, _) => {
                    match next {
                        Some(at) => drop(timeout_at(at, watchlist_changed).await),
                        None => watchlist_changed.await,
                    }
                    Ok(())
                }
                (false, NameSource::Api) => self.ask_api(&names).await,
                (false, NameSource::Site) => self.ask_site(&names).await,
            };
            if let Err(wait) = done {
                sleep(wait).await;
            }
        }
    }

    /// Some who are to be looked up now, and when the next one is.
    fn due(&mut self) -> (Vec<Name>, Option<Instant>) {
        let now = Instant::now();
        let watchlist = self.watch.watchlist();
        let lacks = |ids: KickIds| match self.source {
            NameSource::Api => ids.user.is_none(),
            NameSource::Site => ids.channel.is_none(),
        };
        self.later.retain(|id, (name, _)| {
            watchlist.row(*id).is_some_and(|row| row.username == *name && lacks(row.ids))
        });
        let due = watchlist
            .rows()
            .filter(|(id, row)| lacks(row.ids) && self.later.get(id).is_none_or(|(_, at)| *at <= now))
            .map(|(id, row)| (id, row.username.clone()));
        (due.take(MOST_USERS).collect(), self.later.values().map(|(_, at)| *at).min())
    }

    /// Looks many names up at once; how long to wait if Kick did not answer.
    async fn ask_api(&mut self, names: &[Name]) -> Result<(), Duration> {
        let mut learned = Vec::new();
        let mut reports = Vec::new();
        let mut open = self.spelled(names, &mut learned);
        for spelling in [Slug::clone, Slug::dashed] {
            let slugs: Vec<Slug> = open.iter().map(|(_, slug)| spelling(slug)).collect();
            if slugs.is_empty() {
                break;
            }
            let at = self.watch.app.now();
            let found =
                self.watch.kick.channels_named(&slugs).await.map_err(|error| self.wait_after(&error))?;
            let found: HashMap<Slug, KickChannel> =
                found.into_iter().map(|channel| (channel.slug.clone(), channel)).collect();
            open.retain(|(name, slug)| match found.get(&spelling(slug)) {
                Some(channel) => {
                    self.take(name, at, channel, &mut learned, &mut reports);
                    false
                }
                None => true,
            });
            open.retain(|(name, slug)| {
                let has_another_spelling = slug.dashed() != *slug && spelling(slug) == *slug;
                if !has_another_spelling {
                    learned.push(self.not_found(name));
                }
                has_another_spelling
            });
        }
        self.keep(&learned).await?;
        // Not written: then the sweep finds it.
        let _ = self.watch.record(&reports).await;
        Ok(())
    }

    /// Those whose names can be names on Kick. The others have a problem.
    fn spelled(&mut self, names: &[Name], learned: &mut Vec<Learned>) -> Vec<(Name, Slug)> {
        let mut spelled = Vec::new();
        for name in names {
            match Slug::parse(&name.1) {
                Ok(slug) => spelled.push((name.clone(), slug)),
                Err(invalid) => {
                    self.put_off(name);
                    learned.push(Learned { streamer: name.0, found: Found::Problem(invalid.to_string()) });
                }
            }
        }
        spelled
    }

    /// Takes the user, and what was said of the status in passing.
    fn take(
        &self,
        (id, name): &Name,
        at: Timestamp,
        channel: &KickChannel,
        learned: &mut Vec<Learned>,
        reports: &mut Vec<Report>,
    ) {
        let ids = KickIds { user: Some(channel.user), ..KickIds::default() };
        let renamed = Some(&channel.slug).filter(|slug| !slug.is(name)).cloned();
        learned.push(Learned { streamer: *id, found: Found::Ids { ids, renamed } });
        let reported = channel.live.clone().map_or(ReportedStatus::NotLive, ReportedStatus::Live);
        reports.extend(self.watch.report(*id, at, reported));
    }

    /// Looks names up one after the other; how long to wait if the site may not be asked now.
    async fn ask_site(&mut self, names: &[Name]) -> Result<(), Duration> {
        for name in names {
            // It takes a second for each: the official API may have found out the right spelling meanwhile.
            let is_as_it_was = self
                .watch
                .watchlist()
                .row(name.0)
                .is_some_and(|row| row.username == name.1 && row.ids.channel.is_none());
            if !is_as_it_was {
                continue;
            }
            let Ok(slug) = Slug::parse(&name.1) else {
                self.put_off(name);
                continue;
            };
            let found = self.watch.kick.ids_on_site(&slug).await.map_err(|error| self.wait_after(&error))?;
            let learned = match found {
                Some(ids) => Learned { streamer: name.0, found: Found::Ids { ids, renamed: None } },
                None => {
                    let nobody = self.not_found(name);
                    // The official API knows better.
                    if self.watch.watchlist().row(name.0).is_some_and(|row| row.ids.user.is_some()) {
                        continue;
                    }
                    nobody
                }
            };
            self.keep(&[learned]).await?;
        }
        Ok(())
    }

    fn not_found(&mut self, name: &Name) -> Learned {
        self.put_off(name);
        let problem =
            format!("Kick has no channel called {}: correct the name, or remove the streamer", name.1);
        Learned { streamer: name.0, found: Found::Problem(problem) }
    }

    async fn keep(&mut self, learned: &[Learned]) -> Result<(), Duration> {
        self.watch.learn(learned).await.map_err(|error| {
            tracing::warn!(%error, "what was found of streamers cannot be written down yet");
            ERROR_RETRY
        })?;
        // Not before the next look at the store shows it: until then they would be looked up again.
        let until = Instant::now() + ERROR_RETRY;
        for Learned { streamer, found } in learned {
            if let (Found::Ids { .. }, Some(row)) = (found, self.watch.watchlist().row(*streamer)) {
                self.later.insert(*streamer, (row.username.clone(), until));
            }
        }
        Ok(())
    }

    fn put_off(&mut self, (id, name): &Name) {
        self.later.insert(*id, (name.clone(), Instant::now() + NOT_FOUND_RETRY));
    }

    fn wait_after(&self, error: &RemoteError) -> Duration {
        if let (NameSource::Site, RemoteError::Unsupported(_)) = (self.source, error) {
            tracing::debug!(%error, "Kick's web site cannot be asked for channel numbers now");
            return REFUSED_RETRY;
        }
        tracing::warn!("names of streamers cannot be looked up; it is tried again: Kick {error}");
        match error {
            // Only a person can mend that.
            RemoteError::Unsupported(_) | RemoteError::Unauthorised => REFUSED_RETRY,
            _ => ERROR_RETRY,
        }
    }
}
