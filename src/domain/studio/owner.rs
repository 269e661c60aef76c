//! The owner: whether the owner wants to be on air, and is ready for it.

use std::collections::BTreeMap;
use std::time::Duration;

use super::model::SourceName;
use super::moment::Moment;
use super::observation::OwnerSignal;
use super::settings::{Detection, OwnerSettings};
use super::words::words;

/// A source that was loud is active for this long: people breathe.
const LOUD_FOR: Duration = Duration::from_secs(2);
/// An owner who is not ready after this time is not waited for.
pub const GOING_LIVE_SOON_AT_MOST: Duration = Duration::from_secs(30);

words! {
    /// Where the owner is.
    OwnerState {
        /// Not active.
        Absent,
        /// Active, but not visible or silent: the scene "going live soon" is on air.
        GoingLiveSoon,
        /// On air.
        Live,
        /// Active, but was not visible or silent for too long: automation continues.
        NotReady,
    }
}

/// The owner, as far as is known.
#[derive(Clone, Debug)]
pub(super) struct Owner {
    settings: OwnerSettings,
    sources: BTreeMap<SourceName, Signals>,
    luminance: Option<f64>,
    /// The last loud sound; `None` inside if there was only silence.
    loud: Option<Option<Moment>>,
    is_active: bool,
    /// Since when the sources say something else than `is_active`.
    changing: Option<Moment>,
    /// When the owner's sources became active.
    active_since: Option<Moment>,
    /// When they became inactive.
    inactive_since: Option<Moment>,
    state: OwnerState,
    since: Option<Moment>,
}

#[derive(Clone, Debug, Default)]
struct Signals {
    enabled: bool,
    video: bool,
    loud: Option<Moment>,
}

impl Owner {
    pub(super) fn new(settings: OwnerSettings) -> Self {
        Self {
            settings,
            sources: BTreeMap::new(),
            luminance: None,
            loud: None,
            is_active: false,
            changing: None,
            active_since: None,
            inactive_since: None,
            state: OwnerState::Absent,
            since: None,
        }
    }

    pub(super) fn state(&self) -> OwnerState {
        self.state
    }

    /// When the sources changed for the last time in a way that counted: before the debounce.
    pub(super) fn changed(&self) -> Option<Moment> {
        if self.is_active { self.active_since } else { self.inactive_since }
    }

    pub(super) fn signal(&mut self, now: Moment, source: SourceName, signal: OwnerSignal) {
        if !self.settings.sources.contains(&source) {
            return;
        }
        let signals = self.sources.entry(source).or_default();
        match signal {
            OwnerSignal::Enabled(enabled) => signals.enabled = enabled,
            OwnerSignal::Video(video) => signals.video = video,
            OwnerSignal::Level(db) => {
                if db >= self.settings.audio_threshold_db {
                    signals.loud = Some(now);
                }
            }
        }
    }

    pub(super) fn picture(&mut self, luminance: f64) {
        self.luminance = Some(luminance);
    }

    pub(super) fn sound(&mut self, now: Moment, db: f64) {
        if db >= self.settings.audio_threshold_db {
            self.loud = Some(Some(now));
        } else {
            self.loud.get_or_insert(None);
        }
    }

    fn is_signalled(&self, now: Moment) -> bool {
        self.sources.values().any(|signals| match self.settings.detection {
            Detection::SourceEnabled => signals.enabled,
            Detection::VideoActive => signals.video,
            Detection::AudioLevel => signals.loud.is_some_and(|at| now.since(at) < LOUD_FOR),
        })
    }

    /// Whether the owner can be seen and heard. What is not known does not hold the owner back.
    fn is_ready(&self, now: Moment) -> bool {
        let is_bright = self.luminance.is_none_or(|luminance| luminance >= self.settings.min_luminance);
        let is_loud = |loud: Option<Moment>| loud.is_some_and(|at| now.since(at) < LOUD_FOR);
        is_bright && self.loud.is_none_or(is_loud)
    }

    /// Applies the rules. `is_black` says that the picture on air is black. Returns whether the state changed.
    pub(super) fn tick(&mut self, now: Moment, is_black: bool) -> bool {
        self.debounce(now);
        let waited = self.since.map(|since| now.since(since)).unwrap_or_default();
        let next = match (self.state, self.is_active) {
            (_, false) => OwnerState::Absent,
            (OwnerState::Absent | OwnerState::GoingLiveSoon | OwnerState::NotReady, true)
                if self.is_ready(now) =>
            {
                OwnerState::Live
            }
            (OwnerState::Absent, true) => OwnerState::GoingLiveSoon,
            (OwnerState::GoingLiveSoon, true) if waited >= GOING_LIVE_SOON_AT_MOST => OwnerState::NotReady,
            (OwnerState::Live, true) if is_black => OwnerState::GoingLiveSoon,
            (state, true) => state,
        };
        let has_changed = next != self.state;
        if has_changed {
            (self.state, self.since) = (next, Some(now));
        }
        has_changed
    }

    fn debounce(&mut self, now: Moment) {
        let is_signalled = self.is_signalled(now);
        if is_signalled == self.is_active {
            self.changing = None;
            return;
        }
        let since = *self.changing.get_or_insert(now);
        if now.since(since) < self.settings.debounce {
            return;
        }
        (self.is_active, self.changing) = (is_signalled, None);
        if is_signalled {
            self.active_since = Some(since);
        } else {
            self.inactive_since = Some(since);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use rstest::rstest;

    use super::super::moment::test_moment as ms;
    use super::*;

    fn source(name: &str) -> SourceName {
        SourceName::parse(name).unwrap()
    }

    fn owner(detection: Detection) -> Owner {
        let sources = vec![source("Camera"), source("Mic")];
        Owner::new(OwnerSettings { sources, detection, ..OwnerSettings::default() })
    }

    /// Lets time pass in steps of 100 ms, and says when the state changed.
    fn run(
        owner: &mut Owner,
        from: u64,
        to: u64,
        mut each: impl FnMut(&mut Owner, Moment),
    ) -> Vec<(u64, OwnerState)> {
        let mut changes = Vec::new();
        for at in (from..to).step_by(100) {
            each(owner, ms(at));
            if owner.tick(ms(at), false) {
                changes.push((at, owner.state()));
            }
        }
        changes
    }

    #[rstest]
    #[case(Detection::SourceEnabled, OwnerSignal::Enabled(true), OwnerSignal::Enabled(false))]
    #[case(Detection::VideoActive, OwnerSignal::Video(true), OwnerSignal::Video(false))]
    fn owner_comes_and_goes_after_the_debounce(
        #[case] detection: Detection,
        #[case] on: OwnerSignal,
        #[case] off: OwnerSignal,
    ) {
        let mut owner = owner(detection);
        owner.signal(ms(0), source("Camera"), on);
        assert_eq!(run(&mut owner, 0, 10_000, |_, _| ()), [(5_000, OwnerState::Live)]);
        assert_eq!(owner.changed(), Some(ms(0)));
        owner.signal(ms(10_000), source("Camera"), off);
        assert_eq!(run(&mut owner, 10_000, 20_000, |_, _| ()), [(15_000, OwnerState::Absent)]);
        assert_eq!(owner.changed(), Some(ms(10_000)));
    }

    #[test]
    fn short_touch_of_a_source_changes_nothing() {
        let mut owner = owner(Detection::SourceEnabled);
        for at in [0, 6_000, 12_000] {
            owner.signal(ms(at), source("Camera"), OwnerSignal::Enabled(true));
            assert_eq!(run(&mut owner, at, at + 4_900, |_, _| ()), []);
            owner.signal(ms(at), source("Camera"), OwnerSignal::Enabled(false));
            assert_eq!(run(&mut owner, at + 4_900, at + 6_000, |_, _| ()), []);
        }
    }

    #[test]
    fn source_that_is_not_the_owners_does_not_count() {
        let mut owner = owner(Detection::SourceEnabled);
        owner.signal(ms(0), source("Desk"), OwnerSignal::Enabled(true));
        owner.signal(ms(0), source("Camera"), OwnerSignal::Video(true));
        assert_eq!(run(&mut owner, 0, 10_000, |_, _| ()), []);
    }

    #[test]
    fn speech_has_pauses() {
        let mut owner = owner(Detection::AudioLevel);
        let speak = |owner: &mut Owner, now: Moment| {
            let is_pause = now.elapsed.as_millis() % 4_000 >= 2_200;
            let db = if is_pause { -70.0 } else { -20.0 };
            owner.signal(now, source("Mic"), OwnerSignal::Level(db));
        };
        assert_eq!(run(&mut owner, 0, 60_000, speak), [(5_000, OwnerState::Live)]);
        let silent = |owner: &mut Owner, now: Moment| {
            owner.signal(now, source("Mic"), OwnerSignal::Level(-41.0));
        };
        let changes = run(&mut owner, 60_000, 80_000, silent);
        assert_eq!(changes.len(), 1);
        assert!((65_000..=67_500).contains(&changes[0].0), "{changes:?}");
    }

    #[rstest]
    #[case(0.09, -20.0)]
    #[case(0.5, -41.0)]
    fn owner_who_is_not_ready_is_waited_for_at_most_30_s(#[case] luminance: f64, #[case] db: f64) {
        let mut owner = owner(Detection::SourceEnabled);
        owner.signal(ms(0), source("Camera"), OwnerSignal::Enabled(true));
        let changes = run(&mut owner, 0, 60_000, |owner, now| {
            owner.picture(luminance);
            owner.sound(now, db);
        });
        assert_eq!(changes, [(5_000, OwnerState::GoingLiveSoon), (35_000, OwnerState::NotReady)]);
        let changes = run(&mut owner, 60_000, 61_000, |owner, now| {
            owner.picture(0.5);
            owner.sound(now, -20.0);
        });
        assert_eq!(changes, [(60_000, OwnerState::Live)], "ready after all");
    }

    #[test]
    fn owner_who_gets_ready_goes_on_air() {
        let mut owner = owner(Detection::SourceEnabled);
        owner.signal(ms(0), source("Camera"), OwnerSignal::Enabled(true));
        let changes = run(&mut owner, 0, 20_000, |owner, now| {
            owner.picture(if now.elapsed.as_secs() < 12 { 0.0 } else { 0.1 });
        });
        assert_eq!(changes, [(5_000, OwnerState::GoingLiveSoon), (12_000, OwnerState::Live)]);
    }

    #[test]
    fn owner_on_air_may_be_silent_but_not_black() {
        let mut owner = owner(Detection::SourceEnabled);
        owner.signal(ms(0), source("Camera"), OwnerSignal::Enabled(true));
        run(&mut owner, 0, 6_000, |_, _| ());
        assert_eq!(run(&mut owner, 6_000, 60_000, |owner, now| owner.sound(now, -90.0)), []);
        owner.picture(0.0);
        assert!(owner.tick(ms(60_000), true));
        assert_eq!(owner.state(), OwnerState::GoingLiveSoon);
    }

    proptest! {
        /// Between two changes of activity there is at least the debounce, whatever the source does.
        #[test]
        fn owner_does_not_flap(waits in vec(1_u64..12_000, 1..60)) {
            let mut owner = owner(Detection::SourceEnabled);
            let (mut at, mut on, mut changes) = (0, false, vec![]);
            for wait in waits {
                on = !on;
                owner.signal(ms(at), source("Camera"), OwnerSignal::Enabled(on));
                changes.extend(run(&mut owner, at, at + wait, |_, _| ()));
                at += wait;
            }
            prop_assert!(changes.windows(2).all(|two| two[1].0 - two[0].0 >= 5_000));
        }
    }
}
