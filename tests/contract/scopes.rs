//! Rows outside of a scope are as if they did not exist: for every method that takes a scope.

use std::slice;
use std::time::Duration;

use rstest_reuse::apply;
use streamward::adapters::system::SystemIds;
use streamward::domain::access::{Action, Actor, ApiToken, Permissions, Resource, Role, Scope};
use streamward::domain::audit::{AuditEntry, AuditFilter};
use streamward::domain::broadcaster::BroadcasterPatch;
use streamward::domain::channel::{ChannelPatch, DecisionKind, DestinationPatch, Hold, Playlist};
use streamward::domain::clip::{Clip, ClipName};
use streamward::domain::event::Topic;
use streamward::domain::page::Page;
use streamward::domain::path::StreamPath;
use streamward::domain::stream::{EndReason, Stream};
use streamward::domain::stream_key::StreamKey;
use streamward::domain::streamer::{Streamer, StreamerPatch};
use streamward::domain::studio::{Ledger, Library, Order, RecordKind, Studio};
use streamward::domain::{ApiTokenId, ClipId, OrganizationId};
use streamward::ports::{
    Change, ChannelWrite, ClipCreation, ClipDeletion, DrillCreation, EventFilter, IdGen as _, KeyCreation,
    KeyFilter, KeyUpdate, LiveSample, RehearsalCreation, ReportedProgrammes, Rotation, StatusFilter,
    StreamFilter, StreamerFilter, StudioReport, Written,
};

use crate::channel_fixture::{creation, decision, destination, rehearsal, status};
use crate::every_store;
use crate::fixture::{Engine, World, at, audit, broadcaster, by, connection, fresh_hash, key, request};
use crate::streamer_fixture::{AT_ONCE, started, streamer};
use crate::studio_fixture::{
    self, content, drill, sample, session, snapshot, studio, transition, verification,
};

const ALL: &Scope = &Scope::system();

fn scope(of: &[OrganizationId]) -> Scope {
    let permissions = Permissions::in_organizations(of.iter().map(|id| (*id, Role::Admin)));
    let actor = Actor { permissions, ..Actor::cli("test") };
    actor.authorize(Action::Read, &Resource::READ_BY_ALL).unwrap()
}

/// A store with a second organization.
struct Two {
    world: World,
    /// The second organization.
    theirs: OrganizationId,
    /// Who sees what the second organization owns: itself, who belongs to both, and everybody's.
    seeing: [Scope; 3],
    /// Who sees nothing of it: the first organization, and one that owns nothing beside it.
    blind: [Scope; 2],
}

impl Two {
    async fn new(engine: Engine) -> Self {
        let world = engine.world().await;
        let (theirs, third) = (world.organization("Theirs").await, world.organization("Third").await);
        let first = OrganizationId::DEFAULT;
        Self {
            seeing: [scope(&[theirs]), scope(&[first, theirs]), Scope::system()],
            blind: [scope(&[first]), scope(&[first, third])],
            theirs,
            world,
        }
    }

    /// A key of the second organization.
    async fn key(&self, on: &str) -> StreamKey {
        let mut owner = broadcaster(on, at(0));
        owner.organization_id = self.theirs;
        self.world.store.create_broadcaster(&owner, by(&audit("create", at(0)))).await.unwrap();
        let key = StreamKey { organization_id: self.theirs, ..key(owner.id, on, at(0)) };
        assert_eq!(self.world.create(&key, &fresh_hash()).await, KeyCreation::Created);
        key
    }

    /// The actions of the audit entries in a scope.
    async fn audited(&self, scope: &Scope, filter: AuditFilter) -> Vec<String> {
        let filter = AuditFilter { limit: 100, ..filter };
        let (entries, count) = self.world.store.audit_entries(scope, &filter).await.unwrap();
        assert_eq!(entries.len() as u64, count);
        entries.into_iter().map(|entry| entry.action).collect()
    }

    async fn events(&self, scope: &Scope, topic: Option<Topic>) -> Vec<String> {
        let events = self.world.store.events_after(scope, topic, 0, 100).await.unwrap();
        events.into_iter().map(|event| event.kind).collect()
    }

    /// Nothing was written since there were so many events and audit entries.
    async fn assert_unchanged(&self, (events, audited): (usize, usize)) {
        assert_eq!(self.counts().await, (events, audited));
    }

    async fn counts(&self) -> (usize, usize) {
        (self.events(ALL, None).await.len(), self.audited(ALL, AuditFilter::default()).await.len())
    }
}

#[apply(every_store)]
#[tokio::test]
async fn broadcasters_and_keys_of_others_do_not_exist(#[case] engine: Engine) {
    let two = Two::new(engine).await;
    let store = &two.world.store;
    two.world.key("live/ours").await;
    let key = two.key("live/theirs").await;
    let owner = key.broadcaster_id;
    let of_owner = KeyFilter { broadcaster_id: Some(owner), path: None };
    let on_path = KeyFilter { broadcaster_id: None, path: StreamPath::parse("live/theirs").ok() };
    for scope in &two.seeing {
        assert!(store.broadcaster(scope, owner).await.unwrap().is_some());
        assert!(store.broadcasters(scope, &Page::default()).await.unwrap().iter().any(|one| one.id == owner));
        assert_eq!(store.stream_key(scope, key.id).await.unwrap(), Some(key.clone()));
        for filter in [KeyFilter::default(), of_owner.clone(), on_path.clone()] {
            let keys = store.stream_keys(scope, &filter, &Page::default()).await.unwrap();
            assert!(keys.contains(&key), "{filter:?}");
        }
    }
    let counts = two.counts().await;
    for scope in &two.blind {
        let entry = audit("refused", at(1));
        let by = Change::new(scope, &entry);
        assert_eq!(store.broadcaster(scope, owner).await.unwrap(), None);
        let all = store.broadcasters(scope, &Page::default()).await.unwrap();
        assert_eq!(all.iter().map(|one| one.display_name.as_str()).collect::<Vec<_>>(), ["live/ours"]);
        assert_eq!(store.stream_key(scope, key.id).await.unwrap(), None);
        let keys = store.stream_keys(scope, &KeyFilter::default(), &Page::default()).await.unwrap();
        assert_eq!(keys.iter().map(|one| one.path.as_str()).collect::<Vec<_>>(), ["live/ours"]);
        for filter in [of_owner.clone(), on_path.clone()] {
            assert_eq!(store.stream_keys(scope, &filter, &Page::default()).await.unwrap(), []);
        }
        assert_eq!(store.update_broadcaster(owner, &BroadcasterPatch::default(), by).await.unwrap(), None);
        assert_eq!(store.delete_broadcaster(owner, by).await.unwrap(), None);
        let rotation = store.rotate_stream_key(key.id, &fresh_hash(), "sk_x", by).await.unwrap();
        assert_eq!(rotation, Rotation::NotFound);
        assert_eq!(store.revoke_stream_key(key.id, by).await.unwrap(), None);
        let update = store.set_playback_access(key.id, None, by).await.unwrap();
        assert_eq!(update, KeyUpdate::NotFound);
    }
    two.assert_unchanged(counts).await;
    // A key belongs to the organization of its broadcaster.
    let foreign = StreamKey { path: StreamPath::parse("live/x").unwrap(), ..two.world.key("live/y").await.0 };
    let foreign = StreamKey { broadcaster_id: owner, ..foreign };
    assert_eq!(two.world.create(&foreign, &fresh_hash()).await, KeyCreation::UnknownBroadcaster);
    let entry = audit("revoke", at(2));
    assert!(store.revoke_stream_key(key.id, Change::new(&two.seeing[0], &entry)).await.unwrap().is_some());
}

#[apply(every_store)]
#[tokio::test]
async fn streams_of_others_do_not_exist(#[case] engine: Engine) {
    let two = Two::new(engine).await;
    let (store, key) = (&two.world.store, two.key("live/theirs").await);
    let stream: Stream = two.world.start(&key, connection("default", "c1"), at(1)).await;
    assert_eq!(stream.organization_id, two.theirs);
    let (media_server, path) = (stream.media_server.clone(), key.path.clone());
    let taken = LiveSample { media_server, path, at: at(20), readers: 1, bytes_per_second: None };
    store.record_stream_samples(&[taken]).await.unwrap();
    let all = StreamFilter { status: StatusFilter::All, ..StreamFilter::default() };
    let filters = [
        all.clone(),
        StreamFilter { status: StatusFilter::Active, ..all.clone() },
        StreamFilter { broadcaster_id: Some(key.broadcaster_id), ..all.clone() },
        StreamFilter { path: Some(key.path.clone()), ..all.clone() },
        StreamFilter { media_server: Some(stream.media_server.clone()), ..all },
    ];
    for scope in &two.seeing {
        assert_eq!(store.stream(scope, stream.id).await.unwrap(), Some(stream.clone()));
        for filter in &filters {
            let found = store.streams(scope, filter, &Page::default()).await.unwrap();
            assert_eq!(found, slice::from_ref(&stream), "{filter:?}");
        }
        assert_eq!(store.live_streams(scope).await.unwrap().values().sum::<u64>(), 1);
        let range = (at(0), at(100));
        let samples = store.stream_samples(scope, stream.id, range, Duration::from_secs(10)).await.unwrap();
        assert_eq!(samples.len(), 1);
        let about = EventFilter { subject: Some(stream.id.0), topic: None };
        assert_eq!(store.events_before(scope, &about, i64::MAX, 9).await.unwrap().len(), 1);
        assert!(two.events(scope, Some(Topic::Stream)).await.contains(&"stream.started".to_owned()));
    }
    for scope in &two.blind {
        assert_eq!(store.stream(scope, stream.id).await.unwrap(), None);
        let range = (at(0), at(100));
        let samples = store.stream_samples(scope, stream.id, range, Duration::from_secs(10)).await.unwrap();
        assert_eq!(samples, []);
        let about = EventFilter { subject: Some(stream.id.0), topic: None };
        assert_eq!(store.events_before(scope, &about, i64::MAX, 9).await.unwrap(), []);
        for filter in &filters {
            assert_eq!(store.streams(scope, filter, &Page::default()).await.unwrap(), [], "{filter:?}");
        }
        assert!(store.live_streams(scope).await.unwrap().is_empty());
        let entry = audit("refused", at(2));
        let by = Change::new(scope, &entry);
        assert_eq!(store.request_end(stream.id, EndReason::EndedByOperator, by).await.unwrap(), None);
    }
    assert_eq!(two.world.store.stream(ALL, stream.id).await.unwrap(), Some(stream));
}

#[apply(every_store)]
#[tokio::test]
async fn events_and_audit_entries_of_others_do_not_exist(#[case] engine: Engine) {
    let two = Two::new(engine).await;
    let mut ours = broadcaster("Ours", at(0));
    two.world.store.create_broadcaster(&ours, by(&audit("ours", at(0)))).await.unwrap();
    ours = broadcaster("Theirs", at(0));
    ours.organization_id = two.theirs;
    two.world.store.create_broadcaster(&ours, by(&audit("theirs", at(0)))).await.unwrap();
    let installation = audit("installation", at(1));
    two.world.store.record_audit(slice::from_ref(&installation)).await.unwrap();
    assert_eq!(two.audited(ALL, AuditFilter::default()).await.len(), 5, "with those of the organizations");
    let [first, both, _] = &two.seeing;
    let is_expected = [(&two.blind[0], vec!["ours"]), (&two.blind[1], vec!["ours", "create"])];
    for (scope, expected) in is_expected
        .into_iter()
        .chain([(first, vec!["theirs", "create"]), (both, vec!["theirs", "ours", "create"])])
    {
        let mut found = two.audited(scope, AuditFilter::default()).await;
        found.sort_unstable();
        let mut expected = expected;
        expected.sort_unstable();
        assert_eq!(found, expected);
    }
    let actor = || Some("cli".to_owned());
    for filter in [
        AuditFilter { actor: actor(), ..AuditFilter::default() },
        AuditFilter { action: Some("theirs".into()), ..AuditFilter::default() },
        AuditFilter { resource_type: Some("thing".into()), ..AuditFilter::default() },
        AuditFilter { from: Some(at(0)), ..AuditFilter::default() },
    ] {
        assert!(two.audited(first, filter.clone()).await.contains(&"theirs".to_owned()), "{filter:?}");
        for scope in &two.blind {
            assert!(!two.audited(scope, filter.clone()).await.contains(&"theirs".to_owned()), "{filter:?}");
        }
    }
    let entry = AuditEntry { organization_id: Some(two.theirs), ..audit("of an id", at(2)).on(&"k1") };
    two.world.store.record_audit(&[entry]).await.unwrap();
    let of_id = AuditFilter { resource_id: Some("k1".into()), ..AuditFilter::default() };
    assert_eq!(two.audited(first, of_id.clone()).await, ["of an id"]);
    assert_eq!(two.audited(&two.blind[0], of_id).await, Vec::<String>::new());
    for topic in [None, Some(Topic::Broadcaster)] {
        assert_eq!(two.events(first, topic).await, ["broadcaster.created"]);
        assert_eq!(two.events(both, topic).await, ["broadcaster.created", "broadcaster.created"]);
        assert_eq!(two.events(&two.blind[0], topic).await, ["broadcaster.created"]);
    }
    let seen = two.world.store.events_after(first, None, 0, 10).await.unwrap();
    assert_eq!(seen[0].subject, ours.id.0);
}

#[apply(every_store)]
#[tokio::test]
async fn tokens_of_others_do_not_exist(#[case] engine: Engine) {
    let two = Two::new(engine).await;
    let store = &two.world.store;
    let mut ids = vec![];
    for owner in [Some(two.theirs), None] {
        let id = ApiTokenId(SystemIds.uuid());
        let (name, role) = ("x".to_owned(), Role::Admin);
        let token = ApiToken { id, organization_id: owner, name, role, created_at: at(1), expires_at: None };
        store.create_api_token(&token, &fresh_hash(), by(&audit("create", at(1)))).await.unwrap();
        ids.push(id);
    }
    let listed = async |scope: &Scope| -> Vec<ApiTokenId> {
        let tokens = store.api_tokens(scope, &Page::default()).await.unwrap();
        tokens.into_iter().map(|token| token.id).collect()
    };
    assert_eq!(listed(ALL).await.len(), 2);
    assert_eq!(listed(&two.seeing[0]).await, [ids[0]], "none of the installation");
    let entry = audit("refused", at(2));
    for scope in &two.blind {
        assert_eq!(listed(scope).await, []);
        for id in &ids {
            assert!(!store.delete_api_token(*id, Change::new(scope, &entry)).await.unwrap());
        }
    }
    assert!(!store.delete_api_token(ids[1], Change::new(&two.seeing[0], &entry)).await.unwrap());
    assert!(store.delete_api_token(ids[0], Change::new(&two.seeing[0], &entry)).await.unwrap());
    assert_eq!(listed(ALL).await, [ids[1]]);
}

#[apply(every_store)]
#[tokio::test]
async fn channels_and_what_belongs_to_them_do_not_exist_for_others(#[case] engine: Engine) {
    let two = Two::new(engine).await;
    let store = &two.world.store;
    let mut made = creation("Theirs", at(0));
    made.channel.organization_id = two.theirs;
    made.broadcaster.organization_id = two.theirs;
    made.keys.iter_mut().for_each(|(key, _)| key.organization_id = two.theirs);
    assert_eq!(two.world.create_channel(&made).await, ChannelWrite::Done(()));
    let (channel, id) = (made.channel.clone(), made.channel.id);
    let one = two.world.destination(id, "YouTube", at(1)).await;
    let rehearsed = rehearsal(id, at(1));
    let entry = audit("rehearse", at(1));
    let created = store.create_rehearsal(&rehearsed, by(&entry)).await.unwrap();
    assert_eq!(created, RehearsalCreation::Created);
    let decided = decision(id, DecisionKind::Cut, at(1));
    let reported = ReportedProgrammes {
        statuses: vec![(id, status(at(1)))],
        decisions: vec![decided.clone()],
        ..ReportedProgrammes::default()
    };
    store.record_programmes(&reported, at(1)).await.unwrap();
    for scope in &two.seeing {
        assert_eq!(store.channel(scope, id).await.unwrap(), Some(channel.clone()));
        assert_eq!(store.channel_named(scope, &channel.name).await.unwrap(), Some(channel.clone()));
        assert_eq!(store.channel_of(scope, made.broadcaster.id.0).await.unwrap(), Some(channel.clone()));
        assert_eq!(store.channels(scope, &Page::default()).await.unwrap(), slice::from_ref(&channel));
        assert_eq!(store.destination(scope, id, one.id).await.unwrap(), Some(one.clone()));
        assert_eq!(store.destinations(scope, id, &Page::default()).await.unwrap(), slice::from_ref(&one));
        assert_eq!(store.rehearsal(scope, id, rehearsed.id).await.unwrap(), Some(rehearsed.clone()));
        assert!(store.channel_status(scope, id).await.unwrap().is_some());
        assert_eq!(store.decisions(scope, id, &Page::default()).await.unwrap(), slice::from_ref(&decided));
        let kinds = ["channel.created", "destination.created", "channel.cut"];
        assert_eq!(two.events(scope, Some(Topic::Channel)).await, kinds);
    }
    let counts = two.counts().await;
    for scope in &two.blind {
        let entry = audit("refused", at(2));
        let by = Change::new(scope, &entry);
        assert_eq!(store.channel(scope, id).await.unwrap(), None);
        assert_eq!(store.channel_named(scope, &channel.name).await.unwrap(), None);
        assert_eq!(store.channel_of(scope, made.broadcaster.id.0).await.unwrap(), None);
        assert_eq!(store.channels(scope, &Page::default()).await.unwrap(), []);
        assert_eq!(store.destination(scope, id, one.id).await.unwrap(), None);
        assert_eq!(store.destinations(scope, id, &Page::default()).await.unwrap(), []);
        assert_eq!(store.rehearsal(scope, id, rehearsed.id).await.unwrap(), None);
        assert_eq!(store.channel_status(scope, id).await.unwrap(), None);
        assert_eq!(store.decisions(scope, id, &Page::default()).await.unwrap(), []);
        assert_eq!(two.events(scope, Some(Topic::Channel)).await, Vec::<String>::new());
        let updated = store.update_channel(id, &ChannelPatch::default(), by).await.unwrap();
        assert_eq!(updated, ChannelWrite::NotFound);
        assert_eq!(store.set_hold(id, &Hold::default(), by).await.unwrap(), None);
        assert_eq!(store.delete_channel(id, by).await.unwrap(), None);
        let new = destination(id, "x", at(2));
        assert!(!store.create_destination(&new, "sealed", by).await.unwrap());
        let patch = DestinationPatch::default();
        assert_eq!(store.update_destination(id, one.id, &patch, None, by).await.unwrap(), None);
        assert!(!store.delete_destination(id, one.id, by).await.unwrap());
        let refused = store.create_rehearsal(&rehearsal(id, at(2)), by).await.unwrap();
        assert_eq!(refused, RehearsalCreation::NotFound);
    }
    two.assert_unchanged(counts).await;
    // The name and the path stay taken, and nobody learns by whom.
    assert_eq!(two.world.create_channel(&creation("Theirs", at(2))).await, ChannelWrite::NameTaken);
    let entry = audit("delete", at(3));
    let deleted = store.delete_channel(id, Change::new(&two.seeing[0], &entry)).await.unwrap();
    assert_eq!(deleted, Some(vec![]));
    assert_eq!(store.broadcaster(ALL, made.broadcaster.id).await.unwrap(), None);
}

#[apply(every_store)]
#[tokio::test]
async fn clips_of_others_do_not_exist_also_not_for_playlists(#[case] engine: Engine) {
    let two = Two::new(engine).await;
    let store = &two.world.store;
    let id = ClipId(SystemIds.uuid());
    let clip = Clip::new((id, two.theirs), ClipName::parse("a.mp4").unwrap(), 100, at(1_000), at(0));
    let created = store.create_clip(&clip, 1_000, by(&audit("create", at(0)))).await.unwrap();
    assert_eq!(created, ClipCreation::Created);
    for scope in &two.seeing {
        assert_eq!(store.clip(scope, id).await.unwrap(), Some(clip.clone()));
        assert_eq!(store.clips_with(scope, &[id]).await.unwrap(), slice::from_ref(&clip));
        assert_eq!(store.clips(scope, &Page::default()).await.unwrap(), slice::from_ref(&clip));
    }
    for scope in &two.blind {
        let entry = audit("refused", at(1));
        assert_eq!(store.clip(scope, id).await.unwrap(), None);
        assert_eq!(store.clips_with(scope, &[id]).await.unwrap(), []);
        assert_eq!(store.clips(scope, &Page::default()).await.unwrap(), []);
        let deleted = store.delete_clip(id, Change::new(scope, &entry)).await.unwrap();
        assert_eq!(deleted, ClipDeletion::NotFound);
    }
    // A channel of the first organization cannot play it, also not by order of who may use both.
    let ours = two.world.channel("Ours").await;
    assert_eq!(two.world.play(&ours, &[id]).await, ChannelWrite::NoClip(id));
    let mut made = creation("Second", at(1));
    let playlist = Playlist { clips: vec![id], ..Playlist::default() };
    made.channel.inputs.backup = streamward::domain::channel::Backup::Playlist(playlist);
    assert_eq!(two.world.create_channel(&made).await, ChannelWrite::NoClip(id));
    made.channel.organization_id = two.theirs;
    made.broadcaster.organization_id = two.theirs;
    made.keys.iter_mut().for_each(|(key, _)| key.organization_id = two.theirs);
    assert_eq!(two.world.create_channel(&made).await, ChannelWrite::Done(()));
    for (scope, is_visible) in [(&two.seeing[0], true), (ALL, true), (&two.blind[0], false)] {
        let uses = store.clip_uses(scope, &[id]).await.unwrap();
        assert_eq!(!uses.is_empty(), is_visible);
    }
}

#[apply(every_store)]
#[tokio::test]
async fn streamers_of_others_do_not_exist(#[case] engine: Engine) {
    let two = Two::new(engine).await;
    let store = &two.world.store;
    let one = Streamer { organization_id: two.theirs, ..streamer("xqc", at(0)) };
    let created = store.create_streamer(&one, by(&audit("create", at(0)))).await.unwrap();
    assert_eq!(created, Written::Done(()));
    two.world.record(&[started(&one, 1, at(1))], AT_ONCE, at(1)).await;
    let named = StreamerFilter { username: Some("XQC".into()), ..StreamerFilter::default() };
    for scope in &two.seeing {
        assert_eq!(
            store.streamer(scope, one.id).await.unwrap().map(|one| one.organization_id),
            Some(two.theirs)
        );
        for filter in [StreamerFilter::default(), named.clone()] {
            assert_eq!(store.streamers(scope, &filter, &Page::default()).await.unwrap().len(), 1);
        }
        assert_eq!(store.status_events(scope, one.id, None, 10).await.unwrap().map(|all| all.len()), Some(1));
        let kinds = ["streamer.created", "streamer.online"];
        assert_eq!(two.events(scope, Some(Topic::Streamer)).await, kinds);
    }
    for scope in &two.blind {
        let entry = audit("refused", at(2));
        let by = Change::new(scope, &entry);
        assert_eq!(store.streamer(scope, one.id).await.unwrap(), None);
        for filter in [StreamerFilter::default(), named.clone()] {
            assert_eq!(store.streamers(scope, &filter, &Page::default()).await.unwrap(), []);
        }
        assert_eq!(store.status_events(scope, one.id, None, 10).await.unwrap(), None);
        assert_eq!(two.events(scope, Some(Topic::Streamer)).await, Vec::<String>::new());
        let patch = StreamerPatch::default();
        assert_eq!(store.update_streamer(one.id, &patch, by).await.unwrap(), Written::NotFound);
        assert!(!store.delete_streamer(one.id, by).await.unwrap());
    }
    two.world.now(&one).await;
}

#[apply(every_store)]
#[tokio::test]
async fn studios_and_their_history_do_not_exist_for_others(#[case] engine: Engine) {
    let two = Two::new(engine).await;
    let store = &two.world.store;
    let ours = Studio { organization_id: two.theirs, ..studio("main", at(0)) };
    let ours = store.open_studio(&ours).await.unwrap();
    let (id, name) = (ours.id, ours.name.clone());
    let report = StudioReport {
        snapshot: Some(snapshot(at(2))),
        sessions: vec![session(1, None)],
        decisions: vec![studio_fixture::decision(id, at(2))],
        records: vec![transition(at(2))],
        samples: vec![sample(at(2))],
        verified: vec![(content("lesson"), verification(at(1), None))],
        ..StudioReport::default()
    };
    two.world.record_studio(id, &report, at(2)).await;
    let first = drill(id, at(2));
    let created = store.create_drill(&first, by(&audit("drill", at(2)))).await.unwrap();
    assert_eq!(created, DrillCreation::Created);
    let times = (at(0), at(100));
    for scope in &two.seeing {
        assert_eq!(store.studio(scope, &name).await.unwrap(), Some(ours.clone()));
        assert_eq!(store.drills(scope, id, &Page::default()).await.unwrap(), slice::from_ref(&first));
        assert!(store.studio_snapshot(scope, id).await.unwrap().is_some());
        assert!(store.studio_ledger(scope, id, at(0)).await.unwrap().session().is_some());
        assert_ne!(store.studio_library(scope, id).await.unwrap(), Library::default());
        let records = store.studio_records(scope, id, RecordKind::Transition, at(0), 9).await.unwrap();
        assert_eq!(records.len(), 1);
        assert_eq!(store.studio_samples(scope, id, times, 9).await.unwrap().1, 1);
        assert_eq!(store.studio_decisions(scope, id, &Page::default()).await.unwrap().len(), 1);
        assert_eq!(two.events(scope, Some(Topic::Studio)).await, ["studio.decided", "studio.ordered"]);
    }
    for scope in &two.blind {
        let entry = audit("refused", at(3));
        let by = Change::new(scope, &entry);
        assert_eq!(store.studio(scope, &name).await.unwrap(), None);
        assert_eq!(store.drills(scope, id, &Page::default()).await.unwrap(), []);
        assert_eq!(store.studio_snapshot(scope, id).await.unwrap(), None);
        assert_eq!(store.studio_ledger(scope, id, at(0)).await.unwrap(), Ledger::default());
        assert_eq!(store.studio_library(scope, id).await.unwrap(), Library::default());
        let records = store.studio_records(scope, id, RecordKind::Transition, at(0), 9).await.unwrap();
        assert_eq!(records, []);
        assert_eq!(store.studio_samples(scope, id, times, 9).await.unwrap(), (vec![], 0));
        assert_eq!(store.studio_decisions(scope, id, &Page::default()).await.unwrap(), []);
        assert_eq!(two.events(scope, Some(Topic::Studio)).await, Vec::<String>::new());
        assert_eq!(store.order_studio(&name, &Order::Stop, None, by).await.unwrap(), None);
        let new = drill(id, at(3));
        assert_eq!(store.create_drill(&new, by).await.unwrap(), DrillCreation::NotFound);
    }
    assert_eq!(store.studio(ALL, &name).await.unwrap(), Some(ours));
}

#[apply(every_store)]
#[tokio::test]
async fn key_of_any_organization_is_claimed_by_the_same_statement(#[case] engine: Engine) {
    let two = Two::new(engine).await;
    let mut owner = broadcaster("Theirs", at(0));
    owner.organization_id = two.theirs;
    two.world.store.create_broadcaster(&owner, by(&audit("create", at(0)))).await.unwrap();
    let (key, hash) =
        (StreamKey { organization_id: two.theirs, ..key(owner.id, "live/x", at(0)) }, fresh_hash());
    assert_eq!(two.world.create(&key, &hash).await, KeyCreation::Created);
    let ttl = Duration::from_secs(15);
    let claimed =
        two.world.store.claim_for_publish(&hash, &request("c1"), at(1), ttl).await.unwrap().unwrap();
    assert_eq!((claimed.organization_id, claimed.holder.connection().is_some()), (two.theirs, true));
    // A path that is taken stays taken for everybody.
    let ours = two.world.broadcaster("Ours").await;
    let same = crate::fixture::key(ours.id, "live/x", at(2));
    assert_eq!(two.world.create(&same, &fresh_hash()).await, KeyCreation::PathTaken);
}
