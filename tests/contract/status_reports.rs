//! Status reports of streamers and their effects.

use rstest_reuse::apply;
use streamward::domain::access::Scope;
use streamward::domain::page::Page;
use streamward::domain::streamer::decide::{Outcome, ReportedStatus};
use streamward::domain::streamer::{
    ChannelId, Found, KickIds, Learned, Session, Status, Streamer, StreamerPatch, UserId,
};
use streamward::ports::StreamerFilter;

use crate::every_store;
use crate::fixture::{Engine, World, at, audit, by};
use crate::streamer_fixture::{
    AT_ONCE, FLAP, report, session, slug, started, stopped, streamer, streamer_event,
};

#[apply(every_store)]
#[tokio::test]
async fn status_history_and_event_of_a_change_are_written_together(#[case] engine: Engine) {
    let world = engine.world().await;
    let xqc = world.streamer("xqc").await;
    let began =
        Session { started_at: Some(at(4)), category: Some("Slots".into()), viewers: Some(12), ..session(9) };
    let online = report(xqc.id, ReportedStatus::Started(began.clone()), at(5));
    let recorded = world.record(&[online], FLAP, at(6)).await;
    assert_eq!((recorded.len(), recorded[0].streamer), (1, xqc.id));
    assert_eq!((recorded[0].outcome, recorded[0].verify), (Some(Outcome::Changed), false));

    let now = world.now(&xqc).await;
    assert_eq!(now.track.status, Status::Online);
    assert_eq!((now.track.last_status_update, now.track.last_seen_online), (Some(at(5)), Some(at(5))));
    assert_eq!(now.track.session, Some(began));
    assert_eq!(now.updated_at, xqc.updated_at, "the owner changed nothing");
    let history = world.history(&xqc).await;
    assert_eq!(history.len(), 1);
    assert_eq!(Some(&history[0].change), recorded[0].change.as_ref());
    assert_eq!((history[0].change.occurred_at, history[0].recorded_at), (at(4), at(6)));
    let log = world.log().await;
    let last = log.last().unwrap();
    assert_eq!((last.seq, last.at, last.kind.as_str()), (history[0].seq, at(6), "streamer.online"));
    let event = streamer_event(last);
    assert_eq!((event.streamer, event.change), (now, recorded[0].change.clone()));
}

#[apply(every_store)]
#[tokio::test]
async fn each_report_is_judged_by_the_result_of_the_one_before(#[case] engine: Engine) {
    let world = engine.world().await;
    let (xqc, other) = (world.streamer("xqc").await, world.streamer("other").await);
    let batch = [
        started(&xqc, 1, at(1)),
        started(&xqc, 1, at(2)),
        stopped(&other, 7, at(2)),
        stopped(&xqc, 1, at(3)),
        started(&xqc, 1, at(4)),
        started(&xqc, 2, at(5)),
        stopped(&xqc, 1, at(6)),
    ];
    let recorded = world.record(&batch, AT_ONCE, at(9)).await;
    let outcomes: Vec<_> = recorded.iter().map(|one| one.outcome.expect("it is watched")).collect();
    use Outcome::{Changed, Duplicate, Stale};
    assert_eq!(outcomes, [Changed, Duplicate, Changed, Changed, Duplicate, Changed, Stale]);
    assert!(recorded.iter().zip(&batch).all(|(recorded, report)| recorded.streamer == report.streamer));
    assert_eq!(
        world.logged(&xqc).await,
        ["streamer.created", "streamer.online", "streamer.offline", "streamer.online"]
    );
    let now = world.now(&xqc).await;
    assert_eq!((now.track.status, now.track.session), (Status::Online, Some(session(2))));
    world.agree().await;
}

/// Everything that reports can write.
async fn written(world: &World) -> impl PartialEq + std::fmt::Debug + use<> {
    let all =
        world.store.streamers(&Scope::system(), &StreamerFilter::default(), &Page::default()).await.unwrap();
    let mut history = Vec::new();
    for streamer in &all {
        history.extend(world.history(streamer).await);
    }
    (all, history, world.log().await)
}

#[apply(every_store)]
#[tokio::test]
async fn nothing_is_written_for_a_report_that_changes_nothing(#[case] engine: Engine) {
    let world = engine.world().await;
    let (xqc, other) = (world.streamer("xqc").await, world.streamer("other").await);
    world.record_one(stopped(&xqc, 1, at(1))).await;
    world.record_one(started(&xqc, 2, at(2))).await;
    world.record_one(stopped(&other, 3, at(2))).await;
    let before = written(&world).await;
    let again = [
        started(&xqc, 2, at(3)),
        stopped(&xqc, 1, at(4)),
        report(other.id, ReportedStatus::NotLive, at(5)),
        started(&xqc, 1, at(6)),
    ];
    let recorded = world.record(&again, AT_ONCE, at(9)).await;
    assert!(recorded.iter().all(|one| one.change.is_none() && one.outcome.is_some()), "{recorded:?}");
    assert_eq!(written(&world).await, before);
    assert_eq!(world.record(&[], AT_ONCE, at(9)).await, []);
}

#[apply(every_store)]
#[tokio::test]
async fn deleted_and_inactive_streamers_are_skipped(#[case] engine: Engine) {
    let world = engine.world().await;
    let (gone, paused, xqc) =
        (world.streamer("gone").await, world.streamer("paused").await, world.streamer("xqc").await);
    let patch = StreamerPatch { is_active: Some(false), ..StreamerPatch::default() };
    world.store.update_streamer(paused.id, &patch, by(&audit("update", at(1)))).await.unwrap();
    world.store.delete_streamer(gone.id, by(&audit("delete", at(1)))).await.unwrap();
    let batch = [started(&gone, 1, at(2)), started(&xqc, 2, at(2)), started(&paused, 3, at(2))];
    let recorded = world.record(&batch, AT_ONCE, at(2)).await;
    let outcomes: Vec<_> = recorded.iter().map(|one| one.outcome).collect();
    assert_eq!(outcomes, [None, Some(Outcome::Changed), None]);
    assert_eq!(world.now(&paused).await.track.status, Status::Unknown);
    assert_eq!(world.now(&xqc).await.track.status, Status::Online);
}

#[apply(every_store)]
#[tokio::test]
async fn each_report_has_one_result_in_order(#[case] engine: Engine) {
    let world = engine.world().await;
    let mut all = Vec::new();
    for number in 0..3 {
        all.push(world.streamer(&format!("s{number}")).await);
    }
    let rounds = 0..450u64;
    let batch: Vec<_> = rounds
        .flat_map(|round| {
            let streamer = &all[usize::try_from(round % 3).unwrap()];
            [
                started(streamer, round + 1, at(1)),
                started(streamer, round + 1, at(1)),
                stopped(streamer, round + 1, at(1)),
            ]
        })
        .collect();
    let recorded = world.record(&batch, AT_ONCE, at(1)).await;
    assert_eq!(recorded.len(), batch.len());
    use Outcome::{Changed, Duplicate};
    let expected = [Some(Changed), Some(Duplicate), Some(Changed)].repeat(450);
    assert_eq!(recorded.iter().map(|one| one.outcome).collect::<Vec<_>>(), expected);
    assert!(recorded.iter().zip(&batch).all(|(recorded, report)| recorded.streamer == report.streamer));
    assert_eq!(world.history(&all[0]).await.len(), 300);
    world.agree().await;
}

#[apply(every_store)]
#[tokio::test]
async fn an_online_streamer_has_a_session_even_if_nothing_is_known_of_it(#[case] engine: Engine) {
    let world = engine.world().await;
    let xqc = world.streamer("xqc").await;
    world.record_one(report(xqc.id, ReportedStatus::Live(Session::default()), at(1))).await;
    assert_eq!(world.now(&xqc).await.track.session, Some(Session::default()));
    assert_eq!(world.history(&xqc).await[0].change.session, Some(Session::default()));
    world
        .record_one(report(
            xqc.id,
            ReportedStatus::Stopped { session: Session::default(), banned: true },
            at(50),
        ))
        .await;
    assert_eq!(world.now(&xqc).await.track.session, None);
    let last = &world.history(&xqc).await[0];
    assert_eq!((&last.change.session, last.change.banned), (&None, true));
}

fn ids(user: u64, channel: u64) -> KickIds {
    KickIds { user: UserId::new(user).ok(), channel: ChannelId::new(channel).ok(), chatroom: None }
}

fn found(streamer: &Streamer, ids: KickIds, renamed: Option<&str>) -> Learned {
    Learned { streamer: streamer.id, found: Found::Ids { ids, renamed: renamed.map(slug) } }
}

fn problem(streamer: &Streamer, text: &str) -> Learned {
    Learned { streamer: streamer.id, found: Found::Problem(text.into()) }
}

#[apply(every_store)]
#[tokio::test]
async fn numbers_names_and_problems_that_were_found_are_stored_with_an_event_for_each_row_that_changes(
    #[case] engine: Engine,
) {
    let world = engine.world().await;
    let (one, two, three) =
        (world.streamer("one").await, world.streamer("two").await, world.streamer("three").await);
    let gone = streamer("gone", at(0));
    let learned = [
        found(&one, ids(1, 10), None),
        found(&gone, ids(9, 90), None),
        problem(&two, "no such channel"),
        found(&three, KickIds { channel: None, ..ids(3, 0) }, Some("third")),
    ];
    world.store.learn(&learned, at(5)).await.unwrap();
    assert_eq!(world.now(&one).await, Streamer { ids: ids(1, 10), ..one.clone() });
    assert_eq!(world.now(&two).await, Streamer { problem: Some("no such channel".into()), ..two.clone() });
    let third = world.now(&three).await;
    assert_eq!((third.username.as_str(), third.ids.user), ("third", UserId::new(3).ok()));
    let events = world.events().await;
    let updated = |streamer: &Streamer| ("streamer.updated", streamer.id.0);
    assert_eq!(events[3..], [updated(&one), updated(&two), updated(&three)]);
    assert_eq!(streamer_event(world.log().await.last().unwrap()).streamer, third);

    world.store.learn(&learned, at(6)).await.unwrap();
    assert_eq!(world.events().await, events, "known values change nothing");
    world.store.learn(&[found(&two, KickIds::default(), None)], at(7)).await.unwrap();
    assert_eq!(world.now(&two).await, two, "the problem is over");
}

#[apply(every_store)]
#[tokio::test]
async fn a_name_that_another_row_has_becomes_a_problem_on_this_one(#[case] engine: Engine) {
    let world = engine.world().await;
    let (old, new) = (world.streamer("old").await, world.streamer("new").await);
    let renamed = found(&old, ids(1, 10), Some("new"));
    world.store.learn(std::slice::from_ref(&renamed), at(5)).await.unwrap();
    let text = "this is new now, which another row watches already: delete one of them";
    let expected = Streamer { ids: ids(1, 10), problem: Some(text.into()), ..old.clone() };
    assert_eq!(world.now(&old).await, expected);
    let events = world.events().await;
    world.store.learn(std::slice::from_ref(&renamed), at(6)).await.unwrap();
    assert_eq!(world.events().await, events, "it is known already");
    world.store.delete_streamer(new.id, by(&audit("delete", at(7)))).await.unwrap();
    world.store.learn(&[renamed], at(8)).await.unwrap();
    let now = world.now(&old).await;
    assert_eq!((now.username.as_str(), now.problem), ("new", None));
}

#[apply(every_store)]
#[tokio::test]
async fn names_that_change_rows_within_a_batch_are_taken_in_its_order(#[case] engine: Engine) {
    let world = engine.world().await;
    let (a, b, c, d) = (
        world.streamer("a").await,
        world.streamer("b").await,
        world.streamer("c").await,
        world.streamer("d").await,
    );
    let none = KickIds::default();
    let learned = [
        found(&b, none, Some("x")),
        found(&a, none, Some("b")),
        // Two rows are the same streamer: the first one gets the name.
        found(&c, none, Some("y")),
        found(&d, none, Some("y")),
        // And back again.
        found(&b, none, Some("b2")),
    ];
    world.store.learn(&learned, at(5)).await.unwrap();
    assert_eq!(world.names(&StreamerFilter::default()).await, ["b", "b2", "d", "y"]);
    assert_eq!(world.now(&a).await.username, "b");
    assert_eq!(world.now(&b).await.username, "b2");
    assert!(world.now(&d).await.problem.unwrap().contains("this is y now"));
    assert_eq!(world.events().await.len(), 4 + 5);
}

#[apply(every_store)]
#[tokio::test]
async fn thousands_are_learned_at_once(#[case] engine: Engine) {
    let world = engine.world().await;
    let mut learned = Vec::new();
    for number in 0..600 {
        let one = world.streamer(&format!("s{number}")).await;
        learned.push(found(&one, ids(number + 1, number + 1), None));
    }
    world.store.learn(&learned, at(5)).await.unwrap();
    let all =
        world.store.streamers(&Scope::system(), &StreamerFilter::default(), &Page::default()).await.unwrap();
    assert!(all.iter().all(|one| one.ids.user.is_some()));
    assert_eq!(world.events().await.len(), 1_200);
}

#[apply(every_store)]
#[tokio::test]
async fn offline_is_announced_once_when_it_is_due(#[case] engine: Engine) {
    let world = engine.world().await;
    let (xqc, back, on) =
        (world.streamer("xqc").await, world.streamer("back").await, world.streamer("on").await);
    let batch = [started(&xqc, 1, at(1)), started(&back, 2, at(1)), started(&on, 3, at(1))];
    world.record(&batch, FLAP, at(1)).await;
    world.record(&[stopped(&xqc, 1, at(10)), stopped(&back, 2, at(10))], FLAP, at(10)).await;
    world.record(&[started(&back, 4, at(20))], FLAP, at(20)).await;
    assert_eq!(world.logged(&xqc).await, ["streamer.created", "streamer.online", "streamer.updated"]);

    assert_eq!(world.store.announce_offline(at(69)).await.unwrap(), 0, "not yet");
    let before = world.now(&xqc).await;
    assert_eq!(before.track.offline_due, Some(at(70)));
    assert_eq!(world.store.announce_offline(at(70)).await.unwrap(), 1);
    assert_eq!(world.store.announce_offline(at(99)).await.unwrap(), 0, "once");
    assert_eq!(
        world.logged(&xqc).await,
        ["streamer.created", "streamer.online", "streamer.updated", "streamer.offline"]
    );
    assert_eq!(
        world.logged(&back).await,
        ["streamer.created", "streamer.online", "streamer.updated", "streamer.updated"],
        "it was back in time: offline was not announced"
    );
    let mut now = world.now(&xqc).await;
    let event = streamer_event(world.log().await.last().unwrap());
    assert_eq!((&event.streamer, event.change), (&now, None), "the change was announced before");
    now.track.offline_due = before.track.offline_due;
    assert_eq!(now, before, "nothing else changes");
    assert_eq!(world.history(&xqc).await.len(), 2);
    assert_eq!(world.history(&back).await.len(), 3, "history keeps what was not announced");
    world.agree().await;
}

#[apply(every_store)]
#[tokio::test]
async fn changes_recorded_before_are_removed_but_never_a_streamers_last_one(#[case] engine: Engine) {
    let world = engine.world().await;
    let (xqc, rare) = (world.streamer("xqc").await, world.streamer("rare").await);
    world.record_one(started(&rare, 1, at(1))).await;
    for round in 0..4 {
        let when = i64::try_from(round).unwrap() * 10;
        world.record_one(started(&xqc, round + 1, at(when))).await;
        world.record_one(stopped(&xqc, round + 1, at(when + 5))).await;
    }
    let all = world.history(&xqc).await;
    assert_eq!(world.store.prune_status_events(at(15)).await.unwrap(), 3, "at 0, 5 and 10");
    assert_eq!(world.history(&xqc).await, all[..5]);
    assert_eq!(world.store.prune_status_events(at(99)).await.unwrap(), 4);
    assert_eq!(world.history(&xqc).await, all[..1]);
    assert_eq!(world.history(&rare).await.len(), 1);
    assert_eq!(world.store.prune_status_events(at(99)).await.unwrap(), 0);
    world.agree().await;
}
