//! What a batch of reports comes to, and what a look-up changes: the same for every store.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use super::decide::{Decision, News, Report, decide};
use super::{Change, Found, Slug, Streamer};
use crate::domain::{StreamerId, Timestamp};

/// What an event is to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// What it is.
    pub news: News,
    /// The streamer right after it.
    pub streamer: Streamer,
    /// The change of status, if it was one.
    pub change: Option<Change>,
}

/// What a batch of reports comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// What each report means, in order; `None` if its streamer is not there, or not active.
    pub judged: Vec<Option<Decision>>,
    /// The streamers of whom something is to be written, by id, as they are after the last report.
    pub changed: Vec<Streamer>,
    /// What is to be told, in order.
    pub told: Vec<Told>,
}

/// Judges reports in their order, each by what the one before it left.
pub fn settle(
    streamers: impl IntoIterator<Item = Streamer>,
    reports: &[Report],
    flap_window: Duration,
) -> Settled {
    let active = streamers.into_iter().filter(|streamer| streamer.is_active);
    let mut streamers: HashMap<StreamerId, Streamer> = active.map(|one| (one.id, one)).collect();
    let mut settled = Settled::default();
    let mut changed = BTreeSet::new();
    for report in reports {
        let Some(streamer) = streamers.get_mut(&report.streamer) else {
            settled.judged.push(None);
            continue;
        };
        let decision = decide(&streamer.track, report, flap_window);
        if streamer.track != decision.track {
            streamer.track = decision.track.clone();
            changed.insert(streamer.id);
        }
        if let Some(news) = decision.news {
            settled.told.push(Told { news, streamer: streamer.clone(), change: decision.change.clone() });
        }
        settled.judged.push(Some(decision));
    }
    settled.changed = changed.iter().filter_map(|id| streamers.remove(id)).collect();
    settled
}

impl Streamer {
    /// The streamer as what was found makes it at `now`, or `None` if that changes nothing. `is_taken` tells whether
    /// another row has a name.
    pub fn learned(
        &self,
        found: &Found,
        now: Timestamp,
        is_taken: impl FnOnce(&Slug) -> bool,
    ) -> Option<Self> {
        let mut after = self.clone();
        match found {
            Found::Problem(problem) => after.problem = Some(problem.clone()),
            Found::Ids { ids, renamed } => {
                after.ids = self.ids.updated(*ids);
                after.problem = None;
                if let Some(name) = renamed.as_ref().filter(|name| !name.is(&self.username)) {
                    if is_taken(name) {
                        let problem = format!(
                            "this is {name} now, which another row watches already: delete one of them"
                        );
                        after.problem = Some(problem);
                    } else {
                        name.as_str().clone_into(&mut after.username);
                        after.updated_at = now;
                    }
                }
            }
        }
        (after != *self).then_some(after)
    }
}
