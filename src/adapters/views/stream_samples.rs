//! What a stream carried, for charts.

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::DateTime;
use crate::app::stream_samples::StreamHistory;
use crate::ports::StreamSample;

/// What a stream carried.
#[derive(Serialize, ToSchema)]
#[schema(as = StreamHistory)]
pub(crate) struct StreamHistoryView {
    stream_id: Uuid,
    from: DateTime,
    to: DateTime,
    /// How many seconds one sample stands for.
    #[schema(example = 20)]
    step: u64,
    /// Oldest first. A step that nothing is known of is left out.
    samples: Vec<StreamSampleView>,
}

/// What a stream carried during a step.
#[derive(Serialize, ToSchema)]
#[schema(as = StreamSample)]
struct StreamSampleView {
    /// When the step began.
    at: DateTime,
    /// What arrived on average, in bits per second; `null` if it was not measured yet.
    #[schema(required = true, example = 4_500_000)]
    inbound_bitrate: Option<u64>,
    /// The most that read it at once.
    readers: u32,
}

impl From<StreamHistory> for StreamHistoryView {
    fn from(StreamHistory { id, from, to, step, samples }: StreamHistory) -> Self {
        let view = |StreamSample { at, readers, bytes_per_second }| StreamSampleView {
            at,
            inbound_bitrate: bytes_per_second.map(|bytes| bytes.saturating_mul(8)),
            readers,
        };
        Self {
            stream_id: id.0,
            from,
            to,
            step: step.as_secs(),
            samples: samples.into_iter().map(view).collect(),
        }
    }
}
