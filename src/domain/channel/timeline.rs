//! The timeline of a programme: which timestamp each frame of each source gets. Arithmetic only.
//!
//! The timestamps of a source begin anywhere and wrap at 2^32 ms. The programme's begin at zero, rise strictly in each
//! track, and stay on the wall clock: what a source left out stays a hole.

use std::time::Duration;

use crate::domain::millis;

/// A track of a programme.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Track {
    /// H.264.
    Video,
    /// AAC.
    Audio,
}

/// A source that is ahead of the wall clock by this many milliseconds jumped.
const AHEAD_MS: i64 = 2_000;
/// A source that is behind the wall clock, or before its first frame, by this many milliseconds jumped.
const BEHIND_MS: i64 = 10_000;
/// A source whose clock runs otherwise than ours is moved back to the wall clock when it is this far from it.
const DRIFT_MS: i64 = 200;
/// How far it is moved with each picture.
const SLEW_MS: i64 = 1;
/// Sound that ended before the picture is filled up from this long before the last picture.
const LATE_SOUND_MS: u64 = 500;
/// After a cut, the distance of two video frames is kept up to this number of milliseconds.
const LONGEST_STEP: u64 = 50;
/// Samples in an AAC frame.
const SAMPLES: u64 = 1_024;
/// A hole in the audio track is filled with this many frames at most (about half a minute).
const MOST_SILENCE: u64 = 1_500;

/// Gives each frame its place in the programme. Times are milliseconds since the programme's start.
#[derive(Clone, Debug)]
pub struct Timeline {
    audio_rate: u32,
    last_video: Option<u64>,
    /// The time between the last two video frames.
    video_step: u64,
    last_audio: Option<u64>,
    anchor: Option<Anchor>,
}

/// What a source's timestamps count from.
#[derive(Clone, Copy, Debug)]
struct Anchor {
    /// Where the source's first frame is in the programme.
    base: u64,
    /// The timestamp of that frame, extended beyond 32 bits; moved when the source's clock drifts.
    first: i64,
    /// The timestamp of the newest frame, extended beyond 32 bits.
    newest: i64,
    /// How much of the source waited at its first frame, in milliseconds.
    backlog: Option<u64>,
}

/// What a cut does to the timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Splice {
    /// Where the new source's first frame is.
    pub base: u64,
    /// The time since the last video frame; zero for the first source.
    pub hole_ms: u64,
    /// Where silent AAC frames go, so that the audio track has no hole.
    pub silence: Vec<u64>,
}

impl Timeline {
    /// A timeline without frames. `audio_rate` is in samples a second.
    pub fn new(audio_rate: u32) -> Self {
        Self {
            audio_rate: audio_rate.max(1),
            last_video: None,
            video_step: 0,
            last_audio: None,
            anchor: None,
        }
    }

    /// Silent frames are counted with this rate, in samples a second.
    pub fn set_audio_rate(&mut self, rate: u32) {
        self.audio_rate = rate.max(1);
    }

    /// Of the source that is on air, `waits_ms` of media wait beside the frame that is placed next. If that grows, its
    /// clock is faster than ours: its frames come a little closer together until it has shrunk.
    pub fn note_backlog(&mut self, waits_ms: u64) {
        let Some(anchor) = &mut self.anchor else { return };
        let usual = *anchor.backlog.get_or_insert(waits_ms);
        if waits_ms > usual + DRIFT_MS.unsigned_abs() {
            anchor.first += SLEW_MS;
        }
    }

    /// Begins a source at `now`. `first` is the timestamp of its first frame, a keyframe.
    pub fn cut(&mut self, now: Duration, first: u32) -> Splice {
        let last_video = self.last_video;
        let base = self.anchor_at(now, i64::from(first));
        let silence = self.silence_until(base, last_video);
        let hole_ms = last_video.map_or(0, |last| base.saturating_sub(last));
        Splice { base, hole_ms, silence }
    }

    /// The place of a frame of the source that is on air; `None` if it must be dropped, because it is older than the
    /// source's first frame. A source whose timestamps jumped continues at `now`.
    pub fn place(&mut self, track: Track, timestamp: u32, now: Duration) -> Option<u64> {
        let mut anchor = self.anchor?;
        anchor.newest = extend(anchor.newest, timestamp);
        let offset = anchor.newest - anchor.first;
        let lead = millis(now).checked_signed_diff(anchor.base).map_or(0, |since| offset - since);
        if track == Track::Video && lead < -DRIFT_MS {
            // Its clock is slower than ours, or it is late for a moment.
            anchor.first -= SLEW_MS;
        }
        self.anchor = Some(anchor);
        let at = if !(-BEHIND_MS..=AHEAD_MS).contains(&lead) || offset < -BEHIND_MS {
            self.anchor_at(now, anchor.newest)
        } else {
            anchor.base.saturating_add(u64::try_from(offset).ok()?)
        };
        let last = match track {
            Track::Video => &mut self.last_video,
            Track::Audio => &mut self.last_audio,
        };
        let at = last.map_or(at, |last| at.max(last + 1));
        let step = last.replace(at).map_or(0, |last| at - last);
        if track == Track::Video {
            self.video_step = step.min(LONGEST_STEP);
        }
        Some(at)
    }

    /// The place of the newest frame of any track.
    pub fn last(&self) -> Option<u64> {
        self.last_video.max(self.last_audio)
    }

    fn anchor_at(&mut self, now: Duration, first: i64) -> u64 {
        // Frames are sent a little early: the next one keeps its distance.
        let next = self.last_video.map_or(0, |last| last + self.video_step);
        let base = self.last().map_or(millis(now), |last| millis(now).max(last + 1).max(next));
        self.anchor = Some(Anchor { base, first, newest: first, backlog: None });
        base
    }

    /// Fills the audio track up to `base`. What a source without sound left out before its last picture stays.
    fn silence_until(&mut self, base: u64, last_video: Option<u64>) -> Vec<u64> {
        let Some(last) = self.last_audio else { return Vec::new() };
        let last = last.max(last_video.unwrap_or(0).saturating_sub(LATE_SOUND_MS));
        let rate = u64::from(self.audio_rate);
        let places = (1..=MOST_SILENCE).map(|frame| last + frame * SAMPLES * 1_000 / rate);
        // A frame that would lie in the new source for the most part is left out.
        let half = SAMPLES * 500 / rate;
        let silence: Vec<u64> = places.take_while(|at| at + half < base).collect();
        self.last_audio = silence.last().copied().or(self.last_audio);
        silence
    }
}

/// A place as RTMP sends it: modulo 2^32, which is 49.7 days.
#[expect(clippy::cast_possible_truncation, reason = "it is what a wrap is")]
pub fn wrapped(at: u64) -> u32 {
    at as u32
}

/// The number that `timestamp` is modulo 2^32 and that is nearest to `near`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "the difference of two wrapped numbers is a signed one"
)]
fn extend(near: i64, timestamp: u32) -> i64 {
    near + i64::from(timestamp.wrapping_sub(near as u32) as i32)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[test]
    fn first_source_begins_now_whatever_its_timestamps_are() {
        let mut timeline = Timeline::new(48_000);
        let splice = timeline.cut(MS(500), 4_000_000_000);
        assert_eq!(splice, Splice { base: 500, hole_ms: 0, silence: vec![] });
        assert_eq!(timeline.place(Track::Video, 4_000_000_000, MS(500)), Some(500));
        assert_eq!(timeline.place(Track::Audio, 4_000_000_010, MS(500)), Some(510));
    }

    #[test]
    fn hole_stays_a_hole_and_silence_fills_the_audio_track() {
        let mut timeline = Timeline::new(48_000);
        timeline.cut(MS(0), 0);
        for at in [0, 33, 66] {
            timeline.place(Track::Video, at, MS(u64::from(at)));
        }
        timeline.place(Track::Audio, 64, MS(66));
        let splice = timeline.cut(MS(766), 90_000);
        assert_eq!((splice.base, splice.hole_ms), (766, 700));
        assert_eq!(splice.silence[..3], [85, 106, 128]);
        assert_eq!(splice.silence.len(), 32);
        assert_eq!(timeline.place(Track::Audio, 90_005, MS(766)), Some(771));
    }

    #[test]
    fn silence_has_the_sample_rate_of_the_present_profile() {
        let mut timeline = Timeline::new(48_000);
        timeline.cut(MS(0), 0);
        timeline.place(Track::Audio, 0, MS(0));
        timeline.set_audio_rate(44_100);
        assert_eq!(timeline.cut(MS(766), 90_000).silence[..3], [23, 46, 69]);
    }

    #[test]
    fn audio_older_than_the_keyframe_is_dropped() {
        let mut timeline = Timeline::new(44_100);
        timeline.cut(MS(0), 1_000);
        assert_eq!(timeline.place(Track::Audio, 990, MS(0)), None);
        assert_eq!(timeline.place(Track::Video, 1_000, MS(0)), Some(0));
        assert_eq!(timeline.place(Track::Audio, 1_003, MS(0)), Some(3));
    }

    #[test]
    fn timestamps_of_a_source_wrap() {
        let mut timeline = Timeline::new(48_000);
        timeline.cut(MS(0), u32::MAX - 9);
        assert_eq!(timeline.place(Track::Video, u32::MAX - 9, MS(0)), Some(0));
        assert_eq!(timeline.place(Track::Video, 10, MS(20)), Some(20));
    }

    #[test]
    fn places_wrap_on_the_wire() {
        assert_eq!(wrapped(u64::from(u32::MAX) + 7), 6);
    }

    #[test]
    fn source_whose_timestamps_jump_goes_on_at_once() {
        for jump in [7_200_000_u32, 4_000_000_000, 5] {
            let mut timeline = Timeline::new(48_000);
            timeline.cut(MS(0), 3_600_000);
            timeline.place(Track::Video, 3_600_000, MS(0));
            assert_eq!(timeline.place(Track::Video, jump, MS(40)), Some(40), "{jump}");
            assert_eq!(timeline.place(Track::Audio, jump + 5, MS(45)), Some(45), "{jump}");
        }
    }

    #[test]
    fn silence_begins_at_the_hole_after_a_source_without_sound() {
        let mut timeline = Timeline::new(48_000);
        timeline.cut(MS(0), 0);
        timeline.place(Track::Audio, 0, MS(0));
        for at in (0..600_000).step_by(40) {
            timeline.place(Track::Video, at, MS(u64::from(at)));
        }
        let splice = timeline.cut(MS(600_700), 0);
        assert!(splice.silence[0] >= 599_400, "{:?}", &splice.silence[..2]);
        assert!(splice.silence.len() < 70);
    }

    #[test]
    fn encoder_with_a_slow_clock_stays_near_the_wall_clock_for_a_day() {
        let mut timeline = Timeline::new(48_000);
        timeline.cut(MS(0), 0);
        // 40 ms of the encoder are 40.008 ms: it loses 17 s in a day.
        let mut last = 0;
        for frame in 0..2_160_000_u64 {
            let (now, source) = (frame * 40_008 / 1_000, frame * 40);
            let at = timeline.place(Track::Video, wrapped(source), MS(now)).unwrap();
            assert!(at.abs_diff(now) <= 250, "{at} at {now}");
            assert!(frame == 0 || (1..=42).contains(&(at - last)), "{} at {now}", at - last);
            last = at;
        }
    }

    #[test]
    fn encoder_with_a_fast_clock_does_not_pile_up_for_a_day() {
        const AHEAD: u64 = 100;
        let mut timeline = Timeline::new(48_000);
        // At the cut, the second since the last keyframe waits. 40 ms of the encoder are 39.992 ms.
        let arrives = |frame: u64| (frame * 39_992 / 1_000).saturating_sub(1_000);
        timeline.cut(MS(0), 0);
        let mut now = 0_u64;
        for frame in 0..2_160_000_u64 {
            now = now.max(arrives(frame));
            let newest = (now + 1_000) * 1_000 / 39_992;
            let waits = newest.saturating_sub(frame) * 40;
            timeline.note_backlog(waits);
            let at = timeline.place(Track::Video, wrapped(frame * 40), MS(now)).unwrap();
            assert!(waits <= 1_400, "{waits} ms wait at {now}");
            // It is sent when it is due.
            now = now.max(at.saturating_sub(AHEAD));
        }
    }

    proptest! {
        #[test]
        fn places_rise_strictly_in_each_track(
            steps in vec((any::<bool>(), 0_u32..3_000, 0_u64..500, 0_u8..20), 1..200),
            first in any::<u32>(),
        ) {
            let mut timeline = Timeline::new(44_100);
            let (mut now, mut source, mut last) = (0, first, [None; 2]);
            timeline.cut(MS(0), first);
            for (is_video, step, wait, event) in steps {
                now += wait;
                source = if event == 0 { step } else { source.wrapping_add(step) };
                if event == 1 {
                    let splice = timeline.cut(MS(now), source);
                    prop_assert!(splice.base >= now);
                    for at in splice.silence {
                        prop_assert!(last[1] < Some(at) && at < splice.base);
                        last[1] = Some(at);
                    }
                }
                let track = if is_video { Track::Video } else { Track::Audio };
                let at = timeline.place(track, source, MS(now));
                let last = &mut last[usize::from(!is_video)];
                if at.is_some() {
                    prop_assert!(*last < at);
                    *last = at;
                }
            }
        }

        #[test]
        fn a_day_with_cuts_stays_on_the_wall_clock(
            cuts in vec((1_000_u64..20_000_000, any::<u32>()), 3..8),
        ) {
            const DAY: u64 = 86_400_000;
            const FRAME: u64 = 40;
            let mut timeline = Timeline::new(48_000);
            let mut cuts = cuts.into_iter().cycle();
            let mut now = 0;
            while now < DAY {
                let (length, first) = cuts.next().unwrap_or((DAY, 0));
                let (begin, first) = (now, first);
                timeline.cut(MS(now), first);
                // Each frame would take long: every thousandth is as good.
                while now < DAY && now - begin < length {
                    let source = first.wrapping_add(wrapped(now - begin));
                    let at = timeline.place(Track::Video, source, MS(now)).unwrap_or(0);
                    prop_assert!(at.abs_diff(now) < FRAME, "{at} at {now}");
                    now += FRAME * 1_000;
                }
            }
        }
    }
}
