//! Frames, as RTMP and FLV carry them: H.264 and AAC in FLV tags.

use bytes::Bytes;

use crate::domain::channel::Track;

/// One frame of a track, or the header that a decoder needs before the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Its track.
    pub track: Track,
    /// When it is decoded, in milliseconds. Begins anywhere, and wraps.
    pub timestamp: u32,
    /// Whether a decoder can begin with it. For video only.
    pub is_keyframe: bool,
    /// Whether it is an AVC or AAC sequence header.
    pub is_header: bool,
    /// The FLV tag's data.
    pub payload: Bytes,
}

/// Media that cannot be carried, with the encoder's word for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsupported(pub &'static str);

const AUDIO: u8 = 8;
const VIDEO: u8 = 9;

impl Frame {
    /// Reads a tag: its type (8 audio, 9 video), timestamp and data. `None` if it is no media, such as metadata.
    pub fn read(kind: u8, timestamp: u32, payload: &Bytes) -> Option<Result<Self, Unsupported>> {
        let (first, second) = (*payload.first()?, payload.get(1).copied());
        let frame = |track, is_keyframe, is_header| {
            Some(Ok(Self { track, timestamp, is_keyframe, is_header, payload: payload.clone() }))
        };
        match (kind, second) {
            (AUDIO, Some(packet)) if first >> 4 == 10 => frame(Track::Audio, false, packet == 0),
            (AUDIO, _) if first >> 4 == 10 => None,
            (AUDIO, _) => Some(Err(Unsupported(audio_codec(first)))),
            (VIDEO, _) if first & 0x80 != 0 => {
                Some(Err(Unsupported(enhanced_codec(payload.get(1..5).unwrap_or_default()))))
            }
            // Commands of the player, and the end of a sequence.
            (VIDEO, None) => None,
            (VIDEO, Some(packet)) if first >> 4 == 5 || packet == 2 => None,
            (VIDEO, Some(packet)) if first & 0x0f == 7 => {
                frame(Track::Video, first >> 4 == 1 && packet == 1, packet == 0)
            }
            (VIDEO, _) => Some(Err(Unsupported("a codec other than H.264"))),
            _ => None,
        }
    }

    /// The type of its tag.
    pub fn kind(&self) -> u8 {
        match self.track {
            Track::Video => VIDEO,
            Track::Audio => AUDIO,
        }
    }
}

fn audio_codec(first: u8) -> &'static str {
    match first >> 4 {
        2 | 14 => "MP3",
        7 | 8 => "G.711",
        9 => "audio other than AAC",
        11 => "Speex",
        _ => "audio other than AAC",
    }
}

fn enhanced_codec(four: &[u8]) -> &'static str {
    match four {
        b"hvc1" => "H.265",
        b"av01" => "AV1",
        b"vp09" => "VP9",
        _ => "a codec other than H.264",
    }
}
