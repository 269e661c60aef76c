//! What sequence headers say about a track, and how that compares with a profile.

use h264_reader::nal::sps::SeqParameterSet;
use h264_reader::rbsp::{BitReader, decode_nal};

use super::frame::Frame;
use crate::domain::channel::{Profile, Track};

/// A video track.
#[derive(Clone, Debug, PartialEq)]
pub struct VideoFormat {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Frames a second, if the encoder says so.
    pub fps: Option<f64>,
    /// Such as `High`.
    pub profile: String,
}

/// An audio track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AudioFormat {
    /// The MPEG-4 object type: 2 is AAC-LC.
    pub object: u8,
    /// Samples a second.
    pub rate: u32,
    /// Channels; 0 if it is not known.
    pub channels: u32,
}

/// The tracks of a source, as far as they are known.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Formats {
    /// The video track.
    pub video: Option<VideoFormat>,
    /// The audio track.
    pub audio: Option<AudioFormat>,
}

impl Formats {
    /// Learns from a sequence header.
    pub fn learn(&mut self, header: &Frame) {
        let record = header.payload.get(5..).unwrap_or_default();
        match header.track {
            Track::Video => self.video = VideoFormat::read(record),
            Track::Audio => self.audio = AudioFormat::read(header.payload.get(2..).unwrap_or_default()),
        }
    }

    /// The tracks, for people.
    pub fn describe(&self) -> Vec<String> {
        let video = self.video.as_ref().map(|v| format!("H.264 {} {}x{}", v.profile, v.width, v.height));
        let audio = self.audio.map(|a| format!("{} {} Hz {}", a.name(), a.rate, a.layout()));
        video.into_iter().chain(audio).collect()
    }

    /// What differs from `profile`, and what to set in the encoder; `None` if nothing does.
    pub fn mismatch(&self, profile: &Profile) -> Option<String> {
        let mut problems = Vec::new();
        let Profile { video: want, audio: sound } = profile;
        match &self.video {
            None => problems.push("there is no H.264 video; set the encoder to H.264".to_owned()),
            Some(is) => {
                if (is.width, is.height) != (want.width, want.height) {
                    let (width, height) = (want.width, want.height);
                    problems.push(format!(
                        "the picture is {}x{}; set the output resolution to {width}x{height}",
                        is.width, is.height
                    ));
                }
                if is.fps.is_some_and(|fps| (fps / f64::from(want.fps) - 1.0).abs() > 0.02) {
                    let fps = is.fps.unwrap_or_default();
                    problems.push(format!("it has {fps:.2} frames a second; set {}", want.fps));
                }
            }
        }
        match self.audio {
            None => problems.push("there is no AAC sound; add an AAC audio track".to_owned()),
            Some(is) => {
                if is.rate != sound.rate {
                    problems.push(format!(
                        "the sound has {} Hz; set the sample rate to {} Hz",
                        is.rate, sound.rate
                    ));
                }
                if is.channels != 0 && is.channels != sound.channels {
                    problems.push(format!("the sound is {}; set {}", is.layout(), layout(sound.channels)));
                }
            }
        }
        (!problems.is_empty()).then(|| problems.join(". "))
    }
}

/// The parameter sets of an AVC sequence header, each with a length of four bytes before it, as they can stand before a
/// keyframe. Empty if it cannot be read, or its frames have other lengths.
pub fn parameter_sets(header: &Frame) -> Vec<u8> {
    let mut out = Vec::new();
    let record = AvcRecord::read(header.payload.get(5..).unwrap_or_default());
    let Some(record) = record.filter(|record| record.length_bytes == 4) else { return out };
    for set in record.sequence_sets.into_iter().chain(record.picture_sets) {
        out.extend(u32::try_from(set.len()).unwrap_or(u32::MAX).to_be_bytes());
        out.extend_from_slice(set);
    }
    out
}

/// An AVC decoder configuration record (ISO/IEC 14496-15, 5.3.3). We read it ourselves because that of `h264-reader` 0.9
/// panics if a parameter set is empty.
struct AvcRecord<'a> {
    /// How many bytes say how long a unit is.
    length_bytes: u8,
    sequence_sets: Vec<&'a [u8]>,
    picture_sets: Vec<&'a [u8]>,
}

impl<'a> AvcRecord<'a> {
    fn read(record: &'a [u8]) -> Option<Self> {
        let (&[1, _, _, _, lengths, count, ..], mut rest) = (record.first_chunk::<6>()?, &record[6..]) else {
            return None;
        };
        let sequence_sets = sets(&mut rest, count & 31, 7)?;
        let (&count, mut rest) = rest.split_first()?;
        let picture_sets = sets(&mut rest, count, 8)?;
        Some(Self { length_bytes: (lengths & 3) + 1, sequence_sets, picture_sets })
    }
}

/// Takes `count` parameter sets from `rest`, each after its length, and leaves out those that are no unit of the type
/// `unit` (ISO/IEC 14496-10, table 7-1).
fn sets<'a>(rest: &mut &'a [u8], count: u8, unit: u8) -> Option<Vec<&'a [u8]>> {
    let mut found = Vec::new();
    for _ in 0..count {
        let (length, after) = rest.split_first_chunk::<2>()?;
        let (set, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        *rest = after;
        found.extend(set.first().filter(|first| **first & 31 == unit).map(|_| set));
    }
    Some(found)
}

impl VideoFormat {
    /// Reads an AVC decoder configuration record.
    fn read(record: &[u8]) -> Option<Self> {
        let unit = *AvcRecord::read(record)?.sequence_sets.first()?;
        let bits = decode_nal(unit).ok()?;
        let sps = SeqParameterSet::from_bits(BitReader::new(&*bits)).ok()?;
        let (width, height) = sps.pixel_dimensions().ok()?;
        Some(Self {
            width,
            height,
            fps: sps.fps().filter(|fps| fps.is_finite()),
            profile: format!("{:?}", sps.profile()),
        })
    }
}

impl AudioFormat {
    /// Reads an AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2.1).
    fn read(config: &[u8]) -> Option<Self> {
        const RATES: [u32; 13] = [
            96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000,
            7_350,
        ];
        let (first, second) = (*config.first()?, *config.get(1)?);
        let object = first >> 3;
        let rate = *RATES.get(usize::from((first & 7) << 1 | second >> 7))?;
        Some(Self { object, rate, channels: u32::from(second >> 3 & 15) })
    }

    fn name(self) -> &'static str {
        match self.object {
            5 | 29 => "HE-AAC",
            _ => "AAC",
        }
    }

    fn layout(self) -> String {
        layout(self.channels)
    }
}

fn layout(channels: u32) -> String {
    match channels {
        1 => "mono".to_owned(),
        2 => "stereo".to_owned(),
        other => format!("{other} channels"),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use streamward_test_support::fuzz::fuzz;

    use super::*;
    use crate::adapters::rtmp::flv::FlvReader;

    fn headers() -> Vec<Frame> {
        let mut reader = FlvReader::new(&include_bytes!("../mixer/slate.flv")[..]).unwrap();
        std::iter::from_fn(|| reader.next_frame().unwrap()).filter(|frame| frame.is_header).collect()
    }

    fn formats() -> Formats {
        let mut formats = Formats::default();
        headers().iter().for_each(|header| formats.learn(header));
        formats
    }

    #[test]
    fn formats_are_read_from_the_headers() {
        assert_eq!(formats().describe(), ["H.264 High 1280x720", "AAC 48000 Hz stereo"]);
        assert_eq!(formats().video.unwrap().fps, Some(30.0));
    }

    #[test]
    fn parameter_sets_have_their_lengths() {
        let sets = parameter_sets(&headers()[0]);
        let length = usize::try_from(u32::from_be_bytes(sets[..4].try_into().unwrap())).unwrap();
        let (sps, pps) = (&sets[4..4 + length], &sets[4 + length..]);
        // The types of the units: 7 and 8.
        assert_eq!((sps[0] & 31, pps[4] & 31, pps.len() - 4), (7, 8, usize::from(pps[3])));
    }

    #[test]
    fn a_record_with_an_empty_parameter_set_is_read() {
        let mut header = headers()[0].clone();
        // Version 1, lengths of four bytes, one empty sequence set, one empty picture set.
        header.payload = Bytes::from_static(&[0x17, 0, 0, 0, 0, 1, 100, 0, 31, 0xFF, 0xE1, 0, 0, 1, 0, 0]);
        assert!(parameter_sets(&header).is_empty());
        header.payload.truncate(header.payload.len() - 1);
        assert!(parameter_sets(&header).is_empty());
        let mut formats = Formats::default();
        formats.learn(&header);
        assert_eq!(formats, Formats::default());
    }

    #[test]
    fn mismatch_says_what_to_set_in_the_encoder() {
        let mut profile = Profile::default();
        assert_eq!(formats().mismatch(&profile), None);
        profile.video.height = 1080;
        profile.video.fps = 25;
        profile.audio.rate = 44_100;
        profile.audio.channels = 1;
        assert_eq!(
            formats().mismatch(&profile).unwrap(),
            "the picture is 1280x720; set the output resolution to 1280x1080. it has 30.00 frames a second; set 25. \
             the sound has 48000 Hz; set the sample rate to 44100 Hz. the sound is stereo; set mono"
        );
        assert!(Formats::default().mismatch(&profile).unwrap().contains("add an AAC audio track"));
    }

    #[test]
    fn any_header_is_read_or_unknown() {
        let headers = headers();
        let edits = (0..headers.len(), vec((0_usize..64, any::<u8>()), 0..12), 0_usize..64);
        fuzz(&edits, |(which, edits, length)| {
            let mut header = headers[which].clone();
            let mut payload = header.payload.to_vec();
            for (at, byte) in edits {
                if let Some(place) = payload.get_mut(at) {
                    *place = byte;
                }
            }
            payload.truncate(length.max(1));
            header.payload = Bytes::from(payload);
            let mut formats = Formats::default();
            formats.learn(&header);
            formats.mismatch(&Profile::default());
            parameter_sets(&header);
            assert!(formats.describe().len() <= 1);
        });
    }
}
