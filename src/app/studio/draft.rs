//! What clients send about studios, and how it is checked.

use std::time::Duration;

use crate::domain::Timestamp;
use crate::domain::invalid::{Checks, Invalid, text};
use crate::domain::studio::{
    Block, ContentSource, Hold, SceneName, ScenePurpose, Scenes, Schedule, TimeZone,
};

/// The longest hold with an end: 30 days.
const LONGEST_HOLD: u64 = 30 * 86_400;

/// A hold as an operator sends it, not checked yet.
#[derive(Clone, Debug, Default)]
pub struct HoldDraft {
    /// A scene in OBS, or what one of ours is for, such as `owner`. Without it, what is on air stays.
    pub scene: Option<String>,
    /// When it ends, as RFC 3339; never without it.
    pub until: Option<String>,
    /// The same, in seconds from now.
    pub for_seconds: Option<u64>,
    /// Why.
    pub reason: String,
}

impl HoldDraft {
    /// The hold of `by` from `now` on.
    pub(super) fn hold(&self, scenes: &Scenes, by: &str, now: Timestamp) -> Result<Hold, Invalid> {
        let mut checks = Checks::default();
        let scene = checks.take_opt(self.scene.as_deref().map(|scene| scene_named(scenes, scene)));
        let reason = checks.take(check_reason(&self.reason));
        let until = checks.take(self.end(now)).flatten();
        checks.finish()?;
        Ok(Hold { since: now, until, scene, by: by.to_owned(), reason })
    }

    fn end(&self, now: Timestamp) -> Result<Option<Timestamp>, Invalid> {
        let refused = |field: &str, rule: String| Err(Invalid::one(field, rule));
        match (&self.until, self.for_seconds) {
            (None, None) => Ok(None),
            (Some(_), Some(_)) => refused("until", "must not be given together with for_seconds".to_owned()),
            (None, Some(seconds @ 1..=LONGEST_HOLD)) => Ok(Some(now.plus(Duration::from_secs(seconds)))),
            (None, Some(seconds)) => {
                refused("for_seconds", format!("must be 1 to {LONGEST_HOLD}, got {seconds}"))
            }
            (Some(until), None) => {
                let latest = now.plus(Duration::from_secs(LONGEST_HOLD));
                match until.parse::<Timestamp>() {
                    Err(rule) => refused("until", rule.to_owned()),
                    Ok(until) if until > now && until <= latest => Ok(Some(until)),
                    Ok(_) => refused("until", "must be within the next 30 days".to_owned()),
                }
            }
        }
    }
}

/// The scene of this name, or for this purpose.
fn scene_named(scenes: &Scenes, text: &str) -> Result<SceneName, Invalid> {
    match text.parse::<ScenePurpose>() {
        Ok(purpose) => Ok(scenes.name(purpose).clone()),
        Err(_) => SceneName::parse(text),
    }
}

/// A reason in a person's words.
pub(super) fn check_reason(reason: &str) -> Result<String, Invalid> {
    text("reason", reason, 1, 500)
}

/// A schedule as an admin sends it, not checked yet.
#[derive(Clone, Debug, Default)]
pub struct ScheduleDraft {
    /// Whose clock counts; that of the configuration without it.
    pub time_zone: Option<TimeZone>,
    /// The blocks.
    pub blocks: Vec<Block>,
    /// The content.
    pub content: Vec<ContentSource>,
    /// Why.
    pub reason: Option<String>,
}

impl ScheduleDraft {
    /// The schedule, and why.
    pub(super) fn schedule(self, time_zone: TimeZone) -> Result<(Schedule, Option<String>), Invalid> {
        let Self { time_zone: given, blocks, content, reason } = self;
        let mut checks = Checks::default();
        let reason = checks.take_opt(reason.as_deref().map(check_reason));
        let schedule = Schedule { time_zone: given.unwrap_or(time_zone), blocks, content };
        let schedule = checks.take(schedule.check());
        checks.finish()?;
        Ok((schedule.unwrap_or_else(|| Schedule::empty(time_zone)), reason))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_000);

    fn draft(scene: &str, until: &str, for_seconds: Option<u64>, reason: &str) -> HoldDraft {
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        HoldDraft { scene: given(scene), until: given(until), for_seconds, reason: reason.to_owned() }
    }

    #[test]
    fn scene_is_a_name_or_a_purpose() {
        for (scene, name) in [("owner", "Owner Live"), ("Guests", "Guests"), ("Failover", "Failover")] {
            let hold = draft(scene, "", Some(60), "a guest").hold(&Scenes::default(), "ann", NOW).unwrap();
            assert_eq!(hold.scene.unwrap().as_str(), name);
            assert_eq!((hold.until, hold.by.as_str()), (Some(Timestamp::from_seconds(1_060)), "ann"));
        }
    }

    #[test]
    fn end_is_a_time_or_a_length_or_none() {
        let end = |until: &str, seconds| draft("", until, seconds, "x").hold(&Scenes::default(), "ann", NOW);
        assert_eq!(end("", None).unwrap().until, None);
        let at = Timestamp::from_seconds(2_000);
        assert_eq!(end(&at.to_string(), None).unwrap().until, Some(at));
        for (until, seconds, field) in [
            ("soon", None, "until"),
            ("1970-01-01T00:00:01Z", None, "until"),
            ("2999-01-01T00:00:00Z", None, "until"),
            ("1970-01-01T00:30:00Z", Some(5), "until"),
            ("", Some(0), "for_seconds"),
            ("", Some(LONGEST_HOLD + 1), "for_seconds"),
        ] {
            assert_eq!(end(until, seconds).unwrap_err().0[0].field, field, "{until} {seconds:?}");
        }
        let refused = draft("", "soon", None, "").hold(&Scenes::default(), "ann", NOW).unwrap_err();
        assert_eq!(refused.0.len(), 2, "a reason is needed: {refused}");
    }
}
