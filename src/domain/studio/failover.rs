//! The failover ladder: content, failover content, technical difficulties, and the way back.

use std::time::Duration;

use super::moment::Moment;
use super::words::words;

/// Content that played for this long is good: failures before it are forgotten.
const GOOD_AFTER: Duration = Duration::from_secs(10);
/// So many items in a row may fail before the failover content continues air.
const ITEMS: u32 = 2;
/// From technical difficulties the way up is tried this often.
const TRY_AGAIN: Duration = Duration::from_secs(30);
/// How long failover content without an end counts as one pass.
const PASS: Duration = Duration::from_secs(60);
/// The same for failover content whose end was not seen.
const LONGEST_PASS: Duration = Duration::from_secs(600);

words! {
    /// What is on air, where no person and no owner is.
    #[derive(PartialOrd, Ord)]
    Rung {
        /// The content of the schedule.
        Content,
        /// The failover content.
        Failover,
        /// The scene "technical difficulties".
        TechnicalDifficulties,
    }
}

words! {
    /// How content fails.
    FailureKind {
        /// It ended at once, without a duration: the file is missing or corrupt.
        Unplayable,
        /// It ended too early.
        EndedEarly,
        /// It did not begin in time.
        Timeout,
        /// Its picture is black.
        Black,
        /// It is silent.
        Silent,
        /// There is nothing that could be played.
        NothingToPlay,
    }
}

impl FailureKind {
    /// Whether it is noticed so soon that another item can still be tried.
    fn is_sudden(self) -> bool {
        matches!(self, Self::Unplayable | Self::EndedEarly)
    }
}

/// A failure of content.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Failure {
    pub(super) kind: FailureKind,
    /// The file, scene or name.
    pub(super) item: String,
    /// The first bad moment.
    pub(super) since: Moment,
}

/// The ladder.
#[derive(Clone, Debug)]
pub(super) struct Ladder {
    rung: Rung,
    since: Option<Moment>,
    /// Failures in a row, and the first of them.
    streak: u32,
    streak_began: Option<Moment>,
    last_failure: Option<Failure>,
}

impl Default for Ladder {
    fn default() -> Self {
        Self { rung: Rung::Content, since: None, streak: 0, streak_began: None, last_failure: None }
    }
}

impl Ladder {
    pub(super) fn rung(&self) -> Rung {
        self.rung
    }

    pub(super) fn last_failure(&self) -> Option<&Failure> {
        self.last_failure.as_ref()
    }

    /// Content failed. Where another item is there and there is still time, that is next; otherwise the failover content.
    pub(super) fn content_failed(&mut self, now: Moment, failure: Failure, has_another: bool) -> Rung {
        self.streak += 1;
        let began = *self.streak_began.get_or_insert(failure.since);
        let has_time = now.since(began) < Duration::from_secs(3);
        let next = has_another && failure.kind.is_sudden() && self.streak < ITEMS && has_time;
        self.last_failure = Some(failure);
        self.go(now, if next { Rung::Content } else { Rung::Failover })
    }

    /// The failover content failed.
    pub(super) fn failover_failed(&mut self, now: Moment, failure: Failure) -> Rung {
        self.last_failure = Some(failure);
        self.go(now, Rung::TechnicalDifficulties)
    }

    /// Content has been playing since `started`.
    pub(super) fn content_plays(&mut self, now: Moment, started: Moment) {
        if now.since(started) >= GOOD_AFTER {
            (self.streak, self.streak_began) = (0, None);
        }
    }

    /// Whether to go up, and where: from failover content at a natural point (`is_point`: a pass of it ended, or another
    /// block began), or as soon as there is content again if there was nothing to play; from technical difficulties every
    /// 30 s.
    pub(super) fn way_up(
        &mut self,
        now: Moment,
        is_point: bool,
        has_end: bool,
        has_content: impl FnOnce() -> bool,
    ) -> Option<Rung> {
        let pass = if has_end { LONGEST_PASS } else { PASS };
        let lasted = self.since.map(|since| now.since(since)).unwrap_or_default();
        let had_nothing =
            self.last_failure.as_ref().is_some_and(|failure| failure.kind == FailureKind::NothingToPlay);
        let to = match self.rung {
            Rung::Content => return None,
            Rung::Failover if !is_point && !had_nothing && lasted < pass => return None,
            Rung::TechnicalDifficulties if lasted < TRY_AGAIN => return None,
            _ if has_content() => Rung::Content,
            Rung::TechnicalDifficulties => Rung::Failover,
            Rung::Failover => return None,
        };
        (self.streak, self.streak_began) = (0, None);
        Some(self.go(now, to))
    }

    fn go(&mut self, now: Moment, to: Rung) -> Rung {
        if self.rung != to {
            (self.rung, self.since) = (to, Some(now));
        }
        to
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::super::moment::test_moment as ms;
    use super::*;

    fn failure(kind: FailureKind, since: u64) -> Failure {
        Failure { kind, item: "/media/a.mp4".to_owned(), since: ms(since) }
    }

    #[rstest]
    #[case(FailureKind::Unplayable, true, Rung::Content)]
    #[case(FailureKind::Unplayable, false, Rung::Failover)]
    #[case(FailureKind::Black, true, Rung::Failover)]
    #[case(FailureKind::Silent, true, Rung::Failover)]
    #[case(FailureKind::Timeout, true, Rung::Failover)]
    fn next_item_plays_only_where_there_is_time(
        #[case] kind: FailureKind,
        #[case] has_another: bool,
        #[case] rung: Rung,
    ) {
        let mut ladder = Ladder::default();
        assert_eq!(
            ladder.content_failed(ms(4_000), failure(kind, 500), has_another),
            if rung == Rung::Content { Rung::Failover } else { rung },
            "late"
        );
        let mut ladder = Ladder::default();
        assert_eq!(ladder.content_failed(ms(600), failure(kind, 500), has_another), rung);
    }

    #[test]
    fn second_failure_in_a_row_is_a_failover() {
        let mut ladder = Ladder::default();
        assert_eq!(ladder.content_failed(ms(10), failure(FailureKind::Unplayable, 10), true), Rung::Content);
        assert_eq!(ladder.content_failed(ms(90), failure(FailureKind::Unplayable, 90), true), Rung::Failover);
        assert_eq!(ladder.last_failure().map(|last| last.since), Some(ms(90)));
    }

    #[test]
    fn failures_far_apart_are_not_in_a_row() {
        let mut ladder = Ladder::default();
        ladder.content_failed(ms(10), failure(FailureKind::Unplayable, 10), true);
        ladder.content_plays(ms(9_000), ms(50));
        ladder.content_plays(ms(10_050), ms(50));
        assert_eq!(
            ladder.content_failed(ms(20_000), failure(FailureKind::EndedEarly, 20_000), true),
            Rung::Content
        );
    }

    #[test]
    fn way_back_is_at_a_natural_point() {
        let mut ladder = Ladder::default();
        ladder.content_failed(ms(0), failure(FailureKind::Black, 0), true);
        assert_eq!(ladder.way_up(ms(599_000), false, true, || true), None);
        assert_eq!(
            ladder.way_up(ms(1_000_000), true, true, || false),
            None,
            "there is nothing to go back to"
        );
        assert_eq!(ladder.way_up(ms(1_000_000), true, true, || true), Some(Rung::Content));
    }

    #[test]
    fn failover_scene_without_an_end_is_left_after_a_minute() {
        let mut ladder = Ladder::default();
        ladder.content_failed(ms(0), failure(FailureKind::Black, 0), true);
        assert_eq!(ladder.way_up(ms(59_000), false, false, || true), None);
        assert_eq!(ladder.way_up(ms(60_000), false, false, || true), Some(Rung::Content));
    }

    #[test]
    fn technical_difficulties_are_left_as_soon_as_something_works() {
        let mut ladder = Ladder::default();
        ladder.content_failed(ms(0), failure(FailureKind::Timeout, 0), false);
        assert_eq!(
            ladder.failover_failed(ms(100), failure(FailureKind::Unplayable, 100)),
            Rung::TechnicalDifficulties
        );
        assert_eq!(ladder.way_up(ms(29_000), true, true, || true), None);
        assert_eq!(ladder.clone().way_up(ms(30_100), false, true, || true), Some(Rung::Content));
        assert_eq!(ladder.way_up(ms(30_100), false, true, || false), Some(Rung::Failover));
    }
}
