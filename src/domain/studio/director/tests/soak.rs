//! Seven days in simulated time, and any order of events.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use super::world::World;
use crate::domain::Timestamp;
use crate::domain::studio::Cause;
use crate::domain::studio::director::{Change, Command};

const HOUR: u64 = 3_600_000;
const WEEK: u64 = 7 * 24 * HOUR;

type Fault = fn(&mut World);

/// Everything that goes wrong in a week, at full seconds.
fn week() -> Vec<(u64, Fault)> {
    let mut script: Vec<(u64, Fault)> = Vec::new();
    for day in 0..7 {
        let at = |script: &mut Vec<(u64, Fault)>, hour: u64, seconds: u64, what: Fault| {
            script.push((day * 24 * HOUR + hour * HOUR + seconds * 1_000, what));
        };
        at(&mut script, 1, 17, World::kill);
        // A moment before a poll: what happens between two polls is known to a second.
        script.push((day * 24 * HOUR + 2 * HOUR - 1, |world| world.freeze(true)));
        at(&mut script, 3, 5, |world| world.drop_rtmp(1_230));
        at(&mut script, 4, 5, |world| world.drop_rtmp(61_500));
        at(&mut script, 5, 0, World::stop_stream);
        at(&mut script, 6, 0, |world| world.streamward_off(30_000, false));
        at(&mut script, 7, 0, |world| world.streamward_off(3, false));
        at(&mut script, 8, 0, |world| world.hide(true));
        at(&mut script, 8, 4, |world| world.hide(false));
        // The owner comes five times a day, once during a failure.
        for hour in 9..14 {
            at(&mut script, hour, 0, |world| world.owner(true));
            at(&mut script, hour, 1_200, |world| world.owner(false));
        }
        at(&mut script, 12, 300, World::kill);
        at(&mut script, 15, 0, |world| {
            world.broken.insert("/media/a.mp4".to_owned());
        });
        at(&mut script, 16, 0, |world| {
            world.broken.clear();
            world.verify("a", Some(600));
        });
        at(&mut script, 17, 0, |world| world.hold(Some("My scene"), Some(600_000)));
        at(&mut script, 17, 60, World::kill);
        at(&mut script, 19, 0, |world| world.switch_by_hand("Another scene"));
    }
    script.push((3 * 24 * HOUR + 20 * HOUR, |world| world.streamward_off(HOUR, true)));
    script.push((5 * 24 * HOUR + 20 * HOUR, |world| {
        world.change(Change::Stop { by: "ann".into() });
    }));
    script.push((5 * 24 * HOUR + 21 * HOUR, |world| {
        world.change(Change::Start { by: "ann".into() });
    }));
    script.sort_by_key(|(at, _)| *at);
    script
}

#[test]
fn uptime_of_a_week_is_that_of_the_script_to_the_second() {
    let mut world = World::new(&[("a", 600), ("b", 900)]);
    // Over the change to daylight saving time in Zurich.
    world.start = Timestamp::parse_rfc3339("2026-03-26T00:00:00Z").unwrap();
    world.schedule.time_zone = "Europe/Zurich".parse().unwrap();
    world.boot();
    for (at, what) in week() {
        world.run(at - world.now.min(at));
        what(&mut world);
    }
    world.run(WEEK - world.now);
    assert!(world.is_live());

    let uptime = world.ledger.uptime(world.moment().at, Duration::from_millis(WEEK));
    let [total, downtime] =
        [uptime.total, uptime.downtime].map(|time| u64::try_from(time.as_millis()).unwrap());
    // One hour of it was stopped by a person; the two starts took less than a second.
    assert!(total.abs_diff(WEEK - HOUR) < 1_000, "{total}");
    assert!(downtime.abs_diff(world.bad_ms) < 1_000, "{downtime} {} {:?}", world.bad_ms, world.downtimes());
    // 3,601 s of it without the machine, the rest 7 times about 72 s.
    assert!((3_600_000..4_500_000).contains(&downtime), "{downtime}");
    let events: Duration =
        uptime.events.iter().map(|one| one.ended_at.unwrap_or(world.moment().at).since(one.started_at)).sum();
    assert_eq!(events, uptime.downtime, "they do not overlap");
    let count = |cause: Cause| uptime.events.iter().filter(|one| one.cause == cause).count();
    assert_eq!((count(Cause::ObsCrash), count(Cause::ManualStop), count(Cause::ConnectionLost)), (29, 7, 14));
    assert!(count(Cause::ContentFailure) >= 7);
}

/// A random event.
fn act(world: &mut World, what: u8) {
    match what {
        0 => world.kill(),
        1 => world.freeze(true),
        2 => world.freeze(false),
        3 => world.drop_rtmp(7_000),
        4 => world.stop_stream(),
        5 => world.streamward_off(20_000, false),
        6 => world.streamward_off(5_000, true),
        7 => world.hide(true),
        8 => world.hide(false),
        9 => world.owner(true),
        10 => world.owner(false),
        11 => {
            world.broken.insert("/media/a.mp4".to_owned());
        }
        12 => {
            world.broken.insert(super::world::FAILOVER.to_owned());
        }
        13 => world.broken.clear(),
        14 => world.hold(None, None),
        15 => world.change(Change::Release { by: "ann".into() }),
        16 => world.switch_by_hand("Another scene"),
        17 => world.change(Change::Stop { by: "ann".into() }),
        18 => world.change(Change::Start { by: "ann".into() }),
        19 => world.is_all_black = true,
        _ => world.is_all_black = false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// Whatever happens, in any order: a hold is not overridden, a person's stop stays, downtimes do not overlap; and when all
    /// is well again, so is the programme.
    #[test]
    fn programme_recovers_from_any_order_of_events(events in vec((0_u8..21, 0_u64..20_000), 1..40)) {
        let mut world = World::on_air(&[("a", 60), ("b", 45)]);
        for (what, wait) in events {
            world.forget();
            act(&mut world, what);
            world.run(wait);
            let status = world.status();
            if status.hold.is_some() && what != 14 && what != 5 && what != 6 {
                let held = status.hold.unwrap().scene;
                for (_, command) in &world.commands {
                    if let Command::SwitchScene { scene, .. } = command {
                        prop_assert_eq!(Some(scene), held.as_ref());
                    }
                }
            }
            let mut free = 0;
            for (_, from, to) in world.downtimes() {
                prop_assert!(free <= from && to.is_none_or(|to| from < to), "{:?}", world.downtimes());
                free = to.unwrap_or(u64::MAX);
            }
        }
        for what in [13, 20, 2, 8, 10, 15, 18] {
            act(&mut world, what);
        }
        for name in ["a", "b"] {
            world.verify(name, Some(45));
        }
        world.run(200_000);
        prop_assert!(world.is_live(), "{:?} {:?}", world.status(), world.commands);
        prop_assert_eq!(world.scene_name(), "Automated Content");
        prop_assert!(world.ledger.downtime().is_none());
    }
}
