//! What live streams carry, kept for charts.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use super::housekeeping::Chore;
use super::live_stats::LiveStats;
use super::{AppError, Core, Result};
use crate::domain::access::{Action, Actor, Resource};
use crate::domain::{Invalid, StreamId, Timestamp};
use crate::ports::{LiveSample, StoreError, StreamSample};

const RESOURCE: Resource = Resource::READ_BY_ALL;

/// The time between two samples of a stream. All instances take them at the same times.
const EVERY: Duration = Duration::from_secs(10);
/// How long samples are kept.
pub const KEPT: Duration = Duration::from_secs(24 * 3_600);
/// How many steps an answer has at most, and about how many if no step was named.
const MOST: u32 = 1_000;
const USUAL: u32 = 200;

/// Which samples; what is absent is chosen.
#[derive(Clone, Copy, Debug, Default)]
pub struct SampleRange {
    /// The first time.
    pub from: Option<Timestamp>,
    /// The time after the last one.
    pub to: Option<Timestamp>,
    /// How much time one sample of the answer stands for.
    pub step: Option<Duration>,
}

/// The samples of a stream.
#[derive(Clone, Debug)]
pub struct StreamHistory {
    /// The stream.
    pub id: StreamId,
    /// The first time.
    pub from: Timestamp,
    /// The time after the last one.
    pub to: Timestamp,
    /// How much time one sample stands for.
    pub step: Duration,
    /// Steps without a sample are left out: nothing is known of them.
    pub samples: Vec<StreamSample>,
}

/// Takes samples of the live streams that this instance polls, and shows those of all.
pub struct StreamSamples {
    core: Arc<Core>,
    live: Arc<LiveStats>,
    taken: Mutex<Option<Timestamp>>,
}

impl StreamSamples {
    /// Of what `live` knows.
    pub fn new(core: Arc<Core>, live: Arc<LiveStats>) -> Self {
        Self { core, live, taken: Mutex::default() }
    }

    /// The samples of a stream.
    pub async fn of(&self, actor: &Actor, id: StreamId, range: SampleRange) -> Result<StreamHistory> {
        let scope = actor.authorize(Action::Read, &RESOURCE)?;
        self.core.store.stream(&scope, id).await?.ok_or(AppError::NotFound("stream"))?;
        let to = range.to.unwrap_or_else(|| self.core.now().plus(EVERY));
        let from = range.from.unwrap_or_else(|| to.minus(Duration::from_secs(3_600)));
        if from >= to {
            return Err(Invalid::one("from", format!("must be before to, which is {to}")).into());
        }
        let (whole, usual) = (to.since(from), to.since(from) / USUAL);
        let step = range.step.unwrap_or_else(|| rounded_up(usual));
        if whole / MOST > step {
            let least = rounded_up(whole / MOST).as_secs();
            let rule =
                format!("must be at least {least} seconds for this time: an answer has {MOST} steps at most");
            return Err(Invalid::one("step", rule).into());
        }
        let samples = self.core.lists.turn().await.stream_samples(&scope, id, (from, to), step).await?;
        Ok(StreamHistory { id, from, to, step, samples })
    }
}

/// A multiple of the time between two samples.
fn rounded_up(step: Duration) -> Duration {
    let every = EVERY.as_secs();
    Duration::from_secs(step.as_secs().div_ceil(every).max(1) * every)
}

#[async_trait]
impl Chore for StreamSamples {
    /// Stores a sample of each live stream, when it is time.
    async fn run(&self) -> std::result::Result<(), StoreError> {
        let every = i64::try_from(EVERY.as_micros()).unwrap_or(i64::MAX);
        let at = Timestamp::from_micros(self.core.now().micros() / every * every);
        {
            let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
            if taken.replace(at) == Some(at) {
                return Ok(());
            }
        }
        let samples = self.live.now().into_iter().map(|(media_server, live)| LiveSample {
            media_server,
            path: live.path,
            at,
            readers: live.readers,
            bytes_per_second: live.bytes_per_second,
        });
        let samples: Vec<LiveSample> = samples.collect();
        if samples.is_empty() {
            return Ok(());
        }
        self.core.worker_store.record_stream_samples(&samples).await
    }
}
