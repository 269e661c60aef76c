//! Tables for the reconcile decision.

use super::*;
use crate::domain::media_server::SourceId;
use crate::domain::secret::{KeySecret, MasterKey};
use crate::domain::stream::tests::stream;
use crate::domain::stream::{IngestForm, StreamState};
use crate::domain::stream_key::tests::{connection, key};

const NOW: Timestamp = Timestamp::from_seconds(1_000);

fn around() -> PollContext {
    PollContext { server: MediaServerName::default(), now: NOW, restarted: false }
}

fn hash(n: u8) -> SecretHash {
    MasterKey::new([0; 32]).hasher().key(&secret(n))
}

fn secret(n: u8) -> KeySecret {
    KeySecret::from_random([n; 32])
}

fn source(id: &str) -> ObservedSource {
    ObservedSource { kind: SourceKind("rtmpConn".into()), id: SourceId::parse(id), aliases: vec![] }
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
fn a_claimed_connection_that_is_live_starts_a_stream() {
    let plan = plan(&around(), &[named("live/alice", "a")], view(vec![], vec![held(claimed("a"))]));
    assert_eq!(plan.changes.started.len(), 1);
    assert_eq!(plan.changes.started[0].connection, connection("a"));
    assert_eq!(plan.changes.started[0].form, IngestForm::NamedPath);
    assert!(plan.disconnects.is_empty() && plan.changes.ended.is_empty());
}

#[test]
fn nothing_to_do_is_an_empty_plan() {
    let plan = plan(&around(), &[named("live/alice", "a")], view(vec![recorded("a")], vec![held(live("a"))]));
    assert_eq!(plan, Plan::default());
}

#[test]
fn a_stream_that_is_not_there_ends_with_what_is_known_of_the_cause() {
    let ended = |around: &PollContext, key: StreamKey| {
        plan(around, &[], view(vec![recorded("a")], vec![key])).changes.ended[0].1
    };
    assert_eq!(ended(&around(), held(live("a"))), EndReason::PublisherLeft);
    assert_eq!(
        ended(&PollContext { restarted: true, ..around() }, held(live("a"))),
        EndReason::MediaServerRestarted
    );
    assert_eq!(
        ended(&around(), StreamKey { revoked_at: Some(NOW), ..held(live("a")) }),
        EndReason::KeyRevoked
    );
    assert_eq!(
        ended(&around(), StreamKey { expires_at: Some(NOW), ..held(live("a")) }),
        EndReason::KeyExpired
    );
    assert_eq!(ended(&around(), held(claimed("b"))), EndReason::Takeover);
}

#[test]
fn a_dead_key_is_ended_but_its_row_stays_until_it_is_gone() {
    for (key, reason) in [
        (StreamKey { revoked_at: Some(NOW), ..held(live("a")) }, EndReason::KeyRevoked),
        (StreamKey { expires_at: Some(NOW), ..held(live("a")) }, EndReason::KeyExpired),
    ] {
        for streams in [vec![], vec![recorded("a")]] {
            let plan = plan(&around(), &[named("live/alice", "a")], view(streams, vec![key.clone()]));
            assert_eq!(disconnects(&plan), [("a", DisconnectReason::Ending(reason))]);
            assert!(plan.changes.is_empty());
        }
    }
}

#[test]
fn a_stream_told_to_end_is_disconnected_until_it_is_gone() {
    let mut told = recorded("a");
    told.stream.state = StreamState::Active { ending: Some(EndReason::EndedByOperator) };
    let plan = plan(&around(), &[named("live/alice", "a")], view(vec![told], vec![held(live("a"))]));
    assert_eq!(disconnects(&plan), [("a", DisconnectReason::Ending(EndReason::EndedByOperator))]);
    assert!(plan.changes.is_empty());
}

#[test]
fn a_publisher_without_a_key_is_disconnected_and_a_configured_source_is_not() {
    let mut camera = named("cam", "x");
    camera.seen.source =
        Some(ObservedSource { kind: SourceKind("rtspSource".into()), id: None, aliases: vec![] });
    let plan = plan(&around(), &[named("live/bob", "b"), camera, private(9, "c")], view(vec![], vec![key()]));
    assert_eq!(
        disconnects(&plan),
        [("b", DisconnectReason::UnknownKey), ("c", DisconnectReason::UnknownKey)]
    );
}

#[test]
fn the_loser_of_a_takeover_is_disconnected() {
    let plan =
        plan(&around(), &[named("live/alice", "a")], view(vec![recorded("a")], vec![held(claimed("b"))]));
    assert_eq!(disconnects(&plan), [("a", DisconnectReason::Ending(EndReason::Takeover))]);
}

#[test]
fn a_live_session_that_lost_its_hold_regains_it() {
    let lapsed = |id: &str| Holder::Claimed { by: connection(id), until: NOW };
    for holder in [lapsed("b"), lapsed("a"), Holder::Free] {
        let plan =
            plan(&around(), &[named("live/alice", "a")], view(vec![recorded("a")], vec![held(holder)]));
        assert_eq!(plan.changes.started.len(), 1);
        assert!(plan.disconnects.is_empty() && plan.changes.ended.is_empty());
    }
}

#[test]
fn a_newcomer_on_the_same_path_follows_in_the_same_look() {
    let plan = plan(&around(), &[named("live/alice", "b")], view(vec![recorded("a")], vec![held(live("a"))]));
    assert_eq!(plan.changes.ended, [(stream().id, EndReason::PublisherLeft)]);
    assert_eq!(plan.changes.started[0].connection, connection("b"));
}

#[test]
fn two_sessions_on_one_key_leave_the_holder() {
    let observations = [private(1, "b"), named("live/alice", "a")];
    for order in [[0, 1], [1, 0]] {
        let seen: Vec<Observation> = order.iter().map(|i| observations[*i].clone()).collect();
        let plan = plan(&around(), &seen, view(vec![], vec![held(claimed("a"))]));
        assert_eq!(disconnects(&plan), [("b", DisconnectReason::Ending(EndReason::Takeover))]);
        assert_eq!(plan.changes.started.len(), 1);
    }
    let nobody = plan(&around(), &observations, view(vec![], vec![key()]));
    assert_eq!((nobody.changes.started.len(), nobody.disconnects.len()), (1, 1));
}

#[test]
fn nobody_comes_live_with_the_old_secret_after_a_rotation() {
    // "a" held the key when it was rotated; "b" was let in before that and lost the key to a takeover.
    for late in ["a", "b"] {
        let plan =
            plan(&around(), &[named("live/alice", late)], view(vec![], vec![held(claimed("a").evicted())]));
        assert_eq!(disconnects(&plan), [(late, DisconnectReason::Ending(EndReason::KeyRotated))]);
    }
}

#[test]
fn an_rtsp_session_is_known_by_its_connection() {
    let mut observation = named("live/alice", "session");
    observation.seen.source.as_mut().unwrap().aliases = vec![SourceId::parse("conn").unwrap()];
    let plan = plan(&around(), &[observation], view(vec![], vec![held(claimed("conn"))]));
    assert_eq!(plan.changes.started[0].connection, connection("session"));
}

#[test]
fn a_private_path_wants_its_relay_as_long_as_it_may_stay() {
    let wanted = plan(&around(), &[private(1, "a")], view(vec![], vec![held(claimed("a"))]));
    assert_eq!(wanted.relays.len(), 1);
    assert_eq!(wanted.relays[0].1.public.as_str(), "live/alice");
    assert_eq!(wanted.changes.started[0].form, IngestForm::SecretPath);
    let revoked = StreamKey { revoked_at: Some(NOW), ..held(live("a")) };
    assert!(plan(&around(), &[private(1, "a")], view(vec![recorded("a")], vec![revoked])).relays.is_empty());
}

#[test]
fn configured_paths_that_are_no_wanted_relay_are_named() {
    let mut idle = named("live/alice", "x");
    (idle.seen.configured, idle.seen.live, idle.seen.source) = (true, false, None);
    let alone = plan(&around(), std::slice::from_ref(&idle), view(vec![], vec![key()]));
    assert_eq!(alone.other_configured, [StreamPath::parse("live/alice").unwrap()]);
    let wanted = plan(&around(), &[idle, private(1, "a")], view(vec![], vec![key()]));
    assert!(wanted.other_configured.is_empty());
}

#[test]
fn numbers_are_written_when_people_care_or_now_and_then() {
    let mut observation = named("live/alice", "a");
    observation.seen.stats.inbound_bytes = 10;
    let later = |seconds| PollContext { now: NOW.plus(Duration::from_secs(seconds)), ..around() };
    let refreshed = |around: &PollContext, s: &Observation| {
        plan(around, std::slice::from_ref(s), view(vec![recorded("a")], vec![held(live("a"))]))
            .changes
            .refreshed
    };
    assert!(refreshed(&later(2), &observation).is_empty());
    assert!(!refreshed(&later(10), &observation)[0].announce);
    observation.seen.stats.readers = 1;
    assert!(refreshed(&later(2), &observation)[0].announce);
}

#[test]
fn viewers_of_a_private_path_are_those_of_its_relay() {
    let mut pulled = private(1, "a");
    pulled.seen.stats.readers = 1;
    let mut relay = named("live/alice", "x");
    relay.seen.configured = true;
    relay.seen.source =
        Some(ObservedSource { kind: SourceKind("rtspSource".into()), id: None, aliases: vec![] });
    relay.seen.stats.readers = 7;
    for (observations, readers) in [(vec![pulled.clone(), relay], 7), (vec![pulled], 0)] {
        let started = plan(&around(), &observations, view(vec![], vec![held(claimed("a"))])).changes.started;
        assert_eq!(started[0].stats.readers, readers);
    }
}

#[test]
fn a_hook_event_is_believed_only_of_a_session_we_know() {
    let hook_event = |kind, id: Option<&str>| HookEvent {
        server: MediaServerName::default(),
        kind,
        path: StreamPath::parse("live/alice").ok(),
        hash: None,
        source_id: id.and_then(SourceId::parse),
        source_kind: None,
        at: NOW,
    };
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
