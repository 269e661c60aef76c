//! Events: one task reads the log for the whole instance and passes each event on to the readers of its topic. A
//! reader that resumes reads the log itself.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::broadcast::{self, error::RecvError};

use super::task::{PeriodicTask, Task, TaskContext, TaskError, Tick};
use super::{Core, Result};
use crate::domain::access::{Action, Actor, Resource, Scope};
use crate::domain::event::{Event, StoredEvent, Topic};
use crate::ports::{EventStore, StoreError, WakeUp, WakeUps};

const RESOURCE: Resource = Resource::READ_BY_ALL;

/// A reader that is this many events of its topic behind is dropped.
const MAX_BEHIND: usize = 1_024;
/// How many events are read from the log at once.
const PAGE: u32 = 500;

/// The events of this instance.
pub struct Events {
    /// For readers that resume.
    store: Arc<dyn EventStore>,
    /// For the tail.
    worker_store: Arc<dyn EventStore>,
    wake_ups: Arc<dyn WakeUps>,
    /// One channel for each topic, so that a burst in one topic drops no reader of another.
    topics: Vec<broadcast::Sender<Arc<Event>>>,
    /// The events of all topics, in their order, for readers of several.
    all: broadcast::Sender<Arc<Event>>,
    /// The number up to which the tail has passed events on; negative before it is known.
    position: AtomicI64,
}

impl Events {
    /// Events of the stores of `core`. [`EventTail`] passes them on.
    pub fn new(core: &Core) -> Self {
        let [store, worker_store] =
            [&core.store, &core.worker_store].map(|store| Arc::clone(store) as Arc<_>);
        Self::over(store, worker_store, Arc::clone(&core.wake_ups))
    }

    fn over(
        store: Arc<dyn EventStore>,
        worker_store: Arc<dyn EventStore>,
        wake_ups: Arc<dyn WakeUps>,
    ) -> Self {
        let topics = Topic::ALL.iter().map(|_| broadcast::Sender::new(MAX_BEHIND)).collect();
        let all = broadcast::Sender::new(MAX_BEHIND);
        Self { store, worker_store, wake_ups, topics, all, position: AtomicI64::new(-1) }
    }

    /// The events of a topic from now on, for a cache. Such a listener calls [`Events::begin`] before it reads what it
    /// caches; then it misses no later change.
    pub fn listen(&self, topic: Topic) -> broadcast::Receiver<Arc<Event>> {
        self.topics[topic as usize].subscribe()
    }

    /// Makes sure that every event from now on is passed on; returns the number up to which that was done.
    pub async fn begin(&self) -> std::result::Result<i64, StoreError> {
        let position = self.position.load(Ordering::Acquire);
        if position >= 0 {
            return Ok(position);
        }
        let last = self.worker_store.last_event().await?;
        let begun = self.position.compare_exchange(-1, last, Ordering::AcqRel, Ordering::Acquire);
        Ok(begun.map_or_else(|position| position, |_| last))
    }

    /// Reads topics from behind event `after`, or from the present end of the log.
    pub async fn subscribe(
        &self,
        actor: &Actor,
        topics: &[Topic],
        after: Option<i64>,
    ) -> Result<EventReader> {
        let scope = actor.authorize(Action::Read, &RESOURCE)?;
        // Subscribe first: later events are in `live`, earlier ones are in the log.
        let live = match topics {
            [one] => self.listen(*one),
            _ => self.all.subscribe(),
        };
        self.begin().await?;
        let last = self.store.last_event().await?;
        let (cursor, reset) = match after {
            None => (last, false),
            // The database was replaced: it does not have this number yet.
            Some(seq) if seq > last || seq < 0 => (last, true),
            Some(seq) => match self.store.first_event().await? {
                Some(first) if seq < first - 1 => (first - 1, true),
                None if seq < last => (last, true),
                _ => (seq, false),
            },
        };
        let (store, backlog) = (Arc::clone(&self.store), VecDeque::new());
        let topics = topics.to_vec();
        Ok(EventReader { store, scope, topics, cursor, backlog, live, caught_up: cursor == last, reset })
    }

    fn publish(&self, stored: &StoredEvent) -> Option<Topic> {
        let event = readable(stored);
        let topic = event.as_ref().map(|event| event.body.topic());
        if let Some(event) = event {
            let event = Arc::new(event);
            // An error means that there is no listener.
            let _ = self.all.send(Arc::clone(&event));
            let _ = self.topics[event.body.topic() as usize].send(event);
        }
        self.position.store(stored.seq, Ordering::Release);
        topic
    }
}

/// Decodes a row. A row that another version of the program wrote is skipped, so that it does not hold up the log.
fn readable(stored: &StoredEvent) -> Option<Event> {
    let error = match stored.decode() {
        Ok(event) => return Some(event),
        Err(error) => error,
    };
    metrics::counter!("streamward_events_skipped_total").increment(1);
    tracing::warn!(seq = stored.seq, %error, "an event in the log cannot be read and is skipped");
    None
}

/// Passes new events of the log on to the readers and caches of this instance.
pub struct EventTail {
    events: Arc<Events>,
}

impl EventTail {
    /// A tail that starts at the present end of the log.
    pub fn new(events: Arc<Events>) -> Self {
        Self { events }
    }
}

impl Task for EventTail {
    fn name(&self) -> String {
        "event-tail".into()
    }

    fn description(&self) -> &'static str {
        "Sends new events from the log to the readers of this instance."
    }
}

#[async_trait]
impl PeriodicTask for EventTail {
    fn interval(&self) -> Duration {
        Duration::from_millis(500)
    }

    fn wakes_on(&self, wake_up: &WakeUp) -> bool {
        matches!(wake_up, WakeUp::Events)
    }

    async fn tick(&mut self, _: &TaskContext) -> std::result::Result<Tick, TaskError> {
        let Events { worker_store, wake_ups, .. } = &*self.events;
        let position = self.events.begin().await?;
        let page = worker_store.events_after(&Scope::system(), None, position, PAGE).await?;
        let topics: BTreeSet<Topic> = page.iter().filter_map(|stored| self.events.publish(stored)).collect();
        for topic in topics {
            wake_ups.send_local(WakeUp::Topic(topic));
        }
        if page.len() == PAGE as usize {
            wake_ups.send_local(WakeUp::Events);
        }
        Ok(Tick::default())
    }
}

/// The next item of a reader.
#[derive(Clone, Debug)]
pub enum Next {
    /// The next event of the topic.
    Event(Arc<Event>),
    /// Events between the reader's place and this one are gone; the reader should load everything anew.
    Reset {
        /// Where it continues.
        seq: i64,
    },
    /// The reader is too slow, or the service stops. It may come back with the last number it saw.
    Closed,
}

/// One reader of one topic, or of several.
pub struct EventReader {
    store: Arc<dyn EventStore>,
    scope: Scope,
    topics: Vec<Topic>,
    /// Every event of the topics up to this number was read.
    cursor: i64,
    backlog: VecDeque<Arc<Event>>,
    live: broadcast::Receiver<Arc<Event>>,
    /// The log was read to its end after `live` was opened, so `live` has all later events.
    caught_up: bool,
    reset: bool,
}

impl EventReader {
    fn wants(&self, event: &Event) -> bool {
        self.topics.contains(&event.body.topic()) && self.scope.includes(event.organization_id)
    }

    /// Waits for the next item. Cancelling loses no event.
    pub async fn next(&mut self) -> Result<Next> {
        if self.reset {
            self.reset = false;
            return Ok(Next::Reset { seq: self.cursor });
        }
        loop {
            if let Some(event) = self.backlog.pop_front() {
                return Ok(Next::Event(event));
            }
            if !self.caught_up {
                let only = if let [one] = *self.topics { Some(one) } else { None };
                let page = self.store.events_after(&self.scope, only, self.cursor, PAGE).await?;
                self.caught_up = page.len() < PAGE as usize;
                self.cursor = page.last().map_or(self.cursor, |stored| stored.seq);
                let events = page.iter().filter_map(readable);
                let wanted = events.filter(|event| self.topics.contains(&event.body.topic()));
                self.backlog.extend(wanted.map(Arc::new));
                continue;
            }
            match self.live.recv().await {
                // It was in the backlog.
                Ok(event) if event.seq <= self.cursor => {}
                Ok(event) if !self.wants(&event) => self.cursor = event.seq,
                Ok(event) => {
                    self.cursor = event.seq;
                    return Ok(Next::Event(event));
                }
                Err(RecvError::Lagged(_) | RecvError::Closed) => return Ok(Next::Closed),
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::Mutex;

    use uuid::Uuid;

    use super::*;
    use crate::adapters::local_wake_ups::LocalWakeUps;
    use crate::domain::access::{Permissions, Role};
    use crate::domain::event::{EventBody, StreamEventKind, StreamKeyEventKind};
    use crate::domain::stream::tests::stream;
    use crate::domain::stream_key::tests::key;
    use crate::domain::{OrganizationId, Timestamp};
    use crate::ports::EventFilter;

    /// A log that is written by hand.
    #[derive(Default)]
    pub(crate) struct Log(Mutex<Vec<StoredEvent>>);

    impl Log {
        pub(crate) fn append(&self, body: &EventBody) -> i64 {
            self.append_of(OrganizationId::DEFAULT, body)
        }

        fn append_of(&self, owner: OrganizationId, body: &EventBody) -> i64 {
            let mut rows = self.0.lock().unwrap();
            let seq = i64::try_from(rows.len()).unwrap() + 1;
            rows.push(body.stored(seq, Timestamp::from_seconds(seq), owner));
            seq
        }
    }

    #[async_trait]
    impl EventStore for Log {
        async fn events_after(
            &self,
            scope: &Scope,
            topic: Option<Topic>,
            seq: i64,
            limit: u32,
        ) -> std::result::Result<Vec<StoredEvent>, StoreError> {
            let rows = self.0.lock().unwrap();
            let wanted = rows.iter().filter(|row| row.seq > seq && scope.includes(row.organization_id));
            let wanted = wanted.filter(|row| topic.is_none_or(|topic| row.topic == topic.as_str()));
            Ok(wanted.take(limit as usize).cloned().collect())
        }

        async fn events_before(
            &self,
            _: &Scope,
            _: &EventFilter,
            _: i64,
            _: u32,
        ) -> std::result::Result<Vec<StoredEvent>, StoreError> {
            Ok(Vec::new())
        }

        async fn last_event(&self) -> std::result::Result<i64, StoreError> {
            Ok(i64::try_from(self.0.lock().unwrap().len()).unwrap())
        }

        async fn first_event(&self) -> std::result::Result<Option<i64>, StoreError> {
            Ok(self.0.lock().unwrap().first().map(|row| row.seq))
        }

        async fn prune_events(&self, _: Timestamp) -> std::result::Result<u64, StoreError> {
            Ok(0)
        }
    }

    pub(crate) fn tail(log: &Arc<Log>) -> (Arc<Events>, EventTail) {
        let store = Arc::clone(log) as Arc<dyn EventStore>;
        let wake_ups = Arc::new(LocalWakeUps::default());
        let events = Arc::new(Events::over(Arc::clone(&store), store, wake_ups));
        (Arc::clone(&events), EventTail::new(events))
    }

    fn started() -> EventBody {
        EventBody::stream(StreamEventKind::Started, &stream())
    }

    fn created() -> EventBody {
        EventBody::stream_key(StreamKeyEventKind::Created, &key())
    }

    async fn subscribe(events: &Events, after: Option<i64>) -> EventReader {
        let actor = Actor::cli("test");
        events.subscribe(&actor, &[Topic::Stream], after).await.unwrap()
    }

    async fn seq(reader: &mut EventReader) -> i64 {
        match reader.next().await.unwrap() {
            Next::Event(event) => event.seq,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn events_before_the_first_tick_and_between_log_and_tail_reach_the_reader_once() {
        let log = Arc::new(Log::default());
        let (events, mut tail) = tail(&log);
        log.append(&started());
        let mut reader = subscribe(&events, None).await;
        let mut resumed = subscribe(&events, Some(0)).await;
        log.append(&created());
        log.append(&started());
        tail.tick(&TaskContext::default()).await.unwrap();
        log.append(&started());
        // 3 is in the log and was passed on, 4 is only in the log.
        assert_eq!([seq(&mut resumed).await, seq(&mut resumed).await, seq(&mut resumed).await], [1, 3, 4]);
        tail.tick(&TaskContext::default()).await.unwrap();
        log.append(&started());
        tail.tick(&TaskContext::default()).await.unwrap();
        assert_eq!([seq(&mut reader).await, seq(&mut reader).await, seq(&mut reader).await], [3, 4, 5]);
        assert_eq!(seq(&mut resumed).await, 5);
    }

    #[tokio::test]
    async fn burst_of_five_thousand_events_in_one_topic_drops_no_reader_of_another() {
        let log = Arc::new(Log::default());
        let (events, mut tail) = tail(&log);
        let mut reader = subscribe(&events, None).await;
        log.append(&started());
        (0..5_000).for_each(|_| _ = log.append(&created()));
        let last = log.append(&started());
        for _ in 0..=5_000 / PAGE {
            tail.tick(&TaskContext::default()).await.unwrap();
        }
        assert_eq!([seq(&mut reader).await, seq(&mut reader).await], [1, last]);
        // A burst in its own topic drops it.
        (0..=MAX_BEHIND).for_each(|_| _ = log.append(&started()));
        for _ in 0..=MAX_BEHIND / PAGE as usize {
            tail.tick(&TaskContext::default()).await.unwrap();
        }
        assert!(matches!(reader.next().await.unwrap(), Next::Closed));
    }

    #[tokio::test]
    async fn reader_of_several_topics_gets_them_in_order_from_the_log_and_from_the_tail() {
        let log = Arc::new(Log::default());
        let (events, mut tail) = tail(&log);
        log.append(&created());
        log.append(&started());
        let actor = Actor::cli("test");
        let topics = [Topic::Stream, Topic::StreamKey];
        let mut both = events.subscribe(&actor, &topics, Some(0)).await.unwrap();
        let others = [Topic::Stream, Topic::Broadcaster];
        let mut streams = events.subscribe(&actor, &others, Some(0)).await.unwrap();
        assert_eq!([seq(&mut both).await, seq(&mut both).await, seq(&mut streams).await], [1, 2, 2]);
        for event in [started(), created(), started()] {
            log.append(&event);
            tail.tick(&TaskContext::default()).await.unwrap();
        }
        assert_eq!([seq(&mut both).await, seq(&mut both).await, seq(&mut both).await], [3, 4, 5]);
        assert_eq!([seq(&mut streams).await, seq(&mut streams).await], [3, 5]);
    }

    #[tokio::test]
    async fn reader_gets_only_events_of_its_organizations_from_the_log_and_from_the_tail() {
        let log = Arc::new(Log::default());
        let (events, mut tail) = tail(&log);
        let other = OrganizationId(Uuid::max());
        let permissions = Permissions::in_organizations([(other, Role::Viewer)]);
        let actor = Actor { permissions, ..Actor::cli("test") };
        log.append_of(other, &started());
        log.append(&started());
        let mut reader = events.subscribe(&actor, &[Topic::Stream], Some(0)).await.unwrap();
        assert_eq!(seq(&mut reader).await, 1);
        for owner in [OrganizationId::DEFAULT, other, OrganizationId::DEFAULT, other] {
            log.append_of(owner, &started());
            tail.tick(&TaskContext::default()).await.unwrap();
        }
        assert_eq!([seq(&mut reader).await, seq(&mut reader).await], [4, 6]);
        let mut reader_of_all = subscribe(&events, Some(3)).await;
        assert_eq!([seq(&mut reader_of_all).await, seq(&mut reader_of_all).await], [4, 5]);
    }

    #[tokio::test]
    async fn event_of_an_unknown_version_is_skipped_by_the_tail_and_by_a_reader_that_resumes() {
        let log = Arc::new(Log::default());
        let (events, mut tail) = tail(&log);
        let mut reader = subscribe(&events, None).await;
        log.append(&started());
        let strange = StoredEvent {
            version: 99,
            subject: Uuid::nil(),
            ..started().stored(2, Timestamp::from_seconds(2), OrganizationId::DEFAULT)
        };
        log.0.lock().unwrap().push(strange);
        log.append(&started());
        tail.tick(&TaskContext::default()).await.unwrap();
        assert_eq!([seq(&mut reader).await, seq(&mut reader).await], [1, 3]);
        let mut resumed = subscribe(&events, Some(0)).await;
        assert_eq!([seq(&mut resumed).await, seq(&mut resumed).await], [1, 3]);
        assert_eq!(events.begin().await.unwrap(), 3, "the tail continues behind it");
    }
}
