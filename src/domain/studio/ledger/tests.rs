//! Tests of the ledger.

use proptest::collection::vec;
use proptest::prelude::*;
use rstest::rstest;

use super::super::moment::test_moment;
use super::*;

fn at(seconds: u64) -> Moment {
    test_moment(seconds * 1_000)
}

fn good(since: u64) -> OnAir {
    OnAir::Good { since: at(since).at }
}

fn bad(cause: Cause, since: u64) -> OnAir {
    OnAir::Bad { cause, since: at(since).at }
}

/// A ledger whose session began at zero, with these updates.
fn run(updates: &[(u64, OnAir)]) -> Ledger {
    let mut ledger = Ledger::default();
    ledger.update(at(0), good(0));
    for (second, on_air) in updates {
        ledger.update(at(*second), *on_air);
    }
    ledger
}

/// The downtimes, in seconds.
fn downtimes(ledger: &Ledger) -> Vec<(Cause, u64, Option<u64>)> {
    let second = |time: Timestamp| time.since(at(0).at).as_secs();
    let all = ledger.downtimes.iter();
    all.map(|one| (one.cause, second(one.started_at), one.ended_at.map(second))).collect()
}

/// What is stored is all that is left.
fn restarted(ledger: &Ledger) -> Ledger {
    Ledger::restored(ledger.sessions.clone(), ledger.downtimes.clone(), ledger.heartbeat())
}

use Cause::{ConnectionLost, ContentFailure, ManualStop, ObsCrash};

#[rstest]
#[case(&[(10, good(0))], &[])]
#[case(&[(10, bad(ConnectionLost, 10)), (20, bad(ConnectionLost, 10))], &[(ConnectionLost, 10, None)])]
#[case(&[(10, bad(ObsCrash, 10)), (13, good(12))], &[(ObsCrash, 10, Some(12))])]
#[case(&[(10, bad(ConnectionLost, 5)), (20, good(20))], &[(ConnectionLost, 5, Some(20))])]
#[case(
    &[(10, bad(ConnectionLost, 10)), (20, good(20)), (21, bad(ContentFailure, 15)), (22, good(22))],
    &[(ConnectionLost, 10, Some(20)), (ContentFailure, 20, Some(22))]
)]
#[case(
    &[(10, bad(ConnectionLost, 10)), (15, bad(ObsCrash, 14)), (20, good(20))],
    &[(ConnectionLost, 10, Some(14)), (ObsCrash, 14, Some(20))]
)]
#[case(&[(10, bad(ObsCrash, 10)), (13, good(0))], &[])]
#[case(&[(10, bad(ConnectionLost, 10)), (13, good(99))], &[(ConnectionLost, 10, Some(13))])]
fn intervals_go_from_the_first_bad_to_the_first_good_moment(
    #[case] updates: &[(u64, OnAir)],
    #[case] wanted: &[(Cause, u64, Option<u64>)],
) {
    assert_eq!(downtimes(&run(updates)), wanted);
}

#[test]
fn nothing_counts_before_the_first_good_moment_and_after_a_stop() {
    let mut ledger = Ledger::default();
    ledger.update(at(0), bad(ObsCrash, 0));
    ledger.update(at(50), OnAir::Unknown);
    assert_eq!(ledger.uptime(at(60).at, Duration::from_secs(600)).percent, 0.0);
    ledger.update(at(100), good(0));
    ledger.update(at(150), bad(ManualStop, 150));
    ledger.update(at(160), OnAir::Off);
    ledger.update(at(500), bad(ObsCrash, 500));
    let uptime = ledger.uptime(at(600).at, Duration::from_secs(600));
    assert_eq!((uptime.total, uptime.downtime), (Duration::from_secs(60), Duration::from_secs(10)));
    assert_eq!(ledger.session(), None);
    ledger.update(at(600), good(599));
    assert_eq!(ledger.session().map(|session| session.started_at), Some(at(600).at));
}

#[rstest]
#[case(&[], good(0), &[])]
#[case(&[], good(120), &[(ConnectionLost, 100, Some(120))])]
#[case(&[], bad(ConnectionLost, 130), &[(ConnectionLost, 100, None)])]
#[case(&[], bad(ObsCrash, 130), &[(ObsCrash, 100, None)])]
#[case(&[(90, bad(ConnectionLost, 90))], bad(ConnectionLost, 130), &[(ConnectionLost, 90, None)])]
#[case(&[(90, bad(ConnectionLost, 90))], good(120), &[(ConnectionLost, 90, Some(120))])]
#[case(&[(90, bad(ContentFailure, 90))], good(0), &[(ContentFailure, 90, Some(130))])]
#[case(&[(90, bad(ObsCrash, 90))], good(0), &[])]
#[case(
    &[(90, bad(ConnectionLost, 90))],
    bad(ObsCrash, 130),
    &[(ConnectionLost, 90, Some(100)), (ObsCrash, 100, None)]
)]
fn restart_counts_what_was_not_seen_unless_obs_proves_that_it_streamed(
    #[case] before: &[(u64, OnAir)],
    #[case] after: OnAir,
    #[case] wanted: &[(Cause, u64, Option<u64>)],
) {
    let mut before = before.to_vec();
    let last = before.last().map_or(good(0), |(_, last)| *last);
    before.push((100, last));
    let mut ledger = restarted(&run(&before));
    // Another restart before anything was seen changes nothing.
    ledger.update(at(128), OnAir::Unknown);
    assert_eq!(ledger.heartbeat(), Some(at(100).at));
    let mut ledger = restarted(&ledger);
    ledger.update(at(129), OnAir::Unknown);
    ledger.update(at(130), after);
    assert_eq!(downtimes(&ledger), wanted);
}

#[test]
fn sleep_is_like_a_restart() {
    let mut ledger = run(&[(100, good(0))]);
    let woken = Moment { at: at(3_700).at, elapsed: at(101).elapsed };
    ledger.update(woken, OnAir::Unknown);
    let uptime = ledger.uptime(woken.at, Duration::from_secs(86_400));
    assert_eq!(uptime.downtime, Duration::from_secs(3_600), "until OBS proves that it streamed");
    let mut streamed_on = ledger.clone();
    streamed_on.update(woken, good(0));
    assert_eq!(downtimes(&streamed_on), []);
    ledger.update(woken, good(3_690));
    assert_eq!(downtimes(&ledger), [(ConnectionLost, 100, Some(3_690))]);
}

#[test]
fn clock_that_is_set_back_makes_no_negative_or_doubled_downtime() {
    let mut ledger = run(&[(7_200, good(0))]);
    let moment = |elapsed: u64| Moment { at: at(elapsed - 3_600).at, elapsed: at(elapsed).elapsed };
    for elapsed in 7_201..7_300 {
        let now = moment(elapsed);
        let is_down = (7_210..7_230).contains(&elapsed);
        ledger
            .update(now, if is_down { OnAir::Bad { cause: ObsCrash, since: now.at } } else { good_at(now) });
    }
    let uptime = ledger.uptime(moment(7_299).at, Duration::from_secs(86_400));
    assert_eq!((uptime.total.as_secs(), uptime.downtime.as_secs()), (7_299, 20));
}

fn good_at(now: Moment) -> OnAir {
    OnAir::Good { since: now.at }
}

#[test]
fn uptime_is_clipped_to_the_period_and_counts_what_lasts() {
    let mut ledger = run(&[(100, bad(ConnectionLost, 100)), (200, good(200)), (900, bad(ObsCrash, 900))]);
    ledger.update(at(1_000), bad(ObsCrash, 900));
    let uptime = ledger.uptime(at(1_000).at, Duration::from_secs(850));
    assert_eq!((uptime.total.as_secs(), uptime.downtime.as_secs()), (850, 150));
    assert_eq!((uptime.events[0].started_at, uptime.events[1].ended_at), (at(150).at, None));
    let sum: Duration =
        uptime.events.iter().map(|one| one.ended_at.unwrap_or(at(1_000).at).since(one.started_at)).sum();
    assert_eq!(sum, uptime.downtime);
    ledger.forget_before(at(300).at);
    assert_eq!(ledger.uptime(at(1_000).at, Duration::from_secs(850)).downtime.as_secs(), 100);
}

#[rstest]
#[case(0, true, true, 604.8, 30.0)]
#[case(30, true, true, 574.8, 0.0)]
#[case(31, true, false, 573.8, -1.0)]
#[case(604, true, false, 0.8, -574.0)]
#[case(605, false, false, -0.2, -575.0)]
fn budget_has_both_figures_of_the_specification(
    #[case] down: u64,
    #[case] meets_percent: bool,
    #[case] meets_seconds: bool,
    #[case] percent_left: f64,
    #[case] seconds_left: f64,
) {
    let week = 7 * 86_400;
    let ledger = run(&[(100, bad(ConnectionLost, 100)), (100 + down, good(100 + down)), (week, good(0))]);
    let budget = ledger.uptime(at(week).at, Duration::from_secs(week)).budget;
    assert_eq!((budget.meets_percent, budget.meets_seconds), (meets_percent, meets_seconds));
    assert!((budget.percent_seconds_left - percent_left).abs() < 0.01, "{budget:?}");
    assert!((budget.seconds_left - seconds_left).abs() < 0.01, "{budget:?}");
}

fn any_on_air() -> impl Strategy<Value = OnAir> {
    let cause = prop::sample::select(Cause::ALL.to_vec());
    prop_oneof![
        1 => Just(OnAir::Off),
        1 => Just(OnAir::Unknown),
        4 => (0_u64..400).prop_map(good),
        4 => (cause, 0_u64..400).prop_map(|(cause, since)| bad(cause, since)),
    ]
}

proptest! {
    /// Whatever is seen, in any order, across restarts and with a clock that jumps: downtimes have a length, do not overlap,
    /// lie within their sessions, and a report does not exceed its window.
    #[test]
    fn downtimes_neither_overlap_nor_exceed_their_window(
        updates in vec((0_u64..30, -40_i64..40, any_on_air(), prop::bool::weighted(0.1)), 1..60),
        period in 1_u64..500,
    ) {
        let mut ledger = Ledger::default();
        let (mut elapsed, mut wall) = (0, 0);
        for (passed, jump, on_air, restarts) in updates {
            elapsed += passed;
            wall = (wall + i64::try_from(passed).unwrap() + if jump.abs() > 30 { jump } else { 0 }).max(0);
            if restarts {
                ledger = restarted(&ledger);
                elapsed = 0;
            }
            let now = Moment { at: at(wall.unsigned_abs()).at, elapsed: Duration::from_secs(elapsed) };
            ledger.update(now, on_air);
            let mut free = Timestamp::from_micros(i64::MIN);
            for one in &ledger.downtimes {
                let end = one.ended_at.unwrap_or(Timestamp::from_micros(i64::MAX));
                prop_assert!(free <= one.started_at && one.started_at < end, "{:?}", ledger.downtimes);
                free = end;
                let is_in = |session: &StreamSession| {
                    session.started_at <= one.started_at && session.ended_at.is_none_or(|ended| end <= ended)
                };
                prop_assert!(ledger.sessions.iter().any(is_in), "{one:?} {:?}", ledger.sessions);
            }
            let open = ledger.downtimes.iter().rev().skip(1).any(|one| one.ended_at.is_none());
            prop_assert!(!open, "only the last one is open");
            let uptime = ledger.uptime(now.at, Duration::from_secs(period));
            prop_assert!(uptime.downtime <= uptime.total && uptime.total <= Duration::from_secs(period));
            prop_assert!((0.0..=100.0).contains(&uptime.percent));
        }
    }
}
