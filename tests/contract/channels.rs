//! Channels.

use futures_util::future::join_all;
use rstest_reuse::apply;
use streamward::domain::access::Scope;
use streamward::domain::broadcaster::DisplayName;
use streamward::domain::channel::{
    Backup, ChannelPatch, ClipId, Day, DecisionKind, FailoverPatch, Hold, Mode, Playlist, PlaylistChange,
    Slot,
};
use streamward::domain::page::Page;
use streamward::domain::stream::EndReason;
use streamward::ports::{ChannelWrite, KeyFilter, ReportedProgrammes};

use crate::channel_fixture::{creation, decision, live_key, name, owner, rehearsal, status, unknown};
use crate::every_store;
use crate::fixture::{Engine, at, audit, by, connection, request, start};

const ALL: &Scope = &Scope::system();

#[apply(every_store)]
#[tokio::test]
async fn create_stores_the_channel_its_broadcaster_its_keys_and_their_events(#[case] engine: Engine) {
    let world = engine.world().await;
    let made = creation("Classroom", at(3));
    assert_eq!(world.create_channel(&made).await, ChannelWrite::Done(()));
    let channel = made.channel.clone();
    assert_eq!(world.store.channel(ALL, channel.id).await.unwrap(), Some(channel.clone()));
    assert_eq!(
        world.store.broadcaster(ALL, made.broadcaster.id).await.unwrap(),
        Some(made.broadcaster.clone())
    );
    for (key, hash) in &made.keys {
        assert_eq!(world.store.stream_key(ALL, key.id).await.unwrap().as_ref(), Some(key));
        assert!(world.hashes().await.contains(hash));
    }
    let stored = world.store.programme(channel.id).await.unwrap().unwrap();
    assert_eq!(stored.sealed_programme_key, "sealed Classroom");
    let expected = [
        ("broadcaster.created", owner(&channel).0),
        ("stream_key.created", made.keys[0].0.id.0),
        ("stream_key.created", made.keys[1].0.id.0),
        ("channel.created", channel.id.0),
    ];
    assert_eq!(world.events().await, expected);
    assert_eq!(world.audited().await, ["create"]);
}

#[apply(every_store)]
#[tokio::test]
async fn create_refuses_a_name_that_another_channel_has_and_stores_nothing(#[case] engine: Engine) {
    let world = engine.world().await;
    world.channel("Classroom").await;
    let before = world.events().await;
    let mut second = creation("Other", at(1));
    second.channel.name = name("Classroom");
    assert_eq!(world.create_channel(&second).await, ChannelWrite::NameTaken);
    assert_eq!(world.store.channel(ALL, second.channel.id).await.unwrap(), None);
    assert_eq!(world.store.broadcaster(ALL, second.broadcaster.id).await.unwrap(), None);
    assert_eq!(world.store.stream_key(ALL, second.keys[0].0.id).await.unwrap(), None);
    assert_eq!((world.events().await, world.audited().await.len()), (before, 1));
}

#[apply(every_store)]
#[tokio::test]
async fn create_refuses_a_path_that_another_usable_key_has_and_stores_nothing(#[case] engine: Engine) {
    let world = engine.world().await;
    let (key, _) = world.key("live/Classroom/live").await;
    let before = world.events().await;
    let made = creation("Classroom", at(1));
    assert_eq!(world.create_channel(&made).await, ChannelWrite::PathTaken(key.path.clone()));
    assert_eq!(world.store.channel(ALL, made.channel.id).await.unwrap(), None);
    assert_eq!(world.store.broadcaster(ALL, made.broadcaster.id).await.unwrap(), None);
    assert_eq!(world.events().await, before);
    world.store.revoke_stream_key(key.id, by(&audit("revoke", at(2)))).await.unwrap();
    assert_eq!(world.create_channel(&made).await, ChannelWrite::Done(()));
}

#[apply(every_store)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_simultaneous_creations_of_one_channel_one_succeeds(#[case] engine: Engine) {
    let world = engine.world().await;
    let create =
        || async { world.create_channel(&creation("Classroom", at(0))).await == ChannelWrite::Done(()) };
    let created = join_all((0..8).map(|_| create())).await;
    assert_eq!(created.into_iter().filter(|created| *created).count(), 1);
    assert_eq!(world.store.channels(ALL, &Page::default()).await.unwrap().len(), 1);
    assert_eq!(world.store.stream_keys(ALL, &KeyFilter::default(), &Page::default()).await.unwrap().len(), 2);
}

#[apply(every_store)]
#[tokio::test]
async fn a_channel_is_found_by_its_name_and_by_what_was_made_for_it(#[case] engine: Engine) {
    let world = engine.world().await;
    let mut made = creation("Classroom", at(0));
    made.channel.inputs.backup = Backup::Stream(made.keys[0].0.id);
    world.create_channel(&made).await;
    world.channel("Other").await;
    let channel = Some(made.channel);
    assert_eq!(world.store.channel_named(ALL, &name("Classroom")).await.unwrap(), channel);
    assert_eq!(world.store.channel_named(ALL, &name("classroom")).await.unwrap(), None);
    for id in [made.broadcaster.id.0, made.keys[0].0.id.0, made.keys[1].0.id.0] {
        assert_eq!(world.store.channel_of(ALL, id).await.unwrap(), channel);
    }
    assert_eq!(world.store.channel_of(ALL, unknown().0).await.unwrap(), None);
    assert_eq!(world.store.channel(ALL, unknown()).await.unwrap(), None);
}

#[apply(every_store)]
#[tokio::test]
async fn channels_are_listed_newest_first_in_pages(#[case] engine: Engine) {
    let world = engine.world().await;
    let a = world.channel_at("a", at(5)).await;
    let b = world.channel_at("b", at(9)).await;
    let c = world.channel_at("c", at(1)).await;
    assert_eq!(world.store.channels(ALL, &Page::default()).await.unwrap(), [b.clone(), a.clone(), c.clone()]);
    assert_eq!(world.store.channels(ALL, &Page::first(2)).await.unwrap(), [b, a.clone()]);
    let after = Some(streamward::domain::page::Placed::place(&a));
    assert_eq!(world.store.channels(ALL, &Page { limit: None, after }).await.unwrap(), [c]);
}

#[apply(every_store)]
#[tokio::test]
async fn update_changes_what_the_patch_names_and_nothing_else(#[case] engine: Engine) {
    let world = engine.world().await;
    let (channel, other) = (world.channel("Classroom").await, world.channel("Other").await);
    let clip = world.clip("intro.mp4", at(0)).await.id;
    let (from, to) = ("22:00".parse().unwrap(), "06:30".parse().unwrap());
    let (days, time_zone) = (vec![Day::Sat, Day::Sun], "Asia/Kolkata".parse().unwrap());
    let slot = Slot { clips: vec![clip, clip], from, to, days, time_zone };
    let playlist = Playlist { clips: vec![clip], schedule: vec![slot], change: PlaylistChange::AtOnce };
    let patch = ChannelPatch {
        name: Some(name("Temple")),
        display_name: DisplayName::parse("Temple").ok(),
        enabled: Some(false),
        playlist: Some(playlist.clone()),
        failover: FailoverPatch { stall_ms: Some(900), ..FailoverPatch::default() },
        ..ChannelPatch::default()
    };
    let updated = world.store.update_channel(channel.id, &patch, by(&audit("update", at(7)))).await.unwrap();
    let expected = channel.clone().patched(&patch, at(7));
    assert_eq!(expected.inputs.backup, Backup::Playlist(playlist));
    assert_eq!(updated, ChannelWrite::Done(expected.clone()));
    assert_eq!(world.store.channel(ALL, channel.id).await.unwrap(), Some(expected));
    assert_eq!(world.store.channel(ALL, other.id).await.unwrap(), Some(other.clone()));
    let stored = world.store.programme(channel.id).await.unwrap().unwrap();
    assert_eq!(stored.sealed_programme_key, "sealed Classroom");
    assert_eq!(world.events().await.last(), Some(&("channel.updated", channel.id.0)));
    assert_eq!(world.audited().await[0], "update");

    let before = world.events().await;
    let taken = ChannelPatch { name: Some(name("Other")), ..ChannelPatch::default() };
    let entry = audit("taken", at(8));
    assert_eq!(
        world.store.update_channel(channel.id, &taken, by(&entry)).await.unwrap(),
        ChannelWrite::NameTaken
    );
    assert_eq!(
        world.store.update_channel(unknown(), &patch, by(&entry)).await.unwrap(),
        ChannelWrite::NotFound
    );
    assert_eq!(world.events().await, before);
    assert_eq!(world.audited().await[0], "update");
}

#[apply(every_store)]
#[tokio::test]
async fn clips_in_playlists_are_found_with_their_channels(#[case] engine: Engine) {
    let world = engine.world().await;
    let (a, b) = (world.channel("a").await, world.channel("b").await);
    let one = world.clip("one", at(0)).await.id;
    let (two, unused) = (world.clip("two", at(0)).await.id, world.clip("unused", at(0)).await.id);
    world.play(&a, &[one, two, one]).await;
    world.play(&b, &[one]).await;
    let uses = async |clips: &[ClipId]| world.store.clip_uses(ALL, clips).await.unwrap();
    let mut expected = vec![(one, a.id), (one, b.id)];
    expected.sort_by_key(|(clip, channel)| (*channel, *clip));
    assert_eq!(uses(&[one, unused]).await, expected);
    assert_eq!(uses(&[two]).await, [(two, a.id)]);
    assert_eq!(uses(&[unused]).await, []);
}

#[apply(every_store)]
#[tokio::test]
async fn set_hold_replaces_the_hold_with_an_event(#[case] engine: Engine) {
    let world = engine.world().await;
    let channel = world.channel("Classroom").await;
    let hold =
        Hold { mode: Mode::HoldBackup, expires_at: Some(at(60)), reason: Some("camera \"moves\"".into()) };
    let held = world.store.set_hold(channel.id, &hold, by(&audit("mode", at(7)))).await.unwrap().unwrap();
    assert_eq!((&held.hold, held.updated_at, held.enabled), (&hold, at(7), true));
    assert_eq!(world.store.channel(ALL, channel.id).await.unwrap(), Some(held));
    assert_eq!(world.events().await.last(), Some(&("channel.updated", channel.id.0)));
    assert_eq!(world.audited().await[0], "mode");
    assert_eq!(world.store.set_hold(unknown(), &hold, by(&audit("x", at(8)))).await.unwrap(), None);
    assert_eq!(world.audited().await[0], "mode");
}

#[apply(every_store)]
#[tokio::test]
async fn delete_removes_the_channel_and_all_that_belongs_to_it_and_marks_its_streams(#[case] engine: Engine) {
    let world = engine.world().await;
    let (made, other) = (creation("Classroom", at(0)), world.channel("Other").await);
    world.create_channel(&made).await;
    let channel = made.channel.clone();
    let one = world.destination(channel.id, "YouTube", at(1)).await;
    let kept = world.destination(other.id, "YouTube", at(1)).await;
    let rehearsed = rehearsal(channel.id, at(1));
    world.store.create_rehearsal(&rehearsed, by(&audit("rehearse", at(1)))).await.unwrap();
    let reported = ReportedProgrammes {
        statuses: vec![(channel.id, status(at(2)))],
        decisions: vec![decision(channel.id, DecisionKind::Cut, at(2))],
        changes: vec![],
    };
    world.store.record_programmes(&reported, at(2)).await.unwrap();
    world.claim(&made.keys[0].1, &request("c1"), at(3)).await;
    let changes = streamward::domain::reconcile::Changes {
        started: vec![start(live_key(&channel), connection("default", "c1"))],
        ..Default::default()
    };
    let stream = world.apply("default", &changes, at(4)).await.started.remove(0);

    let deleted = world.store.delete_channel(channel.id, by(&audit("delete", at(9)))).await.unwrap();
    assert_eq!(deleted, Some(vec![stream.end_requested(EndReason::BroadcasterDeleted).unwrap()]));
    assert_eq!(world.store.channel(ALL, channel.id).await.unwrap(), None);
    assert!(world.store.programme(channel.id).await.unwrap().is_none());
    assert_eq!(world.store.broadcaster(ALL, made.broadcaster.id).await.unwrap(), None);
    assert!(world.hashes().await.iter().all(|hash| made.keys.iter().all(|(_, other)| other != hash)));
    assert_eq!(world.store.destination(ALL, channel.id, one.id).await.unwrap(), None);
    assert_eq!(world.store.decisions(ALL, channel.id, &Page::default()).await.unwrap(), []);
    assert_eq!(world.store.channel_status(ALL, channel.id).await.unwrap(), None);
    assert_eq!(world.store.rehearsal(ALL, channel.id, rehearsed.id).await.unwrap(), None);
    assert_eq!(world.store.destination(ALL, other.id, kept.id).await.unwrap(), Some(kept));
    let last = world.events().await.split_off(world.events().await.len() - 2);
    assert_eq!(last, [("channel.deleted", channel.id.0), ("broadcaster.deleted", owner(&channel).0)]);
    assert_eq!(world.audited().await[0], "delete");

    let before = world.events().await;
    assert_eq!(world.store.delete_channel(channel.id, by(&audit("again", at(10)))).await.unwrap(), None);
    assert_eq!((world.events().await, world.audited().await[0].as_str()), (before, "delete"));
}
