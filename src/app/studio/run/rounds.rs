//! What a supervisor does as time passes.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use super::checks;
use super::drill::{self, Drilling};
use super::orders;
use super::outside::Orders;
use super::preflight;
use super::supervisor::Supervisor;
use crate::domain::studio::{
    Change, ConnectionStatus, ContentSource, Desired, Drill, DrillState, HealthSample, LinkState, Moment,
    Schedule, Studio, StudioStatus,
};

use crate::ports::StoreError;

use super::supervisor::{AHEAD, HISTORY, PLAN, READ, STORE};

/// OBS that is gone for this long has to pass the checks again.
const GONE: Duration = Duration::from_secs(30);

impl Supervisor {
    /// Time passed.
    pub(super) fn tick(&mut self) {
        if self.read.is_none_or(|read| read.elapsed() >= READ) {
            self.read_orders();
        }
        self.change(Change::Tick);
        let now = self.now();
        let status = self.director.status(now);
        self.announce(&status);
        self.read_what_matters(&status);
        self.check(now, &status);
        self.drill(now, &status);
        if self.planned.is_none_or(|planned| planned.elapsed() >= PLAN) {
            self.plan(now);
        }
        self.sample(now, &status);
        if self.stored.elapsed() >= STORE {
            self.stored = Instant::now();
            let snapshot = self.snapshot(now);
            self.show(&status);
            self.reports.store(snapshot);
        }
    }

    /// Reads what persons ordered, beside everything else: a slow database must not hold up the studio.
    fn read_orders(&mut self) {
        if self.is_reading {
            return;
        }
        (self.read, self.is_reading) = (Some(Instant::now()), true);
        self.parts.spawn(orders::read(self.outside.clone(), Arc::clone(&self.core), self.studio.id));
    }

    /// Takes what persons ordered. If it could not be read, all continues as it is.
    pub(super) fn orders(&mut self, read: Result<Box<Orders>, StoreError>) {
        self.is_reading = false;
        match read {
            Ok(orders) => {
                if let Some(studio) = orders.studio {
                    self.take_orders(studio);
                }
                // The end of the last one may not be stored yet.
                if let Some(open) = orders.drill
                    && self.last_drill != Some(open.id)
                {
                    self.last_drill = Some(open.id);
                    self.begin_drill(open);
                }
            }
            Err(error) => {
                tracing::debug!(studio = %self.studio.name, %error, "orders cannot be read; the studio continues");
            }
        }
    }

    fn take_orders(&mut self, studio: Studio) {
        let before = std::mem::replace(&mut self.studio, studio);
        let has_platform = self.outside.setup.platform.is_some();
        let desired = self.studio.desired(has_platform);
        if before.desired(has_platform) != desired {
            let by = self.studio.desired_by.clone().unwrap_or_default();
            match desired {
                Desired::OnAir => {
                    self.checks.require();
                    self.change(Change::Preflight(false));
                    self.change(Change::Start { by });
                }
                Desired::Stopped => self.change(Change::Stop { by }),
            }
        }
        if before.schedule != self.studio.schedule {
            let zone = self.outside.setup.settings.time_zone;
            let content = before.schedule.map(|schedule| schedule.content).unwrap_or_default();
            self.schedule = self.studio.schedule.clone().unwrap_or_else(|| Schedule::empty(zone));
            for source in self.schedule.content.clone() {
                let is_other = |one: &ContentSource| one.name == source.name && one.media != source.media;
                if content.iter().any(is_other) {
                    // The same name for another file.
                    self.library.forget(&source.name);
                    self.change(Change::Forgotten(source.name.clone()));
                }
            }
            self.planned = None;
            self.change(Change::Schedule(self.schedule.clone()));
        }
        if before.hold != self.studio.hold {
            match self.studio.hold.clone() {
                Some(hold) => self.change(Change::Hold(hold)),
                None => {
                    // A hold that expired has ended in the director already.
                    let by = before.hold.map(|hold| hold.by).unwrap_or_default();
                    self.change(Change::Release { by });
                }
            }
        }
    }

    /// Says what changed and a person may have to know.
    fn announce(&mut self, status: &StudioStatus) {
        if self.link != status.link {
            self.link = status.link;
            let problem = self.problem.as_ref().map(ToString::to_string);
            self.reports.connection(status.link, problem);
        }
        let before = std::mem::replace(&mut self.alerts, status.alerts.clone());
        for alert in &status.alerts {
            if !before.contains(alert) {
                self.reports.alerted(*alert, true);
            }
        }
        for alert in before {
            if !status.alerts.contains(&alert) {
                self.reports.alerted(alert, false);
            }
        }
    }

    /// Tells the observer what matters now.
    fn read_what_matters(&mut self, status: &StudioStatus) {
        let is_on_air = status.desired == Desired::OnAir;
        self.outside.setup.obs.measure_audio(is_on_air);
        let turn = status.play.as_ref().map(|play| play.turn);
        self.reading.send_if_modified(|reading| {
            let before = reading.clone();
            reading.scene.clone_from(&status.scene);
            reading.is_on_air = is_on_air;
            // What was interrupted does not matter any more.
            reading.playing =
                reading.playing.take().filter(|playing| turn.is_none_or(|turn| playing.turn >= turn));
            *reading != before
        });
    }

    /// Makes the checks that are due.
    fn check(&mut self, now: Moment, status: &StudioStatus) {
        if status.desired != Desired::OnAir {
            return;
        }
        if let Some(problem) = &self.problem {
            // OBS that is restarted meanwhile starts its stream without waiting for the checks.
            let is_long = self.gone.is_some_and(|gone| now.since(gone) >= GONE);
            if status.link != LinkState::Unknown && self.checks.is_due_without_obs(now, is_long) {
                let found = preflight::without_obs(problem);
                self.checks.done_without_obs();
                self.checked(now, &found);
            }
            return;
        }
        let Some(version) = self.version.clone() else { return };
        if let Some(job) = self.checks.next(now, &version, (&self.schedule, &self.library)) {
            self.parts.spawn(checks::make(self.outside.clone(), job));
        }
    }

    fn begin_drill(&mut self, open: Drill) {
        let now = self.now();
        let open_state = open.state;
        let mut drilling = Drilling::new(open, now);
        if open_state != DrillState::Requested {
            drilling.stop(now);
        } else {
            tracing::warn!(studio = %self.studio.name, drill = %drilling.drill.kind, by = drilling.drill.by, "a drill begins");
            let playing = self.reading.borrow().playing.clone();
            self.parts.spawn(drill::make(self.outside.clone(), drilling.drill.kind, playing));
        }
        self.reports.waiting().drill = Some(drilling.drill.clone());
        self.drilling = Some(drilling);
    }

    fn drill(&mut self, now: Moment, status: &StudioStatus) {
        let on_air = self.director.on_air(now);
        let Some(drilling) = &mut self.drilling else { return };
        if drilling.advance(now, on_air, status.is_playing || status.play.is_none()) {
            let report = drilling.drill.report.as_ref();
            tracing::warn!(studio = %self.studio.name, noticed_ms = report.and_then(|report| report.noticed_ms), recovered_ms = report.and_then(|report| report.recovered_ms), error = drilling.drill.error, "a drill has ended");
            self.reports.waiting().drill = Some(drilling.drill.clone());
            self.drilling = None;
        }
    }

    /// Says when nothing can be played, long before.
    fn plan(&mut self, now: Moment) {
        self.planned = Some(Instant::now());
        self.ledger.forget_before(now.at.minus(HISTORY));
        let before = self.nothing_to_play_at;
        let nothing = self.schedule.nothing_to_play(&self.library, now.at, now.at.plus(AHEAD));
        self.nothing_to_play_at =
            nothing.filter(|_| !self.schedule.content.is_empty()).map(|time| time.from.max(now.at));
        if let (None, Some(at)) = (before, self.nothing_to_play_at) {
            let at = self.schedule.time_zone.rfc3339(at);
            tracing::warn!(studio = %self.studio.name, at, "nothing in the schedule can be played then; add content");
        }
    }

    fn sample(&mut self, now: Moment, status: &StudioStatus) {
        let interval = self.outside.setup.settings.health.interval;
        if self.sampled.is_some_and(|sampled| now.since(sampled) < interval) {
            return;
        }
        self.sampled = Some(now);
        let rates = self.meter.rates();
        let connection = self.director.connection(now, rates);
        if connection == ConnectionStatus::Degraded {
            tracing::warn!(
                studio = %self.studio.name, dropped_percent = rates.dropped_percent, bitrate_kbps = rates.bitrate_kbps,
                "the stream is degraded: OBS drops frames, or too little arrives; check the upload of this place"
            );
        }
        self.reports.sampled(HealthSample {
            at: now.at,
            bitrate_kbps: rates.bitrate_kbps,
            dropped_percent: rates.dropped_percent,
            cpu_percent: self.stats.map(|stats| stats.cpu_percent).unwrap_or_default(),
            scene: status.scene.as_ref().map(ToString::to_string),
            source: self.director.current_content().map(str::to_owned),
            connection,
            streaming: self.director.streaming(),
        });
    }

    /// For `/tasks`.
    fn show(&self, status: &StudioStatus) {
        self.context.show(json!({
            "studio": self.studio.name, "desired": status.desired, "obs": status.link, "stream": status.stream,
            "scene": status.scene, "content": self.director.current_content(),
        }));
    }
}
