//! Whether the picture and the sound on air are good.

use std::time::Duration;

use super::content::Stage;
use super::{Director, Step};
use crate::domain::millis;
use crate::domain::studio::failover::FailureKind;
use crate::domain::studio::moment::Moment;
use crate::domain::studio::record::Record;

impl Director {
    /// What is wrong with what is on air for too long, and since when.
    pub(super) fn blackout(&self, now: Moment) -> Option<(FailureKind, Moment)> {
        let health = &self.settings.health;
        let black = (self.picture.black.zip(health.black_after), FailureKind::Black);
        let silent = (self.picture.silent.zip(health.silent_after), FailureKind::Silent);
        // An owner or a person may be silent.
        let listens = matches!(self.stage(), Stage::Content | Stage::Failover);
        let found = |(timer, kind): (Option<(Moment, Duration)>, FailureKind)| {
            let (since, most) = timer?;
            (now.since(since) >= most).then_some((kind, since))
        };
        found(black).or_else(|| found(silent).filter(|_| listens))
    }

    /// Says when the picture is good again.
    pub(super) fn judge_picture(&mut self, now: Moment, step: &mut Step) {
        let stage = self.stage();
        if stage == Stage::TechnicalDifficulties {
            self.picture.is_bad_since(now);
            return;
        }
        if let Some((_, since)) = self.blackout(now) {
            self.picture.is_bad_since(since);
            return;
        }
        let is_confirmed = self.wanted.as_ref().is_some_and(|wanted| wanted.is_confirmed);
        let needs_media =
            matches!(stage, Stage::Content | Stage::Failover) && self.playout.current().is_some();
        let has_media = !needs_media || self.playout.started().is_some();
        if !is_confirmed || !has_media {
            return;
        }
        let recovered = self.picture.bad.take();
        if recovered.is_some() {
            self.picture.good_since = now.at;
        }
        let Some(mut event) = self.failover.take() else { return };
        if let Some(bad) = recovered {
            event.recovered_ms.get_or_insert(millis(now.since(bad)));
        }
        if stage == Stage::Content {
            event.ended_at = Some(now.at);
        }
        let has_ended = event.ended_at.is_some();
        if recovered.is_some() || has_ended {
            step.records.push(Record::Failover(event.clone()));
        }
        self.failover = Some(event).filter(|_| !has_ended);
    }
}
