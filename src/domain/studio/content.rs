//! Content: what can play, for whom, and whether it was found playable.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use url::Url;

use super::model::SceneName;
use super::words::words;
use crate::domain::Timestamp;
use crate::domain::invalid::{Invalid, text, text_type};

/// A file is verified again after this time.
pub const VERIFY_AGAIN_AFTER: Duration = Duration::from_secs(24 * 3_600);

/// The name of a content source: 1 to 100 characters. No two sources of a studio have the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ContentName(String);

text_type!(ContentName);

impl ContentName {
    /// Parses a name.
    pub fn parse(name: &str) -> Result<Self, Invalid> {
        text("name", name, 1, 100).map(Self)
    }
}

/// Something that can play.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContentSource {
    /// Its name.
    pub name: ContentName,
    /// Where it comes from.
    pub media: Media,
    /// For whom it is.
    #[serde(default)]
    pub age: AgeRating,
    /// The names of the blocks in which it plays. None means every block, and also the time without a block.
    #[serde(default)]
    pub blocks: Vec<String>,
    /// Premium content plays before standard content.
    #[serde(default)]
    pub tier: Tier,
    /// Its place among content of the same tier, lowest first. 11 to 100; the numbers below are for owner and failover.
    #[serde(default = "middle")]
    pub priority: u8,
    /// It plays for this long at most. A scene or live input without it plays to the end of the block.
    #[serde(default)]
    pub plays_for_seconds: Option<u32>,
}

fn middle() -> u8 {
    50
}

/// Where content comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Media {
    /// A video file.
    VideoFile {
        /// Its path, on the machine of OBS.
        path: String,
    },
    /// A scene in OBS.
    SceneComposition {
        /// Its name.
        scene: SceneName,
    },
    /// A stream that OBS reads.
    LiveInput {
        /// Its address.
        url: String,
    },
}

words! {
    /// A kind of content.
    #[derive(PartialOrd, Ord, Hash)]
    ContentKind {
        /// A video file.
        VideoFile,
        /// A scene in OBS.
        SceneComposition,
        /// A stream that OBS reads.
        LiveInput,
    }
}

words! {
    /// For whom content is.
    #[derive(Default)]
    AgeRating {
        /// For children.
        Kids,
        /// For everybody.
        #[default]
        AllAges,
        /// From 13 years on.
        Teen,
        /// For adults.
        Adult,
    }
}

words! {
    /// What plays first. The owner comes before both, failover content after them.
    #[derive(Default, PartialOrd, Ord)]
    Tier {
        /// Before standard content.
        Premium,
        /// Everything else.
        #[default]
        Standard,
    }
}

impl AgeRating {
    /// Whether content of this rating may play where `allowed` is the rating of the block.
    pub fn fits(self, allowed: Self) -> bool {
        let age = |rating| match rating {
            Self::Kids | Self::AllAges => 0,
            Self::Teen => 1,
            Self::Adult => 2,
        };
        age(self) <= age(allowed)
    }
}

impl Media {
    /// Refuses the address of a live input with a secret in it: everybody who may see the schedule sees it.
    pub(super) fn check(&self) -> Result<(), Invalid> {
        let Self::LiveInput { url } = self else { return Ok(()) };
        let refused = |rule: &str| Err(Invalid::one("media.url", rule));
        let Ok(url) = Url::parse(url) else {
            return refused("must be an address such as srt://host:9000");
        };
        let is_secret = |name: &str| {
            let name = name.to_lowercase();
            ["pass", "key", "token", "secret", "sig"].iter().any(|word| name.contains(word))
        };
        let has_secret = url.query_pairs().any(|(name, _)| is_secret(&name));
        if has_secret || !url.username().is_empty() || url.password().is_some() {
            return refused(
                "must not contain a user, a password or a key: use a scene in OBS that has the source",
            );
        }
        Ok(())
    }
}

impl ContentSource {
    /// Its kind.
    pub fn kind(&self) -> ContentKind {
        match self.media {
            Media::VideoFile { .. } => ContentKind::VideoFile,
            Media::SceneComposition { .. } => ContentKind::SceneComposition,
            Media::LiveInput { .. } => ContentKind::LiveInput,
        }
    }

    /// The file or scene, for people; of a live input its name.
    pub fn place(&self) -> &str {
        match &self.media {
            Media::VideoFile { path } => path,
            Media::SceneComposition { scene } => scene.as_str(),
            Media::LiveInput { .. } => self.name.as_str(),
        }
    }
}

/// What verifying a file found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verification {
    /// When.
    pub at: Timestamp,
    /// How long the file plays, if it says so.
    pub duration_ms: Option<u64>,
    /// Why it cannot be played.
    pub problem: Option<String>,
}

/// What is known of the content's files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Library(BTreeMap<ContentName, Verification>);

impl Library {
    /// Records what verifying `name` found.
    pub fn record(&mut self, name: ContentName, found: Verification) {
        self.0.insert(name, found);
    }

    /// Forgets what was found: the name stands for something else.
    pub fn forget(&mut self, name: &ContentName) {
        self.0.remove(name);
    }

    /// What verifying `name` found; `None` if it was not verified.
    pub fn get(&self, name: &ContentName) -> Option<&Verification> {
        self.0.get(name)
    }

    /// Whether it may be scheduled: a file must have been found playable, everything else must not have been found broken.
    pub fn is_playable(&self, source: &ContentSource) -> bool {
        match self.get(&source.name) {
            Some(found) => found.problem.is_none(),
            None => source.kind() != ContentKind::VideoFile,
        }
    }

    /// How long it plays; `None` if that is not known or has no end.
    pub fn duration(&self, source: &ContentSource) -> Option<Duration> {
        let file = self.get(&source.name).and_then(|found| found.duration_ms).map(Duration::from_millis);
        let most = source.plays_for_seconds.map(|seconds| Duration::from_secs(u64::from(seconds)));
        file.into_iter().chain(most).min()
    }

    /// Whether it has to be verified: never before, or more than a day ago.
    pub fn is_due(&self, source: &ContentSource, now: Timestamp) -> bool {
        let is_fresh = |found: &Verification| now.since(found.at) < VERIFY_AGAIN_AFTER;
        source.kind() == ContentKind::VideoFile && !self.get(&source.name).is_some_and(is_fresh)
    }
}

#[cfg(test)]
pub(super) fn file(name: &str) -> ContentSource {
    ContentSource {
        name: ContentName::parse(name).unwrap(),
        media: Media::VideoFile { path: format!("/media/{name}.mp4") },
        age: AgeRating::AllAges,
        blocks: vec![],
        tier: Tier::Standard,
        priority: 50,
        plays_for_seconds: None,
    }
}

/// A library that found these files playable for so many seconds.
#[cfg(test)]
pub(super) fn library(files: &[(&str, u64)]) -> Library {
    let mut library = Library::default();
    for (name, seconds) in files {
        let at = Timestamp::from_seconds(0);
        let found = Verification { at, duration_ms: Some(seconds * 1_000), problem: None };
        library.record(ContentName::parse(name).unwrap(), found);
    }
    library
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(AgeRating::Kids, &[AgeRating::Kids, AgeRating::AllAges, AgeRating::Teen, AgeRating::Adult])]
    #[case(AgeRating::AllAges, &[AgeRating::Kids, AgeRating::AllAges, AgeRating::Teen, AgeRating::Adult])]
    #[case(AgeRating::Teen, &[AgeRating::Teen, AgeRating::Adult])]
    #[case(AgeRating::Adult, &[AgeRating::Adult])]
    fn content_plays_where_the_block_is_for_no_younger_people(
        #[case] content: AgeRating,
        #[case] blocks: &[AgeRating],
    ) {
        let fits: Vec<AgeRating> = AgeRating::ALL.iter().copied().filter(|of| content.fits(*of)).collect();
        assert_eq!(fits, blocks);
    }

    #[test]
    fn file_is_scheduled_only_after_it_was_found_playable() {
        let (file, mut library) = (file("a"), Library::default());
        assert!(!library.is_playable(&file));
        let broken =
            Verification { at: Timestamp::from_seconds(0), duration_ms: None, problem: Some("gone".into()) };
        library.record(file.name.clone(), broken);
        assert!(!library.is_playable(&file));
        library.record(file.name.clone(), super::library(&[("a", 9)]).get(&file.name).unwrap().clone());
        assert!(library.is_playable(&file));
        assert_eq!(library.duration(&file), Some(Duration::from_secs(9)));
        let short = ContentSource { plays_for_seconds: Some(4), ..file };
        assert_eq!(library.duration(&short), Some(Duration::from_secs(4)));
    }

    #[test]
    fn file_is_verified_again_after_a_day() {
        let (file, library) = (file("a"), library(&[("a", 9)]));
        let day = 24 * 3_600;
        for (now, is_due) in [(1, false), (day - 1, false), (day, true)] {
            assert_eq!(library.is_due(&file, Timestamp::from_seconds(now)), is_due, "{now}");
        }
        assert!(Library::default().is_due(&file, Timestamp::from_seconds(0)));
        let scene = Media::SceneComposition { scene: SceneName::parse("Chat").unwrap() };
        let scene = ContentSource { media: scene, ..file };
        assert!(!Library::default().is_due(&scene, Timestamp::from_seconds(0)));
        assert!(Library::default().is_playable(&scene));
    }

    #[rstest]
    #[case("srt://host:9000", true)]
    #[case("https://host/live.m3u8?quality=high", true)]
    #[case("rtmp://user:word@host/app", false)]
    #[case("srt://host:9000?passphrase=0123456789", false)]
    #[case("https://host/live.m3u8?token=1", false)]
    #[case("host", false)]
    fn address_of_a_live_input_has_no_secret(#[case] url: &str, #[case] is_good: bool) {
        assert_eq!(Media::LiveInput { url: url.to_owned() }.check().is_ok(), is_good);
    }

    #[test]
    fn content_is_stored_with_the_words_of_the_specification() {
        let json = serde_json::to_value(file("a")).unwrap();
        assert_eq!(json["media"], serde_json::json!({"kind": "video_file", "path": "/media/a.mp4"}));
        assert_eq!((json["age"].as_str(), json["tier"].as_str()), (Some("all_ages"), Some("standard")));
        let read: ContentSource = serde_json::from_value(
            serde_json::json!({"name": "b", "media": {"kind": "live_input", "url": "srt://h:1?passphrase=x"}}),
        )
        .unwrap();
        assert_eq!((read.priority, read.place()), (50, "b"), "an address can contain a secret");
    }
}
