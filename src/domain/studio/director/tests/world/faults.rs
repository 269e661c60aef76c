//! What goes wrong in the simulated world, and what happened in it.

use std::time::Duration;

use super::{Event, Obs, World, scene};
use crate::domain::Timestamp;
use crate::domain::studio::director::{Change, Command};
use crate::domain::studio::{
    Cause, Hold, Ledger, Observation, OwnerSignal, Record, SceneName, SourceName, StreamEvent, Transition,
};

impl World {
    pub(in super::super) fn kill(&mut self) {
        self.obs = Obs { scene: self.obs.scene.take(), ..Obs::default() };
        self.queue.clear();
        self.judge();
        self.see(Observation::ProcessEnded);
    }

    pub(in super::super) fn freeze(&mut self, is_frozen: bool) {
        self.obs.frozen = is_frozen && self.obs.runs;
        self.judge();
        self.busy_until = self.now + 120_000;
    }

    /// The WebSocket server of OBS is turned off, or on; the stream continues.
    pub(in super::super) fn hide(&mut self, is_hidden: bool) {
        self.obs.hidden = is_hidden;
        if is_hidden {
            self.see(Observation::Disconnected);
        } else {
            self.connect();
        }
    }

    pub(in super::super) fn drop_rtmp(&mut self, millis: u64) {
        if self.obs.live.is_none() || self.obs.frozen {
            return;
        }
        self.obs.live = None;
        self.obs.reconnecting = true;
        self.judge();
        self.later(30, Event::Stream(StreamEvent::Reconnecting));
        self.later(millis, Event::PlatformBack);
        self.busy_until = self.now + millis + 120_000;
    }

    pub(in super::super) fn owner(&mut self, enabled: bool) {
        self.is_owner_enabled = enabled;
        self.busy_until = self.busy_until.max(self.now + 60_000);
        self.see_owner();
    }

    pub(super) fn see_owner(&mut self) {
        let source = SourceName::parse("Camera").unwrap();
        let signal = OwnerSignal::Enabled(self.is_owner_enabled);
        self.see(Observation::OwnerSource { source, signal });
    }

    pub(in super::super) fn switch_by_hand(&mut self, name: &str) {
        self.on(Event::Scene(scene(name)));
    }

    pub(in super::super) fn hold(&mut self, name: Option<&str>, until: Option<u64>) {
        let since = self.moment().at;
        let until = until.map(|millis| since.plus(Duration::from_millis(millis)));
        let reason = Some("match is late".to_owned());
        self.change(Change::Hold(Hold { since, until, scene: name.map(scene), by: "ann".into(), reason }));
    }

    /// Streamward ends for a time, and OBS with it if the machine does.
    pub(in super::super) fn streamward_off(&mut self, millis: u64, machine_too: bool) {
        self.change(Change::Tick);
        self.director = None;
        if machine_too {
            self.obs = Obs { scene: self.obs.scene.take(), ..Obs::default() };
            self.queue.clear();
            self.judge();
        }
        let heartbeat = self.ledger.heartbeat();
        self.run(millis);
        let downtimes = self.downtimes.values().copied().collect();
        self.ledger = Ledger::restored(self.sessions.clone(), downtimes, heartbeat);
        self.boot();
    }

    pub(in super::super) fn scene_name(&self) -> &str {
        self.obs.scene.as_ref().map_or("", SceneName::as_str)
    }

    /// The downtimes: cause, and from when to when in ms.
    pub(in super::super) fn downtimes(&self) -> Vec<(Cause, u64, Option<u64>)> {
        let millis = |at: Timestamp| u64::try_from(at.since(self.start).as_millis()).unwrap();
        self.downtimes
            .values()
            .map(|one| (one.cause, millis(one.started_at), one.ended_at.map(millis)))
            .collect()
    }

    pub(in super::super) fn transitions(&self) -> Vec<Transition> {
        let all = self.records.iter();
        all.filter_map(|record| match record {
            Record::Transition(transition) => Some(transition.clone()),
            _ => None,
        })
        .collect()
    }

    /// The commands of a kind, and when they came.
    pub(in super::super) fn sent(&self, is_wanted: fn(&Command) -> bool) -> Vec<u64> {
        self.commands.iter().filter(|(_, command)| is_wanted(command)).map(|(at, _)| *at).collect()
    }

    /// What was played, in order.
    pub(in super::super) fn played(&self) -> Vec<(String, u64)> {
        let plays = self.commands.iter().filter_map(|(_, command)| match command {
            Command::Play(play) => {
                Some((play.item.place().to_owned(), u64::try_from(play.position.as_millis()).unwrap()))
            }
            _ => None,
        });
        plays.collect()
    }
}
