//! What the tasks of channels read and write.

use rstest_reuse::apply;
use streamward::domain::access::Scope;
use streamward::domain::channel::{ChannelPatch, DecisionKind, DestinationPatch, Hold, Mode};
use streamward::domain::event::{ChannelEvent, ChannelEventKind};
use streamward::domain::page::{Page, Placed as _};
use streamward::ports::ReportedProgrammes;

use crate::channel_fixture::{decision, status, unknown};
use crate::every_store;
use crate::fixture::{Engine, at, audit, by};

const ALL: &Scope = &Scope::system();

#[apply(every_store)]
#[tokio::test]
async fn enabled_channels_are_all_that_are_enabled(#[case] engine: Engine) {
    let world = engine.world().await;
    let (a, b) = (world.channel("a").await, world.channel("b").await);
    let off = ChannelPatch { enabled: Some(false), ..ChannelPatch::default() };
    world.store.update_channel(b.id, &off, by(&audit("update", at(1)))).await.unwrap();
    assert_eq!(world.store.enabled_channels().await.unwrap(), [a.id]);
}

#[apply(every_store)]
#[tokio::test]
async fn programme_has_the_enabled_destinations_with_their_keys_oldest_first(#[case] engine: Engine) {
    let world = engine.world().await;
    let channel = world.channel("Classroom").await;
    let [b, a] =
        [world.destination(channel.id, "b", at(2)).await, world.destination(channel.id, "a", at(1)).await];
    let off = world.destination(channel.id, "off", at(3)).await;
    let patch = DestinationPatch { enabled: Some(false), ..DestinationPatch::default() };
    let entry = audit("update", at(4));
    world.store.update_destination(channel.id, off.id, &patch, None, by(&entry)).await.unwrap();
    let stored = world.store.programme(channel.id).await.unwrap().unwrap();
    assert_eq!((stored.channel, stored.rehearsal), (channel, None));
    assert_eq!(stored.destinations, [(a, "sealed a".to_owned()), (b, "sealed b".to_owned())]);
    assert!(world.store.programme(unknown()).await.unwrap().is_none());
}

#[apply(every_store)]
#[tokio::test]
async fn expire_hold_ends_an_expired_hold_once(#[case] engine: Engine) {
    let world = engine.world().await;
    let channel = world.channel("Classroom").await;
    let hold = Hold { mode: Mode::Slate, expires_at: Some(at(60)), reason: None };
    world.store.set_hold(channel.id, &hold, by(&audit("mode", at(7)))).await.unwrap();
    let before = world.events().await.len();
    assert_eq!(world.store.expire_hold(channel.id, at(59)).await.unwrap(), None);
    assert_eq!(world.events().await.len(), before);
    let expired = world.store.expire_hold(channel.id, at(60)).await.unwrap().unwrap();
    assert_eq!((&expired.hold, expired.updated_at), (&Hold::default(), at(60)));
    assert_eq!(world.store.channel(ALL, channel.id).await.unwrap(), Some(expired));
    assert_eq!(world.events().await[before..], [("channel.updated", channel.id.0)]);
    assert_eq!(world.store.expire_hold(channel.id, at(61)).await.unwrap(), None);
    assert_eq!(world.store.expire_hold(unknown(), at(61)).await.unwrap(), None);
    let for_ever = Hold { expires_at: None, ..hold };
    world.store.set_hold(channel.id, &for_ever, by(&audit("mode", at(70)))).await.unwrap();
    assert_eq!(world.store.expire_hold(channel.id, at(1_000)).await.unwrap(), None);
}

#[apply(every_store)]
#[tokio::test]
async fn each_decision_is_stored_once_with_an_event_for_each_cut(#[case] engine: Engine) {
    let world = engine.world().await;
    let channel = world.channel("Classroom").await;
    let [cut, refused, later] = [
        decision(channel.id, DecisionKind::Cut, at(2)),
        decision(channel.id, DecisionKind::Refused, at(3)),
        decision(channel.id, DecisionKind::Cut, at(4)),
    ];
    let before = world.events().await.len();
    let report = async |decisions| {
        let reported = ReportedProgrammes { decisions, ..ReportedProgrammes::default() };
        world.store.record_programmes(&reported, at(5)).await.unwrap();
    };
    report(vec![cut.clone(), refused.clone()]).await;
    report(vec![cut.clone(), later.clone(), decision(unknown(), DecisionKind::Cut, at(4))]).await;
    let all = [later.clone(), refused.clone(), cut.clone()];
    assert_eq!(world.store.decisions(ALL, channel.id, &Page::default()).await.unwrap(), all);
    assert_eq!(world.store.decisions(ALL, channel.id, &Page::first(1)).await.unwrap(), all[..1]);
    let page = Page { limit: Some(5), after: Some(refused.place()) };
    assert_eq!(world.store.decisions(ALL, channel.id, &page).await.unwrap(), all[2..]);
    assert_eq!(world.events().await[before..], [("channel.cut", channel.id.0); 2]);
    assert_eq!(world.store.prune_decisions(at(4)).await.unwrap(), 2);
    assert_eq!(world.store.decisions(ALL, channel.id, &Page::default()).await.unwrap(), [later]);
}

#[apply(every_store)]
#[tokio::test]
async fn a_status_replaces_an_earlier_one_and_never_a_later_one(#[case] engine: Engine) {
    let world = engine.world().await;
    let (channel, other) = (world.channel("Classroom").await, world.channel("Other").await);
    assert_eq!(world.store.channel_status(ALL, channel.id).await.unwrap(), None);
    let report = async |statuses| {
        let reported = ReportedProgrammes { statuses, ..ReportedProgrammes::default() };
        world.store.record_programmes(&reported, at(9)).await.unwrap();
    };
    let [first, second] = [status(at(2)), status(at(3))];
    report(vec![(channel.id, first.clone()), (unknown(), first.clone()), (other.id, second.clone())]).await;
    assert_eq!(world.store.channel_status(ALL, channel.id).await.unwrap(), Some(first.clone()));
    report(vec![(channel.id, second.clone())]).await;
    report(vec![(channel.id, first)]).await;
    assert_eq!(world.store.channel_status(ALL, channel.id).await.unwrap(), Some(second));
}

#[apply(every_store)]
#[tokio::test]
async fn changes_are_stored_as_events_for_channels_that_exist(#[case] engine: Engine) {
    let world = engine.world().await;
    let channel = world.channel("Classroom").await;
    let gone = streamward::domain::channel::Channel { id: unknown(), ..channel.clone() };
    let before = world.events().await.len();
    let about = |channel| ChannelEvent::about(ChannelEventKind::Input, channel);
    let changes = vec![about(&channel), about(&gone)];
    let reported = ReportedProgrammes { changes, ..ReportedProgrammes::default() };
    world.store.record_programmes(&reported, at(9)).await.unwrap();
    assert_eq!(world.events().await[before..], [("channel.input", channel.id.0)]);
}
