//! A clip and its lifecycle.

use crate::domain::id::id;
use crate::domain::page::newest_first;
use crate::domain::profile::Profile;
use crate::domain::{ClipId, OrganizationId, Timestamp};

use super::content::{ContentHash, MediaFile, Rendition};
use super::probe::Probe;
use super::upload::ClipName;

id!(/// Names one attempt to prepare a clip.
    JobId);

/// After so many attempts that ended without a word, a clip is given up: preparing it may be what kills the process.
const MOST_ATTEMPTS: u32 = 3;

/// An uploaded file, and what was made of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Clip {
    /// Its identity.
    pub id: ClipId,
    /// Who owns it.
    pub organization_id: OrganizationId,
    /// Its name as people see it.
    pub name: ClipName,
    /// The size of the uploaded file, in bytes.
    pub size: u64,
    /// What happens to it now.
    pub state: ClipState,
    /// The content of the uploaded file; `None` before it was kept.
    pub source: Option<ContentHash>,
    /// What is in it; `None` before it was probed.
    pub probe: Option<Probe>,
    /// What was made of it, and what is still to be made, in the order in which it was wanted.
    pub renditions: Vec<Rendition>,
    /// When the upload began.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

newest_first!(Clip, created_at);

/// What happens to a clip.
#[derive(Clone, Debug, PartialEq)]
pub enum ClipState {
    /// It is being uploaded.
    Uploading {
        /// So many bytes are stored for certain.
        offset: u64,
        /// Without another byte until then, the upload is removed.
        expires_at: Timestamp,
    },
    /// It waits to be prepared.
    Queued {
        /// Why it could not be prepared so far.
        waits_for: Option<String>,
    },
    /// Its file is examined.
    Probing,
    /// A rendition is being made.
    Normalizing {
        /// How much of it is made, 0 to 1.
        progress: f32,
    },
    /// All renditions that were wanted are made.
    Ready,
    /// It cannot be prepared. Renditions that were made before can still be played.
    Failed {
        /// Why.
        error: String,
    },
}

/// A step in preparing a clip.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// The file was examined.
    Probed(ContentHash, Probe),
    /// So much of the present rendition is made, 0 to 1.
    Progress(f32),
    /// A rendition is made.
    Made(Profile, MediaFile),
    /// It cannot be prepared.
    Failed(String),
    /// It is to be prepared later, for this reason.
    Postponed(Option<String>),
}

impl Clip {
    /// A clip whose upload begins. It is wanted in the default profile, so that a bad file is found at once.
    pub fn new(
        (id, organization_id): (ClipId, OrganizationId),
        name: ClipName,
        size: u64,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Self {
        let state = ClipState::Uploading { offset: 0, expires_at };
        let renditions = vec![Rendition { profile: Profile::default(), file: None }];
        Self {
            id,
            organization_id,
            name,
            size,
            state,
            source: None,
            probe: None,
            renditions,
            created_at: now,
            updated_at: now,
        }
    }

    /// The clip after bytes `from..to` of the upload were stored; `None` if `from` is not where the upload is, or if it has
    /// ended.
    #[must_use]
    pub fn advanced(mut self, (from, to): (u64, u64), expires_at: Timestamp, now: Timestamp) -> Option<Self> {
        let is_next = matches!(self.state, ClipState::Uploading { offset, expires_at } if offset == from && expires_at > now);
        if !is_next || to < from || to > self.size {
            return None;
        }
        self.state = if to == self.size {
            ClipState::Queued { waits_for: None }
        } else {
            ClipState::Uploading { offset: to, expires_at }
        };
        self.updated_at = now;
        Some(self)
    }

    /// Whether its upload is complete and not kept yet.
    pub fn is_to_keep(&self) -> bool {
        self.source.is_none() && self.is_to_prepare()
    }

    /// The clip after its upload was kept, or was not for this reason; `None` if that is not waited for.
    #[must_use]
    pub fn kept(mut self, kept: &Result<ContentHash, String>, now: Timestamp) -> Option<Self> {
        if !self.is_to_keep() {
            return None;
        }
        self.source = kept.as_ref().ok().copied();
        self.state = ClipState::Queued { waits_for: kept.as_ref().err().cloned() };
        self.updated_at = now;
        Some(self)
    }

    /// The clip wanted in another profile; `None` if it already is, or if it cannot be prepared.
    #[must_use]
    pub fn wanted(mut self, profile: &Profile, now: Timestamp) -> Option<Self> {
        let is_failed = matches!(self.state, ClipState::Failed { .. });
        if is_failed || self.renditions.iter().any(|one| one.profile == *profile) {
            return None;
        }
        self.renditions.push(Rendition { profile: *profile, file: None });
        if self.state == ClipState::Ready {
            self.state = ClipState::Queued { waits_for: None };
        }
        self.updated_at = now;
        Some(self)
    }

    /// The clip as it is when somebody begins to prepare it, for the `attempt`th time since the last step.
    #[must_use]
    pub fn claimed(mut self, attempt: u32, now: Timestamp) -> Self {
        self.state = if attempt > MOST_ATTEMPTS {
            let error = format!(
                "preparing it was interrupted {MOST_ATTEMPTS} times: upload it again, and see the log for the cause"
            );
            ClipState::Failed { error }
        } else if self.probe.is_none() {
            ClipState::Probing
        } else {
            ClipState::Normalizing { progress: 0.0 }
        };
        self.updated_at = now;
        self
    }

    /// The clip after a step.
    #[must_use]
    pub fn after(mut self, step: &Step, now: Timestamp) -> Self {
        self.state = match step {
            Step::Probed(source, probe) => {
                (self.source, self.probe) = (Some(*source), Some(probe.clone()));
                ClipState::Normalizing { progress: 0.0 }
            }
            // It is still being examined, or was given up.
            Step::Progress(_) if !matches!(self.state, ClipState::Normalizing { .. }) => self.state,
            Step::Progress(progress) => ClipState::Normalizing { progress: progress.clamp(0.0, 1.0) },
            Step::Made(profile, file) => {
                for rendition in self.renditions.iter_mut().filter(|one| one.profile == *profile) {
                    rendition.file = Some(*file);
                }
                match self.next_rendition() {
                    Some(_) => ClipState::Normalizing { progress: 0.0 },
                    None => ClipState::Ready,
                }
            }
            Step::Failed(error) => ClipState::Failed { error: error.clone() },
            Step::Postponed(waits_for) => ClipState::Queued { waits_for: waits_for.clone() },
        };
        self.updated_at = now;
        self
    }

    /// The profile of the next rendition to make.
    pub fn next_rendition(&self) -> Option<Profile> {
        self.renditions.iter().find(|one| one.file.is_none()).map(|one| one.profile)
    }

    /// The rendition in a profile, if it is made.
    pub fn rendition(&self, profile: &Profile) -> Option<MediaFile> {
        self.renditions.iter().find(|one| one.profile == *profile).and_then(|one| one.file)
    }

    /// Whether somebody is preparing it, or should.
    pub fn is_to_prepare(&self) -> bool {
        matches!(self.state, ClipState::Queued { .. } | ClipState::Probing | ClipState::Normalizing { .. })
    }

    /// Whether somebody is preparing it.
    pub fn is_at_work(&self) -> bool {
        matches!(self.state, ClipState::Probing | ClipState::Normalizing { .. })
    }

    /// How many bytes it takes on the disk when its upload is complete.
    pub fn stored_bytes(&self) -> u64 {
        let made: u64 = self.renditions.iter().filter_map(|one| one.file).map(|file| file.size).sum();
        self.size.saturating_add(made)
    }

    /// How much of the present work is done, 0 to 1.
    pub fn progress(&self) -> f64 {
        match self.state {
            #[expect(clippy::cast_precision_loss, reason = "a share of at most 10 GiB")]
            ClipState::Uploading { offset, .. } => offset as f64 / self.size.max(1) as f64,
            ClipState::Normalizing { progress } => f64::from(progress),
            ClipState::Ready => 1.0,
            ClipState::Queued { .. } | ClipState::Probing | ClipState::Failed { .. } => 0.0,
        }
    }

    /// What is wrong with it.
    pub fn error(&self) -> Option<&str> {
        match &self.state {
            ClipState::Failed { error } => Some(error),
            ClipState::Queued { waits_for } => waits_for.as_deref(),
            _ => None,
        }
    }
}

impl ClipState {
    /// Its name, as it is stored and shown.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Uploading { .. } => "uploading",
            Self::Queued { .. } => "queued",
            Self::Probing => "probing",
            Self::Normalizing { .. } => "normalizing",
            Self::Ready => "ready",
            Self::Failed { .. } => "failed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    const fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    fn clip() -> Clip {
        Clip::new(
            (ClipId(Uuid::max()), OrganizationId::DEFAULT),
            ClipName::parse("intro.mp4").unwrap(),
            100,
            at(60),
            at(0),
        )
    }

    fn probe() -> Probe {
        Probe { container: "flv".into(), duration_ms: None, video: None, audio: None }
    }

    const FILE: MediaFile = MediaFile { hash: ContentHash([1; 32]), size: 50, duration_ms: 4_000 };

    fn other() -> Profile {
        let mut profile = Profile::default();
        profile.video.fps = 25;
        profile
    }

    #[test]
    fn upload_moves_forward_from_where_it_is_until_it_is_complete() {
        let half = clip().advanced((0, 40), at(90), at(1)).unwrap();
        assert_eq!(half.state, ClipState::Uploading { offset: 40, expires_at: at(90) });
        for (from, to, now) in [(0, 50, 2), (41, 50, 2), (40, 39, 2), (40, 101, 2), (40, 50, 90)] {
            assert_eq!(half.clone().advanced((from, to), at(99), at(now)), None, "{from}..{to} at {now}");
        }
        let whole = half.advanced((40, 100), at(99), at(2)).unwrap();
        assert_eq!(whole.state, ClipState::Queued { waits_for: None });
        assert_eq!(whole.advanced((100, 100), at(99), at(3)), None);
    }

    #[test]
    fn clip_is_ready_when_every_wanted_rendition_is_made() {
        let clip = clip().claimed(1, at(1));
        assert_eq!(clip.state, ClipState::Probing);
        let clip = clip
            .after(&Step::Probed(ContentHash([2; 32]), probe()), at(2))
            .after(&Step::Progress(0.5), at(3));
        assert_eq!((clip.state.clone(), clip.progress()), (ClipState::Normalizing { progress: 0.5 }, 0.5));
        let clip = clip.wanted(&other(), at(4)).unwrap();
        let clip = clip.after(&Step::Made(Profile::default(), FILE), at(5));
        assert_eq!((clip.progress(), clip.next_rendition()), (0.0, Some(other())));
        let clip = clip.after(&Step::Made(other(), FILE), at(6));
        assert_eq!((&clip.state, clip.next_rendition()), (&ClipState::Ready, None));
        assert_eq!((clip.stored_bytes(), clip.rendition(&other())), (200, Some(FILE)));
    }

    #[test]
    fn ready_clip_is_prepared_again_for_another_profile_only() {
        let ready = clip().after(&Step::Made(Profile::default(), FILE), at(1));
        assert_eq!(ready.clone().wanted(&Profile::default(), at(2)), None);
        let queued = ready.wanted(&other(), at(2)).unwrap();
        assert_eq!(queued.state, ClipState::Queued { waits_for: None });
        assert_eq!(queued.rendition(&Profile::default()), Some(FILE), "it can still be played");
        let failed = queued.after(&Step::Failed("broken".into()), at(3));
        assert_eq!(failed.error(), Some("broken"));
        assert_eq!(failed.wanted(&other(), at(4)), None);
    }

    #[test]
    fn clip_that_is_interrupted_again_and_again_is_given_up() {
        assert!(clip().claimed(3, at(1)).is_at_work());
        let given_up = clip().claimed(4, at(1));
        assert!(given_up.error().is_some_and(|error| error.contains("3 times")) && !given_up.is_to_prepare());
    }
}
