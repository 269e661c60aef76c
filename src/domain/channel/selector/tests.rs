//! Tests of the cut rules.

use proptest::collection::vec;
use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::domain::channel::settings::Flapping;

const FRAME: u64 = 40;
const GOP: u64 = 1_000;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A selector, its clock, and what it decided.
struct Run {
    selector: Selector,
    now: u64,
    choices: Vec<(u64, Choice)>,
}

impl Run {
    fn with(rules: Failover) -> Self {
        let mut run = Self { selector: Selector::new(rules, Mode::Auto, true), now: 0, choices: vec![] };
        run.change(Change::Tick);
        run.choices.clear();
        run
    }

    fn new() -> Self {
        Self::with(Failover::default())
    }

    /// With the live input on air.
    fn on_live(rules: Failover) -> Self {
        let mut run = Self::with(rules);
        run.change(Change::LiveConnected);
        run.live(7_000);
        assert_eq!(run.selector.on_air(), Some(Source::Live));
        run.choices.clear();
        run
    }

    fn change(&mut self, change: Change) {
        self.choices.extend(self.selector.handle(ms(self.now), change).map(|choice| (self.now, choice)));
    }

    /// Lets time pass without frames: ticks come at the deadlines only.
    fn wait(&mut self, wait: u64) {
        let end = self.now + wait;
        while let Some(due) = self.selector.next_deadline().filter(|due| *due <= ms(end)) {
            assert!(due > ms(self.now), "a deadline that has passed");
            self.now = millis(due);
            self.change(Change::Tick);
        }
        self.now = end;
    }

    fn frames(&mut self, length: u64, bytes: u32, gop: u64) {
        let end = self.now + length;
        while self.now < end {
            self.change(Change::LiveVideo { keyframe: self.now.is_multiple_of(gop), bytes });
            self.wait(FRAME);
        }
    }

    /// Good frames.
    fn live(&mut self, length: u64) {
        self.frames(length, 10_000, GOP);
    }

    fn choice(&mut self) -> (u64, Source, Reason) {
        assert_eq!(self.choices.len(), 1, "{:?}", self.choices);
        let (at, choice) = self.choices.remove(0);
        assert_eq!(choice.kind, DecisionKind::Cut);
        (at, choice.to, choice.reason)
    }
}

#[rstest]
#[case(Mode::Auto, true, Source::Backup)]
#[case(Mode::HoldLive, true, Source::Backup)]
#[case(Mode::HoldLive, false, Source::Slate)]
#[case(Mode::Auto, false, Source::Slate)]
#[case(Mode::Slate, true, Source::Slate)]
fn programme_begins_without_the_live_input(#[case] mode: Mode, #[case] backup: bool, #[case] to: Source) {
    let choice = Selector::new(Failover::default(), mode, backup).handle(ms(0), Change::Tick).unwrap();
    assert_eq!((choice.from, choice.to, choice.reason), (None, to, Reason::Start));
}

#[test]
fn live_goes_on_air_at_the_first_keyframe_after_the_grace() {
    let mut run = Run::new();
    run.now = 200;
    run.change(Change::LiveConnected);
    run.live(10_000);
    // The first keyframe was at 1.000 s, the grace is 5 s.
    assert_eq!(run.choice(), (6_000, Source::Live, Reason::LiveRecovered));
}

#[test]
fn live_that_ends_is_left_at_once() {
    let mut run = Run::on_live(Failover::default());
    run.change(Change::LiveEnded);
    assert_eq!(run.choice(), (7_000, Source::Backup, Reason::LiveEnded));
}

#[test]
fn live_without_frames_is_left_after_the_stall_limit() {
    let mut run = Run::on_live(Failover::default());
    run.wait(5_000);
    assert_eq!(
        run.choices[0].1.numbers,
        *json!({"last_frame_ms": 700, "stall_ms": 700}).as_object().unwrap()
    );
    assert_eq!(run.choice(), (6_960 + 700, Source::Backup, Reason::LiveStalled));
}

#[test]
fn backup_that_is_missing_is_replaced_by_the_slate() {
    let mut run = Run::on_live(Failover::default());
    run.change(Change::BackupAvailable(false));
    run.change(Change::LiveEnded);
    assert_eq!(run.choice(), (7_000, Source::Slate, Reason::LiveEnded));
    run.change(Change::BackupAvailable(true));
    assert_eq!(run.choice(), (7_000, Source::Backup, Reason::BackupAvailable));
    run.change(Change::BackupAvailable(false));
    assert_eq!(run.choice(), (7_000, Source::Slate, Reason::BackupUnavailable));
}

#[test]
fn low_bitrate_counts_over_five_seconds() {
    let rules = Failover { min_bitrate_kbps: Some(1_000), ..Failover::default() };
    let mut run = Run::on_live(rules);
    // 2 Mbit/s until now. A second of nearly nothing is no loss, four are.
    run.frames(10_000, 100, GOP);
    let (at, to, reason) = run.choice();
    assert_eq!((to, reason), (Source::Backup, Reason::LiveBitrateLow));
    assert!((9_000..12_000).contains(&at), "{at}");
}

#[test]
fn live_without_keyframes_is_left() {
    let mut run = Run::on_live(Failover { max_keyframe_gap_seconds: Some(3), ..Failover::default() });
    run.frames(8_000, 10_000, u64::MAX);
    assert_eq!(run.choice(), (9_000, Source::Backup, Reason::LiveWithoutKeyframes));
}

#[test]
fn a_bad_frame_begins_the_grace_again() {
    let mut run = Run::new();
    run.change(Change::LiveConnected);
    run.live(4_000);
    run.wait(1_000);
    run.live(4_000);
    assert_eq!(run.choices, []);
    run.live(3_000);
    assert_eq!(run.choice(), (10_000, Source::Live, Reason::LiveRecovered));
}

#[rstest]
#[case(Mode::HoldBackup, Source::Backup)]
#[case(Mode::Slate, Source::Slate)]
fn manual_modes_win_over_a_good_live_input(#[case] mode: Mode, #[case] to: Source) {
    let mut run = Run::on_live(Failover::default());
    run.change(Change::Mode(mode));
    assert_eq!(run.choice(), (7_000, to, Reason::Operator));
    run.live(20_000);
    assert_eq!(run.choices, []);
    run.change(Change::Mode(Mode::Auto));
    if mode == Mode::Slate {
        assert_eq!(run.choice(), (27_000, Source::Backup, Reason::Operator));
    }
    run.live(1_000);
    assert_eq!(run.choices.pop().unwrap().1.to, Source::Live);
}

#[rstest]
#[case(Mode::HoldBackup)]
#[case(Mode::Slate)]
fn cut_at_the_end_of_a_hold_says_so(#[case] mode: Mode) {
    let mut run = Run::on_live(Failover::default());
    run.change(Change::Mode(mode));
    run.live(20_000);
    run.choices.clear();
    run.change(Change::HoldExpired);
    if mode == Mode::Slate {
        assert_eq!(run.choice(), (27_000, Source::Backup, Reason::HoldExpired));
        return;
    }
    run.live(1_000);
    let (_, to, reason) = run.choice();
    assert_eq!((to, reason), (Source::Live, Reason::HoldExpired));
    // What follows has reasons of its own.
    run.change(Change::LiveEnded);
    assert_eq!(run.choice().2, Reason::LiveEnded);
}

#[test]
fn held_live_input_needs_no_grace_but_must_be_there() {
    let mut run = Run::new();
    run.change(Change::LiveConnected);
    run.live(1_500);
    run.change(Change::Mode(Mode::HoldLive));
    assert_eq!(run.choice(), (1_520, Source::Live, Reason::Operator));
    run.change(Change::Mode(Mode::HoldLive));
    run.change(Change::LiveEnded);
    assert_eq!(run.choice(), (1_520, Source::Backup, Reason::LiveEnded));
    run.change(Change::LiveConnected);
    run.live(1_000);
    assert_eq!(run.choice().1, Source::Live);
}

#[test]
fn held_live_input_may_be_bad() {
    let rules = Failover { max_keyframe_gap_seconds: Some(2), ..Failover::default() };
    let mut run = Run::on_live(rules);
    run.change(Change::Mode(Mode::HoldLive));
    run.frames(10_000, 10, u64::MAX);
    assert_eq!(run.choices, []);
    run.wait(1_000);
    assert_eq!(run.choice().2, Reason::LiveStalled);
}

#[test]
fn live_input_of_another_profile_is_refused_once() {
    let mut run = Run::new();
    run.change(Change::LiveConnected);
    run.change(Change::LiveMismatch(true));
    run.live(20_000);
    let (_, choice) = run.choices.remove(0);
    assert_eq!(
        (choice.kind, choice.to, choice.reason),
        (DecisionKind::Refused, Source::Live, Reason::LiveMismatch)
    );
    assert_eq!(run.choices, []);
    assert_eq!(run.selector.live_state(ms(run.now)), InputState::Mismatch);
    run.change(Change::LiveMismatch(false));
    run.live(1_000);
    assert_eq!(run.choice().1, Source::Live);
}

#[test]
fn rehearsal_is_a_loss_that_needs_the_grace() {
    let mut run = Run::on_live(Failover::default());
    run.change(Change::Rehearsal(true));
    assert_eq!(run.choice(), (7_000, Source::Backup, Reason::Rehearsal));
    run.live(10_000);
    run.change(Change::Rehearsal(false));
    run.live(10_000);
    assert_eq!(run.choice(), (22_000, Source::Live, Reason::LiveRecovered));
}

#[test]
fn grace_doubles_while_the_input_flaps_and_falls_back_when_it_is_quiet() {
    let mut run = Run::on_live(Failover {
        recovery_grace_seconds: 2,
        flapping: Flapping { cuts: 2, within_seconds: 60, max_grace_seconds: 10 },
        ..Failover::default()
    });
    let mut graces = Vec::new();
    let mut lose = |run: &mut Run, on_air: u64| {
        run.live(on_air);
        run.change(Change::LiveEnded);
        run.change(Change::LiveConnected);
        let lost = run.now;
        while run.selector.on_air() != Some(Source::Live) {
            run.live(FRAME);
        }
        graces.push((run.now - lost) / 1_000);
    };
    for _ in 0..6 {
        lose(&mut run, GOP);
    }
    lose(&mut run, 61_000);
    // Up to one GOP passes until the first keyframe and until the one to cut at.
    assert!(
        graces.iter().zip([2, 2, 4, 8, 10, 10, 2]).all(|(is, grace)| (grace..grace + 3).contains(is)),
        "{graces:?}"
    );
}

#[test]
fn flapping_uplink_causes_few_cuts() {
    let mut run = Run::on_live(Failover::default());
    for _ in 0..10 {
        run.live(1_000);
        run.wait(1_000);
    }
    assert_eq!(run.choices.len(), 1, "{:?}", run.choices);
}

fn any_change() -> impl Strategy<Value = Change> {
    let mode = prop_oneof![Just(Mode::Auto), Just(Mode::HoldLive), Just(Mode::HoldBackup), Just(Mode::Slate)];
    prop_oneof![
        8 => (any::<bool>(), 0_u32..20_000).prop_map(|(keyframe, bytes)| Change::LiveVideo { keyframe, bytes }),
        1 => Just(Change::LiveConnected),
        1 => Just(Change::LiveEnded),
        1 => any::<bool>().prop_map(Change::LiveMismatch),
        1 => any::<bool>().prop_map(Change::BackupAvailable),
        1 => any::<bool>().prop_map(Change::Rehearsal),
        1 => mode.prop_map(Change::Mode),
        1 => Just(Change::HoldExpired),
        2 => Just(Change::Tick),
    ]
}

proptest! {
    #[test]
    fn any_history_keeps_the_rules(
        changes in vec((any_change(), 0_u64..900), 1..300),
        rules in (1_u32..5, prop::option::of(1_u32..2_000), prop::option::of(1_u32..4)),
    ) {
        let (grace, min_bitrate_kbps, max_keyframe_gap_seconds) = rules;
        let rules = Failover {
            recovery_grace_seconds: grace, min_bitrate_kbps, max_keyframe_gap_seconds, ..Failover::default()
        };
        let mut selector = Selector::new(rules, Mode::Auto, true);
        let (mut now, mut mode, mut backup, mut is_there) = (0, Mode::Auto, true, false);
        for (change, wait) in changes {
            now += wait;
            let before = selector.on_air();
            match change {
                Change::Mode(new) => mode = new,
                Change::HoldExpired => mode = Mode::Auto,
                Change::BackupAvailable(new) => backup = new,
                Change::LiveConnected | Change::LiveVideo { .. } => is_there = true,
                Change::LiveEnded => is_there = false,
                _ => {}
            }
            let choice = selector.handle(ms(now), change);
            prop_assert!(selector.next_deadline().is_none_or(|due| due > ms(now)));
            if let Some(choice) = &choice {
                prop_assert_eq!(choice.from, before);
                prop_assert!(choice.from != Some(choice.to));
                let is_cut = choice.kind == DecisionKind::Cut;
                prop_assert_eq!(selector.on_air(), if is_cut { Some(choice.to) } else { before });
            }
            // Never dark, and never against the operator.
            match selector.on_air() {
                None => prop_assert!(false, "nothing is on air"),
                Some(Source::Live) => {
                    prop_assert!(is_there && matches!(mode, Mode::Auto | Mode::HoldLive));
                }
                Some(Source::Backup) => prop_assert!(backup && mode != Mode::Slate),
                Some(Source::Slate) => prop_assert!(!backup || mode == Mode::Slate),
            }
            // The same moment again changes nothing more than one refusal.
            let again = selector.handle(ms(now), Change::Tick);
            prop_assert!(again.is_none_or(|again| again.kind == DecisionKind::Refused));
            prop_assert!(selector.handle(ms(now), Change::Tick).is_none());
        }
    }
}
