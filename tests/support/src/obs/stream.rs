//! The stream output of the fake OBS, and its platform.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::studio::{Answer, Due, OUTPUTS, Studio};

/// What the stream does.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum State {
    #[default]
    Stopped,
    Starting,
    /// Connected since.
    Streaming(Instant),
    Reconnecting,
    Stopping,
}

/// The stream output.
#[derive(Debug)]
pub(super) struct Stream {
    state: State,
    run: u64,
    accepts: bool,
    /// Since when the platform takes nothing.
    stalled: Option<Instant>,
    /// What was sent over the last connection.
    sent: Duration,
}

impl Default for Stream {
    fn default() -> Self {
        Self { state: State::Stopped, run: 0, accepts: true, stalled: None, sent: Duration::ZERO }
    }
}

impl Stream {
    /// The process ended.
    pub(super) fn end(&mut self) {
        self.state = State::Stopped;
        self.sent = Duration::ZERO;
    }

    pub(super) fn is_active(&self) -> bool {
        self.state != State::Stopped
    }

    /// How much of the present connection was sent.
    fn sent(&self) -> Duration {
        match self.state {
            State::Streaming(since) => {
                let until = self.stalled.unwrap_or_else(Instant::now);
                until.saturating_duration_since(since)
            }
            _ => self.sent,
        }
    }
}

impl Studio {
    fn stream_event(&self, state: &str, is_active: bool) {
        let state = format!("OBS_WEBSOCKET_OUTPUT_{state}");
        self.emit(OUTPUTS, "StreamStateChanged", json!({ "outputActive": is_active, "outputState": state }));
    }

    /// The answer to `GetStreamStatus`.
    pub(super) fn stream_status(&self) -> Value {
        let (sent, stream) = (self.stream.sent(), &self.stream);
        let parameter = self.parameters.get(&("SimpleOutput".to_owned(), "VBitrate".to_owned()));
        let kbps: f64 = parameter.and_then(|value| value.parse().ok()).unwrap_or(400.0);
        let is_active = matches!(stream.state, State::Streaming(_) | State::Reconnecting | State::Stopping);
        let fps = self.video.get("fpsNumerator").copied().unwrap_or(10);
        json!({
            "outputActive": is_active,
            "outputReconnecting": stream.state == State::Reconnecting,
            "outputDuration": if is_active { sent.as_millis() as u64 } else { 0 },
            "outputTimecode": "00:00:00.000",
            "outputCongestion": 0.0,
            "outputBytes": (sent.as_secs_f64() * kbps * 125.0) as u64,
            "outputSkippedFrames": 0,
            "outputTotalFrames": (sent.as_secs_f64() * fps as f64) as u64,
        })
    }

    pub(super) fn start_stream(&mut self) -> Answer {
        if self.stream.is_active() {
            return Err((500, String::new()));
        }
        let run = self.next_run();
        (self.stream.state, self.stream.run) = (State::Starting, run);
        self.stream_event("STARTING", false);
        self.schedule(self.options.times.stream, Due::Streaming { run });
        Ok(Value::Null)
    }

    pub(super) fn stop_stream(&mut self) -> Answer {
        if !self.stream.is_active() {
            return Err((501, String::new()));
        }
        let run = self.next_run();
        self.stream.sent = self.stream.sent();
        (self.stream.state, self.stream.run) = (State::Stopping, run);
        self.stream_event("STOPPING", false);
        self.schedule(self.options.times.stream, Due::Stopped { run });
        Ok(Value::Null)
    }

    /// The platform answers to the first connection. OBS does not try again by itself.
    pub(super) fn streaming(&mut self, run: u64) {
        if self.stream.run != run {
            return;
        }
        if self.stream.accepts {
            self.stream.state = State::Streaming(Instant::now());
            self.stream_event("STARTED", true);
        } else {
            self.stream.end();
            self.stream_event("STOPPED", false);
        }
    }

    pub(super) fn stopped(&mut self, run: u64) {
        if self.stream.run == run {
            self.stream.state = State::Stopped;
            self.stream_event("STOPPED", false);
        }
    }

    pub(super) fn platform(&mut self, accepts: bool) {
        self.stream.accepts = accepts;
        if !accepts {
            self.cut();
        }
    }

    pub(super) fn stall(&mut self, is_stalled: bool) {
        match (&mut self.stream, is_stalled) {
            (stream, true) => stream.stalled = stream.stalled.or_else(|| Some(Instant::now())),
            (Stream { stalled, state: State::Streaming(since), .. }, false) => {
                if let Some(stalled) = stalled.take() {
                    *since += stalled.elapsed();
                }
            }
            (stream, false) => stream.stalled = None,
        }
    }

    /// The connection is lost, and OBS opens it again.
    pub(super) fn cut(&mut self) {
        if !matches!(self.stream.state, State::Streaming(_)) {
            return;
        }
        self.stream.sent = self.stream.sent();
        self.reconnecting(self.options.times.reconnect);
    }

    fn reconnecting(&mut self, delay: Duration) {
        let run = self.next_run();
        (self.stream.state, self.stream.run) = (State::Reconnecting, run);
        self.stream_event("RECONNECTING", false);
        self.schedule(delay, Due::Reconnect { run, delay });
    }

    /// An attempt to get the connection back; the next one comes later. Its counters begin again.
    pub(super) fn reconnect(&mut self, run: u64, delay: Duration) {
        if self.stream.run != run || self.stream.state != State::Reconnecting {
            return;
        }
        self.stream.sent = Duration::ZERO;
        if self.stream.accepts {
            self.stream.state = State::Streaming(Instant::now());
            self.stream_event("RECONNECTED", true);
        } else {
            self.reconnecting(delay * 3 / 2);
        }
    }
}
