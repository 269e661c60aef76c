//! The schedule: which content may play when, on the clock of a place.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::block::{Block, overlaps};
use super::content::{ContentName, ContentSource, Library};
use crate::domain::Timestamp;
use crate::domain::invalid::{Checks, Invalid, text};
use crate::domain::local_time::TimeZone;

/// What plays when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// Whose clock counts.
    pub time_zone: TimeZone,
    /// The blocks. They do not overlap.
    #[serde(default)]
    pub blocks: Vec<Block>,
    /// The content.
    #[serde(default)]
    pub content: Vec<ContentSource>,
}

/// A time in which the same content plays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedTime {
    /// When it begins.
    pub from: Timestamp,
    /// When it ends.
    pub to: Timestamp,
    /// The block; `None` for time without one.
    pub block: Option<String>,
    /// What plays, in this order, again and again. Nothing means that failover content plays.
    pub plays: Vec<ContentName>,
    /// What would play, but was not found playable.
    pub unplayable: Vec<ContentName>,
}

impl Schedule {
    /// A schedule without blocks and content.
    pub fn empty(time_zone: TimeZone) -> Self {
        Self { time_zone, blocks: Vec::new(), content: Vec::new() }
    }

    /// Refuses a schedule that cannot be followed, with all that is wrong with it.
    pub fn check(self) -> Result<Self, Invalid> {
        let mut checks = Checks::default();
        let mut names = BTreeSet::new();
        for (n, block) in self.blocks.iter().enumerate() {
            let field = |name: &str| format!("blocks[{n}].{name}");
            checks.take(text(&field("name"), &block.name, 1, 100));
            if !names.insert(block.name.as_str()) {
                checks.take(refused(field("name"), format!("'{}' is the name of two blocks", block.name)));
            }
            if block.from == block.to {
                checks.take(refused(field("to"), format!("must differ from `from`, both are {}", block.to)));
            }
        }
        for (one, other, at) in overlaps(&self.blocks) {
            let rule = format!("'{one}' and '{other}' overlap at {at}: change one of them");
            checks.take(refused("blocks".to_owned(), rule));
        }
        let mut sources = BTreeSet::new();
        for (n, source) in self.content.iter().enumerate() {
            let field = |name: &str| format!("content[{n}].{name}");
            if !sources.insert(&source.name) {
                let rule = format!("'{}' is the name of two sources", source.name);
                checks.take(refused(field("name"), rule));
            }
            if !(11..=100).contains(&source.priority) {
                let rule = format!("must be 11 to 100, got {}", source.priority);
                checks.take(refused(field("priority"), rule));
            }
            checks.take(source.media.check().map_err(|error| error.of(&field("media.url"))));
            if source.plays_for_seconds == Some(0) {
                checks.take(refused(field("plays_for_seconds"), "must be at least 1".to_owned()));
            }
            if let Some(block) = source.blocks.iter().find(|block| !names.contains(block.as_str())) {
                checks.take(refused(field("blocks"), format!("there is no block '{block}'")));
            }
        }
        checks.finish()?;
        Ok(self)
    }

    /// The block at `now`.
    pub fn block_at(&self, now: Timestamp) -> Option<&Block> {
        let local = self.time_zone.local(now)?;
        self.blocks.iter().find(|block| local.is_within(block.from, block.to, &block.days))
    }

    /// Whether `source` may play in `block`, or without one.
    pub fn allows(block: Option<&Block>, source: &ContentSource) -> bool {
        let Some(block) = block else { return source.blocks.is_empty() };
        (source.blocks.is_empty() || source.blocks.contains(&block.name))
            && (block.kinds.is_empty() || block.kinds.contains(&source.kind()))
            && source.age.fits(block.age)
    }

    /// What may play in `block`, in order: the best tier first, then by priority and name.
    pub fn allowed(&self, block: Option<&Block>) -> Vec<&ContentSource> {
        let mut allowed: Vec<_> = self.content.iter().filter(|source| Self::allows(block, source)).collect();
        allowed.sort_by_key(|source| (source.tier, source.priority, &source.name));
        allowed
    }

    /// When another block begins, or the present one ends, after `now` and up to `until`.
    pub fn next_change(&self, now: Timestamp, until: Timestamp) -> Option<Timestamp> {
        let block = self.block_at(now).map(|block| &block.name);
        minutes(now, until).find(|at| self.block_at(*at).map(|block| &block.name) != block)
    }

    /// What plays from `from` to `to`, which is at most 31 days later.
    pub fn preview(&self, library: &Library, from: Timestamp, to: Timestamp) -> Vec<PlannedTime> {
        let to = to.min(from.plus(LONGEST_PREVIEW));
        let mut times = Vec::new();
        let mut at = from;
        while at < to {
            let end = self.next_change(at, to).unwrap_or(to);
            let block = self.block_at(at);
            let (playable, unplayable): (Vec<_>, Vec<_>) =
                self.allowed(block).into_iter().partition(|source| library.is_playable(source));
            let best = playable.first().map(|source| source.tier);
            let plays = playable.into_iter().filter(|source| Some(source.tier) == best);
            times.push(PlannedTime {
                from: at,
                to: end,
                block: block.map(|block| block.name.clone()),
                plays: plays.map(|source| source.name.clone()).collect(),
                unplayable: unplayable.into_iter().map(|source| source.name.clone()).collect(),
            });
            at = end;
        }
        times
    }

    /// The first time from `from` to `to` in which nothing can play, so that a person can still change it.
    pub fn nothing_to_play(&self, library: &Library, from: Timestamp, to: Timestamp) -> Option<PlannedTime> {
        self.preview(library, from, to).into_iter().find(|span| span.plays.is_empty())
    }
}

/// A preview is not longer.
pub const LONGEST_PREVIEW: Duration = Duration::from_secs(31 * 24 * 3_600);

fn refused(field: String, rule: String) -> Result<(), Invalid> {
    Err(Invalid::one(field, rule))
}

/// The full minutes after `from` and before `to`. All offsets from UTC are full minutes.
fn minutes(from: Timestamp, to: Timestamp) -> impl Iterator<Item = Timestamp> {
    const MINUTE: i64 = 60_000_000;
    let first = from.micros().div_euclid(MINUTE).saturating_add(1);
    (first..)
        .map(|minute| Timestamp::from_micros(minute.saturating_mul(MINUTE)))
        .take_while(move |at| *at < to)
}

#[cfg(test)]
mod tests;
