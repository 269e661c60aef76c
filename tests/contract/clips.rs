//! Clips: their uploads, and the jobs that prepare them.

use futures_util::future::join_all;
use rstest_reuse::apply;
use streamward::adapters::system::SystemIds;
use streamward::domain::access::Scope;
use streamward::domain::channel::{Backup, Playlist, Profile};
use streamward::domain::clip::{
    AudioTrack, Clip, ClipId, ClipName, ClipState, ContentHash, JobId, MediaFile, Probe, Step, VideoTrack,
};
use streamward::domain::page::Page;
use streamward::domain::{OrganizationId, Timestamp};
use streamward::ports::{ChannelWrite, ClipCreation, ClipDeletion, IdGen as _};

use crate::channel_fixture::creation;
use crate::every_store;
use crate::fixture::{Engine, World, at, audit, by};

const ALL: Scope = Scope::system();
const FILE: MediaFile = MediaFile { hash: ContentHash([7; 32]), size: 50, duration_ms: 4_010 };

pub(crate) fn clip(name: &str, when: Timestamp) -> Clip {
    let id = (ClipId(SystemIds.uuid()), OrganizationId::DEFAULT);
    Clip::new(id, ClipName::parse(name).unwrap(), 100, at(1_000), when)
}

fn job() -> JobId {
    JobId(SystemIds.uuid())
}

fn other_profile() -> Profile {
    let mut profile = Profile::default();
    profile.video.fps = 50;
    profile
}

fn probed() -> Step {
    let video = VideoTrack { codec: "h264".into(), width: 640, height: 360, fps: 29.97, has_b_frames: true };
    let audio = AudioTrack { codec: "aac".into(), rate: 44_100, channels: 1 };
    let probe = Probe {
        container: "mov,mp4".into(),
        duration_ms: Some(4_000),
        video: Some(video),
        audio: Some(audio),
    };
    Step::Probed(ContentHash([9; 32]), probe)
}

impl World {
    async fn create_clip(&self, clip: &Clip, max_bytes: u64) -> ClipCreation {
        self.store.create_clip(clip, max_bytes, by(&audit("create", clip.created_at))).await.unwrap()
    }

    /// A stored clip whose upload has just begun.
    pub(crate) async fn clip(&self, name: &str, when: Timestamp) -> Clip {
        let one = clip(name, when);
        assert_eq!(self.create_clip(&one, u64::MAX).await, ClipCreation::Created);
        one
    }

    /// A stored clip that waits to be prepared.
    async fn queued(&self, name: &str, when: Timestamp) -> Clip {
        let one = self.clip(name, when).await;
        self.store.advance_upload(one.id, (0, 100), at(1_000), when).await.unwrap().expect("it is uploaded")
    }

    async fn delete_clip(&self, id: ClipId) -> ClipDeletion {
        self.store.delete_clip(id, by(&audit("delete", at(9)))).await.unwrap()
    }

    async fn clip_now(&self, id: ClipId) -> Option<Clip> {
        self.store.clip(&ALL, id).await.unwrap()
    }

    async fn claim_clip(&self, job: JobId, now: i64, until: i64) -> Option<Clip> {
        self.store.claim_clip(job, false, at(now), at(until)).await.unwrap()
    }

    async fn step(&self, id: ClipId, job: JobId, step: &Step, (now, until): (i64, i64)) -> Option<Clip> {
        self.store.record_step(id, job, step, at(until), at(now)).await.unwrap()
    }
}

#[apply(every_store)]
#[tokio::test]
async fn create_stores_the_clip_and_the_audit_entry(#[case] engine: Engine) {
    let world = engine.world().await;
    let intro = world.clip("intro \"ä\".mp4", at(0)).await;
    assert_eq!(world.clip_now(intro.id).await, Some(intro));
    assert_eq!(world.clip_now(ClipId(SystemIds.uuid())).await, None);
    assert_eq!(world.audited().await, ["create"]);
}

#[apply(every_store)]
#[tokio::test]
async fn create_stores_neither_if_all_clips_would_take_too_much(#[case] engine: Engine) {
    let world = engine.world().await;
    assert_eq!(world.create_clip(&clip("a", at(0)), 199).await, ClipCreation::Created);
    let second = clip("b", at(0));
    assert_eq!(world.create_clip(&second, 199).await, ClipCreation::Full);
    assert_eq!((world.clip_now(second.id).await, world.audited().await.len()), (None, 1));
    assert_eq!(world.create_clip(&second, 200).await, ClipCreation::Created);
    assert_eq!(world.store.clip_bytes().await.unwrap(), 200);
}

#[apply(every_store)]
#[tokio::test]
async fn clips_that_are_created_at_once_do_not_exceed_the_limit(#[case] engine: Engine) {
    let world = engine.world().await;
    let all: Vec<Clip> = (0..8).map(|n| clip(&n.to_string(), at(0))).collect();
    let created = join_all(all.iter().map(|one| world.create_clip(one, 300))).await;
    assert_eq!(created.iter().filter(|one| **one == ClipCreation::Created).count(), 3);
}

#[apply(every_store)]
#[tokio::test]
async fn all_clips_newest_first_ties_by_id(#[case] engine: Engine) {
    let world = engine.world().await;
    let (a, b) = (world.clip("a", at(5)).await, world.clip("b", at(5)).await);
    let (c, d) = (world.clip("c", at(9)).await, world.clip("d", at(1)).await);
    let all = world.store.clips(&ALL, &Page::default()).await.unwrap();
    assert_eq!(all, [c.clone(), b.clone(), a, d]);
    assert_eq!(world.store.clips(&ALL, &Page::first(2)).await.unwrap(), [c, b]);
}

#[apply(every_store)]
#[tokio::test]
async fn upload_advances_only_from_where_it_is(#[case] engine: Engine) {
    let world = engine.world().await;
    let intro = world.clip("intro.mp4", at(0)).await;
    let advance = |from, to, now| world.store.advance_upload(intro.id, (from, to), at(2_000), at(now));
    let half = advance(0, 40, 1).await.unwrap().expect("it advances");
    assert_eq!(half.state, ClipState::Uploading { offset: 40, expires_at: at(2_000) });
    assert_eq!(world.clip_now(intro.id).await, Some(half.clone()));
    for (from, to, now) in [(0, 40, 2), (41, 50, 2), (40, 101, 2), (40, 50, 2_000)] {
        assert_eq!(advance(from, to, now).await.unwrap(), None, "{from}..{to}");
    }
    assert_eq!(world.clip_now(intro.id).await, Some(half), "nothing was written");
    let whole = advance(40, 100, 3).await.unwrap().expect("it advances");
    assert_eq!((&whole.state, whole.updated_at), (&ClipState::Queued { waits_for: None }, at(3)));
    let unknown = world.store.advance_upload(ClipId(SystemIds.uuid()), (0, 1), at(9), at(1)).await.unwrap();
    assert_eq!(unknown, None);
}

#[apply(every_store)]
#[tokio::test]
async fn of_parts_at_once_one_advances_the_upload(#[case] engine: Engine) {
    let world = engine.world().await;
    let intro = world.clip("intro.mp4", at(0)).await;
    let parts = (1..=8).map(|to| world.store.advance_upload(intro.id, (0, to), at(1_000), at(1)));
    let advanced = join_all(parts).await.into_iter().filter_map(Result::unwrap);
    assert_eq!(advanced.count(), 1);
}

#[apply(every_store)]
#[tokio::test]
async fn oldest_clip_to_prepare_is_given_to_one_job_until_its_time_is_over(#[case] engine: Engine) {
    let world = engine.world().await;
    world.clip("still uploading", at(0)).await;
    let (second, first) = (world.queued("b", at(2)).await, world.queued("a", at(1)).await);
    let (one, two, three) = (job(), job(), job());
    let claimed = world.claim_clip(one, 10, 70).await.expect("a clip");
    assert_eq!((claimed.id, &claimed.state), (first.id, &ClipState::Probing));
    assert_eq!(world.clip_now(first.id).await, Some(claimed));
    assert_eq!(world.claim_clip(two, 11, 71).await.map(|clip| clip.id), Some(second.id));
    assert_eq!(world.claim_clip(three, 69, 130).await, None);
    assert_eq!(world.claim_clip(three, 70, 130).await.map(|clip| clip.id), Some(first.id));
    assert_eq!(world.step(first.id, one, &probed(), (71, 131)).await, None, "another job has it");
    assert!(world.step(second.id, two, &probed(), (70, 130)).await.is_some(), "nobody took it");
}

#[apply(every_store)]
#[tokio::test]
async fn of_jobs_at_once_one_gets_the_clip(#[case] engine: Engine) {
    let world = engine.world().await;
    let intro = world.queued("intro.mp4", at(0)).await;
    let claimed = join_all((0..8).map(|_| world.claim_clip(job(), 10, 70))).await;
    let claimed: Vec<Clip> = claimed.into_iter().flatten().collect();
    assert_eq!(claimed.iter().map(|clip| clip.id).collect::<Vec<_>>(), [intro.id]);
}

#[apply(every_store)]
#[tokio::test]
async fn upload_is_waited_for_until_it_is_kept(#[case] engine: Engine) {
    let world = engine.world().await;
    world.clip("still uploading", at(0)).await;
    let (second, first) = (world.queued("b", at(2)).await, world.queued("a", at(1)).await);
    assert_eq!(world.store.clips_to_keep().await.unwrap(), [first.clone(), second.clone()]);
    let record = |id, kept, now| {
        let store = &world.store;
        async move { store.record_kept(id, &kept, at(now)).await.unwrap() }
    };
    let waiting =
        record(first.id, Err("the bucket is unreachable".into()), 10).await.expect("it is waited for");
    assert_eq!((waiting.error(), waiting.source), (Some("the bucket is unreachable"), None));
    let hash = ContentHash([9; 32]);
    let kept = record(first.id, Ok(hash), 11).await.expect("it is waited for");
    assert_eq!((kept.error(), kept.source, kept.updated_at), (None, Some(hash), at(11)));
    assert_eq!(world.clip_now(first.id).await, Some(kept));
    assert_eq!(world.store.clips_to_keep().await.unwrap(), [second]);
    assert_eq!(record(first.id, Ok(hash), 12).await, None, "it is kept already");
    assert_eq!(record(ClipId(SystemIds.uuid()), Ok(hash), 12).await, None);
}

#[apply(every_store)]
#[tokio::test]
async fn job_that_takes_only_kept_clips_gets_no_other(#[case] engine: Engine) {
    let world = engine.world().await;
    let (older, kept) = (world.queued("a", at(1)).await.id, world.queued("b", at(2)).await.id);
    let claim = async |job| world.store.claim_clip(job, true, at(20), at(80)).await.unwrap();
    assert_eq!(claim(job()).await, None);
    let hash = ContentHash([9; 32]);
    world.store.record_kept(kept, &Ok(hash), at(10)).await.unwrap().expect("it is waited for");
    let claimed = claim(job()).await.expect("a clip");
    assert_eq!((claimed.id, claimed.source), (kept, Some(hash)));
    assert_eq!(claim(job()).await, None);
    assert_eq!(world.claim_clip(job(), 20, 80).await.map(|clip| clip.id), Some(older));
}

#[apply(every_store)]
#[tokio::test]
async fn steps_lead_to_a_clip_that_is_ready(#[case] engine: Engine) {
    let world = engine.world().await;
    let (id, job) = (world.queued("intro.mp4", at(0)).await.id, job());
    world.claim_clip(job, 10, 70).await.expect("a clip");
    let mut expected = world.clip_now(id).await.expect("it is stored");
    let steps = [Step::Progress(0.5), probed(), Step::Progress(0.25), Step::Made(Profile::default(), FILE)];
    for (now, step) in (20..).zip(steps) {
        expected = expected.after(&step, at(now));
        assert_eq!(world.step(id, job, &step, (now, now + 60)).await, Some(expected.clone()));
        assert_eq!(world.clip_now(id).await, Some(expected.clone()), "{step:?}");
    }
    assert_eq!(expected.state, ClipState::Ready);
    assert_eq!(world.store.clip_bytes().await.unwrap(), 150);
    assert_eq!(world.step(id, job, &Step::Progress(0.5), (30, 90)).await, None, "the job is over");
    assert_eq!(world.claim_clip(job, 500, 600).await, None);
}

#[apply(every_store)]
#[tokio::test]
async fn renewing_keeps_a_clip_with_its_job(#[case] engine: Engine) {
    let world = engine.world().await;
    let (id, one) = (world.queued("intro.mp4", at(0)).await.id, job());
    world.claim_clip(one, 10, 70).await.expect("a clip");
    assert!(world.step(id, one, &Step::Progress(0.0), (60, 120)).await.is_some());
    assert_eq!(world.claim_clip(job(), 119, 200).await, None);
    assert!(world.claim_clip(job(), 120, 200).await.is_some());
}

#[apply(every_store)]
#[tokio::test]
async fn postponed_clip_is_given_to_nobody_before_its_time(#[case] engine: Engine) {
    let world = engine.world().await;
    let (id, one) = (world.queued("intro.mp4", at(0)).await.id, job());
    world.claim_clip(one, 10, 70).await.expect("a clip");
    let later =
        world.step(id, one, &Step::Postponed(Some("no ffmpeg".into())), (20, 50)).await.expect("its clip");
    assert_eq!((later.state.name(), later.error()), ("queued", Some("no ffmpeg")));
    assert_eq!(world.claim_clip(job(), 49, 100).await, None);
    assert!(world.claim_clip(job(), 50, 100).await.is_some());
    assert_eq!(world.step(id, one, &probed(), (51, 110)).await, None);
}

#[apply(every_store)]
#[tokio::test]
async fn attempts_without_a_step_are_counted(#[case] engine: Engine) {
    let world = engine.world().await;
    let id = world.queued("intro.mp4", at(0)).await.id;
    for (now, steps) in [(0, false), (100, true), (200, false), (300, false), (400, false)] {
        let one = job();
        let claimed = world.claim_clip(one, now, now + 50).await.expect("a clip");
        assert!(claimed.is_at_work(), "at {now}");
        assert!(world.step(id, one, &Step::Progress(0.1), (now, now + 50)).await.is_some());
        if steps {
            assert!(world.step(id, one, &probed(), (now, now + 50)).await.is_some());
        }
    }
    let given_up = world.claim_clip(job(), 500, 550).await.expect("a clip");
    assert_eq!(given_up.state.name(), "failed");
    assert_eq!(world.claim_clip(job(), 600, 650).await, None);
}

#[apply(every_store)]
#[tokio::test]
async fn clip_is_wanted_once_in_each_profile(#[case] engine: Engine) {
    let world = engine.world().await;
    let (id, one) = (world.queued("intro.mp4", at(0)).await.id, job());
    let want = async |profile: Profile| world.store.want_rendition(id, &profile, at(30)).await.unwrap();
    world.claim_clip(one, 10, 70).await.expect("a clip");
    world.step(id, one, &probed(), (20, 80)).await.expect("its clip");
    world.step(id, one, &Step::Made(Profile::default(), FILE), (21, 81)).await.expect("its clip");
    assert_eq!((want(Profile::default()).await, want(other_profile()).await), (false, true));
    assert!(!want(other_profile()).await);
    let wanted = world.clip_now(id).await.expect("it is stored");
    assert_eq!((wanted.state.name(), wanted.next_rendition()), ("queued", Some(other_profile())));
    let unknown = world.store.want_rendition(ClipId(SystemIds.uuid()), &Profile::default(), at(1)).await;
    assert!(!unknown.unwrap());
}

#[apply(every_store)]
#[tokio::test]
async fn delete_removes_the_clip_with_the_audit_entry(#[case] engine: Engine) {
    let world = engine.world().await;
    let (intro, kept) = (world.queued("intro.mp4", at(0)).await, world.clip("kept", at(0)).await);
    let one = job();
    world.claim_clip(one, 10, 70).await.expect("a clip");
    assert_eq!(world.delete_clip(intro.id).await, ClipDeletion::Deleted);
    assert_eq!((world.clip_now(intro.id).await, world.clip_now(kept.id).await), (None, Some(kept)));
    assert_eq!(world.step(intro.id, one, &probed(), (20, 80)).await, None);
    assert_eq!(world.delete_clip(intro.id).await, ClipDeletion::NotFound);
    assert_eq!(world.audited().await, ["delete", "create", "create"]);
}

#[apply(every_store)]
#[tokio::test]
async fn clip_in_a_playlist_is_not_deleted_and_a_playlist_has_no_deleted_clip(#[case] engine: Engine) {
    let world = engine.world().await;
    let (a, b) = (world.channel("a").await, world.channel("b").await);
    let (intro, other) = (world.clip("intro.mp4", at(0)).await.id, world.clip("other", at(0)).await.id);
    for channel in [&a, &b] {
        assert!(matches!(world.play(channel, &[other, intro]).await, ChannelWrite::Done(_)));
    }
    let audited = world.audited().await.len();
    let mut users = vec![a.id, b.id];
    users.sort();
    assert_eq!(world.delete_clip(intro).await, ClipDeletion::InUse(users));
    assert_eq!(world.audited().await.len(), audited, "nothing was written");
    world.play(&a, &[other]).await;
    assert_eq!(world.delete_clip(intro).await, ClipDeletion::InUse(vec![b.id]));
    world.play(&b, &[]).await;
    assert_eq!(world.delete_clip(intro).await, ClipDeletion::Deleted);
    assert_eq!(world.play(&a, &[other, intro]).await, ChannelWrite::NoClip(intro));
    assert_eq!(world.store.clip_uses(&ALL, &[intro, other]).await.unwrap(), [(other, a.id)]);
    let mut creation = creation("c", at(3));
    let playlist = Playlist { clips: vec![intro], ..Playlist::default() };
    creation.channel.inputs.backup = Backup::Playlist(playlist);
    assert_eq!(world.create_channel(&creation).await, ChannelWrite::NoClip(intro));
}

#[apply(every_store)]
#[tokio::test]
async fn of_a_deletion_and_a_playlist_at_once_one_is_refused(#[case] engine: Engine) {
    let world = engine.world().await;
    let channel = world.channel("a").await;
    for round in 0..20 {
        let clip = world.clip(&format!("{round}"), at(0)).await.id;
        let clips = [clip];
        let (deleted, played) = tokio::join!(world.delete_clip(clip), world.play(&channel, &clips));
        let (is_deleted, is_played) =
            (deleted == ClipDeletion::Deleted, matches!(played, ChannelWrite::Done(_)));
        assert!(is_deleted != is_played, "{deleted:?} {played:?}");
        let uses = world.store.clip_uses(&ALL, &[clip]).await.unwrap();
        assert_eq!((uses.len() == 1, world.clip_now(clip).await.is_some()), (is_played, is_played));
        world.play(&channel, &[]).await;
    }
}

#[apply(every_store)]
#[tokio::test]
async fn clips_with_these_ids_are_those_that_exist(#[case] engine: Engine) {
    let world = engine.world().await;
    let (a, b) = (world.clip("a", at(0)).await, world.clip("b", at(1)).await);
    world.clip("c", at(2)).await;
    let with = async |ids: &[ClipId]| {
        let mut clips = world.store.clips_with(&ALL, ids).await.unwrap();
        clips.sort_by_key(|clip| clip.created_at);
        clips
    };
    assert_eq!(with(&[b.id, ClipId(SystemIds.uuid()), a.id]).await, [a, b]);
    assert_eq!(with(&[]).await, []);
}

#[apply(every_store)]
#[tokio::test]
async fn expired_uploads_are_removed_and_no_others(#[case] engine: Engine) {
    let world = engine.world().await;
    let (expired, whole) = (world.clip("a", at(0)).await, world.queued("b", at(0)).await);
    let going_on = world.clip("c", at(0)).await;
    world.store.advance_upload(going_on.id, (0, 1), at(3_000), at(1)).await.unwrap().expect("it advances");
    assert_eq!(world.store.remove_expired_uploads(at(999)).await.unwrap(), []);
    assert_eq!(world.store.remove_expired_uploads(at(1_000)).await.unwrap(), [expired.id]);
    assert_eq!(world.clip_now(expired.id).await, None);
    assert!(world.clip_now(whole.id).await.is_some() && world.clip_now(going_on.id).await.is_some());
}
