//! Streamers: create, list, update, delete.

use futures_util::future::join_all;
use rstest_reuse::apply;
use streamward::domain::access::Scope;
use streamward::domain::page::Page;
use streamward::domain::streamer::feed::{FeedState, FeedStatus, WatchStatus};
use streamward::domain::streamer::{ChannelId, KickIds, Status, Streamer, StreamerPatch, Track, UserId};
use streamward::ports::{StreamerFilter, Written};

use crate::every_store;
use crate::fixture::{Engine, at, audit, by};
use crate::streamer_fixture::{slug, started, stopped, streamer, streamer_event};

#[apply(every_store)]
#[tokio::test]
async fn create_stores_the_streamer_an_event_and_the_audit_entry(#[case] engine: Engine) {
    let world = engine.world().await;
    let ids = KickIds { user: UserId::new(7).ok(), ..KickIds::default() };
    let display_name = Some("X \"q\" ć".to_owned());
    let xqc = Streamer { ids, display_name, is_active: false, ..streamer("xqc", at(3)) };
    assert_eq!(
        world.store.create_streamer(&xqc, by(&audit("create", at(3)))).await.unwrap(),
        Written::Done(())
    );
    assert_eq!(world.store.streamer(&Scope::system(), xqc.id).await.unwrap(), Some(xqc.clone()));
    let log = world.log().await;
    assert_eq!((log.len(), log[0].at, log[0].kind.as_str()), (1, at(3), "streamer.created"));
    assert_eq!(streamer_event(&log[0]).streamer, xqc);
    assert_eq!(world.audited().await, ["create"]);
}

#[apply(every_store)]
#[tokio::test]
async fn create_stores_none_of_them_if_another_one_has_the_name_in_any_case(#[case] engine: Engine) {
    let world = engine.world().await;
    let first = Streamer { username: "xQc".into(), ..streamer("xqc", at(0)) };
    world.store.create_streamer(&first, by(&audit("create", at(0)))).await.unwrap();
    let second = Streamer { username: "XqC".into(), ..streamer("xqc", at(1)) };
    let created = world.store.create_streamer(&second, by(&audit("again", at(1)))).await.unwrap();
    assert_eq!(created, Written::NameTaken);
    assert_eq!(world.store.streamer(&Scope::system(), second.id).await.unwrap(), None);
    assert_eq!(world.events().await, [("streamer.created", first.id.0)]);
    assert_eq!(world.audited().await, ["create"]);
}

#[apply(every_store)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_simultaneous_creations_of_one_name_one_succeeds(#[case] engine: Engine) {
    let world = engine.world().await;
    let create = || async {
        let one = streamer("xqc", at(0));
        world.store.create_streamer(&one, by(&audit("create", at(0)))).await.unwrap() == Written::Done(())
    };
    let created = join_all((0..10).map(|_| create())).await;
    assert_eq!(created.into_iter().filter(|created| *created).count(), 1);
    assert_eq!(world.events().await.len(), 1);
}

#[apply(every_store)]
#[tokio::test]
async fn an_unknown_streamer_is_none(#[case] engine: Engine) {
    let world = engine.world().await;
    let nobody = streamer("nobody", at(0)).id;
    assert_eq!(world.store.streamer(&Scope::system(), nobody).await.unwrap(), None);
    assert_eq!(world.store.status_events(&Scope::system(), nobody, None, 10).await.unwrap(), None);
}

#[apply(every_store)]
#[tokio::test]
async fn all_that_pass_the_filter_by_name_in_lower_case(#[case] engine: Engine) {
    let world = engine.world().await;
    // '_' comes between capitals and small letters, '-' before both, 'ä' after all.
    for name in ["b", "A", "a_", "a-b", "C", "Ab", "ä", "a0"] {
        let one = Streamer { username: name.to_owned(), ..streamer("x", at(0)) };
        world.store.create_streamer(&one, by(&audit("create", at(0)))).await.unwrap();
    }
    let all = StreamerFilter::default();
    assert_eq!(world.names(&all).await, ["A", "a-b", "a0", "a_", "Ab", "b", "C", "ä"]);
    let named = |name: &str| StreamerFilter { username: Some(name.to_owned()), ..StreamerFilter::default() };
    assert_eq!(world.names(&named("aB")).await, ["Ab"]);
    assert_eq!(world.names(&named("Ä")).await, [""; 0], "only what can be in a name has two cases");
    assert_eq!(world.names(&named("nobody")).await, [""; 0]);

    let of = async |name: &str| {
        world.store.streamers(&Scope::system(), &named(name), &Page::default()).await.unwrap().remove(0)
    };
    let (a, b, c) = (of("a").await, of("b").await, of("c").await);
    let paused = StreamerPatch { is_active: Some(false), ..StreamerPatch::default() };
    world.store.update_streamer(c.id, &paused, by(&audit("update", at(1)))).await.unwrap();
    world.record_one(started(&a, 1, at(2))).await;
    world.record_one(stopped(&b, 1, at(2))).await;
    let status = |status| StreamerFilter { status: Some(status), ..StreamerFilter::default() };
    assert_eq!(world.names(&status(Status::Online)).await, ["A"]);
    assert_eq!(world.names(&status(Status::Offline)).await, ["b"]);
    assert_eq!(world.names(&status(Status::Unknown)).await, ["a-b", "a0", "a_", "Ab", "C", "ä"]);
    let watched = |is_active| StreamerFilter { is_active: Some(is_active), ..StreamerFilter::default() };
    assert_eq!(world.names(&watched(false)).await, ["C"]);
    assert_eq!(world.names(&watched(true)).await.len(), 7);
    let all_at_once =
        StreamerFilter { is_active: Some(true), username: Some("A".into()), ..status(Status::Online) };
    assert_eq!(world.names(&all_at_once).await, ["A"]);
    assert_eq!(world.names(&StreamerFilter { status: Some(Status::Offline), ..all_at_once }).await, [""; 0]);
}

#[apply(every_store)]
#[tokio::test]
async fn all_rows_of_a_user_pass_the_filter_for_it(#[case] engine: Engine) {
    let world = engine.world().await;
    let ids = |user| KickIds { user: UserId::new(user).ok(), ..KickIds::default() };
    for (name, user) in [("b", 7), ("a", 7), ("c", 8)] {
        let one = Streamer { ids: ids(user), ..streamer(name, at(0)) };
        world.store.create_streamer(&one, by(&audit("create", at(0)))).await.unwrap();
    }
    world.streamer("nobody").await;
    let of = |user| StreamerFilter { user: UserId::new(user).ok(), ..StreamerFilter::default() };
    assert_eq!(world.names(&of(7)).await, ["a", "b"], "two rows may turn out to be the same one");
    assert_eq!(world.names(&of(9)).await, [""; 0]);
    let named = StreamerFilter { username: Some("B".into()), ..of(7) };
    assert_eq!(world.names(&named).await, ["b"]);
}

#[apply(every_store)]
#[tokio::test]
async fn update_changes_what_the_patch_names_and_nothing_else_with_an_event_and_the_audit_entry(
    #[case] engine: Engine,
) {
    let world = engine.world().await;
    let (xqc, other) = (world.streamer("xqc").await, world.streamer("other").await);
    world.record_one(started(&xqc, 5, at(1))).await;
    let before = world.now(&xqc).await;
    let ids = KickIds { channel: ChannelId::new(668).ok(), ..KickIds::default() };
    let patch = StreamerPatch { ids, display_name: Some("X".into()), ..StreamerPatch::default() };
    let updated = world.store.update_streamer(xqc.id, &patch, by(&audit("update", at(7)))).await.unwrap();
    let expected = Streamer { ids, display_name: Some("X".into()), updated_at: at(7), ..before };
    assert_eq!(updated, Written::Done(expected.clone()));
    assert_eq!(world.now(&xqc).await, expected);
    assert_eq!(world.now(&other).await, other);
    let log = world.log().await;
    let last = log.last().unwrap();
    assert_eq!((last.at, last.kind.as_str()), (at(7), "streamer.updated"));
    assert_eq!(streamer_event(last).streamer, expected);
    assert_eq!(world.audited().await[0], "update");
}

#[apply(every_store)]
#[tokio::test]
async fn update_writes_nothing_at_all_if_the_new_name_is_taken(#[case] engine: Engine) {
    let world = engine.world().await;
    let (xqc, _) = (world.streamer("xqc").await, world.streamer("other").await);
    let patch = StreamerPatch {
        username: Some(slug("OTHER")),
        display_name: Some("X".into()),
        ..StreamerPatch::default()
    };
    let updated = world.store.update_streamer(xqc.id, &patch, by(&audit("update", at(7)))).await.unwrap();
    assert_eq!(updated, Written::NameTaken);
    assert_eq!(world.now(&xqc).await, xqc);
    assert_eq!(world.events().await.len(), 2);
    assert_eq!(world.audited().await, ["create", "create"]);
    // The connection still works, and a streamer may keep its own name.
    let same = StreamerPatch { username: Some(slug("XQC")), ..StreamerPatch::default() };
    let updated = world.store.update_streamer(xqc.id, &same, by(&audit("update", at(8)))).await.unwrap();
    assert_eq!(updated, Written::Done(Streamer { updated_at: at(8), ..xqc }));
}

#[apply(every_store)]
#[tokio::test]
async fn a_new_name_clears_the_status_but_not_the_history(#[case] engine: Engine) {
    let world = engine.world().await;
    let xqc = world.streamer("xqc").await;
    world.record_one(started(&xqc, 5, at(1))).await;
    let ids = KickIds { user: UserId::new(2).ok(), ..KickIds::default() };
    let patch = StreamerPatch { username: Some(slug("newer")), ids, ..StreamerPatch::default() };
    // In the same microsecond as the last change: our write is not recognised by its time.
    world.store.update_streamer(xqc.id, &patch, by(&audit("update", at(0)))).await.unwrap();
    let now = world.now(&xqc).await;
    assert_eq!((now.username.as_str(), now.ids, &now.track), ("newer", ids, &Track::default()));
    assert_eq!(now.updated_at, at(0));
    assert_eq!(world.history(&xqc).await.len(), 1);
    world.streamer("xqc").await;
    world.agree().await;
}

#[apply(every_store)]
#[tokio::test]
async fn update_of_an_unknown_streamer_writes_nothing(#[case] engine: Engine) {
    let world = engine.world().await;
    let nobody = streamer("nobody", at(0)).id;
    let patch = StreamerPatch { is_active: Some(false), ..StreamerPatch::default() };
    let updated = world.store.update_streamer(nobody, &patch, by(&audit("update", at(7)))).await.unwrap();
    assert_eq!(updated, Written::NotFound);
    assert_eq!((world.events().await, world.audited().await), (vec![], vec![]));
}

#[apply(every_store)]
#[tokio::test]
async fn delete_removes_the_streamer_and_its_history_with_an_event_and_the_audit_entry(
    #[case] engine: Engine,
) {
    let world = engine.world().await;
    let (xqc, other) = (world.streamer("xqc").await, world.streamer("other").await);
    world.record_one(started(&xqc, 5, at(1))).await;
    world.record_one(started(&other, 6, at(1))).await;
    assert!(world.store.delete_streamer(xqc.id, by(&audit("delete", at(9)))).await.unwrap());
    assert_eq!(world.store.streamer(&Scope::system(), xqc.id).await.unwrap(), None);
    assert_eq!(world.store.status_events(&Scope::system(), xqc.id, None, 10).await.unwrap(), None);
    assert_eq!(world.history(&other).await.len(), 1);
    assert_eq!(world.logged(&xqc).await.last(), Some(&"streamer.deleted"));
    assert_eq!(world.audited().await[0], "delete");

    let events = world.events().await;
    assert!(!world.store.delete_streamer(xqc.id, by(&audit("again", at(9)))).await.unwrap());
    assert_eq!(world.events().await, events, "it was gone: nothing is written");
    assert_eq!(world.audited().await[0], "delete");
    world.streamer("xqc").await;
}

#[apply(every_store)]
#[tokio::test]
async fn up_to_limit_changes_before_an_event_newest_first(#[case] engine: Engine) {
    let world = engine.world().await;
    let (xqc, other) = (world.streamer("xqc").await, world.streamer("other").await);
    assert_eq!(world.history(&xqc).await, []);
    for round in 0..3 {
        world.record_one(started(&xqc, round + 1, at(10))).await;
        world.record_one(started(&other, round + 1, at(10))).await;
        world.record_one(stopped(&xqc, round + 1, at(20))).await;
    }
    let all = world.history(&xqc).await;
    let statuses: Vec<Status> = all.iter().map(|event| event.change.new_status).collect();
    assert_eq!(statuses, [Status::Offline, Status::Online].repeat(3));
    assert!(all.is_sorted_by_key(|event| -event.seq));
    let page = world.store.status_events(&Scope::system(), xqc.id, Some(all[1].seq), 3).await.unwrap();
    assert_eq!(page.as_deref(), Some(&all[2..5]));
    let end = world.store.status_events(&Scope::system(), xqc.id, Some(all[5].seq), 3).await.unwrap();
    assert_eq!(end, Some(vec![]), "there is nothing before the first");
}

#[apply(every_store)]
#[tokio::test]
async fn the_watch_status_is_the_one_that_was_kept_last(#[case] engine: Engine) {
    let world = engine.world().await;
    assert_eq!(world.store.watch_status(&Scope::system()).await.unwrap(), None);
    let mut status = WatchStatus {
        at: at(1),
        feed: FeedStatus {
            state: FeedState::Degraded,
            error: Some("4001 \"x\"".into()),
            ..FeedStatus::default()
        },
        watched: 10_000,
        unresolved: 3,
        queued: 2,
        last_report_at: Some(at(0)),
        last_full_poll_at: None,
        poll_error: Some("no".into()),
    };
    world.store.keep_watch_status(&status).await.unwrap();
    assert_eq!(world.store.watch_status(&Scope::system()).await.unwrap(), Some(status.clone()));
    status.watched = 1;
    status.at = at(2);
    world.store.keep_watch_status(&status).await.unwrap();
    assert_eq!(world.store.watch_status(&Scope::system()).await.unwrap(), Some(status));
}
