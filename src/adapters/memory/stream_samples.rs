//! What live streams carried, in memory.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;

use super::MemoryStore;
use crate::domain::access::Scope;
use crate::domain::{StreamId, Timestamp};
use crate::ports::{LiveSample, Result, StreamSample, StreamSampleStore};

#[async_trait]
impl StreamSampleStore for MemoryStore {
    async fn record_stream_samples(&self, samples: &[LiveSample]) -> Result<()> {
        let mut state = self.state();
        for LiveSample { media_server, path, at, readers, bytes_per_second } in samples {
            let mut streams = state.streams.values().map(|active| &active.stream);
            let live = streams
                .find(|one| one.is_active() && one.media_server == *media_server && one.path == *path)
                .map(|one| one.id);
            if let Some(id) = live {
                let sample = StreamSample { at: *at, readers: *readers, bytes_per_second: *bytes_per_second };
                state.stream_samples.entry((id, *at)).or_insert(sample);
            }
        }
        Ok(())
    }

    async fn stream_samples(
        &self,
        scope: &Scope,
        id: StreamId,
        (from, to): (Timestamp, Timestamp),
        step: Duration,
    ) -> Result<Vec<StreamSample>> {
        let state = self.state();
        let owner = state.streams.get(&id).map(|active| active.stream.organization_id);
        if from >= to || !owner.is_some_and(|owner| scope.includes(owner)) {
            return Ok(Vec::new());
        }
        let step = i64::try_from(step.as_micros()).unwrap_or(i64::MAX).max(1);
        let mut steps: BTreeMap<i64, Vec<StreamSample>> = BTreeMap::new();
        for (_, sample) in state.stream_samples.range((id, from)..(id, to)) {
            steps.entry(sample.at.micros() / step * step).or_default().push(*sample);
        }
        let merged = |(began, all): (i64, Vec<StreamSample>)| {
            let rates: Vec<u64> = all.iter().filter_map(|sample| sample.bytes_per_second).collect();
            StreamSample {
                at: Timestamp::from_micros(began),
                readers: all.iter().map(|sample| sample.readers).max().unwrap_or_default(),
                bytes_per_second: rates.iter().sum::<u64>().checked_div(rates.len() as u64),
            }
        };
        Ok(steps.into_iter().map(merged).collect())
    }

    async fn prune_stream_samples(&self, before: Timestamp) -> Result<u64> {
        let mut state = self.state();
        let there = state.stream_samples.len();
        state.stream_samples.retain(|(_, at), _| *at >= before);
        Ok((there - state.stream_samples.len()) as u64)
    }
}
