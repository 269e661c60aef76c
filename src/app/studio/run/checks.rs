//! When the pre-flight checks are made, and which file is verified next. Both use the same input of OBS, so one at a time.

use std::time::Duration;

use super::outside::{Message, Outside};
use super::preflight;
use crate::domain::studio::{
    ContentSource, Library, Media, Moment, Preflight, RETRY, Schedule, Verification,
};
use crate::ports::ObsError;

/// A file that could not be played is verified again after this time.
const BROKEN_AGAIN: Duration = Duration::from_secs(600);

/// A file that could not be verified is tried again after this time.
const VERIFY_AGAIN: Duration = Duration::from_secs(10);
/// So many files are verified before the checks.
const FIRST: usize = 3;

/// The checks of a studio.
#[derive(Debug, Default)]
pub(super) struct Checks {
    /// The last result.
    pub(super) last: Option<Preflight>,
    /// When it was made.
    made: Option<Moment>,
    /// Whether they are to be made at once.
    is_due: bool,
    /// Whether one runs.
    is_busy: bool,
    /// When a file could not be verified.
    not_verified: Option<Moment>,
    /// How many files were verified before the checks that are due.
    verified_before: usize,
}

/// What to check.
#[derive(Debug)]
pub(super) enum Job {
    /// Whether the stream may start.
    Preflight { version: String },
    /// Whether a file plays.
    Verify(Box<ContentSource>),
}

impl Checks {
    /// To be made at once: OBS is connected, or a person starts the studio.
    pub(super) fn require(&mut self) {
        self.is_due = true;
    }

    /// The result of the checks.
    pub(super) fn passed_or_failed(&mut self, now: Moment, result: Preflight) {
        (self.last, self.made, self.is_busy) = (Some(result), Some(now), false);
    }

    /// A file was verified.
    pub(super) fn verified(&mut self) {
        self.is_busy = false;
    }

    /// A file could not be verified, because OBS is gone or busy. It is tried again later.
    pub(super) fn not_verified(&mut self, now: Moment) {
        (self.is_busy, self.not_verified) = (false, Some(now));
    }

    /// They were made without OBS.
    pub(super) fn done_without_obs(&mut self) {
        self.is_due = false;
    }

    /// Whether they are to be made although OBS is gone. `is_long` says that it is gone for long.
    pub(super) fn is_due_without_obs(&self, now: Moment, is_long: bool) -> bool {
        match &self.last {
            Some(last) if last.has_passed() => is_long,
            _ => self.is_due(now),
        }
    }

    /// Whether they are to be made.
    fn is_due(&self, now: Moment) -> bool {
        let is_old = self.made.is_none_or(|made| now.since(made) >= RETRY);
        let has_failed = self.last.as_ref().is_some_and(|last| !last.has_passed());
        self.is_due || self.made.is_none() || (has_failed && is_old)
    }

    /// What to check now, with OBS connected.
    pub(super) fn next(
        &mut self,
        now: Moment,
        version: &str,
        (schedule, library): (&Schedule, &Library),
    ) -> Option<Job> {
        if self.is_busy {
            return None;
        }
        let must_pause = self.not_verified.is_some_and(|at| now.since(at) < VERIFY_AGAIN);
        let to_verify = |sources: &[&ContentSource]| {
            let is_due = |source: &&&ContentSource| !must_pause && is_to_verify(library, source, now);
            sources.iter().find(is_due).map(|source| Job::Verify(Box::new((*source).clone())))
        };
        let job = if self.is_due(now) {
            // What may play at once comes first, so that a studio does not begin with failover content.
            let first = schedule.allowed(schedule.block_at(now.at));
            match to_verify(&first).filter(|_| self.verified_before < FIRST) {
                Some(job) => {
                    self.verified_before += 1;
                    job
                }
                None => {
                    (self.is_due, self.verified_before) = (false, 0);
                    Job::Preflight { version: version.to_owned() }
                }
            }
        } else {
            to_verify(&schedule.content.iter().collect::<Vec<_>>())?
        };
        self.is_busy = true;
        Some(job)
    }
}

fn is_to_verify(library: &Library, source: &ContentSource, now: Moment) -> bool {
    let is_broken = |found: &Verification| found.problem.is_some() && now.at.since(found.at) >= BROKEN_AGAIN;
    library.is_due(source, now.at) || library.get(&source.name).is_some_and(is_broken)
}

/// Makes a check, and tells the result.
pub(super) async fn make(outside: Outside, job: Job) {
    match job {
        Job::Preflight { version } => {
            let found = preflight::check(&outside, version).await;
            outside.send(Message::Checked(found)).await;
        }
        Job::Verify(source) => {
            let Media::VideoFile { path } = &source.media else {
                return outside.send(Message::NotVerified).await;
            };
            let obs = outside.setup.obs.as_ref();
            let mut found = preflight::plays(obs, path).await;
            if let Err(ObsError::NotFound(_)) = found {
                outside.make_scenes().await;
                found = preflight::plays(obs, path).await;
            }
            let Ok(found) = found else {
                // OBS is gone: that says nothing of the file.
                return outside.send(Message::NotVerified).await;
            };
            let at = outside.clock.now().at;
            let duration_ms = found.ok().and_then(|length| u64::try_from(length.as_millis()).ok());
            let verification = Verification { at, duration_ms, problem: found.err().map(str::to_owned) };
            outside.send(Message::Verified(source.name.clone(), verification)).await;
        }
    }
}
