//! What goes from the sources to the mixer, and from the mixer to the outputs.

use std::sync::Arc;

use crate::adapters::rtmp::{Formats, Frame};
use crate::domain::channel::Track;

/// The sequence headers of a source, and what they say.
#[derive(Clone, Debug, Default)]
pub(super) struct Headers {
    pub(super) video: Option<Frame>,
    pub(super) audio: Option<Frame>,
    pub(super) formats: Formats,
}

impl Headers {
    /// With another header.
    pub(super) fn with(&self, header: Frame) -> Self {
        let mut headers = self.clone();
        headers.formats.learn(&header);
        match header.track {
            Track::Video => headers.video = Some(header),
            Track::Audio => headers.audio = Some(header),
        }
        headers
    }

    /// The headers, in the order in which they are sent.
    pub(super) fn frames(&self) -> impl Iterator<Item = &Frame> {
        self.video.iter().chain(&self.audio)
    }
}

/// A frame with its place in the programme. When the headers are other ones than those of the piece before, they are
/// sent first.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    pub(super) frame: Frame,
    /// Milliseconds since the programme's start.
    pub(super) at: u64,
    pub(super) headers: Arc<Headers>,
}

/// A frame with the headers of its source.
pub(super) type Item = (Frame, Arc<Headers>);

/// What comes from clips.
pub(super) enum ClipEvent {
    Frame(Item),
    /// No clip can be played.
    Unavailable,
}
