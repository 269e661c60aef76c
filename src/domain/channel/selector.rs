//! What is on air: the cut rules, as a state machine without I/O and clock. Times are since the programme's start.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::decision::{DecisionKind, Reason, Source};
use super::settings::{Failover, Mode};
use super::status::InputState;
use crate::domain::millis;
use grace::Grace;
use live::Live;

mod grace;
mod live;
#[cfg(test)]
mod tests;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The live encoder connected.
    LiveConnected,
    /// The live encoder disconnected.
    LiveEnded,
    /// A video frame of the live input came.
    LiveVideo {
        /// Whether a decoder can begin with it.
        keyframe: bool,
        /// Its size.
        bytes: u32,
    },
    /// Whether the live input's profile forbids that it goes on air.
    LiveMismatch(bool),
    /// Whether the backup can be played.
    BackupAvailable(bool),
    /// Who chooses.
    Mode(Mode),
    /// A hold has expired: the rules choose again.
    HoldExpired,
    /// Whether a rehearsal treats the live input as lost.
    Rehearsal(bool),
    /// New rules.
    Rules(Failover),
    /// Time passed.
    Tick,
}

/// What was decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// What was on air; `None` at the start.
    pub from: Option<Source>,
    /// What is to be on air.
    pub to: Source,
    /// Whether it goes on air.
    pub kind: DecisionKind,
    /// Why.
    pub reason: Reason,
    /// The figures behind it.
    pub numbers: Map<String, Value>,
}

/// Decides what is on air.
#[derive(Clone, Debug)]
pub struct Selector {
    rules: Failover,
    mode: Mode,
    /// Whether the mode changed and nothing was decided since.
    mode_is_new: bool,
    /// Why it has this mode.
    mode_reason: Reason,
    live: Option<Live>,
    live_mismatches: bool,
    live_is_cut: bool,
    /// Whether it was decided that the live input does not go on air for its profile.
    mismatch_is_decided: bool,
    backup_is_available: bool,
    grace: Grace,
    on_air: Option<Source>,
}

impl Selector {
    /// A programme that has not begun: its first choice is made at the first change.
    pub fn new(rules: Failover, mode: Mode, backup_is_available: bool) -> Self {
        Self {
            rules,
            mode,
            mode_is_new: false,
            mode_reason: Reason::Operator,
            live: None,
            live_mismatches: false,
            live_is_cut: false,
            mismatch_is_decided: false,
            backup_is_available,
            grace: Grace::default(),
            on_air: None,
        }
    }

    /// What is on air.
    pub fn on_air(&self) -> Option<Source> {
        self.on_air
    }

    /// Takes a change at `now`, and says what it means for what is on air.
    pub fn handle(&mut self, now: Duration, change: Change) -> Option<Choice> {
        let mut is_keyframe = false;
        match change {
            Change::LiveConnected => {
                self.live = Some(Live::new(now));
                self.live_mismatches = false;
                self.mismatch_is_decided = false;
            }
            Change::LiveEnded => self.live = None,
            Change::LiveVideo { keyframe, bytes } => {
                is_keyframe = keyframe;
                let live = self.live.get_or_insert_with(|| Live::new(now));
                live.frame(now, keyframe, bytes, &self.rules);
            }
            Change::LiveMismatch(mismatches) => {
                self.live_mismatches = mismatches;
                self.mismatch_is_decided &= mismatches;
            }
            Change::BackupAvailable(is_available) => self.backup_is_available = is_available,
            Change::Mode(mode) => self.set_mode(mode, Reason::Operator),
            Change::HoldExpired => self.set_mode(Mode::Auto, Reason::HoldExpired),
            Change::Rehearsal(is_cut) => {
                if let Some(live) = self.live.as_mut().filter(|_| self.live_is_cut && !is_cut) {
                    live.doubt();
                }
                self.live_is_cut = is_cut;
            }
            Change::Rules(rules) => self.rules = rules,
            Change::Tick => {}
        }
        if let Some(live) = &mut self.live {
            live.advance(now, &self.rules);
        }
        let choice = self.choose(now, is_keyframe);
        // An operator's choice is carried out now, or at the next keyframe.
        self.mode_is_new &= self.live_is_due(now);
        choice
    }

    fn set_mode(&mut self, mode: Mode, reason: Reason) {
        if self.mode != mode {
            (self.mode, self.mode_reason) = (mode, reason);
            self.mode_is_new = true;
        }
    }

    /// When to call [`Selector::handle`] with [`Change::Tick`] at the latest. Always after the last `now`.
    pub fn next_deadline(&self) -> Option<Duration> {
        self.live.as_ref()?.next_deadline(&self.rules)
    }

    /// The state of the live input.
    pub fn live_state(&self, now: Duration) -> InputState {
        match &self.live {
            None => InputState::Absent,
            Some(_) if self.live_mismatches => InputState::Mismatch,
            Some(_) if self.on_air == Some(Source::Live) => InputState::OnAir,
            Some(live) if live.was_good_for(now) >= Some(self.grace.length(now, &self.rules)) => {
                InputState::Ready
            }
            Some(_) => InputState::Unstable,
        }
    }

    fn choose(&mut self, now: Duration, is_keyframe: bool) -> Option<Choice> {
        let Some(on_air) = self.on_air else {
            let first = if self.mode == Mode::Slate { Source::Slate } else { self.fallback() };
            return Some(self.cut(now, first, Reason::Start));
        };
        let (to, reason) = self.desired(now, on_air, is_keyframe);
        if to == on_air { self.refusal(now, on_air) } else { Some(self.cut(now, to, reason)) }
    }

    /// What is to be on air, and the reason if that is something else than now.
    fn desired(&self, now: Duration, on_air: Source, is_keyframe: bool) -> (Source, Reason) {
        let is_on_air = on_air == Source::Live;
        match (self.mode, self.trouble()) {
            (Mode::Slate, _) => (Source::Slate, Reason::Operator),
            (Mode::HoldBackup, _) => (self.fallback(), self.reason_of_fallback(on_air, Reason::Operator)),
            (_, Some(reason)) => (self.fallback(), self.reason_of_fallback(on_air, reason)),
            (_, None) if is_on_air => (on_air, Reason::LiveRecovered),
            // The last keyframe is kept: an operator does not wait for the next.
            (Mode::HoldLive, None) if self.mode_is_new && self.live_is_due(now) => {
                (Source::Live, Reason::Operator)
            }
            (_, None) if is_keyframe && self.live_is_due(now) => {
                (Source::Live, if self.mode_is_new { self.mode_reason } else { Reason::LiveRecovered })
            }
            (_, None) => (self.fallback(), self.reason_of_fallback(on_air, Reason::Operator)),
        }
    }

    /// What is on air without the live input.
    fn fallback(&self) -> Source {
        if self.backup_is_available { Source::Backup } else { Source::Slate }
    }

    fn reason_of_fallback(&self, on_air: Source, reason: Reason) -> Reason {
        match on_air {
            Source::Live => reason,
            _ if self.mode_is_new => self.mode_reason,
            Source::Backup => Reason::BackupUnavailable,
            // The mode "slate" ended.
            Source::Slate => Reason::BackupAvailable,
        }
    }

    /// Why the live input cannot be on air in this mode.
    fn trouble(&self) -> Option<Reason> {
        let Some(live) = &self.live else { return Some(Reason::LiveEnded) };
        if self.live_is_cut {
            return Some(Reason::Rehearsal);
        }
        if self.live_mismatches {
            return Some(Reason::LiveMismatch);
        }
        live.trouble().filter(|reason| self.mode != Mode::HoldLive || *reason == Reason::LiveStalled)
    }

    /// Whether the live input is to be on air from a keyframe on.
    fn live_is_due(&self, now: Duration) -> bool {
        let Some(live) = self.live.as_ref().filter(|_| self.trouble().is_none()) else { return false };
        match self.mode {
            Mode::HoldLive => live.has_keyframe(),
            Mode::Auto => live.was_good_for(now) >= Some(self.grace.length(now, &self.rules)),
            Mode::HoldBackup | Mode::Slate => false,
        }
    }

    /// The one decision that a live input of another profile gets.
    fn refusal(&mut self, now: Duration, on_air: Source) -> Option<Choice> {
        let wants_live = matches!(self.mode, Mode::Auto | Mode::HoldLive) && on_air != Source::Live;
        let is_due = wants_live && self.live.is_some() && self.live_mismatches && !self.live_is_cut;
        if !is_due || self.mismatch_is_decided {
            return None;
        }
        self.mismatch_is_decided = true;
        Some(Choice {
            from: Some(on_air),
            to: Source::Live,
            kind: DecisionKind::Refused,
            reason: Reason::LiveMismatch,
            numbers: self.numbers(now, Reason::LiveMismatch),
        })
    }

    fn cut(&mut self, now: Duration, to: Source, reason: Reason) -> Choice {
        let numbers = self.numbers(now, reason);
        let from = self.on_air.replace(to);
        if from == Some(Source::Live) && is_loss(reason) {
            self.grace.lost(now, &self.rules);
        }
        if to == Source::Live {
            self.grace.back(now);
        }
        self.mismatch_is_decided |= reason == Reason::LiveMismatch;
        self.mode_is_new = false;
        Choice { from, to, kind: DecisionKind::Cut, reason, numbers }
    }

    fn numbers(&self, now: Duration, reason: Reason) -> Map<String, Value> {
        let mut numbers = Map::new();
        let mut add = |name: &str, value: Value| numbers.insert(name.to_owned(), value);
        if let Some(live) = &self.live {
            add("last_frame_ms", json!(millis(now.saturating_sub(live.last_frame()))));
            match reason {
                Reason::LiveStalled => {
                    add("stall_ms", json!(self.rules.stall_ms));
                }
                Reason::LiveBitrateLow => {
                    add("bitrate_kbps", json!(live.bitrate_kbps()));
                    add("min_bitrate_kbps", json!(self.rules.min_bitrate_kbps));
                }
                Reason::LiveWithoutKeyframes => {
                    add("last_keyframe_ms", json!(millis(now.saturating_sub(live.last_keyframe()))));
                    add("max_keyframe_gap_ms", json!(self.rules.max_keyframe_gap_seconds.map(|s| s * 1_000)));
                }
                Reason::LiveRecovered => {
                    add("good_ms", json!(live.was_good_for(now).map(millis)));
                    add("grace_ms", json!(millis(self.grace.length(now, &self.rules))));
                }
                _ => {}
            }
        }
        numbers
    }
}

/// Whether a cut for this reason makes the input's grace grow.
fn is_loss(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::LiveEnded | Reason::LiveStalled | Reason::LiveBitrateLow | Reason::LiveWithoutKeyframes
    )
}
