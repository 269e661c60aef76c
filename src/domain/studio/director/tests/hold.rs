//! A person's word: holds, and changes by hand in OBS.

use super::world::World;
use crate::domain::studio::director::{Alert, Change, Command};
use crate::domain::studio::{DecisionKind, Reason, Subject};

fn is_switch(command: &Command) -> bool {
    matches!(command, Command::SwitchScene { .. })
}

#[test]
fn hold_is_never_overridden_and_says_what_it_prevents() {
    let mut world = World::on_air(&[("a", 600)]);
    world.hold(None, None);
    world.run(2_000);
    world.owner(true);
    world.run(60_000);
    assert_eq!((world.scene_name(), world.sent(is_switch).len()), ("Automated Content", 0));
    let refused: Vec<_> = world.choices.iter().filter(|(_, one)| one.kind == DecisionKind::Refused).collect();
    assert_eq!(refused.len(), 1, "once");
    let choice = &refused[0].1;
    assert_eq!((choice.to.as_str(), choice.reason), ("Owner Live", Reason::OwnerActive));
    assert_eq!(choice.by.as_deref(), Some("ann"));
    world.change(Change::Release { by: "bob".into() });
    world.run(2_000);
    assert_eq!(world.scene_name(), "Owner Live");
}

#[test]
fn hold_with_a_scene_switches_once_and_expires() {
    let mut world = World::on_air(&[("a", 600)]);
    world.hold(Some("My scene"), Some(30_000));
    world.run(29_000);
    assert_eq!((world.scene_name(), world.sent(is_switch).len()), ("My scene", 1));
    let (_, choice) = world.choices.iter().find(|(_, choice)| choice.subject == Subject::Scene).unwrap();
    assert_eq!((choice.reason, choice.by.as_deref()), (Reason::Operator, Some("ann")));
    assert_eq!(choice.numbers["reason"], "match is late");
    world.run(3_000);
    assert_eq!(world.scene_name(), "Automated Content");
    let (_, position) = world.played().pop().unwrap();
    assert!((10_000..11_000).contains(&position), "it was interrupted at 10 s: {position}");
}

#[test]
fn scene_that_a_person_chooses_in_obs_during_a_hold_is_kept_across_a_crash() {
    let mut world = World::on_air(&[("a", 600)]);
    world.hold(None, None);
    world.run(1_000);
    world.switch_by_hand("Another scene");
    world.run(60_000);
    assert_eq!((world.scene_name(), world.sent(is_switch).len()), ("Another scene", 0));
    world.kill();
    world.switch_by_hand("Scene");
    world.run(10_000);
    assert_eq!(world.scene_name(), "Another scene");
    assert!(world.is_live());
}

#[test]
fn content_plays_on_in_a_scene_that_is_held() {
    let mut world = World::on_air(&[("a", 20), ("b", 20)]);
    world.hold(None, None);
    world.run(60_000);
    assert!(world.played().len() >= 2);
    world.black.extend(["/media/a.mp4".to_owned(), "/media/b.mp4".to_owned()]);
    world.run(8_000);
    assert_eq!(world.scene_name(), "Automated Content", "not even then");
    assert_eq!(world.sent(is_switch).len(), 0);
}

#[test]
fn black_scene_that_is_held_is_an_alert() {
    let mut world = World::on_air(&[("a", 600)]);
    world.hold(Some("My scene"), None);
    world.run(2_000);
    world.is_all_black = true;
    world.run(6_000);
    assert_eq!((world.scene_name(), world.status().alerts), ("My scene", vec![Alert::HeldSceneIsBad]));
}

#[test]
fn scene_that_is_changed_in_obs_without_a_hold_is_changed_back() {
    let mut world = World::on_air(&[("a", 600)]);
    world.run(5_000);
    world.switch_by_hand("Another scene");
    world.run(1_000);
    assert_eq!(world.scene_name(), "Automated Content");
    let (_, choice) = world.choices.iter().find(|(_, choice)| choice.subject == Subject::Scene).unwrap();
    assert_eq!((choice.reason, choice.from.as_deref()), (Reason::ChangedInObs, Some("Another scene")));
    let (name, position) = world.played().pop().unwrap();
    assert_eq!(name, "/media/a.mp4");
    assert!((14_000..16_000).contains(&position), "{position}");
}

#[test]
fn switch_that_obs_does_not_confirm_is_repeated_and_recorded() {
    let mut world = World::on_air(&[("a", 600)]);
    world.ignores_switches = true;
    world.owner(true);
    world.run(20_000);
    let switches = world.sent(is_switch);
    assert!(switches.len() >= 4, "{switches:?}");
    let failed = world.choices.iter().filter(|(_, choice)| choice.kind == DecisionKind::Failed);
    assert_eq!(failed.count(), switches.len() - 1);
    world.ignores_switches = false;
    world.run(5_000);
    assert_eq!(world.scene_name(), "Owner Live");
}
