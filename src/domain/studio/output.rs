//! The stream as OBS reports it: by events, which can be lost, and by samples, which can be older than the last event.

use std::time::Duration;

use super::downtime::Cause;
use super::moment::Moment;
use super::observation::{StreamEvent, StreamSample};
use super::words::words;
use crate::domain::Timestamp;

/// A sample that contradicts an event within this time is older than the event.
const SAMPLES_LAG: Duration = Duration::from_secs(1);
/// A start that led to nothing within this time has failed.
const START_TIMEOUT: Duration = Duration::from_secs(10);
/// Samples that are further apart say nothing of the time between them.
const SEEN_WITHIN: Duration = Duration::from_secs(3);
/// Two measures of the same time differ by less.
const CONTINUES_WITHIN: Duration = Duration::from_secs(2);

words! {
    /// The stream, as OBS reports it.
    StreamState {
        /// Nothing is known yet.
        Unknown,
        /// There is none.
        Off,
        /// OBS connects to the platform.
        Starting,
        /// The platform takes it.
        Live,
        /// The platform was lost, and OBS connects again.
        Reconnecting,
        /// OBS says that it streams, but no bytes are sent.
        Stalled,
        /// It ends.
        Stopping,
    }
}

/// The stream, as far as it is known.
#[derive(Clone, Debug)]
pub(super) struct Output {
    state: StreamState,
    /// When the state changed by an event.
    last_event: Option<Moment>,
    /// When OBS began to connect.
    starting: Option<Moment>,
    sample: Option<(Moment, StreamSample)>,
    /// When the bytes last grew.
    grew: Option<Moment>,
    /// Why there is no stream that should be there, and since when.
    outage: Option<(Cause, Timestamp)>,
    /// Whether a stop is ours.
    we_stop: bool,
    /// When the present connection began.
    began: Option<Timestamp>,
    /// Since when the stream is good.
    pub(super) good_since: Timestamp,
}

impl Default for Output {
    fn default() -> Self {
        Self {
            state: StreamState::Unknown,
            last_event: None,
            starting: None,
            sample: None,
            grew: None,
            outage: None,
            we_stop: false,
            began: None,
            good_since: Timestamp::from_micros(i64::MIN),
        }
    }
}

impl Output {
    pub(super) fn state(&self) -> StreamState {
        self.state
    }

    /// Why there is no stream that should be there, and since when.
    pub(super) fn outage(&self) -> Option<(Cause, Timestamp)> {
        self.outage
    }

    /// The next stop is ours.
    pub(super) fn we_stop(&mut self) {
        self.we_stop = true;
    }

    /// Whether the stream runs, even if nothing arrives.
    pub(super) fn is_active(&self) -> bool {
        use StreamState::{Live, Reconnecting, Stalled, Starting};
        matches!(self.state, Starting | Live | Reconnecting | Stalled)
    }

    /// OBS is out of sight. What it reports next is compared with its last report.
    pub(super) fn forget(&mut self) {
        self.state = StreamState::Unknown;
        self.last_event = None;
    }

    pub(super) fn event(&mut self, now: Moment, event: StreamEvent) {
        self.last_event = Some(now);
        match event {
            StreamEvent::Starting => {
                self.starting = Some(now);
                self.state = StreamState::Starting;
            }
            StreamEvent::Started | StreamEvent::Reconnected => {
                self.sample = None;
                self.live(now, now.at);
            }
            StreamEvent::Reconnecting => self.lost(now, StreamState::Reconnecting, Cause::ConnectionLost),
            StreamEvent::Stopping if self.we_stop => self.state = StreamState::Stopping,
            StreamEvent::Stopping => self.lost(now, StreamState::Stopping, Cause::ManualStop),
            StreamEvent::Stopped => self.stopped(now),
        }
    }

    fn stopped(&mut self, now: Moment) {
        if std::mem::take(&mut self.we_stop) {
            (self.state, self.outage) = (StreamState::Off, None);
        } else {
            // Without the event before, OBS itself gave up.
            self.lost(now, StreamState::Off, Cause::ConnectionLost);
        }
    }

    fn lost(&mut self, now: Moment, state: StreamState, cause: Cause) {
        self.state = state;
        let (outage, since) = *self.outage.get_or_insert((cause, now.at));
        if cause == Cause::ManualStop && outage != cause {
            self.outage = Some((cause, since));
        }
    }

    fn live(&mut self, now: Moment, began: Timestamp) {
        self.state = StreamState::Live;
        (self.starting, self.we_stop) = (None, false);
        self.began = Some(began);
        self.grew = Some(now);
        self.good_since = began;
        self.outage = None;
    }

    pub(super) fn sample(&mut self, now: Moment, sample: StreamSample, stall: Duration) {
        let is_live = sample.active && !sample.reconnecting;
        let was_live = matches!(self.state, StreamState::Live | StreamState::Stalled);
        if is_live != was_live && self.last_event.is_some_and(|event| now.since(event) < SAMPLES_LAG) {
            return;
        }
        if is_live {
            self.live_sample(now, sample, stall);
        } else if sample.active {
            self.lost(now, StreamState::Reconnecting, Cause::ConnectionLost);
        } else {
            self.inactive(now);
        }
        self.sample = Some((now, sample));
    }

    fn live_sample(&mut self, now: Moment, sample: StreamSample, stall: Duration) {
        if !matches!(self.state, StreamState::Live | StreamState::Stalled) {
            let began = if self.continues(now, sample) { self.began } else { None };
            let began = began.unwrap_or_else(|| now.at.minus(sample.duration));
            // A connection that was there before the outage did not end it: this sample does.
            let is_older = self.outage.is_some_and(|(_, since)| began < since);
            self.live(now, began);
            if is_older {
                self.good_since = now.at;
            }
            return;
        }
        let (seen, before) = self.sample.map_or((now, 0), |(at, before)| (at, before.bytes));
        if now.since(seen) > SEEN_WITHIN {
            // OBS did not answer: that is no proof of a stall.
            self.grew = Some(now);
        }
        if sample.bytes < before {
            // OBS connected again, and the counters restarted.
            self.began = Some(now.at.minus(sample.duration));
        }
        if sample.bytes != before && sample.bytes > 0 {
            self.grew = Some(now);
        }
        let grew = *self.grew.get_or_insert(now);
        if now.since(grew) >= stall {
            self.lost(grew, StreamState::Stalled, Cause::ConnectionLost);
        } else if self.state == StreamState::Stalled {
            (self.state, self.outage, self.good_since) = (StreamState::Live, None, now.at);
        }
    }

    /// Whether it is the connection of the last sample: it counted as much time as passed, by either clock.
    fn continues(&self, now: Moment, sample: StreamSample) -> bool {
        let Some((at, before)) = self.sample.filter(|(_, before)| before.active && !before.reconnecting)
        else {
            return false;
        };
        let Some(counted) = sample.duration.checked_sub(before.duration) else { return false };
        sample.bytes >= before.bytes
            && [now.since(at), now.at.since(at.at)]
                .into_iter()
                .any(|passed| passed.abs_diff(counted) < CONTINUES_WITHIN)
    }

    fn inactive(&mut self, now: Moment) {
        match self.state {
            StreamState::Off => {}
            StreamState::Starting => {
                if self.starting.is_none_or(|since| now.since(since) >= START_TIMEOUT) {
                    self.lost(now, StreamState::Off, Cause::ConnectionLost);
                }
            }
            _ => self.stopped(now),
        }
    }
}

#[cfg(test)]
mod tests;
