//! FLV: a reader of files, and a writer of what a program reads from a pipe.

use std::io::{self, Read};

use bytes::Bytes;
use thiserror::Error;

use super::frame::Frame;

/// Larger tags are refused: a keyframe has less than a mebibyte.
pub(super) const MOST: usize = 8 * 1024 * 1024;

/// Why a file cannot be read.
#[derive(Debug, Error)]
pub enum FlvError {
    /// It does not begin as an FLV file.
    #[error("the file is no FLV file")]
    NotFlv,
    /// A tag is too large.
    #[error("the FLV file has a tag of {0} bytes; at most 8 MiB are read")]
    TooLarge(usize),
    /// It ends within a tag.
    #[error("the FLV file ends within a tag")]
    Truncated,
    /// It cannot be read.
    #[error("the FLV file cannot be read: {0}")]
    Io(#[from] io::Error),
}

/// Reads the frames of a file, in order.
#[derive(Debug)]
pub struct FlvReader<R> {
    input: R,
}

impl<R: Read> FlvReader<R> {
    /// Reads the file's header.
    ///
    /// # Errors
    /// If it is no FLV file, or cannot be read.
    pub fn new(mut input: R) -> Result<Self, FlvError> {
        let mut header = [0; 9];
        if !fill(&mut input, &mut header)? || !header.starts_with(b"FLV\x01") {
            return Err(FlvError::NotFlv);
        }
        let length = u32::from_be_bytes([header[5], header[6], header[7], header[8]]);
        // The rest of the header, and the length of the tag before the first.
        let rest = length.checked_sub(9).filter(|rest| *rest < 1_024).ok_or(FlvError::NotFlv)?;
        skip(&mut input, u64::from(rest) + 4)?;
        Ok(Self { input })
    }

    /// The next frame; `None` at the end. What is no H.264 and no AAC is left out.
    ///
    /// # Errors
    /// If the file is broken, or cannot be read.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, FlvError> {
        loop {
            let mut head = [0; 11];
            if !fill(&mut self.input, &mut head)? {
                return Ok(None);
            }
            let [kind, s1, s2, s3, t1, t2, t3, t0, ..] = head;
            let size = usize::try_from(u32::from_be_bytes([0, s1, s2, s3])).unwrap_or(usize::MAX);
            if size > MOST {
                return Err(FlvError::TooLarge(size));
            }
            let mut data = Vec::new();
            let read = self.input.by_ref().take(size as u64).read_to_end(&mut data)?;
            if read < size {
                return Err(FlvError::Truncated);
            }
            // Some writers leave out the length of the last tag.
            skip(&mut self.input, 4)?;
            let timestamp = u32::from_be_bytes([t0, t1, t2, t3]);
            if let Some(Ok(frame)) = Frame::read(kind & 0x1f, timestamp, &Bytes::from(data)) {
                return Ok(Some(frame));
            }
        }
    }
}

/// The beginning of a stream with both tracks.
pub const HEADER: [u8; 13] = *b"FLV\x01\x05\0\0\0\x09\0\0\0\0";

/// Adds a frame at `timestamp` to `out`.
///
/// # Errors
/// If the frame is too large for a tag: 16 MiB.
pub fn write(frame: &Frame, timestamp: u32, out: &mut Vec<u8>) -> Result<(), FlvError> {
    let length = frame.payload.len();
    let size = u32::try_from(length).ok().filter(|size| *size < 1 << 24).ok_or(FlvError::TooLarge(length))?;
    let [_, s1, s2, s3] = size.to_be_bytes();
    let [t0, t1, t2, t3] = timestamp.to_be_bytes();
    out.extend([frame.kind(), s1, s2, s3, t1, t2, t3, t0, 0, 0, 0]);
    out.extend_from_slice(&frame.payload);
    out.extend((size + 11).to_be_bytes());
    Ok(())
}

/// Fills `buffer`; false at the end of the input.
fn fill(input: &mut impl Read, buffer: &mut [u8]) -> Result<bool, FlvError> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match input.read(rest) {
            Ok(0) if filled == 0 => return Ok(false),
            Ok(0) => return Err(FlvError::Truncated),
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(true)
}

fn skip(input: &mut impl Read, bytes: u64) -> Result<(), FlvError> {
    io::copy(&mut input.take(bytes), &mut io::sink())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use streamward_test_support::fuzz::fuzz;

    use super::*;
    use crate::domain::channel::Track;

    const FILE: &[u8] = include_bytes!("../mixer/slate.flv");

    fn read(bytes: &[u8]) -> Result<Vec<Frame>, FlvError> {
        let mut reader = FlvReader::new(bytes)?;
        let mut frames = Vec::new();
        while let Some(frame) = reader.next_frame()? {
            frames.push(frame);
        }
        Ok(frames)
    }

    #[test]
    fn file_is_read_in_order() {
        let frames = read(FILE).unwrap();
        let video: Vec<_> = frames.iter().filter(|f| f.track == Track::Video && !f.is_header).collect();
        assert_eq!((video.len(), video[0].is_keyframe, video[60].is_keyframe), (120, true, true));
        assert_eq!(frames.iter().filter(|f| f.is_header).count(), 2);
        assert_eq!(video[60].timestamp - video[0].timestamp, 2_000);
    }

    #[test]
    fn what_is_written_is_read() {
        let mut out = HEADER.to_vec();
        let frames = read(FILE).unwrap();
        for frame in &frames {
            write(frame, frame.timestamp.wrapping_sub(10_000), &mut out).unwrap();
        }
        let again = read(&out).unwrap();
        assert_eq!(again.len(), frames.len());
        for (again, frame) in again.iter().zip(&frames) {
            assert_eq!(again.payload, frame.payload);
            assert_eq!(again.timestamp, frame.timestamp.wrapping_sub(10_000));
        }
    }

    #[test]
    fn file_without_its_end_is_an_error() {
        assert!(matches!(read(&FILE[..FILE.len() - 10]), Err(FlvError::Truncated)));
        assert!(matches!(read(b"ID3 and more of it"), Err(FlvError::NotFlv)));
        assert!(matches!(read(b""), Err(FlvError::NotFlv)));
    }

    #[test]
    fn any_file_is_read_or_an_error() {
        let edits = vec((0..FILE.len(), any::<u8>()), 0..20);
        let edited = (edits, 0..FILE.len()).prop_map(|(edits, end)| {
            let mut file = FILE.to_vec();
            for (at, byte) in edits {
                file[at] = byte;
            }
            file.truncate(end.max(2_000));
            file
        });
        let noise =
            vec(any::<u8>(), 0..300).prop_map(|noise| [b"FLV\x01\x05\0\0\0\x09\0\0\0\0", &*noise].concat());
        fuzz(&prop_oneof![edited, noise], |file| {
            if let Ok(frames) = read(&file) {
                assert!(frames.iter().all(|frame| !frame.payload.is_empty()));
            }
        });
    }
}
