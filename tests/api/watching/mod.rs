//! Watching streamers: edges, gaps, doubts, names, and rows that come and go.

mod world;

use std::time::Duration;

use streamward::app::streamer::StreamerDraft;
use streamward::domain::access::{Actor, Scope};
use streamward::domain::streamer::feed::FeedState;
use streamward::domain::streamer::{ChannelId, Session, Status, UserId};
use streamward::ports::{Clock as _, FeedSignal, Subject};
use tokio::time::sleep;

use world::{World, session};

async fn pass(seconds: u64) {
    sleep(Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn at_the_start_everyone_is_asked_about() {
    let mut world = World::new();
    let (alice, bob) = (world.person(1).await, world.person(2).await);
    let session = Session { title: Some("hello".into()), ..session(7, world.clock.now()) };
    world.kick.set_live(1, Some(Session { id: None, ..session }));
    world.start().await;
    assert_eq!(world.status(alice).await, Status::Online);
    assert_eq!(
        world.get(alice).await.track.session.expect("as it should be").title.as_deref(),
        Some("hello")
    );
    assert_eq!(world.status(bob).await, Status::Unknown, "one answer proves nothing");
    pass(10).await;
    assert_eq!(world.status(bob).await, Status::Offline, "the second one does");
    assert!(
        !world.news().await.iter().any(|kind| kind == "streamer.online"),
        "she was live before we looked"
    );
}

#[tokio::test(start_paused = true)]
async fn an_edge_is_status_history_and_news() {
    let mut world = World::new();
    let alice = world.person(1).await;
    world.start().await;
    world.goes_live(1, 7).await;
    assert_eq!(world.history(alice).await, [Status::Online]);
    assert_eq!(world.news().await.last().unwrap(), "streamer.online");
    pass(100).await;
    world.stops(1, 7).await;
    assert_eq!(world.history(alice).await, [Status::Online, Status::Offline]);
    assert_eq!(world.news().await.last().unwrap(), "streamer.updated", "not announced yet");
    pass(20).await;
    assert_eq!(world.news().await.last().unwrap(), "streamer.offline");
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
        world.news().await.into_iter().filter(|kind| *kind != "streamer.updated").collect();
    assert_eq!(announced, ["streamer.online", "streamer.offline"]);
}

#[tokio::test(start_paused = true)]
async fn a_gap_is_closed_after_every_subscription() {
    let mut world = World::new();
    let alice = world.person(1).await;
    world.start().await;
    pass(10).await;
    assert_eq!(world.status(alice).await, Status::Offline);
    // Went live while nobody listened.
    world.kick.set_live(1, Some(Session { id: None, ..session(7, world.clock.now()) }));
    world
        .feed
        .say(FeedSignal::Subscribed(vec![Subject::Channel(ChannelId::new(1_001).expect("as it should be"))]))
        .await;
    pass(1).await;
    assert_eq!(world.status(alice).await, Status::Online);
}

#[tokio::test(start_paused = true)]
async fn nobody_goes_offline_by_an_answer_that_is_half_false() {
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
async fn a_long_sweep_keeps_nobody_waiting_who_is_new_or_in_doubt() {
    let mut world = World::new();
    let mut all = Vec::new();
    for n in 1..=3_000 {
        all.push(world.person(n).await);
    }
    // 60 questions for everyone, a second each, as at the limit of 60 a minute.
    *world.kick.takes.lock().expect("not poisoned") = Duration::from_secs(1);
    world.start().await;
    pass(3_000).await;
    world.goes_live(1, 7).await;
    pass(100).await;
    world.kick.set_live(1, None);
    // Until the sweep comes by her, and one more answer.
    pass(140).await;
    assert_eq!(world.status(all[0]).await, Status::Offline);
    let new = world.person(3_001).await;
    world.kick.set_live(3_001, Some(session(8, world.clock.now())));
    pass(5).await;
    assert_eq!(world.status(new).await, Status::Online);
    let swept = world
        .store
        .watch_status(&Scope::system())
        .await
        .expect("a store")
        .expect("a status")
        .last_full_poll_at;
    assert!(world.clock.now().since(swept.expect("a sweep")) < Duration::from_secs(200));
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
    let asked = world.kick.asked.lock().expect("not poisoned").clone();
    assert!(asked.contains(&("channels", 1)), "a doubt is settled by a small question: {asked:?}");
}

#[tokio::test(start_paused = true)]
async fn nothing_changes_while_kick_is_away() {
    let mut world = World::new();
    let alice = world.person(1).await;
    world.start().await;
    world.goes_live(1, 7).await;
    pass(100).await;
    *world.kick.is_away.lock().expect("not poisoned") = true;
    pass(3_600).await;
    assert_eq!(world.history(alice).await, [Status::Online]);
    let status =
        world.store.watch_status(&Scope::system()).await.expect("as it should be").expect("as it should be");
    assert!(status.poll_error.is_some());
    *world.kick.is_away.lock().expect("not poisoned") = false;
    world.kick.set_live(1, None);
    pass(80).await;
    assert_eq!(world.status(alice).await, Status::Offline);
    assert_eq!(
        world
            .store
            .watch_status(&Scope::system())
            .await
            .expect("as it should be")
            .expect("as it should be")
            .poll_error,
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
    assert_eq!(world.feed.wanted().channels.len(), 1, "told at once");
    world.kick.set_live(1, Some(session(7, world.clock.now())));
    pass(61).await;
    assert_eq!(world.status(alice).await, Status::Online);
    let pause = StreamerDraft { is_active: Some(false), ..StreamerDraft::default() };
    world.streamers.update(&Actor::cli("test"), alice, pause).await.expect("as it should be");
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
    world.streamers.delete(&Actor::cli("test"), alice).await.expect("as it should be");
    world.goes_live(1, 7).await;
    pass(100).await;
    assert_eq!(world.store.streamer(&Scope::system(), alice).await.expect("as it should be"), None);
    assert!(world.feed.wanted().channels.is_empty());
}

#[tokio::test(start_paused = true)]
async fn names_are_looked_up_together_and_the_unknown_are_told_of() {
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
    let problem = world.get(nobody).await.problem.expect("as it should be");
    assert!(problem.contains("no channel called nobody"), "{problem}");
    let questions =
        world.kick.asked.lock().expect("not poisoned").iter().filter(|(what, _)| *what == "named").count();
    assert!(questions < 10, "{questions} questions for 121 names");
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
    assert!(world.feed.wanted().channels.contains(&ChannelId::new(1_001).expect("as it should be")));
}

#[tokio::test(start_paused = true)]
async fn a_name_that_another_program_wrote_may_be_anything() {
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
    world.store.create_streamer(&Scope::system(), &odd, &entry).await.expect("as it should be");
    world.start().await;
    pass(2).await;
    assert!(world.get(odd.id).await.problem.expect("as it should be").contains("kick.com/<name>"));
    world.goes_live(1, 7).await;
    assert_eq!(world.status(alice).await, Status::Online, "nobody else suffers for it");
}

#[tokio::test(start_paused = true)]
async fn after_a_restart_status_and_history_agree() {
    let mut world = World::new();
    let alice = world.person(1).await;
    world.start().await;
    world.goes_live(1, 7).await;
    // Stopped while we were down.
    world.kick.set_live(1, None);
    pass(60).await;
    world.restart().await;
    pass(10).await;
    assert_eq!(world.history(alice).await, [Status::Online, Status::Offline]);
    // The stop arrives late, by another way.
    world.stops(1, 7).await;
    assert_eq!(world.history(alice).await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn how_watching_is_doing_is_written_down() {
    let mut world = World::new();
    world.person(1).await;
    world.start().await;
    let feed = streamward::domain::streamer::feed::FeedStatus {
        state: FeedState::Rejected,
        error: Some("4001".into()),
        ..Default::default()
    };
    world.feed.say(FeedSignal::Status(feed.clone())).await;
    pass(3).await;
    let status =
        world.store.watch_status(&Scope::system()).await.expect("as it should be").expect("as it should be");
    assert_eq!((status.feed, status.watched), (feed, 1));
    pass(60).await;
    let later =
        world.store.watch_status(&Scope::system()).await.expect("as it should be").expect("as it should be");
    assert!(later.at.since(status.at) >= Duration::from_secs(30), "a sign of life now and then");
}

#[tokio::test(start_paused = true)]
async fn nobody_suffers_for_a_user_whom_kick_refuses_to_be_asked_about() {
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
    let status =
        world.store.watch_status(&Scope::system()).await.expect("as it should be").expect("as it should be");
    assert!(status.last_full_poll_at.is_some(), "the sweep came to its end");
    // Its number is corrected.
    let draft = StreamerDraft { user_id: Some(201), ..StreamerDraft::default() };
    world.kick.person(201, "person-7");
    world.kick.set_live(201, Some(session(201, world.clock.now())));
    world.streamers.update(&Actor::cli("test"), all[6], draft).await.expect("changed");
    pass(5).await;
    assert_eq!(world.status(all[6]).await, Status::Online);
}

#[tokio::test(start_paused = true)]
async fn a_kick_that_refuses_everything_is_not_hammered_and_nobody_is_given_up() {
    let mut world = World::new();
    let mut all = Vec::new();
    for n in 1..=200 {
        all.push(world.person(n).await);
        world.kick.set_live(n, Some(session(n, world.clock.now())));
        world.kick.refused.lock().expect("not poisoned").insert(n);
    }
    world.start().await;
    pass(600).await;
    let asked = world.kick.asked.lock().expect("not poisoned").len();
    assert!(asked < 250, "{asked}");
    world.kick.refused.lock().expect("not poisoned").clear();
    pass(130).await;
    for id in &all {
        assert_eq!(world.status(*id).await, Status::Online);
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_row_and_a_doubt_need_not_wait_for_the_end_of_a_sweep() {
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
    let status =
        world.store.watch_status(&Scope::system()).await.expect("as it should be").expect("as it should be");
    assert_eq!(status.last_full_poll_at, None, "the sweep still goes on");
}
