//! What a studio is called, which scenes it has, and what a person ordered.

use serde::{Deserialize, Serialize};

use super::words::words;
use crate::domain::Timestamp;
use crate::domain::invalid::{Invalid, text, text_type};

/// A studio's short name, as the configuration has it: 1 to 50 letters, digits, `_` and `-`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StudioName(String);

text_type!(StudioName);

impl StudioName {
    /// Parses a name.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let good = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
        if text.is_empty() || text.len() > 50 || !text.bytes().all(good) {
            return Err(Invalid::one("name", "must be 1 to 50 letters, digits, '_' and '-'"));
        }
        Ok(Self(text.to_owned()))
    }
}

/// The name of a scene in OBS: 1 to 100 characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SceneName(String);

text_type!(SceneName);

impl SceneName {
    /// Parses a name.
    pub fn parse(name: &str) -> Result<Self, Invalid> {
        text("scene", name, 1, 100).map(Self)
    }
}

/// The name of a source in OBS, which is also called an input: 1 to 255 characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SourceName(String);

text_type!(SourceName);

impl SourceName {
    /// Parses a name.
    pub fn parse(name: &str) -> Result<Self, Invalid> {
        text("source", name, 1, 255).map(Self)
    }
}

words! {
    /// What a scene is for.
    #[derive(PartialOrd, Ord, Hash)]
    ScenePurpose {
        /// It plays the content of the schedule.
        Automated,
        /// It shows the owner.
        Owner,
        /// It plays the failover content.
        Failover,
        /// It is shown when the failover content fails too.
        TechnicalDifficulties,
        /// It is shown while the owner is active, but not visible or silent.
        GoingLiveSoon,
    }
}

/// The names of the scenes, by purpose. No two are the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scenes([SceneName; 5]);

impl Default for Scenes {
    fn default() -> Self {
        let names =
            ["Automated Content", "Owner Live", "Failover", "Technical Difficulties", "Going Live Soon"];
        Self(names.map(|name| SceneName(name.to_owned())))
    }
}

impl Scenes {
    /// The names in the order of [`ScenePurpose`]. Refuses a name that two purposes have.
    pub fn new(names: [SceneName; 5]) -> Result<Self, Invalid> {
        for (n, name) in names.iter().enumerate() {
            if let Some(other) = names.iter().take(n).position(|other| other == name) {
                let [other, this] = [other, n].map(|n| <&str>::from(ScenePurpose::ALL[n]));
                let rule = format!("must differ from the scene for {other}, both are '{name}'");
                return Err(Invalid::one(format!("scenes.{this}"), rule));
            }
        }
        Ok(Self(names))
    }

    /// The scene for a purpose.
    pub fn name(&self, purpose: ScenePurpose) -> &SceneName {
        &self.0[purpose as usize]
    }

    /// What a scene is for; `None` if it is not one of ours.
    pub fn purpose(&self, scene: &SceneName) -> Option<ScenePurpose> {
        ScenePurpose::ALL.iter().copied().find(|purpose| self.name(*purpose) == scene)
    }
}

/// A person's order that automation leaves the scene alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// When it was ordered.
    pub since: Timestamp,
    /// When it ends by itself.
    pub until: Option<Timestamp>,
    /// The scene that was ordered with it. Without one, the scene that is on air stays.
    pub scene: Option<SceneName>,
    /// Who ordered it.
    pub by: String,
    /// Why, in that person's words.
    pub reason: Option<String>,
}

impl Hold {
    /// Whether it has ended by itself.
    pub fn has_expired(&self, now: Timestamp) -> bool {
        self.until.is_some_and(|until| until <= now)
    }
}

words! {
    /// Whether a studio is to be on air.
    Desired {
        /// On air, as soon as the pre-flight checks pass.
        OnAir,
        /// A person stopped it. It stays so until a person starts it.
        Stopped,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scenes_have_the_names_of_the_specification() {
        let scenes = Scenes::default();
        for (purpose, name) in [
            (ScenePurpose::Automated, "Automated Content"),
            (ScenePurpose::Owner, "Owner Live"),
            (ScenePurpose::Failover, "Failover"),
            (ScenePurpose::TechnicalDifficulties, "Technical Difficulties"),
            (ScenePurpose::GoingLiveSoon, "Going Live Soon"),
        ] {
            assert_eq!(scenes.name(purpose).as_str(), name);
            assert_eq!(scenes.purpose(&SceneName::parse(name).unwrap()), Some(purpose));
        }
        assert_eq!(scenes.purpose(&SceneName::parse("My scene").unwrap()), None);
    }

    #[test]
    fn two_purposes_cannot_share_a_scene() {
        let names = ["A", "B", "C", "A", "E"].map(|name| SceneName::parse(name).unwrap());
        let refused = Scenes::new(names).unwrap_err().to_string();
        assert_eq!(
            refused,
            "scenes.technical_difficulties must differ from the scene for automated, both are 'A'"
        );
    }

    #[test]
    fn names_are_checked() {
        assert!(StudioName::parse("main-1_b").is_ok() && SceneName::parse(&"s".repeat(100)).is_ok());
        for bad in ["", "a b", "ä", &"x".repeat(51)] {
            assert!(StudioName::parse(bad).is_err(), "{bad}");
        }
        assert!(SceneName::parse(&"s".repeat(101)).is_err() && SourceName::parse("a\nb").is_err());
    }

    #[test]
    fn hold_without_an_end_does_not_expire() {
        let at = Timestamp::from_seconds;
        let hold = |until| Hold { since: at(1), until, scene: None, by: "ann".into(), reason: None };
        assert!(!hold(None).has_expired(at(i64::MAX / 2_000_000)));
        assert!(hold(Some(at(5))).has_expired(at(5)) && !hold(Some(at(5))).has_expired(at(4)));
    }
}
