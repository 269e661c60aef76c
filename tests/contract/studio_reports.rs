//! What the supervisors of studios report, and how it is read.

use rstest::rstest;
use rstest_reuse::apply;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};
use streamward::adapters::sql::{migrate, open_sqlite};
use streamward::domain::access::Scope;
use streamward::domain::event::StudioEvent;
use streamward::domain::page::{Page, Placed as _};
use streamward::domain::studio::{
    Alert, Cause, Downtime, HealthSample, Ledger, LinkState, Record, RecordKind, Snapshot, StudioDecision,
    StudioId,
};
use streamward::ports::StudioReport;
use tempfile::TempDir;

use crate::every_store;
use crate::fixture::{Engine, World, at, audit, by};
use crate::studio_fixture::{
    content, decision, downtime, drill, failover, owner_session, sample, session, snapshot, transition,
    unknown, verification,
};

const ALL: &Scope = &Scope::system();

async fn ledger(world: &World, id: StudioId, since: i64) -> Ledger {
    world.store.studio_ledger(ALL, id, at(since)).await.unwrap()
}

async fn records(world: &World, id: StudioId, kind: RecordKind) -> Vec<Record> {
    world.store.studio_records(ALL, id, kind, at(0), 100).await.unwrap()
}

async fn samples(world: &World, id: StudioId) -> Vec<HealthSample> {
    let (samples, count) = world.store.studio_samples(ALL, id, (at(0), at(1_000)), 100).await.unwrap();
    assert_eq!(count, samples.len() as u64);
    samples
}

async fn decisions(world: &World, id: StudioId) -> Vec<StudioDecision> {
    world.store.studio_decisions(ALL, id, &Page::default()).await.unwrap()
}

#[apply(every_store)]
#[tokio::test]
async fn all_of_a_report_is_stored_once_however_often_it_is_reported(#[case] engine: Engine) {
    let world = engine.world().await;
    let (main, other) = (world.studio("main").await, world.studio("other").await);
    let id = main.id;
    let name = (id, &main.name);
    let report = StudioReport {
        snapshot: Some(snapshot(at(9))),
        sessions: vec![session(1, Some(4)), session(5, None)],
        downtimes: vec![downtime(2, Some(3)), downtime(8, None)],
        withdrawn: vec![at(6)],
        decisions: vec![decision(id, at(2)), decision(id, at(3))],
        records: vec![transition(at(2)), failover(at(3), None), owner_session(at(4))],
        samples: vec![sample(at(5)), sample(at(7))],
        verified: vec![(content("lesson"), verification(at(1), None))],
        drill: None,
        events: vec![StudioEvent::alert(name, Alert::ObsUnreachable, true)],
    };
    world.record_studio(id, &report, at(10)).await;
    world.record_studio(id, &StudioReport { events: vec![], ..report.clone() }, at(11)).await;

    assert_eq!(world.store.studio_snapshot(ALL, id).await.unwrap(), report.snapshot);
    let stored = Ledger::restored(report.sessions.clone(), report.downtimes.clone(), Some(at(9)));
    assert_eq!(ledger(&world, id, 0).await, stored);
    assert_eq!(decisions(&world, id).await, [report.decisions[1].clone(), report.decisions[0].clone()]);
    for (kind, record) in RecordKind::ALL.iter().zip(&report.records) {
        assert_eq!(records(&world, id, *kind).await, std::slice::from_ref(record));
    }
    assert_eq!(samples(&world, id).await, report.samples);
    let library = world.store.studio_library(ALL, id).await.unwrap();
    assert_eq!(library.get(&content("lesson")), Some(&report.verified[0].1));
    let [decided, alert] = ["studio.decided", "studio.alert"].map(|kind| (kind, id.0));
    assert_eq!(world.events().await, [decided, decided, alert]);

    assert_eq!(world.store.studio_snapshot(ALL, other.id).await.unwrap(), None);
    assert_eq!(ledger(&world, other.id, 0).await, Ledger::default());
    assert_eq!(decisions(&world, other.id).await, []);
    assert_eq!(records(&world, other.id, RecordKind::Transition).await, []);
    assert_eq!(samples(&world, other.id).await, []);
    assert_eq!(world.store.studio_library(ALL, other.id).await.unwrap(), Default::default());
}

#[apply(every_store)]
#[tokio::test]
async fn report_of_a_studio_that_does_not_exist_does_nothing(#[case] engine: Engine) {
    let world = engine.world().await;
    let (main, id) = (world.studio("main").await, unknown());
    let report = StudioReport {
        snapshot: Some(snapshot(at(9))),
        sessions: vec![session(1, None)],
        samples: vec![sample(at(5))],
        events: vec![StudioEvent::connection((id, &main.name), LinkState::Connected, None)],
        ..StudioReport::default()
    };
    world.record_studio(id, &report, at(10)).await;
    assert_eq!(world.store.studio_snapshot(ALL, id).await.unwrap(), None);
    assert_eq!(ledger(&world, id, 0).await, Ledger::default());
    assert_eq!(world.store.studio_snapshot(ALL, main.id).await.unwrap(), None);
    assert_eq!(world.events().await, []);
}

/// In memory nothing fails half-way.
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn nothing_of_a_report_is_stored_if_a_part_of_it_cannot_be(#[case] engine: Engine) {
    let world = engine.world().await;
    let id = world.studio("main").await.id;
    let report = StudioReport {
        snapshot: Some(snapshot(at(9))),
        sessions: vec![session(1, None)],
        records: vec![transition(at(2))],
        decisions: vec![decision(id, at(1)), decision(unknown(), at(2))],
        ..StudioReport::default()
    };
    world.store.record_studio(id, &report, at(10)).await.unwrap_err();
    assert_eq!(world.store.studio_snapshot(ALL, id).await.unwrap(), None);
    assert_eq!(ledger(&world, id, 0).await, Ledger::default());
    assert_eq!(records(&world, id, RecordKind::Transition).await, []);
    assert_eq!((decisions(&world, id).await, world.events().await), (vec![], vec![]));
}

#[apply(every_store)]
#[tokio::test]
async fn a_snapshot_replaces_an_earlier_one_and_never_a_later_one(#[case] engine: Engine) {
    let world = engine.world().await;
    let id = world.studio("main").await.id;
    let report = async |snapshot: &Snapshot, now| {
        let report = StudioReport { snapshot: Some(snapshot.clone()), ..StudioReport::default() };
        world.record_studio(id, &report, at(now)).await;
        world.store.studio_snapshot(ALL, id).await.unwrap().unwrap()
    };
    let (first, second) = (snapshot(at(5)), Snapshot { heartbeat: None, ..snapshot(at(6)) });
    assert_eq!(report(&first, 5).await, first);
    assert_eq!(report(&second, 6).await, second);
    assert_eq!(report(&first, 6).await, second);
    assert_eq!(ledger(&world, id, 0).await.heartbeat(), None);
    let again = Snapshot { restarts: 3, ..second };
    assert_eq!(report(&again, 6).await, again, "the same moment");
    assert_eq!(report(&first, 5).await, first, "the clock was set back");
    world.record_studio(id, &StudioReport::default(), at(7)).await;
    assert_eq!(world.store.studio_snapshot(ALL, id).await.unwrap(), Some(first));
}

#[apply(every_store)]
#[tokio::test]
async fn sessions_downtimes_records_and_verifications_replace_those_with_the_same_beginning_or_name(
    #[case] engine: Engine,
) {
    let world = engine.world().await;
    let id = world.studio("main").await.id;
    let lesson = content("lesson");
    let begun = StudioReport {
        sessions: vec![session(1, None)],
        downtimes: vec![downtime(2, None)],
        records: vec![failover(at(2), None), transition(at(2))],
        verified: vec![(lesson.clone(), verification(at(1), Some("gone")))],
        ..StudioReport::default()
    };
    let found = verification(at(3), None);
    let ended_downtime = Downtime { cause: Cause::NetworkDegraded, ..downtime(2, Some(6)) };
    let ended = StudioReport {
        sessions: vec![session(1, None), session(1, Some(7))],
        downtimes: vec![downtime(2, None), ended_downtime],
        records: vec![failover(at(2), None), failover(at(2), Some(at(6)))],
        samples: vec![sample(at(5)), sample(at(5))],
        verified: vec![(lesson.clone(), verification(at(1), Some("gone"))), (lesson.clone(), found.clone())],
        ..StudioReport::default()
    };
    for report in [begun, ended] {
        world.record_studio(id, &report, at(8)).await;
    }
    let expected = Ledger::restored(vec![session(1, Some(7))], vec![ended_downtime], None);
    assert_eq!(ledger(&world, id, 0).await, expected);
    assert_eq!(records(&world, id, RecordKind::Failover).await, [failover(at(2), Some(at(6)))]);
    assert_eq!(records(&world, id, RecordKind::Transition).await, [transition(at(2))]);
    assert_eq!(samples(&world, id).await, [sample(at(5))]);
    assert_eq!(world.store.studio_library(ALL, id).await.unwrap().get(&lesson), Some(&found));
}

#[apply(every_store)]
#[tokio::test]
async fn withdrawn_downtimes_are_removed_unless_another_began_in_their_place(#[case] engine: Engine) {
    let world = engine.world().await;
    let (main, other) = (world.studio("main").await, world.studio("other").await);
    let open = downtime(2, None);
    for id in [main.id, other.id] {
        let mut report = StudioReport::default();
        report.keep_session(session(1, None));
        report.keep_downtime(open);
        world.record_studio(id, &report, at(3)).await;
    }
    let mut report = StudioReport::default();
    report.withdraw(open.started_at);
    report.keep_downtime(downtime(4, None));
    report.withdraw(at(4));
    world.record_studio(main.id, &report, at(4)).await;
    assert_eq!(ledger(&world, main.id, 0).await.downtime(), None);
    assert_eq!(ledger(&world, other.id, 0).await.downtime(), Some(open));

    let replaced = Downtime { cause: Cause::ManualStop, ..open };
    let mut report = StudioReport::default();
    report.withdraw(open.started_at);
    report.keep_downtime(replaced);
    let both = StudioReport { withdrawn: vec![open.started_at], ..report.clone() };
    for report in [report, both] {
        world.record_studio(other.id, &report, at(4)).await;
        assert_eq!(ledger(&world, other.id, 0).await.downtime(), Some(replaced));
    }
}

#[apply(every_store)]
#[tokio::test]
async fn ledger_has_what_lasted_since_a_time_oldest_first_and_the_heartbeat(#[case] engine: Engine) {
    let world = engine.world().await;
    let id = world.studio("main").await.id;
    let report = StudioReport {
        snapshot: Some(Snapshot { heartbeat: Some(at(95)), ..snapshot(at(99)) }),
        sessions: vec![session(40, None), session(20, Some(30)), session(1, Some(10))],
        downtimes: vec![
            downtime(50, None),
            downtime(41, Some(45)),
            downtime(21, Some(25)),
            downtime(2, Some(3)),
        ],
        ..StudioReport::default()
    };
    world.record_studio(id, &report, at(99)).await;
    let expected = |sessions: &[_], downtimes: &[_]| {
        Ledger::restored(sessions.to_vec(), downtimes.to_vec(), Some(at(95)))
    };
    let sessions = [session(1, Some(10)), session(20, Some(30)), session(40, None)];
    let downtimes =
        [downtime(2, Some(3)), downtime(21, Some(25)), downtime(41, Some(45)), downtime(50, None)];
    assert_eq!(ledger(&world, id, 0).await, expected(&sessions, &downtimes));
    assert_eq!(ledger(&world, id, 25).await, expected(&sessions[1..], &downtimes[1..]));
    assert_eq!(ledger(&world, id, 26).await, expected(&sessions[1..], &downtimes[2..]));
    let open = ledger(&world, id, 1_000).await;
    assert_eq!(open, expected(&sessions[2..], &downtimes[3..]), "what is open is always there");
    assert_eq!((open.heartbeat(), open.session()), (Some(at(95)), Some(sessions[2])));
}

#[apply(every_store)]
#[tokio::test]
async fn each_decision_is_stored_once_with_an_event_and_listed_newest_first_in_pages(#[case] engine: Engine) {
    let world = engine.world().await;
    let (main, other) = (world.studio("main").await, world.studio("other").await);
    let report = async |id, decisions| {
        let report = StudioReport { decisions, ..StudioReport::default() };
        world.record_studio(id, &report, at(9)).await;
    };
    let [a, b, c] = [2, 3, 4].map(|seconds| decision(main.id, at(seconds)));
    report(main.id, vec![b.clone(), a.clone(), b.clone()]).await;
    report(main.id, vec![a.clone(), c.clone()]).await;
    report(other.id, vec![decision(other.id, at(3))]).await;
    let all = [c.clone(), b.clone(), a.clone()];
    assert_eq!(decisions(&world, main.id).await, all);
    let read = async |page| world.store.studio_decisions(ALL, main.id, &page).await.unwrap();
    assert_eq!(read(Page::first(1)).await, all[..1]);
    assert_eq!(read(Page { limit: Some(5), after: Some(b.place()) }).await, all[2..]);
    let told = world.studio_events().await.into_iter().map(|one| one.decision.unwrap());
    let told: Vec<_> = told.take(3).map(|one| (one.decision, one.to, one.outcome, one.numbers)).collect();
    let expected = [b, a, c].map(|one| (one.id.0, one.choice.to, one.choice.kind, one.choice.numbers));
    assert_eq!(told, expected);
    assert_eq!(world.events().await[3..], [("studio.decided", other.id.0)]);
}

#[apply(every_store)]
#[tokio::test]
async fn records_of_a_kind_are_the_last_ones_since_a_time_oldest_first(#[case] engine: Engine) {
    let world = engine.world().await;
    let id = world.studio("main").await.id;
    let all = [1, 2, 3, 4].map(|seconds| transition(at(seconds)));
    let mut records = vec![all[2].clone(), all[0].clone(), all[3].clone(), all[1].clone()];
    records.extend([failover(at(9), None), owner_session(at(9))]);
    world.record_studio(id, &StudioReport { records, ..StudioReport::default() }, at(9)).await;
    let read = async |since, most| {
        world.store.studio_records(ALL, id, RecordKind::Transition, at(since), most).await.unwrap()
    };
    assert_eq!(read(0, 100).await, all);
    assert_eq!(read(2, 100).await, all[1..]);
    assert_eq!(read(0, 2).await, all[2..]);
    assert_eq!(read(5, 100).await, []);
}

#[apply(every_store)]
#[tokio::test]
async fn samples_of_a_span_are_the_last_ones_oldest_first_with_the_number_of_all(#[case] engine: Engine) {
    let world = engine.world().await;
    let id = world.studio("main").await.id;
    let all = [1, 2, 3, 4].map(|seconds| sample(at(seconds)));
    let samples = vec![all[2].clone(), all[0].clone(), all[3].clone(), all[1].clone()];
    world.record_studio(id, &StudioReport { samples, ..StudioReport::default() }, at(9)).await;
    let read =
        async |from, to, most| world.store.studio_samples(ALL, id, (at(from), at(to)), most).await.unwrap();
    assert_eq!(read(0, 100, 100).await, (all.to_vec(), 4));
    assert_eq!(read(2, 4, 100).await, (all[1..3].to_vec(), 2));
    assert_eq!(read(0, 100, 3).await, (all[1..].to_vec(), 4));
    assert_eq!(read(0, 100, 0).await, (vec![], 4));
    assert_eq!(read(5, 100, 3).await, (vec![], 0));
}

#[apply(every_store)]
#[tokio::test]
async fn pruning_removes_samples_from_before_a_time(#[case] engine: Engine) {
    let world = engine.world().await;
    let (main, other) = (world.studio("main").await, world.studio("other").await);
    for id in [main.id, other.id] {
        let report = StudioReport {
            samples: [1, 2, 3].map(|seconds| sample(at(seconds))).to_vec(),
            records: vec![transition(at(1))],
            ..StudioReport::default()
        };
        world.record_studio(id, &report, at(4)).await;
    }
    assert_eq!(world.store.prune_studio_samples(at(3)).await.unwrap(), 4);
    for id in [main.id, other.id] {
        assert_eq!(samples(&world, id).await, [sample(at(3))]);
        assert_eq!(records(&world, id, RecordKind::Transition).await, [transition(at(1))]);
    }
    assert_eq!(world.store.prune_studio_samples(at(3)).await.unwrap(), 0);
}

#[apply(every_store)]
#[tokio::test]
async fn pruning_removes_the_history_that_ended_before_a_time(#[case] engine: Engine) {
    let world = engine.world().await;
    let id = world.studio("main").await.id;
    let mut drills = [drill(id, at(1)), drill(id, at(1)), drill(id, at(1))];
    (drills[0].ended_at, drills[1].ended_at) = (Some(at(4)), Some(at(5)));
    for one in &drills {
        world.store.create_drill(one, by(&audit("drill", at(1)))).await.unwrap();
    }
    let kept = [decision(id, at(5)), decision(id, at(4))];
    let report = StudioReport {
        snapshot: Some(snapshot(at(9))),
        sessions: vec![session(1, Some(4)), session(4, Some(5)), session(6, None)],
        downtimes: vec![downtime(2, Some(4)), downtime(4, Some(5)), downtime(6, None)],
        decisions: kept.to_vec(),
        records: vec![failover(at(4), None), failover(at(5), None), owner_session(at(4))],
        samples: vec![sample(at(1))],
        verified: vec![(content("lesson"), verification(at(1), None))],
        ..StudioReport::default()
    };
    world.record_studio(id, &report, at(9)).await;
    assert_eq!(world.store.prune_studio_history(at(5)).await.unwrap(), 6);
    let expected = Ledger::restored(
        vec![session(4, Some(5)), session(6, None)],
        vec![downtime(4, Some(5)), downtime(6, None)],
        Some(at(9)),
    );
    assert_eq!(ledger(&world, id, 0).await, expected);
    let left = world.store.drills(ALL, id, &Page::default()).await.unwrap();
    assert_eq!((left.len(), left.contains(&drills[0])), (2, false));
    assert_eq!(decisions(&world, id).await, kept[..1]);
    assert_eq!(records(&world, id, RecordKind::Failover).await, [failover(at(5), None)]);
    assert_eq!(records(&world, id, RecordKind::OwnerSession).await, []);
    assert_eq!(samples(&world, id).await, [sample(at(1))]);
    assert!(world.store.studio_library(ALL, id).await.unwrap().get(&content("lesson")).is_some());
    assert_eq!(world.store.prune_studio_history(at(5)).await.unwrap(), 0);
}

/// Another version may have written them. A person reads on, and no downtime is invented.
#[tokio::test]
async fn what_cannot_be_read_is_left_out_and_the_heartbeat_stays() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("streamward.db");
    let db = open_sqlite(&file).await.unwrap();
    migrate(&db).await.unwrap();
    let world = World::over(db, folder);
    let id = world.studio("main").await.id;
    let report = StudioReport {
        snapshot: Some(snapshot(at(9))),
        records: vec![transition(at(2)), transition(at(3))],
        samples: vec![sample(at(2)), sample(at(3))],
        verified: ["a", "b"].map(|name| (content(name), verification(at(1), None))).to_vec(),
        ..StudioReport::default()
    };
    world.record_studio(id, &report, at(9)).await;
    let mut other =
        SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(&file)).await.unwrap();
    for change in [
        "UPDATE studio_snapshots SET snapshot = '{}'".to_owned(),
        format!("UPDATE studio_records SET record = '{{}}' WHERE began_at = {}", at(2).micros()),
        format!("UPDATE studio_samples SET sample = '{{}}' WHERE at = {}", at(2).micros()),
        "UPDATE studio_verifications SET verification = '{}' WHERE content = 'a'".to_owned(),
    ] {
        let changed = other.execute(AssertSqlSafe(change)).await.unwrap();
        assert_eq!(changed.rows_affected(), 1);
    }
    assert_eq!(world.store.studio_snapshot(ALL, id).await.unwrap(), None);
    assert_eq!(ledger(&world, id, 0).await.heartbeat(), Some(at(9)));
    assert_eq!(records(&world, id, RecordKind::Transition).await, [transition(at(3))]);
    let (left, _) = world.store.studio_samples(ALL, id, (at(0), at(9)), 9).await.unwrap();
    assert_eq!(left, [sample(at(3))]);
    let library = world.store.studio_library(ALL, id).await.unwrap();
    assert_eq!(["a", "b"].map(|name| library.get(&content(name)).is_some()), [false, true]);
    world.record_studio(id, &report, at(9)).await;
    assert_eq!(world.store.studio_snapshot(ALL, id).await.unwrap(), report.snapshot);
}
