//! Which scene is on air.

use std::time::Duration;

use super::content::Stage;
use super::wanted::Wanted;
use super::{Command, Director, Step};
use crate::domain::millis;
use crate::domain::studio::content::Media;
use crate::domain::studio::decision::{DecisionKind, Reason, Subject, Why};
use crate::domain::studio::model::{SceneName, ScenePurpose};
use crate::domain::studio::moment::Moment;
use crate::domain::studio::playout::Item;
use crate::domain::studio::record::{Record, Transition, TransitionKind};

/// A change of the scene is confirmed within this time, or has failed (FR-007).
const CONFIRM_WITHIN: Duration = Duration::from_secs(2);

impl Director {
    /// The scene that automation wants.
    fn target_scene(&self) -> SceneName {
        let purpose = match self.target() {
            Stage::Content => match self.playout.current().map(|play| &play.item) {
                Some(Item::Content(source)) => match &source.media {
                    Media::SceneComposition { scene } => return scene.clone(),
                    Media::VideoFile { .. } | Media::LiveInput { .. } => ScenePurpose::Automated,
                },
                _ => ScenePurpose::Automated,
            },
            Stage::Failover => ScenePurpose::Failover,
            Stage::TechnicalDifficulties | Stage::Foreign => ScenePurpose::TechnicalDifficulties,
            Stage::Owner => ScenePurpose::Owner,
            Stage::GoingLiveSoon => ScenePurpose::GoingLiveSoon,
        };
        self.settings.scenes.name(purpose).clone()
    }

    pub(super) fn choose_scene(&mut self, now: Moment, step: &mut Step) {
        let target = self.target_scene();
        let scene = match &self.hold {
            None => Some(target),
            Some(hold) => {
                let by = hold.by.clone();
                let held = hold.scene.clone().or_else(|| self.scene.clone());
                self.refuse(&target, &by, step);
                held
            }
        };
        // Without a scene that was seen or ordered, a hold leaves everything as it is.
        let Some(scene) = scene else { return };
        if self.wanted.as_ref().is_none_or(|wanted| wanted.scene != scene) {
            self.want(now, scene, step);
        } else if self.hold.is_none() && self.was_changed_in_obs() {
            self.because(now, Why::new(Reason::ChangedInObs));
            self.want(now, scene, step);
        }
        self.send_switch(now, step);
    }

    fn was_changed_in_obs(&self) -> bool {
        let Some(wanted) = self.wanted.as_ref().filter(|wanted| wanted.is_confirmed) else { return false };
        self.scene.as_ref().is_some_and(|scene| *scene != wanted.scene)
    }

    /// Says once that a hold keeps automation from a scene.
    fn refuse(&mut self, target: &SceneName, by: &str, step: &mut Step) {
        let is_on_air = self.scene.as_ref() == Some(target);
        if is_on_air || self.refused.as_ref() == Some(target) {
            return;
        }
        self.refused = Some(target.clone());
        let from = self.scene.as_ref().map(ToString::to_string);
        let mut choice = self.why.clone().by(by).choice(Subject::Scene, from, target.as_str());
        choice.kind = DecisionKind::Refused;
        step.choices.push(choice);
    }

    fn want(&mut self, now: Moment, scene: SceneName, step: &mut Step) {
        let is_confirmed = self.scene.as_ref() == Some(&scene);
        let before = self.wanted.take().map(|wanted| wanted.scene);
        let from = self.scene.clone().or(before);
        let purpose = |scene: &SceneName| self.settings.scenes.purpose(scene);
        let is_owner = |scene: &SceneName| {
            matches!(purpose(scene), Some(ScenePurpose::Owner | ScenePurpose::GoingLiveSoon))
        };
        let from_owner = from.as_ref().is_some_and(is_owner);
        let kind = match purpose(&scene) {
            Some(ScenePurpose::Owner | ScenePurpose::GoingLiveSoon) => TransitionKind::ToOwner,
            _ if from_owner => TransitionKind::FromOwner,
            Some(ScenePurpose::Failover | ScenePurpose::TechnicalDifficulties) => TransitionKind::Failover,
            _ if self.why.reason == Reason::ContentRecovered => TransitionKind::Return,
            _ => TransitionKind::Other,
        };
        let kind = if self.hold.is_some() { TransitionKind::Other } else { kind };
        let is_faded = from_owner || is_owner(&scene);
        let fade = if is_faded { self.settings.owner.fade } else { Duration::ZERO };
        if !is_confirmed {
            let from = from.as_ref().map(ToString::to_string);
            step.choices.push(self.why.choice(Subject::Scene, from, scene.as_str()));
        }
        let noticed = self.noticed.unwrap_or(now);
        let (decided, sent_at) = (now, None);
        self.wanted = Some(Wanted { scene, is_confirmed, from, fade, kind, noticed, decided, sent_at });
        self.picture.forget();
    }

    /// Sends the command to switch, and sends it again if OBS does not confirm.
    fn send_switch(&mut self, now: Moment, step: &mut Step) {
        let scene = self.scene.as_ref();
        let Some(wanted) = &mut self.wanted else { return };
        if wanted.is_confirmed || scene == Some(&wanted.scene) {
            return;
        }
        let is_late = match wanted.sent_at {
            None => false,
            Some(sent_at) if now.since(sent_at) < CONFIRM_WITHIN + wanted.fade => return,
            Some(_) => true,
        };
        if is_late {
            let why = Why::new(Reason::NotConfirmed).with("waited_ms", millis(now.since(wanted.decided)));
            let from = scene.map(ToString::to_string);
            let mut choice = why.choice(Subject::Scene, from, wanted.scene.as_str());
            choice.kind = DecisionKind::Failed;
            step.choices.push(choice);
        }
        wanted.sent_at = Some(now);
        step.commands.push(Command::SwitchScene { scene: wanted.scene.clone(), fade: wanted.fade });
    }

    /// A scene is on air.
    pub(super) fn scene_changed(&mut self, now: Moment, scene: SceneName, step: &mut Step) {
        let has_changed = self.scene.as_ref() != Some(&scene);
        self.scene = Some(scene.clone());
        if has_changed {
            self.picture.forget();
        }
        let is_held = self.hold.is_some();
        let Some(wanted) = &mut self.wanted else { return };
        if wanted.scene != scene {
            if is_held && wanted.is_confirmed {
                // A person changed the scene that is held: the new one is held from now on.
                wanted.scene = scene.clone();
                if let Some(hold) = &mut self.hold {
                    hold.scene = Some(scene);
                }
            }
            return;
        }
        if wanted.is_confirmed {
            return;
        }
        wanted.is_confirmed = true;
        let transition = Transition {
            kind: wanted.kind,
            from: wanted.from.as_ref().map(ToString::to_string),
            to: scene.to_string(),
            noticed_at: wanted.noticed.at,
            decided_at: wanted.decided.at,
            took_ms: millis(now.since(wanted.decided)),
            total_ms: millis(now.since(wanted.noticed)),
        };
        step.records.push(Record::Transition(transition));
    }
}
