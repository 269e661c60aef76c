//! Playlists: which clips a backup plays, and when.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

use crate::domain::local_time::{Day, TimeOfDay, TimeZone};
use crate::domain::{ClipId, Timestamp};

/// Clips that play in order, again and again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Playlist {
    /// The clips that play when no slot does.
    pub clips: Vec<ClipId>,
    /// Clips that play at certain times. Of slots at the same time, the clips of each play, in the order of the slots.
    pub schedule: Vec<Slot>,
    /// When a change takes effect, also one by the schedule.
    pub change: PlaylistChange,
}

/// When a change of what plays takes effect. While the backup is not on air, it always does at once.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    Display,
    EnumString,
    IntoStaticStr,
    VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum PlaylistChange {
    /// When the clip that plays has ended.
    #[default]
    EndOfClip,
    /// At once.
    AtOnce,
}

/// Clips that play at a time of day, on the clock of a time zone. The clock decides also when it is changed: a slot from
/// 02:00 to 03:00 lasts two hours when that hour comes twice, and does not come when the clock jumps over it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// The clips.
    pub clips: Vec<ClipId>,
    /// When it begins.
    pub from: TimeOfDay,
    /// When it ends. If that is not later than `from`, on the next day.
    pub to: TimeOfDay,
    /// The days on which it begins. None means every day.
    #[serde(default)]
    pub days: Vec<Day>,
    /// Whose clock counts.
    pub time_zone: TimeZone,
}

impl Slot {
    /// Whether it plays at `now`.
    pub fn plays(&self, now: Timestamp) -> bool {
        let local = self.time_zone.local(now);
        local.is_some_and(|local| local.is_within(self.from, self.to, &self.days))
    }
}

impl Playlist {
    /// The clips that the schedule wants at `now`, or none.
    pub fn scheduled(&self, now: Timestamp) -> Vec<ClipId> {
        self.schedule.iter().filter(|slot| slot.plays(now)).flat_map(|slot| slot.clips.clone()).collect()
    }

    /// All clips, each once.
    pub fn all_clips(&self) -> Vec<ClipId> {
        let all = self.clips.iter().chain(self.schedule.iter().flat_map(|slot| &slot.clips));
        let all: BTreeSet<ClipId> = all.copied().collect();
        all.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn clip(number: u128) -> ClipId {
        ClipId(Uuid::from_u128(number))
    }

    fn slot(number: u128, from: &str, to: &str, days: &[Day], zone: &str) -> Slot {
        let (from, to, time_zone) = (from.parse().unwrap(), to.parse().unwrap(), zone.parse().unwrap());
        Slot { clips: vec![clip(number)], from, to, days: days.to_vec(), time_zone }
    }

    fn at(text: &str) -> Timestamp {
        Timestamp::parse_rfc3339(text).unwrap()
    }

    #[test]
    fn slot_plays_on_its_days_by_the_clock_of_its_time_zone() {
        // 18:00 in Kolkata is 12:30 UTC. 2026-01-04 is a Sunday.
        let slot = slot(1, "18:00", "20:00", &[Day::Sun], "Asia/Kolkata");
        for (now, plays) in [
            ("2026-01-04T12:29:59Z", false),
            ("2026-01-04T12:30:00Z", true),
            ("2026-01-04T14:29:59Z", true),
            ("2026-01-04T14:30:00Z", false),
            ("2026-01-05T12:30:00Z", false),
        ] {
            assert_eq!(slot.plays(at(now)), plays, "{now}");
        }
    }

    #[test]
    fn slot_past_midnight_belongs_to_the_day_on_which_it_begins() {
        let slot = slot(1, "22:00", "02:00", &[Day::Sat, Day::Mon], "UTC");
        for (now, plays) in [
            ("2026-01-03T21:59:00Z", false),
            ("2026-01-03T22:00:00Z", true),
            ("2026-01-04T01:59:00Z", true),
            ("2026-01-04T02:00:00Z", false),
            ("2026-01-04T22:00:00Z", false),
            ("2026-01-05T01:00:00Z", false),
            ("2026-01-05T23:00:00Z", true),
        ] {
            assert_eq!(slot.plays(at(now)), plays, "{now}");
        }
    }

    #[test]
    fn clock_decides_when_it_is_set_forward_and_back() {
        let zone = "Europe/Zurich";
        // On 2026-03-29 the clock jumps from 02:00 to 03:00, at 01:00 UTC.
        let (over, gap) = (slot(1, "02:30", "03:30", &[], zone), slot(1, "02:00", "03:00", &[], zone));
        for (now, plays, in_gap) in [
            ("2026-03-29T00:59:00Z", false, false),
            ("2026-03-29T01:00:00Z", true, false),
            ("2026-03-29T01:29:00Z", true, false),
            ("2026-03-29T01:30:00Z", false, false),
        ] {
            assert_eq!((over.plays(at(now)), gap.plays(at(now))), (plays, in_gap), "{now}");
        }
        // On 2026-10-25 the hour from 02:00 comes twice, from 00:00 and from 01:00 UTC.
        for (now, plays) in [
            ("2026-10-24T23:59:00Z", false),
            ("2026-10-25T00:00:00Z", true),
            ("2026-10-25T01:59:00Z", true),
            ("2026-10-25T02:00:00Z", false),
        ] {
            assert_eq!(gap.plays(at(now)), plays, "{now}");
        }
    }

    #[test]
    fn slot_that_ends_when_it_begins_lasts_a_day() {
        let slot = slot(1, "06:00", "06:00", &[Day::Sun], "UTC");
        let plays = |now| slot.plays(at(now));
        assert!(plays("2026-01-04T06:00:00Z") && plays("2026-01-05T05:59:00Z"));
        assert!(!plays("2026-01-04T05:59:00Z") && !plays("2026-01-05T06:00:00Z"));
    }

    #[test]
    fn slots_at_the_same_time_play_in_their_order_and_each_clip_is_known_once() {
        let slots = [
            slot(3, "10:00", "12:00", &[], "UTC"),
            slot(2, "11:00", "13:00", &[], "UTC"),
            slot(1, "14:00", "15:00", &[], "UTC"),
        ];
        let playlist = Playlist {
            clips: vec![clip(9), clip(2), clip(9)],
            schedule: slots.into(),
            ..Playlist::default()
        };
        let at = |hour: u32| playlist.scheduled(at(&format!("2026-01-01T{hour:02}:30:00Z")));
        assert_eq!((at(10), at(11), at(12)), (vec![clip(3)], vec![clip(3), clip(2)], vec![clip(2)]));
        assert_eq!(at(13), []);
        assert_eq!(playlist.all_clips(), [clip(1), clip(2), clip(3), clip(9)]);
    }

    #[test]
    fn stored_playlist_without_a_schedule_can_be_read() {
        let read: Playlist = serde_json::from_str(r#"{"clips":[]}"#).unwrap();
        assert_eq!(read, Playlist::default());
    }

    proptest! {
        /// Of the two slots that divide a day, exactly one plays, also when the clock is changed.
        #[test]
        fn two_slots_divide_every_day(from in 0_u32..1_440, to in 0_u32..1_440, hours in 0_i64..20_000) {
            prop_assume!(from != to);
            let time_zone = "America/New_York".parse().unwrap();
            let slot = |from, to| Slot {
                clips: vec![],
                from: TimeOfDay::from_minutes(from).unwrap(),
                to: TimeOfDay::from_minutes(to).unwrap(),
                days: vec![],
                time_zone,
            };
            let now = Timestamp::from_seconds(1_750_000_000 + hours * 1_800);
            prop_assert!(slot(from, to).plays(now) != slot(to, from).plays(now));
        }
    }
}
