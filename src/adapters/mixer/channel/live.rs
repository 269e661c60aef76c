//! The live input of a channel: what its events mean for the rules.

use serde_json::{Map, Value};

use super::Mixer;
use crate::adapters::mixer::input::InputEvent;
use crate::adapters::rtmp::Frame;
use crate::domain::channel::{Change, Track};

impl Mixer {
    pub(super) fn take_live(&mut self, event: InputEvent) {
        let now = self.began.elapsed();
        match event {
            InputEvent::Connected => {
                self.live.begin();
                self.change(Change::LiveConnected);
            }
            InputEvent::Ended => {
                self.live.begin();
                self.live.is_connected = false;
                self.change(Change::LiveEnded);
            }
            InputEvent::Frame(frame) => {
                let change = frame.as_ref().ok().and_then(|frame| picture(frame, frame.payload.len()));
                let has_dropped = self.live.take(frame, now);
                self.begin_again_if(has_dropped);
                self.apply_mismatch();
                if let Some(change) = change.filter(|_| self.live.is_direct()) {
                    self.change(change);
                }
            }
            InputEvent::Normalised(frame) => {
                let is_keyframe = frame.is_keyframe;
                let is_picture = picture(&frame, 0).is_some();
                let (has_dropped, bytes) = self.live.take_normalised(frame, now);
                self.begin_again_if(has_dropped);
                self.apply_mismatch();
                if is_picture {
                    self.change(Change::LiveVideo { keyframe: is_keyframe, bytes });
                }
            }
            InputEvent::NotNormalised(why) => {
                self.live.fail_transcoding(why);
                self.apply_mismatch();
            }
        }
    }

    /// Frames of the source that is on air were dropped: it begins again at a keyframe.
    pub(super) fn begin_again_if(&mut self, has_dropped: bool) {
        if has_dropped {
            self.on_air.awaits_begin = true;
            self.on_air.pending = None;
        }
    }

    pub(super) fn apply_mismatch(&mut self) {
        for change in self.live.compare(&self.programme, &self.transcoder, self.began.elapsed()) {
            self.change(change);
        }
    }

    /// Says in the figures of a decision whether the live input is transcoded.
    pub(super) fn add_transcoding(&self, numbers: &mut Map<String, Value>) {
        if let Some(works) = self.live.transcoding() {
            numbers.insert("transcoded".to_owned(), works.into());
        }
    }
}

/// What a picture means for the rules; `None` if it is none.
fn picture(frame: &Frame, bytes: usize) -> Option<Change> {
    let is_picture = frame.track == Track::Video && !frame.is_header;
    let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
    is_picture.then_some(Change::LiveVideo { keyframe: frame.is_keyframe, bytes })
}
