//! What each observation means.

use super::{Director, Step};
use crate::domain::studio::moment::Moment;
use crate::domain::studio::observation::{Observation, StreamEvent, Turn};
use crate::domain::studio::output::StreamState;
use crate::domain::studio::playout::Ended;
use std::time::Duration;

impl Director {
    pub(super) fn take_observation(&mut self, now: Moment, observation: Observation, step: &mut Step) {
        match observation {
            Observation::Connected => {
                self.lost = self.lost.or(self.link.lost());
                self.link.connected(now);
                // OBS has to report its state: events are not repeated.
                self.output.forget();
                (self.is_synced, self.scene) = (false, None);
            }
            Observation::Disconnected => {
                self.link.disconnected(now);
                self.out_of_sight(now);
            }
            Observation::ProcessEnded => {
                self.link.process_ended(now);
                self.out_of_sight(now);
            }
            Observation::Answered => self.link.answered(now),
            Observation::Unanswered { sent } => self.link.unanswered(sent),
            Observation::Stream(event) => self.stream_event(now, event),
            Observation::StreamStatus(sample) => {
                self.link.answered(now);
                let was = self.output.state();
                self.sample(now, sample);
                self.note_live(was);
            }
            Observation::Scene(scene) => self.scene_changed(now, scene, step),
            Observation::MediaStarted { turn, duration } => {
                self.playout.media_started(now, turn, duration);
                if self.playout.current().is_some_and(|play| play.turn == turn) {
                    self.picture.forget();
                }
            }
            Observation::MediaEnded { turn, duration } => self.media_ended(now, turn, duration, step),
            Observation::Picture(luminance) => {
                let is_black = luminance < self.settings.health.black_luminance;
                self.picture.see(now, is_black);
            }
            Observation::Sound(db) => self.picture.hear(now, db < self.settings.health.silent_db),
            Observation::OwnerSource { source, signal } => self.owner.signal(now, source, signal),
            Observation::OwnerPicture(luminance) => self.owner.picture(luminance),
            Observation::OwnerSound(db) => self.owner.sound(now, db),
            Observation::FarEnd(report) => self.far_end.report(now, report),
        }
    }

    fn out_of_sight(&mut self, now: Moment) {
        self.output.forget();
        self.is_synced = false;
        self.lost = self.link.lost().or(Some(now));
        self.scene = None;
        self.picture.forget();
    }

    fn stream_event(&mut self, now: Moment, event: StreamEvent) {
        let was = self.output.state();
        self.output.event(now, event);
        self.note_live(was);
    }

    /// Earlier answers of the far end say nothing of a stream that begins anew.
    fn note_live(&mut self, was: StreamState) {
        self.is_start_seen |= self.output.state() == StreamState::Starting;
        if self.output.state() == StreamState::Live {
            self.has_been_live = true;
            self.start_sent = None;
            if was != StreamState::Live && was != StreamState::Unknown {
                self.far_end.forget();
            }
        }
    }

    fn media_ended(&mut self, now: Moment, turn: Turn, duration: Option<Duration>, step: &mut Step) {
        // OBS ends also what leaves the air. What cannot be played fails wherever it is.
        if !self.is_synced || duration.is_some() && !self.plays_on_air() {
            return;
        }
        match self.playout.media_ended(now, turn, duration) {
            Some(Ended::Finished) => self.content_ended(now),
            Some(Ended::Failed(kind)) => self.content_failed(now, kind, now, step),
            None => {}
        }
    }
}
