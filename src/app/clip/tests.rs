//! The service over fakes of the files and of ffmpeg.

use std::collections::BTreeMap;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::*;
use crate::adapters::local_wake_ups::LocalWakeUps;
use crate::adapters::memory::MemoryStore;
use crate::adapters::system::{SystemClock, SystemIds};
use crate::app::task::{LongRunningTask as _, TaskContext};
use crate::domain::clip::{AudioTrack, ContentHash, JobId, MediaFile, Probe, VideoTrack};
use crate::domain::secret::MasterKey;
use crate::ports::{Conversion, IdGen as _, MediaError, MediaResult, TranscodeError, UploadWriter};

/// Files that have sizes, but no content.
#[derive(Default)]
struct FakeMedia {
    files: Mutex<BTreeMap<ClipId, u64>>,
    /// If they are in a bucket.
    bucket: Mutex<Option<FakeBucket>>,
}

#[derive(Clone, Copy)]
struct FakeBucket {
    is_unreachable: bool,
    /// Whether its renditions were fetched.
    is_fetched: bool,
}

impl FakeMedia {
    /// What the bucket answers.
    fn answer(&self) -> MediaResult<()> {
        match *self.bucket.lock().unwrap() {
            Some(FakeBucket { is_unreachable: true, .. }) => Err(MediaError::Bucket("no route".to_owned())),
            _ => Ok(()),
        }
    }
}

struct FakeUpload;

#[async_trait]
impl UploadWriter for FakeUpload {
    async fn write(&mut self, _: &[u8]) -> MediaResult<()> {
        Ok(())
    }

    async fn sync(&mut self) -> MediaResult<()> {
        Ok(())
    }
}

#[async_trait]
impl MediaStore for FakeMedia {
    async fn create_upload(&self, clip: ClipId) -> MediaResult<()> {
        self.files.lock().unwrap().insert(clip, 0);
        Ok(())
    }

    async fn open_upload(&self, _: ClipId, _: u64) -> MediaResult<Box<dyn UploadWriter>> {
        Ok(Box::new(FakeUpload))
    }

    async fn has_upload(&self, clip: ClipId, _: u64) -> MediaResult<bool> {
        Ok(self.files.lock().unwrap().contains_key(&clip))
    }

    fn has_bucket(&self) -> bool {
        self.bucket.lock().unwrap().is_some()
    }

    async fn check(&self) -> MediaResult<()> {
        self.answer()
    }

    async fn keep_source(&self, _: ClipId) -> MediaResult<ContentHash> {
        self.answer().map(|()| ContentHash([1; 32]))
    }

    async fn source(&self, _: ClipId, _: &ContentHash) -> MediaResult<LocalFile> {
        Ok(Path::new("source").into())
    }

    async fn work_file(&self, _: ClipId, _: JobId) -> MediaResult<PathBuf> {
        Ok(PathBuf::from("work"))
    }

    async fn keep_rendition(&self, _: ClipId, _: JobId) -> MediaResult<(ContentHash, u64)> {
        Ok((ContentHash([2; 32]), 10))
    }

    async fn discard(&self, _: ClipId, _: JobId) {}

    async fn rendition(&self, _: ClipId, file: &MediaFile) -> Option<LocalFile> {
        let is_here = self.bucket.lock().unwrap().is_none_or(|bucket| bucket.is_fetched);
        is_here.then(|| PathBuf::from(format!("{}.flv", file.hash)).into())
    }

    async fn fetch_rendition(&self, _: ClipId, _: &MediaFile) -> MediaResult<()> {
        self.answer()?;
        *self.bucket.lock().unwrap() = Some(FakeBucket { is_unreachable: false, is_fetched: true });
        Ok(())
    }

    fn slates(&self) -> PathBuf {
        PathBuf::from("slates")
    }

    async fn free_bytes(&self) -> MediaResult<u64> {
        Ok(u64::MAX)
    }

    async fn remove(&self, clip: ClipId) -> MediaResult<()> {
        self.files.lock().unwrap().remove(&clip);
        Ok(())
    }

    async fn clips(&self) -> MediaResult<Vec<ClipId>> {
        Ok(self.files.lock().unwrap().keys().copied().collect())
    }
}

/// What the fake of ffmpeg does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Behaviour {
    Converts,
    IsNotInstalled,
    /// Until it is stopped.
    Hangs,
    /// Makes files of another size.
    ConvertsBadly,
}

struct FakeFfmpeg(watch::Sender<Behaviour>);

fn probe(width: u32) -> Probe {
    let video = VideoTrack { codec: "h264".into(), width, height: 720, fps: 30.0, has_b_frames: false };
    let audio = AudioTrack { codec: "aac".into(), rate: 48_000, channels: 2 };
    Probe { container: "flv".into(), duration_ms: Some(4_000), video: Some(video), audio: Some(audio) }
}

#[async_trait]
impl Transcoder for FakeFfmpeg {
    async fn probe(&self, file: &Path) -> std::result::Result<Probe, TranscodeError> {
        let behaviour = *self.0.borrow();
        match behaviour {
            Behaviour::IsNotInstalled => Err(TranscodeError::Unavailable("ffprobe is not installed".into())),
            Behaviour::ConvertsBadly if file == Path::new("work") => Ok(probe(640)),
            _ => Ok(probe(1_280)),
        }
    }

    async fn convert(
        &self,
        _: Conversion<'_>,
        _: &watch::Sender<f32>,
        stop: &CancellationToken,
    ) -> std::result::Result<(), TranscodeError> {
        if *self.0.borrow() == Behaviour::Hangs {
            stop.cancelled().await;
            return Err(TranscodeError::Stopped);
        }
        Ok(())
    }

    async fn slate(&self, _: &Profile, folder: &Path) -> std::result::Result<PathBuf, TranscodeError> {
        Ok(folder.join("slate.flv"))
    }

    async fn as_mp4(&self, file: &Path) -> std::result::Result<PathBuf, TranscodeError> {
        Ok(file.with_extension("mp4"))
    }
}

struct World {
    clips: Arc<Clips>,
    media: Arc<FakeMedia>,
    ffmpeg: Arc<FakeFfmpeg>,
}

fn actor() -> Actor {
    Actor::cli("test")
}

impl World {
    fn new(behaviour: Behaviour) -> Self {
        let clock = Arc::new(SystemClock);
        let (store, wake_ups) =
            (Arc::new(MemoryStore::new(clock.clone())), Arc::new(LocalWakeUps::default()));
        let master = MasterKey::new([1; 32]);
        let core = Core::over_one_store(store, clock, Arc::new(SystemIds), wake_ups, &master);
        let media = Arc::new(FakeMedia::default());
        let ffmpeg = Arc::new(FakeFfmpeg(watch::Sender::new(behaviour)));
        let outside = ClipOutside { media: Arc::clone(&media) as _, transcoder: Arc::clone(&ffmpeg) as _ };
        let settings = ClipSettings { max_bytes: 1_000, upload_expiry: Duration::from_secs(60), jobs: 2 };
        Self { clips: Arc::new(Clips::new(Arc::new(core), outside, settings)), media, ffmpeg }
    }

    async fn uploaded(&self) -> ClipId {
        let clip = self.clips.create_upload(&actor(), None, "intro.mp4", 5).await.unwrap();
        let mut append = self.clips.append(&actor(), clip.id, 0).await.unwrap();
        append.write(b"12345").await.unwrap();
        assert!(append.acknowledge().await.unwrap().is_to_prepare());
        clip.id
    }

    async fn rendition(&self, id: ClipId, profile: &Profile) -> Option<LocalFile> {
        self.clips.renditions(&[id], profile).await.unwrap().remove(&id)
    }

    fn set_bucket(&self, is_unreachable: bool) {
        *self.media.bucket.lock().unwrap() = Some(FakeBucket { is_unreachable, is_fetched: false });
    }

    async fn clip(&self, id: ClipId) -> Clip {
        self.clips.get(&actor(), id).await.unwrap().clip
    }

    /// Runs the tasks until the clip is as wanted, then stops them.
    async fn prepare_until(&self, id: ClipId, is_reached: impl Fn(&Clip) -> bool) -> Clip {
        self.run_until(async || Some(self.clip(id).await).filter(|clip| is_reached(clip))).await
    }

    /// The same, until `poll` finds something.
    async fn run_until<T>(&self, poll: impl AsyncFn() -> Option<T>) -> T {
        let stop = CancellationToken::new();
        let context = TaskContext::new(watch::Sender::default(), stop.clone());
        let mut preparation = ClipPreparation(Arc::clone(&self.clips));
        let mut transfers = ClipTransfers(Arc::clone(&self.clips));
        let has_bucket = self.clips.transfers().is_some();
        let transferring = async { if has_bucket { transfers.run(&context).await } else { Ok(()) } };
        let reached = async {
            loop {
                if let Some(found) = poll().await {
                    stop.cancel();
                    return found;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let (prepared, transferred, found) = tokio::join!(preparation.run(&context), transferring, reached);
        prepared.and(transferred).unwrap();
        found
    }
}

#[tokio::test]
async fn rendition_is_made_when_it_is_wanted() {
    let world = World::new(Behaviour::Converts);
    let id = world.uploaded().await;
    let default = Profile::default();
    assert_eq!(world.rendition(id, &default).await, None, "it is not made yet");
    world.prepare_until(id, |clip| clip.state == ClipState::Ready).await;
    let made = LocalFile::from(PathBuf::from(format!("{}.flv", ContentHash([2; 32]))));
    assert_eq!(world.rendition(id, &default).await, Some(made.clone()));
    let mut mono = default;
    mono.audio.channels = 1;
    assert_eq!(world.rendition(id, &mono).await, None);
    let queued = world.clip(id).await;
    assert_eq!((queued.state.name(), queued.next_rendition()), ("queued", Some(mono)));
    assert_eq!(world.rendition(id, &default).await, Some(made), "it can still be played");
    assert_eq!(world.rendition(ClipId(Uuid::nil()), &default).await, None);
}

#[tokio::test]
async fn clip_waits_while_ffmpeg_is_not_installed() {
    let world = World::new(Behaviour::IsNotInstalled);
    let id = world.uploaded().await;
    let waiting = world.prepare_until(id, |clip| clip.error().is_some()).await;
    assert_eq!((waiting.state.name(), waiting.error()), ("queued", Some("ffprobe is not installed")));
}

#[tokio::test]
async fn clip_is_prepared_again_after_a_stop() {
    let world = World::new(Behaviour::Hangs);
    let id = world.uploaded().await;
    world.prepare_until(id, |clip| matches!(clip.state, ClipState::Normalizing { .. })).await;
    assert_eq!(world.clip(id).await.state, ClipState::Queued { waits_for: None });
    world.ffmpeg.0.send_replace(Behaviour::Converts);
    world.prepare_until(id, |clip| clip.state == ClipState::Ready).await;
}

#[tokio::test]
async fn rendition_that_is_not_as_it_must_be_is_not_kept() {
    let world = World::new(Behaviour::ConvertsBadly);
    let id = world.uploaded().await;
    let failed = world.prepare_until(id, |clip| !clip.is_to_prepare()).await;
    assert!(failed.error().is_some_and(|error| error.contains("not as it must be")), "{failed:?}");
    assert_eq!(failed.rendition(&Profile::default()), None);
}

#[tokio::test]
async fn clip_is_prepared_when_the_bucket_has_its_upload() {
    let world = World::new(Behaviour::Converts);
    world.set_bucket(true);
    let id = world.uploaded().await;
    let waiting =
        world.prepare_until(id, |clip| clip.error().is_some_and(|why| why.contains("no route"))).await;
    assert_eq!((waiting.state.name(), waiting.source), ("queued", None));
    world.set_bucket(false);
    let ready = world.prepare_until(id, |clip| clip.state == ClipState::Ready).await;
    assert_eq!(ready.source, Some(ContentHash([1; 32])));
}

#[tokio::test]
async fn rendition_is_fetched_before_it_is_played() {
    let world = World::new(Behaviour::Converts);
    world.set_bucket(false);
    let (id, default) = (world.uploaded().await, Profile::default());
    world.prepare_until(id, |clip| clip.state == ClipState::Ready).await;
    world.set_bucket(true);
    let status = || world.clips.transfers().unwrap();
    assert_eq!(status(), TransferStatus { fetching: 0, problem: None });
    for _ in 0..2 {
        assert_eq!(world.rendition(id, &default).await, None, "it is in the bucket only");
        assert_eq!(status().fetching, 1);
    }
    let problem = world.run_until(async || status().problem).await;
    assert!(problem.contains("no route"), "{problem}");
    world.set_bucket(false);
    let file = world.run_until(async || world.rendition(id, &default).await).await;
    assert_eq!(file, PathBuf::from(format!("{}.flv", ContentHash([2; 32]))).into());
    assert_eq!(status(), TransferStatus { fetching: 0, problem: None });
}

#[tokio::test]
async fn files_without_a_clip_are_removed_when_they_are_old() {
    let world = World::new(Behaviour::Converts);
    let (kept, new) = (world.uploaded().await, ClipId(SystemIds.uuid()));
    // Made in 2024.
    let old = ClipId("018cc251-f400-7000-8000-000000000000".parse().unwrap());
    for id in [old, new] {
        world.media.create_upload(id).await.unwrap();
    }
    world.clips.run().await.unwrap();
    assert_eq!(world.media.clips().await.unwrap(), [kept, new]);
}
