//! What a supervisor sees, for everybody who asks.

use super::supervisor::Supervisor;
use crate::domain::millis;
use crate::domain::studio::{Item, Moment, NowPlaying, Paused, Snapshot};

impl Supervisor {
    pub(super) fn snapshot(&self, now: Moment) -> Snapshot {
        let status = self.director.status(now);
        let rates = self.meter.rates();
        let (far_end, far_end_kbps) = status.far_end;
        let content = status.play.as_ref().map(|play| {
            let (name, kind, length) = match &play.item {
                Item::Content(source) => {
                    (source.name.to_string(), Some(source.kind()), self.library.duration(source))
                }
                Item::Failover(path) => (path.clone(), None, None),
            };
            NowPlaying {
                name,
                kind,
                place: play.item.place().to_owned(),
                since: self.director.playing_since(now).filter(|_| status.is_playing),
                length_ms: length.map(millis),
            }
        });
        let paused = status.paused.map(|(name, position)| Paused { name, position_ms: millis(position) });
        Snapshot {
            at: now.at,
            heartbeat: self.ledger.heartbeat(),
            link: status.link,
            link_problem: self.problem.as_ref().map(ToString::to_string),
            obs_version: self.version.clone(),
            stream: status.stream,
            streaming: self.director.streaming(),
            connection: self.director.connection(now, rates),
            far_end,
            far_end_kbps,
            bitrate_kbps: rates.bitrate_kbps,
            dropped_percent: rates.dropped_percent,
            cpu_percent: self.stats.map(|stats| stats.cpu_percent).unwrap_or_default(),
            scene: status.scene.as_ref().map(ToString::to_string),
            purpose: status.purpose,
            reason: status.reason,
            content,
            next: self.director.next_content(now).map(|source| source.name.to_string()),
            paused,
            owner: status.owner,
            rung: status.rung,
            restarts: status.restarts,
            alerts: status.alerts,
            preflight: self.checks.last.clone(),
            nothing_to_play_at: self.nothing_to_play_at,
        }
    }
}
