//! A drill: makes a failure, and measures when it was noticed and when all was well again.

use std::time::Duration;

use super::outside::{Message, Outside};
use super::player::Playing;
use super::scenes;
use crate::domain::millis;
use crate::domain::studio::{Choice, DecisionKind, Drill, DrillKind, DrillReport, DrillState, Moment, OnAir};
use crate::ports::obs_values::MediaLocation;

/// A failure that was not noticed after this time will not be.
const NOTICED_WITHIN: Duration = Duration::from_secs(30);
/// What is not well after this time is a failure of its own.
const RECOVERED_WITHIN: Duration = Duration::from_secs(120);
/// Good is what is good for this long: two failures can follow each other.
const GOOD_FOR: Duration = Duration::from_secs(1);

/// The drill that is carried out.
#[derive(Debug)]
pub(super) struct Drilling {
    pub(super) drill: Drill,
    /// When the making of the failure began. OBS can announce the failure before it answers the request that makes it.
    began: Moment,
    is_made: bool,
    /// Since when all is well again.
    good: Option<Moment>,
    report: DrillReport,
}

impl Drilling {
    pub(super) fn new(drill: Drill, now: Moment) -> Self {
        let drill = Drill { state: DrillState::Running, started_at: Some(now.at), ..drill };
        let report = DrillReport::default();
        Self { drill, began: now, is_made: false, good: None, report }
    }

    /// The failure was made, or could not be.
    pub(super) fn made(&mut self, now: Moment, result: Result<(), String>) {
        match result {
            Ok(()) => self.is_made = true,
            Err(why) => self.end(now, Some(why)),
        }
    }

    /// Something was decided meanwhile.
    pub(super) fn decided(&mut self, now: Moment, choice: &Choice) {
        self.report.reasons.push(choice.reason);
        if choice.kind != DecisionKind::Refused {
            self.notice(now);
        }
    }

    fn notice(&mut self, now: Moment) {
        self.report.noticed_ms.get_or_insert_with(|| millis(now.since(self.began)));
    }

    /// How it continues. Returns whether it has ended.
    pub(super) fn advance(&mut self, now: Moment, on_air: OnAir, plays: bool) -> bool {
        if matches!(on_air, OnAir::Bad { .. }) {
            self.notice(now);
        }
        if !self.is_made {
            return !self.drill.is_open();
        }
        let is_good = matches!(on_air, OnAir::Good { .. }) && plays && self.report.noticed_ms.is_some();
        match (is_good, self.good) {
            (false, _) => self.good = None,
            (true, None) => self.good = Some(now),
            (true, Some(good)) if now.since(good) >= GOOD_FOR => {
                self.report.recovered_ms = Some(millis(good.since(self.began)));
                self.end(now, None);
                return true;
            }
            (true, Some(_)) => {}
        }
        let passed = now.since(self.began);
        if self.report.noticed_ms.is_none() && passed >= NOTICED_WITHIN {
            self.end(now, Some("nothing was noticed within 30 s".to_owned()));
        } else if passed >= RECOVERED_WITHIN {
            self.end(now, Some("it was not well again within 120 s".to_owned()));
        }
        !self.drill.is_open()
    }

    /// Ends it before it is done.
    pub(super) fn stop(&mut self, now: Moment) {
        if self.drill.is_open() {
            self.end(now, Some("the supervisor stopped meanwhile".to_owned()));
        }
    }

    fn end(&mut self, now: Moment, error: Option<String>) {
        self.drill.state = if error.is_some() { DrillState::Failed } else { DrillState::Done };
        self.drill.ended_at = Some(now.at);
        self.drill.error = error;
        self.drill.report = Some(self.report.clone());
    }
}

/// Makes the failure, and tells the result.
pub(super) async fn make(outside: Outside, kind: DrillKind, playing: Option<Playing>) {
    let made = match kind {
        DrillKind::ContentFailure => break_content(&outside, playing).await,
        DrillKind::ObsHang => match &outside.setup.launcher {
            Some(launcher) => launcher.freeze().await.map_err(|error| error.to_string()),
            None => Err("Streamward cannot restart this OBS: configure `launch`".to_owned()),
        },
        DrillKind::RtmpDrop => match &outside.setup.arrival {
            Some(arrival) => arrival.disconnect().await.map_err(|error| format!("the far end {error}")),
            None => Err("nothing can end the connection at the far end: configure `probe`".to_owned()),
        },
    };
    outside.send(Message::Drilled(made)).await;
}

async fn break_content(outside: &Outside, playing: Option<Playing>) -> Result<(), String> {
    let Some(playing) = playing else { return Err("no content plays".to_owned()) };
    let missing = MediaLocation::File("/this file does not exist (drill)".to_owned());
    let broken = outside.setup.obs.set_media(&playing.input, &scenes::media(missing)).await;
    broken.map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::Map;
    use uuid::Uuid;

    use super::*;
    use crate::domain::Timestamp;
    use crate::domain::studio::{DrillId, Reason, StudioId, Subject};

    fn at(millis: u64) -> Moment {
        let elapsed = Duration::from_millis(millis);
        Moment { at: Timestamp::from_seconds(0).plus(elapsed), elapsed }
    }

    fn drilling() -> Drilling {
        let drill = Drill {
            id: DrillId(Uuid::nil()),
            studio: StudioId(Uuid::nil()),
            kind: DrillKind::ContentFailure,
            state: DrillState::Requested,
            by: "ann".to_owned(),
            created_at: Timestamp::from_seconds(0),
            started_at: None,
            ended_at: None,
            report: None,
            error: None,
        };
        Drilling::new(drill, at(0))
    }

    fn content_failed() -> Choice {
        Choice {
            subject: Subject::Content,
            from: None,
            to: "two".to_owned(),
            kind: DecisionKind::Done,
            reason: Reason::ContentFailed,
            by: None,
            numbers: Map::new(),
        }
    }

    #[test]
    fn failure_announced_before_the_answer_counts() {
        let (mut drilling, good) = (drilling(), OnAir::Good { since: Timestamp::from_seconds(0) });
        drilling.decided(at(3), &content_failed());
        assert!(!drilling.advance(at(4), good, true), "the request is not answered");
        drilling.made(at(5), Ok(()));
        assert!(!drilling.advance(at(200), good, true));
        assert!(drilling.advance(at(1200), good, true));
        let report = drilling.drill.report.expect("a report");
        assert_eq!((report.noticed_ms, report.recovered_ms), (Some(3), Some(200)));
        assert_eq!(report.reasons, [Reason::ContentFailed]);
        assert_eq!((drilling.drill.state, drilling.drill.error), (DrillState::Done, None));
    }

    #[test]
    fn failure_that_nobody_notices_fails_the_drill() {
        let (mut drilling, good) = (drilling(), OnAir::Good { since: Timestamp::from_seconds(0) });
        drilling.made(at(5), Ok(()));
        assert!(!drilling.advance(at(29_999), good, true));
        assert!(drilling.advance(at(30_000), good, true));
        assert_eq!(drilling.drill.state, DrillState::Failed);
    }

    #[test]
    fn failure_that_cannot_be_made_fails_the_drill() {
        let mut drilling = drilling();
        drilling.made(at(5), Err("no content plays".to_owned()));
        assert!(drilling.advance(at(6), OnAir::Off, true));
        assert_eq!(drilling.drill.error.as_deref(), Some("no content plays"));
    }
}
