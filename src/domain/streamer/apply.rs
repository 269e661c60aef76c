//! Applies a batch of reports, or the result of a lookup: the same for every store.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use super::decide::{Announcement, Decision, Report, decide};
use super::ids::Slug;
use super::row::{Found, Streamer};
use super::status::Change;
use crate::domain::{StreamerId, Timestamp};

/// An event to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingEvent {
    /// Its kind.
    pub announcement: Announcement,
    /// The streamer right after it.
    pub streamer: Streamer,
    /// The status change, if any.
    pub change: Option<Change>,
}

/// The result of a batch of reports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// The decision on each report, in order; `None` if its streamer does not exist or is not active.
    pub decisions: Vec<Option<Decision>>,
    /// The changed streamers by id, as they are after the last report.
    pub changed: Vec<Streamer>,
    /// The events to write, in order.
    pub events: Vec<PendingEvent>,
}

/// Decides on reports in order, each on the result of the one before it.
pub fn apply_reports(
    streamers: impl IntoIterator<Item = Streamer>,
    reports: &[Report],
    flap_window: Duration,
) -> Applied {
    let active = streamers.into_iter().filter(|streamer| streamer.is_active);
    let mut streamers: HashMap<StreamerId, Streamer> = active.map(|one| (one.id, one)).collect();
    let mut applied = Applied::default();
    let mut changed = BTreeSet::new();
    for report in reports {
        let Some(streamer) = streamers.get_mut(&report.streamer) else {
            applied.decisions.push(None);
            continue;
        };
        let decision = decide(&streamer.track, report, flap_window);
        if streamer.track != decision.track {
            streamer.track = decision.track.clone();
            changed.insert(streamer.id);
        }
        if let Some(announcement) = decision.announcement {
            applied.events.push(PendingEvent {
                announcement,
                streamer: streamer.clone(),
                change: decision.change.clone(),
            });
        }
        applied.decisions.push(Some(decision));
    }
    applied.changed = changed.iter().filter_map(|id| streamers.remove(id)).collect();
    applied
}

impl Streamer {
    /// The streamer with the result applied at `now`, or `None` if it stays the same. `is_taken` returns whether another
    /// row has a name.
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
