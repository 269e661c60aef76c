//! What plays, and what happens when it fails.

use std::time::Duration;

use super::{Command, Director, Step};
use crate::domain::millis;
use crate::domain::studio::content::{ContentKind, ContentSource};
use crate::domain::studio::decision::{Reason, Subject, Why};
use crate::domain::studio::failover::{Failure, FailureKind, Rung};
use crate::domain::studio::model::ScenePurpose;
use crate::domain::studio::moment::Moment;
use crate::domain::studio::owner::OwnerState;
use crate::domain::studio::playout::{Ended, Item};
use crate::domain::studio::record::{FailoverEvent, OwnerSession, Record};

/// What is to be on air.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Content,
    Failover,
    TechnicalDifficulties,
    Owner,
    GoingLiveSoon,
    /// A scene that is not one of ours.
    Foreign,
}

impl Director {
    /// What automation wants on air.
    pub(super) fn target(&self) -> Stage {
        match (self.owner.state(), self.ladder.rung()) {
            (OwnerState::Live, _) => Stage::Owner,
            (OwnerState::GoingLiveSoon, _) => Stage::GoingLiveSoon,
            (_, Rung::Content) => Stage::Content,
            (_, Rung::Failover) => Stage::Failover,
            (_, Rung::TechnicalDifficulties) => Stage::TechnicalDifficulties,
        }
    }

    /// What is to be on air, by automation or by a hold.
    pub(super) fn stage(&self) -> Stage {
        if self.hold.is_none() {
            return self.target();
        }
        let scene = self.wanted.as_ref().map(|wanted| &wanted.scene).or(self.scene.as_ref());
        match scene.and_then(|scene| self.settings.scenes.purpose(scene)) {
            Some(ScenePurpose::Automated) => Stage::Content,
            Some(ScenePurpose::Failover) => Stage::Failover,
            Some(ScenePurpose::TechnicalDifficulties) => Stage::TechnicalDifficulties,
            Some(ScenePurpose::Owner) => Stage::Owner,
            Some(ScenePurpose::GoingLiveSoon) => Stage::GoingLiveSoon,
            None => Stage::Foreign,
        }
    }

    /// Whether what plays is on air.
    pub(super) fn plays_on_air(&self) -> bool {
        let scene = self.scene.as_ref().and_then(|scene| self.settings.scenes.purpose(scene));
        let wanted = match self.playout.current().map(|play| &play.item) {
            Some(Item::Content(source)) if source.kind() == ContentKind::SceneComposition => return true,
            Some(Item::Content(_)) => ScenePurpose::Automated,
            Some(Item::Failover(_)) => ScenePurpose::Failover,
            None => return false,
        };
        scene == Some(wanted)
    }

    pub(super) fn update_owner(&mut self, now: Moment, step: &mut Step) {
        let before = self.owner.state();
        let is_black = self.stage() == Stage::Owner
            && self.blackout(now).is_some_and(|(kind, _)| kind == FailureKind::Black);
        if !self.owner.tick(now, is_black) {
            return;
        }
        let reason = match self.owner.state() {
            OwnerState::Live => Reason::OwnerActive,
            OwnerState::GoingLiveSoon => Reason::OwnerNotReady,
            OwnerState::NotReady => Reason::OwnerGaveUp,
            OwnerState::Absent => Reason::OwnerInactive,
        };
        let debounce = millis(self.settings.owner.debounce);
        self.because(now, Why::new(reason).with("debounce_ms", debounce));
        if before == OwnerState::Absent || reason == Reason::OwnerInactive {
            self.noticed = self.owner.changed();
        }
        self.record_owner(now, step);
    }

    fn record_owner(&mut self, now: Moment, step: &mut Step) {
        let is_on_air = matches!(self.owner.state(), OwnerState::Live | OwnerState::GoingLiveSoon);
        match (&mut self.owner_session, is_on_air) {
            (None, true) => {
                let content = match self.playout.current().map(|play| &play.item) {
                    Some(Item::Content(source)) => Some(source.name.clone()),
                    _ => None,
                };
                let started_at = now.at;
                let session =
                    OwnerSession { started_at, ended_at: None, interrupted: content, position_ms: None };
                self.owner_session = Some(session);
            }
            (Some(session), false) => {
                session.ended_at = Some(now.at);
                session.position_ms = self.playout.paused().map(|(_, position)| millis(position));
                step.records.extend(self.owner_session.take().map(Record::OwnerSession));
            }
            _ => {}
        }
    }

    pub(super) fn choose_content(&mut self, now: Moment, step: &mut Step) {
        self.note_block(now);
        self.check_time(now, step);
        // A failure leads to the next rung, which can fail too.
        for _ in 0..4 {
            let before = self.stage();
            match before {
                Stage::Content => self.content(now, step),
                Stage::Failover => self.failover(now, step),
                Stage::TechnicalDifficulties => {
                    self.playout.pause(now);
                    self.climb(now);
                }
                Stage::Owner | Stage::GoingLiveSoon | Stage::Foreign => self.playout.pause(now),
            }
            if self.stage() == before {
                break;
            }
        }
    }

    /// Blocks begin and end at full minutes.
    fn note_block(&mut self, now: Moment) {
        let minute = now.at.micros().div_euclid(60_000_000);
        if self.minute.replace(minute) == Some(minute) {
            return;
        }
        if !self.playout.is_allowed(&self.schedule, now.at) {
            self.playout.stop();
            self.because(now, Why::new(Reason::Schedule));
        }
        let block = self.schedule.block_at(now.at).map(|block| &block.name);
        if block != self.block.as_ref() {
            self.block = block.cloned();
            self.is_natural_point = true;
        }
    }

    /// What time alone says of what plays.
    fn check_time(&mut self, now: Moment, step: &mut Step) {
        if !matches!(self.stage(), Stage::Content | Stage::Failover) {
            return;
        }
        match self.playout.tick(now) {
            Some(Ended::Finished) => self.content_ended(now),
            Some(Ended::Failed(kind)) => self.content_failed(now, kind, now, step),
            None => {}
        }
        if self.plays_on_air()
            && let Some((kind, since)) = self.blackout(now)
        {
            self.content_failed(now, kind, since, step);
        }
    }

    pub(super) fn content_ended(&mut self, now: Moment) {
        if matches!(self.playout.current().map(|play| &play.item), Some(Item::Failover(_))) {
            self.is_natural_point = true;
        }
        self.playout.stop();
        self.because(now, Why::new(Reason::ContentEnded));
    }

    pub(super) fn content_failed(&mut self, now: Moment, kind: FailureKind, since: Moment, step: &mut Step) {
        let Some(play) = self.playout.current() else { return };
        let item = play.item.place().to_owned();
        let is_failover = matches!(play.item, Item::Failover(_));
        let failure = Failure { kind, item: item.clone(), since };
        self.playout.fail(now);
        self.picture.is_bad_since(since);
        self.picture.forget();
        if self.hold.is_some() {
            // The scene stays. Another item may play in it.
            return;
        }
        let to = if is_failover {
            self.ladder.failover_failed(now, failure)
        } else {
            let has_another = self.pick(now).is_some();
            self.ladder.content_failed(now, failure, has_another)
        };
        let reason = if is_failover { Reason::FailoverFailed } else { Reason::ContentFailed };
        self.fell(now, Why::new(reason).with("failure", kind.as_str()).with("item", item), to, step);
    }

    fn fell(&mut self, now: Moment, why: Why, to: Rung, step: &mut Step) {
        let Some(failure) = self.ladder.last_failure() else { return };
        let event = FailoverEvent {
            failed_at: failure.since.at,
            kind: failure.kind,
            item: failure.item.clone(),
            to,
            recovered_ms: None,
            ended_at: None,
        };
        let noticed = failure.since;
        let event = self.failover.get_or_insert(event);
        event.to = to;
        step.records.push(Record::Failover(event.clone()));
        self.is_natural_point = false;
        self.because(now, why);
        self.noticed = Some(noticed);
    }

    fn content(&mut self, now: Moment, step: &mut Step) {
        if matches!(self.playout.current().map(|play| &play.item), Some(Item::Failover(_))) {
            self.playout.stop();
        }
        if self.was_left_on_purpose() {
            self.because(now, Why::new(Reason::ChangedInObs));
            self.playout.pause(now);
        }
        if let Some(started) = self.playout.started() {
            self.ladder.content_plays(now, started);
        }
        if self.playout.current().is_some() {
            return;
        }
        if let Some((source, position)) = self.playout.take_paused(&self.schedule, &self.library, now) {
            self.play(now, Item::Content(source), position, step);
        } else if let Some(source) = self.pick(now) {
            self.play(now, Item::Content(source), Duration::ZERO, step);
        } else if self.hold.is_none() {
            let item =
                self.block.clone().map_or_else(|| "no block".to_owned(), |block| format!("block {block}"));
            let failure = Failure { kind: FailureKind::NothingToPlay, item: item.clone(), since: now };
            let to = self.ladder.content_failed(now, failure, false);
            self.picture.is_bad_since(now);
            let why = Why::new(Reason::NothingToPlay).with("failure", FailureKind::NothingToPlay.as_str());
            self.fell(now, why.with("item", item), to, step);
        }
    }

    /// Whether somebody changed the scene in OBS, so that what played there has ended.
    fn was_left_on_purpose(&self) -> bool {
        let was_on_air = self.wanted.as_ref().is_some_and(|wanted| wanted.is_confirmed);
        was_on_air
            && self.playout.current().is_some()
            && self.scene.is_some()
            && !self.plays_on_air()
            && self.hold.is_none()
    }

    fn failover(&mut self, now: Moment, step: &mut Step) {
        if matches!(self.playout.current().map(|play| &play.item), Some(Item::Content(_))) {
            self.playout.pause(now);
        }
        if self.climb(now) || self.playout.current().is_some() {
            return;
        }
        if let Some(path) = self.settings.failover_video.clone() {
            self.play(now, Item::Failover(path), Duration::ZERO, step);
        }
    }

    /// Goes up the ladder, if that is possible now.
    fn climb(&mut self, now: Moment) -> bool {
        if self.hold.is_some() {
            return false;
        }
        let has_end = self.settings.failover_video.is_some();
        let is_point = std::mem::take(&mut self.is_natural_point);
        let mut ladder = self.ladder.clone();
        let has_content = || self.playout.paused().is_some() || self.pick(now).is_some();
        let up = ladder.way_up(now, is_point, has_end, has_content);
        self.ladder = ladder;
        if let Some(rung) = up {
            self.playout.stop();
            self.because(now, Why::new(Reason::ContentRecovered).with("rung", rung.as_str()));
        }
        up.is_some()
    }

    fn pick(&self, now: Moment) -> Option<ContentSource> {
        self.playout.pick(&self.schedule, &self.library, now, self.hold.is_some())
    }

    fn play(&mut self, now: Moment, item: Item, position: Duration, step: &mut Step) {
        let is_scene =
            matches!(&item, Item::Content(source) if source.kind() == ContentKind::SceneComposition);
        let mut choice = self.why.choice(Subject::Content, None, item.place());
        if !position.is_zero() {
            choice.numbers.insert("position_ms".to_owned(), millis(position).into());
        }
        step.choices.push(choice);
        self.playout.play(now, item, position, &self.library);
        self.picture.forget();
        if !is_scene {
            step.commands.extend(self.playout.current().cloned().map(Command::Play));
        }
    }
}
