//! The far end: whether the stream arrives. N of the last M answers must agree, with one threshold down and another up.

use std::collections::VecDeque;
use std::time::Duration;

use super::moment::Moment;
use super::observation::FarEndReport;
use super::settings::FarEndSettings;
use super::words::words;
use crate::domain::Timestamp;

/// Answers that are older say nothing any more.
const STALE: Duration = Duration::from_secs(30);

words! {
    /// The stream, as the far end sees it.
    Arrival {
        /// The far end does not answer, or did not answer often enough.
        Unknown,
        /// It arrives.
        Good,
        /// It arrives with too low a bitrate.
        Low,
        /// It does not arrive.
        Absent,
    }
}

/// What the far end sees.
#[derive(Clone, Debug)]
pub(super) struct FarEnd {
    settings: FarEndSettings,
    /// The last answers and their bitrates; absent is zero.
    answers: VecDeque<(Moment, u32)>,
    state: Arrival,
    since: Timestamp,
}

impl FarEnd {
    pub(super) fn new(settings: FarEndSettings) -> Self {
        Self {
            settings,
            answers: VecDeque::new(),
            state: Arrival::Unknown,
            since: Timestamp::from_micros(i64::MIN),
        }
    }

    /// The state at `now`, and since when; for `good`, since the first good answer.
    pub(super) fn state(&self, now: Moment) -> (Arrival, Timestamp) {
        let is_fresh = self.answers.back().is_some_and(|(at, _)| now.since(*at) < STALE);
        let state = if is_fresh { self.state } else { Arrival::Unknown };
        (state, self.since)
    }

    /// The stream began anew: earlier answers do not count.
    pub(super) fn forget(&mut self) {
        self.answers.clear();
        self.state = Arrival::Unknown;
        self.since = Timestamp::from_micros(i64::MIN);
    }

    /// The bitrate of the last answer, in kbit/s.
    pub(super) fn kbps(&self) -> Option<u32> {
        self.answers.back().map(|(_, kbps)| *kbps)
    }

    /// Whether it answered often enough since `since` that the stream arrives.
    pub(super) fn has_arrived_since(&self, now: Moment, since: Moment) -> bool {
        let good = self.answers.iter().filter(|(at, kbps)| at.elapsed > since.elapsed && self.is_good(*kbps));
        self.state(now).0 == Arrival::Good && good.count() >= self.settings.needed
    }

    pub(super) fn report(&mut self, now: Moment, report: FarEndReport) {
        let kbps = match report {
            FarEndReport::Unanswered => return,
            FarEndReport::Absent => 0,
            FarEndReport::Arriving { kbps } => kbps,
        };
        if self.answers.back().is_some_and(|(at, _)| now.since(*at) >= STALE) {
            self.answers.clear();
        }
        self.answers.push_back((now, kbps));
        while self.answers.len() > self.settings.window {
            self.answers.pop_front();
        }
        if let Some((state, since)) = self.change() {
            (self.state, self.since) = (state, since);
        }
    }

    fn is_low(&self, kbps: u32) -> bool {
        self.settings.low_kbps.is_some_and(|low| kbps < low)
    }

    fn is_good(&self, kbps: u32) -> bool {
        kbps > 0 && kbps >= self.settings.recovered()
    }

    /// The new state, and when the first answer that counts for it came.
    fn change(&self) -> Option<(Arrival, Timestamp)> {
        let is_reached = |wanted: &dyn Fn(u32) -> bool| {
            self.answers.iter().filter(|(_, kbps)| wanted(*kbps)).count() >= self.settings.needed
        };
        let is_bad = |kbps: u32| kbps == 0 || self.is_low(kbps);
        let (absent, low) = (is_reached(&|kbps| kbps == 0), is_reached(&is_bad));
        let good = is_reached(&|kbps| self.is_good(kbps));
        let reached = [(absent, Arrival::Absent), (low && !absent, Arrival::Low), (good, Arrival::Good)];
        // Where two of them are reached, the state stays: a change needs a clear majority.
        if reached.contains(&(true, self.state)) {
            return None;
        }
        let (_, state) = reached.into_iter().find(|(is_reached, _)| *is_reached)?;
        let first = |wanted: &dyn Fn(u32) -> bool| {
            self.answers.iter().find(|(_, kbps)| wanted(*kbps)).map(|(at, _)| at.at)
        };
        let since = match state {
            Arrival::Absent => first(&|kbps| kbps == 0),
            Arrival::Low if self.state == Arrival::Absent => first(&|kbps| kbps > 0),
            Arrival::Low => first(&is_bad),
            // Nothing was wrong before.
            Arrival::Good if self.state == Arrival::Unknown => Some(self.since),
            Arrival::Good | Arrival::Unknown => {
                let last = self.answers.iter().rev().take_while(|(_, kbps)| self.is_good(*kbps)).last();
                last.or(self.answers.back()).map(|(at, _)| at.at)
            }
        };
        since.map(|since| (state, since))
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use rstest::rstest;

    use super::super::moment::test_moment as ms;
    use super::*;

    const RULES: FarEndSettings =
        FarEndSettings { needed: 3, window: 5, low_kbps: Some(800), recovered_kbps: Some(1_200) };

    fn answers(kbps: &[u32]) -> FarEnd {
        let mut far_end = FarEnd::new(RULES);
        for (n, kbps) in (0..).zip(kbps) {
            far_end.report(ms(n * 1_000), FarEndReport::Arriving { kbps: *kbps });
        }
        far_end
    }

    #[rstest]
    #[case(&[3_000, 3_000], Arrival::Unknown, None)]
    #[case(&[3_000, 3_000, 3_000], Arrival::Good, None)]
    #[case(&[3_000, 3_000, 3_000, 100, 3_000], Arrival::Good, None)]
    #[case(&[3_000, 3_000, 3_000, 3_000, 700, 700, 700], Arrival::Low, Some(4))]
    #[case(&[700, 700, 700, 1_000, 1_000, 1_000, 1_000, 1_000], Arrival::Low, Some(0))]
    #[case(&[3_000, 3_000, 3_000, 900, 900, 900, 900, 900], Arrival::Good, None)]
    #[case(&[700, 700, 700, 1_300, 1_300], Arrival::Low, Some(0))]
    #[case(&[700, 700, 700, 1_300, 1_300, 1_300], Arrival::Good, Some(3))]
    #[case(&[700, 700, 700, 1_300, 1_300, 700, 1_300], Arrival::Good, Some(6))]
    #[case(&[3_000, 3_000, 3_000, 0, 0, 0, 0], Arrival::Absent, Some(3))]
    #[case(&[0, 0, 0, 500, 500, 500], Arrival::Low, Some(3))]
    fn n_of_m_answers_must_agree(#[case] kbps: &[u32], #[case] state: Arrival, #[case] since: Option<u64>) {
        let now = ms(1_000 * u64::try_from(kbps.len()).unwrap());
        let (is, began) = answers(kbps).state(now);
        assert_eq!(is, state);
        if let Some(since) = since {
            assert_eq!(began, ms(since * 1_000).at);
        }
    }

    #[test]
    fn unanswered_probe_is_not_offline() {
        let mut far_end = answers(&[3_000, 3_000, 3_000]);
        for second in 3..20 {
            far_end.report(ms(second * 1_000), FarEndReport::Unanswered);
        }
        assert_eq!(far_end.state(ms(20_000)).0, Arrival::Good);
        assert_eq!(far_end.state(ms(40_000)).0, Arrival::Unknown, "it says nothing any more");
        far_end.report(ms(41_000), FarEndReport::Absent);
        assert_eq!(far_end.kbps(), Some(0));
        assert!(far_end.state(ms(41_000)).0 != Arrival::Absent, "old answers do not count");
    }

    #[test]
    fn arrival_is_proven_by_later_answers_only() {
        let far_end = answers(&[3_000; 5]);
        assert!(far_end.has_arrived_since(ms(4_000), ms(1_500)));
        assert!(!far_end.has_arrived_since(ms(4_000), ms(2_500)));
    }

    proptest! {
        /// Fewer than N bad answers among the last M never change a good stream.
        #[test]
        fn few_bad_answers_change_nothing(reports in vec(any::<bool>(), 0..200)) {
            let mut far_end = answers(&[3_000; 5]);
            let mut window: VecDeque<bool> = [true; 5].into();
            for (n, is_good) in (5..).zip(reports) {
                let would_be_bad = window.iter().skip(1).filter(|good| !**good).count() + usize::from(!is_good);
                let is_good = is_good || would_be_bad >= RULES.needed;
                window.pop_front();
                window.push_back(is_good);
                let kbps = if is_good { 3_000 } else { 10 };
                far_end.report(ms(n * 1_000), FarEndReport::Arriving { kbps });
                prop_assert_eq!(far_end.state(ms(n * 1_000)).0, Arrival::Good);
            }
        }
    }
}
