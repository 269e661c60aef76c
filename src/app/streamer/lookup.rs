//! Finds the ids of names: once for each name, and again later if Kick does not know the name.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use super::watch::Watch;
use crate::domain::StreamerId;
use crate::domain::streamer::decide::Report;
use crate::domain::streamer::{Found, KickIds, Learned, Slug};
use crate::ports::{KickChannel, MOST_USERS, RemoteError};

/// The pause before a name that Kick does not know is requested again.
const NOT_FOUND_RETRY: Duration = Duration::from_secs(3_600);
/// The pause after Kick did not answer.
const ERROR_RETRY: Duration = Duration::from_secs(10);
/// The pause after Kick refused us.
const REFUSED_RETRY: Duration = Duration::from_secs(60);

/// A source of ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NameSource {
    /// The official API: returns the user id. Takes many names at once.
    Api,
    /// Kick's web site: returns all three ids of one name. Unofficial.
    Site,
}

type Name = (StreamerId, String);

pub(super) struct Lookups<'a> {
    watch: &'a Watch,
    source: NameSource,
    /// When to request a name again, and which name it was.
    later: HashMap<StreamerId, (String, Instant)>,
}

impl<'a> Lookups<'a> {
    pub(super) fn new(watch: &'a Watch, source: NameSource) -> Self {
        Self { watch, source, later: HashMap::new() }
    }

    pub(super) async fn run(mut self) -> ! {
        loop {
            let watchlist_changed = self.watch.watchlist_changed.notified();
            let (names, next) = self.due();
            if names.is_empty() {
                let next = next.unwrap_or_else(|| Instant::now() + NOT_FOUND_RETRY);
                let _ = timeout_at(next, watchlist_changed).await;
                continue;
            }
            let done = match self.source {
                NameSource::Api => self.ask_api(&names).await,
                NameSource::Site => self.ask_site(&names).await,
            };
            if let Err(wait) = done {
                sleep(wait).await;
            }
        }
    }

    /// Names that are due now, and when the next one is due.
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

    /// Requests many names at once; returns how long to pause if Kick did not answer.
    async fn ask_api(&mut self, names: &[Name]) -> Result<(), Duration> {
        let (mut learned, mut reports, mut open) = (Vec::new(), Vec::new(), Vec::new());
        for name in names {
            match Slug::parse(&name.1) {
                Ok(slug) => open.push((name, slug)),
                Err(invalid) => learned.push(self.problem(name, invalid.to_string())),
            }
        }
        // First as written, then with dashes.
        for is_second in [false, true] {
            if open.is_empty() {
                break;
            }
            let slugs: Vec<Slug> = open.iter().map(|(_, slug)| slug.clone()).collect();
            let at = self.watch.app.now();
            let found = self.watch.kick.channels_named(&slugs).await;
            let found = found.map_err(|error| self.pause_after(&error))?;
            let found: HashMap<Slug, KickChannel> =
                found.into_iter().map(|channel| (channel.slug.clone(), channel)).collect();
            for (name, slug) in std::mem::take(&mut open) {
                if let Some(channel) = found.get(&slug) {
                    let ids = KickIds { user: Some(channel.user), ..KickIds::default() };
                    let renamed = Some(&channel.slug).filter(|slug| !slug.is(&name.1)).cloned();
                    learned.push(Learned { streamer: name.0, found: Found::Ids { ids, renamed } });
                    // The answer includes the status.
                    reports.extend(self.watch.report(name.0, at, channel.live.clone()));
                } else if is_second || slug.dashed() == slug {
                    learned.push(self.not_found(name));
                } else {
                    open.push((name, slug.dashed()));
                }
            }
        }
        self.store(&learned, &reports).await
    }

    /// Requests one name after the other; returns how long to pause if the site may not be used now.
    async fn ask_site(&mut self, names: &[Name]) -> Result<(), Duration> {
        for name in names {
            // Each name takes a second: the official API may have found the right spelling meanwhile.
            let row = self.watch.watchlist().row(name.0).cloned();
            if row.is_none_or(|row| row.username != name.1 || row.ids.channel.is_some()) {
                continue;
            }
            let Ok(slug) = Slug::parse(&name.1) else {
                self.put_off(name);
                continue;
            };
            let found = self.watch.kick.ids_on_site(&slug).await.map_err(|error| self.pause_after(&error))?;
            let learned = match found {
                Some(ids) => Learned { streamer: name.0, found: Found::Ids { ids, renamed: None } },
                // The official API knows the user, so the site is wrong.
                None if self.watch.watchlist().row(name.0).is_some_and(|row| row.ids.user.is_some()) => {
                    self.put_off(name);
                    continue;
                }
                None => self.not_found(name),
            };
            self.store(&[learned], &[]).await?;
        }
        Ok(())
    }

    async fn store(&mut self, learned: &[Learned], reports: &[Report]) -> Result<(), Duration> {
        self.watch.learn(learned).await.map_err(|error| {
            tracing::warn!(%error, "the ids of streamers cannot be stored yet");
            ERROR_RETRY
        })?;
        // Otherwise these names are requested again before the next read of the store.
        let until = Instant::now() + ERROR_RETRY;
        for Learned { streamer, found } in learned {
            if let (Found::Ids { .. }, Some(row)) = (found, self.watch.watchlist().row(*streamer)) {
                self.later.insert(*streamer, (row.username.clone(), until));
            }
        }
        // If this report is lost, the next poll repeats it.
        let _ = self.watch.record(reports).await;
        Ok(())
    }

    fn not_found(&mut self, name: &Name) -> Learned {
        let text = format!("Kick has no channel called {}: correct the name, or remove the streamer", name.1);
        self.problem(name, text)
    }

    fn problem(&mut self, name: &Name, text: String) -> Learned {
        self.put_off(name);
        Learned { streamer: name.0, found: Found::Problem(text) }
    }

    fn put_off(&mut self, (id, name): &Name) {
        self.later.insert(*id, (name.clone(), Instant::now() + NOT_FOUND_RETRY));
    }

    fn pause_after(&self, error: &RemoteError) -> Duration {
        if let (NameSource::Site, RemoteError::Unsupported(_)) = (self.source, error) {
            tracing::debug!(%error, "Kick's web site cannot be used for channel ids now");
            return REFUSED_RETRY;
        }
        tracing::warn!("the ids of streamers cannot be requested; trying again: Kick {error}");
        match error {
            // Only a person can fix that.
            RemoteError::Unsupported(_) | RemoteError::Unauthorised => REFUSED_RETRY,
            _ => ERROR_RETRY,
        }
    }
}
