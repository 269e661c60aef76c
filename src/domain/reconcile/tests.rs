//! Tests of the reconcile plan.

use super::*;
use crate::domain::media_server::SourceId;
use crate::domain::secret::{KeySecret, MasterKey};
use crate::domain::stream::tests::stream;
use crate::domain::stream::{IngestForm, StreamState};
use crate::domain::stream_key::tests::{connection, key};

const NOW: Timestamp = Timestamp::from_seconds(1_000);

fn context() -> PollContext {
    PollContext { server: MediaServerName::default(), now: NOW, restarted: false, unreadable: vec![] }
}

fn hash(n: u8) -> SecretHash {
    MasterKey::new([0; 32]).hasher().key(&secret(n))
}

fn secret(n: u8) -> KeySecret {
    KeySecret::from_random([n; 32])
}

fn source(id: &str) -> ObservedSource {
    ObservedSource { kind: SourceKind::Rtmp, publishes: true, id: SourceId::parse(id), aliases: vec![] }
}

fn named(path: &str, id: &str) -> Observation {
    let seen = ObservedPath {
        path: IngestPath::from_media_server(path),
        live: true,
        configured: false,
        source: Some(source(id)),
        stats: StreamStats::default(),
    };
    Observation { seen, hash: None }
}

fn private(n: u8, id: &str) -> Observation {
    let mut observation = named(&format!("live/{}", secret(n).expose()), id);
    observation.hash = Some(hash(n));
    observation
}

fn recorded(id: &str) -> ActiveStream {
    ActiveStream { stream: Stream { source_id: SourceId::parse(id), ..stream() }, refreshed_at: NOW }
}

fn view(streams: Vec<ActiveStream>, keys: Vec<StreamKey>) -> View {
    View { streams, keys: (1u8..).zip(keys).map(|(n, key)| (hash(n), key)).collect() }
}

fn held(holder: Holder) -> StreamKey {
    StreamKey { holder, ..key() }
}

fn live(id: &str) -> Holder {
    Holder::Live { by: connection(id) }
}

fn claimed(id: &str) -> Holder {
    Holder::Claimed { by: connection(id), until: NOW.plus(Duration::from_secs(5)) }
}

fn disconnects(plan: &Plan) -> Vec<(&str, DisconnectReason)> {
    plan.disconnects.iter().map(|k| (k.source.id.as_ref().unwrap().as_str(), k.reason)).collect()
}

#[test]
fn live_connection_with_a_claim_starts_a_stream() {
    let plan = plan(&context(), &[named("live/alice", "a")], view(vec![], vec![held(claimed("a"))]));
    assert_eq!(plan.changes.started.len(), 1);
    assert_eq!(plan.changes.started[0].connection, connection("a"));
    assert_eq!(plan.changes.started[0].form, IngestForm::NamedPath);
    assert!(plan.disconnects.is_empty() && plan.changes.ended.is_empty());
}

#[test]
fn plan_is_empty_when_records_match() {
    let plan =
        plan(&context(), &[named("live/alice", "a")], view(vec![recorded("a")], vec![held(live("a"))]));
    assert_eq!(Plan { carried: vec![], ..plan }, Plan::default());
}

#[test]
fn missing_stream_ends_with_the_known_reason() {
    let ended = |context: &PollContext, key: StreamKey| {
        plan(context, &[], view(vec![recorded("a")], vec![key])).changes.ended[0].1
    };
    assert_eq!(ended(&context(), held(live("a"))), EndReason::PublisherLeft);
    assert_eq!(
        ended(&PollContext { restarted: true, ..context() }, held(live("a"))),
        EndReason::MediaServerRestarted
    );
    assert_eq!(
        ended(&context(), StreamKey { revoked_at: Some(NOW), ..held(live("a")) }),
        EndReason::KeyRevoked
    );
    assert_eq!(
        ended(&context(), StreamKey { expires_at: Some(NOW), ..held(live("a")) }),
        EndReason::KeyExpired
    );
    assert_eq!(ended(&context(), held(claimed("b"))), EndReason::Takeover);
}

#[test]
fn stream_on_a_path_that_could_not_be_read_is_left_as_it_is_and_the_others_are_ended() {
    let unreadable = |raw: &str| {
        let path = IngestPath::from_media_server(raw);
        let hash = matches!(path, IngestPath::Private(_)).then(|| hash(1));
        PollContext { unreadable: vec![UnreadablePath { path: Some(path), hash }], ..context() }
    };
    let nameless = PollContext { unreadable: vec![UnreadablePath::default()], ..context() };
    let private = format!("live/{}", secret(1).expose());
    let records = || view(vec![recorded("a")], vec![held(live("a"))]);
    for (context, is_left) in [
        (unreadable("live/alice"), true),
        (unreadable(&private), true),
        (nameless, true),
        (unreadable("live/bob"), false),
    ] {
        assert_eq!(plan(&context, &[], records()).changes.ended.is_empty(), is_left, "{context:?}");
    }
    // The relay of a path that could not be read stays, and a session that can be read is handled.
    let stray = plan(&unreadable(&private), &[named("live/bob", "b")], records());
    assert_eq!(disconnects(&stray), [("b", DisconnectReason::UnknownKey)]);
    let mut relay = named("live/alice", "r");
    relay.seen.configured = true;
    assert!(plan(&unreadable(&private), &[relay], records()).other_configured.is_empty());
}

#[test]
fn session_on_an_invalid_key_is_disconnected_and_its_stream_stays_until_it_is_gone() {
    for (key, reason) in [
        (StreamKey { revoked_at: Some(NOW), ..held(live("a")) }, EndReason::KeyRevoked),
        (StreamKey { expires_at: Some(NOW), ..held(live("a")) }, EndReason::KeyExpired),
    ] {
        for streams in [vec![], vec![recorded("a")]] {
            let plan = plan(&context(), &[named("live/alice", "a")], view(streams, vec![key.clone()]));
            assert_eq!(disconnects(&plan), [("a", DisconnectReason::Ending(reason))]);
            assert!(plan.changes.is_empty());
        }
    }
}

#[test]
fn stream_that_must_end_is_disconnected_until_it_is_gone() {
    let mut ending = recorded("a");
    ending.stream.state = StreamState::Active { ending: Some(EndReason::EndedByOperator) };
    let plan = plan(&context(), &[named("live/alice", "a")], view(vec![ending], vec![held(live("a"))]));
    assert_eq!(disconnects(&plan), [("a", DisconnectReason::Ending(EndReason::EndedByOperator))]);
    assert!(plan.changes.is_empty());
}

#[test]
fn publisher_without_a_key_is_disconnected_and_a_configured_source_is_not() {
    let mut camera = named("cam", "x");
    camera.seen.source = Some(ObservedSource {
        kind: SourceKind::from_name("rtspSource"),
        publishes: false,
        id: None,
        aliases: vec![],
    });
    let plan =
        plan(&context(), &[named("live/bob", "b"), camera, private(9, "c")], view(vec![], vec![key()]));
    assert_eq!(
        disconnects(&plan),
        [("b", DisconnectReason::UnknownKey), ("c", DisconnectReason::UnknownKey)]
    );
}

#[test]
fn loser_of_a_takeover_is_disconnected() {
    let plan =
        plan(&context(), &[named("live/alice", "a")], view(vec![recorded("a")], vec![held(claimed("b"))]));
    assert_eq!(disconnects(&plan), [("a", DisconnectReason::Ending(EndReason::Takeover))]);
}

#[test]
fn live_session_becomes_the_holder_again() {
    let lapsed = |id: &str| Holder::Claimed { by: connection(id), until: NOW };
    for holder in [lapsed("b"), lapsed("a"), Holder::Free] {
        let plan =
            plan(&context(), &[named("live/alice", "a")], view(vec![recorded("a")], vec![held(holder)]));
        assert_eq!(plan.changes.started.len(), 1);
        assert!(plan.disconnects.is_empty() && plan.changes.ended.is_empty());
    }
}

#[test]
fn newcomer_on_the_same_path_starts_in_the_same_poll() {
    let plan =
        plan(&context(), &[named("live/alice", "b")], view(vec![recorded("a")], vec![held(live("a"))]));
    assert_eq!(plan.changes.ended, [(stream().id, EndReason::PublisherLeft)]);
    assert_eq!(plan.changes.started[0].connection, connection("b"));
}

#[test]
fn of_two_sessions_on_one_key_the_holder_stays() {
    let observations = [private(1, "b"), named("live/alice", "a")];
    for order in [[0, 1], [1, 0]] {
        let seen: Vec<Observation> = order.iter().map(|i| observations[*i].clone()).collect();
        let plan = plan(&context(), &seen, view(vec![], vec![held(claimed("a"))]));
        assert_eq!(disconnects(&plan), [("b", DisconnectReason::Ending(EndReason::Takeover))]);
        assert_eq!(plan.changes.started.len(), 1);
    }
    let unheld = plan(&context(), &observations, view(vec![], vec![key()]));
    assert_eq!((unheld.changes.started.len(), unheld.disconnects.len()), (1, 1));
}

#[test]
fn rotated_secret_cannot_go_live() {
    // "a" held the key when it was rotated; "b" was let in before that and lost the key to a takeover.
    for late in ["a", "b"] {
        let plan =
            plan(&context(), &[named("live/alice", late)], view(vec![], vec![held(claimed("a").evicted())]));
        assert_eq!(disconnects(&plan), [(late, DisconnectReason::Ending(EndReason::KeyRotated))]);
    }
}

#[test]
fn rtsp_session_matches_the_claim_of_its_connection() {
    let mut observation = named("live/alice", "session");
    observation.seen.source.as_mut().unwrap().aliases = vec![SourceId::parse("conn").unwrap()];
    let plan = plan(&context(), &[observation], view(vec![], vec![held(claimed("conn"))]));
    assert_eq!(plan.changes.started[0].connection, connection("session"));
}

#[test]
fn private_path_has_a_relay_while_its_session_may_stay() {
    let wanted = plan(&context(), &[private(1, "a")], view(vec![], vec![held(claimed("a"))]));
    assert_eq!(wanted.relays.len(), 1);
    assert_eq!(wanted.relays[0].1.public.as_str(), "live/alice");
    assert_eq!(wanted.changes.started[0].form, IngestForm::SecretPath);
    let revoked = StreamKey { revoked_at: Some(NOW), ..held(live("a")) };
    assert!(plan(&context(), &[private(1, "a")], view(vec![recorded("a")], vec![revoked])).relays.is_empty());
}

#[test]
fn configured_paths_without_a_wanted_relay_are_listed() {
    let mut idle = named("live/alice", "x");
    (idle.seen.configured, idle.seen.live, idle.seen.source) = (true, false, None);
    let alone = plan(&context(), std::slice::from_ref(&idle), view(vec![], vec![key()]));
    assert_eq!(alone.other_configured, [StreamPath::parse("live/alice").unwrap()]);
    let wanted = plan(&context(), &[idle, private(1, "a")], view(vec![], vec![key()]));
    assert!(wanted.other_configured.is_empty());
}

#[test]
fn statistics_are_written_on_change_of_readers_or_at_the_interval() {
    let mut observation = named("live/alice", "a");
    observation.seen.stats.inbound_bytes = 10;
    let later = |seconds| PollContext { now: NOW.plus(Duration::from_secs(seconds)), ..context() };
    let refreshed = |context: &PollContext, s: &Observation| {
        plan(context, std::slice::from_ref(s), view(vec![recorded("a")], vec![held(live("a"))]))
            .changes
            .refreshed
    };
    assert!(refreshed(&later(2), &observation).is_empty());
    assert!(!refreshed(&later(10), &observation)[0].announce);
    observation.seen.stats.readers = 1;
    assert!(refreshed(&later(2), &observation)[0].announce);
}

#[test]
fn readers_of_a_private_path_are_those_of_its_relay() {
    let mut pulled = private(1, "a");
    pulled.seen.stats.readers = 1;
    let mut relay = named("live/alice", "x");
    relay.seen.configured = true;
    relay.seen.source = Some(ObservedSource {
        kind: SourceKind::from_name("rtspSource"),
        publishes: false,
        id: None,
        aliases: vec![],
    });
    relay.seen.stats.readers = 7;
    for (observations, readers) in [(vec![pulled.clone(), relay], 7), (vec![pulled], 0)] {
        let started = plan(&context(), &observations, view(vec![], vec![held(claimed("a"))])).changes.started;
        assert_eq!(started[0].stats.readers, readers);
    }
}

fn hook_event(kind: HookKind, id: Option<&str>) -> HookEvent {
    HookEvent {
        server: MediaServerName::default(),
        kind,
        path: StreamPath::parse("live/alice").ok(),
        hash: None,
        source_id: id.and_then(SourceId::parse),
        source_kind: None,
        at: NOW,
    }
}

#[test]
fn not_ready_of_a_session_that_no_key_allows_has_the_keys_reason() {
    for (key, reason) in [
        (held(live("a")), EndReason::PublisherLeft),
        (StreamKey { expires_at: Some(NOW), ..held(live("a")) }, EndReason::KeyExpired),
        (StreamKey { revoked_at: Some(NOW), ..held(live("a")) }, EndReason::KeyRevoked),
    ] {
        let running = view(vec![recorded("a")], vec![key]);
        let changes = accept_hook_events(NOW, &[hook_event(HookKind::NotReady, Some("a"))], &running);
        assert_eq!(changes.ended, [(stream().id, reason)]);
    }
}

#[test]
fn hook_event_is_accepted_only_for_a_known_session() {
    let claimed = view(vec![], vec![held(claimed("a"))]);
    assert_eq!(
        accept_hook_events(
            NOW,
            &[hook_event(HookKind::Ready, Some("a")), hook_event(HookKind::Ready, Some("a"))],
            &claimed
        )
        .started
        .len(),
        1
    );
    assert!(
        accept_hook_events(
            NOW,
            &[hook_event(HookKind::Ready, Some("b")), hook_event(HookKind::Ready, None)],
            &claimed
        )
        .is_empty()
    );
    let running = view(vec![recorded("a")], vec![held(live("a"))]);
    assert_eq!(
        accept_hook_events(NOW, &[hook_event(HookKind::NotReady, Some("a"))], &running).ended.len(),
        1
    );
    for other in [Some("b"), None] {
        assert!(accept_hook_events(NOW, &[hook_event(HookKind::NotReady, other)], &running).is_empty());
    }
    assert!(
        accept_hook_events(
            NOW,
            &[hook_event(HookKind::Ready, Some("a")), hook_event(HookKind::NotReady, Some("a"))],
            &claimed
        )
        .is_empty()
    );
}
