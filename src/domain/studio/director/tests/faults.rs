//! What is on air when something fails, and what the ledger says of it.

use rstest::rstest;

use super::world::{FAILOVER, World};
use crate::domain::studio::director::{Alert, Change, Command};
use crate::domain::studio::{
    Cause, FailoverEvent, FailureKind, FarEndReport, LinkState, Observation, Reason, Record, Rung,
    StreamState, Subject,
};

fn is_start(command: &Command) -> bool {
    *command == Command::StartStream
}

fn is_restart(command: &Command) -> bool {
    matches!(command, Command::RestartObs { .. })
}

fn failovers(world: &World) -> Vec<FailoverEvent> {
    let all = world.records.iter();
    all.filter_map(|record| match record {
        Record::Failover(event) => Some(event.clone()),
        _ => None,
    })
    .collect()
}

#[test]
fn missing_file_is_followed_by_the_next_item() {
    let mut world = World::on_air(&[("a", 20), ("b", 20), ("c", 20)]);
    world.broken.insert("/media/b.mp4".to_owned());
    world.run(25_000);
    assert_eq!(world.scene_name(), "Automated Content");
    assert_eq!(world.status().play.unwrap().item.place(), "/media/c.mp4");
    let event = failovers(&world).pop().unwrap();
    assert_eq!(
        (event.kind, event.item.as_str(), event.to),
        (FailureKind::Unplayable, "/media/b.mp4", Rung::Content)
    );
    assert!(event.recovered_ms.unwrap() < 500 && event.ended_at.is_some());
    let why = world.choices.iter().find(|(_, choice)| choice.reason == Reason::ContentFailed).unwrap();
    assert_eq!(why.1.numbers["item"], "/media/b.mp4");
}

#[test]
fn two_missing_files_are_followed_by_the_failover_content_until_a_pass_of_it_ends() {
    let mut world = World::on_air(&[("a", 20), ("b", 20), ("c", 20), ("d", 20)]);
    for name in ["b", "c"] {
        world.broken.insert(format!("/media/{name}.mp4"));
    }
    world.run(15_000);
    assert_eq!(world.scene_name(), "Failover");
    let event = failovers(&world).pop().unwrap();
    assert_eq!((event.to, event.ended_at), (Rung::Failover, None));
    assert!(event.recovered_ms.unwrap() < 500);
    world.run(10_000);
    assert_eq!(world.scene_name(), "Failover", "not at once");
    world.run(10_000);
    assert_eq!((world.scene_name(), world.status().rung), ("Automated Content", Rung::Content));
    assert_eq!(world.status().play.unwrap().item.place(), "/media/d.mp4");
    assert!(failovers(&world).pop().unwrap().ended_at.is_some());
    let down: u64 = world.downtimes().iter().map(|(_, from, to)| to.unwrap() - from).sum();
    assert!(down < 500, "{:?}", world.downtimes());
}

#[test]
fn content_that_fails_alone_stays_off_air_until_it_is_verified() {
    let mut world = World::on_air(&[("a", 20)]);
    world.broken.insert("/media/a.mp4".to_owned());
    world.run(120_000);
    assert_eq!(world.scene_name(), "Failover");
    world.broken.clear();
    world.verify("a", Some(20));
    world.run(21_000);
    assert_eq!(world.scene_name(), "Automated Content");
}

#[test]
fn technical_difficulties_when_the_failover_content_fails_too() {
    let mut world = World::on_air(&[("a", 20)]);
    world.broken.extend(["/media/a.mp4".to_owned(), FAILOVER.to_owned()]);
    world.run(15_000);
    assert_eq!(world.scene_name(), "Technical Difficulties");
    assert_eq!(world.status().alerts, [Alert::TechnicalDifficulties]);
    assert_eq!(
        world.downtimes().last().map(|(cause, _, to)| (*cause, *to)),
        Some((Cause::ContentFailure, None))
    );
    world.broken.remove(FAILOVER);
    world.run(32_000);
    assert_eq!((world.scene_name(), world.status().alerts), ("Failover", vec![]));
    assert!(world.is_live() && world.downtimes().last().unwrap().2.is_some());
}

#[test]
fn black_content_is_replaced_within_5_s() {
    let mut world = World::on_air(&[("a", 20), ("b", 600)]);
    world.black.insert("/media/b.mp4".to_owned());
    world.run(10_044);
    let began = world.commands.last().unwrap().0;
    world.run(5_000);
    let switched = world.transitions().pop().unwrap();
    assert_eq!(switched.to, "Failover");
    let (at, _) = world.choices.iter().rfind(|(_, choice)| choice.subject == Subject::Scene).unwrap();
    assert!(at + switched.took_ms - began <= 5_000, "{at} {began} {switched:?}");
    let event = failovers(&world).pop().unwrap();
    assert_eq!((event.kind, event.item.as_str()), (FailureKind::Black, "/media/b.mp4"));
    assert!(event.recovered_ms.unwrap() <= 5_000);
}

#[test]
fn obs_that_is_killed_is_restarted_and_on_air_within_3_s() {
    let mut world = World::on_air(&[("a", 600)]);
    world.run(5_300);
    let killed = world.now;
    world.kill();
    world.run(10_000);
    assert!(world.is_live());
    assert_eq!((world.sent(is_restart), world.sent(is_start).len()), (vec![killed], 1));
    let downtimes = world.downtimes();
    assert_eq!(downtimes.len(), 1);
    let (cause, from, to) = downtimes[0];
    assert_eq!((cause, from), (Cause::ObsCrash, killed));
    assert!(to.unwrap() - killed <= 3_000);
    assert_eq!(to.unwrap() - killed, world.bad_ms);
    // It plays on where it was.
    let (name, position) = world.played().pop().unwrap();
    assert_eq!(name, "/media/a.mp4");
    assert!((14_000..16_000).contains(&position), "{position}");
    let why = world.choices.iter().find(|(_, choice)| choice.subject == Subject::Stream).unwrap();
    assert_eq!(why.1.reason, Reason::ObsGone);
}

#[test]
fn frozen_obs_is_noticed_within_6_s_and_is_one_downtime() {
    let mut world = World::on_air(&[("a", 600)]);
    world.run(5_000 - 300);
    let frozen = world.now;
    world.freeze(true);
    world.run(20_000);
    let restarts = world.sent(is_restart);
    assert_eq!(restarts.len(), 1);
    assert!(restarts[0] - frozen <= 6_000, "{restarts:?} {frozen}");
    let downtimes = world.downtimes();
    assert_eq!(downtimes.len(), 1, "{downtimes:?}");
    let (cause, from, to) = downtimes[0];
    assert_eq!(cause, Cause::ObsCrash);
    assert!(from - frozen <= 1_000 && to.is_some() && world.is_live());
}

#[test]
fn obs_that_answers_again_was_down_until_then() {
    let mut world = World::on_air(&[("a", 600)]);
    world.settings.can_restart = false;
    world.boot();
    world.run(10_000);
    world.freeze(true);
    let frozen = world.now;
    world.run(10_000);
    assert_eq!(world.status().link, LinkState::Unresponsive);
    world.freeze(false);
    world.run(3_000);
    let (cause, from, to) = world.downtimes()[0];
    assert!(cause == Cause::ObsCrash && from - frozen <= 1_000 && to.unwrap() - frozen <= 11_000);
    assert_eq!(world.sent(is_start), [0; 0], "the stream was adopted");
}

#[test]
fn obs_that_is_out_of_sight_and_streams_on_was_never_down() {
    let mut world = World::on_air(&[("a", 600)]);
    world.hide(true);
    world.run(7_000);
    assert_eq!(world.downtimes().len(), 1, "until it is proven");
    world.hide(false);
    world.run(2_000);
    assert_eq!(world.downtimes(), []);
    assert_eq!((world.sent(is_restart).len(), world.played().len()), (0, 0), "nothing was touched");
}

#[test]
fn stream_that_the_far_end_sees_is_there_without_obs_in_sight() {
    let mut world = World::on_air(&[("a", 600)]);
    world.hide(true);
    for _ in 0..60 {
        world.run(1_000);
        world.see(Observation::FarEnd(FarEndReport::Arriving { kbps: 3_000 }));
    }
    assert_eq!((world.downtimes(), world.sent(is_restart)), (vec![], vec![]));
    assert_eq!(world.status().alerts, [Alert::ObsUnreachable]);
    let lost = world.now;
    for _ in 0..5 {
        world.run(1_000);
        world.see(Observation::FarEnd(FarEndReport::Absent));
    }
    let (cause, from, _) = world.downtimes()[0];
    assert_eq!(cause, Cause::ObsCrash);
    assert!(from >= lost && from <= lost + 3_000, "{from} {lost}");
    assert_eq!(world.sent(is_restart).len(), 1);
}

#[test]
fn far_end_counts_more_than_what_obs_says() {
    let mut world = World::on_air(&[("a", 600)]);
    let report = |world: &mut World, kbps: u32, times: u32| {
        for _ in 0..times {
            world.run(1_000);
            world.see(Observation::FarEnd(FarEndReport::Arriving { kbps }));
        }
    };
    report(&mut world, 3_000, 5);
    report(&mut world, 0, 2);
    world.see(Observation::FarEnd(FarEndReport::Unanswered));
    assert_eq!(world.downtimes(), [], "two of five are not enough");
    let first_bad = world.now - 1_000;
    report(&mut world, 0, 3);
    assert_eq!(world.downtimes(), [(Cause::ConnectionLost, first_bad, None)]);
    let first_good = world.now + 1_000;
    report(&mut world, 3_000, 5);
    assert_eq!(world.downtimes(), [(Cause::ConnectionLost, first_bad, Some(first_good))]);
    assert_eq!(world.status().stream, StreamState::Live);
}

#[rstest]
#[case(1_200)]
#[case(8_000)]
#[case(60_000)]
fn rtmp_cut_is_downtime_and_obs_is_left_running(#[case] off: u64) {
    let mut world = World::on_air(&[("a", 600)]);
    world.run(4_123);
    let cut = world.now;
    world.drop_rtmp(off);
    world.run(off + 5_000);
    assert_eq!(world.downtimes(), [(Cause::ConnectionLost, cut + 30, Some(cut + off))]);
    assert_eq!((world.sent(is_restart).len(), world.sent(is_start).len()), (0, 0));
    assert_eq!(world.status().stream, StreamState::Live);
}

#[test]
fn stop_in_obs_is_undone_within_10_s_and_a_persons_stop_never() {
    let mut world = World::on_air(&[("a", 600)]);
    let stopped = world.now;
    world.stop_stream();
    world.run(12_000);
    let (cause, from, to) = world.downtimes()[0];
    assert_eq!((cause, from), (Cause::ManualStop, stopped + 10));
    assert!(to.unwrap() - stopped <= 10_000 && world.is_live());
    let why = world.choices.iter().find(|(_, choice)| choice.subject == Subject::Stream).unwrap();
    assert_eq!(why.1.reason, Reason::StoppedInObs);

    world.forget();
    world.change(Change::Stop { by: "ann".into() });
    world.run(3_600_000);
    assert_eq!((world.status().stream, world.sent(is_start).len()), (StreamState::Off, 0));
    assert_eq!((world.ledger.session(), world.downtimes().len()), (None, 1));
    let (_, stop) = world.choices.iter().find(|(_, choice)| choice.subject == Subject::Stream).unwrap();
    assert_eq!((stop.reason, stop.by.as_deref()), (Reason::Operator, Some("ann")));
    world.change(Change::Start { by: "bob".into() });
    world.run(2_000);
    assert!(world.is_live() && world.ledger.session().is_some());
}

#[test]
fn streamward_that_was_off_adopts_the_stream() {
    let mut world = World::on_air(&[("a", 600)]);
    world.run(5_000);
    world.streamward_off(30_000, false);
    world.run(10_000);
    assert_eq!((world.downtimes(), world.sent(is_start).len()), (vec![], 0));
    assert_eq!(world.bad_ms, 0);
}

#[test]
fn machine_that_was_off_was_down_until_the_stream_is_back() {
    let mut world = World::on_air(&[("a", 600)]);
    world.run(5_000);
    let off = world.now;
    world.streamward_off(3_600_000, true);
    world.run(10_000);
    let downtimes = world.downtimes();
    assert_eq!((downtimes.len(), downtimes[0].1), (1, off));
    assert_eq!(downtimes[0].2.unwrap() - off, world.bad_ms);
    assert!(world.is_live() && downtimes[0].0 == Cause::ObsCrash);
}
