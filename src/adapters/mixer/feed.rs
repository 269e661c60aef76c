//! Where the mixer takes frames from: a live input with its last group of pictures, or clips.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::meter::Meter;
use super::piece::{ClipEvent, Headers, Item};
use crate::adapters::rtmp::Frame;
use crate::domain::channel::Track;

/// A live input keeps this much media at most.
const MOST_MS: u32 = 10_000;
const MOST_BYTES: usize = 32 * 1024 * 1024;

/// A live input: what was not sent yet while it is on air, otherwise its frames from the last keyframe on.
#[derive(Default)]
pub(super) struct LiveFeed {
    frames: VecDeque<Item>,
    bytes: usize,
    /// What was sent since the last keyframe. It is needed when the input leaves the air: it can be on air again at once.
    sent: VecDeque<Item>,
    sent_bytes: usize,
    headers: Arc<Headers>,
    is_on_air: bool,
    pub(super) meter: Meter,
}

impl LiveFeed {
    /// A feed that continues with these headers.
    pub(super) fn with_headers(headers: Arc<Headers>, meter: Meter) -> Self {
        Self { headers, meter, ..Self::default() }
    }

    /// What is kept, with the headers and the measurements.
    pub(super) fn into_parts(self) -> (VecDeque<Item>, Arc<Headers>, Meter) {
        (self.frames, self.headers, self.meter)
    }

    /// Takes a frame. Returns whether frames that were not sent had to be dropped.
    pub(super) fn push(&mut self, frame: Frame, now: Duration) -> bool {
        if frame.is_header {
            self.headers = Arc::new(self.headers.with(frame));
            return false;
        }
        self.meter.frame(&frame, now);
        let mut has_dropped = false;
        let oldest = self.frames.front().map_or(frame.timestamp, |(oldest, _)| oldest.timestamp);
        // A source that went back is no long one.
        let length = frame.timestamp.wrapping_sub(oldest);
        if (MOST_MS..u32::MAX / 2).contains(&length) || self.bytes > MOST_BYTES {
            self.clear();
            has_dropped = self.is_on_air;
        }
        let is_begin = frame.is_keyframe && !self.is_on_air;
        if is_begin {
            // Sound that came before the keyframe it belongs to is kept.
            let first = frame.timestamp;
            self.frames.retain(|(kept, _)| kept.track == Track::Audio && kept.timestamp >= first);
            self.bytes = self.frames.iter().map(|(kept, _)| kept.payload.len()).sum();
        }
        self.bytes += frame.payload.len();
        let item = (frame, self.headers.clone());
        if is_begin {
            self.frames.push_front(item);
        } else {
            self.frames.push_back(item);
        }
        has_dropped
    }

    pub(super) fn pop(&mut self) -> Option<Item> {
        let item = self.frames.pop_front()?;
        self.bytes -= item.0.payload.len();
        if item.0.is_keyframe || self.sent_bytes > MOST_BYTES {
            self.forget_sent();
        }
        if item.0.is_keyframe || !self.sent.is_empty() {
            self.sent_bytes += item.0.payload.len();
            self.sent.push_back(item.clone());
        }
        Some(item)
    }

    /// How much waits, in milliseconds of media.
    pub(super) fn waits_ms(&self) -> u64 {
        let (Some((oldest, _)), Some((newest, _))) = (self.frames.front(), self.frames.back()) else {
            return 0;
        };
        let waits = newest.timestamp.wrapping_sub(oldest.timestamp);
        if waits < u32::MAX / 2 { waits.into() } else { 0 }
    }

    pub(super) fn set_on_air(&mut self, is_on_air: bool) {
        self.is_on_air = is_on_air;
        if !is_on_air {
            if !self.frames.iter().any(|(frame, _)| frame.is_keyframe) {
                self.bytes += self.sent_bytes;
                self.sent.append(&mut self.frames);
                std::mem::swap(&mut self.sent, &mut self.frames);
            }
            self.forget_sent();
            let begin = self.frames.iter().rposition(|(frame, _)| frame.is_keyframe);
            let unwanted = begin.unwrap_or(self.frames.len());
            let bytes: usize = self.frames.drain(..unwanted).map(|(frame, _)| frame.payload.len()).sum();
            self.bytes -= bytes;
        }
    }

    /// Whether a decoder can begin with the first frame.
    pub(super) fn is_ready(&self) -> bool {
        self.frames.front().is_some_and(|(frame, _)| frame.is_keyframe)
    }

    pub(super) fn headers(&self) -> &Headers {
        &self.headers
    }

    fn clear(&mut self) {
        self.frames.clear();
        self.bytes = 0;
        self.forget_sent();
    }

    fn forget_sent(&mut self) {
        self.sent.clear();
        self.sent_bytes = 0;
    }
}

/// Clips, or the slate.
pub(super) struct ClipFeed {
    events: mpsc::Receiver<ClipEvent>,
    head: Option<Item>,
    /// The headers of the last frame.
    headers: Arc<Headers>,
    is_available: bool,
    /// Whether nothing could be played.
    has_failed: bool,
    is_on_air: bool,
}

impl ClipFeed {
    pub(super) fn new(events: mpsc::Receiver<ClipEvent>) -> Self {
        Self {
            events,
            head: None,
            headers: Arc::default(),
            is_available: false,
            has_failed: false,
            is_on_air: false,
        }
    }

    /// Waits for the next frame. Returns at once if there is one. Nothing is lost if this is dropped.
    pub(super) async fn fill(&mut self) {
        if self.head.is_some() {
            return;
        }
        match self.events.recv().await {
            Some(event) => self.take(event),
            None => std::future::pending().await,
        }
    }

    pub(super) fn needs_frames(&self) -> bool {
        self.head.is_none()
    }

    fn take(&mut self, event: ClipEvent) {
        match event {
            ClipEvent::Frame(item) => {
                self.is_available = true;
                // While it is not on air it waits at a keyframe.
                let is_wanted = self.is_on_air || item.0.is_keyframe;
                self.headers = item.1.clone();
                self.head = is_wanted.then_some(item);
            }
            ClipEvent::Unavailable => (self.is_available, self.has_failed) = (false, true),
        }
    }

    pub(super) fn pop(&mut self) -> Option<Item> {
        while self.head.is_none() {
            let event = self.events.try_recv().ok()?;
            self.take(event);
        }
        self.head.take()
    }

    pub(super) fn set_on_air(&mut self, is_on_air: bool) {
        self.is_on_air = is_on_air;
        if !is_on_air {
            self.head = self.head.take().filter(|(frame, _)| frame.is_keyframe);
        }
    }

    pub(super) fn is_available(&self) -> bool {
        self.is_available
    }

    pub(super) fn has_failed(&self) -> bool {
        self.has_failed
    }

    /// What holds until the first event.
    pub(super) fn assume_available(&mut self, is_available: bool) {
        self.is_available = is_available;
    }

    pub(super) fn headers(&self) -> &Headers {
        &self.headers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(timestamp: u32, is_keyframe: bool) -> Frame {
        Frame { track: Track::Video, timestamp, is_keyframe, is_header: false, payload: vec![0; 10].into() }
    }

    fn push(feed: &mut LiveFeed, timestamps: impl IntoIterator<Item = u32>) {
        for at in timestamps {
            feed.push(frame(at, at % 1_000 == 0), Duration::from_millis(at.into()));
        }
    }

    #[test]
    fn input_that_leaves_the_air_can_be_on_air_again_at_once() {
        let mut feed = LiveFeed::default();
        push(&mut feed, [0, 500]);
        feed.set_on_air(true);
        push(&mut feed, [1_000, 1_500, 1_600]);
        for _ in 0..4 {
            feed.pop();
        }
        feed.set_on_air(false);
        assert!(feed.is_ready(), "it has its frames since the last keyframe");
        let kept: Vec<u32> = feed.frames.iter().map(|(frame, _)| frame.timestamp).collect();
        assert_eq!((kept, feed.bytes), (vec![1_000, 1_500, 1_600], 30));
        push(&mut feed, [1_700, 2_000]);
        let kept: Vec<u32> = feed.frames.iter().map(|(frame, _)| frame.timestamp).collect();
        assert_eq!((kept, feed.bytes), (vec![2_000], 10), "only those since the last keyframe are kept");
    }

    #[test]
    fn input_keeps_nothing_of_before_its_last_keyframe() {
        let mut feed = LiveFeed::default();
        push(&mut feed, [0]);
        feed.set_on_air(true);
        push(&mut feed, [500, 1_000, 1_500]);
        feed.pop();
        feed.set_on_air(false);
        let kept: Vec<u32> = feed.frames.iter().map(|(frame, _)| frame.timestamp).collect();
        assert_eq!((kept, feed.bytes, feed.sent_bytes), (vec![1_000, 1_500], 20, 0));
    }
}
