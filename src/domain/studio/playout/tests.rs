//! Tests of what plays.

use super::super::block::Block;
use super::super::content::{AgeRating, Media, Tier, file, library};
use super::super::model::SceneName;
use super::super::moment::test_moment as ms;
use super::*;
use crate::domain::local_time::TimeZone;

/// 2026-01-01T00:00:00Z is `ms(0)`.
fn schedule(content: Vec<ContentSource>) -> Schedule {
    Schedule { content, ..Schedule::empty(TimeZone::UTC) }
}

fn files(names: &[&str]) -> Schedule {
    schedule(names.iter().map(|name| file(name)).collect())
}

fn play(playout: &mut Playout, at: u64, source: ContentSource, library: &Library) -> Turn {
    playout.play(ms(at), Item::Content(source), Duration::ZERO, library);
    playout.current().unwrap().turn
}

/// The names of the next items.
fn next(playout: &mut Playout, schedule: &Schedule, library: &Library, count: usize) -> Vec<String> {
    let mut names = vec![];
    for _ in 0..count {
        let Some(source) = playout.pick(schedule, library, ms(0), false) else { break };
        names.push(source.name.to_string());
        play(playout, 0, source, library);
    }
    names
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn items_of_the_best_tier_play_in_turn() {
    let premium = |name| ContentSource { tier: Tier::Premium, ..file(name) };
    let schedule = schedule(vec![file("a"), premium("c"), premium("b"), file("d")]);
    let all = library(&[("a", 60), ("b", 60), ("c", 60), ("d", 60)]);
    assert_eq!(next(&mut Playout::default(), &schedule, &all, 3), ["b", "c", "b"]);
    let standard = library(&[("a", 60), ("d", 60)]);
    assert_eq!(next(&mut Playout::default(), &schedule, &standard, 3), ["a", "d", "a"]);
    assert_eq!(next(&mut Playout::default(), &schedule, &Library::default(), 3), [""; 0]);
}

#[test]
fn item_that_ends_before_the_block_comes_first() {
    let block = Block {
        name: "night".into(),
        from: "00:00".parse().unwrap(),
        to: "00:10".parse().unwrap(),
        days: vec![],
        age: AgeRating::AllAges,
        kinds: vec![],
    };
    let schedule = Schedule { blocks: vec![block], ..files(&["a", "b"]) };
    let library = library(&[("a", 3_600), ("b", 60)]);
    let pick = |at| Playout::default().pick(&schedule, &library, ms(at), false).unwrap().name.to_string();
    assert_eq!((pick(0), pick(10 * 60_000)), ("b".to_owned(), "a".to_owned()));
    assert_eq!(pick(590_000), "a", "none fits");
}

#[test]
fn failed_content_is_left_out_until_it_is_verified() {
    let (schedule, library) = (files(&["a", "b"]), library(&[("a", 60), ("b", 60)]));
    let mut playout = Playout::default();
    play(&mut playout, 0, file("a"), &library);
    playout.fail(ms(0));
    assert_eq!(playout.current(), None);
    assert_eq!(next(&mut playout.clone(), &schedule, &library, 2), ["b", "b"]);
    assert_eq!(playout.pick(&files(&["a"]), &library, ms(599_000), false), None);
    assert!(playout.pick(&files(&["a"]), &library, ms(600_000), false).is_some());
    playout.verified(&file("a").name);
    assert!(playout.pick(&files(&["a"]), &library, ms(1_000), false).is_some());
}

#[test]
fn file_without_a_duration_or_with_a_short_one_failed() {
    let library = library(&[("a", 60)]);
    let mut playout = Playout::default();
    let turn = play(&mut playout, 0, file("a"), &library);
    playout.media_started(ms(50), turn, None);
    let ended =
        |at, duration: Option<u64>| playout.media_ended(ms(at), turn, duration.map(Duration::from_secs));
    assert_eq!(ended(60, None), Some(Ended::Failed(FailureKind::Unplayable)));
    assert_eq!(
        ended(20_000, Some(20)),
        Some(Ended::Failed(FailureKind::EndedEarly)),
        "it was verified as longer"
    );
    assert_eq!(ended(20_000, Some(60)), Some(Ended::Failed(FailureKind::EndedEarly)));
    assert_eq!(ended(60_100, Some(60)), Some(Ended::Finished));
    assert_eq!(playout.media_ended(ms(60_100), Turn(turn.0 + 1), None), None, "another turn");
}

#[test]
fn media_that_does_not_begin_or_end_in_time() {
    let library = library(&[("a", 60)]);
    let mut playout = Playout::default();
    let turn = play(&mut playout, 0, file("a"), &library);
    assert_eq!(playout.tick(ms(2_900)), None);
    assert_eq!(playout.tick(ms(3_000)), Some(Ended::Failed(FailureKind::Timeout)));
    playout.media_started(ms(100), turn, None);
    assert_eq!(playout.tick(ms(61_000)), None);
    assert_eq!(playout.tick(ms(61_100)), Some(Ended::Finished));
}

#[test]
fn scene_plays_for_its_time_and_live_input_must_not_end() {
    let scene = Media::SceneComposition { scene: SceneName::parse("Chat").unwrap() };
    let scene = ContentSource { media: scene, plays_for_seconds: Some(30), ..file("chat") };
    let mut playout = Playout::default();
    play(&mut playout, 0, scene, &Library::default());
    assert_eq!((playout.tick(ms(29_900)), playout.tick(ms(30_000))), (None, Some(Ended::Finished)));
    let live = ContentSource { media: Media::LiveInput { url: "rtmp://h/a".into() }, ..file("camera") };
    let turn = play(&mut playout, 0, live, &Library::default());
    playout.media_started(ms(10), turn, None);
    assert_eq!(playout.tick(ms(1_000_000)), None);
    let ended = playout.media_ended(ms(1_000_000), turn, Some(SECOND));
    assert_eq!(ended, Some(Ended::Failed(FailureKind::EndedEarly)));
}

#[test]
fn content_is_resumed_where_it_was_interrupted() {
    let (schedule, library) = (files(&["a", "b"]), library(&[("a", 60), ("b", 60)]));
    let mut playout = Playout::default();
    let turn = play(&mut playout, 0, file("a"), &library);
    playout.media_started(ms(100), turn, None);
    playout.pause(ms(10_100));
    assert_eq!(playout.media_ended(ms(10_200), turn, Some(SECOND)), None, "OBS ends what leaves the air");
    let resumed = playout.clone().take_paused(&schedule, &library, ms(99_000));
    assert_eq!(resumed, Some((file("a"), 10 * SECOND)));
    playout.play(ms(99_000), Item::Content(file("a")), 10 * SECOND, &library);
    playout.media_started(ms(99_100), playout.current().unwrap().turn, None);
    playout.pause(ms(104_100));
    assert_eq!(playout.paused(), Some((&file("a"), 15 * SECOND)));
    assert_eq!(
        playout.clone().take_paused(&files(&["b"]), &library, ms(0)),
        None,
        "it is not in the schedule any more"
    );
}
