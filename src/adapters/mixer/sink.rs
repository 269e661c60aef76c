//! Where an output sends to: an RTMP server, or an SRT listener by way of ffmpeg.

use thiserror::Error;

use crate::adapters::ffmpeg::{PushError, SrtPush};
use crate::adapters::rtmp::{
    Address, AudioFormat, Connector, Formats, Frame, Prepared, Publisher, RtmpError, flv, parameter_sets,
};
use crate::domain::Invalid;
use crate::domain::channel::{SrtAddress, SrtKey, Track};
use crate::domain::secret::Secret;

/// The bytes of a video tag before its units: frame type, packet type, composition time.
const TAG_HEAD: usize = 5;

/// Why a session cannot begin, or ended. The text contains no secret.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{message}")]
pub(super) struct SinkError {
    /// Whether somebody has to do something, rather than that something broke.
    pub(super) is_refused: bool,
    pub(super) message: String,
}

/// A session. It may still be connecting: see [`Sink::is_live`].
pub(super) enum Sink {
    Rtmp(Box<Publisher>),
    Srt(Box<SrtSink>),
}

/// Frames go to ffmpeg as FLV.
pub(super) struct SrtSink {
    push: SrtPush,
    /// The parameter sets of the newest video header.
    parameter_sets: Vec<u8>,
    /// The format of the sound, once a header said it.
    sound: Option<Option<AudioFormat>>,
    out: Vec<u8>,
    /// The bytes that were counted.
    counted: u64,
}

/// The address and the key of an output.
#[derive(Clone)]
pub(super) enum Target {
    Rtmp(Address, Secret),
    Srt(SrtAddress, SrtKey),
}

impl Target {
    pub(super) fn new(url: &str, key: &Secret) -> Result<Self, SinkError> {
        if SrtAddress::is_meant(url) {
            return Ok(Self::Srt(SrtAddress::parse(url)?, SrtKey::parse(key)?));
        }
        let refused = |message: String| SinkError { is_refused: true, message };
        let address = Address::parse(url).map_err(|error| refused(error.to_string()))?;
        Ok(Self::Rtmp(address, key.clone()))
    }

    /// Connects as far as that is possible without a key, so also beside another session: no stream begins. `None` if that
    /// is not possible at all.
    pub(super) async fn prepare(&self, connector: &Connector) -> Result<Option<Prepared>, SinkError> {
        match self {
            Self::Rtmp(address, _) => {
                Ok(Some(Box::pin(Publisher::prepare(connector, address, &mut Vec::new())).await?))
            }
            Self::Srt(..) => Ok(None),
        }
    }

    /// Begins a session, over the connection that was prepared.
    pub(super) async fn begin(&self, prepared: Option<Prepared>) -> Result<Sink, SinkError> {
        Ok(match (self, prepared) {
            (Self::Rtmp(_, key), Some(prepared)) => {
                Sink::Rtmp(Box::new(Publisher::begin(prepared, key.clone(), &mut Vec::new()).await?))
            }
            (Self::Rtmp(..), None) => {
                let message = "the connection was not prepared".to_owned();
                return Err(SinkError { is_refused: false, message });
            }
            (Self::Srt(address, key), _) => {
                let push = SrtPush::start(address, key)?;
                Sink::Srt(Box::new(SrtSink {
                    push,
                    parameter_sets: Vec::new(),
                    sound: None,
                    out: flv::HEADER.to_vec(),
                    counted: 0,
                }))
            }
        })
    }
}

impl Sink {
    /// Whether the other side takes what is sent. An SRT session connects when it got the first frames.
    pub(super) fn is_live(&self) -> bool {
        match self {
            Self::Rtmp(_) => true,
            Self::Srt(srt) => srt.push.sent() > 0,
        }
    }

    /// Describes the stream, with the next frames.
    pub(super) fn describe(&mut self, formats: &Formats) -> Result<(), SinkError> {
        match self {
            Self::Rtmp(publisher) => Ok(publisher.describe(formats)?),
            Self::Srt(_) => Ok(()),
        }
    }

    /// Adds a frame at `timestamp` to what [`Sink::send`] sends.
    pub(super) fn add(&mut self, frame: &Frame, timestamp: u32) -> Result<(), SinkError> {
        match self {
            Self::Rtmp(publisher) => Ok(publisher.add(frame, timestamp)?),
            Self::Srt(srt) => srt.add(frame, timestamp),
        }
    }

    /// Sends what was added. Returns how many bytes were sent since the last time.
    pub(super) async fn send(&mut self) -> Result<u64, SinkError> {
        match self {
            Self::Rtmp(publisher) => Ok(publisher.send().await?),
            Self::Srt(srt) => {
                let out = std::mem::take(&mut srt.out);
                if !out.is_empty() {
                    srt.push.write(&out).await?;
                }
                let sent = srt.push.sent();
                Ok(sent - std::mem::replace(&mut srt.counted, sent))
            }
        }
    }

    /// Waits for what the other side says, and then returns if it wants to continue. Nothing is lost if this is dropped.
    pub(super) async fn listen(&mut self) -> Result<(), SinkError> {
        match self {
            Self::Rtmp(publisher) => Ok(publisher.listen().await?),
            Self::Srt(srt) => Ok(srt.push.listen().await?),
        }
    }

    /// The round-trip time of the connection, in milliseconds, if it is known.
    pub(super) fn rtt_ms(&self) -> Option<u32> {
        match self {
            Self::Rtmp(publisher) => publisher.rtt_ms(),
            Self::Srt(_) => None,
        }
    }

    /// Ends the stream.
    pub(super) async fn close(self) {
        match self {
            Self::Rtmp(publisher) => publisher.close().await,
            Self::Srt(srt) => srt.push.close().await,
        }
    }
}

impl SrtSink {
    /// ffmpeg writes the parameter sets that it began with before each keyframe, whatever headers come later. So the right
    /// ones are put there. The format of the sound cannot change at all.
    fn add(&mut self, frame: &Frame, timestamp: u32) -> Result<(), SinkError> {
        let failed = |message: String| SinkError { is_refused: false, message };
        match (frame.track, frame.is_header) {
            (Track::Video, true) => self.parameter_sets = parameter_sets(frame),
            (Track::Audio, true) => {
                let sound = format_of_sound(frame);
                match self.sound {
                    None => self.sound = Some(sound),
                    // The same format in other bytes: encoders write it in several ways.
                    Some(before) if before == sound => return Ok(()),
                    Some(_) => {
                        let why = "the format of the sound changed, which needs a new session";
                        return Err(failed(why.to_owned()));
                    }
                }
            }
            _ => {}
        }
        let mut frame = frame.clone();
        if let Some((head, units)) = frame.payload.split_at_checked(TAG_HEAD).filter(|_| frame.is_keyframe) {
            frame.payload = [head, &self.parameter_sets, units].concat().into();
        }
        flv::write(&frame, timestamp, &mut self.out).map_err(|error| failed(error.to_string()))
    }
}

fn format_of_sound(header: &Frame) -> Option<AudioFormat> {
    let mut formats = Formats::default();
    formats.learn(header);
    formats.audio
}

impl From<RtmpError> for SinkError {
    fn from(error: RtmpError) -> Self {
        Self { is_refused: error.is_refused, message: error.message }
    }
}

impl From<PushError> for SinkError {
    fn from(error: PushError) -> Self {
        let is_refused = matches!(error, PushError::Refused | PushError::Unavailable(_));
        Self { is_refused, message: error.to_string() }
    }
}

impl From<Invalid> for SinkError {
    fn from(error: Invalid) -> Self {
        Self { is_refused: true, message: error.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn same_sound_in_other_bytes_is_the_same() {
        let format = |payload: &'static [u8]| {
            let payload = Bytes::from_static(payload);
            format_of_sound(&Frame {
                track: Track::Audio,
                timestamp: 0,
                is_keyframe: false,
                is_header: true,
                payload,
            })
        };
        // As ffmpeg and as MediaMTX write AAC-LC with 48 kHz, stereo.
        let (ffmpeg, mediamtx) =
            (format(&[0xaf, 0, 0x11, 0x90, 0x56, 0xe5, 0]), format(&[0xaf, 0, 0x11, 0x90]));
        assert_eq!(ffmpeg, mediamtx);
        assert_ne!(ffmpeg, format(&[0xaf, 0, 0x12, 0x10]));
    }
}
