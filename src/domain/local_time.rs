//! Time on the clock of a place: days of the week, times of day, time zones.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Datelike as _, SecondsFormat, Timelike as _, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use serde_with::{DeserializeFromStr, SerializeDisplay};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

use super::Timestamp;

/// Minutes of a day without a change of the clock.
pub const MINUTES_OF_DAY: u32 = 24 * 60;

/// A day of the week.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    Display,
    EnumString,
    IntoStaticStr,
    VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[expect(missing_docs, reason = "they are days")]
pub enum Day {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

/// A time of day, to the minute, such as `18:00`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, SerializeDisplay, DeserializeFromStr)]
pub struct TimeOfDay(u32);

impl TimeOfDay {
    /// From the minutes since midnight; `None` if a day does not have so many.
    pub fn from_minutes(minutes: u32) -> Option<Self> {
        (minutes < MINUTES_OF_DAY).then_some(Self(minutes))
    }

    /// The minutes since midnight.
    pub fn minutes(self) -> u32 {
        self.0
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

impl FromStr for TimeOfDay {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let two = |text: &str| {
            let is_number = text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
            text.parse::<u32>().ok().filter(|_| is_number)
        };
        let time = text.split_once(':').and_then(|(hour, minute)| Some((two(hour)?, two(minute)?)));
        match time {
            Some((hour @ 0..24, minute @ 0..60)) => Ok(Self(hour * 60 + minute)),
            _ => Err("must be a time of day such as 18:00"),
        }
    }
}

/// A time zone by its name in the IANA database, such as `Asia/Kolkata`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, SerializeDisplay, DeserializeFromStr)]
pub struct TimeZone(Tz);

impl fmt::Display for TimeZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name())
    }
}

impl FromStr for TimeZone {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self).map_err(|_| "must be a time zone such as Asia/Kolkata")
    }
}

impl TimeZone {
    /// Coordinated universal time.
    pub const UTC: Self = Self(Tz::UTC);

    /// What the clock shows at `at`; `None` for a time that no calendar has.
    pub fn local(self, at: Timestamp) -> Option<LocalTime> {
        let local = DateTime::<Utc>::from_timestamp_micros(at.micros())?.with_timezone(&self.0);
        let minute = local.hour() * 60 + local.minute();
        Some(LocalTime { weekday: local.weekday().num_days_from_monday(), minute })
    }

    /// `at` as RFC 3339 with the offset of this place, such as `2026-03-29T03:30:00+02:00`.
    pub fn rfc3339(self, at: Timestamp) -> String {
        let time = DateTime::<Utc>::from_timestamp_micros(at.micros()).unwrap_or(DateTime::<Utc>::MAX_UTC);
        time.with_timezone(&self.0).to_rfc3339_opts(SecondsFormat::AutoSi, true)
    }
}

/// What a clock shows, to the minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalTime {
    /// Days since Monday.
    weekday: u32,
    /// Minutes since midnight.
    minute: u32,
}

impl LocalTime {
    /// Whether it is in the span from `from` to `to`. If `to` is not later, the span ends on the next day. `days` are those
    /// on which it begins; none means every day.
    pub fn is_within(self, from: TimeOfDay, to: TimeOfDay, days: &[Day]) -> bool {
        let begins = |weekday: u32| days.is_empty() || days.iter().any(|day| *day as u32 == weekday);
        let (today, yesterday) = (self.weekday, (self.weekday + 6) % 7);
        if from < to {
            return begins(today) && (from.0..to.0).contains(&self.minute);
        }
        begins(today) && self.minute >= from.0 || begins(yesterday) && self.minute < to.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_time_zones_are_parsed_strictly() {
        for bad in ["", "18", "18:0", "24:00", "18:60", "+1:00", "18:00:00", "１８:00", " 18:00"] {
            assert!(bad.parse::<TimeOfDay>().is_err(), "{bad}");
        }
        assert_eq!("07:05".parse::<TimeOfDay>().unwrap().to_string(), "07:05");
        assert_eq!("Asia/Kolkata".parse::<TimeZone>().unwrap().to_string(), "Asia/Kolkata");
        for bad in ["", "India", "+05:30", "asia/kolkata"] {
            assert!(bad.parse::<TimeZone>().is_err(), "{bad}");
        }
    }

    #[test]
    fn time_is_shown_with_the_offset_of_the_place() {
        let zone: TimeZone = "Europe/Zurich".parse().unwrap();
        let at = |text| zone.rfc3339(Timestamp::parse_rfc3339(text).unwrap());
        assert_eq!(at("2026-03-29T00:59:59Z"), "2026-03-29T01:59:59+01:00");
        assert_eq!(at("2026-03-29T01:00:00Z"), "2026-03-29T03:00:00+02:00");
    }
}
