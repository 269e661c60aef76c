//! A watcher over a store in memory, with a scripted Kick and a scripted feed. Time is the runtime's paused clock, so
//! hours pass in moments.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use streamward::adapters::local_wake_ups::LocalWakeUps;
use streamward::adapters::memory::MemoryStore;
use streamward::adapters::system::SystemIds;
use streamward::app::Core;
use streamward::app::streamer::{StreamerDraft, StreamerSettings, Streamers, Watcher};
use streamward::app::task::{LongRunningTask as _, TaskContext};
use streamward::domain::access::{Actor, Scope};
use streamward::domain::secret::MasterKey;
use streamward::domain::streamer::decide::ReportedStatus;
use streamward::domain::streamer::{ChannelId, KickIds, Session, Slug, Source, Status, Streamer, UserId};
use streamward::domain::{StreamerId, Timestamp};
use streamward::ports::{
    Clock, FeedSignal, KickApi, KickChannel, KickLive, RemoteError, StatusFeed, StatusUpdate, Store, Subject,
    WakeUps, Wanted,
};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

/// A clock that runs on the runtime's time.
pub(super) struct RuntimeClock(Instant);

impl Default for RuntimeClock {
    fn default() -> Self {
        Self(Instant::now())
    }
}

impl Clock for RuntimeClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_seconds(1_700_000_000).plus(self.0.elapsed())
    }
}

/// A person on Kick.
#[derive(Clone)]
pub(super) struct Person {
    pub(super) user: u64,
    pub(super) slug: String,
    pub(super) live: Option<Session>,
}

/// A scripted Kick.
#[derive(Default)]
pub(super) struct FakeKick {
    pub(super) people: Mutex<BTreeMap<u64, Person>>,
    /// Live users that answers about fifty users wrongly omit or call not live.
    pub(super) overlooked: Mutex<BTreeSet<u64>>,
    pub(super) is_unreachable: Mutex<bool>,
    /// Users that make it refuse the whole request.
    pub(super) refused: Mutex<BTreeSet<u64>>,
    /// How long each answer takes.
    pub(super) takes: Mutex<Duration>,
    /// All requests: the endpoint, and the number of users or names.
    pub(super) requests: Mutex<Vec<(&'static str, usize)>>,
}

impl FakeKick {
    pub(super) fn person(&self, user: u64, slug: &str) {
        let person = Person { user, slug: slug.into(), live: None };
        self.people.lock().expect("not poisoned").insert(user, person);
    }

    pub(super) fn set_live(&self, user: u64, live: Option<Session>) {
        self.people.lock().expect("not poisoned").get_mut(&user).expect("valid").live = live;
    }

    fn request(&self, endpoint: &'static str, about: usize) -> Result<(), RemoteError> {
        if *self.is_unreachable.lock().expect("not poisoned") {
            return Err(RemoteError::TimedOut);
        }
        self.requests.lock().expect("not poisoned").push((endpoint, about));
        Ok(())
    }

    fn seen(&self, users: &[UserId]) -> Vec<Person> {
        // As Kick does: answers about many users are half false.
        let overlooked = if users.len() < 50 {
            BTreeSet::new()
        } else {
            self.overlooked.lock().expect("not poisoned").clone()
        };
        let people = self.people.lock().expect("not poisoned");
        let found = users.iter().filter_map(|user| people.get(&user.get()).cloned());
        found
            .map(|person| {
                let live = person.live.clone().filter(|_| !overlooked.contains(&person.user));
                Person { live, ..person }
            })
            .collect()
    }
}

#[async_trait]
impl KickApi for FakeKick {
    async fn channels_named(&self, slugs: &[Slug]) -> Result<Vec<KickChannel>, RemoteError> {
        self.request("named", slugs.len())?;
        let people = self.people.lock().expect("not poisoned");
        let found = people.values().filter(|person| slugs.iter().any(|slug| slug.as_str() == person.slug));
        Ok(found.map(channel).collect())
    }

    async fn channels(&self, users: &[UserId]) -> Result<Vec<KickChannel>, RemoteError> {
        self.request("channels", users.len())?;
        Ok(self.seen(users).iter().map(channel).collect())
    }

    async fn live_among(&self, users: &[UserId]) -> Result<Vec<KickLive>, RemoteError> {
        self.request("live", users.len())?;
        let takes = *self.takes.lock().expect("not poisoned");
        sleep(takes).await;
        if users.iter().any(|user| self.refused.lock().expect("not poisoned").contains(&user.get())) {
            return Err(RemoteError::Status { status: 400, message: "Bad request".into() });
        }
        let live = self.seen(users).into_iter().filter_map(|person| {
            Some(KickLive {
                user: UserId::new(person.user).expect("valid"),
                channel: ChannelId::new(person.user + 1_000).ok(),
                slug: Slug::parse(&person.slug).ok(),
                session: person.live?,
            })
        });
        Ok(live.collect())
    }

    async fn ids_on_site(&self, _: &Slug) -> Result<Option<KickIds>, RemoteError> {
        Err(RemoteError::Unsupported("refused".into()))
    }

    async fn token_valid_until(&self) -> Result<Timestamp, RemoteError> {
        Ok(Timestamp::from_seconds(0))
    }
}

fn channel(person: &Person) -> KickChannel {
    KickChannel {
        user: UserId::new(person.user).expect("valid"),
        slug: Slug::parse(&person.slug).expect("valid"),
        live: person.live.clone(),
    }
}

/// A scripted feed.
#[derive(Default)]
pub(super) struct FakeFeed {
    out: Mutex<Option<mpsc::Sender<FeedSignal>>>,
    wanted: Mutex<Option<watch::Receiver<Arc<Wanted>>>>,
}

#[async_trait]
impl StatusFeed for FakeFeed {
    async fn watch(&self, wanted: watch::Receiver<Arc<Wanted>>, out: mpsc::Sender<FeedSignal>) {
        *self.wanted.lock().expect("not poisoned") = Some(wanted);
        *self.out.lock().expect("not poisoned") = Some(out);
        std::future::pending::<()>().await;
    }
}

impl FakeFeed {
    pub(super) async fn send(&self, signal: FeedSignal) {
        let out = self.out.lock().expect("not poisoned").clone().expect("the feed is watched");
        out.send(signal).await.expect("somebody listens");
    }

    pub(super) fn wanted(&self) -> Wanted {
        let wanted = self.wanted.lock().expect("not poisoned");
        let now = wanted.as_ref().expect("the feed is watched").borrow().clone();
        (*now).clone()
    }
}

/// A watcher and its surroundings.
pub(super) struct World {
    pub(super) streamers: Arc<Streamers>,
    pub(super) store: Arc<dyn Store>,
    pub(super) kick: Arc<FakeKick>,
    pub(super) feed: Arc<FakeFeed>,
    pub(super) clock: Arc<RuntimeClock>,
    work: JoinSet<()>,
}

pub(super) fn session(id: u64, started_at: Timestamp) -> Session {
    Session { id: Some(id.to_string()), started_at: Some(started_at), ..Session::default() }
}

impl World {
    /// The watcher is not started yet.
    pub(super) fn new() -> Self {
        let clock = Arc::new(RuntimeClock::default());
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new(Arc::clone(&clock) as Arc<dyn Clock>));
        let core = Core::over_one_store(
            Arc::clone(&store),
            Arc::clone(&clock) as Arc<dyn Clock>,
            Arc::new(SystemIds),
            Arc::new(LocalWakeUps::default()) as Arc<dyn WakeUps>,
            &MasterKey::new([9; 32]),
        );
        let settings = StreamerSettings { is_on: true, ..StreamerSettings::default() };
        let streamers = Arc::new(Streamers::new(Arc::new(core), settings, None));
        let (kick, feed) = (Arc::default(), Arc::default());
        Self { streamers, store, kick, feed, clock, work: JoinSet::new() }
    }

    /// Starts the watcher and waits for its first polls.
    pub(super) async fn start(&mut self) {
        let feed = Arc::clone(&self.feed) as Arc<dyn StatusFeed>;
        let kick = Arc::clone(&self.kick) as Arc<dyn KickApi>;
        let mut watcher = Watcher::new(Arc::clone(&self.streamers), Some(feed), kick, true);
        self.work.spawn(async move {
            watcher.run(&TaskContext::default()).await.expect("it does not end by itself");
        });
        sleep(Duration::from_secs(1)).await;
    }

    /// As after a crash: only what is stored survives.
    pub(super) async fn restart(&mut self) {
        self.work.shutdown().await;
        self.feed = Arc::default();
        self.start().await;
    }

    pub(super) async fn add(&self, name: &str) -> StreamerId {
        let draft = StreamerDraft { username: Some(name.into()), ..StreamerDraft::default() };
        self.streamers.create(&Actor::cli("test"), draft).await.expect("created").id
    }

    /// Adds a person on Kick who is on the list, with user `n` and channel `n + 1000`.
    pub(super) async fn person(&self, n: u64) -> StreamerId {
        let name = format!("person-{n}");
        self.kick.person(n, &name);
        let draft = StreamerDraft {
            username: Some(name),
            user_id: Some(n),
            channel_id: Some(n + 1_000),
            ..StreamerDraft::default()
        };
        self.streamers.create(&Actor::cli("test"), draft).await.expect("created").id
    }

    pub(super) async fn get(&self, id: StreamerId) -> Streamer {
        self.store.streamer(&Scope::system(), id).await.expect("valid").expect("it is there")
    }

    pub(super) async fn status(&self, id: StreamerId) -> Status {
        self.get(id).await.track.status
    }

    /// The statuses in history, oldest first; checked against the row.
    pub(super) async fn history(&self, id: StreamerId) -> Vec<Status> {
        let events = self
            .store
            .status_events(&Scope::system(), id, None, 500)
            .await
            .expect("valid")
            .expect("it is there");
        let statuses: Vec<Status> = events.iter().rev().map(|event| event.change.new_status).collect();
        assert_eq!(statuses.last().copied().unwrap_or_default(), self.status(id).await);
        statuses
    }

    /// The kinds of the change events in the log, in order.
    pub(super) async fn events(&self) -> Vec<String> {
        let events = self.store.events_after(&Scope::system(), None, 0, 10_000).await.expect("valid");
        events.into_iter().map(|event| event.kind).filter(|kind| *kind != "streamer.created").collect()
    }

    pub(super) async fn report(&self, n: u64, reported: ReportedStatus) {
        let update = StatusUpdate {
            subject: Subject::Channel(ChannelId::new(n + 1_000).expect("valid")),
            reported,
            source: Source::Pusher,
            received_at: self.clock.now(),
        };
        self.feed.send(FeedSignal::Update(update)).await;
        sleep(Duration::from_millis(10)).await;
    }

    pub(super) async fn goes_live(&self, n: u64, livestream: u64) {
        let session = session(livestream, self.clock.now());
        self.kick.set_live(n, Some(Session { id: None, ..session.clone() }));
        self.report(n, ReportedStatus::Started(session)).await;
    }

    pub(super) async fn stops(&self, n: u64, livestream: u64) {
        self.kick.set_live(n, None);
        let session = Session { id: Some(livestream.to_string()), ..Session::default() };
        self.report(n, ReportedStatus::Stopped { session, banned: false }).await;
    }
}
