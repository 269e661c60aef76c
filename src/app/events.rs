//! Following the event log: one tail of the log for all readers of this instance, and the log itself for those who
//! resume.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use super::task::{PeriodicTask, Task, TaskContext, TaskError, Tick};
use super::{Core, Result};
use crate::domain::access::{Action, Actor, Resource};
use crate::domain::event::Event;
use crate::ports::WakeUp;

/// How many events a reader may be behind before it is dropped.
const BEHIND: usize = 1_024;
/// How many events are read from the log at once.
const PAGE: u32 = 500;

/// The live end of the log.
#[derive(Debug)]
struct Feed {
    live: broadcast::Sender<Arc<Event>>,
    last: AtomicI64,
}

impl Default for Feed {
    fn default() -> Self {
        Self { live: broadcast::Sender::new(BEHIND), last: AtomicI64::new(-1) }
    }
}

impl Feed {
    /// Whoever comes first, the tail or a reader, says where the live end begins, so that nothing lies between.
    fn begin_at(&self, last: i64) {
        // Begun already: fine.
        let _ = self.last.compare_exchange(-1, last, Ordering::AcqRel, Ordering::Acquire);
    }
}

/// Moves new events from the log to the readers of this instance.
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
        let Events { core, feed } = &*self.events;
        let store = &core.worker_store;
        let last = feed.last.load(Ordering::Acquire);
        if last < 0 {
            feed.begin_at(store.last_event().await?);
            return Ok(Tick::default());
        }
        let events = store.events_after(last, PAGE).await?;
        let full = events.len() == PAGE as usize;
        for event in events {
            feed.last.store(event.seq, Ordering::Release);
            // No receivers is fine.
            let _ = feed.live.send(Arc::new(event));
        }
        if full {
            core.wake_ups.send_local(WakeUp::Events);
        }
        Ok(Tick::default())
    }
}

/// What a reader of the log meets next.
#[derive(Clone, Debug)]
pub enum Next {
    /// The next event.
    Event(Arc<Event>),
    /// Events between the reader's place and this one are gone; the reader should look at everything anew.
    Reset {
        /// Where it goes on.
        seq: i64,
    },
    /// The reader is too slow, or the service stops. It may come back with the last number it saw.
    Closed,
}

/// One reader of the log.
pub struct EventReader {
    core: Arc<Core>,
    cursor: i64,
    backlog: VecDeque<Arc<Event>>,
    live: broadcast::Receiver<Arc<Event>>,
    caught_up: bool,
    reset: bool,
}

/// The event log of this instance.
pub struct Events {
    core: Arc<Core>,
    feed: Feed,
}

impl Events {
    /// Over the stores of `core`; [`EventTail`] moves it.
    pub fn new(core: Arc<Core>) -> Self {
        Self { core, feed: Feed::default() }
    }

    /// Follows the log from behind event `after`, or from its present end.
    ///
    /// # Errors
    /// Forbidden; the store.
    pub async fn follow(&self, actor: &Actor, after: Option<i64>) -> Result<EventReader> {
        actor.authorize(Action::Read, &Resource::Event)?;
        let live = self.feed.live.subscribe();
        let last = self.core.store.last_event().await?;
        self.feed.begin_at(last);
        let (cursor, reset) = match after {
            None => (last, false),
            // From a future that this database does not have: it was replaced.
            Some(seq) if seq > last || seq < 0 => (last, true),
            Some(seq) => match self.core.store.first_event().await? {
                Some(first) if seq < first - 1 => (first - 1, true),
                None if seq < last => (last, true),
                _ => (seq, false),
            },
        };
        let caught_up = cursor == last;
        Ok(EventReader {
            core: Arc::clone(&self.core),
            cursor,
            backlog: VecDeque::new(),
            live,
            caught_up,
            reset,
        })
    }
}

impl EventReader {
    /// Waits for what comes next. Cancelling it loses nothing.
    ///
    /// # Errors
    /// The store, while it reads what was missed.
    pub async fn next(&mut self) -> Result<Next> {
        if self.reset {
            self.reset = false;
            return Ok(Next::Reset { seq: self.cursor });
        }
        loop {
            if let Some(event) = self.backlog.pop_front() {
                self.cursor = event.seq;
                return Ok(Next::Event(event));
            }
            if !self.caught_up {
                let page = self.core.store.events_after(self.cursor, PAGE).await?;
                self.caught_up = page.is_empty();
                self.backlog = page.into_iter().map(Arc::new).collect();
                continue;
            }
            match self.live.recv().await {
                // Seen in the backlog already.
                Ok(event) if event.seq <= self.cursor => {}
                Ok(event) if event.seq == self.cursor + 1 => {
                    self.cursor = event.seq;
                    return Ok(Next::Event(event));
                }
                // The tail is ahead of where the backlog ended: the log has what lies between.
                Ok(_) => self.caught_up = false,
                Err(RecvError::Lagged(_) | RecvError::Closed) => return Ok(Next::Closed),
            }
        }
    }
}
