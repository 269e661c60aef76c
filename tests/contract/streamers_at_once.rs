//! Several writers of the same streamers: tasks of one instance, and two instances on PostgreSQL.

use futures_util::future::join_all;
use rstest_reuse::apply;
use streamward::adapters::sql::{PgSettings, open_postgres};
use streamward::domain::access::Scope;
use streamward::domain::page::Page;
use streamward::domain::streamer::decide::{Outcome, Report};
use streamward::domain::streamer::{ChannelId, Found, KickIds, Learned, Streamer, StreamerPatch};
use streamward::ports::StreamerFilter;

use crate::every_store;
use crate::fixture::{Engine, World, at, audit, by, postgres};
use crate::streamer_fixture::{AT_ONCE, FLAP, slug, started, stopped};

/// Two instances on one database, each with its own connections.
async fn two_instances() -> [World; 2] {
    let database = postgres().await;
    let open = || open_postgres(database.url(), &PgSettings::new(6)).unwrap();
    let (one, other) = (open(), open());
    [World::over(one, database), World::over(other, ())]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_transition_from_two_instances_is_one_change() {
    let worlds = two_instances().await;
    let mut all = Vec::new();
    for number in 0..20 {
        all.push(worlds[0].streamer(&format!("s{number}")).await);
    }
    for round in 1..=20u64 {
        let when = at(i64::try_from(round).unwrap());
        let transition = |streamer: &Streamer| match round % 2 {
            0 => stopped(streamer, round / 2, when),
            _ => started(streamer, round / 2 + 1, when),
        };
        let batch: Vec<Report> = all.iter().map(transition).collect();
        let recorded = join_all(worlds.iter().map(|world| world.record(&batch, AT_ONCE, when))).await;
        for (one, other) in recorded[0].iter().zip(&recorded[1]) {
            let mut outcomes = [one.outcome, other.outcome];
            outcomes.sort();
            assert_eq!(outcomes, [Some(Outcome::Changed), Some(Outcome::Duplicate)], "{one:?} {other:?}");
        }
    }
    for streamer in &all {
        assert_eq!(worlds[1].history(streamer).await.len(), 20);
    }
    worlds[0].agree().await;
    assert_eq!(worlds[0].events().await.len(), 20 + 20 * 20);
}

#[apply(every_store)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_simultaneous_reports_of_one_transition_one_changes_something(#[case] engine: Engine) {
    let world = engine.world().await;
    let xqc = world.streamer("xqc").await;
    let outcomes = join_all((0..10).map(|_| world.record_one(started(&xqc, 1, at(1))))).await;
    let of = |wanted| outcomes.iter().filter(|outcome| **outcome == wanted).count();
    assert_eq!((of(Outcome::Changed), of(Outcome::Duplicate)), (1, 9));
    assert_eq!(world.logged(&xqc).await, ["streamer.created", "streamer.online"]);
}

/// Writers lock rows in the same order. Otherwise PostgreSQL would end one of them as a deadlock.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_in_different_orders_and_other_writes_do_not_deadlock() {
    let worlds = two_instances().await;
    let mut all = Vec::new();
    for number in 0..40 {
        all.push(worlds[0].streamer(&format!("s{number}")).await);
    }
    let (all, worlds) = (&all, &worlds);
    let reports = |instance: usize, step: usize| async move {
        for round in 1..=15u64 {
            let when = at(i64::try_from(round).unwrap());
            let order = (0..all.len()).map(|number| &all[(number * step + instance) % all.len()]);
            let batch: Vec<Report> =
                order.flat_map(|one| [started(one, round, when), stopped(one, round, when)]).collect();
            worlds[instance].record(&batch, FLAP, when).await;
        }
    };
    let learns = async {
        for round in 1..=15u64 {
            let ids = KickIds { channel: ChannelId::new(round).ok(), ..KickIds::default() };
            let name = |number: usize| number.is_multiple_of(10).then(|| slug(&format!("r{round}-{number}")));
            let learned: Vec<Learned> = all
                .iter()
                .enumerate()
                .rev()
                .map(|(number, one)| Learned {
                    streamer: one.id,
                    found: Found::Ids { ids, renamed: name(number) },
                })
                .collect();
            worlds[1].store.learn(&learned, at(1)).await.unwrap();
        }
    };
    let announces = async {
        for round in 0..30 {
            worlds[0].store.announce_offline(at(60 + round)).await.unwrap();
            worlds[0].store.prune_status_events(at(round)).await.unwrap();
        }
    };
    let owners = async {
        for one in &all[30..] {
            let patch = StreamerPatch { is_active: Some(false), ..StreamerPatch::default() };
            worlds[1].store.update_streamer(one.id, &patch, by(&audit("update", at(1)))).await.unwrap();
            worlds[1].store.delete_streamer(one.id, by(&audit("delete", at(1)))).await.unwrap();
        }
    };
    tokio::join!(reports(0, 1), reports(1, 39), reports(0, 7), reports(1, 13), learns, announces, owners);
    assert_eq!(
        worlds[0]
            .store
            .streamers(&Scope::system(), &StreamerFilter::default(), &Page::default())
            .await
            .unwrap()
            .len(),
        30
    );
    worlds[0].events().await;
    for world in worlds {
        world.agree().await;
    }
}

/// Two rows are the same streamer, and two instances find out at the same moment.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_learned_twice_at_the_same_moment_goes_to_one_row() {
    let worlds = two_instances().await;
    for round in 0..10 {
        let one = worlds[0].streamer(&format!("one{round}")).await;
        let other = worlds[0].streamer(&format!("other{round}")).await;
        let learned = |streamer: &Streamer| {
            let renamed = Some(slug(&format!("new{round}")));
            [Learned { streamer: streamer.id, found: Found::Ids { ids: KickIds::default(), renamed } }]
        };
        let (first, second) = (learned(&one), learned(&other));
        let (a, b) =
            tokio::join!(worlds[0].store.learn(&first, at(1)), worlds[1].store.learn(&second, at(1)),);
        assert!(a.is_ok() && b.is_ok(), "{a:?} {b:?}");
        let rows = [worlds[0].now(&one).await, worlds[0].now(&other).await];
        let renamed = rows.iter().filter(|row| row.username == format!("new{round}")).count();
        let conflicting = rows.iter().filter(|row| row.problem.is_some()).count();
        assert_eq!((renamed, conflicting), (1, 1), "{rows:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn offline_is_announced_once_by_two_instances() {
    let worlds = two_instances().await;
    let mut all = Vec::new();
    for number in 0..30 {
        let one = worlds[0].streamer(&format!("s{number}")).await;
        worlds[0].record(&[started(&one, 1, at(1)), stopped(&one, 1, at(2))], FLAP, at(2)).await;
        all.push(one);
    }
    let announced = join_all(worlds.iter().map(|world| world.store.announce_offline(at(999)))).await;
    let total: u64 = announced.into_iter().map(Result::unwrap).sum();
    assert_eq!(total, 30);
    for one in &all {
        let logged = worlds[0].logged(one).await;
        assert_eq!(logged.iter().filter(|kind| **kind == "streamer.offline").count(), 1);
    }
}
