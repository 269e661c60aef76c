//! What is on air when nothing fails: the start, the schedule, the owner.

use std::time::Duration;

use super::world::{FAILOVER, World, scene};
use crate::domain::studio::content::{AgeRating, file};
use crate::domain::studio::director::{Change, Command};
use crate::domain::studio::{
    Block, ContentSource, FailureKind, Media, OWNER_WITHIN, OwnerState, Reason, Record, Rung, Schedule,
    Subject, Summary, TimeZone, TransitionKind,
};

fn is_start(command: &Command) -> bool {
    *command == Command::StartStream
}

#[test]
fn studio_goes_on_air_by_itself_when_the_checks_pass() {
    let mut world = World::new(&[("a", 60)]);
    world.boot();
    world.run(1_000);
    assert_eq!(world.scene_name(), "Automated Content");
    assert!(world.is_live());
    assert_eq!(world.played(), [("/media/a.mp4".to_owned(), 0)]);
    assert_eq!(world.sent(is_start).len(), 1);
    let reasons: Vec<_> = world.choices.iter().map(|(_, choice)| (choice.subject, choice.reason)).collect();
    let wanted = [
        (Subject::Content, Reason::Start),
        (Subject::Scene, Reason::Start),
        (Subject::Stream, Reason::PreflightPassed),
    ];
    assert_eq!(reasons, wanted);
}

#[test]
fn studio_does_not_start_before_the_checks_pass() {
    let mut world = World::new(&[("a", 60)]);
    world.boot_with(false);
    world.run(130_000);
    assert_eq!(world.sent(is_start), [0; 0]);
    world.change(Change::Preflight(true));
    world.run(1_000);
    assert!(world.is_live());
}

#[test]
fn start_that_fails_is_tried_every_10_s() {
    let mut world = World::new(&[("a", 60)]);
    world.refuse_starts = true;
    world.boot();
    world.run(35_000);
    let starts = world.sent(is_start);
    assert_eq!(starts.len(), 4, "{starts:?}");
    assert!(starts.windows(2).all(|two| (10_000..=10_300).contains(&(two[1] - two[0]))), "{starts:?}");
}

#[test]
fn items_play_one_after_the_other_without_a_gap() {
    let mut world = World::on_air(&[("a", 20), ("b", 15), ("c", 30)]);
    world.run(600_000);
    let played = world.played();
    let names: Vec<_> = played.iter().take(4).map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["/media/b.mp4", "/media/c.mp4", "/media/a.mp4", "/media/b.mp4"]);
    // 600 s of items that play 65 s in all, each with 44 ms until the player begins.
    assert!((26..=29).contains(&played.len()), "{}", played.len());
    assert_eq!(world.downtimes(), []);
}

#[test]
fn end_that_is_not_seen_does_not_stop_the_programme() {
    let mut world = World::on_air(&[("a", 20), ("b", 15)]);
    world.loses_ends = true;
    world.run(60_000);
    assert!(world.played().len() >= 2);
    assert_eq!((world.downtimes(), world.scene_name()), (vec![], "Automated Content"));
}

fn block(name: &str, from: &str, to: &str) -> Block {
    let (from, to) = (from.parse().unwrap(), to.parse().unwrap());
    Block { name: name.to_owned(), from, to, days: vec![], age: AgeRating::AllAges, kinds: vec![] }
}

#[test]
fn another_block_changes_what_plays_and_a_scene_can_be_content() {
    let mut world = World::new(&[("a", 600)]);
    let night = ContentSource { blocks: vec!["night".into()], ..file("a") };
    let chat = ContentSource {
        media: Media::SceneComposition { scene: scene("Chat") },
        blocks: vec!["morning".into()],
        ..file("chat")
    };
    world.schedule = Schedule {
        blocks: vec![block("night", "00:00", "00:05"), block("morning", "00:05", "00:10")],
        content: vec![night, chat],
        ..world.schedule
    };
    world.boot();
    world.run(299_000);
    assert_eq!(world.scene_name(), "Automated Content");
    world.run(6_000);
    assert_eq!(world.scene_name(), "Chat");
    assert_eq!(world.choices.last().map(|(_, choice)| choice.reason), Some(Reason::Schedule));
    // Nothing is scheduled after that: failover content plays, and the reason says so.
    world.run(300_000);
    assert_eq!((world.scene_name(), world.status().rung), ("Failover", Rung::Failover));
    let choice = world.choices.iter().rev().find(|(_, choice)| choice.subject == Subject::Scene);
    let (at, choice) = choice.unwrap();
    assert_eq!((at / 1_000, choice.reason), (600, Reason::NothingToPlay));
    assert_eq!(choice.numbers["failure"], FailureKind::NothingToPlay.as_str());
    // The next night the content is back, without a person.
    world.run(86_400_000 - 500_000);
    assert_eq!(world.scene_name(), "Automated Content");
}

#[test]
fn first_content_goes_on_air_at_once_where_there_was_nothing_to_play() {
    let mut world = World::new(&[("a", 600)]);
    let schedule = std::mem::replace(&mut world.schedule, Schedule::empty(TimeZone::UTC));
    world.boot();
    // In the middle of the failover content.
    world.run(25_000);
    assert_eq!(world.scene_name(), "Failover");
    world.change(Change::Schedule(schedule));
    world.run(2_000);
    assert_eq!(world.scene_name(), "Automated Content");
}

#[test]
fn owner_comes_and_goes_20_times_and_content_resumes_where_it_was() {
    let mut world = World::on_air(&[("a", 7_200)]);
    let mut position = 10_000;
    for _ in 0..20 {
        world.run(30_000);
        world.owner(true);
        world.run(9_000);
        assert_eq!((world.scene_name(), world.status().owner), ("Owner Live", OwnerState::Live));
        world.run(11_000);
        world.owner(false);
        world.run(9_000);
        assert_eq!(world.scene_name(), "Automated Content");
        // It played on until the debounce was over.
        position += 30_000 + 5_000;
        let (name, resumed) = world.played().pop().unwrap();
        assert_eq!(name, "/media/a.mp4");
        assert!(resumed.abs_diff(position) < 500, "{resumed} {position}");
        position = resumed + 4_000;
    }
    let took = |kind: TransitionKind, total: bool| {
        let all = world.transitions().into_iter().filter(move |one| one.kind == kind);
        let times = all.map(|one| Duration::from_millis(if total { one.total_ms } else { one.took_ms }));
        times.collect::<Vec<_>>()
    };
    for kind in [TransitionKind::ToOwner, TransitionKind::FromOwner] {
        let after_debounce = Summary::of(&took(kind, false), OWNER_WITHIN);
        assert_eq!((after_debounce.count, after_debounce.success_percent), (20, 100.0));
        assert!(after_debounce.p95 <= 2.0, "{after_debounce:?}");
        let total = Summary::of(&took(kind, true), OWNER_WITHIN);
        assert!(total.longest <= 7.0 && total.longest >= 5.0, "{total:?}");
    }
    let sessions = world.records.iter().filter(|record| matches!(record, Record::OwnerSession(_))).count();
    assert_eq!((sessions, world.downtimes()), (20, vec![]));
    assert!(world.commands.iter().all(|(_, command)| match command {
        Command::SwitchScene { fade, .. } => *fade == Duration::from_secs(1),
        _ => true,
    }));
}

#[test]
fn invisible_owner_is_waited_for_30_s() {
    let mut world = World::on_air(&[("a", 7_200)]);
    world.owner_luminance = 0.01;
    world.run(5_000);
    world.owner(true);
    world.run(7_000);
    assert_eq!(world.scene_name(), "Going Live Soon");
    world.run(30_000);
    assert_eq!((world.scene_name(), world.status().owner), ("Automated Content", OwnerState::NotReady));
    let scenes = world.choices.iter().filter(|(_, choice)| choice.subject == Subject::Scene);
    let reasons: Vec<_> = scenes.map(|(_, choice)| choice.reason).collect();
    assert_eq!(reasons, [Reason::OwnerNotReady, Reason::OwnerGaveUp]);
    world.owner_luminance = 0.5;
    world.run(3_000);
    assert_eq!(world.scene_name(), "Owner Live");
}

#[test]
fn failover_scene_shows_what_it_has_where_no_file_is_configured() {
    let mut world = World::new(&[("a", 60)]);
    world.settings.failover_video = None;
    world.broken.insert("/media/a.mp4".to_owned());
    world.boot();
    world.run(10_000);
    assert_eq!(world.scene_name(), "Failover");
    assert!(world.played().iter().all(|(name, _)| name != FAILOVER));
}
