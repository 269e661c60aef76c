//! Playlists as clients describe them, and how they are checked.

use std::str::FromStr;

use crate::domain::channel::{ClipId, Playlist, PlaylistChange, Slot};
use crate::domain::invalid::{Checks, Invalid};

/// The most clips of a playlist, those of its slots included.
const MOST_CLIPS: usize = 1_000;
/// The most slots of a playlist.
const MOST_SLOTS: usize = 200;

/// A playlist, not checked yet.
#[derive(Clone, Debug, Default)]
pub struct PlaylistDraft {
    /// The clips that play when no slot does.
    pub clips: Vec<String>,
    /// Clips that play at certain times.
    pub schedule: Vec<SlotDraft>,
    /// `end_of_clip` (default) or `at_once`.
    pub change: Option<String>,
}

/// Clips that play at a time of day, not checked yet.
#[derive(Clone, Debug, Default)]
pub struct SlotDraft {
    /// The clips.
    pub clips: Vec<String>,
    /// When it begins, such as `18:00`.
    pub from: String,
    /// When it ends.
    pub to: String,
    /// The days on which it begins, such as `sun`; every day without any.
    pub days: Vec<String>,
    /// The time zone, such as `Asia/Kolkata`.
    pub time_zone: String,
}

fn ids(field: &str, clips: &[String]) -> Result<Vec<ClipId>, Invalid> {
    let ids: Result<Vec<ClipId>, _> = clips.iter().map(|id| id.parse()).collect();
    ids.map_err(|_| Invalid::one(field, "must be ids of clips"))
}

fn parsed<T: FromStr<Err = &'static str>>(field: &str, text: &str) -> Result<T, Invalid> {
    text.parse().map_err(|rule: &str| Invalid::one(field, format!("{rule}, got {text:?}")))
}

impl SlotDraft {
    fn checked(&self, number: usize, checks: &mut Checks) -> Option<Slot> {
        let field = |name: &str| format!("inputs.backup.playlist.schedule[{number}].{name}");
        let day = |day: &String| {
            day.parse().map_err(|_| {
                let rule = format!("must be mon, tue, wed, thu, fri, sat or sun, got {day:?}");
                Invalid::one(field("days"), rule)
            })
        };
        let clips = match ids(&field("clips"), &self.clips) {
            Ok(clips) if clips.is_empty() => Err(Invalid::one(field("clips"), "must not be empty")),
            clips => clips,
        };
        let clips = checks.take(clips);
        let from = checks.take(parsed(&field("from"), &self.from));
        let to = checks.take(parsed(&field("to"), &self.to));
        let days = checks.take(self.days.iter().map(day).collect::<Result<Vec<_>, _>>());
        let time_zone = checks.take(parsed(&field("time_zone"), &self.time_zone));
        Some(Slot { clips: clips?, from: from?, to: to?, days: days?, time_zone: time_zone? })
    }
}

impl PlaylistDraft {
    /// The playlist that it describes.
    pub(super) fn playlist(&self) -> Result<Playlist, Invalid> {
        let mut checks = Checks::default();
        let all = self.clips.len() + self.schedule.iter().map(|slot| slot.clips.len()).sum::<usize>();
        let at_most = |field: &str, found: usize, most: usize| {
            let rule = || format!("must be at most {most}, got {found}");
            if found <= most { Ok(()) } else { Err(Invalid::one(field, rule())) }
        };
        checks.take(at_most("inputs.backup.playlist.clips", all, MOST_CLIPS));
        checks.take(at_most("inputs.backup.playlist.schedule", self.schedule.len(), MOST_SLOTS));
        let clips = checks.take(ids("inputs.backup.playlist.clips", &self.clips)).unwrap_or_default();
        let slots = self.schedule.iter().enumerate();
        let schedule = slots.filter_map(|(number, slot)| slot.checked(number, &mut checks)).collect();
        let change = self.change.as_deref().map(|word| {
            let rule = "must be end_of_clip or at_once";
            word.parse::<PlaylistChange>().map_err(|_| Invalid::one("inputs.backup.playlist.change", rule))
        });
        let change = checks.take_opt(change).unwrap_or_default();
        checks.finish().map(|()| Playlist { clips, schedule, change })
    }
}

impl From<&Playlist> for PlaylistDraft {
    fn from(playlist: &Playlist) -> Self {
        let texts = |clips: &[ClipId]| clips.iter().map(ToString::to_string).collect();
        let slot = |slot: &Slot| SlotDraft {
            clips: texts(&slot.clips),
            from: slot.from.to_string(),
            to: slot.to.to_string(),
            days: slot.days.iter().map(ToString::to_string).collect(),
            time_zone: slot.time_zone.to_string(),
        };
        Self {
            clips: texts(&playlist.clips),
            schedule: playlist.schedule.iter().map(slot).collect(),
            change: Some(playlist.change.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bad_field_of_a_playlist_is_named() {
        let good = "01890000-0000-7000-8000-000000000000";
        let slot = SlotDraft {
            clips: vec![good.into()],
            from: "18:00".into(),
            to: "20:00".into(),
            days: vec!["sun".into()],
            time_zone: "Asia/Kolkata".into(),
        };
        let bad = SlotDraft {
            clips: vec![],
            from: "25:00".into(),
            to: String::new(),
            days: vec!["sunday".into()],
            time_zone: "Mars".into(),
        };
        let mut draft =
            PlaylistDraft { clips: vec![good.into()], schedule: vec![slot, bad], change: Some("now".into()) };
        let Err(Invalid(errors)) = draft.playlist() else { panic!("it is refused") };
        let fields: Vec<&str> = errors.iter().map(|error| error.field.as_str()).collect();
        let of = |name: &str| format!("inputs.backup.playlist.{name}");
        let expected =
            ["clips", "from", "to", "days", "time_zone"].map(|name| of(&format!("schedule[1].{name}")));
        assert_eq!(fields[..5], expected.each_ref().map(String::as_str));
        assert_eq!(fields[5..], [of("change")]);
        draft.schedule.pop();
        draft.change = None;
        let playlist = draft.playlist().unwrap();
        let again = PlaylistDraft::from(&playlist).playlist().unwrap();
        assert_eq!((again == playlist, playlist.schedule.len()), (true, 1));
    }
}
