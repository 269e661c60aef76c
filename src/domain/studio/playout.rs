//! What plays: the choice of the next item, its beginning and end, and where to resume it.

use std::collections::BTreeMap;
use std::time::Duration;

use super::content::{ContentKind, ContentName, ContentSource, Library};
use super::failover::FailureKind;
use super::moment::Moment;
use super::observation::Turn;
use super::schedule::Schedule;
use crate::domain::Timestamp;

/// Media that did not begin within this time fails.
const BEGIN_WITHIN: Duration = Duration::from_secs(3);
/// Media that ended earlier than this before its end failed.
const EARLY: Duration = Duration::from_secs(1);
/// Media whose end was not seen this long after it is taken as ended.
const OVERDUE: Duration = Duration::from_secs(1);
/// Content that failed is left out for this long, unless it is verified again.
const LEAVE_OUT: Duration = Duration::from_secs(600);
/// The end of a block is searched this far ahead.
const AHEAD: Duration = Duration::from_secs(24 * 3_600);

/// A command to play.
#[derive(Clone, Debug, PartialEq)]
pub struct Play {
    /// Names it in what is observed.
    pub turn: Turn,
    /// What it is.
    pub item: Item,
    /// Where to begin.
    pub position: Duration,
}

/// Something to play.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// Content of the schedule.
    Content(ContentSource),
    /// The failover content: this file.
    Failover(String),
}

impl Item {
    /// The file, scene or name, for people.
    pub fn place(&self) -> &str {
        match self {
            Self::Content(source) => source.place(),
            Self::Failover(path) => path,
        }
    }

    fn has_media(&self) -> bool {
        !matches!(self, Self::Content(source) if source.kind() == ContentKind::SceneComposition)
    }
}

/// How a turn ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Finished,
    Failed(FailureKind),
}

/// What plays.
#[derive(Clone, Debug, Default)]
pub(super) struct Playout {
    turns: u64,
    current: Option<Current>,
    /// The content that was interrupted, and where.
    paused: Option<(ContentSource, Duration)>,
    /// The content that played last.
    last: Option<ContentName>,
    failed: BTreeMap<ContentName, Moment>,
}

#[derive(Clone, Debug)]
struct Current {
    play: Play,
    sent_at: Moment,
    started: Option<Moment>,
    /// When it ends, from its beginning.
    length: Option<Duration>,
    /// Whether it ends by itself.
    ends: bool,
}

impl Current {
    fn position(&self, now: Moment) -> Duration {
        let played = self.started.map(|started| now.since(started)).unwrap_or_default();
        self.play.position + played
    }
}

impl Playout {
    pub(super) fn current(&self) -> Option<&Play> {
        self.current.as_ref().map(|current| &current.play)
    }

    /// When what plays began.
    pub(super) fn started(&self) -> Option<Moment> {
        self.current.as_ref()?.started
    }

    /// The content that was interrupted, and where.
    pub(super) fn paused(&self) -> Option<(&ContentSource, Duration)> {
        self.paused.as_ref().map(|(source, position)| (source, *position))
    }

    /// The next item: of the best tier that can be played, the one after the last, if it ends before the block does.
    /// With `keeps_scene`, nothing that is a scene of its own.
    pub(super) fn pick(
        &self,
        schedule: &Schedule,
        library: &Library,
        now: Moment,
        keeps_scene: bool,
    ) -> Option<ContentSource> {
        let allowed = schedule.allowed(schedule.block_at(now.at));
        let can_play = |source: &ContentSource| {
            library.is_playable(source)
                && !self.is_left_out(&source.name, now)
                && !(keeps_scene && source.kind() == ContentKind::SceneComposition)
        };
        let last = self.last.as_ref().and_then(|last| allowed.iter().position(|one| one.name == *last));
        let playable: Vec<_> =
            allowed.into_iter().enumerate().filter(|(_, source)| can_play(source)).collect();
        let tier = playable.first().map(|(_, source)| source.tier)?;
        let best: Vec<_> = playable.into_iter().take_while(|(_, source)| source.tier == tier).collect();
        let next = best.iter().position(|(n, _)| last.is_some_and(|last| *n > last)).unwrap_or(0);
        let in_turn = || best.iter().map(|(_, source)| *source).cycle().skip(next).take(best.len());
        let end = schedule.next_change(now.at, now.at.plus(AHEAD));
        let left = end.map(|end| end.since(now.at));
        let fits = |source: &&ContentSource| match (library.duration(source), left) {
            (Some(length), Some(left)) => length <= left,
            _ => true,
        };
        in_turn().find(fits).or_else(|| in_turn().next()).cloned()
    }

    fn is_left_out(&self, name: &ContentName, now: Moment) -> bool {
        self.failed.get(name).is_some_and(|failed| now.since(*failed) < LEAVE_OUT)
    }

    /// Content was verified, and plays again if it failed before.
    pub(super) fn verified(&mut self, name: &ContentName) {
        self.failed.remove(name);
    }

    /// Begins a turn.
    pub(super) fn play(&mut self, now: Moment, item: Item, position: Duration, library: &Library) {
        self.turns += 1;
        let (length, ends) = match &item {
            Item::Content(source) => {
                let length = library.duration(source);
                let limit = source.plays_for_seconds.map(|seconds| Duration::from_secs(u64::from(seconds)));
                self.last = Some(source.name.clone());
                (length, source.kind() == ContentKind::VideoFile && length != limit)
            }
            Item::Failover(_) => (None, true),
        };
        let started = (!item.has_media()).then_some(now);
        let play = Play { turn: Turn(self.turns), item, position };
        self.current = Some(Current { play, sent_at: now, started, length, ends });
    }

    /// Ends the turn. Content can be resumed.
    pub(super) fn pause(&mut self, now: Moment) {
        let Some(current) = self.current.take() else { return };
        let position = current.position(now);
        if let Item::Content(source) = current.play.item {
            let position = if source.kind() == ContentKind::VideoFile { position } else { Duration::ZERO };
            self.paused = Some((source, position));
        }
    }

    /// What was interrupted, if it still may and can be played.
    pub(super) fn take_paused(
        &mut self,
        schedule: &Schedule,
        library: &Library,
        now: Moment,
    ) -> Option<(ContentSource, Duration)> {
        let (source, position) = self.paused.take()?;
        let can_play = library.is_playable(&source) && !self.is_left_out(&source.name, now);
        let has_more = library.duration(&source).is_none_or(|length| position + EARLY < length);
        (can_play && has_more && is_allowed(schedule, &source, now.at)).then_some((source, position))
    }

    /// Ends the turn for good.
    pub(super) fn stop(&mut self) {
        self.current = None;
    }

    /// A player began with this turn.
    pub(super) fn media_started(&mut self, now: Moment, turn: Turn, duration: Option<Duration>) {
        if let Some(current) = self.current.as_mut().filter(|current| current.play.turn == turn) {
            current.started.get_or_insert(now);
            if current.ends {
                current.length = current.length.or(duration);
            }
        }
    }

    /// A player ended with this turn; `None` if that does not matter any more.
    pub(super) fn media_ended(&self, now: Moment, turn: Turn, duration: Option<Duration>) -> Option<Ended> {
        let current = self.current.as_ref().filter(|current| current.play.turn == turn)?;
        let is_live =
            matches!(&current.play.item, Item::Content(source) if source.kind() == ContentKind::LiveInput);
        let Some(duration) = duration.filter(|_| !is_live) else {
            let kind = if is_live { FailureKind::EndedEarly } else { FailureKind::Unplayable };
            return Some(Ended::Failed(kind));
        };
        let known = if current.ends { current.length } else { None };
        let is_early = current.position(now) + EARLY < known.unwrap_or(duration);
        Some(if is_early { Ended::Failed(FailureKind::EndedEarly) } else { Ended::Finished })
    }

    /// What time alone says of the turn.
    pub(super) fn tick(&self, now: Moment) -> Option<Ended> {
        let current = self.current.as_ref()?;
        if current.started.is_none() {
            let is_late = now.since(current.sent_at) >= BEGIN_WITHIN;
            return is_late.then_some(Ended::Failed(FailureKind::Timeout));
        }
        let slack = if current.ends { OVERDUE } else { Duration::ZERO };
        let is_over = current.length.is_some_and(|length| current.position(now) >= length + slack);
        is_over.then_some(Ended::Finished)
    }

    /// Whether the content that plays may play now. Failover content always may.
    pub(super) fn is_allowed(&self, schedule: &Schedule, now: Timestamp) -> bool {
        match self.current().map(|play| &play.item) {
            Some(Item::Content(source)) => is_allowed(schedule, source, now),
            _ => true,
        }
    }

    /// The content that plays failed: it is left out for a while.
    pub(super) fn fail(&mut self, now: Moment) {
        if let Some(Current { play: Play { item: Item::Content(source), .. }, .. }) = self.current.take() {
            self.failed.insert(source.name, now);
        }
        self.failed.retain(|_, failed| now.since(*failed) < LEAVE_OUT);
    }
}

/// Whether the schedule, as it is now, has `source` and allows it at `now`.
fn is_allowed(schedule: &Schedule, source: &ContentSource, now: Timestamp) -> bool {
    schedule.content.contains(source) && Schedule::allows(schedule.block_at(now), source)
}

#[cfg(test)]
mod tests;
