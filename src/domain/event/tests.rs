//! Every event is read back as it was written; what cannot be read is an error.

use serde_json::{Value, json};
use strum::VariantArray as _;
use uuid::Uuid;

use super::*;
use crate::domain::broadcaster::{Broadcaster, DisplayName, Metadata};
use crate::domain::channel::{
    ChannelId as OurChannelId, ChannelName, DecisionId, DestinationId, InputState, OutputState, Reason,
    Source as OnAir,
};
use crate::domain::media_server::MediaServerName;
use crate::domain::secret::KeySecret;
use crate::domain::stream::EndReason;
use crate::domain::stream::tests::stream;
use crate::domain::stream_key::tests::key;
use crate::domain::streamer::{Change, ChannelId, KickIds, Session, Slug, Source, Status, Streamer, Track};
use crate::domain::{BroadcasterId, OrganizationId, StreamerId, Timestamp};

mod studio;

const OWNER: OrganizationId = OrganizationId::DEFAULT;
const AT: Timestamp = Timestamp::from_seconds(100);

fn streamer() -> Streamer {
    let session = Session { id: Some("7".into()), started_at: Some(AT), ..Session::default() };
    let track = Track {
        status: Status::Online,
        last_status_update: Some(AT),
        last_seen_online: Some(AT),
        session: Some(session),
        offline_due: Some(AT),
        ..Track::default()
    };
    let new = Streamer::new(StreamerId(Uuid::from_u128(9)), &Slug::parse("xqc").unwrap(), AT);
    let ids = KickIds { channel: ChannelId::new(5).ok(), ..KickIds::default() };
    Streamer { track, ids, display_name: Some("x".into()), problem: Some("none".into()), ..new }
}

fn bodies() -> Vec<EventBody> {
    let broadcaster = Broadcaster {
        id: BroadcasterId(Uuid::from_u128(3)),
        organization_id: OWNER,
        display_name: DisplayName::parse("Alice").unwrap(),
        metadata: Metadata::default(),
        created_at: AT,
        updated_at: AT,
    };
    let ended = stream().gone(AT, EndReason::PublisherLeft).unwrap();
    let ending = stream().end_requested(EndReason::KeyRevoked).unwrap();
    let change = Change {
        previous_status: Status::Offline,
        new_status: Status::Online,
        occurred_at: AT,
        received_at: AT,
        source: Source::Webhook,
        session: streamer().track.session,
        banned: true,
    };
    let mut all = vec![];
    for kind in StreamEventKind::VARIANTS {
        all.extend([stream(), ending.clone(), ended.clone()].map(|stream| EventBody::stream(*kind, &stream)));
    }
    all.extend(StreamKeyEventKind::VARIANTS.iter().map(|kind| EventBody::stream_key(*kind, &key())));
    all.extend(BroadcasterEventKind::VARIANTS.iter().map(|kind| EventBody::broadcaster(*kind, &broadcaster)));
    for kind in StreamerEventKind::VARIANTS {
        all.push(EventBody::streamer(*kind, &streamer(), None));
        all.push(EventBody::streamer(*kind, &streamer(), Some(&change)));
    }
    all.extend(ChannelEventKind::VARIANTS.iter().map(|kind| EventBody::channel(channel_event(*kind))));
    all.extend(studio::bodies());
    for kind in MediaServerEventKind::VARIANTS {
        let (name, since) = (MediaServerName::default(), AT);
        let event = |error| MediaServerEvent { kind: *kind, name: name.clone(), since, error };
        all.extend([None, Some("refused".to_owned())].map(|error| EventBody::MediaServer(event(error))));
    }
    all
}

fn channel_event(kind: ChannelEventKind) -> ChannelEvent {
    let numbers = json!({"last_frame_ms": 712}).as_object().unwrap().clone();
    let cut = CutDetails {
        decision: DecisionId(Uuid::from_u128(5)).0,
        from: Some(OnAir::Live),
        to: OnAir::Backup,
        reason: Reason::LiveStalled,
        numbers,
    };
    let input = InputDetails { input: OnAir::Live, state: InputState::Mismatch, problem: Some("x".into()) };
    let destination = DestinationDetails {
        id: DestinationId(Uuid::from_u128(6)),
        name: "YouTube".into(),
        state: Some(OutputState::BackingOff),
        last_error: None,
    };
    let details = ChannelEventDetails { cut: Some(cut), input: Some(input), destination: Some(destination) };
    ChannelEvent {
        kind,
        id: OurChannelId(Uuid::from_u128(4)),
        name: ChannelName::parse("Classroom").unwrap(),
        details,
    }
}

#[test]
fn every_event_is_read_back_as_it_was_written() {
    let mut kinds = vec![];
    for body in bodies() {
        let stored = body.stored(7, AT, OWNER);
        let kind = stored.kind.split('.').next().unwrap();
        assert_eq!(stored.topic, if kind == "destination" { "channel" } else { kind });
        assert_eq!(
            stored.decode().unwrap(),
            Event { seq: 7, at: AT, organization_id: OWNER, body: body.clone() }
        );
        kinds.push(body.kind());
    }
    kinds.dedup();
    let expected = "stream.started stream.updated stream.ended stream_key.created stream_key.rotated \
        stream_key.revoked stream_key.updated broadcaster.created broadcaster.updated broadcaster.deleted streamer.created \
        streamer.updated streamer.online streamer.offline streamer.deleted channel.created channel.updated \
        channel.deleted channel.cut channel.input destination.created destination.updated destination.deleted \
        destination.state studio.ordered studio.decided studio.session studio.downtime studio.alert \
        studio.preflight studio.connection media_server.unreachable media_server.reachable";
    assert_eq!(kinds.join(" "), expected);
}

/// Rows that were written before must stay readable: a changed field needs another version.
#[test]
fn stored_form_of_a_streamer_does_not_change() {
    let at = "1970-01-01T00:01:40Z";
    let session = json!({"id": "7", "started_at": at, "ended_at": null, "title": null, "category": null,
        "viewers": null});
    let streamer = json!({"id": "00000000-0000-0000-0000-000000000009", "username": "xqc", "display_name": "x",
        "is_active": true, "user_id": null, "channel_id": 5, "chatroom_id": null, "status": "online",
        "last_status_update": at, "last_seen_online": at, "session": session, "ended_watermark": null,
        "contradicted_at": null, "offline_due": at, "problem": "none", "created_at": at, "updated_at": at});
    let change = json!({"previous_status": "offline", "new_status": "online", "occurred_at": at,
        "received_at": at, "source": "webhook", "session": session, "banned": true});
    let stored =
        bodies().into_iter().rfind(|body| body.topic() == Topic::Streamer).unwrap().stored(1, AT, OWNER);
    assert_eq!(stored.data, json!({"streamer": streamer, "change": change}));
}

#[test]
fn stored_form_of_a_channel_does_not_change() {
    let cut = json!({"decision": "00000000-0000-0000-0000-000000000005", "from": "live", "to": "backup",
        "reason": "live_stalled", "numbers": {"last_frame_ms": 712}});
    let input = json!({"input": "live", "state": "mismatch", "problem": "x"});
    let destination = json!({"id": "00000000-0000-0000-0000-000000000006", "name": "YouTube",
        "state": "backing_off", "last_error": null});
    let expected = json!({"id": "00000000-0000-0000-0000-000000000004", "name": "Classroom", "cut": cut,
        "input": input, "destination": destination});
    assert_eq!(EventBody::channel(channel_event(ChannelEventKind::Cut)).stored(1, AT, OWNER).data, expected);
}

#[test]
fn unknown_topic_kind_version_or_data_is_an_error_and_no_panic() {
    let good = EventBody::stream(StreamEventKind::Started, &stream()).stored(1, AT, OWNER);
    let text = |text: &str| text.to_owned();
    for bad in [
        StoredEvent { topic: text("clip"), ..good.clone() },
        StoredEvent { kind: text("stream.paused"), ..good.clone() },
        StoredEvent { kind: text("streamer.online"), ..good.clone() },
        StoredEvent { version: 2, ..good.clone() },
    ] {
        assert!(matches!(bad.decode(), Err(UnreadableEvent::Unknown { .. })), "{bad:?}");
    }
    for data in [Value::Null, json!({}), json!([1])] {
        let bad = StoredEvent { data, ..good.clone() };
        assert!(matches!(bad.decode(), Err(UnreadableEvent::Data(_))), "{bad:?}");
    }
}

#[test]
fn event_about_a_key_has_no_secret() {
    let data = EventBody::stream_key(StreamKeyEventKind::Created, &key()).stored(1, AT, OWNER).data;
    let mut fields: Vec<&String> = data.as_object().unwrap().keys().collect();
    fields.sort();
    assert_eq!(fields, ["broadcaster_id", "id", "key_prefix", "path"]);
    assert!(!data.to_string().contains(KeySecret::from_random([1; 32]).expose()));
}
