//! The store of what live streams carried, for charts.

use std::time::Duration;

use async_trait::async_trait;

use super::Result;
use crate::domain::access::Scope;
use crate::domain::media_server::MediaServerName;
use crate::domain::path::StreamPath;
use crate::domain::{StreamId, Timestamp};

/// What a live stream carried at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveSample {
    /// Its media server.
    pub media_server: MediaServerName,
    /// Its public path.
    pub path: StreamPath,
    /// When.
    pub at: Timestamp,
    /// How many read it.
    pub readers: u32,
    /// What arrived, in bytes per second; `None` if it was not measured yet.
    pub bytes_per_second: Option<u64>,
}

/// What a stream carried during a step of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamSample {
    /// When the step began.
    pub at: Timestamp,
    /// The most that read it.
    pub readers: u32,
    /// What arrived on average, in bytes per second, if it was measured.
    pub bytes_per_second: Option<u64>,
}

/// Samples of streams.
#[async_trait]
pub trait StreamSampleStore: Send + Sync {
    /// MUST store the samples with the streams that are live now on these paths of these media servers, in one statement.
    /// Samples of other paths, and of a stream and a time that are there already, MUST be left out.
    async fn record_stream_samples(&self, samples: &[LiveSample]) -> Result<()>;

    /// MUST return the samples of the stream at or after `from` and before `to`, by steps since 1970, oldest first. Steps
    /// without a sample are left out.
    async fn stream_samples(
        &self,
        scope: &Scope,
        id: StreamId,
        range: (Timestamp, Timestamp),
        step: Duration,
    ) -> Result<Vec<StreamSample>>;

    /// MUST remove samples from before `before`; returns how many.
    async fn prune_stream_samples(&self, before: Timestamp) -> Result<u64>;
}
