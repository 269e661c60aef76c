//! FLV as a stream: frames are written one by one, and read from whatever parts come.

use bytes::{Buf as _, Bytes, BytesMut};

use super::flv::{FlvError, MOST};
use super::frame::Frame;

/// The bytes before the first tag: a header that says which tracks there are, and the length of no tag.
pub fn flv_header(with_sound: bool) -> Vec<u8> {
    let tracks = if with_sound { 5 } else { 1 };
    [b"FLV\x01", &[tracks][..], &[0, 0, 0, 9, 0, 0, 0, 0]].concat()
}

/// A frame as a tag.
pub fn flv_tag(frame: &Frame, timestamp: u32) -> Vec<u8> {
    let size = u32::try_from(frame.payload.len()).unwrap_or(u32::MAX);
    let ([_, s1, s2, s3], [t0, t1, t2, t3]) = (size.to_be_bytes(), timestamp.to_be_bytes());
    let mut tag = Vec::with_capacity(frame.payload.len() + 15);
    tag.extend([frame.kind(), s1, s2, s3, t1, t2, t3, t0, 0, 0, 0]);
    tag.extend_from_slice(&frame.payload);
    tag.extend(size.saturating_add(11).to_be_bytes());
    tag
}

/// Reads frames of an FLV stream.
#[derive(Debug, Default)]
pub struct FlvStream {
    buffer: BytesMut,
    has_begun: bool,
}

impl FlvStream {
    /// Takes the next part of the stream.
    pub fn push(&mut self, part: &[u8]) {
        self.buffer.extend_from_slice(part);
    }

    /// The next frame, if all of it came. What is no H.264 and no AAC is left out.
    ///
    /// # Errors
    /// If it is no FLV stream.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, FlvError> {
        if !self.has_begun && !self.begin()? {
            return Ok(None);
        }
        loop {
            let Some([kind, s1, s2, s3, t1, t2, t3, t0]) = self.buffer.first_chunk().copied() else {
                return Ok(None);
            };
            let size = usize::try_from(u32::from_be_bytes([0, s1, s2, s3])).unwrap_or(usize::MAX);
            if size > MOST {
                return Err(FlvError::TooLarge(size));
            }
            if self.buffer.len() < size + 15 {
                return Ok(None);
            }
            self.buffer.advance(11);
            let data: Bytes = self.buffer.split_to(size).freeze();
            self.buffer.advance(4);
            let timestamp = u32::from_be_bytes([t0, t1, t2, t3]);
            if let Some(Ok(frame)) = Frame::read(kind & 0x1f, timestamp, &data) {
                return Ok(Some(frame));
            }
        }
    }

    /// Reads the header. Returns whether all of it came.
    fn begin(&mut self) -> Result<bool, FlvError> {
        let Some(header) = self.buffer.first_chunk::<13>() else { return Ok(false) };
        if !header.starts_with(b"FLV\x01") || header.get(5..9) != Some(&[0, 0, 0, 9][..]) {
            return Err(FlvError::NotFlv);
        }
        self.buffer.advance(13);
        self.has_begun = true;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use streamward_test_support::fuzz::fuzz;

    use super::*;
    use crate::adapters::rtmp::flv::FlvReader;

    const FILE: &[u8] = include_bytes!("../mixer/slate.flv");

    fn frames() -> Vec<Frame> {
        let mut reader = FlvReader::new(FILE).unwrap();
        std::iter::from_fn(|| reader.next_frame().unwrap()).collect()
    }

    #[test]
    fn written_frames_are_read_from_parts_of_any_size() {
        let frames = frames();
        let tags = frames.iter().map(|frame| flv_tag(frame, frame.timestamp));
        let bytes = [flv_header(true)].into_iter().chain(tags).collect::<Vec<_>>().concat();
        let sizes = vec(1_usize..5_000, 1..20);
        fuzz(&sizes, |sizes| {
            let (mut stream, mut read, mut rest) = (FlvStream::default(), Vec::new(), &bytes[..]);
            for size in sizes.iter().cycle() {
                let (part, after) = rest.split_at(rest.len().min(*size));
                stream.push(part);
                read.extend(std::iter::from_fn(|| stream.next_frame().unwrap()));
                rest = after;
                if rest.is_empty() {
                    break;
                }
            }
            assert_eq!(read, frames);
        });
    }

    #[test]
    fn any_stream_is_read_or_an_error() {
        let edits = (vec((0..FILE.len(), any::<u8>()), 0..20), 1_usize..FILE.len());
        fuzz(&edits, |(edits, end)| {
            let mut bytes = FILE.to_vec();
            for (at, byte) in edits {
                bytes[at] = byte;
            }
            let mut stream = FlvStream::default();
            stream.push(&bytes[..end]);
            while let Ok(Some(frame)) = stream.next_frame() {
                assert!(!frame.payload.is_empty());
            }
        });
    }
}
