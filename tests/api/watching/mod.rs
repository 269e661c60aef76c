//! Watching streamers: status changes, gaps, suspicions, names, new and deleted rows.

mod world;

use std::time::Duration;

use streamward::app::streamer::StreamerDraft;
use streamward::domain::access::{Actor, Scope};
use streamward::domain::streamer::feed::FeedState;
use streamward::domain::streamer::{ChannelId, Session, Status, UserId};
use streamward::ports::{Change, Clock as _, FeedSignal, Subject};
use tokio::time::sleep;

use world::{World, session};

async fn pass(seconds: u64) {
    sleep(Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn at_the_start_everyone_is_polled() {
    let mut world = World::new();
    let (alice, bob) = (world.person(1).await, world.person(2).await);
    let session = Session { title: Some("hello".into()), ..session(7, world.clock.now()) };
    world.kick.set_live(1, Some(Session { id: None, ..session }));
    world.start().await;
    assert_eq!(world.status(alice).await, Status::Online);
    assert_eq!(world.get(alice).await.track.session.expect("valid").title.as_deref(), Some("hello"));
    assert_eq!(world.status(bob).await, Status::Unknown, "one answer proves nothing");
    pass(10).await;
    assert_eq!(world.status(bob).await, Status::Offline, "the second one does");
    assert!(
        !world.events().await.iter().any(|kind| kind == "streamer.online"),
        "she was live before the start"
    );
}

#[tokio::test(start_paused = true)]
async fn a_status_change_is_in_status_history_and_events() {
    let mut world = World::new();
    let alice = world.person(1).await;
    world.start().await;
    world.goes_live(1, 7).await;
    assert_eq!(world.history(alice).await, [Status::Online]);
    assert_eq!(world.events().await.last().unwrap(), "streamer.online");
    pass(100).await;
    world.stops(1, 7).await;
    assert_eq!(world.history(alice).await, [Status::Online, Status::Offline]);
    assert_eq!(world.events().await.last().unwrap(), "streamer.updated", "not announced yet");
    pass(20).await;
    assert_eq!(world.events().await.last().unwrap(), "streamer.offline");
}

#[tokio::test(start_paused = true)]
async fn a_flap_is_recorded_and_announced_once() {
    let mut world = World::new();
    let alice = world.person(1).await;
    world.start().await;
    for livestream in 1..=5 {
        world.goes_live(1, livestream).await;
        pass(5).await;
        world.stops(1, livestream).await;
        pass(5).await;
    }
    pass(20).await;
    assert_eq!(world.history(alice).await.len(), 10);
    let announced: Vec<String> =
        world.events().await.into_iter().filter(|kind| *kind != "streamer.updated").collect();
    assert_eq!(announced, ["streamer.online", "streamer.offline"]);
}

#[tokio::test(start_paused = true)]
async fn a_gap_is_closed_after_every_subscription() {
    let mut world = World::new();
    let alice = world.person(1).await;
    world.start().await;
    pass(10).await;
    assert_eq!(world.status(alice).await, Status::Offline);
    // Went live before the subscription.
    world.kick.set_live(1, Some(Session { id: None, ..session(7, world.clock.now()) }));
    world
        .feed
        .send(FeedSignal::Subscribed(vec![Subject::Channel(ChannelId::new(1_001).expect("valid"))]))
        .await;
    pass(1).await;
    assert_eq!(world.status(alice).await, Status::Online);
}

#[tokio::test(start_paused = true)]
async fn a_half_false_answer_sets_nobody_offline() {
    let mut world = World::new();
    let mut all = Vec::new();
    for n in 1..=120 {
        all.push(world.person(n).await);
        world.kick.set_live(n, Some(session(n, world.clock.now())));
    }
    world.start().await;
    for id in &all {
        assert_eq!(world.status(*id).await, Status::Online);
    }
    for round in 0..10_u64 {
        *world.kick.overlooked.lock().expect("not poisoned") =
            (1..=120).filter(|n| (n + round / 3) % 2 == 0).collect();
        pass(60).await;
    }
    for id in &all {
        assert_eq!(world.history(*id).await, [Status::Online]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_long_full_poll_does_not_delay_new_or_suspected_streamers() {
    let mut world = World::new();
    let mut all = Vec::new();
    for n in 1..=3_000 {
        all.push(world.person(n).await);
    }
    // A full poll takes 60 requests of a second, as at the limit of 60 a minute.
    *world.kick.takes.lock().expect("not poisoned") = Duration::from_secs(1);
    world.start().await;
    pass(3_000).await;
    world.goes_live(1, 7).await;
    pass(100).await;
    world.kick.set_live(1, None);
    // Until the full poll reaches her, and one more answer.
    pass(140).await;
    assert_eq!(world.status(all[0]).await, Status::Offline);
    let new = world.person(3_001).await;
    world.kick.set_live(3_001, Some(session(8, world.clock.now())));
    pass(5).await;
    assert_eq!(world.status(new).await, Status::Online);
    let polled = world
        .store
        .watch_status(&Scope::system())
        .await
        .expect("a store")
        .expect("a status")
        .last_full_poll_at;
    assert!(world.clock.now().since(polled.expect("a full poll")) < Duration::from_secs(200));
}

#[tokio::test(start_paused = true)]
async fn a_lost_stop_is_found_by_two_answers() {
    let mut world = World::new();
    let alice = world.person(1).await;
    world.start().await;
    world.goes_live(1, 7).await;
    pass(300).await;
    assert_eq!(world.status(alice).await, Status::Online);
    world.kick.set_live(1, None);
    pass(70).await;
    assert_eq!(world.history(alice).await, [Status::Online, Status::Offline]);
    let requests = world.kick.requests.lock().expect("not poisoned").clone();
    assert!(requests.contains(&("channels", 1)), "a suspicion is checked by a small request: {requests:?}");
}

#[tokio::test(start_paused = true)]
async fn nothing_changes_while_kick_is_unreachable() {
    let mut world = World::new();
    let alice = world.person(1).await;
    world.start().await;
    world.goes_live(1, 7).await;
    pass(100).await;
    *world.kick.is_unreachable.lock().expect("not poisoned") = true;
    pass(3_600).await;
    assert_eq!(world.history(alice).await, [Status::Online]);
    let status = world.store.watch_status(&Scope::system()).await.expect("valid").expect("valid");
    assert!(status.poll_error.is_some());
    *world.kick.is_unreachable.lock().expect("not poisoned") = false;
    world.kick.set_live(1, None);
    pass(80).await;
    assert_eq!(world.status(alice).await, Status::Offline);
    assert_eq!(
        world.store.watch_status(&Scope::system()).await.expect("valid").expect("valid").poll_error,
        None
    );
}

#[tokio::test(start_paused = true)]
async fn rows_that_come_and_go_are_noticed() {
    let mut world = World::new();
    world.start().await;
    assert!(world.feed.wanted().channels.is_empty());
    let alice = world.person(1).await;
    pass(1).await;
    assert_eq!(world.feed.wanted().channels.len(), 1, "the feed is updated at once");
    world.kick.set_live(1, Some(session(7, world.clock.now())));
    pass(61).await;
    assert_eq!(world.status(alice).await, Status::Online);
    let pause = StreamerDraft { is_active: Some(false), ..StreamerDraft::default() };
    world.streamers.update(&Actor::cli("test"), alice, pause).await.expect("valid");
    pass(1).await;
    assert!(world.feed.wanted().channels.is_empty());
    world.stops(1, 7).await;
    assert_eq!(world.status(alice).await, Status::Online, "she is not watched any more");
}

#[tokio::test(start_paused = true)]
async fn a_deleted_streamer_is_forgotten() {
    let mut world = World::new();
    let alice = world.person(1).await;
    world.start().await;
    world.streamers.delete(&Actor::cli("test"), alice).await.expect("valid");
    world.goes_live(1, 7).await;
    pass(100).await;
    assert_eq!(world.store.streamer(&Scope::system(), alice).await.expect("valid"), None);
    assert!(world.feed.wanted().channels.is_empty());
}

#[tokio::test(start_paused = true)]
async fn names_are_resolved_in_batches_and_unknown_ones_are_reported() {
    let mut world = World::new();
    let mut ids = Vec::new();
    for n in 1..=120 {
        world.kick.person(n, &format!("person-{n}"));
        ids.push(world.add(&format!("person_{n}")).await);
    }
    let nobody = world.add("nobody").await;
    world.start().await;
    pass(5).await;
    for (n, id) in (1..).zip(&ids) {
        let streamer = world.get(*id).await;
        assert_eq!(streamer.ids.user.map(UserId::get), Some(n));
        assert_eq!(streamer.username, format!("person-{n}"), "as Kick spells it");
        assert_eq!(streamer.problem, None);
    }
    let problem = world.get(nobody).await.problem.expect("valid");
    assert!(problem.contains("no channel called nobody"), "{problem}");
    let requests =
        world.kick.requests.lock().expect("not poisoned").iter().filter(|(what, _)| *what == "named").count();
    assert!(requests < 10, "{requests} requests for 121 names");
}

#[tokio::test(start_paused = true)]
async fn another_name_on_kick_is_noticed() {
    let mut world = World::new();
    let alice = world.person(1).await;
    world.start().await;
    world.kick.person(1, "alice-renamed");
    world.kick.set_live(1, Some(session(7, world.clock.now())));
    pass(70).await;
    assert_eq!(world.get(alice).await.username, "alice-renamed");
    assert_eq!(world.status(alice).await, Status::Online);
}

#[tokio::test(start_paused = true)]
async fn a_channel_number_is_learned_from_a_live_list() {
    let mut world = World::new();
    world.kick.person(1, "alice");
    let alice = world.add("alice").await;
    world.start().await;
    pass(5).await;
    assert_eq!(world.get(alice).await.ids.channel, None);
    world.kick.set_live(1, Some(session(7, world.clock.now())));
    pass(70).await;
    assert_eq!(world.get(alice).await.ids.channel.map(ChannelId::get), Some(1_001));
    assert!(world.feed.wanted().channels.contains(&ChannelId::new(1_001).expect("valid")));
}

#[tokio::test(start_paused = true)]
async fn a_name_written_by_another_program_may_be_malformed() {
    let mut world = World::new();
    let alice = world.person(1).await;
    let mut odd = world.get(alice).await;
    odd.id = streamward::domain::StreamerId(uuid::Uuid::from_u128(9));
    odd.username = "not a name!".into();
    odd.ids = Default::default();
    let entry = streamward::domain::audit::AuditEntry::of(
        streamward::domain::AuditId(uuid::Uuid::from_u128(9)),
        world.clock.now(),
        &Actor::cli("test"),
        "create",
        "streamer",
    );
    world.store.create_streamer(&odd, Change::new(&Scope::system(), &entry)).await.expect("valid");
    world.start().await;
    pass(2).await;
    assert!(world.get(odd.id).await.problem.expect("valid").contains("kick.com/<name>"));
    world.goes_live(1, 7).await;
    assert_eq!(world.status(alice).await, Status::Online, "nobody else suffers for it");
}

#[tokio::test(start_paused = true)]
async fn after_a_restart_status_and_history_agree() {
    let mut world = World::new();
    let alice = world.person(1).await;
    world.start().await;
    world.goes_live(1, 7).await;
    // Stopped while the watcher was down.
    world.kick.set_live(1, None);
    pass(60).await;
    world.restart().await;
    pass(10).await;
    assert_eq!(world.history(alice).await, [Status::Online, Status::Offline]);
    // The stop arrives late from another source.
    world.stops(1, 7).await;
    assert_eq!(world.history(alice).await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_state_of_watching_is_stored() {
    let mut world = World::new();
    world.person(1).await;
    world.start().await;
    let feed = streamward::domain::streamer::feed::FeedStatus {
        state: FeedState::Rejected,
        error: Some("4001".into()),
        ..Default::default()
    };
    world.feed.send(FeedSignal::Status(feed.clone())).await;
    pass(3).await;
    let status = world.store.watch_status(&Scope::system()).await.expect("valid").expect("valid");
    assert_eq!((status.feed, status.watched), (feed, 1));
    pass(60).await;
    let later = world.store.watch_status(&Scope::system()).await.expect("valid").expect("valid");
    assert!(later.at.since(status.at) >= Duration::from_secs(30), "a sign of life now and then");
}

#[tokio::test(start_paused = true)]
async fn a_user_refused_by_kick_does_not_affect_the_others() {
    let mut world = World::new();
    let mut all = Vec::new();
    for n in 1..=200 {
        all.push(world.person(n).await);
        world.kick.set_live(n, Some(session(n, world.clock.now())));
    }
    world.kick.refused.lock().expect("not poisoned").insert(7);
    world.start().await;
    pass(5).await;
    for (n, id) in (1..).zip(&all) {
        let expected = if n == 7 { Status::Unknown } else { Status::Online };
        assert_eq!(world.status(*id).await, expected, "{n}");
    }
    let status = world.store.watch_status(&Scope::system()).await.expect("valid").expect("valid");
    assert!(status.last_full_poll_at.is_some(), "the full poll has ended");
    // Its number is corrected.
    let draft = StreamerDraft { user_id: Some(201), ..StreamerDraft::default() };
    world.kick.person(201, "person-7");
    world.kick.set_live(201, Some(session(201, world.clock.now())));
    world.streamers.update(&Actor::cli("test"), all[6], draft).await.expect("changed");
    pass(5).await;
    assert_eq!(world.status(all[6]).await, Status::Online);
}

#[tokio::test(start_paused = true)]
async fn if_kick_refuses_everything_polls_slow_down_and_include_everyone() {
    let mut world = World::new();
    let mut all = Vec::new();
    for n in 1..=200 {
        all.push(world.person(n).await);
        world.kick.set_live(n, Some(session(n, world.clock.now())));
        world.kick.refused.lock().expect("not poisoned").insert(n);
    }
    world.start().await;
    pass(600).await;
    let requests = world.kick.requests.lock().expect("not poisoned").len();
    assert!(requests < 250, "{requests}");
    world.kick.refused.lock().expect("not poisoned").clear();
    pass(130).await;
    for id in &all {
        assert_eq!(world.status(*id).await, Status::Online);
    }
}

#[tokio::test(start_paused = true)]
async fn new_rows_and_suspicions_do_not_wait_for_the_end_of_a_full_poll() {
    let mut world = World::new();
    for n in 1..=1_500 {
        world.person(n).await;
    }
    let alice = world.person(2_000).await;
    *world.kick.takes.lock().expect("not poisoned") = Duration::from_secs(3);
    world.start().await;
    world.goes_live(2_000, 7).await;
    pass(20).await;
    let bob = world.person(3_000).await;
    world.kick.set_live(3_000, Some(session(9, world.clock.now())));
    pass(12).await;
    assert_eq!(world.status(bob).await, Status::Online);
    assert_eq!(world.status(alice).await, Status::Online);
    let status = world.store.watch_status(&Scope::system()).await.expect("valid").expect("valid");
    assert_eq!(status.last_full_poll_at, None, "the full poll still runs");
}
